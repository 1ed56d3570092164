//! [`Charter`]: what a community is, by its founder's word.
//!
//! The founder signs a [`Description`] under the community's key, and the highest sequence counts. Entries
//! lapse after a week, so others keep it alive when the founder is gone: they put the very bytes that the
//! founder signed into an entry of their own under the same key. Whoever carries them, it is the founder's
//! signature that counts, and who moderates stands in what was signed.

use std::collections::{BTreeMap, BTreeSet};

use base::{Name, Place, PublicKey, Signed, Slot, Verified};
use bytes::Bytes;
use prost::Message;

use crate::keys::{self, CommunityId};
use crate::text::{self, TextError};

/// Longest title, in bytes: a line of a list.
const TITLE_MAX: usize = 100;
/// Longest description, in bytes.
const TEXT_MAX: usize = 4_000;
/// Most moderators; with them a description has at most 8 KiB, and a copy of it for each.
pub const MODERATORS_MAX: usize = 32;

/// A person by key, with the name she goes by.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Person {
    /// Her public key, 32 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// Her name, as whoever wrote this knew it.
    #[prost(string, tag = "2")]
    pub name: String,
}

/// What a founder says a community is: the body of the founder's entry.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Description {
    /// At most 100 bytes.
    #[prost(string, tag = "1")]
    pub title: String,
    /// At most 4,000 bytes.
    #[prost(string, tag = "2")]
    pub text: String,
    /// The founder's name.
    #[prost(string, tag = "3")]
    pub founder: String,
    /// Who moderates beside the founder; at most [`MODERATORS_MAX`].
    #[prost(message, repeated, tag = "4")]
    pub moderators: Vec<Person>,
    /// Whether who joins is a member only once the founder or a moderator approves.
    #[prost(bool, tag = "5")]
    pub by_approval: bool,
    /// Whether every poll counts votes of approved members only.
    #[prost(bool, tag = "6")]
    pub approved_polls: bool,
}

/// The body of any entry under a community's key: one of the two.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Said {
    /// The founder's word.
    #[prost(message, optional, tag = "1")]
    pub description: Option<Description>,
    /// What the founder signed for this key, in its canonical bytes, kept by another.
    #[prost(bytes = "bytes", tag = "2")]
    pub kept: Bytes,
}

/// What a community is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// Which it is.
    pub id: CommunityId,
    /// Who made it.
    pub founder: PublicKey,
    /// The founder's name.
    pub founder_name: String,
    /// What it is called.
    pub title: String,
    /// What it is about.
    pub text: String,
    /// Who moderates beside the founder, with their names.
    pub moderators: BTreeMap<PublicKey, String>,
    /// Whether who joins waits for approval.
    pub by_approval: bool,
    /// Whether every poll counts votes of approved members only.
    pub approved_polls: bool,
    /// Who keeps it alive: whose entry carries what counts, the founder's own among them.
    pub keepers: BTreeSet<PublicKey>,
    /// What the founder signed.
    pub signed: Verified<Signed>,
}

