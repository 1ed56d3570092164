//! What this node watches at the replicas, for those who wait for changes here.
//!
//! ```text
//! Dht::watch ─► Watches: one per place, however many wait ─► keep: leases at all replicas, renewed,
//!      ▲            ▲ dirty                                        anew when the replicas change
//!      └── Known ───┴── notice "changed" of any replica
//! ```
//!
//! A notice says that something changed, never what: one of those who wait reads, and what it saw is for them
//! all ([`seen`]). A notice that is lost is made up for by reading now and then.
//!
//! In an overlay too large to know everybody the replicas of most places are looked for, again and again, as
//! they change; and the leases there are renewed oftener, for a connection that is idle is parted from.

pub(crate) mod seen;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Entry, NodeId, Place};
use futures::future::{BoxFuture, Shared, WeakShared};
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, interval};

use crate::DhtError;
use crate::cursor::Cursor;
use crate::drive;
use crate::node::Node;
use crate::overlay::Now;
use crate::overlay::locate::{Locate, Replica};
use crate::overlay::view::View;
use crate::serve::question_at;
use crate::stamp::{Stamp, Stamps};
use crate::wire::{PLACES_MAX, Reply, Request};
use seen::{Known, Seen};

/// How long a lease is asked for; renewed when half of it is over.
const LEASE: Duration = Duration::from_secs(60);
/// The same where replicas had to be looked for: before they part from one they know nothing of (20 s).
const RENEW_FAR: Duration = Duration::from_secs(8);
/// Until such replicas are looked for again; how many places at a time; and of how many before leases are
/// renewed again.
const LOCATED: Duration = Duration::from_secs(15);
const LOCATE_AT_ONCE: usize = 16;
const LOCATED_TOGETHER: usize = 256;
/// How long leases are kept for whoever comes back to wait.
const LINGER: Duration = Duration::from_secs(30);
/// Between two looks at what has to be renewed.
const LOOK: Duration = Duration::from_secs(1);
/// How long a replica may take to grant leases.
const GRANT: Duration = Duration::from_secs(1);
/// Places watched at once.
const WATCHES_MAX: usize = 16 * 1024;

/// All places this node watches.
#[derive(Default)]
pub(crate) struct Watches {
    places: Mutex<BTreeMap<Place, Watched>>,
    new: Notify,
    pub(crate) stamps: Stamps,
    /// Bytes of entries that are kept of all places.
    kept: Arc<AtomicUsize>,
}

struct Watched {
    waiting: usize,
    /// When the last who waited went.
    left: Option<Now>,
    /// Counts reasons to look again.
    state: watch::Sender<State>,
    /// Another one after each of them.
    stamp: Stamp,
    /// When the lease at each replica was granted.
    leases: BTreeMap<NodeId, Now>,
    /// The replicas that were found where the view does not have them, and when they were looked for.
    located: Option<(Now, Vec<Replica>)>,
    known: Known,
    reading: Option<Reading>,
}

/// A read of a place, for all who wait for it.
pub(crate) type Read = Shared<BoxFuture<'static, Result<Seen, DhtError>>>;

/// One that is under way, for as long as somebody waits for it.
struct Reading {
    /// How many changes had been told when it began.
    told: u64,
    read: WeakShared<BoxFuture<'static, Result<Seen, DhtError>>>,
}

impl Watched {
    fn new(stamp: Stamp) -> Watched {
        Watched {
            waiting: 0,
            left: None,
            state: watch::Sender::default(),
            stamp,
            leases: BTreeMap::new(),
            located: None,
            known: Known::default(),
            reading: None,
        }
    }

    /// Whether all replicas tell of changes now.
    fn holds(&self, now: Now) -> bool {
        self.state.borrow().leased && self.leases.values().all(|granted| now < *granted + LEASE)
    }

    /// Who keeps the place: none while that is not known.
    fn replicas(&self, place: &Place, view: &View) -> Vec<Replica> {
        if view.knows_replicas(place) {
            let replica = |member: &crate::overlay::view::Member| Replica {
                peer: Arc::clone(&member.peer),
                addresses: Arc::clone(&member.addresses),
            };
            return view.replicas(place).into_iter().map(replica).collect();
        }
        self.located.as_ref().map(|(_, replicas)| replicas.clone()).unwrap_or_default()
    }
}

/// What those who wait see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct State {
    /// Counts reasons to look again.
    pub(crate) changes: u64,
    /// Whether all replicas tell this node of changes.
    pub(crate) leased: bool,
}

