//! Bindings in this process's memory: for a proxy alone, and for tests.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Answer, Aor, Bound, Change, Cursor, Known, LocationError, LocationService, merge};

/// Most addresses of record: some hundred megabytes of them.
const AORS_MAX: usize = 100_000;
/// How often what is over is looked for, in changes: so its cost is shared by many.
const CHANGES_BETWEEN_SWEEPS: u64 = 8192;

/// Keeps bindings until they are over, or the process is.
#[derive(Clone, Default)]
pub struct MemoryLocations(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bindings: HashMap<Aor, Vec<Kept>>,
    /// Who waits for changes; of those who wait no longer some are in it still.
    watched: HashMap<Aor, Weak<Notify>>,
    version: u64,
}

struct Kept {
    bound: Bound,
    until: Instant,
}

impl MemoryLocations {
    /// One that knows nobody.
    pub fn new() -> MemoryLocations {
        MemoryLocations::default()
    }

    /// How many addresses of record have bindings, counting some that are over.
    pub fn len(&self) -> usize {
        self.state().bindings.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What it guards is whole between any two statements.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self, aor: &Aor) -> (Vec<Bound>, Cursor) {
        let found = self.state().live(aor, Instant::now());
        let mut hash = blake3::Hasher::new();
        let mut versions: Vec<u64> = found.iter().map(|bound| bound.version).collect();
        versions.sort_unstable();
        versions.iter().for_each(|version| {
            hash.update(&version.to_be_bytes());
        });
        let mut cursor = [0; 16];
        cursor.copy_from_slice(&hash.finalize().as_bytes()[..16]);
        (found, Cursor(u128::from_be_bytes(cursor)))
    }
}

impl State {
    fn watched(&mut self, aor: &Aor) -> Arc<Notify> {
        if let Some(watched) = self.watched.get(aor).and_then(Weak::upgrade) {
            return watched;
        }
        let watched = Arc::new(Notify::new());
        self.watched.insert(aor.clone(), Arc::downgrade(&watched));
        watched
    }

    fn live(&self, aor: &Aor, now: Instant) -> Vec<Bound> {
        let kept = self.bindings.get(aor).map(Vec::as_slice).unwrap_or_default();
        let live = kept.iter().map(|kept| Bound {
            remaining: kept.until.saturating_duration_since(now),
            ..kept.bound.clone()
        });
        live.filter(|bound| !bound.remaining.is_zero()).collect()
    }

    fn change(&mut self, aor: &Aor, change: Change, now: Instant) -> Result<(), LocationError> {
        self.version += 1;
        if self.version.is_multiple_of(CHANGES_BETWEEN_SWEEPS) {
            self.bindings.retain(|_, kept| kept.iter().any(|kept| kept.until > now));
            self.watched.retain(|_, watched| watched.strong_count() > 0);
        }
        let settings = match change {
            Change::Set(settings) => settings,
            Change::Clear => {
                self.bindings.remove(aor);
                return Ok(());
            }
            Change::Drop(gone) => {
                if let Some(kept) = self.bindings.get_mut(aor) {
                    kept.retain(|kept| !gone.contains(&kept.bound.binding));
                    if kept.is_empty() {
                        self.bindings.remove(aor);
                    }
                }
                return Ok(());
            }
        };
        if self.bindings.len() >= AORS_MAX && !self.bindings.contains_key(aor) {
            return Err(LocationError::Full);
        }
        let version = self.version;
        let new =
            settings.into_iter().map(|(binding, remaining)| Bound { binding, version, remaining });
        let found = merge(self.live(aor, now).into_iter().chain(new), 0);
        if found.is_empty() {
            self.bindings.remove(aor);
        } else {
            let keep = |bound: Bound| Kept { until: now + bound.remaining, bound };
            self.bindings.insert(aor.clone(), found.into_iter().map(keep).collect());
        }
        Ok(())
    }
}

impl LocationService for MemoryLocations {
    fn bind(&self, aor: &Aor, change: Change) -> Answer<Vec<Bound>> {
        let now = Instant::now();
        let mut state = self.state();
        let done = state.change(aor, change, now).map(|()| state.live(aor, now));
        let watched = state.watched.get(aor).and_then(Weak::upgrade);
        drop(state);
        if let Some(watched) = watched {
            watched.notify_waiters();
        }
        Box::pin(ready(done))
    }

