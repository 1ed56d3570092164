//! An entry as the memory store holds it.

use base::{Entry, EntryId, Lifetime, Secret, Signed, State, Value, Version};
use bytes::Bytes;

/// An entry as held here; smaller than [`Entry`].
pub(super) struct Held {
    pub(super) id: EntryId,
    pub(super) version: Version,
    /// On the timeline, in milliseconds.
    pub(super) deadline: u64,
    pub(super) kind: Kind,
    /// The value, the removal's secret, or what was signed.
    pub(super) payload: Option<Box<[u8]>>,
}

/// What the payload is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Live,
    Removed,
    Signed,
    SignedRemoval,
}

impl Held {
    pub(super) fn new(entry: &Entry, now: u64) -> Held {
        let (kind, payload) = match entry.state() {
            State::Live(value) => (Kind::Live, Some(value.as_bytes().into())),
            State::Removed(secret) => {
                (Kind::Removed, secret.as_ref().map(|secret| secret.as_bytes().into()))
            }
            State::Signed(signed) => {
                let kind = if signed.is_removal() { Kind::SignedRemoval } else { Kind::Signed };
                (kind, Some(signed.as_bytes()[..].into()))
            }
        };
        let deadline = now.saturating_add(entry.remaining().as_millis());
        Held { id: entry.id(), version: entry.version(), deadline, kind, payload }
    }

    /// Whether the entry is there.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.kind, Kind::Live | Kind::Signed)
    }

    pub(super) fn cost(&self) -> usize {
        match self.kind {
            Kind::Removed => base::limits::TOMBSTONE_MAX,
            Kind::SignedRemoval => Signed::REMOVAL_COST,
            Kind::Live | Kind::Signed => self.payload.as_ref().map_or(0, |payload| payload.len()),
        }
    }

    pub(super) fn to_entry(&self, now: u64) -> Entry {
        let payload = self.payload.as_deref().map(Bytes::copy_from_slice);
        let state = match self.kind {
            Kind::Live => {
                State::Live(Value::new(payload.unwrap_or_default()).expect("was a value"))
            }
            Kind::Removed => {
                State::Removed(payload.map(|secret| Secret::new(secret).expect("was a secret")))
            }
            Kind::Signed | Kind::SignedRemoval => {
                let signed = Signed::from_bytes(payload.unwrap_or_default());
                State::Signed(signed.expect("was signed"))
            }
        };
        let remaining = Lifetime::from_millis(self.deadline.saturating_sub(now));
        Entry::from_parts(self.id, self.version, state, remaining)
    }
}
