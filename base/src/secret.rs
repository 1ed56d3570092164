//! What protects an entry against removal by others.

use std::fmt;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::TooLarge;
use crate::limits::SECRET_MAX;

/// What whoever removes an entry has to show. Once shown it protects nothing any more: every
/// replica of the removal carries it as proof.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Secret(Bytes);

/// SHA-1 of an entry's secret, or nothing for an entry anybody may remove. SHA-1 because
/// OpenDHT's clients send that and only that; finding a second secret for a tag is as hard as a
/// SHA-1 preimage, which its broken collision resistance does not help with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretTag([u8; SecretTag::LEN]);

impl Secret {
    /// Takes the bytes as they are; the empty secret is one.
    ///
    /// # Errors
    /// [`TooLarge`] above [`SECRET_MAX`] bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Secret, TooLarge> {
        let bytes = bytes.into();
        TooLarge::check("secret", bytes.len(), SECRET_MAX)?;
        Ok(Secret(bytes))
    }

    /// The secret itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The tag under which entries of this secret are kept.
    pub fn tag(&self) -> SecretTag {
        SecretTag(Sha1::digest(&self.0).into())
    }
}

impl SecretTag {
    /// Length of a tag, in bytes.
    pub const LEN: usize = 20;

    /// The tag of an entry without a secret. No secret is known, or likely to be found, whose
    /// SHA-1 is all zeros.
    pub const NONE: SecretTag = SecretTag([0; SecretTag::LEN]);

    /// The tag of what its author signed, [`Signed`](crate::Signed). No secret is known, or likely to
    /// be found, whose SHA-1 is all ones; and if one were, it would remove nothing.
    pub const SIGNED: SecretTag = SecretTag([0xff; SecretTag::LEN]);

    /// A tag somebody else made: a replica's, or the hash an OpenDHT client sends.
    pub const fn from_bytes(bytes: [u8; SecretTag::LEN]) -> SecretTag {
        SecretTag(bytes)
    }

    /// The tag's bytes; all zeros for [`SecretTag::NONE`].
    pub const fn as_bytes(&self) -> &[u8; SecretTag::LEN] {
        &self.0
    }

    /// Whether the entry has no secret.
    pub fn is_none(&self) -> bool {
        *self == SecretTag::NONE
    }

    /// Whether the tag is that of signed entries. Nothing else may be put with it.
    pub fn is_signed(&self) -> bool {
        *self == SecretTag::SIGNED
    }

    /// Whether the secret shown, or its absence, is what this tag asks for. Nothing is what
    /// [`SecretTag::SIGNED`] asks for: who signed an entry removes it by signing again.
    pub fn admits(&self, shown: Option<&Secret>) -> bool {
        !self.is_signed() && shown.map_or(SecretTag::NONE, Secret::tag) == *self
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Logs must not reveal what protects an entry.
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

impl fmt::Debug for SecretTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretTag(")?;
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_sha1_and_admits_its_own_secret_only() {
        let secret = Secret::new("abc").unwrap();
        // FIPS 180-4's example.
        assert_eq!(secret.tag().as_bytes()[..4], [0xa9, 0x99, 0x3e, 0x36], "SHA-1 of \"abc\"");
        assert!(secret.tag().admits(Some(&secret)));
        assert!(!secret.tag().admits(Some(&Secret::new("abd").unwrap())));
        assert!(!secret.tag().admits(None));
    }

    #[test]
    fn no_secret_and_the_empty_secret_differ() {
        let empty = Secret::new("").unwrap();
        assert!(SecretTag::NONE.admits(None));
        assert!(!SecretTag::NONE.admits(Some(&empty)));
        assert!(empty.tag().admits(Some(&empty)));
    }

    #[test]
    fn nothing_removes_what_was_signed_but_another_signature() {
        assert!(!SecretTag::SIGNED.admits(None));
        assert!(!SecretTag::SIGNED.admits(Some(&Secret::new("").unwrap())));
        assert!(SecretTag::SIGNED.is_signed() && !SecretTag::NONE.is_signed());
    }

    #[test]
    fn a_secret_does_not_show_in_logs() {
        assert_eq!(format!("{:?}", Secret::new("hunter2").unwrap()), "Secret(7 bytes)");
    }
}
