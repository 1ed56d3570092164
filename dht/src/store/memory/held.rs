//! An entry as the memory store holds it.

use base::{Entry, EntryId, Lifetime, Secret, State, Value, Version};
use bytes::Bytes;

/// An entry as held here; smaller than [`Entry`].
pub(super) struct Held {
    pub(super) id: EntryId,
    pub(super) version: Version,
    /// On the timeline, in milliseconds.
    pub(super) deadline: u64,
    pub(super) removed: bool,
    /// The value, or the removal's secret.
    pub(super) payload: Option<Box<[u8]>>,
}

impl Held {
    pub(super) fn new(entry: &Entry, now: u64) -> Held {
        let (removed, payload) = match entry.state() {
            State::Live(value) => (false, Some(value.as_bytes().into())),
            State::Removed(secret) => (true, secret.as_ref().map(|s| s.as_bytes().into())),
        };
        let deadline = now.saturating_add(entry.remaining().as_millis());
        Held { id: entry.id(), version: entry.version(), deadline, removed, payload }
    }

    pub(super) fn cost(&self) -> usize {
        if self.removed {
            base::limits::TOMBSTONE_MAX
        } else {
            self.payload.as_ref().map_or(0, |payload| payload.len())
        }
    }

    pub(super) fn to_entry(&self, now: u64) -> Entry {
        let payload = self.payload.as_deref().map(Bytes::copy_from_slice);
        let state = if self.removed {
            State::Removed(payload.map(|secret| Secret::new(secret).expect("was a secret")))
        } else {
            State::Live(Value::new(payload.unwrap_or_default()).expect("was a value"))
        };
        let remaining = Lifetime::from_millis(self.deadline.saturating_sub(now));
        Entry::from_parts(self.id, self.version, state, remaining)
    }
}
