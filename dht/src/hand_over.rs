//! Handing over what others keep from now on, when this node leaves.

use std::sync::Arc;
use std::time::Duration;

use base::limits::REPLICAS;
use base::{EntryId, Place};
use futures::StreamExt;
use futures::stream;
use tracing::debug;

use crate::node::Node;
use crate::overlay::Peer;
use crate::overlay::view::View;
use crate::prefix::Prefix;
use crate::serve::{NEAR, question};
use crate::store::ListLimit;
use crate::wire::{Reply, Request};

/// How long one copy that is handed over may take.
const HAND_OVER: Duration = Duration::from_secs(1);
/// Copies handed over at once.
const HAND_OVER_AT_ONCE: usize = 64;
/// What is read of the store at once.
const READ: ListLimit = ListLimit { entries: 512, bytes: 256 * 1024 };

/// Hands this node's share to those who keep it when it is gone. Stops when dropped.
pub(crate) async fn hand_over(node: &Arc<Node>) {
    let view = node.view.load_full();
    let everything = Prefix::everything().places();
    let mut after: Option<(Place, EntryId)> = None;
    loop {
        let Ok(scanned) = node.store.scan(&everything, after, READ) else { return };
        after = scanned.entries.last().map(|(place, entry)| (*place, entry.id()));
        let heirs = scanned.entries.into_iter().filter_map(|(place, entry)| {
            let heir = heir(&view, &place)?;
            Some((heir, place, entry))
        });
        let handed = stream::iter(heirs).map(|(heir, place, entry)| {
            let request = Request::Apply { place, entry, repair: true, room: None, quiet: false };
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
