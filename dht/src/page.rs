//! How a key's values are listed: in pages, in the order of their ids.

use base::{EntryId, Lifetime, Value};

/// Which part of a key's values to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// List what comes after this entry: the last one of the page before, at whichever node that
    /// was listed. `None` starts from the beginning.
    pub after: Option<EntryId>,
    /// At most this many values; at least 1.
    pub max_values: usize,
    /// Stop before the page's values exceed this many bytes, but always give one.
    pub max_bytes: usize,
}

/// Part of a key's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The values, in the order of their ids.
    pub values: Vec<Found>,
    /// Where the next page starts ([`PageRequest::after`]); `None` when nothing is left.
    pub next: Option<EntryId>,
}

/// A value that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which entry of its key it is.
    pub id: EntryId,
    /// The value.
    pub value: Value,
    /// What is left of its life.
    pub remaining: Lifetime,
}

impl PageRequest {
    /// Everything under the key, in one page: bounded by the limits of a key.
    pub const ALL: PageRequest =
        PageRequest { after: None, max_values: usize::MAX, max_bytes: usize::MAX };
}
