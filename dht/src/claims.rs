//! The names that are claimed at this node, as one of their replicas: which claims are let in, what is
//! told of them, and when the other replicas are asked.
//!
//! ```text
//! serve ──► arrives ─► Contest::fresh ─► store ─► written      (a claimant puts a claim)
//!       ──► tell ─► what this replica endorses, signed         (a reader, or another replica, asks)
//! repair ─► touched                                            (a copy came)
//! decide ─► asks the others ─► Contest::reports ─► note on disk ─► tells its vote
//! ```
//!
//! The store has the claims; a [`Docket`] follows it. What a vote rests on, and why it is on disk before
//! it is told: `docs/decisions/0018-claims.md`.

mod book;
pub(crate) mod decide;
mod docket;

use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{Admission, Claim, Entry, EntryId, Place, PublicKey, Report, Told};
use tokio::sync::Notify;
use tracing::debug;

use self::book::Book;
use self::docket::is_claim;
use crate::node::Node;
use crate::store::{ListLimit, StoreError};
use crate::wire::{Refusal, Reply};

/// All names that are claimed here.
#[derive(Default)]
pub(crate) struct Claims {
    book: Mutex<Book>,
    /// Something may be due.
    due: Notify,
}

/// A claim that was let in, until it is written.
pub(crate) struct Admitted {
    place: Place,
    author: PublicKey,
}

impl Claims {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many names are claimed here.
    pub(crate) fn names(&self) -> usize {
        self.book().names()
    }

    /// The machine slept: nothing is sure any more.
    pub(crate) fn woke(&self) {
        self.book().doubt_all();
        self.due.notify_one();
    }
}

fn now_ms(node: &Node) -> u64 {
    u64::try_from(node.now().as_millis()).unwrap_or(u64::MAX)
}

/// Something that is signed is about to be put here by its author. What is no claim goes on; so does one
/// this replica lets in, and [`written`] is to be told of it.
///
/// # Errors
/// What to answer instead.
pub(crate) fn arrives(
    node: &Node,
    place: &Place,
    entry: &Entry,
) -> Result<Option<Admitted>, Reply> {
    let Some(signed) = entry.as_signed().filter(|signed| signed.kind() == base::Kind::Claim) else {
        return Ok(None);
    };
    if signed.is_removal() || is_superseded(node, place, entry) {
        return Ok(None);
    }
    let read = node.signatures.verify(signed.clone(), place).map_err(|wrong| wrong.to_string());
    let read = read.and_then(|signed| Claim::read(&signed, place).map_err(|no| no.to_string()));
    let claim = read.map_err(|why| Reply::refused(Refusal::Malformed, &why))?;
    let author = signed.author();
    let now = now_ms(node);
    let mut book = node.claims.book();
    let admission = match book.open(node, place, true, now) {
        Ok(Some(docket)) => docket.admit(author, &claim, now),
        Ok(None) => {
            let text = "this super-node follows as many names as it can; try again later";
            return Err(Reply::refused(Refusal::OverCapacity, text));
        }
        Err(error) => return Err(Reply::refused(Refusal::Failed, &error.to_string())),
    };
    book.changed(place, now);
    drop(book);
    node.claims.due.notify_one();
    match admission {
        Admission::Accepted | Admission::Behind(_) => Ok(Some(Admitted { place: *place, author })),
        Admission::Taken(by) => {
            let text = format!(
                "the name, or one that looks like it, is that of the key {}; choose another",
                by.fingerprint()
            );
            Err(Reply::refused(Refusal::Taken, &text))
        }
        Admission::Full => {
            let text = "too many claim this name; choose another, or try again later";
            Err(Reply::refused(Refusal::OverCapacity, text))
        }
    }
}

/// One that was let in is in force, or could not be written.
pub(crate) fn written(node: &Node, admitted: &Admitted) {
    let now = now_ms(node);
    let mut book = node.claims.book();
    book.written(&admitted.place, &admitted.author, now);
    drop(book);
    node.claims.due.notify_one();
}

/// A copy, or a removal, of something signed is in force at a place now.
pub(crate) fn touched(node: &Node, place: &Place, entry: &Entry) {
    if !entry.as_signed().is_some_and(is_claim) {
        return;
    }
    let now = now_ms(node);
    let mut book = node.claims.book();
    book.touch(place);
    if let Err(error) = book.open(node, place, false, now) {
        debug!(%error, "a claim cannot be looked at; it will be when somebody asks");
    }
    book.changed(place, now);
    drop(book);
    node.claims.due.notify_one();
}

/// What this replica tells of a place, signed for whoever asks with this nonce.
pub(crate) fn tell(node: &Node, place: &Place, nonce: &[u8; Report::NONCE_LEN]) -> Reply {
    let told = match told(node, place) {
        Ok(told) => told,
        Err(error) => return Reply::refused(Refusal::Failed, &error.to_string()),
    };
    Reply::Claims(Box::new(Report::sign(&node.key, place, nonce, told)))
}

/// What it tells.
///
/// # Errors
/// What the store says.
pub(crate) fn told(node: &Node, place: &Place) -> Result<Told, StoreError> {
    let now = now_ms(node);
    let mut book = node.claims.book();
    let told = match book.open(node, place, false, now)? {
        // Who slept may have been taken for gone, and others have voted since.
        Some(docket) if node.has_slept() => {
            docket.doubt();
            docket.told(now)
        }
        Some(docket) => docket.told(now),
        None => Told::default(),
    };
    if book.changed(place, now) {
        drop(book);
        node.claims.due.notify_one();
    }
    Ok(told)
}

/// Whether this or something newer of the same author is held here: then it changes nothing.
fn is_superseded(node: &Node, place: &Place, entry: &Entry) -> bool {
    held(node, place, entry.id()).is_some_and(|held| held.version() > entry.version())
}

fn held(node: &Node, place: &Place, id: EntryId) -> Option<Entry> {
    let exactly = (Bound::Included(id), Bound::Included(id));
    let limit = ListLimit { entries: 1, bytes: usize::MAX };
    node.store.list(place, exactly, limit).ok()?.entries.pop()
}
