//! What a client puts under and asks for.

use bytes::Bytes;

use crate::limits::KEY_MAX;
use crate::{Place, ServiceId, TooLarge};

/// Sets the places of services' keys apart from all other uses of BLAKE3 (its key derivation mode).
const IN_SERVICE: &str = "SCOPE 2026 key in a service";

/// Any byte string of at most [`KEY_MAX`] bytes, in a service's key space or in the one of all. The
/// empty one is a key like any other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    service: Option<ServiceId>,
    bytes: Bytes,
}

impl Key {
    /// Takes the bytes as they are; no normalisation.
    ///
    /// # Errors
    /// [`TooLarge`] above [`KEY_MAX`] bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Key, TooLarge> {
        Key::of(None, bytes.into())
    }

    /// A key of a service's own: another one than the same bytes in any other service, or in none.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn in_service(service: &ServiceId, bytes: impl Into<Bytes>) -> Result<Key, TooLarge> {
        Key::of(Some(service.clone()), bytes.into())
    }

    /// The key under which a service's providers are: the plain one of its name.
    pub fn of_service(service: &ServiceId) -> Key {
        // A name is far shorter than a key may be.
        Key { service: None, bytes: Bytes::copy_from_slice(service.as_str().as_bytes()) }
    }

    /// A key from a hash.
    pub(crate) fn of_hash(hash: [u8; 32]) -> Key {
        Key { service: None, bytes: Bytes::copy_from_slice(&hash) }
    }

    fn of(service: Option<ServiceId>, bytes: Bytes) -> Result<Key, TooLarge> {
        TooLarge::check("key", bytes.len(), KEY_MAX)?;
        Ok(Key { service, bytes })
    }

    /// The bytes the client gave.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The service it is a key of.
    pub fn service(&self) -> Option<&ServiceId> {
        self.service.as_ref()
    }

    /// Where the key lies: SHA-256(BLAKE3(key)). BLAKE3 makes the record key `libp2p-kad` would
    /// use, SHA-256 is that crate's own map from record keys to its metric space.
    ///
    /// In a service BLAKE3 is in its mode of key derivation, over the length of the Service-ID (one
    /// byte), the Service-ID and the key, so that no two of these are one.
    pub fn place(&self) -> Place {
        let hash = match &self.service {
            None => blake3::hash(&self.bytes),
            Some(service) => {
                let name = service.as_str().as_bytes();
                let mut hasher = blake3::Hasher::new_derive_key(IN_SERVICE);
                // At most SERVICE_ID_MAX, so that it fits into a byte.
                hasher.update(&[u8::try_from(name.len()).unwrap_or(u8::MAX)]);
                hasher.update(name).update(&self.bytes).finalize()
            }
        };
        Place::of(hash.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_may_be_empty_and_as_long_as_the_limit_but_no_longer() {
        assert!(Key::new(Bytes::new()).is_ok());
        assert!(Key::new(vec![7; KEY_MAX]).is_ok());
        let error = Key::new(vec![7; KEY_MAX + 1]).unwrap_err();
        assert_eq!(error.to_string(), "the key has 1025 bytes; the limit is 1024");
        let service = ServiceId::new("S").unwrap();
        assert!(Key::in_service(&service, vec![7; KEY_MAX]).is_ok());
        assert!(Key::in_service(&service, vec![7; KEY_MAX + 1]).is_err());
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

    #[test]
    fn no_two_of_service_and_key_have_one_place() {
        let mut places = HashSet::new();
        let services = ["", "A", "AB", "B", "ABC", "service-list"];
        let keys = ["", "A", "B", "AB", "BC", "C", "\u{1}A", "\u{2}AB", "service-list"];
        for service in services {
            for key in keys {
                let key = match ServiceId::new(service) {
                    Ok(service) => Key::in_service(&service, key).unwrap(),
                    Err(_) => Key::new(key).unwrap(),
                };
                assert!(places.insert(key.place()), "{key:?}");
            }
        }
        assert_eq!(places.len(), services.len() * keys.len());
    }

    #[test]
    fn a_services_own_key_is_the_plain_one_of_its_name() {
        let service = ServiceId::new("P2PSIP").unwrap();
        assert_eq!(Key::of_service(&service), Key::new("P2PSIP").unwrap());
    }
}
