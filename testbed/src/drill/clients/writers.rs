//! Writers that put and remove values of their own, and keep the book of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};

use super::crew::paced;
use super::ledger::{Identity, Kind, Known, Ledger, Noted};
use super::live::{Live, Rover};
use crate::choice::Choice;
use crate::rpc::{Client, Reply};

const WRITERS: u64 = 8;
/// Of a writer that writes as fast as it can, and of one at a slow pace.
const KEYS: u64 = 40;
const KEYS_AT_A_PACE: u64 = 2;
/// Few, so that values come back after they were removed.
const VALUES_PER_KEY: u64 = 6;

/// Writers at work.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Result<Ledger>>>,
}

impl Writers {
    /// Starts them at these super-nodes in turns; each writes as fast as it can until it is not
    /// answered any more.
    pub(crate) fn start(servers: &[SocketAddr], choice: &mut Choice) -> Result<Writers> {
        let mut writers = Vec::new();
        for (number, server) in (0..WRITERS).zip(servers.iter().cycle()) {
            let connection = Client::connect(*server)?;
            let choice = Choice::seeded(choice.bits());
            writers.push(std::thread::spawn(move || until_alone(connection, number, choice)));
        }
        Ok(Writers { stop: Arc::default(), writers })
    }

    /// Starts them at whichever super-nodes are up, each with this much between its writes.
    pub(crate) fn roving(live: &Live, every: Duration, choice: &mut Choice) -> Writers {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |number| {
            let rover = Rover::new(live, Choice::seeded(choice.bits()));
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || until_told(rover, number, every, &stop))
        };
        let writers = (0..WRITERS).map(start).collect();
        Writers { stop, writers }
    }

    /// An error if one has ended already.
    pub(crate) fn expect_busy(&self) -> Result<()> {
        ensure!(
            !self.writers.iter().any(JoinHandle::is_finished),
            "a writer ended before the kill"
        );
        Ok(())
    }

    /// Waits for their end, when nobody answers any more.
    pub(crate) fn join(self) -> Result<Ledger> {
        let mut all = Ledger::default();
        for writer in self.writers {
            // Each has keys of its own.
            all.extend(writer.join().map_err(|_| anyhow!("a writer panicked"))??);
        }
        Ok(all)
    }

    /// Ends those that are not alone.
    pub(crate) fn stop(self) -> Result<Ledger> {
        self.stop.store(true, Ordering::Relaxed);
        self.join()
    }
}

fn until_alone(mut connection: Client, number: u64, mut choice: Choice) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    loop {
        let (kind, identity) = next(&ledger, number, KEYS, &mut choice);
        let reply = write(&mut connection, kind, &identity);
        if ledger.note(kind, identity, reply)? == Noted::Unanswered {
            return Ok(ledger);
        }
    }
}

fn until_told(mut rover: Rover, number: u64, every: Duration, stop: &AtomicBool) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    for _ in paced(every, stop) {
        let (kind, identity) = next(&ledger, number, KEYS_AT_A_PACE, rover.choice());
        let server = rover.next()?;
        let reply = rover.call(server, |connection| write(connection, kind, &identity));
        ledger.note(kind, identity, reply)?;
    }
    Ok(ledger)
}

/// What to write next: a value that is there may be removed, any other is put.
fn next(ledger: &Ledger, number: u64, keys: u64, choice: &mut Choice) -> (Kind, Identity) {
    // As many more as are of no use any more, so that some always are.
    let values = VALUES_PER_KEY + ledger.unknown() as u64;
    loop {
        let key = format!("writer {number}/{}", choice.below(keys));
        let identity = (key, format!("value {}", choice.below(values)).into_bytes());
        match ledger.known(&identity) {
            Some(Known::Unknown) => {}
            Some(Known::There) if choice.below(2) == 0 => return (Kind::Removal, identity),
            _ => return (Kind::Put, identity),
        }
    }
}

fn write(connection: &mut Client, kind: Kind, (key, value): &Identity) -> Result<Reply> {
    match kind {
        Kind::Put => connection.put(key, value),
        Kind::Removal => connection.remove(key, value),
    }
}
