//! A read that may take several pages. What comes is checked, so that no super-node keeps a reader for ever.

use base::limits::{BYTES_PER_KEY_MAX, ENTRIES_PER_KEY_MAX};

use super::strange;
use crate::overlay::{Get, OverlayError, Page};

/// A read, and what it has read.
pub(super) struct Reading {
    next: Get,
    page: Page,
    bytes: usize,
}

impl Reading {
    pub(super) fn new(get: Get) -> Reading {
        // A reader of none reads one, to be told whether there are more.
        Reading { next: Get { max: get.max.max(1), ..get }, page: Page::default(), bytes: 0 }
    }

    /// What to ask for next.
    pub(super) const fn next(&self) -> &Get {
        &self.next
    }

    /// Takes a page; all that was read, if that was the last.
    pub(super) fn add(&mut self, page: Page) -> Option<Result<Page, OverlayError>> {
        for found in &page.values {
            let is_after = self.next.after.is_none_or(|after| found.id > after);
            self.bytes += found.value.as_bytes().len();
            if !is_after || self.bytes > BYTES_PER_KEY_MAX {
                return Some(Err(strange()));
            }
            self.next.after = Some(found.id);
        }
        let count = page.values.len();
        self.page.values.extend(page.values);
        let is_too_much = count > self.next.max || self.page.values.len() > ENTRIES_PER_KEY_MAX;
        let goes_on = page.next == self.next.after && count > 0;
        if is_too_much || (page.next.is_some() && !goes_on) {
            return Some(Err(strange()));
        }
        self.next.max -= count;
        if page.next.is_some() && self.next.max > 0 {
            return None;
        }
        self.page.next = page.next;
        Some(Ok(std::mem::take(&mut self.page)))
    }
}

#[cfg(test)]
mod tests {
    use base::{EntryId, Key, Lifetime, Value};

    use super::*;
    use crate::overlay::Found;

    fn reading(max: usize) -> Reading {
        Reading::new(Get { max, ..Get::all(Key::new("k").unwrap()) })
    }

    fn id(n: u8) -> EntryId {
        EntryId::from_bytes(&[n; EntryId::LEN])
    }

    fn page(ids: &[u8], next: Option<u8>) -> Page {
        let found = |n: &u8| Found {
            id: id(*n),
            value: Value::new(vec![*n]).unwrap(),
            remaining: Lifetime::from_millis(1),
        };
        Page { values: ids.iter().map(found).collect(), next: next.map(id) }
    }

    #[test]
    fn pages_are_put_together_until_there_is_no_more_or_it_is_enough() {
        let mut all = reading(usize::MAX);
        assert_eq!(all.add(page(&[1, 2], Some(2))), None);
        assert_eq!(all.next().after, Some(id(2)));
        assert_eq!(all.add(page(&[3], None)), Some(Ok(page(&[1, 2, 3], None))));
        let mut some = reading(3);
        assert_eq!(some.add(page(&[1, 2], Some(2))), None);
        assert_eq!(some.next().max, 1);
        assert_eq!(some.add(page(&[3], Some(3))), Some(Ok(page(&[1, 2, 3], Some(3)))));
        assert_eq!(reading(5).add(page(&[], None)), Some(Ok(Page::default())));
    }

    #[test]
    fn what_goes_round_in_circles_or_gives_more_than_was_asked_for_is_refused() {
        for (max, pages) in [
            (9, vec![page(&[1], Some(1)), page(&[1], Some(1))]),
            (9, vec![page(&[2, 1], None)]),
            (9, vec![page(&[1], Some(2))]),
            (9, vec![page(&[], Some(1))]),
            (2, vec![page(&[1, 2, 3], None)]),
        ] {
            let mut reading = reading(max);
            let last = pages.into_iter().map(|page| reading.add(page)).last().unwrap();
            assert!(matches!(last, Some(Err(_))), "{last:?}");
        }
    }
}
