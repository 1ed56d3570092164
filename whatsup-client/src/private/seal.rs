//! The seal of what a person keeps for herself: only who has her signing key reads it, or can make another.

use base::{PublicKey, SigningKey, Slot};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

/// Makes the key that seals of the signing key, and the one that draws nonces.
const KEY_CONTEXT: &str = "scope 2026-11 private lists key";
const NONCE_CONTEXT: &str = "scope 2026-11 private lists nonce";

/// Sealed texts have a multiple of so many bytes, so that their length tells little.
const PADDING: usize = 256;
/// Stands before the padding (ISO/IEC 7816-4).
const END: u8 = 0x80;

const NONCE_LEN: usize = 24;

/// Seals and opens with a person's signing key.
pub(super) struct Seal {
    cipher: XChaCha20Poly1305,
    nonces: [u8; 32],
    person: PublicKey,
}

impl Seal {
    /// The seal of this person.
    pub(super) fn of(key: &SigningKey) -> Seal {
        let seed = key.to_bytes();
        let cipher = XChaCha20Poly1305::new(&blake3::derive_key(KEY_CONTEXT, &*seed).into());
        Seal { cipher, nonces: blake3::derive_key(NONCE_CONTEXT, &*seed), person: key.public() }
    }

    /// Seals a text for a slot. The nonce is a keyed hash of both, so that no two texts have the same, and
    /// nothing depends on this machine's randomness (as in RFC 8452; what it gives away is that a text was
    /// sealed again).
    pub(super) fn seal(&self, slot: Slot, text: &[u8]) -> Vec<u8> {
        let mut padded = text.to_vec();
        padded.push(END);
        padded.resize(padded.len().next_multiple_of(PADDING), 0);
        let mut nonce = blake3::Hasher::new_keyed(&self.nonces);
        nonce.update(slot.as_bytes()).update(&padded);
        let nonce: [u8; NONCE_LEN] = {
            let hash = nonce.finalize();
            std::array::from_fn(|at| hash.as_bytes()[at])
        };
        let aad = self.bound_to(slot);
        let payload = Payload { msg: &padded, aad: &aad };
        // It fails above 256 GiB only.
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), payload).unwrap_or_default();
        [&nonce[..], &sealed].concat()
    }

    /// Opens what was sealed for a slot; nothing if it was not, or by somebody else.
    pub(super) fn open(&self, slot: Slot, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let aad = self.bound_to(slot);
        let payload = Payload { msg: sealed, aad: &aad };
        let mut text = self.cipher.decrypt(XNonce::from_slice(nonce), payload).ok()?;
        let end = text.iter().rposition(|byte| *byte != 0)?;
        (text[end] == END).then(|| {
            text.truncate(end);
            text
        })
    }

    fn bound_to(&self, slot: Slot) -> Vec<u8> {
        [&self.person.as_bytes()[..], slot.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seal(seed: u8) -> Seal {
        Seal::of(&SigningKey::from_bytes(&[seed; 32]))
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_for_its_owner_in_its_slot_alone(
            text in proptest::collection::vec(any::<u8>(), 0..700),
            flip in any::<proptest::sample::Index>(),
        ) {
            let slot = Slot::new([1; 16]);
            let sealed = seal(1).seal(slot, &text);
            prop_assert_eq!(sealed.len() % PADDING, NONCE_LEN + 16);
            prop_assert_eq!(seal(1).open(slot, &sealed), Some(text.clone()));
            prop_assert_eq!(seal(2).open(slot, &sealed), None);
            prop_assert_eq!(seal(1).open(Slot::ZERO, &sealed), None);
            let mut wrong = sealed.clone();
            wrong[flip.index(sealed.len())] ^= 1;
            prop_assert_eq!(seal(1).open(slot, &wrong), None);
            prop_assert_eq!(seal(1).open(slot, &sealed[..flip.index(sealed.len())]), None);
        }
    }
}
