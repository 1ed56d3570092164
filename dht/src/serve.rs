//! The replica's side: answers what other super-nodes ask, straight from the store.

mod copies;

use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use base::limits::REPLICAS;
use base::{Entry, NodeId, Place, Report};
use tokio::time::timeout;

use crate::claims;
use crate::link::{Lost, ReplySlot, Responder, Response};
use crate::node::Node;
use crate::overlay::Peer;
use crate::overlay::view::Member;
use crate::store::{Applied, Bounds, ListLimit, StoreError};
use crate::wire::{
    Get, LISTING_BYTES, LISTING_ENTRIES, Listing, MEMBERS_MAX, MEMBERS_NEAR, Refusal, Reply,
    Request,
};

pub(crate) use self::copies::PULLS_MAX;

/// Copies that only make replicas alike are taken by one more member than the replicas: the next in
/// line, should one of them leave.
pub(crate) const NEAR: usize = REPLICAS + 1;

/// Answers for a node.
pub(crate) struct Server(pub(crate) Arc<Node>);

impl Responder for Server {
    fn respond(&self, from: NodeId, request: Request) -> Response {
        self.0.meters.served.add(1);
        respond(&self.0, from, request)
    }
}

/// Answers one request.
pub(crate) fn respond(node: &Arc<Node>, from: NodeId, request: Request) -> Response {
    match request {
        Request::Get(get) => Response::Now(list(node, &get)),
        Request::Apply { place, entry, repair, room, quiet } => {
            let node = Arc::clone(node);
            if let Some(refusal) = refuse_write(&node, &place, repair) {
                return Response::Now(refusal);
            }
            let room = room.filter(|_| !repair);
            if room.is_some() && !node.view.load().is_complete(&place) {
                let text = "this super-node does not know all values there yet; try again";
                return Response::Now(Reply::refused(Refusal::Later, text));
            }
            if from != node.me.id
                && let Err(exhausted) = node.quotas.take(from, &entry, node.now())
            {
                node.meters.over_quota.add(1);
                let text = format!("your super-node writes more than it may; {exhausted}");
                return Response::Now(Reply::refused(Refusal::OverCapacity, &text));
            }
            if from != node.me.id {
                node.watches.stamps.in_company();
            }
            let knows = (quiet && !repair).then_some(from);
            Response::Later(Box::pin(apply(node, place, entry, (repair, room), knows)))
        }
        Request::Probe => Response::Now(Reply::Alive(node.view.load().digest())),
        Request::ProbeFor(target) => match node.view.load().member(&target) {
            Some(member) => {
                let probe = probe(Arc::clone(node), Arc::clone(&member.peer));
                Response::Later(Box::pin(async move {
                    if probe.await.is_some() { Reply::Heard } else { Reply::Silent }
                }))
            }
            None => Response::Now(Reply::Silent),
        },
        Request::Members { near } => {
            let view = node.view.load();
            let (place, count) = match near {
                Some(place) => (place, MEMBERS_NEAR),
                // The first is the asker itself, if it is a member.
                None => (from.place(), MEMBERS_MAX),
            };
            let known = view.closest(&place, count).into_iter();
            let others = known.filter(|m| m.peer.id != from && m.peer.id != node.me.id && m.well);
            let contacts = others.map(Member::contact).collect();
            let (settled, more) = (view.can_tell(), view.is_crowd());
            Response::Now(Reply::Members { contacts, settled, more })
        }
        Request::Digests(queries) => copies::compare(node, from, queries),
        Request::Pull(wanted) => copies::pull(node, from, wanted),
        Request::Claims { place, nonce } => Response::Now(claims_at(node, &place, &nonce)),
        Request::Watch { places, lease_ms } => Response::Now(watch(node, from, &places, lease_ms)),
    }
}

/// Who has the name that is claimed there.
fn claims_at(node: &Node, place: &Place, nonce: &[u8; Report::NONCE_LEN]) -> Reply {
    let view = node.view.load();
    if !view.keeps(place, REPLICAS) {
        return Reply::NotMine(view.closer(place));
    }
    claims::tell(node, place, nonce)
}

fn list(node: &Node, get: &Get) -> Reply {
    let view = node.view.load();
    if !view.keeps(&get.place, REPLICAS) {
        return Reply::NotMine(view.closer(&get.place));
    }
    let range = (
        get.after.map_or(Bound::Unbounded, Bound::Excluded),
        get.until.map_or(Bound::Unbounded, Bound::Included),
    );
    let limit = ListLimit {
        entries: get.entries.min(LISTING_ENTRIES),
        bytes: get.bytes.min(LISTING_BYTES),
    };
    // Asked before the store is: what is pulled meanwhile can only be missing from the answer.
    let complete = view.is_complete(&get.place) && !node.has_slept();
    match node.store.list(&get.place, range, limit) {
        Ok(listed) => {
            Reply::Listed(Listing { entries: listed.entries, more: listed.more, complete })
        }
        Err(error) => refused(&error),
    }
}

