//! Listings of live values, put together from what a store lists: it lists tombstones too, and a
//! bounded piece at a time.

use std::ops::Bound;

use base::{Entry, EntryId, Place};

use crate::page::{Found, Page, PageRequest};
use crate::store::{IdRange, ListLimit, Store, StoreError};

/// What one read of a store lists, in entries; a page is put together from as many as it takes.
const READ_ENTRIES: usize = 128;
/// What is read of the entries after a full page: it has to look past the tombstones that follow for
/// whether anything is left.
const READ_AHEAD: usize = 32;
/// The least one read lists, in bytes, for the same reason.
const READ_BYTES_MIN: usize = 16 * 1024;
/// What one read of a store lists, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// A page of the live values under a place.
pub(crate) fn page(
    store: &dyn Store,
    place: &Place,
    request: PageRequest,
) -> Result<Page, StoreError> {
    let mut page = Page { values: Vec::new(), next: None };
    let mut bytes = 0;
    let mut from = request.after.map_or(Bound::Unbounded, Bound::Excluded);
    loop {
        let wanted = request.max_values.max(1) - page.values.len();
        let limit = ListLimit {
            // One more than wanted, to know whether anything is left.
            entries: if wanted == 0 { READ_AHEAD } else { wanted.saturating_add(1) }
                .min(READ_ENTRIES),
            bytes: request.max_bytes.saturating_sub(bytes).clamp(READ_BYTES_MIN, READ_BYTES),
        };
        let listed = store.list(place, (from, Bound::Unbounded), limit)?;
        from = listed.entries.last().map_or(from, |last| Bound::Excluded(last.id()));
        for entry in listed.entries {
            let Some(value) = entry.value() else { continue };
            bytes += value.as_bytes().len();
            let full = page.values.len() >= request.max_values || bytes > request.max_bytes;
            if full && let Some(last) = page.values.last() {
                page.next = Some(last.id);
                return Ok(page);
            }
            let value = value.clone();
            page.values.push(Found { id: entry.id(), value, remaining: entry.remaining() });
        }
        if !listed.more {
            return Ok(page);
        }
    }
}

/// The ids of the live entries in a range.
pub(crate) fn live_ids(
    store: &dyn Store,
    place: &Place,
    mut range: IdRange,
) -> Result<Vec<EntryId>, StoreError> {
    let limit = ListLimit { entries: READ_ENTRIES, bytes: READ_BYTES };
    let mut ids = Vec::new();
    loop {
        let listed = store.list(place, range, limit)?;
        let live = listed.entries.iter().filter(|entry| entry.value().is_some());
        ids.extend(live.map(Entry::id));
        match listed.entries.last() {
            Some(last) if listed.more => range.0 = Bound::Excluded(last.id()),
            _ => return Ok(ids),
        }
    }
}
