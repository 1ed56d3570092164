//! The requests that wait for a peer's reply.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::link::{Lost, ReplySlot};

/// Most requests that may wait for one peer. A peer that is this far behind answers nobody in time.
pub(super) const WAITING_MAX: usize = 1024;
/// No asker waits this long; the longest page takes less on the slowest radio.
const REPLY_MAX: Duration = Duration::from_secs(30);

/// By id.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    by_id: HashMap<u64, ReplySlot>,
    last: u64,
    closed: bool,
}

impl Waiting {
    /// Lets a request wait; its id. Otherwise the slot comes back, and why.
    pub(super) fn add(&self, slot: ReplySlot) -> Result<u64, (ReplySlot, Lost)> {
        let mut slots = self.lock();
        if slots.closed {
            return Err((slot, Lost::Connection));
        }
        if slots.by_id.len() >= WAITING_MAX {
            slots.by_id.retain(|_, slot| !slot.is_abandoned());
            if slots.by_id.len() >= WAITING_MAX {
                return Err((slot, Lost::Busy));
            }
        }
        slots.last += 1;
        let id = slots.last;
        slots.by_id.insert(id, slot);
        Ok(id)
    }

    /// The slot of a request, unless nobody waits any more.
    pub(super) fn take(&self, id: u64) -> Option<ReplySlot> {
        self.lock().by_id.remove(&id)
    }

    /// Tells all that wait that no reply will come.
    pub(super) fn fail_all(&self) {
        // A slot that is dropped says so; not while others want the lock.
        let slots = std::mem::take(&mut self.lock().by_id);
        drop(slots);
    }

    /// The same, and lets none wait any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.fail_all();
    }

    /// Forgets those whose asker gave up, or will get no reply any more.
    pub(super) fn sweep(&self) {
        let mut slots = self.lock();
        let given_up: Vec<_> = slots
            .by_id
            .extract_if(|_, slot| slot.is_abandoned() || slot.asked().elapsed() > REPLY_MAX)
            .collect();
        drop(slots);
        drop(given_up);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
