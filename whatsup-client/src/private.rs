//! [`Private`]: what a person keeps for herself in the overlay, the same on all her devices: whom she blocks
//! and follows, whose keys she verified, keys of her own. Nobody else can read it.
//!
//! ```text
//! private/<key>   a slot of each device and list: Sealed { Set }       merged by whoever reads
//! ```
//!
//! Each device writes what it knows into slots of its own, so that none overwrites what another wrote at the
//! same time; what all of them say, merged, is the list.

mod seal;
mod set;

use std::collections::BTreeMap;

use base::{Key, Lifetime, Name, PublicKey, Slot, Ttl};
use prost::Message;

use crate::author::Author;
use crate::keys::{self, CommunityId};
use crate::net::Net;
use crate::overlay::{Get, OverlayError};
use crate::record::Record;
use seal::Seal;

pub use set::{Full, Set};

/// A list is written anew when so much of its life is left.
const RENEW_AT: Lifetime = Lifetime::from_millis(Ttl::MAX.as_secs() * 1000 / 2);

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shelf {
    /// People whose things are not shown: by their keys, each with the name it had.
    Blocks,
    /// What the person follows.
    Follows,
    /// People whose keys were compared in person: by their names, each with the key.
    Verified,
    /// Secret keys of the person's, by what they are for.
    Keys,
}

/// One of a person's devices: a random number that it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device(pub [u8; 16]);

/// What a person follows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Follow {
    /// Whoever has this name.
    Person(Name),
    /// A community.
    Community(CommunityId),
}

/// Reads and changes what a person keeps for herself.
#[derive(Clone)]
pub struct Private {
    net: Net,
    author: Author,
    device: Device,
}

/// All that a person keeps for herself, as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept(BTreeMap<Shelf, Set>);

/// Why a list could not be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrivateError {
    /// The overlay's.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// No room.
    #[error(transparent)]
    Full(#[from] Full),
}

/// What stands in a slot.
#[derive(Clone, PartialEq, Message)]
struct Sealed {
    #[prost(bytes = "vec", tag = "1")]
    sealed: Vec<u8>,
}

/// What is in it.
#[derive(Clone, PartialEq, Message)]
struct Opened {
    /// A [`Shelf`]'s number: which of the lists it is is nobody else's business.
    #[prost(uint32, tag = "1")]
    shelf: u32,
    #[prost(message, required, tag = "2")]
    set: set::SetBody,
}

impl Shelf {
    /// All of them.
    pub const ALL: [Shelf; 4] = [Shelf::Blocks, Shelf::Follows, Shelf::Verified, Shelf::Keys];

    const fn number(self) -> u32 {
        match self {
            Shelf::Blocks => 1,
            Shelf::Follows => 2,
            Shelf::Verified => 3,
            Shelf::Keys => 4,
        }
    }
}

impl Follow {
    const PERSON: u8 = b'p';
    const COMMUNITY: u8 = b'c';

    fn id(&self) -> Vec<u8> {
        match self {
            Follow::Person(name) => [&[Follow::PERSON], name.as_str().as_bytes()].concat(),
            Follow::Community(id) => [&[Follow::COMMUNITY], &id.as_bytes()[..]].concat(),
        }
    }

    fn read(id: &[u8]) -> Option<Follow> {
        let (kind, rest) = id.split_first()?;
        match *kind {
            Follow::PERSON => Some(Follow::Person(Name::from_bytes(rest).ok()?)),
            Follow::COMMUNITY => {
                Some(Follow::Community(CommunityId::from_bytes(rest.try_into().ok()?)))
            }
            _ => None,
        }
    }
}

impl Kept {
    /// One of the lists.
    pub fn shelf(&self, shelf: Shelf) -> Option<&Set> {
        self.0.get(&shelf)
    }

    /// What is kept there under this id.
    pub fn get(&self, shelf: Shelf, id: &[u8]) -> Option<&[u8]> {
        self.0.get(&shelf)?.get(id)
    }

    /// Whether the person wants nothing of whoever has this key.
    pub fn is_blocked(&self, key: &PublicKey) -> bool {
        self.get(Shelf::Blocks, key.as_bytes()).is_some()
    }

    /// Whom the person blocks: keys, and the names they had.
    pub fn blocks(&self) -> impl Iterator<Item = (PublicKey, String)> {
        self.all(Shelf::Blocks).filter_map(|(id, name)| {
            let key = PublicKey::from_bytes(id.try_into().ok()?);
            Some((key, String::from_utf8_lossy(name).into_owned()))
        })
    }

    /// What the person follows.
    pub fn follows(&self) -> impl Iterator<Item = Follow> {
        self.all(Shelf::Follows).filter_map(|(id, _)| Follow::read(id))
    }

    /// Whether the person follows it.
    pub fn is_followed(&self, follow: &Follow) -> bool {
        self.get(Shelf::Follows, &follow.id()).is_some()
    }

    /// The key that whoever had this name had when the person verified it.
    pub fn verified(&self, name: &Name) -> Option<PublicKey> {
        let key = self.get(Shelf::Verified, name.as_str().as_bytes())?;
        Some(PublicKey::from_bytes(key.try_into().ok()?))
    }

    /// Whose keys the person verified.
    pub fn all_verified(&self) -> impl Iterator<Item = (Name, PublicKey)> {
        self.all(Shelf::Verified).filter_map(|(name, key)| {
            Some((Name::from_bytes(name).ok()?, PublicKey::from_bytes(key.try_into().ok()?)))
        })
    }

    fn all(&self, shelf: Shelf) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.get(&shelf).into_iter().flat_map(Set::iter)
    }
}

