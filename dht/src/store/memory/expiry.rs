//! Where something expires.

use std::collections::BTreeSet;

use base::Place;

/// Rows the index may have beyond two an entry.
const SLACK: usize = 1024;

/// Places by the second of the timeline by which something there has expired. Only ever added to: a
/// deadline that was put off leaves a row behind, at which nothing is then found to expire.
#[derive(Default)]
pub(super) struct ExpiryIndex {
    rows: BTreeSet<(u32, Place)>,
}

impl ExpiryIndex {
    pub(super) fn add(&mut self, deadline_ms: u64, place: Place) {
        self.rows.insert((second(deadline_ms), place));
    }

    /// A place at which something may have expired.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<Place> {
        let (due, _) = self.rows.first()?;
        if u64::from(*due) * 1000 > now {
            return None;
        }
        self.rows.pop_first().map(|(_, place)| place)
    }

    /// Whether most of its rows are left behind by deadlines put off, when there are so many entries.
    pub(super) fn is_too_long(&self, entries: usize) -> bool {
        self.rows.len() > entries.saturating_mul(2).saturating_add(SLACK)
    }
}

/// The second by which a deadline has passed.
fn second(deadline_ms: u64) -> u32 {
    // 136 years after the node's start there is no later second.
    u32::try_from(deadline_ms.div_ceil(1000)).unwrap_or(u32::MAX)
}
