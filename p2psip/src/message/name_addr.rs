//! An address with an optional name and parameters, as From, To, Contact, Route and others have it.

use super::grammar::{Malformed, is_lws, quoted, text, trim, trim_start, unquote};
use super::params::Params;
use super::uri::Uri;
use std::borrow::Cow;

/// `"Anna" <sip:anna@scope>;tag=1`, or `sip:anna@scope;tag=1` (RFC 3261 §20.10).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NameAddr<'a> {
    display: &'a [u8],
    uri: Uri<'a>,
    params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// [`Malformed`], saying what is wrong.
    pub fn parse(value: &'a [u8]) -> Result<NameAddr<'a>, Malformed> {
        let value = trim(value);
        let (display, rest) = match value.first() {
            Some(b'"') => quoted(value)?,
            _ => match value.iter().position(|byte| *byte == b'<') {
                Some(open) => value.split_at(open),
                None => return NameAddr::without_brackets(value),
            },
        };
        // The grammar has tokens only; phones send what somebody typed. What would end the value for
        // another reader is refused.
        let fits = |byte: &u8| !matches!(byte, b'"' | b',' | b';');
        if display.first() != Some(&b'"') && !display.iter().all(fits) {
            return Err(Malformed("a display name needs quotes"));
        }
        let inner = trim_start(rest).strip_prefix(b"<");
        let inner = inner.ok_or(Malformed("no address in brackets follows the display name"))?;
        let end = memchr::memchr(b'>', inner);
        let end = end.ok_or(Malformed("an address has no closing bracket"))?;
        let uri = Uri::from_bytes(&inner[..end])?;
        Ok(NameAddr { display: trim(display), uri, params: Params::parse(&inner[end + 1..])? })
    }

    /// What follows a semicolon are then parameters of the header, not of the URI.
    fn without_brackets(value: &'a [u8]) -> Result<NameAddr<'a>, Malformed> {
        let end = value.iter().position(|byte| *byte == b';' || is_lws(*byte));
        let (uri, params) = value.split_at(end.unwrap_or(value.len()));
        if uri.iter().any(|byte| matches!(byte, b'?' | b',')) {
            return Err(Malformed("an address with ? or , needs brackets"));
        }
        Ok(NameAddr { display: &[], uri: Uri::from_bytes(uri)?, params: Params::parse(params)? })
    }

    /// The name as it was written, with its quotes if it has some. Any bytes; empty if there is none.
    pub fn display(&self) -> &'a [u8] {
        self.display
    }

    /// The name to show: without quotes and backslashes, and what is not UTF-8 replaced.
    pub fn display_name(&self) -> String {
        match text(self.display).map(unquote) {
            Ok(Cow::Borrowed(name)) => name.to_owned(),
            Ok(Cow::Owned(name)) => name,
            Err(_) => unquote(&String::from_utf8_lossy(self.display)).into_owned(),
        }
    }

    /// The address.
    pub fn uri(&self) -> Uri<'a> {
        self.uri
    }

    /// The header's parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The `tag` (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&'a str> {
        self.params.value("tag")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_understood() {
        for (value, name, uri, tag) in [
            ("sip:anna@h;tag=1", "", "sip:anna@h", Some("1")),
            ("<sip:anna@h;lr>;tag=1", "", "sip:anna@h;lr", Some("1")),
            ("Anna B.<sip:anna@h>", "Anna B.", "sip:anna@h", None),
            ("\"A, \\\"<B>\\\"\"<sip:anna@h> ; TAG = 2", "A, \"<B>\"", "sip:anna@h", Some("2")),
            (" Anna\r\n <sip:anna@h>\r\n\t;tag=3 ", "Anna", "sip:anna@h", Some("3")),
            ("tel:+1;tag=4", "", "tel:+1", Some("4")),
            ("<sip:anna@h?Route=%3Csip:x%3E>", "", "sip:anna@h?Route=%3Csip:x%3E", None),
            ("Jürgen <sip:j@h>", "Jürgen", "sip:j@h", None),
            ("Anna (at home) <sip:a@h>", "Anna (at home)", "sip:a@h", None),
        ] {
            let address =
                NameAddr::parse(value.as_bytes()).unwrap_or_else(|e| panic!("{value}: {e}"));
            assert_eq!(address.display_name(), name, "{value}");
            assert_eq!(address.uri().as_str(), uri, "{value}");
            assert_eq!(address.tag(), tag, "{value}");
        }
        let latin = NameAddr::parse(b"\"J\xfcrgen\" <sip:j@h>").unwrap();
        assert_eq!(latin.display(), b"\"J\xfcrgen\"");
        assert_eq!(latin.display_name(), "J\u{fffd}rgen");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "",
            "anna",
            "\"Anna <sip:anna@h>",
            "Bell, Anna <sip:anna@h>",
            "< sip:anna@h>",
            "<sip:anna@h",
            "\"Anna\" sip:anna@h",
            "sip:anna@h?Route=x",
            "<sip:anna@h>x",
            "<sip:anna@h>;;tag=1",
            "Anna sip:anna@h",
            "<>",
            "sip:anna@h tag=1",
        ] {
            assert!(NameAddr::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
