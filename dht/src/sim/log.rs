//! The virtual time, for whoever prints what nodes log.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

thread_local! {
    /// When the run in this thread began.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Ends with the run.
pub(super) struct Running(());

/// A run begins in this thread.
pub(super) fn begin() -> Running {
    BEGAN.set(Some(Instant::now()));
    Running(())
}

impl Drop for Running {
    fn drop(&mut self) {
        BEGAN.set(None);
    }
}

/// How long the run in this thread has been going on, by its own clock; `None` if there is none.
pub fn virtual_time() -> Option<Duration> {
    BEGAN.get().map(|began| began.elapsed())
}
