//! Who is connected: how many connections a source may have, and whose goes when there are too many.
//! No socket and no clock; whoever owns the [`Guests`] closes the connections it names.
//!
//! Nobody waits for room. A source at its own bound loses the connection it has left idle longest; if
//! all of them are taken, the source with the most does. Only if there nothing but work is going on
//! is the newcomer turned away.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::budget::Account;
use crate::source::Source;

/// Most connections at a time. A laptop's default limit of 1,024 open files leaves none for the rest,
/// so that it is a bit less.
pub(super) const CONNECTIONS_MAX: usize = 900;
/// Most of one source: what a few browsers and programs have, several times over.
pub(super) const OF_ONE_MAX: usize = 128;
/// Most of this machine: much, for whole load tests run there, but not all.
pub(super) const OF_LOOPBACK_MAX: usize = 600;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    /// Nothing, or sending a head, or reading a reply.
    Nothing,
    /// Sending a body.
    Sending,
    /// Waiting for its answer.
    Waiting,
}

/// What a connection is doing and since when, told without a lock.
#[derive(Debug)]
pub(super) struct Pulse(AtomicU64);

impl Pulse {
    /// A connection is new, or a reply was made.
    pub(super) fn rest(&self, now_ms: u64) {
        self.set(Doing::Nothing, now_ms);
    }

    /// A head was read, a body may follow.
    pub(super) fn receive(&self, now_ms: u64) {
        self.set(Doing::Sending, now_ms);
    }

    /// The request is there, and is worked on.
    pub(super) fn work(&self) {
        let (_, since) = self.get();
        self.set(Doing::Waiting, since);
    }

    /// The request waits for something that takes this node nothing: the connection may be closed for
    /// another.
    pub(super) fn wait(&self) {
        let (_, since) = self.get();
        self.set(Doing::Nothing, since);
    }

    fn set(&self, doing: Doing, now_ms: u64) {
        self.0.store(now_ms << 2 | doing as u64, Ordering::Relaxed);
    }

    fn get(&self) -> (Doing, u64) {
        let held = self.0.load(Ordering::Relaxed);
        let doing = match held & 3 {
            0 => Doing::Nothing,
            1 => Doing::Sending,
            _ => Doing::Waiting,
        };
        (doing, held >> 2)
    }
}

/// A connection that may be there.
#[derive(Debug)]
pub(super) struct Guest {
    /// Its number.
    pub(super) id: u64,
    /// What it is doing.
    pub(super) pulse: Arc<Pulse>,
    /// What its source has of the memory.
    pub(super) account: Arc<Account>,
}

/// What becomes of a new connection.
#[derive(Debug)]
pub(super) enum Admission {
    /// It may stay.
    Stay(Guest),
    /// It may stay when this one, which is forgotten already, has been closed.
    InsteadOf(u64, Guest),
    /// It has to go.
    Go,
}

/// All connections that are open.
#[derive(Debug, Default)]
pub(super) struct Guests {
    open: HashMap<u64, (Source, Arc<Pulse>)>,
    sources: HashMap<Source, (usize, Arc<Account>)>,
    last: u64,
}

impl Guests {
    /// A connection comes from a source.
    pub(super) fn admit(&mut self, source: Source, now_ms: u64) -> Admission {
        let most = if source.is_loopback() { OF_LOOPBACK_MAX } else { OF_ONE_MAX };
        let own = self.count(source);
        let loser = if own >= most {
            Some(source)
        } else if self.open.len() >= CONNECTIONS_MAX {
            // At a tie the newcomer's own: otherwise two could go on throwing each other out.
            let with_most = self.sources.iter().max_by_key(|(_, (count, _))| *count);
            with_most
                .filter(|(_, (count, _))| *count > own)
                .map(|(other, _)| *other)
                .or(Some(source))
        } else {
            None
        };
        let Some(loser) = loser else { return Admission::Stay(self.add(source, now_ms)) };
        match self.idlest(loser) {
            Some(id) => {
                self.gone(id);
                Admission::InsteadOf(id, self.add(source, now_ms))
            }
            None => Admission::Go,
        }
    }

