//! CSeq and RAck: which request of a dialog, or which provisional response, is meant.

use super::grammar::{Malformed, is_lws, is_token, number, text, trim};
use super::method::Method;

/// `CSeq: 1 INVITE` (RFC 3261 §20.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Less than 2³¹ (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The request's method.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads the value.
    ///
    /// # Errors
    /// [`Malformed`], saying what is wrong.
    pub fn parse(value: &'a [u8]) -> Result<CSeq<'a>, Malformed> {
        let (digits, rest) = word(trim(value));
        let (method, rest) = word(rest);
        let number = number(digits).filter(|number| *number < 1 << 31);
        let number = number.and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or(Malformed("the number is not one below 2^31"))?;
        if !is_token(method) || !rest.is_empty() {
            return Err(Malformed("no single method follows the number"));
        }
        Ok(CSeq { number, method: Method::of(text(method)?) })
    }
}

/// What is before the next white space, and what is after it.
fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| is_lws(*byte)).unwrap_or(bytes.len());
    (&bytes[..end], trim(&bytes[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_method_are_read() {
        let read = |value: &'static str| CSeq::parse(value.as_bytes());
        assert_eq!(read(" 0009\r\n  INVITE "), Ok(CSeq { number: 9, method: Method::Invite }));
        assert_eq!(read("2147483647 A!b").unwrap().method, Method::Other("A!b"));
        for wrong in ["", "1", "INVITE", "2147483648 BYE", "-1 BYE", "1 BYE BYE", "1 B<E", "1BYE"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
