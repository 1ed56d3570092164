//! The seal of messages: what only one person can open. HPKE (RFC 9180) in its base mode, with
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305. Who sealed it, it does not say: that is
//! signed inside.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem as _, OpModeR, OpModeS, Serializable};

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Cipher = hpke::aead::ChaCha20Poly1305;

/// Sets the sealing of messages apart from all other uses of a key (HPKE's `info`).
const INFO: &[u8] = b"scope 2026-11 message";
/// Makes the key that seals what is too long for an element.
const LONG_CONTEXT: &str = "scope 2026-11 long message";
/// Draws what HPKE wants of randomness from a seed.
const SEED_CONTEXT: &str = "scope 2026-11 randomness of a sealed message";

/// Stands before the padding (ISO/IEC 7816-4).
const END: u8 = 0x80;
/// Length of what HPKE puts before the sealed text, in bytes.
const ENCAPSULATED: usize = 32;
/// What is added to a padded text, in bytes.
pub const OVERHEAD: usize = ENCAPSULATED + 16;

/// What opens messages: a private X25519 key (RFC 7748). It is wiped from memory when it is dropped, and
/// never shown.
#[derive(Clone)]
pub struct OpeningKey(<Kem as hpke::Kem>::PrivateKey);

/// What messages to somebody are sealed with: the public part, which is in their profile.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SealingKey([u8; SealingKey::LEN]);

impl OpeningKey {
    /// Length of a key, in bytes.
    pub const LEN: usize = 32;

    /// The key of 32 random bytes; nothing if they are no key.
    pub fn from_bytes(bytes: &[u8]) -> Option<OpeningKey> {
        <Kem as hpke::Kem>::PrivateKey::from_bytes(bytes).ok().map(OpeningKey)
    }

    /// What others seal with for it.
    pub fn sealing_key(&self) -> SealingKey {
        let public = Kem::sk_to_pk(&self.0).to_bytes();
        SealingKey(std::array::from_fn(|at| public[at]))
    }

    /// Opens what was sealed for this key and bound to this; nothing if it was not.
    pub fn open(&self, bound_to: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (encapsulated, sealed) = sealed.split_at_checked(ENCAPSULATED)?;
        let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
        let mode = OpModeR::Base;
        let opened = hpke::single_shot_open::<Cipher, Kdf, Kem>(
            &mode,
            &self.0,
            &encapsulated,
            INFO,
            sealed,
            bound_to,
        );
        unpadded(opened.ok()?)
    }
}

impl SealingKey {
    /// Length of a key, in bytes.
    pub const LEN: usize = 32;

    /// A key from its bytes; nothing if there are not 32 of them. Nothing can be sealed for some.
    pub fn from_bytes(bytes: &[u8]) -> Option<SealingKey> {
        bytes.try_into().ok().map(SealingKey)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; SealingKey::LEN] {
        &self.0
    }

    /// Seals a text, padded to the first of these lengths that it fits, so that it opens only where it is
    /// bound to the same. The seed is random, and for this text alone. Nothing if the text is too long, or
    /// this is no key.
    pub fn seal(
        &self,
        bound_to: &[u8],
        text: &[u8],
        lengths: &[usize],
        seed: &[u8; 32],
    ) -> Option<Vec<u8>> {
        let key = <Kem as hpke::Kem>::PublicKey::from_bytes(&self.0).ok()?;
        let padded = padded(text, lengths)?;
        let mut random = Seeded::new(seed);
        let mode = OpModeS::Base;
        let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<Cipher, Kdf, Kem>(
            &mode,
            &key,
            INFO,
            &padded,
            bound_to,
            &mut random,
        )
        .ok()?;
        Some([&encapsulated.to_bytes()[..], &sealed].concat())
    }
}

/// Seals a long text with a key of its own, which seals nothing else.
pub fn seal_long(key: &[u8; 32], text: &[u8], lengths: &[usize]) -> Option<Vec<u8>> {
    let cipher = XChaCha20Poly1305::new(&blake3::derive_key(LONG_CONTEXT, key).into());
    cipher.encrypt(&XNonce::default(), &padded(text, lengths)?[..]).ok()
}