    /// A connection is closed.
    pub(super) fn gone(&mut self, id: u64) {
        let Some((source, _)) = self.open.remove(&id) else { return };
        if let Some((count, _)) = self.sources.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
    }

    fn add(&mut self, source: Source, now_ms: u64) -> Guest {
        self.last += 1;
        let pulse = Arc::new(Pulse(AtomicU64::new(0)));
        pulse.rest(now_ms);
        self.open.insert(self.last, (source, Arc::clone(&pulse)));
        let (count, account) = self.sources.entry(source).or_default();
        *count += 1;
        Guest { id: self.last, pulse, account: Arc::clone(account) }
    }

    fn count(&self, source: Source) -> usize {
        self.sources.get(&source).map_or(0, |(count, _)| *count)
    }

    /// The connection of a source that does least for longest; none that waits for an answer.
    fn idlest(&self, source: Source) -> Option<u64> {
        let own = self.open.iter().filter(|(_, (other, _))| *other == source);
        let idle = own.map(|(id, (_, pulse))| (pulse.get(), *id));
        let idle = idle.filter(|((doing, _), _)| *doing != Doing::Waiting);
        idle.min().map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(host: u8) -> Source {
        Source::of([192, 0, 2, host].into())
    }

    const LOOPBACK: fn() -> Source = || Source::of([127, 0, 0, 1].into());

    /// So many connections of a source, one each millisecond.
    fn fill(guests: &mut Guests, source: Source, count: usize) -> Vec<Guest> {
        (0..count as u64)
            .map(|now| match guests.admit(source, now) {
                Admission::Stay(guest) => guest,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_source_at_its_bound_loses_its_idlest() {
        let mut guests = Guests::default();
        let own = fill(&mut guests, source(1), OF_ONE_MAX);
        let other = fill(&mut guests, source(2), 1);
        own[0].pulse.work();
        own[1].pulse.receive(1001);
        own[2].pulse.rest(1002);
        let Admission::InsteadOf(id, _) = guests.admit(source(1), 2000) else { panic!() };
        assert_eq!(id, own[3].id, "since 3 ms; the first is at work, the second sends");
        assert!(guests.open.contains_key(&other[0].id));
        assert_eq!(guests.count(source(1)), OF_ONE_MAX);
    }

    #[test]
    fn when_all_are_taken_who_has_most_makes_room() {
        let mut guests = Guests::default();
        let most = fill(&mut guests, LOOPBACK(), OF_LOOPBACK_MAX);
        let mut host = 0;
        while guests.open.len() < CONNECTIONS_MAX {
            host += 1;
            fill(&mut guests, source(host), 100);
        }
        let Admission::InsteadOf(id, guest) = guests.admit(source(200), 5000) else { panic!() };
        assert_eq!(id, most[0].id);
        assert_eq!(guests.open.len(), CONNECTIONS_MAX);
        guests.gone(guest.id);
        assert_eq!(guests.count(source(200)), 0);
        assert!(matches!(guests.admit(source(201), 5000), Admission::Stay(_)));
    }

    #[test]
    fn who_only_works_is_not_interrupted_and_the_newcomer_goes() {
        let mut guests = Guests::default();
        for guest in fill(&mut guests, source(1), OF_ONE_MAX) {
            guest.pulse.work();
        }
        assert!(matches!(guests.admit(source(1), 9), Admission::Go));
        assert!(matches!(guests.admit(source(2), 9), Admission::Stay(_)));
    }

    #[test]
    fn a_connection_that_is_gone_twice_is_gone_once() {
        let mut guests = Guests::default();
        let own = fill(&mut guests, source(1), 2);
        guests.gone(own[0].id);
        guests.gone(own[0].id);
        assert_eq!((guests.count(source(1)), guests.open.len()), (1, 1));
    }

    #[test]
    fn a_source_has_one_account_as_long_as_it_is_here() {
        let mut guests = Guests::default();
        let own = fill(&mut guests, source(1), 2);
        let other = fill(&mut guests, source(2), 1);
        assert!(Arc::ptr_eq(&own[0].account, &own[1].account));
        assert!(!Arc::ptr_eq(&own[0].account, &other[0].account));
    }
}
