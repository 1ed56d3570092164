//! What those share who may join an overlay that is not open to everybody.

use std::fmt;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

/// Shorter ones can be guessed at the pace at which others let one try.
const SHORTEST: usize = 8;
/// No one types a longer one, and no file of words is longer.
const LONGEST: usize = 1024;
/// What one guess costs: 64 MiB and three passes over it, the second recommendation of RFC 9106
/// (section 4), in one lane, since that is the cost whatever the number of cores. Some 0.1 s on a
/// laptop, once at the start of a node. All nodes of an overlay must agree, so that a change of these
/// needs another [`SALT`].
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// Nothing is stored that a table of stretched passphrases could be held against; it only keeps
/// tables made for something else from being of use.
const SALT: &[u8] = b"scope passphrase 1";
const KEY_LEN: usize = 32;

/// What those share who may join an overlay. It is compared byte by byte.
#[derive(Clone)]
pub struct Passphrase(Arc<Zeroizing<Vec<u8>>>);

/// Why something cannot be a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// It can be guessed.
    #[error("a passphrase needs at least {SHORTEST} bytes; five random words are better")]
    TooShort,
    /// It is a file of something else.
    #[error("a passphrase has at most {LONGEST} bytes")]
    TooLong,
}

impl Passphrase {
    /// A passphrase of these bytes, all of them: whoever reads a file leaves out the end of its line.
    ///
    /// # Errors
    /// When it has fewer than 8 bytes or more than 1,024.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Passphrase, PassphraseError> {
        let bytes = Zeroizing::new(bytes.into());
        match bytes.len() {
            ..SHORTEST => Err(PassphraseError::TooShort),
            SHORTEST..=LONGEST => Ok(Passphrase(Arc::new(bytes))),
            _ => Err(PassphraseError::TooLong),
        }
    }

    /// What is proven to others in its place. Takes long, and much memory.
    pub(crate) fn stretch(&self) -> AdmissionKey {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(KEY_LEN));
        params
            .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
            .and_then(|argon2| argon2.hash_password_into(&self.0, SALT, &mut *key))
            .expect("the cost is one that Argon2 has, and the passphrase is short");
        AdmissionKey(Arc::new(key))
    }
}

/// Shows nothing: it ends up in logs.
impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// A stretched passphrase.
#[derive(Clone)]
pub(crate) struct AdmissionKey(Arc<Zeroizing<[u8; KEY_LEN]>>);

impl AdmissionKey {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0[..]
    }

    /// A key for another use, which says nothing of this one or of those for others.
    pub(crate) fn derive(&self, context: &str) -> Zeroizing<[u8; KEY_LEN]> {
        Zeroizing::new(blake3::derive_key(context, self.as_bytes()))
    }
}

/// A key for tests that does not take the time of [`Passphrase::stretch`].
#[cfg(test)]
pub(crate) fn test_key(passphrase: &str) -> AdmissionKey {
    let key = blake3::hash(passphrase.as_bytes());
    AdmissionKey(Arc::new(Zeroizing::new(*key.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_guessed_or_is_no_passphrase_is_refused() {
        assert_eq!(Passphrase::new("short").unwrap_err(), PassphraseError::TooShort);
        assert_eq!(Passphrase::new([b'x'; 1025]).unwrap_err(), PassphraseError::TooLong);
        assert!(Passphrase::new("just enough").is_ok());
    }

    #[test]
    fn a_passphrase_is_not_shown() {
        let passphrase = Passphrase::new("correct horse").unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase(…)");
    }

    #[test]
    fn stretching_is_the_same_everywhere_and_for_ever() {
        let key = Passphrase::new("correct horse battery staple").unwrap().stretch();
        // Nodes of other versions must come to the same.
        let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "0b72ab908cf93be679036f22fc42e472002ec8b42bba82ffa2d0cbab80766dbb");
    }

    #[test]
    fn each_use_has_a_key_of_its_own_that_everybody_comes_to() {
        let derive = |passphrase: &str, context| *test_key(passphrase).derive(context);
        assert_eq!(derive("a", "one use"), derive("a", "one use"));
        assert_ne!(derive("a", "one use"), derive("a", "another use"));
        assert_ne!(derive("a", "one use"), derive("b", "one use"));
    }
}