    fn lookup(&self, aor: &Aor) -> Answer<Known> {
        let state = self.state();
        let bound = state.live(aor, Instant::now());
        Box::pin(ready(Ok(Known { bound, version: state.version, mark: None })))
    }

    fn watch(&self, aor: &Aor, seen: Option<Cursor>) -> Answer<(Vec<Bound>, Cursor)> {
        let (locations, aor) = (self.clone(), aor.clone());
        let watched = self.state().watched(&aor);
        Box::pin(async move {
            loop {
                // Listening begins before looking: no change falls in between.
                let changed = watched.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                let (found, cursor) = locations.seen(&aor);
                if seen != Some(cursor) {
                    return Ok((found, cursor));
                }
                let over = found.iter().map(|bound| bound.remaining).min();
                match over {
                    Some(over) => {
                        let _ = tokio::time::timeout(over, changed).await;
                    }
                    None => changed.await,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::location::{Binding, Media};
    use crate::message::Uri;

    fn aor(user: &str) -> Aor {
        Aor::of(&Uri::parse(&format!("sip:{user}@scope")).unwrap()).unwrap()
    }

    fn binding(contact: &str) -> Binding {
        Binding {
            contact: contact.into(),
            instance: None,
            reg_id: None,
            q: 1000,
            owner: ([192, 0, 2, 1], 5060).into(),
            token: "t".into(),
            direct: true,
            path: "".into(),
            media: Media::Plain,
        }
    }

    fn for_a_minute(contact: &str) -> Change {
        Change::Set(vec![(Arc::new(binding(contact)), Duration::from_secs(60))])
    }

    #[tokio::test(start_paused = true)]
    async fn a_binding_is_there_until_it_is_over() {
        let locations = MemoryLocations::new();
        let anna = aor("anna");
        let bound = locations.bind(&anna, for_a_minute("sip:a@h")).await.unwrap();
        assert_eq!(bound[0].remaining, Duration::from_secs(60));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(locations.lookup(&anna).await.unwrap().bound.len(), 1);
        assert_eq!(locations.lookup(&aor("bob")).await.unwrap().bound, []);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(locations.lookup(&anna).await.unwrap().bound, []);
    }

    #[tokio::test(start_paused = true)]
    async fn no_lifetime_removes_one_and_a_clear_all() {
        let locations = MemoryLocations::new();
        let anna = aor("anna");
        for contact in ["sip:a@h1", "sip:a@h2", "sip:a@h3"] {
            locations.bind(&anna, for_a_minute(contact)).await.unwrap();
        }
        let gone = Change::Set(vec![(Arc::new(binding("sip:a@h2")), Duration::ZERO)]);
        assert_eq!(locations.bind(&anna, gone).await.unwrap().len(), 2);
        assert_eq!(locations.bind(&anna, Change::Clear).await.unwrap(), []);
        assert!(locations.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_dropped_goes_alone_and_not_what_has_superseded_it() {
        let locations = MemoryLocations::new();
        let anna = aor("anna");
        let [old, other] = ["sip:a@h1", "sip:a@h2"].map(|contact| Arc::new(binding(contact)));
        let minute = Duration::from_secs(60);
        let new = Arc::new(Binding { token: "u".into(), ..(*old).clone() });
        for binding in [&old, &other, &new] {
            let set = Change::Set(vec![(binding.clone(), minute)]);
            locations.bind(&anna, set).await.unwrap();
        }
        let left = locations.bind(&anna, Change::Drop(vec![old])).await.unwrap();
        assert_eq!(left.len(), 2);
        assert_eq!(locations.bind(&anna, Change::Drop(vec![new, other])).await.unwrap(), []);
        assert!(locations.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_tells_of_changes_and_of_ends() {
        let locations = MemoryLocations::new();
        let anna = aor("anna");
        let (found, none) = locations.watch(&anna, None).await.unwrap();
        assert!(found.is_empty());
        let watched = tokio::spawn(locations.watch(&anna, Some(none)));
        tokio::task::yield_now().await;
        locations.bind(&anna, for_a_minute("sip:a@h")).await.unwrap();
        let (found, one) = watched.await.unwrap().unwrap();
        assert_eq!(found.len(), 1);
        let (found, cursor) = locations.watch(&anna, Some(one)).await.unwrap();
        assert!(found.is_empty());
        assert_eq!(cursor, none);
    }
}
