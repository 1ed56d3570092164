//! Who signed something: an author's key, and how people see and compare it.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::VerifyingKey;

/// Length of an Ed25519 signature, in bytes (RFC 8032, section 5.1.6).
pub const SIGNATURE_LEN: usize = 64;

/// Separates a key's fingerprint from all other hashes of it.
const FINGERPRINT_CONTEXT: &str = "scope 2026-11 public key fingerprint";

/// An Ed25519 public key (RFC 8032, section 5.1.5): its 32 bytes. Any 32 bytes are taken; of those
/// that are no key, or one of small order, no signature is ever right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; PublicKey::LEN]);

/// What stands for a key where people compare keys: 10 bytes, 80 bits, of a hash. Finding a second key
/// with a given fingerprint takes 2^80 tries; one with the same tag, 65,536.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; Fingerprint::LEN]);

/// What is no public key's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a public key; one is written as 64 hexadecimal digits")]
pub struct NotAPublicKey;

impl PublicKey {
    /// Length of a key, in bytes.
    pub const LEN: usize = 32;

    /// A key from its own bytes.
    pub const fn from_bytes(bytes: [u8; PublicKey::LEN]) -> PublicKey {
        PublicKey(bytes)
    }

    /// The key's own bytes.
    pub const fn as_bytes(&self) -> &[u8; PublicKey::LEN] {
        &self.0
    }

    /// What people compare.
    pub fn fingerprint(&self) -> Fingerprint {
        let hash = blake3::derive_key(FINGERPRINT_CONTEXT, &self.0);
        Fingerprint(std::array::from_fn(|i| hash[i]))
    }

    /// Whether this key signed the message. Strict: a signature that some verifiers take and others
    /// do not is refused (`ed25519-dalek`'s `verify_strict`; Chalkias and others 2020, "Taming the
    /// many EdDSAs").
    pub fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl Fingerprint {
    /// Length of a fingerprint, in bytes.
    pub const LEN: usize = 10;

    /// The fingerprint's bytes.
    pub const fn as_bytes(&self) -> &[u8; Fingerprint::LEN] {
        &self.0
    }

    /// Its first four hexadecimal digits, to tell two of one name apart by eye. Proves nothing.
    pub fn tag(&self) -> String {
        format!("{:02x}{:02x}", self.0[0], self.0[1])
    }
}

impl FromStr for PublicKey {
    type Err = NotAPublicKey;

    fn from_str(text: &str) -> Result<PublicKey, NotAPublicKey> {
        let digits = text.as_bytes();
        if digits.len() != 2 * PublicKey::LEN {
            return Err(NotAPublicKey);
        }
        let mut key = [0; PublicKey::LEN];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(NotAPublicKey);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).map_err(|_| NotAPublicKey)?;
        }
        Ok(PublicKey(key))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pair) in self.0.chunks(2).enumerate() {
            let dash = if at == 0 { "" } else { "-" };
            write!(f, "{dash}{:02x}{:02x}", pair[0], pair[1])?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_from_its_text_and_nothing_else_does() {
        let key = PublicKey::from_bytes(std::array::from_fn(|i| i as u8));
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.to_string().to_uppercase().parse(), Ok(key));
        for bad in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(bad.parse::<PublicKey>(), Err(NotAPublicKey), "{bad}");
        }
    }

    #[test]
    fn a_fingerprint_is_twenty_digits_of_which_the_first_four_are_the_tag() {
        let shown = PublicKey::from_bytes([7; 32]).fingerprint();
        assert_eq!(shown.to_string().len(), 24);
        assert_eq!(shown.to_string()[..4], shown.tag());
        assert_ne!(shown, PublicKey::from_bytes([8; 32]).fingerprint());
    }

    #[test]
    fn what_is_no_key_verifies_nothing() {
        // The neutral element, of order one: with it everything would verify (RFC 8032's cofactor).
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!PublicKey::from_bytes(neutral).verifies(b"anything", &signature));
        let no_point = [2; 32];
        assert!(!PublicKey::from_bytes(no_point).verifies(b"anything", &signature));
    }
}
