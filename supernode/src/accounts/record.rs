//! The record of a name's phone password, byte by byte: the body of a signed entry, and how it is sealed.
//! `docs/reference/phone-passwords.md` draws it. Pure.

use base::{Key, Name, Place, PublicKey, ServiceId};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use p2psip::accounts::Account;
use zeroize::Zeroizing;

/// What the keys of records begin with, in the key space that is the super-nodes' own.
const KEY_PREFIX: &str = "password/";
/// The layout that is written and read.
const FORMAT: u8 = 1;
/// The hashes are there as they are.
const IN_THE_CLEAR: u8 = 0;
/// The hashes are sealed under the overlay's key.
const SEALED: u8 = 1;
/// Format, seal and salt.
const HEAD: usize = 2 + SALT_LEN;
const MD5_LEN: usize = 16;
const SHA256_LEN: usize = 32;
const HASHES_LEN: usize = MD5_LEN + SHA256_LEN;
/// So long that random ones never meet.
const NONCE_LEN: usize = 24;
const PROOF_LEN: usize = 16;
/// What the seal's key is derived for.
const SEAL_CONTEXT: &str = "scope 2026-11 seal of a phone password";
/// What is sealed with the hashes begins so.
const SEAL_LABEL: &[u8] = b"scope phone password 1";

/// Length of what a password is made of beside its owner's key, in bytes: two of one owner's are never
/// the same.
pub(crate) const SALT_LEN: usize = 8;

/// What tells an owner's phone passwords apart.
pub(crate) type Salt = [u8; SALT_LEN];
/// A nonce, fresh for each record.
pub(super) type Nonce = [u8; NONCE_LEN];

/// Where the records of all names are that look like this one. What lies there only super-nodes read and
/// write: see [`crate::location::service`].
pub(crate) fn key(service: &ServiceId, name: &Name) -> Key {
    // A name is far shorter than a key may be.
    let bytes = format!("{KEY_PREFIX}{}", name.skeleton());
    Key::in_service(service, bytes).expect("a short key")
}

/// What a record says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Which of its owner's passwords it is.
    pub(crate) salt: Salt,
    md5: [u8; MD5_LEN],
    sha256: [u8; SHA256_LEN],
}

/// What seals the records of one overlay: its key, if it has a passphrase.
pub(super) struct Seal(Option<Zeroizing<[u8; 32]>>);

/// Bytes that are no record, or none of this overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// It is of a newer version, or no record at all.
    #[error("it is of another format")]
    Format,
    /// Too long or too short.
    #[error("it has {0} bytes")]
    Length(usize),
    /// The overlay has a passphrase, and anybody could read this.
    #[error("it is not sealed, and this overlay has a passphrase")]
    NotSealed,
    /// The overlay has no passphrase.
    #[error("it is sealed, and this overlay has no passphrase")]
    Sealed,
    /// Of another passphrase, of another name or owner, or damaged.
    #[error("its seal is not of this overlay, name and key")]
    WrongSeal,
}

impl Record {
    /// From hashes, each in its own bytes ([`p2psip::digest::Algorithm::ha1`]); none if they have not their
    /// lengths.
    pub(crate) fn new(salt: Salt, md5: &[u8], sha256: &[u8]) -> Option<Record> {
        Some(Record { salt, md5: md5.try_into().ok()?, sha256: sha256.try_into().ok()? })
    }

    /// Of an account.
    pub(crate) fn of(account: &Account, salt: Salt) -> Option<Record> {
        Record::new(salt, &unhex(&account.md5)?, &unhex(account.sha256.as_deref()?)?)
    }

    /// With MD5.
    pub(crate) fn md5(&self) -> &[u8] {
        &self.md5
    }

    /// With SHA-256.
    pub(crate) fn sha256(&self) -> &[u8] {
        &self.sha256
    }

    /// What a phone has to prove that gives this user name.
    pub(super) fn account(&self, user: &Name) -> Account {
        Account {
            user: user.as_str().into(),
            md5: hex(&self.md5).into(),
            sha256: Some(hex(&self.sha256).into()),
        }
    }
}

/// The hashes do not end up in logs.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("salt", &self.salt).finish_non_exhaustive()
    }
}

impl Seal {
    /// The seal of an overlay: `key` derives keys of its passphrase, if it has one.
    pub(super) fn new(key: impl FnOnce(&str) -> Option<Zeroizing<[u8; 32]>>) -> Seal {
        Seal(key(SEAL_CONTEXT))
    }

    /// A record's bytes, for its owner to sign.
    pub(super) fn close(
        &self,
        record: &Record,
        place: &Place,
        owner: &PublicKey,
        nonce: Nonce,
    ) -> Vec<u8> {
        let hashes = Zeroizing::new([&record.md5[..], &record.sha256].concat());
        let mut bytes = vec![FORMAT, if self.0.is_some() { SEALED } else { IN_THE_CLEAR }];
        bytes.extend(record.salt);
        let Some(cipher) = self.cipher() else {
            bytes.extend_from_slice(&hashes);
            return bytes;
        };
        let beside = beside(&bytes, place, owner);
        let payload = Payload { msg: &hashes, aad: &beside };
        let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload);
        bytes.extend(nonce);
        bytes.extend(sealed.expect("some bytes, far fewer than the cipher can seal"));
        bytes
    }

    /// Reads what [`Seal::close`] writes, and nothing else.
    pub(super) fn open(
        &self,
        bytes: &[u8],
        place: &Place,
        owner: &PublicKey,
    ) -> Result<Record, Unreadable> {
        let salt = salt(bytes).ok_or(Unreadable::Format)?;
        let (head, rest) = bytes.split_at(HEAD);
        let hashes: Zeroizing<Vec<u8>> = match (head[1], self.cipher()) {
            (IN_THE_CLEAR, None) => Zeroizing::new(rest.to_vec()),
            (IN_THE_CLEAR, Some(_)) => return Err(Unreadable::NotSealed),
            (SEALED, None) => return Err(Unreadable::Sealed),
            (SEALED, Some(cipher)) => {
                if rest.len() != NONCE_LEN + HASHES_LEN + PROOF_LEN {
                    return Err(Unreadable::Length(bytes.len()));
                }
                let (nonce, sealed) = rest.split_at(NONCE_LEN);
                let beside = beside(head, place, owner);
                let payload = Payload { msg: sealed, aad: &beside };
                let opened = cipher.decrypt(XNonce::from_slice(nonce), payload);
                Zeroizing::new(opened.map_err(|_| Unreadable::WrongSeal)?)
            }
            _ => return Err(Unreadable::Format),
        };
        let halves = hashes.split_at_checked(MD5_LEN);
        halves
            .and_then(|(md5, sha256)| Record::new(salt, md5, sha256))
            .ok_or(Unreadable::Length(bytes.len()))
    }

    fn cipher(&self) -> Option<XChaCha20Poly1305> {
        self.0.as_ref().map(|key| XChaCha20Poly1305::new((&**key).into()))
    }
}

