//! A scheme and its fields, as Authorization, WWW-Authenticate and their proxies' likes have them (RFC
//! 3261 §25.1, RFC 7616 §3). What the fields mean is `digest.rs`'s.

use std::borrow::Cow;

use super::grammar::{
    Malformed, is_lws, is_token, plain_value, quoted, text, token, trim, trim_start, unquote,
};

/// A scheme and its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    scheme: &'a str,
    fields: &'a str,
}

impl<'a> Credentials<'a> {
    /// Reads a value. The fields of a scheme that is not `Digest` are not looked at.
    ///
    /// # Errors
    /// [`Malformed`], saying what is wrong.
    pub fn parse(value: &'a [u8]) -> Result<Credentials<'a>, Malformed> {
        let value = trim(value);
        let end = value.iter().position(|byte| is_lws(*byte)).unwrap_or(value.len());
        let (scheme, fields) = value.split_at(end);
        if !is_token(scheme) {
            return Err(Malformed("no scheme of authentication begins it"));
        }
        let credentials = Credentials { scheme: text(scheme)?, fields: text(trim(fields))? };
        let mut rest = credentials.fields.as_bytes();
        while credentials.is_digest() && !rest.is_empty() {
            rest = one(rest)?.2;
        }
        Ok(credentials)
    }

    /// Its name, as it was written.
    pub fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// Whether it is `Digest`, the one scheme this crate knows.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }

    /// A field's value as it was written, with quotes if it has some. Names compare in any case.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.fields.as_bytes();
        while !rest.is_empty() {
            let (field, value, after) = one(rest).ok()?;
            if field.eq_ignore_ascii_case(name.as_bytes()) {
                return text(value).ok();
            }
            rest = after;
        }
        None
    }

    /// A field's value without quotes and backslashes.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).map(unquote)
    }
}

type Split<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// A field's name and value, and what follows its comma.
fn one(bytes: &[u8]) -> Result<Split<'_>, Malformed> {
    let (name, rest) = token(trim_start(bytes));
    let value = trim_start(rest).strip_prefix(b"=").map(trim_start);
    let value =
        value.filter(|_| !name.is_empty()).ok_or(Malformed("a field has no name or value"))?;
    let (value, rest) = match value.first() {
        Some(b'"') => quoted(value)?,
        _ => plain_value(value),
    };
    match trim_start(rest) {
        [] => Ok((name, value, &[])),
        [b',', after @ ..] => Ok((name, value, trim_start(after))),
        _ => Err(Malformed("no comma stands between two fields")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_is_between_them() {
        let value =
            b" Digest  username=\"an\\\"na\",realm = \"a, b\" ,\r\n nc=00000001,uri=\"sip:h\" ";
        let credentials = Credentials::parse(value).unwrap();
        assert!(credentials.is_digest());
        assert_eq!(credentials.get("Username").as_deref(), Some("an\"na"));
        assert_eq!(credentials.get("REALM").as_deref(), Some("a, b"));
        assert_eq!(credentials.raw("uri"), Some("\"sip:h\""));
        assert_eq!(credentials.get("nc").as_deref(), Some("00000001"));
        assert_eq!(credentials.get("cnonce"), None);
    }

    #[test]
    fn an_unknown_scheme_is_only_named() {
        let credentials = Credentials::parse(b"Strange ==, \"x").unwrap();
        assert_eq!((credentials.scheme(), credentials.is_digest()), ("Strange", false));
        for wrong in ["", "Digest a", "Digest a=\"b", "Digest a=b c=d", "Digest =b", "\"x\" y"] {
            assert!(Credentials::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
