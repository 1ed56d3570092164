//! Listings of live values, put together from parts of a key's entries: those have tombstones in
//! them, and are bounded.

use base::{Entry, EntryId, Place};

use crate::overlay::read::Part;
use crate::page::{Found, Page, PageRequest};
use crate::wire::{Get, LISTING_BYTES, LISTING_ENTRIES};

/// What is read of the entries after a full page: it has to look past the tombstones that follow for
/// whether anything is left.
const READ_AHEAD: usize = 32;
/// The least one read lists, in bytes, for the same reason.
const READ_BYTES_MIN: usize = 16 * 1024;
/// A page in the making.
#[derive(Debug)]
pub(crate) struct PageBuilder {
    request: PageRequest,
    page: Page,
    bytes: usize,
    after: Option<EntryId>,
}

impl PageBuilder {
    pub(crate) fn new(request: PageRequest) -> PageBuilder {
        let page = Page { values: Vec::new(), next: None };
        PageBuilder { request, page, bytes: 0, after: request.after }
    }

    /// What to read next.
    pub(crate) fn wanted(&self, place: Place) -> Get {
        let wanted = self.request.max_values.max(1) - self.page.values.len();
        Get {
            place,
            after: self.after,
            until: None,
            // One more than wanted, to know whether anything is left.
            entries: if wanted == 0 { READ_AHEAD } else { wanted.saturating_add(1) }
                .min(LISTING_ENTRIES),
            bytes: self
                .request
                .max_bytes
                .saturating_sub(self.bytes)
                .clamp(READ_BYTES_MIN, LISTING_BYTES),
        }
    }

    /// Adds what was read; the page, once it is full or nothing is left.
    pub(crate) fn add(&mut self, part: Part) -> Option<Page> {
        self.after = part.entries.last().map(Entry::id).or(self.after);
        for entry in part.entries {
            let Some(value) = entry.shown() else { continue };
            self.bytes += value.as_bytes().len();
            let full = self.page.values.len() >= self.request.max_values
                || self.bytes > self.request.max_bytes;
            if full && let Some(last) = self.page.values.last() {
                self.page.next = Some(last.id);
                return Some(self.take());
            }
            self.page.values.push(Found { id: entry.id(), value, remaining: entry.remaining() });
        }
        (!part.more).then(|| self.take())
    }

    fn take(&mut self) -> Page {
        std::mem::replace(&mut self.page, Page { values: Vec::new(), next: None })
    }
}

#[cfg(test)]
mod tests {
    use base::{Key, Lifetime, SecretTag, Value, Version};

    use super::*;

    /// Entries in the order of their ids, every third one removed.
    fn entries(count: usize) -> Vec<Entry> {
        let entry = |n: usize| {
            let value = Value::new(format!("value {n}")).unwrap();
            let life = Lifetime::from_millis(1000);
            let put = Entry::live(value, SecretTag::NONE, Version::new(1), life);
            if !n.is_multiple_of(3) {
                return put;
            }
            Entry::removal(put.id(), None, Version::new(2)).unwrap()
        };
        let mut entries: Vec<Entry> = (0..count).map(entry).collect();
        entries.sort_by_key(Entry::id);
        entries
    }

    fn read(all: &[Entry], get: &Get) -> Part {
        let rest: Vec<&Entry> =
            all.iter().filter(|e| get.after.is_none_or(|after| e.id() > after)).collect();
        let entries = rest.iter().take(get.entries).map(|e| (*e).clone()).collect();
        Part { entries, more: rest.len() > get.entries }
    }

    #[test]
    fn pages_of_any_size_list_each_live_value_once() {
        let place = Key::new("k").unwrap().place();
        let all = entries(100);
        let live = all.iter().filter(|entry| entry.value().is_some()).count();
        for (max_values, max_bytes) in [(1, 9999), (7, 9999), (200, 50), (5, 1), (200, 9999)] {
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let mut builder = PageBuilder::new(PageRequest { after, max_values, max_bytes });
                let page = loop {
                    if let Some(page) = builder.add(read(&all, &builder.wanted(place))) {
                        break page;
                    }
                };
                assert!((1..=max_values).contains(&page.values.len()));
                seen.extend(page.values.iter().map(|found| found.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen.len(), live);
            assert!(seen.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
