//! Writers that put and remove until their super-nodes die, and the book they keep of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::choice::Choice;
use crate::rpc::{Client, Datum, Reply};

const WRITERS: u64 = 8;
const KEYS_PER_WRITER: u64 = 40;
/// Few, so that values come back after they were removed.
const VALUES_PER_KEY: u64 = 6;

/// A value under a key.
type Identity = (String, Vec<u8>);

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Its put was acknowledged last.
    There,
    /// Its removal was.
    Gone,
    /// The last operation on it was not acknowledged: it may be in force or not.
    Unknown,
}

/// What writers have been told, and so what must hold.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    known: BTreeMap<Identity, Known>,
    puts: usize,
    removals: usize,
    refusals: Vec<String>,
}

/// Writers at work.
pub(super) struct Writers(Vec<JoinHandle<Result<Ledger>>>);

impl Writers {
    /// Starts them at these super-nodes in turns.
    pub(super) fn start(servers: &[SocketAddr], choice: &mut Choice) -> Result<Writers> {
        let mut writers = Vec::new();
        for (number, server) in (0..WRITERS).zip(servers.iter().cycle()) {
            let connection = Client::connect(*server)?;
            let choice = Choice::seeded(choice.bits());
            writers.push(std::thread::spawn(move || write(connection, number, choice)));
        }
        Ok(Writers(writers))
    }

    /// An error if one has ended already.
    pub(super) fn expect_busy(&self) -> Result<()> {
        ensure!(!self.0.iter().any(JoinHandle::is_finished), "a writer ended before the kill");
        Ok(())
    }

    /// Waits for their end, when nobody answers any more.
    pub(super) fn join(self) -> Result<Ledger> {
        let mut all = Ledger::default();
        for writer in self.0 {
            let one = writer.join().map_err(|_| anyhow!("a writer panicked"))??;
            // Each has keys of its own.
            all.known.extend(one.known);
            all.puts += one.puts;
            all.removals += one.removals;
            all.refusals.extend(one.refusals);
        }
        Ok(all)
    }
}

/// Puts and removes until the connection breaks.
fn write(mut connection: Client, number: u64, mut choice: Choice) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    loop {
        let key = format!("writer {number}/{}", choice.below(KEYS_PER_WRITER));
        let value = format!("value {}", choice.below(VALUES_PER_KEY)).into_bytes();
        let identity = (key, value);
        let removes = ledger.known.get(&identity) == Some(&Known::There) && choice.below(2) == 0;
        let (key, value) = &identity;
        let reply = match removes {
            true => connection.remove(key, value),
            false => connection.put(key, value),
        };
        match reply {
            Ok(Reply::Value(Datum::Int(1))) if removes => {
                ledger.removals += 1;
                ledger.known.insert(identity, Known::Gone);
            }
            Ok(Reply::Value(Datum::Struct(_))) if !removes => {
                ledger.puts += 1;
                ledger.known.insert(identity, Known::There);
            }
            Ok(Reply::Value(other)) => bail!("{other:?} to a write of {key}"),
            Ok(Reply::Fault { code, text }) => {
                ledger.refusals.push(format!("fault {code}: {text}"));
                ledger.known.insert(identity, Known::Unknown);
            }
            Err(_) => {
                ledger.known.insert(identity, Known::Unknown);
                return Ok(ledger);
            }
        }
    }
}

impl Ledger {
    /// Counts, in a line.
    pub(super) fn figures(&self) -> String {
        let unknown = self.known.values().filter(|known| **known == Known::Unknown).count();
        format!(
            "{} puts and {} removals of {} values acknowledged, {} refused, {unknown} unknown",
            self.puts,
            self.removals,
            self.known.len(),
            self.refusals.len()
        )
    }

    /// An error if a write was answered with a fault.
    pub(super) fn none_refused(&self) -> Result<()> {
        match self.refusals.first() {
            None => Ok(()),
            Some(first) => bail!("{} were, the first with {first}", self.refusals.len()),
        }
    }

    /// Compares what a super-node says with what was acknowledged.
    pub(super) fn compare(&self, server: SocketAddr) -> Result<()> {
        let mut connection = Client::connect(server)?;
        let mut keys: Vec<&String> = self.known.keys().map(|(key, _)| key).collect();
        keys.dedup();
        let (mut lost, mut risen) = (Vec::new(), Vec::new());
        for key in keys {
            let held = connection.get(key).with_context(|| format!("cannot get {key}"))?;
            for (number, known) in self.of_key(key) {
                match (known, held.contains(number)) {
                    (Known::There, false) => lost.push(key),
                    (Known::Gone, true) => risen.push(key),
                    _ => {}
                }
            }
            let strange = held
                .iter()
                .find(|value| !self.known.contains_key(&(key.clone(), (*value).clone())));
            ensure!(strange.is_none(), "{key} holds what nobody put there: {strange:?}");
        }
        ensure!(
            lost.is_empty() && risen.is_empty(),
            "{} puts are lost ({lost:?}), {} removals are undone ({risen:?})",
            lost.len(),
            risen.len()
        );
        Ok(())
    }

    fn of_key<'a>(&'a self, key: &'a String) -> impl Iterator<Item = (&'a Vec<u8>, Known)> {
        let from = (key.clone(), Vec::new());
        let values = self.known.range(from..).take_while(move |((of, _), _)| of == key);
        values.map(|((_, value), known)| (value, *known))
    }
}