/// Somebody who waits. Dropped, it waits no more.
pub(crate) struct Waiting {
    node: Arc<Node>,
    place: Place,
    pub(crate) state: watch::Receiver<State>,
}

impl Watches {
    fn places(&self) -> MutexGuard<'_, BTreeMap<Place, Watched>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits at a place; `None` if too many do.
    pub(crate) fn enter(node: &Arc<Node>, place: Place) -> Option<Waiting> {
        let mut places = node.watches.places();
        if places.len() >= WATCHES_MAX && !places.contains_key(&place) {
            return None;
        }
        let watched =
            places.entry(place).or_insert_with(|| Watched::new(node.watches.stamps.next()));
        watched.waiting += 1;
        watched.left = None;
        let state = watched.state.subscribe();
        if watched.leases.is_empty() {
            node.watches.new.notify_one();
        }
        Some(Waiting { node: Arc::clone(node), place, state })
    }

    /// How many places are watched.
    pub(crate) fn count(&self) -> usize {
        self.places().len()
    }

    /// How many leases replicas have granted.
    pub(crate) fn leases(&self) -> usize {
        self.places().values().map(|watched| watched.leases.len()).sum()
    }

    /// A replica says that something changed; only one that was asked to is listened to.
    pub(crate) fn changed(&self, from: &NodeId, changed: &[Place]) {
        let mut places = self.places();
        for place in changed {
            let Some(watched) = places.get_mut(place) else { continue };
            if watched.leases.contains_key(from) {
                watched.stamp = self.stamps.next();
                watched.known.let_go();
                watched.state.send_modify(|state| state.changes += 1);
            }
        }
    }

    /// This node has changed something at a place itself, of which it is not told: whoever waits need not look,
    /// and whoever comes does.
    pub(crate) fn changed_quietly(&self, place: &Place) {
        if let Some(watched) = self.places().get_mut(place) {
            watched.known.let_go();
            watched.state.send_if_modified(|state| {
                state.changes += 1;
                false
            });
        }
    }

    /// Takes what a read of a place saw, and gives what was seen of it last.
    fn learn(&self, place: &Place, seen: Seen) -> Seen {
        match self.places().get_mut(place) {
            Some(watched) => watched.known.learn(seen, watched.waiting > 1, &self.kept),
            None => seen,
        }
    }

    /// The stamp of a place: none, unless all that keep it would tell of changes.
    pub(crate) fn stamp(&self, place: &Place, view: &View) -> Option<Stamp> {
        let places = self.places();
        let watched = places.get(place).filter(|_| view.knows_replicas(place))?;
        let replicas = view.replicas(place);
        let tell = replicas.iter().all(|member| watched.leases.contains_key(&member.peer.id));
        (tell && !replicas.is_empty()).then_some(watched.stamp)
    }

    /// The machine slept: leases may be over that do not seem so here.
    pub(crate) fn woke(&self) {
        for watched in self.places().values_mut() {
            watched.leases.clear();
            watched.state.send_if_modified(|state| std::mem::take(&mut state.leased));
        }
        self.new.notify_one();
    }

    /// The places whose replicas are to be looked for.
    fn to_locate(&self, view: &View, now: Now) -> Vec<Place> {
        let places = self.places();
        let is_old = |watched: &Watched| {
            watched.located.as_ref().is_none_or(|(at, replicas)| {
                now >= *at + if replicas.is_empty() { LOOK } else { LOCATED }
            })
        };
        let far = places.iter().filter(|(place, _)| !view.knows_replicas(place));
        let old = far.filter(|(_, watched)| is_old(watched)).map(|(place, _)| *place);
        old.take(LOCATED_TOGETHER).collect()
    }

    /// They were.
    fn located(&self, place: &Place, replicas: Vec<Replica>, now: Now) {
        if let Some(watched) = self.places().get_mut(place) {
            watched.located = Some((now, replicas));
        }
    }

    /// What to lease, and where, as the replicas are now.
    fn wanted(&self, view: &View, now: Now) -> BTreeMap<NodeId, (Replica, Vec<Place>)> {
        let mut places = self.places();
        places.retain(|_, watched| watched.left.is_none_or(|left| now < left + LINGER));
        let mut wanted: BTreeMap<NodeId, (Replica, Vec<Place>)> = BTreeMap::new();
        for (place, watched) in places.iter_mut() {
            let replicas = watched.replicas(place, view);
            let renew = if view.knows_replicas(place) { LEASE / 2 } else { RENEW_FAR };
            watched.leases.retain(|id, _| replicas.iter().any(|replica| replica.peer.id == *id));
            let is_leased = |replica: &Replica| watched.leases.contains_key(&replica.peer.id);
            if replicas.is_empty() || !replicas.iter().all(is_leased) {
                watched.state.send_if_modified(|state| std::mem::take(&mut state.leased));
            }
            for replica in replicas {
                let granted = watched.leases.get(&replica.peer.id);
                if granted.is_none_or(|granted| now >= *granted + renew) {
                    let of_peer = wanted.entry(replica.peer.id);
                    of_peer.or_insert_with(|| (replica, Vec::new())).1.push(*place);
                }
            }
        }
        wanted
    }