impl Charter {
    /// The charter that counts among what is under the community's key, in any order: of all that the founder
    /// signed for it, carried by whomever, the highest sequence. `verify` checks a signature for the
    /// key's place.
    pub fn settle<'a>(
        id: CommunityId,
        entries: impl IntoIterator<Item = &'a Verified<Signed>>,
        verify: impl Fn(Signed, &Place) -> Option<Verified<Signed>>,
    ) -> Option<Charter> {
        let place = keys::community(id).place();
        let read = |entry: &Verified<Signed>| {
            let said = Said::decode(entry.body()?).ok()?;
            let keeper = entry.author();
            if said.kept.is_empty() {
                return Charter::read(id, keeper, entry.clone(), said.description?);
            }
            let kept = Signed::from_bytes(said.kept).ok()?;
            // Before the signature is checked, which takes long.
            if CommunityId::of(&kept.author(), kept.slot()) != id {
                return None;
            }
            let kept = verify(kept, &place)?;
            let description = Said::decode(kept.body()?).ok()?.description?;
            Charter::read(id, keeper, kept, description)
        };
        let order = |charter: &Charter| {
            (charter.signed.sequence(), *blake3::hash(charter.signed.as_bytes()).as_bytes())
        };
        let mut charters: Vec<Charter> = entries.into_iter().filter_map(read).collect();
        let counts = charters.iter().map(order).max()?;
        charters.retain(|charter| order(charter) == counts);
        let keepers = charters.iter().flat_map(|charter| charter.keepers.iter().copied()).collect();
        charters.pop().map(|charter| Charter { keepers, ..charter })
    }

    fn read(
        id: CommunityId,
        keeper: PublicKey,
        signed: Verified<Signed>,
        said: Description,
    ) -> Option<Charter> {
        let founder = signed.author();
        let is_whole = !said.title.is_empty()
            && said.title.len() <= TITLE_MAX
            && said.text.len() <= TEXT_MAX
            && said.moderators.len() <= MODERATORS_MAX;
        if CommunityId::of(&founder, signed.slot()) != id || !is_whole {
            return None;
        }
        let moderators = said.moderators.iter().filter_map(Person::read);
        Some(Charter {
            id,
            founder,
            founder_name: said.founder,
            title: said.title,
            text: said.text,
            moderators: moderators.filter(|(key, _)| *key != founder).collect(),
            by_approval: said.by_approval,
            approved_polls: said.approved_polls,
            keepers: BTreeSet::from([keeper]),
            signed,
        })
    }

    /// The founder's slot for it.
    pub fn slot(&self) -> Slot {
        self.signed.slot()
    }

    /// Whether this is the founder's or a moderator's key.
    pub fn moderates(&self, who: &PublicKey) -> bool {
        *who == self.founder || self.moderators.contains_key(who)
    }

    /// The texts by whose words it is found.
    pub fn words(&self) -> [&str; 2] {
        [&self.title, &self.text]
    }

    /// What the founder would say again.
    pub fn description(&self) -> Description {
        let person = |(key, name): (&PublicKey, &String)| Person::new(key, name);
        Description {
            title: self.title.clone(),
            text: self.text.clone(),
            founder: self.founder_name.clone(),
            moderators: self.moderators.iter().map(person).collect(),
            by_approval: self.by_approval,
            approved_polls: self.approved_polls,
        }
    }
}

impl Description {
    /// What somebody typed, checked; nobody moderates beside the founder yet.
    ///
    /// # Errors
    /// [`TextError`] says what to change.
    pub fn new(founder: &Name, title: &str, about: &str) -> Result<Description, TextError> {
        let title = text::line(title, "community's title", TITLE_MAX)?;
        let about = match about.trim() {
            "" => String::new(),
            about => text::lines(about, "community's description", TEXT_MAX)?,
        };
        let founder = founder.as_str().to_owned();
        Ok(Description { title, text: about, founder, ..Description::default() })
    }
}

impl Person {
    /// A person of this key and name.
    pub fn new(key: &PublicKey, name: &str) -> Person {
        Person { key: Bytes::copy_from_slice(key.as_bytes()), name: name.to_owned() }
    }

