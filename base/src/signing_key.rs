//! What one signs with: a private Ed25519 key.

use std::fmt;

use ed25519_dalek::Signer;
use zeroize::Zeroizing;

use crate::PublicKey;
use crate::public_key::SIGNATURE_LEN;

/// A private Ed25519 key (RFC 8032, section 5.1.5). It is wiped from memory when it is dropped, and
/// never shown. One key may sign many kinds of things: each has a label of its own in front.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Length of a key, in bytes.
    pub const LEN: usize = 32;

    /// The key of a seed: 32 bytes that nobody can guess, fresh from the system's source of
    /// randomness or made from a name and a passphrase.
    pub fn from_bytes(seed: &[u8; SigningKey::LEN]) -> SigningKey {
        SigningKey(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The seed, to be kept where its owner alone can read it.
    pub fn to_bytes(&self) -> Zeroizing<[u8; SigningKey::LEN]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// By whom others know what this key signed.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs a message, which has to begin with a label that says what it is.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_as_the_rfc_says_and_reads_back() {
        // RFC 8032, section 7.1, test 1: the empty message.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let seed: PublicKey = seed.parse().unwrap();
        let key = SigningKey::from_bytes(seed.as_bytes());
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(key.public().to_string(), public);
        let signature = key.sign(b"");
        assert_eq!(signature[..4], [0xe5, 0x56, 0x43, 0x00]);
        assert!(key.public().verifies(b"", &signature));
        assert!(!key.public().verifies(b"x", &signature));
        assert_eq!(*key.to_bytes(), *seed.as_bytes());
    }

    #[test]
    fn a_key_does_not_show_in_logs() {
        let shown = format!("{:?}", SigningKey::from_bytes(&[0x5a; 32]));
        assert!(!shown.contains("5a5a") && !shown.contains("90, 90"));
    }
}
