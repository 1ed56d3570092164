//! Clients at work at the same time.

use anyhow::{Context, Result, anyhow};

/// Clients of a crew.
pub(super) const CREW: usize = 16;

/// Has each client of a crew do its share, told by its number, and gathers what they come to.
pub(super) fn together<T: Send>(work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let work = &work;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CREW).map(|number| scope.spawn(move || work(number))).collect();
        let outcome = |(number, client): (usize, std::thread::ScopedJoinHandle<'_, Result<T>>)| {
            let outcome = client.join().map_err(|_| anyhow!("it panicked"));
            outcome.and_then(|outcome| outcome).with_context(|| format!("client {number}"))
        };
        clients.into_iter().enumerate().map(outcome).collect()
    })
}
