//! When to look at which transaction: a wheel of slots, one for each 8 ms to come. Adding costs the same
//! however many there are; nothing is taken out before its time, so that who is called too early, or
//! for nothing, has to look for itself.

/// What a slot stands for. Nobody retransmits to the millisecond.
const TICK_MS: u64 = 8;
/// So many slots reach 32.8 s ahead: beyond 64·T1, which most timers last.
const SLOTS: u64 = 4096;

/// The wheel.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: Vec<Vec<u32>>,
    /// A bit for each slot that holds anything.
    filled: Vec<u64>,
    /// Everything up to this tick was taken.
    tick: u64,
    held: usize,
}

impl Wheel {
    pub(super) fn new() -> Wheel {
        let slots = (0..SLOTS).map(|_| Vec::new()).collect();
        Wheel { slots, filled: vec![0; 64], tick: 0, held: 0 }
    }

    /// When a call for a time comes, unless that is past, or far ahead.
    pub(super) fn rounded(at_ms: u64) -> u64 {
        at_ms.div_ceil(TICK_MS).saturating_mul(TICK_MS)
    }

    /// Calls `who` at a time, or earlier. When that is.
    pub(super) fn arm(&mut self, who: u32, at_ms: u64, now_ms: u64) -> u64 {
        if self.held == 0 {
            self.tick = now_ms / TICK_MS;
        }
        let tick = at_ms.div_ceil(TICK_MS).clamp(self.tick + 1, self.tick + SLOTS - 1);
        let slot = slot(tick);
        self.slots[slot].push(who);
        self.filled[slot / 64] |= 1 << (slot % 64);
        self.held += 1;
        tick * TICK_MS
    }

    /// How many calls are held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// When the next call is due.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.next_tick().map(|tick| tick * TICK_MS)
    }

    /// Who is to be called next, of what is due, and for when that was.
    pub(super) fn take(&mut self, now_ms: u64) -> Option<(u64, Vec<u32>)> {
        let now = now_ms / TICK_MS;
        match self.next_tick() {
            Some(tick) if tick <= now => {
                self.tick = tick;
                let slot = slot(tick);
                self.filled[slot / 64] &= !(1 << (slot % 64));
                let who = std::mem::take(&mut self.slots[slot]);
                self.held -= who.len();
                Some((tick * TICK_MS, who))
            }
            _ => {
                self.tick = self.tick.max(now);
                None
            }
        }
    }

    /// The first tick after the last one taken whose slot holds anything.
    fn next_tick(&self) -> Option<u64> {
        if self.held == 0 {
            return None;
        }
        let first = slot(self.tick + 1);
        // The first word twice: its upper bits come first, its lower ones last.
        for step in 0..=64 {
            let word = (first / 64 + step) % 64;
            let mut bits = self.filled[word];
            if step == 0 {
                bits &= u64::MAX << (first % 64);
            }
            if bits != 0 {
                let slot = word as u64 * 64 + u64::from(bits.trailing_zeros());
                return Some(self.tick + 1 + (slot + SLOTS - first as u64) % SLOTS);
            }
        }
        None
    }
}

fn slot(tick: u64) -> usize {
    // Less than SLOTS.
    usize::try_from(tick % SLOTS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All calls until a time, with when they came.
    fn run(wheel: &mut Wheel, now_ms: u64) -> Vec<(u64, u32)> {
        let mut found = Vec::new();
        while let Some((at, who)) = wheel.take(now_ms) {
            found.extend(who.into_iter().map(|who| (at, who)));
        }
        found
    }

    #[test]
    fn calls_come_in_time() {
        let mut wheel = Wheel::new();
        assert_eq!(wheel.next_ms(), None);
        let now = 1_000_000;
        for (who, at) in [(1, now + 500), (2, now + 32_000), (3, now + 90_000), (4, now - 5)] {
            wheel.arm(who, at, now);
        }
        assert_eq!(wheel.next_ms(), Some(now + 8));
        assert_eq!(run(&mut wheel, now + 7), []);
        assert_eq!(run(&mut wheel, now + 600), [(now + 8, 4), (now + 504, 1)]);
        assert_eq!(run(&mut wheel, now + 40_000), [(now + 32_000, 2), (now + 32_760, 3)]);
        assert_eq!((wheel.next_ms(), wheel.held()), (None, 0));
        wheel.arm(5, now * 9 + 8, now * 9);
        assert_eq!(wheel.next_ms(), Some(now * 9 + 8));
    }

    proptest! {
        #[test]
        fn nobody_is_called_twice_late_or_never(
            calls in prop::collection::vec((0_u64..40_000, 0_u64..2000), 1..60),
        ) {
            let (mut wheel, mut now, mut expected) = (Wheel::new(), 77_777, Vec::new());
            for (who, (after, pause)) in calls.iter().enumerate() {
                let who = u32::try_from(who).unwrap();
                let at = wheel.arm(who, now + after, now);
                expected.push((at, who));
                prop_assert!(at <= now + after + 2 * TICK_MS);
                prop_assert!(at >= now + (*after).min(30_000));
                now += pause;
                let due = |(at, _): &(u64, u32)| *at <= now / TICK_MS * TICK_MS;
                let mut due: Vec<_> = expected.extract_if(.., |call| due(call)).collect();
                due.sort();
                let mut found = run(&mut wheel, now);
                found.sort();
                prop_assert_eq!(found, due);
                prop_assert_eq!(wheel.held(), expected.len());
                prop_assert_eq!(wheel.next_ms(), expected.iter().map(|(at, _)| *at).min());
            }
        }
    }
}