impl Private {
    /// What this person keeps, as seen and changed on this device.
    pub fn new(net: Net, author: Author, device: Device) -> Private {
        Private { net, author, device }
    }

    /// All of it: one get.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn read(&self) -> Result<Kept, OverlayError> {
        Ok(self.look().await?.0)
    }

    /// What is kept, and how long what this device wrote of each list lives.
    async fn look(&self) -> Result<(Kept, BTreeMap<Shelf, Lifetime>), OverlayError> {
        let key = self.key();
        let found = self.net.get(Get::all(key.clone())).await?;
        let seal = Seal::of(self.author.key());
        let place = key.place();
        let mut kept = Kept::default();
        let mut own = BTreeMap::new();
        for value in &found.values {
            let signed = self.net.verify(&place, value);
            let Some(signed) = signed.filter(|s| s.author() == self.author.public()) else {
                continue;
            };
            let opened = Record::<Sealed>::read(&signed)
                .and_then(|record| seal.open(record.slot, &record.body.sealed))
                .and_then(|text| Opened::decode(&text[..]).ok());
            // What another version keeps is left alone.
            let Some(opened) = opened else { continue };
            let Some(shelf) = Shelf::ALL.into_iter().find(|s| s.number() == opened.shelf) else {
                continue;
            };
            if signed.slot() == self.slot(shelf) {
                own.insert(shelf, value.remaining);
            }
            kept.0.entry(shelf).or_default().merge(opened.set.into());
        }
        Ok((kept, own))
    }

    /// Keeps something under an id of a list, in place of what was there, or removes it. What is kept then.
    ///
    /// # Errors
    /// The overlay's; [`Full`].
    pub async fn change(
        &self,
        shelf: Shelf,
        id: &[u8],
        value: Option<Vec<u8>>,
    ) -> Result<Kept, PrivateError> {
        let mut kept = self.read().await?;
        let set = kept.0.entry(shelf).or_default();
        if set.change(id, value) {
            self.write(shelf, set).await?;
        }
        Ok(kept)
    }

    /// Wants nothing more of whoever has this key, and remembers the name it had.
    ///
    /// # Errors
    /// As of [`Private::change`].
    pub async fn block(&self, key: &PublicKey, name: &Name) -> Result<Kept, PrivateError> {
        self.change(Shelf::Blocks, key.as_bytes(), Some(name.as_str().into())).await
    }

    /// Takes a block back.
    ///
    /// # Errors
    /// As of [`Private::change`].
    pub async fn unblock(&self, key: &PublicKey) -> Result<Kept, PrivateError> {
        self.change(Shelf::Blocks, key.as_bytes(), None).await
    }

    /// Follows a person or a community.
    ///
    /// # Errors
    /// As of [`Private::change`].
    pub async fn follow(&self, what: &Follow) -> Result<Kept, PrivateError> {
        self.change(Shelf::Follows, &what.id(), Some(Vec::new())).await
    }

    /// Follows it no more.
    ///
    /// # Errors
    /// As of [`Private::change`].
    pub async fn unfollow(&self, what: &Follow) -> Result<Kept, PrivateError> {
        self.change(Shelf::Follows, &what.id(), None).await
    }

    /// Remembers that whoever has this name was verified to have this key; nothing forgets it.
    ///
    /// # Errors
    /// As of [`Private::change`].
    pub async fn verify(&self, name: &Name, key: Option<&PublicKey>) -> Result<Kept, PrivateError> {
        let key = key.map(|key| key.as_bytes().to_vec());
        self.change(Shelf::Verified, name.as_str().as_bytes(), key).await
    }

    /// Writes anew what would end in less than half its life: also what only other devices wrote so far.
    ///
    /// # Errors
    /// As of [`Private::change`].
    pub async fn renew(&self) -> Result<(), PrivateError> {
        let (kept, own) = self.look().await?;
        for (shelf, set) in &kept.0 {
            if own.get(shelf).is_none_or(|left| *left < RENEW_AT) {
                self.write(*shelf, set).await?;
            }
        }
        Ok(())
    }

    /// Removes all of it, of all devices.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn remove_all(net: &Net, author: &Author) -> Result<usize, OverlayError> {
        let key = keys::private(&author.public());
        let slots = net.records_of::<Sealed>(&key).await?.into_iter();
        let mut removed = 0;
        for record in slots.filter(|record| record.author == author.public()) {
            net.retract(author, &key, record.slot).await?;
            removed += 1;
        }
        Ok(removed)
    }

    async fn write(&self, shelf: Shelf, set: &Set) -> Result<(), PrivateError> {
        let slot = self.slot(shelf);
        let text = Opened { shelf: shelf.number(), set: set.encode()? }.encode_to_vec();
        let sealed = Sealed { sealed: Seal::of(self.author.key()).seal(slot, &text) };
        self.net.publish(&self.author, &self.key(), slot, Ttl::MAX, &sealed).await?;
        Ok(())
    }

    fn key(&self) -> Key {
        keys::private(&self.author.public())
    }

    /// This device's slot of a list. Nobody can tell of a slot which list it is.
    fn slot(&self, shelf: Shelf) -> Slot {
        let mut hasher = blake3::Hasher::new_derive_key("scope 2026-11 private lists slot");
        hasher.update(&*self.author.key().to_bytes()).update(&self.device.0);
        hasher.update(&shelf.number().to_be_bytes());
        let hash = hasher.finalize();
        Slot::new(std::array::from_fn(|at| hash.as_bytes()[at]))
    }
}

#[cfg(test)]
mod tests;
