//! How many keys each source watches by the JSON door: one request may name many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::source::Source;

/// Keys that one source watches at a time: four watches of the longest kind. All together have the node's
/// 16,384, so that sixteen have to do this for nobody else to find room.
const OF_ONE_MAX: usize = 1024;
/// The same for this machine's own programs: those of its person, and tests.
const OF_LOOPBACK_MAX: usize = 8192;

/// How many keys are watched, by source.
#[derive(Debug, Clone, Default)]
pub struct Watching {
    keys: Arc<Mutex<HashMap<Source, usize>>>,
}

/// Keys that are watched, until this is dropped.
#[derive(Debug)]
pub(super) struct Watcher {
    watching: Watching,
    source: Source,
    keys: usize,
}

impl Watching {
    /// A source begins to watch so many keys; `None` if those are too many.
    pub(super) fn begin(&self, source: Source, keys: usize) -> Option<Watcher> {
        let most = if source.is_loopback() { OF_LOOPBACK_MAX } else { OF_ONE_MAX };
        let mut all = self.keys();
        let own = all.get(&source).copied().unwrap_or_default() + keys;
        if own > most {
            return None;
        }
        all.insert(source, own);
        Some(Watcher { watching: self.clone(), source, keys })
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<Source, usize>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut all = self.watching.keys();
        let left = all.get(&self.source).copied().unwrap_or_default().saturating_sub(self.keys);
        match left {
            0 => all.remove(&self.source),
            left => all.insert(self.source, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_watches_so_many_keys_and_others_theirs() {
        let watching = Watching::default();
        let (one, two) = (Source::of([192, 0, 2, 1].into()), Source::of([192, 0, 2, 2].into()));
        let four: Vec<_> = (0..4).map(|_| watching.begin(one, 256).unwrap()).collect();
        assert!(watching.begin(one, 1).is_none());
        let other = watching.begin(two, 256).unwrap();
        drop(four);
        assert!(watching.begin(one, 1).is_some());
        drop(other);
        assert!(watching.keys().is_empty(), "who watches nothing is forgotten");
    }
}
