//! All communities: the list `communities`, an element of each who founded or moderates one.

use std::collections::BTreeSet;

use base::limits::LIST_ROOM;
use base::list::Placemark;
use base::{PublicKey, Slot};
use prost::Message;

use super::{Charter, LIFE, charters};
use crate::author::Author;
use crate::keys::{self, CommunityId};
use crate::net::Net;
use crate::overlay::OverlayError;

/// That there is a community: the body of an element of the list, whose slot is the community's id. All else
/// that is shown of it is what its founder says.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Listing {
    /// When it was listed.
    #[prost(uint64, tag = "1")]
    pub stamp: u64,
}

/// Lists a community. Counts if the author founded or moderates it.
pub(super) async fn list(net: &Net, author: &Author, id: CommunityId) -> Result<(), OverlayError> {
    let listing = Listing { stamp: author.stamp([]).millis() };
    let slot = Slot::new(*id.as_bytes());
    net.list(keys::communities()).publish(author, slot, LIFE, &listing, None).await?;
    Ok(())
}

/// Part of all communities, from a placemark on or from the beginning, and where to go on. A page may be
/// empty and yet not the last; what is kept by several may be on two pages.
///
/// # Errors
/// The overlay's.
pub async fn communities(
    net: &Net,
    from: Option<Placemark>,
) -> Result<(Vec<Charter>, Option<Placemark>), OverlayError> {
    let page = net.list(keys::communities()).page(from, LIST_ROOM).await?;
    let listed = page.items.iter().map(|item| (*item.slot().as_bytes(), item.author()));
    let listed: BTreeSet<([u8; CommunityId::LEN], PublicKey)> = listed.collect();
    let ids: BTreeSet<_> = listed.iter().map(|(id, _)| *id).collect();
    let ids: Vec<CommunityId> = ids.into_iter().map(CommunityId::from_bytes).collect();
    let mut found = charters(net, &ids).await?;
    // Else anybody could have others read any number of keys, and list what was given up.
    found.retain(|charter| {
        let id = *charter.id.as_bytes();
        let first = PublicKey::from_bytes([0; PublicKey::LEN]);
        let last = PublicKey::from_bytes([0xff; PublicKey::LEN]);
        listed.range((id, first)..=(id, last)).any(|(_, who)| charter.moderates(who))
    });
    Ok((found, page.next))
}
