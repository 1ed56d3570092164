//! How much a store takes, by how long it is to live: long-lived entries leave room for those that make
//! room again soon, so that nobody who fills the one keeps others from the other.

use base::{Lifetime, TtlClass};

use super::{NoRoom, Totals};

/// What an entry takes beside its value: rows of both maps, allocations (`testbed bench start`
/// measures it).
pub const OVERHEAD: usize = 300;

/// Whether an entry of so many bytes, to live so long, fits into a store of this capacity of which so
/// much is used.
pub(super) fn check(
    capacity: u64,
    used: u64,
    bytes: usize,
    lifetime: Lifetime,
    full: NoRoom,
) -> Result<(), NoRoom> {
    let class = TtlClass::of(lifetime);
    let share = match class {
        TtlClass::Week => capacity / 4 * 3,
        TtlClass::Day => capacity / 8 * 7,
        TtlClass::Hour => capacity,
    };
    let after = used.saturating_add((bytes + OVERHEAD) as u64);
    match after {
        after if after > capacity => Err(full),
        after if after > share => Err(NoRoom::LongLived(class)),
        _ => Ok(()),
    }
}

impl Totals {
    /// Bytes used, as capacities count them.
    pub(super) fn used(&self) -> u64 {
        let entries = self.live + self.tombstones;
        self.bytes.saturating_add(entries.saturating_mul(OVERHEAD as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lives_long_leaves_room_for_what_does_not() {
        let check = |used, seconds: u64| {
            check(1_000_000, used, 100, Lifetime::from_millis(seconds * 1000), NoRoom::Memory)
        };
        let (hour, day, week) = (3600, 86_400, 604_800);
        for (used, fits) in [(0, 3), (749_000, 3), (760_000, 2), (880_000, 1), (999_900, 0)] {
            let all = [hour, day, week].map(|seconds| check(used, seconds));
            assert_eq!(all.iter().filter(|check| check.is_ok()).count(), fits, "{used}");
            let refusals = [NoRoom::LongLived(TtlClass::Week), NoRoom::LongLived(TtlClass::Day)];
            if fits > 0 && fits < 3 {
                assert_eq!(all[fits], Err(refusals[2 - fits]), "{used}");
            }
            if fits == 0 {
                assert_eq!(all[0], Err(NoRoom::Memory));
            }
        }
    }
}
