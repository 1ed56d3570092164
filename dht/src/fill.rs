//! Copying: what this node should keep, from others; and what others should, when it leaves.

use std::sync::Arc;
use std::time::Duration;

use base::limits::REPLICAS;
use base::{Entry, EntryId, Place};
use futures::StreamExt;
use futures::stream::{self, FuturesUnordered};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::node::Node;
use crate::overlay::Peer;
use crate::overlay::filling::PullEnd;
use crate::overlay::view::View;
use crate::serve::{NEAR, question};
use crate::store::{ListLimit, NoRoom, StoreError};
use crate::wire::{Pulled, Reply, Request};

/// How long one part of a pull may take.
const PART: Duration = Duration::from_secs(10);
/// How long a whole pull may take: some 100 MB on a good network; what is left the next one brings.
const PULL_MAX: Duration = Duration::from_secs(120);
/// How long one copy that is handed over may take.
const HAND_OVER: Duration = Duration::from_secs(1);
/// Copies handed over at once.
const HAND_OVER_AT_ONCE: usize = 64;
/// What is read of the store at once when leaving.
const READ: ListLimit = ListLimit { entries: 512, bytes: 256 * 1024 };

/// Copies everything a member has that this node should keep.
pub(crate) async fn pull(node: Arc<Node>, peer: Arc<Peer>) -> PullEnd {
    // A part that leads nowhere, again and again, must not hold a place among the few pulls.
    timeout(PULL_MAX, pull_parts(node, peer)).await.unwrap_or(PullEnd::Failed)
}

async fn pull_parts(node: Arc<Node>, peer: Arc<Peer>) -> PullEnd {
    let mut after = None;
    loop {
        let request = Request::Pull { after };
        let Some(Ok(Reply::Pulled(part))) = question(&node, &peer, request, PART).await else {
            return PullEnd::Failed;
        };
        let Pulled { entries, next } = part;
        // A part that leads nowhere would be asked for without end.
        if next.is_some() && next <= after {
            node.meters.malformed.add(1);
            return PullEnd::Failed;
        }
        match take(&node, entries).await {
            Ok(count) => node.meters.entries_pulled.add(count),
            Err(StoreError::OverCapacity(what)) => {
                warn!(from = %peer.id, %what, "not all can be kept that should be");
                return PullEnd::NoRoom;
            }
            Err(error) => {
                warn!(from = %peer.id, %error, "copying entries failed");
                return PullEnd::Failed;
            }
        }
        match next {
            Some(_) => after = next,
            None => return PullEnd::Done,
        }
    }
}

/// Merges copies into the store; how many were news to it.
async fn take(node: &Node, entries: Vec<(Place, Entry)>) -> Result<u64, StoreError> {
    let view = node.view.load_full();
    let mut writes = FuturesUnordered::new();
    for (place, entry) in entries {
        // Nobody else's entries are taken, whoever offers them.
        if view.keeps(&place, NEAR) {
            node.observe(&entry);
            writes.push(node.store.apply(place, entry));
        }
    }
    let mut count = 0;
    while let Some(applied) = writes.next().await {
        match applied {
            Ok(crate::store::Applied::Stored { .. }) => count += 1,
            Ok(crate::store::Applied::Stale(_)) => {}
            // One that could not be made honestly is nobody's loss.
            Err(StoreError::VersionJump { .. }) => {}
            // A key has its limits at every replica; the entries after it are no worse for it.
            Err(StoreError::OverCapacity(NoRoom::KeyEntries | NoRoom::KeyBytes)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Hands this node's share to those who keep it when it is gone. Stops when dropped.
pub(crate) async fn hand_over(node: &Arc<Node>) {
    let view = node.view.load_full();
    let everything = Place::from_bytes([0; Place::LEN])..=Place::from_bytes([0xff; Place::LEN]);
    let mut after: Option<(Place, EntryId)> = None;
    loop {
        let Ok(scanned) = node.store.scan(&everything, after, READ) else { return };
        after = scanned.entries.last().map(|(place, entry)| (*place, entry.id()));
        let heirs = scanned.entries.into_iter().filter_map(|(place, entry)| {
            let heir = heir(&view, &place)?;
            Some((heir, place, entry))
        });
        let handed = stream::iter(heirs).map(|(heir, place, entry)| {
            let request = Request::Apply { place, entry, repair: true };
            async move { question(node, &heir, request, HAND_OVER).await }
        });
        let mut handed = handed.buffer_unordered(HAND_OVER_AT_ONCE);
        while let Some(reply) = handed.next().await {
            if matches!(reply, Some(Ok(Reply::Applied | Reply::Stale(_)))) {
                node.meters.entries_handed_over.add(1);
            } else {
                debug!(?reply, "a copy was not taken over");
            }
        }
        if !scanned.more {
            return;
        }
    }
}

/// Who comes to keep a place when this node leaves: the next in line. Nobody, if this node does not
/// keep it, or all others do anyway.
fn heir(view: &View, place: &Place) -> Option<Arc<Peer>> {
    let near = view.closest(place, NEAR);
    let mine = near.iter().position(|member| member.peer.id == view.me().id)?;
    near.get(REPLICAS)
        .filter(|heir| mine < REPLICAS && heir.well)
        .map(|member| Arc::clone(&member.peer))
}
