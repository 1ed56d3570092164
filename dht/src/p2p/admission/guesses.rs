//! How often somebody may guess at the passphrase.
//!
//! Each connection is one guess, whoever dialled. An address has a few at once, and after that one
//! each few seconds. Who was let in before is not slowed by its neighbours' guesses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use crate::p2p::recent::Recent;
use crate::pace::{Limit, Pace};

/// Several laptops behind one address may each be given a wrong passphrase at first. After that 360
/// an hour.
const GUESSES: Limit = Limit { burst: 16, pause: Duration::from_secs(10) };
/// Addresses remembered that have guessed lately. All others share the guesses of one, so that
/// whoever has many addresses makes 26 a second at most: five random words, 64 bits, outlast that by
/// far.
const ADDRESSES_MAX: usize = 256;
/// Peers remembered that were let in.
const ADMITTED_MAX: usize = 1024;

/// The guesses of all.
pub(super) struct Guesses {
    by_address: HashMap<IpAddr, Pace>,
    /// Of those for whom there is no room.
    others: Pace,
    admitted: Recent<PeerId>,
}

/// A guess that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guess {
    /// Of somebody who was let in before.
    Free,
    /// Of this address.
    Counted(Option<IpAddr>),
}

impl Guesses {
    pub(super) fn new(now: Instant) -> Guesses {
        Guesses {
            by_address: HashMap::new(),
            others: Pace::new(GUESSES, now),
            admitted: Recent::new(ADMITTED_MAX),
        }
    }

    /// Takes a guess; `None` if the address has none left.
    pub(super) fn take(
        &mut self,
        peer: &PeerId,
        ip: Option<IpAddr>,
        now: Instant,
    ) -> Option<Guess> {
        if self.admitted.contains(peer) {
            return Some(Guess::Free);
        }
        self.pace(ip, now).take(now).then_some(Guess::Counted(ip))
    }

    /// Gives one back that was none.
    pub(super) fn give_back(&mut self, guess: Guess) {
        let Guess::Counted(ip) = guess else { return };
        match ip.and_then(|ip| self.by_address.get_mut(&ip.to_canonical())) {
            Some(pace) => pace.give_back(),
            None => self.others.give_back(),
        }
    }

    /// A peer has proven that it has the passphrase.
    pub(super) fn admitted(&mut self, peer: PeerId) {
        self.admitted.insert(peer);
    }

    /// A peer has not, whatever it had before.
    pub(super) fn refused(&mut self, peer: &PeerId) {
        self.admitted.remove(peer);
    }

    fn pace(&mut self, ip: Option<IpAddr>, now: Instant) -> &mut Pace {
        let Some(ip) = ip.map(|ip| ip.to_canonical()) else { return &mut self.others };
        if !self.by_address.contains_key(&ip) && self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.retain(|_, pace| !pace.is_unused(now));
            if self.by_address.len() >= ADDRESSES_MAX {
                return &mut self.others;
            }
        }
        self.by_address.entry(ip).or_insert_with(|| Pace::new(GUESSES, now))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn takes(guesses: &mut Guesses, ip: Option<IpAddr>, now: Instant) -> usize {
        let peer = PeerId::random();
        (0..100).filter(|_| guesses.take(&peer, ip, now).is_some()).count()
    }

    #[test]
    fn an_address_that_guesses_often_is_slowed_and_no_other() {
        let now = Instant::now();
        let mut guesses = Guesses::new(now);
        let burst = GUESSES.burst as usize;
        assert_eq!(takes(&mut guesses, ip("192.0.2.1"), now), burst);
        assert_eq!(takes(&mut guesses, ip("192.0.2.2"), now), burst);
        assert_eq!(takes(&mut guesses, ip("192.0.2.1"), now + GUESSES.pause * 3), 3);
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let now = Instant::now();
        let mut guesses = Guesses::new(now);
        assert_eq!(takes(&mut guesses, ip("::ffff:192.0.2.1"), now), GUESSES.burst as usize);
        assert_eq!(takes(&mut guesses, ip("192.0.2.1"), now), 0);
    }

    #[test]
    fn who_was_let_in_is_not_slowed_until_it_is_refused() {
        let now = Instant::now();
        let mut guesses = Guesses::new(now);
        let friend = PeerId::random();
        guesses.admitted(friend);
        takes(&mut guesses, ip("192.0.2.1"), now);
        let take = |guesses: &mut Guesses| guesses.take(&friend, ip("192.0.2.1"), now);
        assert!((0..100).all(|_| take(&mut guesses) == Some(Guess::Free)));
        guesses.refused(&friend);
        assert_eq!(take(&mut guesses), None);
    }

    #[test]
    fn however_many_addresses_guess_the_table_stays_small() {
        let now = Instant::now();
        let mut guesses = Guesses::new(now);
        for n in 0..5000 {
            let ip = IpAddr::from(Ipv4Addr::from_bits(n));
            guesses.take(&PeerId::random(), Some(ip), now);
        }
        assert_eq!(guesses.by_address.len(), ADDRESSES_MAX);
        // Those who came too late share what one has.
        assert_eq!(takes(&mut guesses, ip("10.0.0.1"), now), 0);
        // And once the others' time is over there is room again.
        let later = now + GUESSES.pause;
        assert_eq!(takes(&mut guesses, ip("10.0.0.1"), later), GUESSES.burst as usize);
    }
}
