//! Being told to stop.

use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Result;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Says once when SIGINT or SIGTERM came.
pub(crate) fn told_to_stop() -> Result<Receiver<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        // Whoever does not listen any more is stopping already.
        let _ = sender.send(());
    });
    Ok(receiver)
}