/// Opens it.
pub fn open_long(key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
    let cipher = XChaCha20Poly1305::new(&blake3::derive_key(LONG_CONTEXT, key).into());
    unpadded(cipher.decrypt(&XNonce::default(), sealed).ok()?)
}

fn padded(text: &[u8], lengths: &[usize]) -> Option<Vec<u8>> {
    let length = lengths.iter().find(|length| **length > text.len())?;
    let mut padded = text.to_vec();
    padded.push(END);
    padded.resize(*length, 0);
    Some(padded)
}

fn unpadded(mut text: Vec<u8>) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| *byte != 0)?;
    (text[end] == END).then(|| {
        text.truncate(end);
        text
    })
}

/// As much randomness as is asked for, out of a seed.
struct Seeded(blake3::OutputReader);

impl Seeded {
    fn new(seed: &[u8; 32]) -> Seeded {
        Seeded(blake3::Hasher::new_derive_key(SEED_CONTEXT).update(seed).finalize_xof())
    }
}

impl TryRng for Seeded {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey(of {:?})", self.sealing_key())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENGTHS: [usize; 2] = [64, 256];

    fn key(seed: u8) -> OpeningKey {
        OpeningKey::from_bytes(&[seed; 32]).unwrap()
    }

    #[test]
    fn keys_are_those_of_rfc_7748() {
        // Section 6.1: Alice's. A key of 64 digits is written as a person's is.
        let bytes = |text: &str| *text.parse::<base::PublicKey>().unwrap().as_bytes();
        let private = bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let public = bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        assert_eq!(*OpeningKey::from_bytes(&private).unwrap().sealing_key().as_bytes(), public);
        assert!(OpeningKey::from_bytes(&private[1..]).is_none());
    }

    #[test]
    fn nothing_is_sealed_for_what_is_no_key_nor_what_is_too_long() {
        let zero = SealingKey::from_bytes(&[0; 32]).unwrap();
        assert_eq!(zero.seal(b"", b"hello", &LENGTHS, &[1; 32]), None, "of small order");
        assert_eq!(key(1).sealing_key().seal(b"", &[1; 256], &LENGTHS, &[1; 32]), None);
        assert!(SealingKey::from_bytes(&[1; 31]).is_none());
    }

    #[test]
    fn what_was_sealed_twice_does_not_look_alike() {
        let seal = |seed| key(1).sealing_key().seal(b"", b"hello", &LENGTHS, &[seed; 32]).unwrap();
        let (one, two) = (seal(1), seal(2));
        assert!(one[..32] != two[..32] && one[32..] != two[32..] && one.len() == two.len());
        assert!(!format!("{:?}", key(7)).contains("0707"));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_for_whom_and_where_it_is_for(
            text in prop::collection::vec(any::<u8>(), 0..255),
            flip in any::<prop::sample::Index>(),
        ) {
            let sealed = key(1).sealing_key().seal(b"here", &text, &LENGTHS, &[9; 32]).unwrap();
            prop_assert!(LENGTHS.iter().any(|length| sealed.len() == length + OVERHEAD));
            prop_assert_eq!(key(1).open(b"here", &sealed), Some(text.clone()));
            prop_assert_eq!(key(2).open(b"here", &sealed), None);
            prop_assert_eq!(key(1).open(b"there", &sealed), None);
            prop_assert_eq!(key(1).open(b"here", &sealed[..flip.index(sealed.len())]), None);
            let mut wrong = sealed.clone();
            let at = flip.index(sealed.len());
            wrong[at] ^= 1;
            // The highest bit of an X25519 key is not looked at (RFC 7748, section 5); HPKE hashes it, too.
            prop_assert_eq!(key(1).open(b"here", &wrong), None);
            let long = seal_long(&[3; 32], &text, &LENGTHS).unwrap();
            prop_assert_eq!(open_long(&[3; 32], &long), Some(text));
            prop_assert_eq!(open_long(&[4; 32], &long), None);
        }
    }
}
