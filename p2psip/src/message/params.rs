//! Parameters: those after a header's value, and those within a URI.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use super::grammar::{Malformed, plain_value, quoted, text, token, trim, trim_start, unquote};

/// The parameters of a header's value (`generic-param`, RFC 3261 §25.1). Names compare in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a> {
    /// From the first semicolon on; checked.
    raw: &'a str,
}

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// As it was written.
    pub name: &'a str,
    /// What follows the equals sign, if there is one; with quotes, if it has some.
    pub value: Option<&'a str>,
}

impl<'a> Param<'a> {
    /// The value without quotes and backslashes. Empty if there is none.
    pub fn unquoted(self) -> Cow<'a, str> {
        unquote(self.value.unwrap_or_default())
    }
}

impl<'a> Params<'a> {
    /// Reads what follows a value: nothing, or parameters to the end.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Params<'a>, Malformed> {
        let bytes = trim_start(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(after) = rest.strip_prefix(b";") else {
                return Err(Malformed("something that is no parameter follows the value"));
            };
            let (name, _, after) = one(after)?;
            if name.is_empty() {
                return Err(Malformed("a parameter has no name"));
            }
            rest = trim_start(after);
        }
        Ok(Params { raw: text(bytes)? })
    }

    /// The first of this name.
    pub fn get(self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// What the first of this name is set to, as it was written.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.get(name)?.value
    }

    /// All, in their order.
    pub fn iter(self) -> impl Iterator<Item = Param<'a>> {
        let mut rest = self.raw.as_bytes();
        std::iter::from_fn(move || {
            let (name, value, after) = one(rest.strip_prefix(b";")?).ok()?;
            rest = trim_start(after);
            Some(Param { name: text(name).ok()?, value: value.and_then(|v| text(v).ok()) })
        })
    }

    /// Copies them as they were written, but for those of some names.
    pub(crate) fn write_without(self, names: &[&str], out: &mut BytesMut) {
        let mut rest = self.raw.as_bytes();
        while let Some(after) = rest.strip_prefix(b";") {
            let Ok((name, _, after)) = one(after) else { return };
            let after = trim_start(after);
            let whole = &rest[..rest.len() - after.len()];
            if !names.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes())) {
                out.put_slice(trim(whole));
            }
            rest = after;
        }
    }

    /// As they were written, from the first semicolon on.
    pub fn as_str(self) -> &'a str {
        self.raw
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }
}

type Split<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// A parameter's name and value after its semicolon, and the rest.
fn one(bytes: &[u8]) -> Result<Split<'_>, Malformed> {
    let (name, rest) = token(trim_start(bytes));
    let Some(value) = trim_start(rest).strip_prefix(b"=") else { return Ok((name, None, rest)) };
    let value = trim_start(value);
    let (value, rest) = match value.first() {
        Some(b'"') => quoted(value)?,
        _ => plain_value(value),
    };
    Ok((name, Some(value), rest))
}

/// The parameters of a URI, which know neither white space nor quotes. Names compare in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UriParams<'a> {
    /// After the first semicolon; checked.
    raw: Option<&'a str>,
}

impl<'a> UriParams<'a> {
    /// Reads what follows a URI's first semicolon after the host.
    pub(crate) fn parse(raw: Option<&'a str>) -> Result<UriParams<'a>, Malformed> {
        match raw.is_some_and(|raw| raw.split(';').any(|p| p.is_empty() || p.starts_with('='))) {
            true => Err(Malformed("a parameter of the URI has no name")),
            false => Ok(UriParams { raw }),
        }
    }

    /// The first of this name.
    pub fn get(self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// What the first of this name is set to, as it was written.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.get(name)?.value
    }

    /// All, in their order.
    pub fn iter(self) -> impl Iterator<Item = Param<'a>> {
        self.raw.into_iter().flat_map(|raw| raw.split(';')).map(|param| {
            match param.split_once('=') {
                Some((name, value)) => Param { name, value: Some(value) },
                None => Param { name: param, value: None },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param<'a>(name: &'a str, value: Option<&'a str>) -> Param<'a> {
        Param { name, value }
    }

    #[test]
    fn parameters_of_every_shape_are_found() {
        let text = " ; tag = 1\r\n\t;lr; +sip.instance=\"<urn:uuid:0;1>\";a=[::1];b=\"\\\"\" ";
        let params = Params::parse(text.as_bytes()).unwrap();
        let expected = [
            param("tag", Some("1")),
            param("lr", None),
            param("+sip.instance", Some("\"<urn:uuid:0;1>\"")),
            param("a", Some("[::1]")),
            param("b", Some("\"\\\"\"")),
        ];
        assert_eq!(params.iter().collect::<Vec<_>>(), expected);
        assert_eq!(params.get("TAG"), Some(expected[0]));
        assert_eq!(params.get("b").unwrap().unquoted(), "\"");
        assert_eq!(params.get("lr").unwrap().unquoted(), "");
        assert_eq!(params.get("none"), None);
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        for wrong in [";;", ";", "x", ";a=\"b", ";=b", ";a b", ";a,b", ";a=b\"c\""] {
            assert!(Params::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(Params::parse(b" "), Ok(Params::default()));
    }

    #[test]
    fn a_uri_has_parameters_without_white_space() {
        let params = UriParams::parse(Some("transport=TCP;lr;x=")).unwrap();
        assert_eq!(params.value("Transport"), Some("TCP"));
        assert_eq!(params.get("LR"), Some(param("lr", None)));
        assert_eq!(params.value("x"), Some(""));
        assert_eq!(UriParams::parse(None).unwrap().iter().count(), 0);
        for wrong in ["", "a;", ";a", "=b", "a;=b"] {
            assert!(UriParams::parse(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
