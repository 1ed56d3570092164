//! Where a service is offered: `HOST:PORT`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Longest host name, in characters (RFC 1035, section 2.3.4), and longest part of one between dots.
const HOST_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// An address of a provider, as it was given: `192.0.2.1:5061`, `[2001:db8::1]:5061` or
/// `laptop.local:5061`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Contact(String);

/// A text is no contact. It is not repeated: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAContact {
    /// It has another form.
    #[error(
        "the contact is not HOST:PORT, as in 192.0.2.1:5061, [2001:db8::1]:5061 or laptop.local:5061"
    )]
    Form,
    /// What stands before the port names no host.
    #[error(
        "the contact's host is no IPv4 address, no IPv6 address in brackets and no host name of ASCII letters, digits, hyphens and dots"
    )]
    Host,
    /// What stands behind the colon is no port.
    #[error("the contact's port is not a number from 1 to 65535")]
    Port,
}

impl Contact {
    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A contact from bytes.
    ///
    /// # Errors
    /// [`NotAContact`] if they are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Contact, NotAContact> {
        str::from_utf8(bytes).map_err(|_| NotAContact::Form)?.parse()
    }
}

impl FromStr for Contact {
    type Err = NotAContact;

    fn from_str(text: &str) -> Result<Contact, NotAContact> {
        let (host, port) = text.rsplit_once(':').ok_or(NotAContact::Form)?;
        let is_host = match host.strip_prefix('[') {
            Some(bracketed) => {
                let v6 = bracketed.strip_suffix(']').ok_or(NotAContact::Form)?;
                v6.parse::<Ipv6Addr>().is_ok()
            }
            // The first colon of an IPv6 address that lacks its brackets.
            None if host.is_empty() || host.contains(':') => return Err(NotAContact::Form),
            None => is_ipv4_or_name(host),
        };
        if !is_host {
            return Err(NotAContact::Host);
        }
        // A sign or a zero in front would be read, and be another text for the same port.
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
        if !is_port || port.parse::<u16>().is_err() {
            return Err(NotAContact::Port);
        }
        Ok(Contact(text.to_owned()))
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether it is an address, or a name as RFC 1123 (section 2.1) has them, whose last part is then no
/// number.
fn is_ipv4_or_name(host: &str) -> bool {
    if host.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let is_label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= HOST_MAX
        && host.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_with_a_port_are_contacts() {
        for text in [
            "169.254.3.1:5061",
            "192.0.2.1:1",
            "[2001:db8::1]:65535",
            "[::1]:80",
            "laptop:5060",
            "my-laptop.local:5060",
            "3com.example:80",
        ] {
            assert_eq!(text.parse::<Contact>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_contact_is_told_how_one_looks() {
        use NotAContact::{Form, Host, Port};
        let long = format!("{}:80", "a".repeat(64));
        let longer = format!("{}:80", "a.".repeat(140) + "b");
        for (text, error) in [
            ("", Form),
            ("laptop", Form),
            (":5060", Form),
            ("2001:db8::1:5060", Form),
            ("[::1:80", Form),
            ("http://laptop:80/", Form),
            ("[192.0.2.1]:80", Host),
            ("[fe80::1%eth0]:80", Host),
            ("192.0.2.256:80", Host),
            ("192.0.2:80", Host),
            ("lap top:80", Host),
            ("-a:80", Host),
            ("a..b:80", Host),
            ("größe:80", Host),
            ("a\n:80", Host),
            (&long, Host),
            (&longer, Host),
            ("laptop:", Port),
            ("laptop:0", Port),
            ("laptop:080", Port),
            ("laptop:65536", Port),
            ("laptop:+80", Port),
            ("laptop:80 ", Port),
            ("laptop:http", Port),
        ] {
            assert_eq!(text.parse::<Contact>(), Err(error), "{text:?}");
        }
        assert_eq!(Contact::from_bytes(b"\xff:80"), Err(Form));
        assert!(Form.to_string().contains("192.0.2.1:5061"));
    }
}
