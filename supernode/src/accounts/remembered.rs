//! What was found out a moment ago: bounded in number and in time. Pure.

use std::collections::HashMap;
use std::time::Duration;

use p2psip::location::Aor;

/// How long what was found counts. A phone that answers a challenge asks for the same name twice within
/// some milliseconds, and a burst of calls many times; after a password has changed, the old one counts at
/// other super-nodes for no longer than this.
pub(super) const REMEMBERED: Duration = Duration::from_secs(5);
/// Names in each of two halves, of which the older is forgotten as a whole: some 200 B each, 2 MB in all,
/// and more than one super-node's phones ask for in five seconds.
const HALF: usize = 5_000;

/// Answers by name.
#[derive(Debug)]
pub(super) struct Remembered<V> {
    young: HashMap<Aor, (V, u64)>,
    old: HashMap<Aor, (V, u64)>,
    /// When the young half began.
    since_ms: u64,
}

impl<V> Default for Remembered<V> {
    fn default() -> Remembered<V> {
        Remembered { young: HashMap::new(), old: HashMap::new(), since_ms: 0 }
    }
}

impl<V: Clone> Remembered<V> {
    /// What was found for a name, if that is not too long ago.
    pub(super) fn get(&self, name: &Aor, now_ms: u64) -> Option<V> {
        let (found, at) = self.young.get(name).or_else(|| self.old.get(name))?;
        (now_ms.saturating_sub(*at) < life_ms()).then(|| found.clone())
    }

    /// Notes what was found.
    pub(super) fn note(&mut self, name: Aor, found: V, now_ms: u64) {
        if self.young.len() >= HALF || now_ms.saturating_sub(self.since_ms) >= life_ms() {
            self.old = std::mem::take(&mut self.young);
            self.since_ms = now_ms;
        }
        self.young.insert(name, (found, now_ms));
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.young = HashMap::new();
        self.old = HashMap::new();
    }
}

fn life_ms() -> u64 {
    u64::try_from(REMEMBERED.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use p2psip::message::Uri;

    use super::*;

    fn aor(number: usize) -> Aor {
        Aor::of(&Uri::parse(&format!("sip:a{number}@scope")).unwrap()).unwrap()
    }

    #[test]
    fn what_was_found_counts_for_its_time_and_the_last_word_counts() {
        let mut remembered = Remembered::default();
        remembered.note(aor(1), 1, 0);
        remembered.note(aor(1), 2, 100);
        assert_eq!(remembered.get(&aor(1), life_ms() + 99), Some(2));
        assert_eq!(remembered.get(&aor(1), life_ms() + 100), None);
        assert_eq!(remembered.get(&aor(2), 0), None);
        // The older half still answers.
        remembered.note(aor(2), 3, life_ms());
        assert_eq!(remembered.get(&aor(1), life_ms()), Some(2));
        remembered.clear();
        assert_eq!((remembered.get(&aor(1), 0), remembered.get(&aor(2), 0)), (None, None));
    }

    #[test]
    fn it_never_grows_above_its_bound() {
        let mut remembered = Remembered::default();
        for number in 0..3 * HALF {
            remembered.note(aor(number), number, 0);
            assert!(remembered.young.len() + remembered.old.len() <= 2 * HALF);
        }
        assert_eq!(remembered.get(&aor(3 * HALF - 1), 0), Some(3 * HALF - 1));
        assert_eq!(remembered.get(&aor(0), 0), None);
    }
}
