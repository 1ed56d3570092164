//! The sketch of any range: of wide ones it is kept, of narrow ones made by reading what is there.

use base::{EntryId, Place};

use super::{Prefix, SKETCH_BITS, Sketched, Store, StoreError};

/// Most entries that are read to make the sketches of one request: some milliseconds' work. What is above
/// is compared in narrower ranges.
pub(crate) const READ_MAX: u64 = 4096;
/// Entries read at a time.
const PART: usize = 512;

/// The digest of a range and so many symbols of its sketch. Reads at most as many entries as are `left`,
/// and takes them off; `None` if there are more, or while the digests are still being made.
///
/// # Errors
/// Those of [`Store::outline`].
pub(crate) fn sketch_of(
    store: &dyn Store,
    range: &Prefix,
    symbols: usize,
    left: &mut u64,
) -> Result<Option<Sketched>, StoreError> {
    if range.bits() <= SKETCH_BITS {
        return Ok(store.sketch(range, symbols));
    }
    let mut sketched = Sketched::new(symbols);
    let mut after: Option<(Place, EntryId)> = None;
    // The leaf may have more than the range does; one that has too much is not begun with.
    if store.digest(range).is_none_or(|digest| digest.count > *left) {
        return Ok(None);
    }
    loop {
        let part = store.outline(&range.places(), after, PART)?;
        after = part.entries.last().map(|(place, id, _)| (*place, *id));
        let read = part.entries.len() as u64;
        if read > *left {
            return Ok(None);
        }
        *left -= read;
        part.entries.iter().for_each(|(place, _, print)| sketched.insert(place, *print));
        if !part.more {
            return Ok(Some(sketched));
        }
    }
}

#[cfg(test)]
mod tests {
    use base::{Entry, Key, Lifetime, SecretTag, Value, Version};

    use super::*;
    use crate::sketch::SYMBOLS_MAX;
    use crate::store::{Fingerprint, MemoryOptions, MemoryStore};
    use crate::{ManualClock, Reading};

    #[tokio::test]
    async fn what_is_read_makes_the_same_sketch_as_what_is_kept() {
        let clock = ManualClock::new(Reading { boot: None, since_boot_ms: 0, wall_ms: 0 });
        let store = MemoryStore::new(MemoryOptions::default(), clock);
        let place = |n: u32| Key::new(n.to_string()).unwrap().place();
        let entry = |n: u32| {
            let value = Value::new(n.to_string()).unwrap();
            Entry::live(value, SecretTag::NONE, Version::new(1), Lifetime::from_millis(1000))
        };
        for n in 0..2000 {
            store.apply(place(n), entry(n)).await.unwrap();
        }
        for bits in [0, 5, 8, 9, 12, 16] {
            let range = Prefix::of(&place(7), bits);
            let mut expected = Sketched::new(SYMBOLS_MAX);
            for n in (0..2000).filter(|n| range.contains(&place(*n))) {
                expected.insert(&place(n), Fingerprint::of(&place(n), &entry(n)));
            }
            let count = expected.digest.count;
            let mut left = count;
            let sketched = sketch_of(&store, &range, SYMBOLS_MAX, &mut left);
            assert_eq!(sketched, Ok(Some(expected)));
            assert_eq!(left, if bits > SKETCH_BITS { 0 } else { count });
            let refused = sketch_of(&store, &range, 1, &mut (count - 1)).unwrap();
            assert_eq!(refused.is_some(), bits <= SKETCH_BITS, "{bits} bits");
        }
    }
}