    /// A replica has granted leases. What changed before it did, nobody told.
    fn granted(&self, view: &View, replica: NodeId, leased: &[Place], now: Now) {
        let mut places = self.places();
        for place in leased {
            let Some(watched) = places.get_mut(place) else { continue };
            let is_new = watched.leases.insert(replica, now).is_none();
            if is_new {
                watched.stamp = self.stamps.next();
            }
            let replicas = watched.replicas(place, view);
            let is_leased = |replica: &Replica| watched.leases.contains_key(&replica.peer.id);
            let all = replicas.iter().all(is_leased);
            if is_new || all != watched.state.borrow().leased {
                watched.state.send_modify(|state| {
                    state.changes += u64::from(is_new);
                    state.leased = all;
                });
            }
        }
    }

    /// A replica has not: it may be gone, or know nothing of leases it had granted.
    fn refused(&self, replica: NodeId, places: &[Place]) {
        let mut all = self.places();
        for place in places {
            if let Some(watched) = all.get_mut(place) {
                watched.leases.remove(&replica);
                watched.state.send_if_modified(|state| std::mem::take(&mut state.leased));
            }
        }
    }
}

impl Waiting {
    /// What there is, if that is known without asking anybody, for who has seen `since`.
    pub(crate) fn known(&self, since: &Cursor) -> Option<Seen> {
        let places = self.node.watches.places();
        let watched = places.get(&self.place)?;
        if self.node.has_slept() || !watched.holds(self.node.now()) {
            return None;
        }
        let changes = watched.state.borrow().changes;
        watched.known.after(since, changes, Instant::now()).cloned()
    }

    /// A read by `entries` that sees at least what there is now; for who has seen a state that was seen here,
    /// it may be one of somebody else's that sees all that has been told.
    pub(crate) fn read(
        &self,
        since: Option<&Cursor>,
        entries: impl Future<Output = Result<Vec<Entry>, DhtError>> + Send + 'static,
    ) -> Read {
        let mut places = self.node.watches.places();
        let watched = places
            .entry(self.place)
            .or_insert_with(|| Watched::new(self.node.watches.stamps.next()));
        let told = watched.state.borrow().changes;
        let under_way = watched.reading.as_ref().filter(|reading| reading.told == told);
        if let Some(reading) = under_way
            && since.is_some_and(|since| watched.known.has_seen(since))
            && let Some(read) = reading.read.upgrade()
        {
            return read;
        }
        let (node, place, began) = (Arc::clone(&self.node), self.place, Instant::now());
        let read = async move {
            let seen = Seen::of(entries.await?, told, began, Instant::now());
            Ok(node.watches.learn(&place, seen))
        };
        let read = read.boxed().shared();
        watched.reading = read.downgrade().map(|read| Reading { told, read });
        read
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(watched) = self.node.watches.places().get_mut(&self.place) {
            watched.waiting -= 1;
            if watched.waiting == 0 {
                watched.left = Some(self.node.now());
            }
        }
    }
}

/// Keeps the leases, until the node is closed.
pub(crate) async fn keep(node: Arc<Node>) {
    let mut looks = interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = node.watches.new.notified() => {}
        }
        if node.watches.count() == 0 {
            continue;
        }
        let view = node.view.load_full();
        let far = node.watches.to_locate(&view, node.now());
        stream::iter(far).for_each_concurrent(LOCATE_AT_ONCE, |place| locate(&node, place)).await;
        let mut asking = Vec::new();
        for (replica, places) in node.watches.wanted(&view, node.now()).into_values() {
            let (node, view) = (Arc::clone(&node), Arc::clone(&view));
            asking.push(async move { lease(&node, &view, &replica, &places).await });
        }
        futures::future::join_all(asking).await;
    }
}

/// Looks for the replicas of a place.
async fn locate(node: &Arc<Node>, place: Place) {
    let asked = node.now();
    let replicas = drive::run(node, Locate::new(place)).await;
    node.watches.located(&place, replicas, asked);
}

