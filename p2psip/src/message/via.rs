//! Vias (RFC 3261 §20.42): the way a request came, and its responses go back.

use std::net::{IpAddr, SocketAddr};

use super::grammar::{Malformed, is_token, number, text, token, trim, trim_start};
use super::host::{Host, split_port};
use super::params::Params;

/// What every branch of an element that knows RFC 3261 begins with (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// What carries messages. Names compare in any case.
#[derive(Debug, Clone, Copy, Eq)]
pub enum Transport<'a> {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream within TLS.
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket within TLS (RFC 7118).
    Wss,
    /// Another.
    Other(&'a str),
}

impl PartialEq for Transport<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl<'a> Transport<'a> {
    /// Which one a name is.
    pub fn of(name: &'a str) -> Transport<'a> {
        let known = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
        let found = known.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name));
        found.unwrap_or(Transport::Other(name))
    }

    /// As it stands in a Via.
    pub const fn as_str(self) -> &'a str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
            Transport::Other(name) => name,
        }
    }

    /// Whether messages arrive without being sent again. Of one that is not known, nobody can say.
    pub fn is_reliable(self) -> bool {
        match self {
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => true,
            Transport::Udp => false,
            Transport::Other(name) => name.to_ascii_uppercase().contains("SCTP"),
        }
    }

    /// The port meant where none is said.
    pub const fn default_port(self) -> u16 {
        match self {
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
            _ => 5060,
        }
    }
}

impl std::fmt::Display for Transport<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One Via.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Via<'a> {
    /// What the message was sent by.
    pub transport: Transport<'a>,
    /// Where its sender says to be.
    pub host: Host<'a>,
    /// The port there, if it is said.
    pub port: Option<u16>,
    /// All parameters.
    pub params: Params<'a>,
}

/// What the receiver of a request adds to its topmost Via, so that responses find back (RFC 3261
/// §18.2.1, RFC 3581 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ViaMark {
    /// The address it came from, if it has to be said.
    pub received: Option<IpAddr>,
    /// The port it came from, if the sender asked for it.
    pub rport: Option<u16>,
}

impl<'a> Via<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// [`Malformed`], saying what is wrong.
    pub fn parse(value: &'a [u8]) -> Result<Via<'a>, Malformed> {
        let (mut via, params) = Via::split(value)?;
        via.params = Params::parse(params)?;
        Ok(via)
    }

    /// Transport and sender, without looking at the parameters, which are the second: enough to answer.
    pub(crate) fn split(value: &'a [u8]) -> Result<(Via<'a>, &'a [u8]), Malformed> {
        let (_protocol, rest) = before_slash(trim(value))?;
        let (_version, rest) = before_slash(rest)?;
        let (transport, rest) = token(rest);
        let place = trim_start(rest);
        if transport.is_empty() || place.len() == rest.len() {
            return Err(Malformed("no transport and white space stand before the Via's host"));
        }
        let (host, rest) = Host::split(place)?;
        let (port, rest) = split_port(rest)?;
        let transport = Transport::of(text(transport)?);
        Ok((Via { transport, host, port, params: Params::default() }, rest))
    }

    /// Its branch, whole.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch")
    }

    /// The branch without the magic cookie, if it has one and anything follows: only then it is the
    /// transaction's (RFC 3261 §17.2.3).
    pub fn unique_branch(&self) -> Option<&'a str> {
        let branch = self.branch()?;
        let (cookie, rest) = branch.split_at_checked(MAGIC_COOKIE.len())?;
        (cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && !rest.is_empty()).then_some(rest)
    }

    /// Where the request really came from, as the one who received it wrote.
    pub fn received(&self) -> Option<IpAddr> {
        let value = self.params.value("received")?;
        // Some write it in brackets, as a host would be; the grammar has it without.
        value.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The port it came from. `Some(None)` is a request to fill it in (RFC 3581 §3).
    pub fn rport(&self) -> Option<Option<u16>> {
        let param = self.params.get("rport")?;
        Some(param.value.and_then(|port| port.parse().ok()))
    }

    /// A multicast group's, or another address to answer to.
    pub fn maddr(&self) -> Option<Host<'a>> {
        Host::parse(self.params.value("maddr")?).ok()
    }

    /// How far a multicast goes.
    pub fn ttl(&self) -> Option<u8> {
        u8::try_from(number(self.params.value("ttl")?.as_bytes())?).ok()
    }

    /// The port to answer to if nothing says otherwise.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(self.transport.default_port())
    }

    /// What whoever got this from `source` has to add.
    pub fn mark(&self, source: SocketAddr) -> ViaMark {
        let ip = source.ip().to_canonical();
        let asked = self.params.get("rport").is_some();
        let moved = self.host.ip().map(|host| host.to_canonical()) != Some(ip);
        ViaMark { received: (asked || moved).then_some(ip), rport: asked.then_some(source.port()) }
    }

    /// Where a response goes over UDP (RFC 3261 §18.2.2, RFC 3581 §4), unless only a name says so.
    pub fn response_address(&self) -> Option<SocketAddr> {
        if let Some(maddr) = self.maddr() {
            return Some(SocketAddr::new(maddr.ip()?, self.port_or_default()));
        }
        let ip = self.received().or_else(|| self.host.ip())?;
        let port = self.rport().flatten().unwrap_or_else(|| self.port_or_default());
        Some(SocketAddr::new(ip, port))
    }
}

