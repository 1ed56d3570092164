//! What sources owe for the time that their requests took: as much time again, and more, in which none of
//! their others begins. So a flood leaves processors idle to those who seldom ask. No clock: whoever owns
//! the [`Debts`] says what time it is.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// What a source has left when it comes: short spells of work need no rest, not even where the system
/// let something else run in between.
pub(super) const CREDIT: Duration = Duration::from_millis(20);

/// Sources remembered before the first look for those that owe nothing any more; from then on as many
/// again as are left. A source is kept for as long as it pays, and [`CREDIT`]: so there are no more than
/// had something done in that time.
const KEPT: usize = 64;

/// Until when each source pays for what it had.
#[derive(Debug)]
pub(super) struct Debts<S> {
    paid_until: HashMap<S, Duration>,
    look_at: usize,
}

impl<S: Eq + Hash> Debts<S> {
    pub(super) fn new() -> Debts<S> {
        Debts { paid_until: HashMap::new(), look_at: KEPT }
    }

    /// How long a source has to rest before its next request begins.
    pub(super) fn rest(&self, source: &S, now: Duration) -> Duration {
        let paid_until = self.paid_until.get(source);
        paid_until.map_or(Duration::ZERO, |until| until.saturating_sub(now))
    }

    /// A source had something, for which it pays so long.
    pub(super) fn charge(&mut self, source: S, price: Duration, now: Duration) {
        let free = now.saturating_sub(CREDIT);
        if self.paid_until.len() >= self.look_at {
            self.paid_until.retain(|_, until| *until > free);
            self.look_at = KEPT.max(2 * self.paid_until.len());
        }
        let until = self.paid_until.entry(source).or_insert(free);
        *until = free.max(*until) + price;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(60);
    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_flood_gets_a_share_of_the_time_and_nobody_else_rests() {
        let (mut debts, mut now, mut done) = (Debts::new(), START, 0);
        while now < START + 1000 * MS {
            let rest = debts.rest(&1, now);
            assert!(rest <= 3 * MS, "for the last request, and not for all before");
            now += rest + MS;
            debts.charge(1, 3 * MS, now);
            done += 1;
            assert_eq!(debts.rest(&2, now), Duration::ZERO);
        }
        // A third, and what it had left at first.
        assert!((333..=333 + 8).contains(&done), "{done}");
    }

    #[test]
    fn who_asks_now_and_then_need_not_rest() {
        let (mut debts, mut now) = (Debts::new(), START);
        for _ in 0..100 {
            for _ in 0..2 {
                debts.charge(1, CREDIT / 2, now);
                assert_eq!(debts.rest(&1, now), Duration::ZERO);
            }
            now += CREDIT;
        }
        debts.charge(1, CREDIT + MS, now);
        assert_eq!(debts.rest(&1, now), MS);
    }

    #[test]
    fn who_owes_nothing_any_more_is_forgotten() {
        let (mut debts, mut now) = (Debts::new(), START);
        for source in 0..10_000 {
            debts.charge(source, 2 * MS, now);
            now += MS;
            assert!(debts.paid_until.len() <= KEPT, "some twenty are not paid for");
        }
        debts.charge(7, 60_000 * MS, now);
        (0..1000).for_each(|source| debts.charge(source, MS, now));
        assert_eq!(debts.rest(&7, now), 60_000 * MS + MS - CREDIT, "whoever still owes is kept");
    }
}
