//! URIs (RFC 3261 §19.1): taken apart, kept as they came. [`compare`] has the rules of equality.

pub(crate) mod compare;

use std::borrow::Cow;

use super::grammar::{Malformed, text};
use super::host::{Host, split_port};
use super::params::UriParams;
use super::via::Transport;
use compare::decode;

/// What a URI begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Any other; this crate understands nothing of what follows.
    Other(&'a str),
}

/// A URI: the text as it came, and for `sip:` and `sips:` its parts.
#[derive(Debug, Clone, Copy)]
pub struct Uri<'a> {
    text: &'a str,
    scheme: Scheme<'a>,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: Option<Host<'a>>,
    port: Option<u16>,
    params: UriParams<'a>,
    headers: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// Takes a URI apart.
    ///
    /// # Errors
    /// [`Malformed`], saying what is wrong, for what is no URI, and for a `sip:` that is not one.
    pub fn parse(text: &'a str) -> Result<Uri<'a>, Malformed> {
        let colon = memchr::memchr(b':', text.as_bytes());
        let colon = colon.ok_or(Malformed("the URI has no scheme"))?;
        let (name, rest) = (&text[..colon], &text[colon + 1..]);
        if !is_scheme(name) {
            return Err(Malformed("the URI's scheme is not one"));
        }
        // The exclamation mark is the first, the tilde the last character that can be seen.
        let seen = |byte: u8| {
            (b'!'..=b'~').contains(&byte) & (byte != b'"') & (byte != b'<') & (byte != b'>')
        };
        // All are looked at, many at once.
        if rest.is_empty() || !rest.bytes().fold(true, |all, byte| all & seen(byte)) {
            return Err(Malformed("the URI holds nothing, or a character no URI holds"));
        }
        let scheme = match name {
            _ if name.eq_ignore_ascii_case("sip") => Scheme::Sip,
            _ if name.eq_ignore_ascii_case("sips") => Scheme::Sips,
            _ if name.eq_ignore_ascii_case("tel") => Scheme::Tel,
            _ => Scheme::Other(name),
        };
        let (user, password, host, port) = (None, None, None, None);
        let params = UriParams::default();
        let uri = Uri { text, scheme, user, password, host, port, params, headers: None };
        if uri.is_sip() { uri.with_parts(rest) } else { Ok(uri) }
    }

    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Result<Uri<'a>, Malformed> {
        Uri::parse(text(bytes)?)
    }

    fn with_parts(mut self, rest: &'a str) -> Result<Uri<'a>, Malformed> {
        let mut place = rest;
        if let Some(at) = memchr::memchr(b'@', rest.as_bytes()) {
            let (info, after) = (&rest[..at], &rest[at + 1..]);
            // Which of two would be the one? The next element may think otherwise.
            if memchr::memchr(b'@', after.as_bytes()).is_some() {
                return Err(Malformed("the URI has more than one @"));
            }
            let (user, password) = match info.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (info, None),
            };
            if user.is_empty() || !is_escaped_well(info) {
                return Err(Malformed("the URI's user is empty, or has a % that escapes nothing"));
            }
            (self.user, self.password, place) = (Some(user), password, after);
        }
        let (host, after) = Host::split(place.as_bytes())?;
        let (port, after) = split_port(after)?;
        // Nothing but whole characters was taken off its beginning.
        let after = &place[place.len() - after.len()..];
        let (after, headers) = match after.split_once('?') {
            Some((after, headers)) => (after, Some(headers)),
            None => (after, None),
        };
        let params = after.strip_prefix(';');
        if params.is_none() && !after.is_empty() {
            return Err(Malformed("something that is no parameter follows the URI's host"));
        }
        self.params = UriParams::parse(params)?;
        (self.host, self.port, self.headers) = (Some(host), port, headers);
        Ok(self)
    }

    /// All of it, as it came.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// What it begins with.
    pub fn scheme(&self) -> Scheme<'a> {
        self.scheme
    }

    /// Whether it is `sip:` or `sips:`. No other has any of the parts below.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The user, still escaped.
    pub fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The user with its escapes resolved: for looking up, never for forwarding. Two URIs name the same
    /// user of a domain if these bytes are equal.
    pub fn user_decoded(&self) -> Option<Cow<'a, [u8]>> {
        self.user.map(decode)
    }

    /// What is between the user and the @, still escaped.
    pub fn password(&self) -> Option<&'a str> {
        self.password
    }

    /// Whose user it is.
    pub fn host(&self) -> Option<Host<'a>> {
        self.host
    }

    /// The port, if it is said.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Its parameters.
    pub fn params(&self) -> UriParams<'a> {
        self.params
    }

    /// What follows the question mark, still escaped.
    pub fn headers(&self) -> Option<&'a str> {
        self.headers
    }

    /// Whether it is a loose router's (RFC 3261 §19.1.1, `lr`).
    pub fn is_loose(&self) -> bool {
        self.params.get("lr").is_some()
    }

    /// The `transport` parameter.
    pub fn transport(&self) -> Option<&'a str> {
        self.params.value("transport")
    }

    /// What leads there, if nothing but the URI says (RFC 3263 §4.1, RFC 7118 §5.2): the parameter's,
    /// or UDP; within TLS for `sips:`.
    pub fn transport_or_default(&self) -> Transport<'a> {
        match (self.transport().map(Transport::of), self.scheme) {
            (None | Some(Transport::Tcp), Scheme::Sips) => Transport::Tls,
            (Some(Transport::Ws), Scheme::Sips) => Transport::Wss,
            (said, _) => said.unwrap_or(Transport::Udp),
        }
    }

    /// The port, or that of the transport.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(self.transport_or_default().default_port())
    }
}

