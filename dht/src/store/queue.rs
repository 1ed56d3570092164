//! The bounded queue between those who ask for operations and the one thread that writes.
//!
//! Bounded in bytes by a semaphore that is awaited before an operation is queued: whoever waits
//! there holds nothing but its own request.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Entry, Place};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Applied, Bounds, StoreError};

/// Most bytes of entries waiting to be written: some 256 of the largest, or 1.6 s of a slow disk.
pub(super) const QUEUE_BYTES: u32 = 16 * 1024 * 1024;
/// What an operation counts for beside its value.
const OPERATION_BYTES: u32 = 512;

/// Something the writer is asked to do.
pub(super) enum Operation {
    Apply(ApplyOperation),
    Note(NoteOperation),
    Tidy(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// A copy to be merged, and who wants to know.
pub(super) struct ApplyOperation {
    pub(super) place: Place,
    pub(super) entry: Entry,
    pub(super) bounds: Bounds,
    pub(super) reply: oneshot::Sender<Result<Applied, StoreError>>,
    /// Its share of [`QUEUE_BYTES`], given back when the operation is done.
    pub(super) _share: OwnedSemaphorePermit,
}

/// A note to be kept, and who wants to know.
pub(super) struct NoteOperation {
    pub(super) place: Place,
    pub(super) note: Vec<u8>,
    pub(super) reply: oneshot::Sender<Result<(), StoreError>>,
    /// Its share of [`QUEUE_BYTES`], given back when the operation is done.
    pub(super) _share: OwnedSemaphorePermit,
}

/// How much of [`QUEUE_BYTES`] a note needs, of whatever length.
pub(super) const NOTE_SHARE: u32 = OPERATION_BYTES + super::NOTE_MAX as u32;

/// How much of [`QUEUE_BYTES`] an entry needs.
pub(super) fn share_of(entry: &Entry) -> u32 {
    OPERATION_BYTES + u32::try_from(entry.cost()).unwrap_or(QUEUE_BYTES / 2)
}

/// The operations that wait.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Operation>,
    closed: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an operation, unless the queue is closed.
    pub(super) fn push(&self, operation: Operation) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.closed {
            return Err(StoreError::Closed);
        }
        state.closed = matches!(operation, Operation::Close(_));
        state.waiting.push(operation);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Moves everything that waits into `batch`, waiting at most `patience` for the first.
    pub(super) fn take(&self, patience: Duration, batch: &mut Vec<Operation>) {
        let state = self.state();
        let (mut state, _) = self
            .filled
            .wait_timeout_while(state, patience, |state| state.waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        batch.append(&mut state.waiting);
    }

    /// Whether no more operations are taken.
    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Takes no more operations, and drops those that wait: their askers learn it from the reply
    /// that never comes.
    pub(super) fn shut(&self) {
        let mut state = self.state();
        state.closed = true;
        state.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_come_out_together_and_in_order() {
        let queue = Queue::default();
        let (tidy, _) = oneshot::channel();
        let (close, _) = oneshot::channel();
        assert!(queue.push(Operation::Tidy(tidy)).is_ok());
        assert!(queue.push(Operation::Close(close)).is_ok());
        let mut batch = Vec::new();
        queue.take(Duration::ZERO, &mut batch);
        assert!(matches!(batch[..], [Operation::Tidy(_), Operation::Close(_)]));
    }

    #[test]
    fn nothing_is_queued_after_a_close() {
        let queue = Queue::default();
        let (close, _) = oneshot::channel();
        assert!(queue.push(Operation::Close(close)).is_ok());
        let (tidy, _) = oneshot::channel();
        assert!(queue.push(Operation::Tidy(tidy)).is_err());
    }
}
