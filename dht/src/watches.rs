//! What this node watches at the replicas, for those who wait for changes here.
//!
//! ```text
//! Dht::watch ─► Watches: one per place, however many wait ─► keep: leases at all replicas, renewed,
//!      ▲            ▲ dirty                                        anew when the replicas change
//!      └── reads ───┴── notice "changed" of any replica
//! ```
//!
//! A notice says that something changed, never what: whoever waits reads. One that is lost is made up
//! for by reading now and then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{NodeId, Place};
use tokio::sync::{Notify, watch};
use tokio::time::interval;

use crate::node::Node;
use crate::overlay::view::View;
use crate::overlay::{Now, Peer};
use crate::serve::question;
use crate::wire::{PLACES_MAX, Reply, Request};

/// How long a lease is asked for; renewed when half of it is over.
const LEASE: Duration = Duration::from_secs(60);
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
}

struct Watched {
    waiting: usize,
    /// When the last who waited went.
    left: Option<Now>,
    /// Counts reasons to look again.
    state: watch::Sender<State>,
    /// When the lease at each replica was granted.
    leases: BTreeMap<NodeId, Now>,
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
        let watched = places.entry(place).or_insert_with(|| Watched {
            waiting: 0,
            left: None,
            state: watch::Sender::default(),
            leases: BTreeMap::new(),
        });
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
        let places = self.places();
        let watched = changed.iter().filter_map(|place| places.get(place));
        for watched in watched.filter(|watched| watched.leases.contains_key(from)) {
            watched.state.send_modify(|state| state.changes += 1);
        }
    }

    /// What to lease, and where, as the replicas are now.
    fn wanted(&self, view: &View, now: Now) -> BTreeMap<NodeId, (Arc<Peer>, Vec<Place>)> {
        let mut places = self.places();
        places.retain(|_, watched| watched.left.is_none_or(|left| now < left + LINGER));
        let mut wanted: BTreeMap<NodeId, (Arc<Peer>, Vec<Place>)> = BTreeMap::new();
        for (place, watched) in places.iter_mut() {
            let replicas = view.replicas(place);
            watched.leases.retain(|id, _| replicas.iter().any(|member| member.peer.id == *id));
            if replicas.iter().any(|member| !watched.leases.contains_key(&member.peer.id)) {
                watched.state.send_if_modified(|state| std::mem::take(&mut state.leased));
            }
            for member in replicas {
                let granted = watched.leases.get(&member.peer.id);
                if granted.is_none_or(|granted| now >= *granted + LEASE / 2) {
                    let of_peer = wanted.entry(member.peer.id);
                    let (_, places) =
                        of_peer.or_insert_with(|| (Arc::clone(&member.peer), Vec::new()));
                    places.push(*place);
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
            let replicas = view.replicas(place);
            let all = replicas.iter().all(|m| watched.leases.contains_key(&m.peer.id));
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
        let mut asking = Vec::new();
        for (peer, places) in node.watches.wanted(&view, node.now()).into_values() {
            let (node, view) = (Arc::clone(&node), Arc::clone(&view));
            asking.push(async move { lease(&node, &view, &peer, &places).await });
        }
        futures::future::join_all(asking).await;
    }
}

/// Asks one replica for leases.
async fn lease(node: &Arc<Node>, view: &View, peer: &Arc<Peer>, places: &[Place]) {
    for places in places.chunks(PLACES_MAX) {
        let lease_ms = u32::try_from(LEASE.as_millis()).unwrap_or(u32::MAX);
        let asked = node.now();
        // This node is told of what changes here as any other.
        let granted = if peer.id == node.me.id {
            node.leases.grant(node.me.id, places.iter().copied(), LEASE, asked)
        } else {
            let request = Request::Watch { places: places.to_vec(), lease_ms };
            matches!(question(node, peer, request, GRANT).await, Some(Ok(Reply::Watching)))
        };
        if granted {
            node.watches.granted(view, peer.id, places, asked);
        } else {
            node.watches.refused(peer.id, places);
        }
    }
}
