//! The clients on one half, and what they write while it is on its own.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::drill::clients::{CREW, Identity, Kind, Ledger, Noted, paced, together};
use crate::rpc::{Client, Reply};

/// Clients of one half.
const CLIENTS: usize = 8;

/// Of what was there before, a half may find nothing, for all copies are in the other one: of each
/// of eight values one. It tries the next.
const SPARE: usize = 2;

/// What the clients of a half do while it is on its own.
#[derive(Debug, Clone, Copy)]
pub(in crate::drill) struct Work {
    pub(in crate::drill) time: Duration,
    pub(in crate::drill) puts: usize,
    pub(in crate::drill) removals: usize,
}

/// The clients on one half.
pub(in crate::drill) struct Crew {
    /// What the half is called.
    pub(in crate::drill) name: &'static str,
    /// Where its nodes serve HTTP.
    pub(in crate::drill) http: Vec<SocketAddr>,
}

impl Crew {
    /// Puts what this half will remove some of.
    pub(in crate::drill) fn prepare(&self, work: Work) -> Result<Ledger> {
        let ledgers = together(CREW, |client| {
            let mut writer = Writer::new(self.http[client % self.http.len()]);
            for number in (client..work.removals * SPARE).step_by(CREW) {
                writer.write(Kind::Put, self.old_value(number))?;
            }
            Ok(writer.ledger)
        })?;
        Ok(gather(ledgers))
    }

    /// Does the work at a steady pace.
    pub(in crate::drill) fn work(&self, work: Work) -> Result<Ledger> {
        Ok(gather(together(CLIENTS, |client| self.client(client, work))?))
    }

    /// One client's share of it.
    fn client(&self, client: usize, work: Work) -> Result<Ledger> {
        /// Writes without a quorum take seconds each; this many times as long as meant is enough.
        const OVERTIME: u32 = 2;
        let share = |of: usize| (client..of).step_by(CLIENTS);
        let (mut puts, mut old) = (share(work.puts), share(work.removals * SPARE));
        let removals = share(work.removals).len();
        let turns = puts.len() + removals;
        let every = work.time / u32::try_from(turns.max(1)).unwrap_or(u32::MAX);
        let mut writer = Writer::new(self.http[client % self.http.len()]);
        let (began, never) = (Instant::now(), AtomicBool::new(false));
        for turn in paced(every, &never).take(turns) {
            let removes = (turn + 1) * removals / turns > turn * removals / turns;
            if !removes {
                if let Some(number) = puts.next() {
                    writer.write(Kind::Put, self.new_value(number))?;
                }
            } else {
                for number in old.by_ref() {
                    if writer.write(Kind::Removal, self.old_value(number))? != Noted::NotThere {
                        break;
                    }
                }
            }
            if began.elapsed() > work.time * OVERTIME {
                break;
            }
        }
        Ok(writer.ledger)
    }

    /// A value that is there before. Each half has its own, under keys of its own.
    fn old_value(&self, number: usize) -> Identity {
        (format!("{} old {number}", self.name), b"there before".to_vec())
    }

    /// A value that is put meanwhile, under a key that the other half uses, too.
    fn new_value(&self, number: usize) -> Identity {
        (format!("new {number}"), format!("put on the {}", self.name).into_bytes())
    }
}

/// A client that writes, and connects again when its connection breaks.
struct Writer {
    server: SocketAddr,
    connection: Option<Client>,
    ledger: Ledger,
}

impl Writer {
    fn new(server: SocketAddr) -> Writer {
        Writer { server, connection: None, ledger: Ledger::default() }
    }

    fn write(&mut self, kind: Kind, identity: Identity) -> Result<Noted> {
        let reply = self.ask(kind, &identity);
        self.ledger.note(kind, identity, reply)
    }

    fn ask(&mut self, kind: Kind, (key, value): &Identity) -> Result<Reply> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Client::connect(self.server)?,
        };
        let reply = match kind {
            Kind::Put => connection.put(key, value),
            Kind::Removal => connection.remove(key, value),
        }?;
        self.connection = Some(connection);
        Ok(reply)
    }
}

/// What several clients were told; no two write the same.
fn gather(ledgers: Vec<Ledger>) -> Ledger {
    let mut all = Ledger::default();
    ledgers.into_iter().for_each(|ledger| all.extend(ledger));
    all
}