/// Which of its owner's passwords a record is of, sealed or not.
pub(super) fn salt(bytes: &[u8]) -> Option<Salt> {
    let [FORMAT, _, rest @ ..] = bytes else { return None };
    rest.first_chunk().copied()
}

/// What a seal binds the hashes to: no record can be passed off as another name's or owner's.
fn beside(head: &[u8], place: &Place, owner: &PublicKey) -> Vec<u8> {
    [SEAL_LABEL, place.as_bytes(), owner.as_bytes(), head].concat()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match *pair {
            [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use base::SigningKey;

    use super::*;

    const NONCE: Nonce = [5; NONCE_LEN];

    fn open_overlay() -> Seal {
        Seal::new(|_| None)
    }

    fn private_overlay(key: u8) -> Seal {
        Seal::new(|context| Some(Zeroizing::new(blake3::derive_key(context, &[key; 32]))))
    }

    fn alice() -> Name {
        Name::new("alice").unwrap()
    }

    fn place() -> Place {
        key(&crate::location::service(), &alice()).place()
    }

    fn owner(seed: u8) -> PublicKey {
        SigningKey::from_bytes(&[seed; 32]).public()
    }

    fn record() -> Record {
        let account = Account::new("alice", "bakotirudolunemisavo");
        Record::of(&account, *b"8 bytes.").unwrap()
    }

    #[test]
    fn what_is_written_is_read_where_it_belongs_and_nowhere_else() {
        for (seal, len) in [(open_overlay(), 58), (private_overlay(1), 98)] {
            let bytes = seal.close(&record(), &place(), &owner(1), NONCE);
            assert_eq!(bytes.len(), len);
            let read = seal.open(&bytes, &place(), &owner(1)).unwrap();
            assert_eq!(read, record());
            assert_eq!(read.account(&alice()), Account::new("alice", "bakotirudolunemisavo"));
            assert_eq!(salt(&bytes), Some(*b"8 bytes."));
            // No other lengths, formats or seals.
            for cut in 0..len {
                assert!(seal.open(&bytes[..cut], &place(), &owner(1)).is_err(), "{cut}");
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(seal.open(&longer, &place(), &owner(1)), Err(Unreadable::Length(len + 1)));
            for (at, wrong) in [(0, 0), (0, 2), (1, 2)] {
                let mut changed = bytes.clone();
                changed[at] = wrong;
                assert_eq!(seal.open(&changed, &place(), &owner(1)), Err(Unreadable::Format));
            }
        }
    }

    #[test]
    fn a_seal_is_of_one_overlay_name_and_owner() {
        let seal = private_overlay(1);
        let bytes = seal.close(&record(), &place(), &owner(1), NONCE);
        let hashes = [record().md5(), record().sha256()].concat();
        assert!(!bytes.windows(8).any(|part| hashes.windows(8).any(|hash| part == hash)));
        let elsewhere = key(&crate::location::service(), &Name::new("bob").unwrap()).place();
        let wrong = Err(Unreadable::WrongSeal);
        assert_eq!(private_overlay(2).open(&bytes, &place(), &owner(1)), wrong);
        assert_eq!(seal.open(&bytes, &elsewhere, &owner(1)), wrong);
        assert_eq!(seal.open(&bytes, &place(), &owner(2)), wrong);
        for at in 2..bytes.len() {
            let mut tampered = bytes.clone();
            tampered[at] ^= 1;
            assert_eq!(seal.open(&tampered, &place(), &owner(1)), wrong, "{at}");
        }
        assert_eq!(open_overlay().open(&bytes, &place(), &owner(1)), Err(Unreadable::Sealed));
        let clear = open_overlay().close(&record(), &place(), &owner(1), NONCE);
        assert_eq!(seal.open(&clear, &place(), &owner(1)), Err(Unreadable::NotSealed));
    }

    #[test]
    fn hashes_do_not_show_in_logs() {
        let account = Account::new("alice", "bakotirudolunemisavo");
        let shown = format!("{:?}", Record::of(&account, [7; 8]).unwrap());
        assert_eq!(shown, "Record { salt: [7, 7, 7, 7, 7, 7, 7, 7], .. }");
    }

    #[test]
    fn names_that_look_alike_have_one_place() {
        let key = |name: &str| key(&crate::location::service(), &Name::new(name).unwrap());
        assert_eq!(key("a1ice"), key("alice"));
        assert_ne!(key("alice"), key("bob"));
        assert_eq!(key("alice").as_bytes(), [b"password/", alice().skeleton().as_bytes()].concat());
    }
}