    fn read(&self) -> Option<(PublicKey, String)> {
        let key = <[u8; PublicKey::LEN]>::try_from(&self.key[..]).ok()?;
        Some((PublicKey::from_bytes(key), self.name.clone()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use base::{Kind, Sequence, SigningKey, Ttl};
    use proptest::prelude::*;

    use super::*;

    pub(crate) const SLOT: Slot = Slot::new([7; Slot::LEN]);

    pub(crate) fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn sign(key: &SigningKey, slot: Slot, sequence: u64, said: &Said) -> Signed {
        let id = CommunityId::of(&self::key(1).public(), SLOT);
        let (place, sequence) = (keys::community(id).place(), Sequence::new(sequence));
        let body = said.encode_to_vec();
        Signed::sign(key, &place, slot, Kind::Plain, sequence, Ttl::MAX, &body).unwrap()
    }

    fn described(by: u8, slot: Slot, sequence: u64, title: &str) -> Signed {
        let description = Description { title: title.to_owned(), ..Description::default() };
        let said = Said { description: Some(description), kept: Bytes::new() };
        sign(&key(by), slot, sequence, &said)
    }

    fn kept(by: u8, sequence: u64, founders: &Signed) -> Signed {
        let said = Said { description: None, kept: founders.as_bytes().clone() };
        sign(&key(by), Slot::ZERO, sequence, &said)
    }

    fn settle(entries: &[Signed]) -> Option<Charter> {
        let id = CommunityId::of(&key(1).public(), SLOT);
        let place = keys::community(id).place();
        let entries: Vec<_> =
            entries.iter().filter_map(|entry| entry.clone().verify(&place).ok()).collect();
        Charter::settle(id, &entries, |signed, place| signed.verify(place).ok())
    }

    /// A charter of founder 1, moderated by 2, for tests of what stands on it.
    pub(crate) fn charter(by_approval: bool) -> Charter {
        let description = Description {
            title: "Chess".to_owned(),
            founder: "founder".to_owned(),
            moderators: vec![Person::new(&key(2).public(), "moderator")],
            by_approval,
            ..Description::default()
        };
        let said = Said { description: Some(description), kept: Bytes::new() };
        settle(&[sign(&key(1), SLOT, 1, &said)]).unwrap()
    }

    #[test]
    fn the_founders_word_counts_whoever_carries_it_and_nobody_elses() {
        let first = described(1, SLOT, 1, "first");
        let second = described(1, SLOT, 2, "second");
        let title = |entries: &[Signed]| settle(entries).map(|charter| charter.title);
        assert_eq!(title(std::slice::from_ref(&first)).unwrap(), "first");
        assert_eq!(title(&[first.clone(), second.clone()]).unwrap(), "second");
        assert_eq!(title(&[kept(2, 9, &first)]).unwrap(), "first");
        assert_eq!(title(&[kept(2, 9, &second), first]).unwrap(), "second");
        // Another's description, the founder's in another slot, and what was signed for another place.
        assert_eq!(title(&[described(2, SLOT, 9, "x"), described(1, Slot::ZERO, 9, "x")]), None);
        assert_eq!(title(&[kept(2, 9, &described(3, SLOT, 9, "x"))]), None);
        let elsewhere = keys::communities().place();
        let body = second.body().unwrap();
        let moved =
            Signed::sign(&key(1), &elsewhere, SLOT, Kind::Plain, Sequence::new(9), Ttl::MAX, &body);
        assert_eq!(title(&[kept(2, 9, &moved.unwrap())]), None);
    }

    proptest! {
        #[test]
        fn any_order_and_any_copies_give_one_charter(
            which in prop::collection::vec((0..6_usize, prop::option::of(2..5_u8)), 1..12),
            swaps in prop::collection::vec((0..12_usize, 0..12_usize), 0..12),
        ) {
            let said: Vec<Signed> = (0..6)
                .map(|n| described(1, SLOT, n / 2, &format!("title {n}"))) // Two of each sequence.
                .collect();
            let entry = |(which, keeper): &(usize, Option<u8>)| match keeper {
                Some(keeper) => kept(*keeper, *which as u64, &said[*which]),
                None => said[*which].clone(),
            };
            let mut entries: Vec<Signed> = which.iter().map(entry).collect();
            let settled = settle(&entries);
            let highest = which.iter().map(|(which, _)| which / 2).max().unwrap();
            let sequence = settled.as_ref().unwrap().signed.sequence();
            prop_assert_eq!(sequence, Sequence::new(highest as u64));
            for (one, two) in swaps {
                let len = entries.len();
                entries.swap(one % len, two % len);
            }
            entries.push(entries[0].clone());
            prop_assert_eq!(settle(&entries), settled);
        }
    }
}