/// A token and what follows the slash after it.
fn before_slash(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let slash = memchr::memchr(b'/', bytes).ok_or(Malformed("the Via names no protocol"))?;
    let (name, rest) = (trim(&bytes[..slash]), trim_start(&bytes[slash + 1..]));
    if is_token(name) { Ok((name, rest)) } else { Err(Malformed("the Via's protocol is no token")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Via<'_> {
        Via::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn vias_of_every_shape_are_understood() {
        let odd = via(
            "SIP / 2.0\r\n / udp  [2001:db8::9] : 5080 ;branch = z9hG4bKx/1=\r\n ;rport;ttl=16;maddr=224.2.0.1",
        );
        assert_eq!((odd.transport, odd.port), (Transport::Udp, Some(5080)));
        assert_eq!(odd.host.ip(), Some("2001:db8::9".parse().unwrap()));
        assert_eq!(odd.unique_branch(), Some("x/1="));
        assert_eq!((odd.rport(), odd.ttl()), (Some(None), Some(16)));
        assert_eq!(odd.maddr().and_then(Host::ip), Some("224.2.0.1".parse().unwrap()));
        assert_eq!(via("SIP/2.0/WSS a.invalid;branch=z9hG4bK1").transport, Transport::Wss);
        assert_eq!(via("SIP/2.0/TLS-SCTP h").transport, Transport::Other("tls-sctp"));
        assert!(via("SIP/2.0/TLS-SCTP h").transport.is_reliable());
        assert!(!via("SIP/2.0/UNKNOWN h").transport.is_reliable());
    }

    #[test]
    fn branches_are_unique_only_with_cookie_and_more() {
        assert_eq!(via("SIP/2.0/UDP h;branch=z9hG4bK").unique_branch(), None);
        assert_eq!(via("SIP/2.0/UDP h;branch=Z9HG4BKa").unique_branch(), Some("a"));
        assert_eq!(via("SIP/2.0/UDP h;branch=old").unique_branch(), None);
        assert_eq!(via("SIP/2.0/UDP h").unique_branch(), None);
    }

    #[test]
    fn the_receiver_marks_what_the_sender_could_not_know() {
        let source: SocketAddr = "192.0.2.9:4444".parse().unwrap();
        let mark = |text| via(text).mark(source);
        let ip = Some(source.ip());
        assert_eq!(mark("SIP/2.0/UDP 192.0.2.9:5060"), ViaMark::default());
        assert_eq!(
            mark("SIP/2.0/UDP 192.0.2.9;rport"),
            ViaMark { received: ip, rport: Some(4444) }
        );
        assert_eq!(mark("SIP/2.0/UDP 10.0.0.1"), ViaMark { received: ip, rport: None });
        assert_eq!(mark("SIP/2.0/UDP phone.example"), ViaMark { received: ip, rport: None });
        let mapped = "[::ffff:192.0.2.9]:4444".parse().unwrap();
        assert_eq!(via("SIP/2.0/UDP 192.0.2.9").mark(mapped), ViaMark::default());
    }

    #[test]
    fn responses_go_where_the_via_says() {
        for (text, to) in [
            ("SIP/2.0/UDP 192.0.2.9", Some("192.0.2.9:5060")),
            ("SIP/2.0/UDP 192.0.2.9:5070", Some("192.0.2.9:5070")),
            ("SIP/2.0/UDP h:5070;received=192.0.2.8", Some("192.0.2.8:5070")),
            ("SIP/2.0/UDP h:5070;received=192.0.2.8;rport=1", Some("192.0.2.8:1")),
            ("SIP/2.0/UDP h;received=[2001:db8::1]", Some("[2001:db8::1]:5060")),
            ("SIP/2.0/UDP h;maddr=224.2.0.1;received=192.0.2.8", Some("224.2.0.1:5060")),
            ("SIP/2.0/UDP h", None),
        ] {
            assert_eq!(via(text).response_address(), to.map(|to| to.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for wrong in [
            "",
            "SIP/2.0",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ;branch=1",
            "SIP/2.0/UDP h;;",
            "SIP/2.0/UDP h x",
            "SIP/2.0/ h",
            "/2.0/UDP h",
            "SIP/2.0/UDP h:0",
            "SIP/2.0/UDP[::1]",
        ] {
            assert!(Via::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
