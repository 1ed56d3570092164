//! Who wants to be told when something changes here: the replica's side of watches (design, "The
//! overlay" §12).
//!
//! A watcher leases places for a while. For each it has one bit, *dirty*: set by a change, cleared when
//! the watcher is told. However much changes, however slow the watcher is, nothing queues.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{NodeId, Place};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::node::Node;
use crate::overlay::Now;
use crate::wire::{Notice, PLACES_MAX};

/// Longest lease.
const LEASE_MAX: Duration = Duration::from_secs(120);
/// Leases of one watcher, and of all: 100 bytes each.
const PER_WATCHER_MAX: usize = 16 * 1024;
const ALL_MAX: usize = 64 * 1024;
/// Changes that come within this time are told together.
const TOGETHER: Duration = Duration::from_millis(2);
/// Between two attempts to tell a watcher that takes nothing.
const AGAIN: Duration = Duration::from_millis(250);

/// All leases at this node.
#[derive(Default)]
pub(crate) struct Leases {
    table: Mutex<Table>,
    /// How many there are, so that a change where nobody watches costs next to nothing.
    count: AtomicUsize,
    dirty: Notify,
}

#[derive(Default)]
struct Table {
    places: HashMap<Place, Vec<Lease>>,
    watchers: BTreeMap<NodeId, Watcher>,
    next_sweep: Now,
}

struct Lease {
    watcher: NodeId,
    until: Now,
}

#[derive(Default)]
struct Watcher {
    leases: usize,
    dirty: BTreeSet<Place>,
}

impl Leases {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grants or renews leases; with none of its time left, ends them. `false` if there are too many:
    /// then some are not granted.
    pub(crate) fn grant(
        &self,
        watcher: NodeId,
        places: impl Iterator<Item = Place>,
        lease: Duration,
        now: Now,
    ) -> bool {
        let mut table = self.table();
        let table = &mut *table;
        table.sweep(now);
        let until = now + lease.min(LEASE_MAX);
        let mut all = table.leases();
        let mut granted = true;
        for place in places {
            if lease.is_zero() {
                table.end(&watcher, &place);
                continue;
            }
            let leases = table.places.entry(place).or_default();
            if let Some(held) = leases.iter_mut().find(|held| held.watcher == watcher) {
                held.until = until;
                continue;
            }
            let holder = table.watchers.entry(watcher).or_default();
            if holder.leases >= PER_WATCHER_MAX || all >= ALL_MAX {
                granted = false;
                continue;
            }
            holder.leases += 1;
            all += 1;
            leases.push(Lease { watcher, until });
        }
        // Nothing else leaves a place without leases.
        if !granted || lease.is_zero() {
            table.places.retain(|_, leases| !leases.is_empty());
        }
        self.count.store(table.leases(), Ordering::Relaxed);
        granted
    }

    /// Something has changed at a place. One watcher may know of it.
    pub(crate) fn changed(&self, place: &Place, knows: Option<&NodeId>) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut table = self.table();
        let Table { places, watchers, .. } = &mut *table;
        let Some(leases) = places.get(place) else { return };
        for lease in leases.iter().filter(|lease| knows != Some(&lease.watcher)) {
            if let Some(watcher) = watchers.get_mut(&lease.watcher) {
                watcher.dirty.insert(*place);
            }
        }
        self.dirty.notify_one();
    }

    /// Takes what a watcher has to be told, as much as one message holds.
    fn take(&self, watcher: &NodeId) -> Vec<Place> {
        let mut table = self.table();
        let Some(watcher) = table.watchers.get_mut(watcher) else { return Vec::new() };
        let places: Vec<Place> = watcher.dirty.iter().take(PLACES_MAX).copied().collect();
        watcher.dirty.retain(|place| !places.contains(place));
        places
    }

    /// Who has to be told something.
    fn to_be_told(&self) -> Vec<NodeId> {
        let table = self.table();
        let dirty = table.watchers.iter().filter(|(_, watcher)| !watcher.dirty.is_empty());
        dirty.map(|(id, _)| *id).collect()
    }

    /// It could not be told.
    fn put_back(&self, watcher: &NodeId, places: Vec<Place>) {
        if let Some(watcher) = self.table().watchers.get_mut(watcher) {
            watcher.dirty.extend(places);
        }
    }
}

impl Table {
    fn leases(&self) -> usize {
        self.watchers.values().map(|watcher| watcher.leases).sum()
    }

