//! Which nonce counts were used (RFC 7616 §3.4): so that nobody uses an answer again that was heard on
//! the air. In bounded memory, and sure nevertheless: what is forgotten is refused.

use std::collections::{HashMap, VecDeque};

use super::nonce::{NONCE_LIFE_S, Nonce, SKEW_S};

/// Nonces remembered: what 10,000 phones need that are challenged four times within a nonce's life.
const NONCES_MAX: usize = 40_000;
/// How far counts may overtake each other: requests of one phone that are under way at once.
const WINDOW: u32 = 64;

/// The counts that were used of each nonce.
#[derive(Debug)]
pub struct Replays {
    used: HashMap<u64, Used>,
    /// In the order of first use, with its time.
    order: VecDeque<(u64, u64)>,
    /// Of nonces made until then some were forgotten before their time.
    forgotten_s: Option<u64>,
    max: usize,
}

#[derive(Debug, Clone, Copy)]
struct Used {
    made_s: u64,
    highest: u32,
    /// Bit n: the highest less n was used.
    recent: u64,
}

/// A nonce count was used before, or might have been: the answer to it is a challenge that says the
/// nonce is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the nonce was used with this count")]
pub struct Replayed;

impl Default for Replays {
    fn default() -> Replays {
        Replays::with_room(NONCES_MAX)
    }
}

impl Replays {
    fn with_room(max: usize) -> Replays {
        Replays { used: HashMap::new(), order: VecDeque::new(), forgotten_s: None, max }
    }

    /// Uses a count of a nonce, once its answer was found right. An answer without a count uses the
    /// nonce up.
    ///
    /// # Errors
    /// [`Replayed`]
    pub fn take(&mut self, nonce: Nonce, count: Option<u32>, now_s: u64) -> Result<(), Replayed> {
        self.forget(now_s);
        let known = self.used.get_mut(&nonce.id);
        let Some(count) = count else {
            let fresh = known.is_none() && !self.maybe_forgotten(nonce);
            self.remember(
                nonce,
                Used { made_s: nonce.made_s, highest: u32::MAX, recent: u64::MAX },
                now_s,
            );
            return if fresh { Ok(()) } else { Err(Replayed) };
        };
        if let Some(used) = known {
            return used.take(count);
        }
        if count == 0 || self.maybe_forgotten(nonce) {
            return Err(Replayed);
        }
        self.remember(nonce, Used { made_s: nonce.made_s, highest: count, recent: 1 }, now_s);
        Ok(())
    }

    fn maybe_forgotten(&self, nonce: Nonce) -> bool {
        self.forgotten_s.is_some_and(|until| nonce.made_s <= until)
    }

    fn remember(&mut self, nonce: Nonce, used: Used, now_s: u64) {
        if self.used.insert(nonce.id, used).is_none() {
            self.order.push_back((nonce.id, now_s));
        }
        while self.used.len() > self.max {
            let Some((id, _)) = self.order.pop_front() else { return };
            let made = self.used.remove(&id).map(|used| used.made_s);
            self.forgotten_s = self.forgotten_s.max(made);
        }
    }

    /// What was used first so long ago is stale by now.
    fn forget(&mut self, now_s: u64) {
        while let Some((id, first_s)) = self.order.front()
            && first_s + NONCE_LIFE_S + SKEW_S < now_s
        {
            self.used.remove(id);
            self.order.pop_front();
        }
    }
}

impl Used {
    fn take(&mut self, count: u32) -> Result<(), Replayed> {
        if count > self.highest {
            let ahead = count - self.highest;
            self.recent = self.recent.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return Ok(());
        }
        let behind = self.highest - count;
        let bit = 1_u64.checked_shl(behind).filter(|_| count > 0 && behind < WINDOW);
        match bit {
            Some(bit) if self.recent & bit == 0 => {
                self.recent |= bit;
                Ok(())
            }
            _ => Err(Replayed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(id: u64, made_s: u64) -> Nonce {
        Nonce { made_s, id }
    }

    #[test]
    fn a_count_is_good_once_in_any_order() {
        let mut replays = Replays::default();
        let mut take = |count| replays.take(nonce(1, 0), Some(count), 0).is_ok();
        for count in [1, 3, 2, 70, 7, 8, 1000] {
            assert!(take(count), "{count}");
            assert!(!take(count), "{count} again");
        }
        // Too far behind to be known.
        for count in [0, 4, 900] {
            assert!(!take(count), "{count}");
        }
        assert!(take(999) && take(u32::MAX) && !take(u32::MAX));
    }

    #[test]
    fn a_nonce_without_counts_is_good_once() {
        let mut replays = Replays::default();
        assert!(replays.take(nonce(1, 0), None, 0).is_ok());
        assert!(replays.take(nonce(1, 0), None, 0).is_err());
        assert!(replays.take(nonce(1, 0), Some(9), 0).is_err());
        assert!(replays.take(nonce(2, 0), Some(1), 0).is_ok());
        assert!(replays.take(nonce(2, 0), None, 0).is_err());
        assert!(replays.take(nonce(2, 0), Some(2), 0).is_err());
    }

    #[test]
    fn what_is_forgotten_is_refused() {
        let mut replays = Replays::with_room(2);
        for id in 1..=3 {
            assert!(replays.take(nonce(id, 10 + id), Some(1), 20).is_ok());
        }
        assert!(replays.take(nonce(1, 11), Some(1), 20).is_err());
        assert!(replays.take(nonce(1, 11), Some(2), 20).is_err());
        assert!(replays.take(nonce(9, 11), Some(1), 20).is_err());
        assert!(replays.take(nonce(9, 12), Some(1), 20).is_ok());
    }

    #[test]
    fn what_is_stale_takes_no_memory() {
        let mut replays = Replays::default();
        assert!(replays.take(nonce(1, 0), Some(1), 0).is_ok());
        assert!(replays.take(nonce(2, 299), Some(1), NONCE_LIFE_S + SKEW_S + 1).is_ok());
        assert_eq!((replays.used.len(), replays.order.len()), (1, 1));
        assert_eq!(replays.forgotten_s, None);
    }
}
