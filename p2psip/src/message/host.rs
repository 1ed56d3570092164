//! Hosts and ports, as URIs and Vias have them (RFC 3261 §25.1, RFC 5118).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::grammar::{Malformed, text, trim_start};

/// Where something is. Names compare in any case.
#[derive(Debug, Clone, Copy, Eq)]
pub enum Host<'a> {
    /// A domain, or whatever else looks like one.
    Name(&'a str),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, which stands in square brackets.
    V6(Ipv6Addr),
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Host::Name(one), Host::Name(two)) => one.eq_ignore_ascii_case(two),
            (Host::V4(one), Host::V4(two)) => one == two,
            (Host::V6(one), Host::V6(two)) => one == two,
            _ => false,
        }
    }
}

impl<'a> Host<'a> {
    /// Reads all of a text.
    ///
    /// # Errors
    /// [`Malformed`] if it is no host, or not only one.
    pub fn parse(host: &'a str) -> Result<Host<'a>, Malformed> {
        match Host::split(host.as_bytes())? {
            (host, []) => Ok(host),
            _ => Err(Malformed("something follows the host")),
        }
    }

    /// The address, unless it is a name.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(ip) => Some(ip.into()),
            Host::V6(ip) => Some(ip.into()),
        }
    }

    /// The host at the beginning, and the rest.
    pub(crate) fn split(bytes: &'a [u8]) -> Result<(Host<'a>, &'a [u8]), Malformed> {
        if let Some(inner) = bytes.strip_prefix(b"[") {
            let end = inner.iter().position(|byte| *byte == b']');
            let end = end.ok_or(Malformed("an IPv6 address has no closing bracket"))?;
            let ip = text(&inner[..end])?.parse();
            let ip = ip.map_err(|_| Malformed("what is in brackets is no IPv6 address"))?;
            return Ok((Host::V6(ip), &inner[end + 1..]));
        }
        // Underscores are no part of a host's name, and of many a host's name.
        let is = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let end = bytes.iter().position(|byte| !is(byte)).unwrap_or(bytes.len());
        let (name, rest) = bytes.split_at(end);
        let name = text(name)?;
        if name.is_empty() {
            return Err(Malformed("there is no host"));
        }
        // Parsing takes longer than looking.
        let may_be_ip = name.as_bytes()[0].is_ascii_digit();
        match may_be_ip.then(|| name.parse()) {
            Some(Ok(ip)) => Ok((Host::V4(ip), rest)),
            _ => Ok((Host::Name(name), rest)),
        }
    }
}

impl std::fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(ip) => ip.fmt(f),
            Host::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

/// The port after a host, with white space around the colon as Vias may have it, and the rest.
pub(crate) fn split_port(bytes: &[u8]) -> Result<(Option<u16>, &[u8]), Malformed> {
    let Some(rest) = trim_start(bytes).strip_prefix(b":") else { return Ok((None, bytes)) };
    let rest = trim_start(rest);
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (port, rest) = rest.split_at(digits);
    match super::grammar::number(port).and_then(|port| u16::try_from(port).ok()) {
        Some(port) if port != 0 => Ok((Some(port), rest)),
        _ => Err(Malformed("the port is not a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses() {
        for (text, expected) in [
            ("scope.local", Host::Name("scope.local")),
            ("192.0.2.7", Host::V4(Ipv4Addr::new(192, 0, 2, 7))),
            ("[2001:db8::7]", Host::V6("2001:db8::7".parse().unwrap())),
            ("192.0.2.700", Host::Name("192.0.2.700")),
            ("a_b", Host::Name("a_b")),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!(host, expected);
            assert_eq!(host.to_string(), text);
        }
        assert_eq!(Host::Name("Scope.LOCAL"), Host::Name("scope.local"));
        for wrong in ["", "[2001:db8::7", "[192.0.2.7]", "a b", "2001:db8::7", "a/b", "[]"] {
            assert!(Host::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_are_numbers() {
        assert_eq!(split_port(b" : 5060;x"), Ok((Some(5060), b";x".as_slice())));
        assert_eq!(split_port(b" ;x"), Ok((None, b" ;x".as_slice())));
        for wrong in [b":".as_slice(), b":0", b":65536", b":x", b":-1"] {
            assert!(split_port(wrong).is_err());
        }
    }
}
