//! What a client puts under and asks for.

use bytes::Bytes;

use crate::limits::KEY_MAX;
use crate::{Place, TooLarge};

/// Any byte string of at most [`KEY_MAX`] bytes. The empty one is a key like any other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Bytes);

impl Key {
    /// Takes the bytes as they are; no normalisation.
    ///
    /// # Errors
    /// [`TooLarge`] above [`KEY_MAX`] bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Key, TooLarge> {
        let bytes = bytes.into();
        TooLarge::check("key", bytes.len(), KEY_MAX)?;
        Ok(Key(bytes))
    }

    /// The bytes the client gave.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Where the key lies: SHA-256(BLAKE3(key)). BLAKE3 makes the record key `libp2p-kad` would
    /// use, SHA-256 is that crate's own map from record keys to its metric space.
    pub fn place(&self) -> Place {
        Place::of(blake3::hash(&self.0).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_be_empty_and_as_long_as_the_limit_but_no_longer() {
        assert!(Key::new(Bytes::new()).is_ok());
        assert!(Key::new(vec![7; KEY_MAX]).is_ok());
        let error = Key::new(vec![7; KEY_MAX + 1]).unwrap_err();
        assert_eq!(error.to_string(), "the key has 1025 bytes; the limit is 1024");
    }

    #[test]
    fn a_place_is_sha256_of_blake3_of_the_key() {
        // Made with Python's hashlib and the reference BLAKE3 binding.
        let place = Key::new("scope").unwrap().place();
        assert_eq!(
            place.to_string(),
            "04d795b8c882dc90833c1bb09dc9377e812601e337b904c6cd5e85ced6d05ad6"
        );
    }
}
