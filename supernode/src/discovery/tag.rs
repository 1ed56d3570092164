//! How nodes of one passphrase know each other's announcements, and nobody else learns anything from
//! them: each announces a salt, new with each start, and a tag, a short hash of the salt under a key
//! made of the passphrase.
//!
//! The key is stretched, so that trying passphrases against tags that were overheard is as slow for
//! others as it was for us; and the tag is short, so that one of them fits one wrong guess in 65,536.
//! Whom a tag fits by chance the transport refuses.

use argon2::{Algorithm, Argon2, Params, Version};

use crate::passphrase::Passphrase;

/// What one guess costs: the second recommendation of RFC 9106, section 4, in one lane. Some 0.1 s on
/// a laptop, once at the start. All nodes of an overlay must agree.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// Keeps tables made for something else from being of use.
const LABEL: &[u8] = b"scope dns-sd tag 1";

/// Random bytes of an announcement.
const SALT_LEN: usize = 8;
/// Bytes of a tag.
const TAG_LEN: usize = 2;

/// What tags are made with.
#[derive(Clone)]
pub(super) struct TagKey([u8; 32]);

/// The random part of an announcement, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Salt(String);

impl TagKey {
    /// The key of a passphrase. Takes long, and much memory.
    pub(super) fn stretch(passphrase: &Passphrase) -> TagKey {
        let mut key = [0; 32];
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(key.len()));
        params
            .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
            .and_then(|argon2| {
                argon2.hash_password_into(passphrase.as_str().as_bytes(), LABEL, &mut key)
            })
            .expect("the cost is one that Argon2 has, and the passphrase is short");
        TagKey(key)
    }

    /// A key for tests that does not take the time of [`TagKey::stretch`].
    #[cfg(test)]
    pub(super) fn of(key: [u8; 32]) -> TagKey {
        TagKey(key)
    }

    /// The tag that belongs to a salt, in hexadecimal digits.
    pub(super) fn tag(&self, salt: &Salt) -> String {
        hex(&blake3::keyed_hash(&self.0, salt.0.as_bytes()).as_bytes()[..TAG_LEN])
    }

    /// Whether a tag belongs to a salt, as two nodes of one passphrase have it.
    pub(super) fn fits(&self, salt: &Salt, tag: &str) -> bool {
        self.tag(salt) == tag
    }
}

impl Salt {
    /// A salt of random bytes.
    pub(super) fn new(random: [u8; SALT_LEN]) -> Salt {
        Salt(hex(&random))
    }

    /// A salt that was announced, if it can be one.
    pub(super) fn read(text: &str) -> Option<Salt> {
        let digits = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == 2 * SALT_LEN && digits).then(|| Salt(text.to_owned()))
    }

    /// As it is announced.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_fits_its_salt_and_its_passphrase_only() {
        let (key, other) = (TagKey([1; 32]), TagKey([2; 32]));
        let salt = Salt::new([7; SALT_LEN]);
        let tag = key.tag(&salt);
        assert_eq!((salt.as_str(), tag.len()), ("0707070707070707", 2 * TAG_LEN));
        assert!(key.fits(&salt, &tag));
        assert!(!other.fits(&salt, &tag));
        assert!(!key.fits(&Salt::new([8; SALT_LEN]), &tag));
        assert!(!key.fits(&salt, ""));
    }

    #[test]
    fn only_what_could_be_announced_is_a_salt() {
        assert_eq!(Salt::read("0707070707070707"), Some(Salt::new([7; SALT_LEN])));
        for text in ["", "07", "070707070707070G", "070707070707070707", "0707070707070Ä7"] {
            assert_eq!(Salt::read(text), None, "{text}");
        }
    }

    #[test]
    fn stretching_is_the_same_everywhere_and_for_ever() {
        let key = TagKey::stretch(&Passphrase::new("correct horse battery staple").unwrap());
        // Nodes of other versions must come to the same.
        assert_eq!(key.tag(&Salt::new([0; SALT_LEN])), "e4cc");
    }
}