fn is_scheme(name: &str) -> bool {
    let more = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(more)
}

/// Whether each % is followed by two hexadecimal digits.
fn is_escaped_well(text: &str) -> bool {
    let text = text.as_bytes();
    memchr::memchr_iter(b'%', text).all(|at| {
        text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Equality of RFC 3261 §19.1.4.
impl PartialEq for Uri<'_> {
    fn eq(&self, other: &Self) -> bool {
        compare::equivalent(self, other)
    }
}

impl std::fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sip_uri_is_taken_apart() {
        let text =
            "sips:anna;d=%40x?y:se%63ret@[2001:db8::1]:5071;transport=tcp;lr?Subject=a%20b&x=";
        let uri = Uri::parse(text).unwrap();
        assert_eq!(uri.scheme(), Scheme::Sips);
        assert_eq!(uri.user(), Some("anna;d=%40x?y"));
        assert_eq!(uri.user_decoded().unwrap().as_ref(), b"anna;d=@x?y");
        assert_eq!(uri.password(), Some("se%63ret"));
        assert_eq!(uri.host(), Some(Host::V6("2001:db8::1".parse().unwrap())));
        assert_eq!(uri.port(), Some(5071));
        assert_eq!(uri.transport(), Some("tcp"));
        assert!(uri.is_loose());
        assert_eq!(uri.headers(), Some("Subject=a%20b&x="));
        assert_eq!(uri.as_str(), text);
    }

    #[test]
    fn other_schemes_are_kept_whole() {
        let tel = Uri::parse("tel:+1-555;ext=3").unwrap();
        assert_eq!((tel.scheme(), tel.user(), tel.host()), (Scheme::Tel, None, None));
        let other = Uri::parse("soap.beep://192.0.2.1:3002").unwrap();
        assert_eq!(other.scheme(), Scheme::Other("soap.beep"));
        assert!(!other.is_sip());
    }

    #[test]
    fn least_and_oddest_uris_are_understood() {
        for (text, user, host) in [
            ("sip:h", None, "h"),
            ("SIP:u@h", Some("u"), "h"),
            ("sip:%00@h", Some("%00"), "h"),
            ("sip:*21#@h", Some("*21#"), "h"),
            ("sip:+1;phone-context=h@g", Some("+1;phone-context=h"), "g"),
            ("sip:u:@h", Some("u"), "h"),
            ("sip:h;maddr=192.0.2.1", None, "h"),
            ("sip:h?a=b", None, "h"),
        ] {
            let uri = Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((uri.user(), uri.host()), (user, Some(Host::Name(host))), "{text}");
        }
    }

    #[test]
    fn transport_and_port_are_said_or_usual() {
        for (text, transport, port) in [
            ("sip:h", Transport::Udp, 5060),
            ("sip:h:7;transport=TCP", Transport::Tcp, 7),
            ("sips:h", Transport::Tls, 5061),
            ("sips:h;transport=tcp", Transport::Tls, 5061),
            ("sip:h;transport=ws", Transport::Ws, 80),
            ("sips:h;transport=ws", Transport::Wss, 443),
            ("sip:h;transport=pigeon", Transport::Other("pigeon"), 5060),
        ] {
            let uri = Uri::parse(text).unwrap();
            assert_eq!((uri.transport_or_default(), uri.port_or_default()), (transport, port));
        }
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for wrong in [
            "",
            "sip",
            "sip:",
            ":u@h",
            "1sip:h",
            "sip:@h",
            "sip:u@",
            "sip:u@h@g",
            "sip:u@h:x",
            "sip:u@h:99999",
            "sip:u%4@h",
            "sip:u%zz@h",
            "sip:u @h",
            "<sip:u@h>",
            "sip:u@h;;lr",
            "sip:u@h lr",
            "sip:u@h/x",
            "sip:u@[::1",
            "sip:ü@h",
            "sip:u@h;",
            "sip:\u{0}@h",
        ] {
            assert!(Uri::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
