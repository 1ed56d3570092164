//! An entry as the disk holds it: a row key of fixed length and a record.
//!
//! ```text
//! row key  place 32 │ value hash 40 │ secret tag 20
//! record   version 8 │ deadline 8 │ kind 1 │ value, the removal's secret, or what was signed
//! expiry   deadline 8 (big-endian) │ row key
//! ```
//!
//! Numbers are little-endian but for the expiry index, which sorts by them. A tombstone takes at
//! most 149 bytes.

use std::ops::{Bound, RangeInclusive};

use base::{Entry, EntryId, Lifetime, Place, Secret, Signed, State, Value, Version};
use bytes::Bytes;

use super::IdRange;

/// Length of a row key.
pub(super) const ROW_KEY_LEN: usize = Place::LEN + EntryId::LEN;
/// A row's key in the table of entries.
pub(super) type RowKey = [u8; ROW_KEY_LEN];

/// Some of the rows of the table of entries.
pub(super) type RowRange = (Bound<RowKey>, Bound<RowKey>);

/// Length of a key of the expiry index.
pub(super) const EXPIRY_KEY_LEN: usize = 8 + ROW_KEY_LEN;
/// A row's key in the expiry index.
pub(super) type ExpiryKey = [u8; EXPIRY_KEY_LEN];

const HEADER_LEN: usize = 8 + 8 + 1;
const LIVE: u8 = 0;
const REMOVED: u8 = 1;
const REMOVED_WITH_SECRET: u8 = 2;
const SIGNED: u8 = 3;
const SIGNED_REMOVAL: u8 = 4;

/// A record, read without copying what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) version: Version,
    /// On the store's timeline, in milliseconds.
    pub(super) deadline: u64,
    kind: u8,
    payload: &'a [u8],
}

/// The row key of an entry.
pub(super) fn row_key(place: &Place, id: EntryId) -> RowKey {
    let mut key = [0; ROW_KEY_LEN];
    let (head, tail) = key.split_at_mut(Place::LEN);
    head.copy_from_slice(place.as_bytes());
    tail.copy_from_slice(&id.to_bytes());
    key
}

/// The rows of a range of one place's entries.
pub(super) fn row_range(place: &Place, range: IdRange) -> RowRange {
    let edge = |fill| Bound::Included(row_edge(place, fill));
    let row = |bound: Bound<EntryId>| bound.map(|id| row_key(place, id));
    let from = if range.0 == Bound::Unbounded { edge(0) } else { row(range.0) };
    let to = if range.1 == Bound::Unbounded { edge(0xff) } else { row(range.1) };
    (from, to)
}

/// The rows of many places, beginning after one entry; `None` if there can be none, as `redb` does
/// not promise what it does when asked for such.
pub(super) fn rows_of_places(
    places: &RangeInclusive<Place>,
    after: Option<(Place, EntryId)>,
) -> Option<RowRange> {
    let (first, last) = (row_edge(places.start(), 0), row_edge(places.end(), 0xff));
    let after = after.map(|(place, id)| row_key(&place, id)).filter(|after| *after >= first);
    let from = after.map_or(Bound::Included(first), Bound::Excluded);
    let is_empty = first > last || after.is_some_and(|after| after >= last);
    (!is_empty).then_some((from, Bound::Included(last)))
}

/// The key below, or above, all of a place's rows.
fn row_edge(place: &Place, fill: u8) -> RowKey {
    let mut key = [fill; ROW_KEY_LEN];
    key[..Place::LEN].copy_from_slice(place.as_bytes());
    key
}

/// The entry's id, out of its row key.
pub(super) fn id_of(key: &RowKey) -> EntryId {
    EntryId::from_bytes(&std::array::from_fn(|i| key[Place::LEN + i]))
}

/// The entry's place, out of its row key.
pub(super) fn place_of(key: &RowKey) -> Place {
    Place::from_bytes(std::array::from_fn(|i| key[i]))
}

/// The key of a row in the expiry index.
pub(super) fn expiry_key(deadline: u64, row: &RowKey) -> ExpiryKey {
    let mut key = [0; EXPIRY_KEY_LEN];
    let (head, tail) = key.split_at_mut(8);
    head.copy_from_slice(&deadline.to_be_bytes());
    tail.copy_from_slice(row);
    key
}

/// A row of the expiry index: when, and the key of which entry.
pub(super) fn split_expiry_key(key: &ExpiryKey) -> (u64, RowKey) {
    let deadline = u64::from_be_bytes(std::array::from_fn(|i| key[i]));
    (deadline, std::array::from_fn(|i| key[8 + i]))
}

/// Writes an entry's record into `out`, which is emptied first.
pub(super) fn encode(entry: &Entry, deadline: u64, out: &mut Vec<u8>) {
    let (kind, payload) = match entry.state() {
        State::Live(value) => (LIVE, value.as_bytes()),
        State::Removed(None) => (REMOVED, &[][..]),
        State::Removed(Some(secret)) => (REMOVED_WITH_SECRET, secret.as_bytes()),
        State::Signed(signed) => {
            let kind = if signed.is_removal() { SIGNED_REMOVAL } else { SIGNED };
            (kind, &signed.as_bytes()[..])
        }
    };
    out.clear();
    out.extend_from_slice(&entry.version().number().to_le_bytes());
    out.extend_from_slice(&deadline.to_le_bytes());
    out.push(kind);
    out.extend_from_slice(payload);
}

