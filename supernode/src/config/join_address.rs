//! Where another super-node is: what `--join` takes.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The address other super-nodes reach one at, `HOST:PORT`: its `--p2p`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinAddress {
    /// A name or an address, as a resolver takes it: without brackets, with an interface after `%`.
    host: String,
    port: u16,
}

/// A text that is no such address; each says what would be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// A URL, which is where HTTP is.
    #[error(
        "expected HOST:PORT without http:// or a path: the other super-node's --p2p address, as in 192.0.2.1:5850"
    )]
    Url,
    /// No host, or one with characters a host cannot have.
    #[error(
        "expected a host name or IP address before the port, as in 192.0.2.1:5850 or laptop.local:5850"
    )]
    Host,
    /// An address that stands for many machines, or for none.
    #[error("expected the address of one machine, as in 192.0.2.1:5850")]
    NotOne,
    /// An IPv6 address whose end cannot be told from a port.
    #[error(
        "expected an IPv6 address in brackets, as in [2001:db8::1]:5850 or [fe80::1%wlan0]:5850"
    )]
    Brackets,
    /// No port.
    #[error(
        "expected a port after the host, as in 192.0.2.1:5850; the other super-node's ready line says it after p2p="
    )]
    NoPort,
    /// A port that is not a number from 1 to 65535.
    #[error("expected a port from 1 to 65535, as in 192.0.2.1:5850")]
    Port,
}

impl JoinAddress {
    /// The host, as a resolver takes it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, of UDP and TCP alike.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for JoinAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for JoinAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<JoinAddress, NotAnAddress> {
        if text.contains('/') {
            return Err(NotAnAddress::Url);
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or(NotAnAddress::Brackets)?,
            // What has two colons is an IPv6 address, with or without a port.
            None if text.matches(':').count() > 1 => return Err(NotAnAddress::Brackets),
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let is_host = if text.starts_with('[') { is_ipv6(host) } else { is_name(host) };
        if !is_host {
            return Err(NotAnAddress::Host);
        }
        if host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified() || ip.is_multicast()) {
            return Err(NotAnAddress::NotOne);
        }
        let port = match port.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if port.is_empty() => return Err(NotAnAddress::NoPort),
            None => return Err(NotAnAddress::Port),
        };
        Ok(JoinAddress { host: host.into(), port })
    }
}

/// Whether the text is an IPv6 address, perhaps with an interface (RFC 4007, section 11).
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    address.parse::<Ipv6Addr>().is_ok() && is_name(zone)
}

/// Whether the text can be a host name, an IPv4 address or an interface's name. Underscores do
/// occur in local names.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn parse_port(text: &str) -> Result<u16, NotAnAddress> {
    // `u16` would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0).ok_or(NotAnAddress::Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (text, host, port) in [
            ("192.0.2.1:5850", "192.0.2.1", 5850),
            ("laptop.local:1", "laptop.local", 1),
            ("my_box:65535", "my_box", 65535),
            ("[2001:db8::1]:5850", "2001:db8::1", 5850),
            ("[fe80::1%wlan0]:5850", "fe80::1%wlan0", 5850),
        ] {
            let address: JoinAddress = text.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_told_what_one_looks_like() {
        for (text, error) in [
            ("http://192.0.2.1:5851", NotAnAddress::Url),
            ("laptop:5850/", NotAnAddress::Url),
            ("", NotAnAddress::Host),
            (":5850", NotAnAddress::Host),
            ("a b:5850", NotAnAddress::Host),
            ("münchen:5850", NotAnAddress::Host),
            ("[laptop]:5850", NotAnAddress::Host),
            ("[fe80::1%]:5850", NotAnAddress::Host),
            ("0.0.0.0:5850", NotAnAddress::NotOne),
            ("[::]:5850", NotAnAddress::NotOne),
            ("224.0.0.251:5353", NotAnAddress::NotOne),
            ("::1", NotAnAddress::Brackets),
            ("2001:db8::1:5850", NotAnAddress::Brackets),
            ("[::1:5850", NotAnAddress::Brackets),
            ("laptop", NotAnAddress::NoPort),
            ("192.0.2.1", NotAnAddress::NoPort),
            ("[::1]", NotAnAddress::NoPort),
            ("laptop:", NotAnAddress::Port),
            ("laptop:0", NotAnAddress::Port),
            ("laptop:+80", NotAnAddress::Port),
            ("laptop:65536", NotAnAddress::Port),
            ("laptop:p2p", NotAnAddress::Port),
            ("[::1]5850", NotAnAddress::Port),
        ] {
            assert_eq!(text.parse::<JoinAddress>(), Err(error), "{text}");
        }
    }
}
