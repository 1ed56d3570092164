//! Addresses of record, normalised for looking up (never for forwarding).

use std::sync::Arc;

use crate::message::Uri;

/// The longest user part of an address of record, in bytes: what a key of the overlay has room for.
pub const AOR_MAX: usize = 255;

/// An address of record (RFC 3261 §6) of the one domain there is: its user, with escapes resolved and in
/// small letters, so that `sip:Alice@scope` and `sip:%61lice@192.0.2.1` are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Aor(Arc<str>);

/// Why a URI names no address of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAor {
    /// It names a host only.
    #[error("the address has no user")]
    NoUser,
    /// It is not text, or has characters that cannot be seen.
    #[error("the user is not text")]
    NotText,
    /// Longer than [`AOR_MAX`].
    #[error("the user is longer than {AOR_MAX} bytes")]
    TooLong,
}

impl Aor {
    /// The one a URI names, whatever its domain: whether that is ours is asked before.
    ///
    /// # Errors
    /// [`BadAor`], for a URI that nobody can be registered under.
    pub fn of(uri: &Uri<'_>) -> Result<Aor, BadAor> {
        let user = uri.user_decoded().ok_or(BadAor::NoUser)?;
        Aor::of_user(std::str::from_utf8(&user).map_err(|_| BadAor::NotText)?)
    }

    /// The one of a user, with nothing escaped.
    ///
    /// # Errors
    /// [`BadAor`], for one that nobody can be.
    pub fn of_user(user: &str) -> Result<Aor, BadAor> {
        if user.is_empty() {
            return Err(BadAor::NoUser);
        }
        if user.chars().any(char::is_control) {
            return Err(BadAor::NotText);
        }
        let user = user.to_lowercase();
        if user.len() > AOR_MAX { Err(BadAor::TooLong) } else { Ok(Aor(user.into())) }
    }

    /// The normalised user.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The normalised user as the user part of a URI (RFC 3261 §25.1): what may not stand there is escaped.
    pub fn to_user_part(&self) -> String {
        let mut part = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
                part.push(char::from(byte));
            } else {
                part.push_str(&format!("%{byte:02X}"));
            }
        }
        part
    }
}

impl std::fmt::Display for Aor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aor(uri: &str) -> Result<String, BadAor> {
        Aor::of(&Uri::parse(uri).unwrap()).map(|aor| aor.as_str().to_owned())
    }

    #[test]
    fn one_person_has_one_address_however_it_is_written() {
        for uri in ["sip:alice@scope", "sip:Alice:secret@192.0.2.1:5060", "sips:%61LICE@x.local;lr"]
        {
            assert_eq!(aor(uri).as_deref(), Ok("alice"), "{uri}");
        }
        assert_eq!(aor("sip:%C3%84nne@scope").as_deref(), Ok("änne"));
    }

    #[test]
    fn a_user_is_normalised_and_escaped_so_that_its_uri_reads_back() {
        for user in ["Alice", "änne", "a b", "100%", "x@y:z", "<sip:a>", "o'hara+1"] {
            let aor = Aor::of_user(user).unwrap();
            let uri = format!("sip:{}@scope", aor.to_user_part());
            assert_eq!(Aor::of(&Uri::parse(&uri).unwrap()), Ok(aor), "{uri}");
        }
        assert_eq!(Aor::of_user(""), Err(BadAor::NoUser));
        assert_eq!(Aor::of_user("a\0"), Err(BadAor::NotText));
        assert_eq!(Aor::of_user(&"a".repeat(256)), Err(BadAor::TooLong));
    }

    #[test]
    fn what_nobody_can_be_called_is_refused() {
        assert_eq!(aor("sip:scope"), Err(BadAor::NoUser));
        assert_eq!(aor("tel:+1"), Err(BadAor::NoUser));
        assert_eq!(aor("sip:%FF@scope"), Err(BadAor::NotText));
        assert_eq!(aor("sip:a%00@scope"), Err(BadAor::NotText));
        assert_eq!(aor(&format!("sip:{}@scope", "a".repeat(256))), Err(BadAor::TooLong));
    }
}
