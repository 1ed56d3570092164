//! What each author's entries take, over all shelves: whoever changes it has a shelf's lock, and takes this one
//! last.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{Entry, PublicKey, Signed};

use super::super::NoRoom;
use super::super::rules::{author_bytes, author_cost};
use super::held::{Held, Kind};

/// Bytes by author: see [`Bounds::author`](super::super::Bounds::author).
#[derive(Default)]
pub(super) struct Authors(Mutex<HashMap<PublicKey, u64>>);

impl Authors {
    /// One copy takes another's place, if its author may have so much.
    pub(super) fn replace(
        &self,
        arriving: &Entry,
        held: Option<&Entry>,
        most: u64,
    ) -> Result<(), NoRoom> {
        let Some(author) = arriving.as_signed().map(Signed::author) else { return Ok(()) };
        let mut bytes = self.bytes();
        let used = bytes.get(&author).copied().unwrap_or_default();
        let after = author_bytes(arriving, held, used, most)?;
        bytes.insert(author, after);
        Ok(())
    }

    /// An entry has gone.
    pub(super) fn expired(&self, held: &Held, now: u64) {
        if !matches!(held.kind, Kind::Signed | Kind::SignedRemoval) {
            return;
        }
        let entry = held.to_entry(now);
        let Some(author) = entry.as_signed().map(Signed::author) else { return };
        let mut bytes = self.bytes();
        let used = bytes.get(&author).copied().unwrap_or_default();
        match used.saturating_sub(author_cost(&entry)) {
            0 => bytes.remove(&author),
            left => bytes.insert(author, left),
        };
    }

    fn bytes(&self) -> MutexGuard<'_, HashMap<PublicKey, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
