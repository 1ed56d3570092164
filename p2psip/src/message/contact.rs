//! Contacts (RFC 3261 §20.10, RFC 5626 §4): where somebody can be reached, and for how long.

use std::borrow::Cow;

use super::grammar::{Malformed, number};
use super::name_addr::NameAddr;

/// What a lifetime counts as that cannot be read, in seconds (RFC 3261 §20.10).
pub const EXPIRES_IF_MALFORMED: u32 = 3600;

/// One value of Contact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Contact<'a> {
    /// `*`: all there are (RFC 3261 §10.2.2).
    All,
    /// An address.
    At(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// [`Malformed`], saying what is wrong.
    pub fn parse(value: &'a [u8]) -> Result<Contact<'a>, Malformed> {
        if value == b"*" { Ok(Contact::All) } else { NameAddr::parse(value).map(Contact::At) }
    }

    /// The address, unless it is `*`.
    pub fn address(self) -> Option<NameAddr<'a>> {
        match self {
            Contact::All => None,
            Contact::At(address) => Some(address),
        }
    }
}

/// The parameters a Contact has of its own.
impl<'a> NameAddr<'a> {
    /// `expires`, in seconds, if there is one. Too large a number is the largest; what is no number is
    /// [`EXPIRES_IF_MALFORMED`].
    pub fn expires(&self) -> Option<u32> {
        let param = self.params().get("expires")?;
        Some(seconds(param.value.unwrap_or_default().as_bytes()))
    }

    /// `q` in thousandths: 1000 is what is said by saying nothing (RFC 3261 §20.10 has no default; all
    /// take it for the highest), or something that is none.
    pub fn q(&self) -> u16 {
        self.params().value("q").and_then(thousandths).unwrap_or(1000)
    }

    /// `+sip.instance` without quotes and brackets: the URN of the device (RFC 5626 §4.1).
    pub fn instance(&self) -> Option<Cow<'a, str>> {
        let value = self.params().get("+sip.instance")?.unquoted();
        Some(match value {
            Cow::Borrowed(text) => Cow::Borrowed(within_brackets(text)),
            Cow::Owned(text) => Cow::Owned(within_brackets(&text).to_owned()),
        })
    }

    /// `reg-id`: which of a device's flows it is (RFC 5626 §4.2), at least 1.
    pub fn reg_id(&self) -> Option<u32> {
        let id = number(self.params().value("reg-id")?.as_bytes())?;
        u32::try_from(id).ok().filter(|id| *id > 0)
    }
}

fn within_brackets(text: &str) -> &str {
    text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text)
}

/// Seconds as a header gives them, leniently.
pub(crate) fn seconds(value: &[u8]) -> u32 {
    number(value).map_or(EXPIRES_IF_MALFORMED, |n| u32::try_from(n).unwrap_or(u32::MAX))
}

/// `0.7` as 700. Digits after the third do not count.
fn thousandths(q: &str) -> Option<u16> {
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let whole: u16 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    if whole > 1 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digit = |place: usize| u16::from(fraction.as_bytes().get(place).map_or(0, |d| d - b'0'));
    Some((whole * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2)).min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_s_contact_tells_device_flow_and_lifetime() {
        let value = br#"<sip:anna@192.0.2.1:5062;ob>;q=0.75;expires=90;reg-id=2;+sip.instance="<urn:uuid:00-1>""#;
        let contact = Contact::parse(value).unwrap().address().unwrap();
        assert_eq!(contact.instance().as_deref(), Some("urn:uuid:00-1"));
        assert_eq!(contact.reg_id(), Some(2));
        assert_eq!((contact.expires(), contact.q()), (Some(90), 750));
        assert!(contact.uri().params().get("ob").is_some());
        assert_eq!(Contact::parse(b"*"), Ok(Contact::All));
    }

    #[test]
    fn odd_lifetimes_and_weights_mean_something() {
        for (params, expires, q) in [
            ("", None, 1000),
            (";expires=", Some(3600), 1000),
            (";expires=\"60\"", Some(3600), 1000),
            (";expires=99999999999", Some(u32::MAX), 1000),
            (";q=.5", None, 500),
            (";q=1.9", None, 1000),
            (";q=2", None, 1000),
            (";q=0", None, 0),
            (";q=0.12345", None, 123),
            (";q=-1", None, 1000),
        ] {
            let text = format!("<sip:a@h>{params}");
            let contact = NameAddr::parse(text.as_bytes()).unwrap();
            assert_eq!((contact.expires(), contact.q()), (expires, q), "{params}");
        }
        assert_eq!(NameAddr::parse(b"<sip:a@h>;reg-id=0").unwrap().reg_id(), None);
    }
}
