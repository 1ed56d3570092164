//! What of communities is found by its words: what a reader would see there.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::CommunityError;
use super::view::View;
use crate::index::Shelf;
use crate::keys::CommunityId;
use crate::net::Net;
use crate::search::Hit;

/// Communities read at once.
const AT_ONCE: usize = 8;

/// Those of these hits that a reader sees: all that are of no community, and of a community what its members
/// say and nobody hid.
///
/// # Errors
/// The overlay's.
pub async fn seen(net: &Net, mut hits: Vec<Hit>) -> Result<Vec<Hit>, CommunityError> {
    let ids: BTreeSet<CommunityId> = hits.iter().filter_map(community).collect();
    let read = |id| async move {
        match net.community(id).view().await {
            Ok(view) => Ok(Some((id, view))),
            Err(CommunityError::NoSuch(_)) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let views: Vec<_> = stream::iter(ids).map(read).buffer_unordered(AT_ONCE).collect().await;
    let mut read = BTreeMap::<CommunityId, View>::new();
    for view in views {
        read.extend(view?);
    }
    let is_seen = |hit: &Hit, view: &View| {
        let id = hit.thing.content_id(&hit.author);
        let hides = id.is_some_and(|id| view.moderation.hides(&id).is_some());
        view.members.has(&hit.author) && !hides
    };
    hits.retain(|hit| {
        community(hit).is_none_or(|id| read.get(&id).is_some_and(|view| is_seen(hit, view)))
    });
    Ok(hits)
}

/// In which community it was said.
fn community(hit: &Hit) -> Option<CommunityId> {
    match hit.thing.shelf()? {
        Shelf::News(id) | Shelf::Events(id) | Shelf::Polls(id) => Some(id),
        Shelf::Posts => None,
    }
}