impl<'a> Record<'a> {
    /// Reads a record; `None` if it is not one.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Record<'a>> {
        let (header, payload) = bytes.split_first_chunk::<HEADER_LEN>()?;
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| header[at + i]));
        let kind = header[16];
        (kind <= SIGNED_REMOVAL).then_some(Record {
            version: Version::new(number(0)),
            deadline: number(8),
            kind,
            payload,
        })
    }

    /// Whether the entry is there.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.kind, LIVE | SIGNED)
    }

    /// The version, if nobody signed the entry.
    pub(super) fn lamport(&self) -> Option<Version> {
        (!matches!(self.kind, SIGNED | SIGNED_REMOVAL)).then_some(self.version)
    }

    /// What the entry costs its key's quota, as [`Entry::cost`] has it.
    pub(super) fn cost(&self) -> usize {
        match self.kind {
            LIVE | SIGNED => self.payload.len(),
            SIGNED_REMOVAL => Signed::REMOVAL_COST,
            _ => base::limits::TOMBSTONE_MAX,
        }
    }

    /// The entry, with what is left of its life at `now` on the timeline; `None` if a limit has
    /// been broken on disk.
    pub(super) fn to_entry(self, id: EntryId, now: u64) -> Option<Entry> {
        let payload = || Bytes::copy_from_slice(self.payload);
        let state = match self.kind {
            LIVE => State::Live(Value::new(payload()).ok()?),
            REMOVED => State::Removed(None),
            SIGNED | SIGNED_REMOVAL => State::Signed(Signed::from_bytes(payload()).ok()?),
            _ => State::Removed(Some(Secret::new(payload()).ok()?)),
        };
        let remaining = Lifetime::from_millis(self.deadline.saturating_sub(now));
        Some(Entry::from_parts(id, self.version, state, remaining))
    }
}

#[cfg(test)]
mod tests {
    use base::limits::{SECRET_MAX, TOMBSTONE_MAX};
    use base::{Key, Kind, SecretTag, Sequence, SigningKey, Slot, Ttl};

    use super::*;

    fn encoded(entry: &Entry) -> Vec<u8> {
        let mut out = Vec::new();
        encode(entry, 1000, &mut out);
        out
    }

    #[test]
    fn every_state_reads_back() {
        let life = Lifetime::from_millis(400);
        let value = Value::new("v").unwrap();
        let secret = Secret::new("s").unwrap();
        let version = Version::new(3);
        let author = SigningKey::from_bytes(&[7; 32]);
        let (place, slot, sequence) =
            (Key::new("k").unwrap().place(), Slot::ZERO, Sequence::new(3));
        let ttl = Ttl::from_secs(1).unwrap();
        let signed =
            Signed::sign(&author, &place, slot, Kind::Plain, sequence, ttl, b"body").unwrap();
        let unsaid = Signed::removal(&author, &place, slot, Kind::Plain, sequence);
        let signed = [signed, unsaid]
            .map(|signed| Entry::from_parts(signed.id(), version, State::Signed(signed), life));
        let entries = [
            Entry::live(value.clone(), SecretTag::NONE, version, life),
            Entry::live(value.clone(), secret.tag(), version, life),
            Entry::removal(EntryId::of(&value, SecretTag::NONE), None, version).unwrap(),
            Entry::removal(EntryId::of(&value, secret.tag()), Some(secret), version).unwrap(),
        ];
        for entry in entries.into_iter().chain(signed) {
            let bytes = encoded(&entry);
            let record = Record::decode(&bytes).unwrap();
            assert_eq!((record.cost(), record.is_live()), (entry.cost(), entry.is_live()));
            let back = record.to_entry(entry.id(), 600).unwrap();
            assert_eq!(back.state(), entry.state());
            assert_eq!(back.version(), version);
            assert_eq!(back.remaining(), life);
        }
    }

    #[test]
    fn a_tombstone_takes_no_more_than_its_quota_says() {
        let secret = Secret::new(vec![1; SECRET_MAX]).unwrap();
        let id = EntryId::of(&Value::new("v").unwrap(), secret.tag());
        let removal = Entry::removal(id, Some(secret), Version::new(1)).unwrap();
        let row = row_key(&Key::new("k").unwrap().place(), id);
        assert!(row.len() + encoded(&removal).len() <= TOMBSTONE_MAX);
        let (author, place) = (SigningKey::from_bytes(&[7; 32]), Key::new("k").unwrap().place());
        let removal = Signed::removal(&author, &place, Slot::ZERO, Kind::Plain, Sequence::new(1));
        let removal = Entry::signed(removal);
        assert!(row.len() + encoded(&removal).len() <= Signed::REMOVAL_COST);
    }

    #[test]
    fn keys_split_into_what_they_were_made_of() {
        let place = Key::new("k").unwrap().place();
        let id = EntryId::of(&Value::new("v").unwrap(), SecretTag::NONE);
        let row = row_key(&place, id);
        assert_eq!((place_of(&row), id_of(&row)), (place, id));
        assert_eq!(split_expiry_key(&expiry_key(77, &row)), (77, row));
        assert!(expiry_key(255, &row) < expiry_key(256, &row), "sorted by deadline");
    }

    #[test]
    fn what_is_no_record_is_not_read_as_one() {
        assert_eq!(Record::decode(b"short"), None);
        assert_eq!(Record::decode(&[9; HEADER_LEN]), None, "unknown kind");
    }
}