/// Whether a copy is not for this node.
fn refuse_write(node: &Node, place: &Place, repair: bool) -> Option<Reply> {
    if node.is_leaving() && !repair {
        return Some(Reply::refused(Refusal::Later, "this super-node is stopping; try again"));
    }
    let view = node.view.load();
    let keeps = if repair { view.copies(place, NEAR) } else { view.keeps(place, REPLICAS) };
    (!keeps).then(|| Reply::NotMine(view.closer(place)))
}

async fn apply(
    node: Arc<Node>,
    place: Place,
    entry: Entry,
    (repair, room): (bool, Option<u32>),
    knows: Option<NodeId>,
) -> Reply {
    node.observe(&entry);
    let admitted = match repair {
        true => None,
        false => match claims::arrives(&node, &place, &entry) {
            Ok(admitted) => admitted,
            Err(refused) => return refused,
        },
    };
    let signed = entry.as_signed().is_some().then(|| entry.clone());
    let bounds = if repair { Bounds::REPAIR } else { Bounds::USUAL };
    let values = room.map_or(bounds.values, |room| room as usize);
    let applied = node.store.apply_within(place, entry, Bounds { values, ..bounds }).await;
    if let Some(admitted) = admitted {
        claims::written(&node, &admitted);
    } else if let Some(signed) = signed {
        claims::touched(&node, &place, &signed);
    }
    // Somebody closer may have come, and copied what was here, while the disk wrote: then this
    // copy is one nobody will ask for.
    if let Some(refusal) = refuse_write(&node, &place, repair) {
        return refusal;
    }
    match applied {
        Ok(Applied::Stored { .. }) => {
            node.leases.changed(&place, knows.as_ref());
            Reply::Applied
        }
        Ok(Applied::Stale(held)) => Reply::Stale(held),
        // For a repair it is the same copy. Who puts it asks for a longer life, and gets it with a version
        // of its own.
        Ok(Applied::EndsSooner(_)) if repair => Reply::Applied,
        Ok(Applied::EndsSooner(held)) => Reply::Stale(held),
        Err(StoreError::OverCapacity(full)) if room.is_some() && full.is_of_key() => {
            Reply::refused(Refusal::Full, &full.to_string())
        }
        Err(error) => refused(&error),
    }
}

/// Tells `from` from now on when something changes at these places, of those this node keeps.
fn watch(node: &Node, from: NodeId, places: &[Place], lease_ms: u32) -> Reply {
    let view = node.view.load();
    let mine = places.iter().filter(|place| view.keeps(place, NEAR));
    let lease = Duration::from_millis(lease_ms.into());
    if node.leases.grant(from, mine.copied(), lease, node.now()) {
        return Reply::Watching;
    }
    Reply::refused(Refusal::OverCapacity, "this super-node is asked to watch too much")
}

/// Asks a member whether it is there: the digest of the members it knows, if it says so in time.
async fn probe(node: Arc<Node>, peer: Arc<Peer>) -> Option<u64> {
    match question(&node, &peer, Request::Probe, node.unanswered()).await {
        Some(Ok(Reply::Alive(digest))) => Some(digest),
        _ => None,
    }
}

/// Sends one request and waits for its answer; `None` when there is none in time.
pub(crate) async fn question(
    node: &Node,
    peer: &Arc<Peer>,
    request: Request,
    patience: Duration,
) -> Option<Result<Reply, Lost>> {
    let addresses = node.view.load().member(&peer.id).map(|m| Arc::clone(&m.addresses));
    question_at(node, peer, addresses.as_deref().unwrap_or_default(), request, patience).await
}

/// The same of one that may be no member, at these addresses.
pub(crate) async fn question_at(
    node: &Node,
    peer: &Arc<Peer>,
    addresses: &[SocketAddr],
    request: Request,
    patience: Duration,
) -> Option<Result<Reply, Lost>> {
    node.meters.requests.add(1);
    let (slot, answer) = ReplySlot::once(Arc::clone(peer));
    node.link.request(peer, addresses, request, slot);
    let answer = timeout(patience, answer).await.ok()?.ok()?;
    Some(answer.reply)
}

fn refused(error: &StoreError) -> Reply {
    let why = match error {
        StoreError::OverCapacity(_) => Refusal::OverCapacity,
        StoreError::VersionJump { .. } => Refusal::Malformed,
        StoreError::Failed(_) | StoreError::Closed => Refusal::Failed,
    };
    Reply::refused(why, &error.to_string())
}