/// Asks one replica for leases.
async fn lease(node: &Arc<Node>, view: &View, replica: &Replica, places: &[Place]) {
    let Replica { peer, addresses } = replica;
    for places in places.chunks(PLACES_MAX) {
        let lease_ms = u32::try_from(LEASE.as_millis()).unwrap_or(u32::MAX);
        let asked = node.now();
        // This node is told of what changes here as any other.
        let granted = if peer.id == node.me.id {
            node.leases.grant(node.me.id, places.iter().copied(), LEASE, asked)
        } else {
            let request = Request::Watch { places: places.to_vec(), lease_ms };
            let reply = question_at(node, peer, addresses, request, GRANT).await;
            matches!(reply, Some(Ok(Reply::Watching)))
        };
        if granted {
            node.watches.granted(view, peer.id, places, asked);
        } else {
            node.watches.refused(peer.id, places);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::view::tests::{peer, view};

    const fn at(seconds: u64) -> Now {
        Duration::from_secs(seconds)
    }

    #[test]
    fn of_a_far_place_the_replicas_are_looked_for_and_leased_oftener() {
        let (watches, place) = (Watches::default(), Place::of(b"far"));
        let mut watched = Watched::new(watches.stamps.next());
        watched.waiting = 1;
        watches.places().insert(place, watched);
        let mut view = view(20);
        assert!(watches.to_locate(&view, at(0)).is_empty(), "the view has them");
        assert_eq!(watches.wanted(&view, at(0)).len(), 3);
        view.set_known_bits(255);
        assert!(watches.wanted(&view, at(0)).is_empty(), "none of whom it knows is one for sure");
        assert_eq!(watches.to_locate(&view, at(0)), [place]);
        let replica = |n| Replica { peer: peer(n), addresses: [([10, 0, 0, 1], 1).into()].into() };
        watches.located(&place, [100, 101, 102].map(replica).to_vec(), at(0));
        assert!(watches.to_locate(&view, at(14)).is_empty());
        let wanted = watches.wanted(&view, at(0));
        assert_eq!(wanted.len(), 3);
        let leased = || watches.places()[&place].state.borrow().leased;
        for id in wanted.into_keys() {
            assert!(!leased());
            watches.granted(&view, id, &[place], at(0));
        }
        assert!(leased());
        assert!(watches.wanted(&view, at(7)).is_empty());
        assert_eq!(watches.wanted(&view, at(8)).len(), 3);
        assert_eq!(watches.to_locate(&view, at(15)), [place]);
        watches.located(&place, [100, 101, 103].map(replica).to_vec(), at(15));
        let wanted = watches.wanted(&view, at(15));
        assert!(wanted.contains_key(&peer(103).id) && !leased());
        assert!(!watches.places()[&place].leases.contains_key(&peer(102).id));
    }

    #[test]
    fn a_stamp_is_there_while_all_replicas_tell_and_another_one_after_each_change() {
        let (watches, place) = (Watches::default(), Place::of(b"watched"));
        let mut view = view(20);
        assert_eq!(watches.stamp(&place, &view), None, "nobody watches");
        let mut watched = Watched::new(watches.stamps.next());
        watched.waiting = 1;
        watches.places().insert(place, watched);
        let ids: Vec<NodeId> = watches.wanted(&view, at(0)).into_keys().collect();
        for id in &ids {
            assert_eq!(watches.stamp(&place, &view), None, "not all tell");
            watches.granted(&view, *id, &[place], at(0));
        }
        let first = watches.stamp(&place, &view);
        assert!(first.is_some());
        watches.granted(&view, ids[0], &[place], at(1));
        assert_eq!(watches.stamp(&place, &view), first, "renewed");
        watches.changed(&peer(99).id, &[place]);
        assert_eq!(watches.stamp(&place, &view), first, "that one was not asked");
        watches.changed(&ids[1], &[place]);
        let second = watches.stamp(&place, &view);
        assert!(second.is_some() && second != first);
        watches.refused(ids[2], &[place]);
        assert_eq!(watches.stamp(&place, &view), None);
        watches.granted(&view, ids[2], &[place], at(2));
        let third = watches.stamp(&place, &view);
        assert!(third.is_some() && third != second, "what changed before nobody told");
        view.set_known_bits(255);
        assert_eq!(watches.stamp(&place, &view), None, "who keeps it is not known for sure");
        view.set_known_bits(0);
        assert_eq!(watches.stamp(&place, &view), third);
        watches.woke();
        assert_eq!(watches.stamp(&place, &view), None);
    }
}