    fn end(&mut self, watcher: &NodeId, place: &Place) {
        let Entry::Occupied(mut leases) = self.places.entry(*place) else { return };
        let before = leases.get().len();
        leases.get_mut().retain(|held| held.watcher != *watcher);
        let ended = before - leases.get().len();
        if let Some(holder) = self.watchers.get_mut(watcher) {
            holder.leases -= ended;
            holder.dirty.remove(place);
        }
        self.watchers.retain(|_, watcher| watcher.leases > 0);
    }

    /// Forgets leases that have run out, now and then.
    fn sweep(&mut self, now: Now) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + LEASE_MAX / 8;
        let Table { places, watchers, .. } = self;
        places.retain(|place, leases| {
            leases.retain(|lease| {
                let holds = lease.until > now;
                if !holds && let Some(watcher) = watchers.get_mut(&lease.watcher) {
                    watcher.leases -= 1;
                    watcher.dirty.remove(place);
                }
                holds
            });
            !leases.is_empty()
        });
        watchers.retain(|_, watcher| watcher.leases > 0);
    }
}

/// Tells watchers of changes, until the node is closed.
pub(crate) async fn tell(node: Arc<Node>) {
    loop {
        node.leases.dirty.notified().await;
        sleep(TOGETHER).await;
        let mut refused = false;
        for watcher in node.leases.to_be_told() {
            loop {
                let places = node.leases.take(&watcher);
                if places.is_empty() {
                    break;
                }
                if watcher == node.me.id {
                    node.watches.changed(&watcher, &places);
                } else if !node.link.notify(watcher, Notice::Changed(places.clone())) {
                    refused = true;
                    node.leases.put_back(&watcher, places);
                    break;
                }
                node.meters.changes_told.add(1);
            }
        }
        if refused {
            sleep(AGAIN).await;
            node.leases.dirty.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::view::tests::peer;

    fn place(n: usize) -> Place {
        Place::of(&n.to_le_bytes())
    }

    const LEASE: Duration = Duration::from_secs(60);

    #[test]
    fn a_watcher_is_told_once_however_much_changes() {
        let (leases, watcher) = (Leases::default(), peer(1).id);
        leases.changed(&place(1), None);
        assert!(leases.to_be_told().is_empty(), "nobody watches");
        assert!(leases.grant(watcher, [place(1), place(2)].into_iter(), LEASE, Now::ZERO));
        (0..1000).for_each(|_| leases.changed(&place(1), None));
        leases.changed(&place(3), None);
        assert_eq!(leases.to_be_told(), [watcher]);
        assert_eq!(leases.take(&watcher), [place(1)]);
        assert!(leases.take(&watcher).is_empty());
        leases.put_back(&watcher, vec![place(1)]);
        assert_eq!(leases.take(&watcher), [place(1)], "who could not be told is told later");
    }

    #[test]
    fn who_knows_of_a_change_is_not_told_and_all_others_are() {
        let (leases, [a, b]) = (Leases::default(), [1, 2].map(|n| peer(n).id));
        for watcher in [a, b] {
            leases.grant(watcher, [place(1)].into_iter(), LEASE, Now::ZERO);
        }
        leases.changed(&place(1), Some(&a));
        assert_eq!(leases.to_be_told(), [b]);
        leases.changed(&place(1), None);
        assert_eq!(leases.to_be_told().len(), 2);
    }

    #[test]
    fn a_lease_ends_by_time_or_when_it_is_given_back() {
        let (leases, [a, b]) = (Leases::default(), [1, 2].map(|n| peer(n).id));
        leases.grant(a, [place(1)].into_iter(), LEASE, Now::ZERO);
        leases.grant(b, [place(1)].into_iter(), LEASE, Now::ZERO);
        leases.grant(b, [place(1)].into_iter(), Duration::ZERO, Now::ZERO);
        leases.changed(&place(1), None);
        assert_eq!(leases.to_be_told(), [a]);
        leases.grant(b, [place(2)].into_iter(), LEASE, LEASE + Duration::from_secs(1));
        assert_eq!(leases.count.load(Ordering::Relaxed), 1);
        assert!(leases.to_be_told().is_empty());
    }

    #[test]
    fn one_watcher_cannot_take_all_leases() {
        let (leases, [a, b]) = (Leases::default(), [1, 2].map(|n| peer(n).id));
        assert!(!leases.grant(a, (0..ALL_MAX).map(place), LEASE, Now::ZERO));
        assert!(leases.grant(b, (0..1000).map(place), LEASE, Now::ZERO));
        assert_eq!(leases.table().leases(), PER_WATCHER_MAX + 1000);
        assert!(
            leases.grant(a, [place(0)].into_iter(), LEASE, Now::ZERO),
            "a renewal is none more"
        );
    }
}
