//! [`Overlay`]: all that What's UP asks of the overlay. The super-node's JSON interface has one operation for
//! each [`Ask`].

#[cfg(feature = "http")]
mod http;
mod memory;

use std::fmt;
use std::time::Duration;

use base::{
    EntryId, Key, Lifetime, Name, PublicKey, Secret, SecretTag, Sequence, Signed, Ttl, Value,
};
use futures::future::BoxFuture;

#[cfg(feature = "http")]
pub use http::Http;
pub use memory::Memory;

/// Most asks of one [`Overlay::run`]; whoever has more makes several.
pub const BATCH_MAX: usize = 256;
/// Most keys of one [`Overlay::watch`].
pub const WATCHED_MAX: usize = 256;

/// Where values are put, got, removed and watched.
pub trait Overlay: Send + Sync {
    /// Does all of it, at once and in no order, and gives as many answers in the order of the asks. At most
    /// [`BATCH_MAX`].
    fn run(&self, asks: Vec<Ask>) -> BoxFuture<'_, Vec<Result<Answer, OverlayError>>>;

    /// Waits until the state of one of these keys, at most [`WATCHED_MAX`], differs from its cursor, and
    /// gives those that do; at once for those without a cursor. After `wait` it gives none. It is of
    /// states, not of events: those in between may be missed.
    fn watch(
        &self,
        keys: Vec<Watched>,
        wait: Duration,
    ) -> BoxFuture<'_, Result<Vec<Watched>, OverlayError>> {
        Box::pin(async move {
            let changed = self.watch_values(keys, wait).await?;
            let watched = |Changed { key, cursor, .. }| Watched { key, cursor: Some(cursor) };
            Ok(changed.into_iter().map(watched).collect())
        })
    }

    /// The same, and gives the values of those that differ, too, where there are few: what is small and watched
    /// by many costs them nothing more than the watch.
    fn watch_values(
        &self,
        keys: Vec<Watched>,
        wait: Duration,
    ) -> BoxFuture<'_, Result<Vec<Changed>, OverlayError>>;

    /// The super-node that is asked first now, as people name it; nothing where there is none to name.
    fn via(&self) -> Option<String> {
        None
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// List values under a key: [`Answer::Page`].
    Get(Get),
    /// Put a plain value: [`Answer::Put`].
    Put {
        /// Under this key.
        key: Key,
        /// The value.
        value: Value,
        /// Of the secret that removes it.
        tag: SecretTag,
        /// For how long.
        ttl: Ttl,
        /// Only if the key has fewer values than this, or this one: else [`OverlayError::Full`].
        room: Option<usize>,
    },
    /// Put what was signed for this key, or the removal that was: [`Answer::Put`].
    PutSigned {
        /// Under this key.
        key: Key,
        /// What its author signed.
        signed: Signed,
        /// As for [`Ask::Put`].
        room: Option<usize>,
    },
    /// Remove a plain value: [`Answer::Removed`].
    Remove {
        /// Under this key.
        key: Key,
        /// The value.
        value: Value,
        /// What it was put with.
        secret: Option<Secret>,
    },
    /// Who has a name: [`Answer::Name`].
    Name {
        /// The name.
        name: Name,
        /// Who asks, to learn the sequence of its next claim.
        asker: Option<PublicKey>,
    },
    /// Claim a name, or give it back: [`Answer::Put`].
    Claim {
        /// The name.
        name: Name,
        /// What the claimant signed.
        signed: Signed,
    },
    /// Where somebody is registered by SIP: [`Answer::Contacts`].
    Locate {
        /// The user of the address: `alice` of `sip:alice@scope`.
        user: String,
    },
    /// All services: [`Answer::Texts`].
    Services,
    /// Some that offer a service: [`Answer::Texts`].
    Lookup {
        /// The Service-ID.
        service: String,
    },
}

/// Values under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// The key.
    pub key: Key,
    /// Only what comes after this.
    pub after: Option<EntryId>,
    /// At most so many.
    pub max: usize,
    /// Whether one replica's word is enough: for what the reader can check to be the right one, as by
    /// its hash. Else two are asked.
    pub from_one: bool,
}

/// What came of an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Values of a key, in the order of their ids.
    Page(Page),
    /// Stored, at so many replicas.
    Put {
        /// How many.
        replicas: usize,
    },
    /// Removed, or not there.
    Removed {
        /// Whether it was there.
        found: bool,
    },
    /// Who has a name.
    Name(NameState),
    /// Where somebody is registered, the first choice first.
    Contacts(Vec<Contact>),
    /// Service-IDs or contacts.
    Texts(Vec<String>),
}

