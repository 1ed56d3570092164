//! The task that asks the other replicas when it is time, and keeps what this one votes.

use std::sync::Arc;
use std::time::Duration;

use base::{NodeId, Place, Report, Told};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{Instrument, debug, warn};

use super::now_ms;
use crate::node::Node;
use crate::overlay::Peer;
use crate::serve::question;
use crate::store::StoreError;
use crate::wire::{Reply, Request};

/// Between two looks for what is due; and how many consultations begin at each: 320 a second, of two
/// questions and up to two signatures to check each.
const LOOK: Duration = Duration::from_millis(50);
const AT_ONCE: usize = 16;
/// Consultations under way: what begins while silent replicas are waited for.
const UNDER_WAY: usize = 128;
/// How often it is looked whether places have other replicas than before.
const FOLLOW: Duration = Duration::from_millis(250);
/// The longest wait when nothing is due.
const IDLE: Duration = Duration::from_secs(1);

/// Asks other replicas whenever it is time, until the node is closed.
pub(crate) async fn run(node: Arc<Node>) {
    let mut followed = node.now();
    let mut digest = node.view.load().digest();
    let under_way = Arc::new(Semaphore::new(UNDER_WAY));
    loop {
        if node.claims.names() == 0 {
            node.claims.due.notified().await;
        }
        let now = now_ms(&node);
        let wait = {
            let mut book = node.claims.book();
            if node.now() >= followed + FOLLOW {
                followed = node.now();
                let view = node.view.load();
                if view.digest() != digest {
                    digest = view.digest();
                    book.follow(&view, now);
                }
            }
            let due = book.due_in(now);
            Duration::from_millis(due).clamp(LOOK, IDLE)
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = node.claims.due.notified() => sleep(LOOK.min(wait)).await,
        }
        for _ in 0..AT_ONCE {
            let Ok(permit) = Arc::clone(&under_way).try_acquire_owned() else { break };
            let now = now_ms(&node);
            let Some(place) = node.claims.book().take_due(now) else { break };
            let work = attend(Arc::clone(&node), place);
            tokio::spawn(
                async move {
                    work.await;
                    drop(permit);
                }
                .in_current_span(),
            );
        }
    }
}

/// Does what is due at a place.
async fn attend(node: Arc<Node>, place: Place) {
    let asked = {
        let now = now_ms(&node);
        let mut book = node.claims.book();
        if let Err(error) = book.open(&node, &place, false, now) {
            debug!(%error, "claims cannot be looked at; trying again");
        }
        if book.forget_if_empty(&place) {
            return;
        }
        book.begin_consultation(&node.view.load(), &place, now)
    };
    if let Some(others) = &asked {
        let answers = ask_all(&node, &place, others).await;
        node.claims.book().end_consultation(&place, others, &answers, now_ms(&node));
    }
    let kept = keep_vote(&node, &place).await;
    let now = now_ms(&node);
    let mut book = node.claims.book();
    if asked.is_some() && kept {
        book.changed(&place, now);
    } else {
        book.postpone(&place, now);
    }
}

/// Writes down what this replica would tell, if the disk does not know it yet; whether it does now.
async fn keep_vote(node: &Node, place: &Place) -> bool {
    let note = node.claims.book().note(place, now_ms(node));
    let Some(note) = note else { return true };
    match node.store.keep_note(*place, note.to_bytes()).await {
        Ok(()) => node.claims.book().noted(place, &note, now_ms(node)),
        Err(StoreError::Closed) => return false,
        Err(error) => {
            warn!(%error, "a vote on a name was not kept, and is not told; trying again");
            return false;
        }
    }
    true
}

/// Asks all of them at once; `None` of who does not answer in time, or not as it must.
async fn ask_all(node: &Arc<Node>, place: &Place, others: &[NodeId]) -> Vec<Option<Told>> {
    let view = node.view.load_full();
    let asking = others.iter().map(|id| {
        let peer = view.member(id).map(|member| Arc::clone(&member.peer));
        async move { ask(node, place, &peer?).await }
    });
    futures::future::join_all(asking).await
}

async fn ask(node: &Node, place: &Place, peer: &Arc<Peer>) -> Option<Told> {
    let nonce: [u8; Report::NONCE_LEN] = fastrand::u128(..).to_be_bytes();
    let request = Request::Claims { place: *place, nonce };
    let Some(Ok(Reply::Claims(report))) = question(node, peer, request, node.unanswered()).await
    else {
        return None;
    };
    match report.verify(place, &nonce, &peer.id) {
        Ok(told) => Some(told),
        Err(wrong) => {
            node.meters.malformed.add(1);
            node.complain(peer, &wrong.to_string());
            None
        }
    }
}