/// Part of a key's values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The values.
    pub values: Vec<Found>,
    /// Where to go on, if that was not all.
    pub next: Option<EntryId>,
}

/// A value that was found. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which entry of its key it is.
    pub id: EntryId,
    /// The value; of what is signed, its canonical bytes.
    pub value: Value,
    /// What is left of its life.
    pub remaining: Lifetime,
}

/// Who claims a name: what the super-node says, each with the bytes that were signed. Who of them has the name
/// is what the overlay's replicas say; what they claim can be verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameState {
    /// Who has it.
    pub holder: Option<Signed>,
    /// All others, the first in order first.
    pub others: Vec<Signed>,
    /// The least sequence of the asker's next claim.
    pub next: Option<Sequence>,
}

/// Where somebody is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The SIP address to call.
    pub uri: String,
    /// Preference, 0 to 1000; the highest first.
    pub q: u16,
    /// Whether it can be called without going through a super-node.
    pub direct: bool,
    /// What is left of the registration.
    pub remaining: Lifetime,
}

/// A key, and the state of it that was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The key.
    pub key: Key,
    /// What an earlier watch gave.
    pub cursor: Option<Cursor>,
}

/// A key whose state is another than was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The key.
    pub key: Key,
    /// Names its state now.
    pub cursor: Cursor,
    /// All its values in that state, in the order of their ids; nothing where those would be too many, and are
    /// to be read.
    pub values: Option<Vec<Found>>,
}

/// Which state of a key's values was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub [u8; 16]);

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({:032x})", u128::from_be_bytes(self.0))
    }
}

/// Why something was not done. Nothing was changed, unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    /// The key holds as many values as the put allowed it.
    #[error("the key is full")]
    Full,
    /// The overlay, a key, or what this source may put is used up.
    #[error("over capacity: {0}")]
    OverCapacity(String),
    /// It is not what its author signed for this key.
    #[error("forged: {0}")]
    Forged(String),
    /// Its author has signed something with this sequence or a higher one.
    #[error("superseded: its author signed another with sequence {0}")]
    Superseded(u64),
    /// The name has another holder, or is about to.
    #[error("taken: {0}")]
    Taken(String),
    /// The value was put with another secret.
    #[error("the value is there, but was put with another secret, or with none")]
    WrongSecret,
    /// Too few replicas answered in time. It may or may not be in force; trying again is safe.
    #[error("no quorum: {0}")]
    NoQuorum(String),
    /// The super-node does not take this: a fault of the program, or of another version.
    #[error("the super-node refused: {0}")]
    Refused(String),
    /// The super-nodes want the overlay's passphrase.
    #[error("the super-node wants the overlay's passphrase: {0}")]
    Locked(String),
    /// No super-node answered.
    #[error("no super-node answers: {}", tried(.0))]
    NoNode(Vec<(String, String)>),
}

/// Each address with what went wrong there.
fn tried(nodes: &[(String, String)]) -> String {
    if nodes.is_empty() {
        return "none is known; name one with --node".to_owned();
    }
    let each: Vec<String> = nodes.iter().map(|(node, why)| format!("{node} ({why})")).collect();
    each.join(", ")
}

impl Get {
    /// All values under a key.
    pub fn all(key: Key) -> Get {
        Get { key, after: None, max: usize::MAX, from_one: false }
    }

    /// One entry under a key, of an id that is known: the only one of the answer, or the next there is.
    pub fn one(key: Key, id: EntryId) -> Get {
        Get { key, after: before(id), max: 1, from_one: false }
    }
}

/// The id just before this one: a listing after it begins with this one, if that is there.
fn before(id: EntryId) -> Option<EntryId> {
    let mut bytes = id.to_bytes();
    for byte in bytes.iter_mut().rev() {
        let (less, borrows) = byte.overflowing_sub(1);
        *byte = less;
        if !borrows {
            return Some(EntryId::from_bytes(&bytes));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_before_one_is_the_next_lower() {
        let id = |bytes: [u8; 2]| {
            let mut all = [0; EntryId::LEN];
            all[EntryId::LEN - 2..].copy_from_slice(&bytes);
            EntryId::from_bytes(&all)
        };
        assert_eq!(before(id([1, 0])), Some(id([0, 255])));
        assert_eq!(before(id([1, 7])), Some(id([1, 6])));
        assert_eq!(before(id([0, 0])), None);
    }
}
