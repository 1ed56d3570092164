//! The attempts to connect: how many at once, and who comes first.
//!
//! A stranger can name thousands of super-nodes that do not exist, and each takes seconds to fail. So
//! what somebody waits for comes first, peers that are proven next, and hearsay last; and some of the
//! places are never hearsay's. How many go on at once beside those somebody waits for follows from how long
//! they take ([`Handshakes`]).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::attempt::{Attempt, Urgency};
use super::handshakes::{Handshakes, MOST};

/// Attempts of each urgency that wait: every peer of a large event.
const QUEUED_MAX: usize = 512;

/// Attempts that may be under way for one more of this urgency to start.
fn active_max(urgency: Urgency) -> usize {
    match urgency {
        Urgency::Awaited => MOST,
        Urgency::Proven => 28,
        Urgency::Hearsay | Urgency::Mutual => 20,
    }
}

/// All attempts: those under way by number, the others in the order of their turns.
#[derive(Default)]
pub(super) struct Dials {
    active: HashMap<u64, Attempt>,
    queued: [VecDeque<Attempt>; Urgency::ALL.len()],
    handshakes: Handshakes,
    next: u64,
}

impl Dials {
    /// Adds an attempt; one that exceeds the limit comes back.
    pub(super) fn add(&mut self, attempt: Attempt) -> Result<(), Box<Attempt>> {
        let queue = &mut self.queued[attempt.urgency as usize];
        if queue.len() >= QUEUED_MAX {
            return Err(Box::new(attempt));
        }
        queue.push_back(attempt);
        Ok(())
    }

    /// The number of an attempt that may start now.
    pub(super) fn start(&mut self) -> Option<u64> {
        let (active, at_once) = (self.active.len(), self.handshakes.at_once());
        let may_start = |urgency: &Urgency| {
            let is_paced = *urgency != Urgency::Awaited;
            active < active_max(*urgency) && (active < at_once || !is_paced)
        };
        let mut urgencies = Urgency::ALL.into_iter().filter(may_start);
        let mut attempt =
            urgencies.find_map(|urgency| self.queued[urgency as usize].pop_front())?;
        attempt.begins(Instant::now());
        self.next += 1;
        self.active.insert(self.next, attempt);
        Some(self.next)
    }

    pub(super) fn get(&mut self, number: u64) -> Option<&mut Attempt> {
        self.active.get_mut(&number)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Attempt> {
        self.active.remove(&number)
    }

    /// A dial of an attempt led to a connection.
    pub(super) fn made(&mut self, number: u64, now: Instant) {
        if let Some(began) = self.active.get(&number).and_then(Attempt::began) {
            self.handshakes.made(began, now);
        }
    }

    /// How long QUIC is tried alone.
    pub(super) fn quic_first(&self) -> Duration {
        self.handshakes.quic_first()
    }

    /// Whose dial this is.
    pub(super) fn by_connection(&self, id: ConnectionId) -> Option<u64> {
        self.active.iter().find(|(_, attempt)| attempt.dials(id)).map(|(number, _)| *number)
    }

    /// Whether there is an attempt to reach a peer. One that waits does so from now on with this
    /// urgency, if it is greater.
    pub(super) fn has_peer(&mut self, peer: &PeerId, urgency: Urgency) -> bool {
        let to_peer = |attempt: &Attempt| attempt.peer == Some(*peer) && attempt.join.is_none();
        if self.active.values().any(to_peer) {
            return true;
        }
        let found = Urgency::ALL.into_iter().find_map(|queue| {
            let at = self.queued[queue as usize].iter().position(to_peer)?;
            Some((queue, at))
        });
        let Some((queue, at)) = found else { return false };
        if urgency < queue
            && self.queued[urgency as usize].len() < QUEUED_MAX
            && let Some(mut attempt) = self.queued[queue as usize].remove(at)
        {
            attempt.urgency = urgency;
            attempt.asked = Instant::now();
            self.queued[urgency as usize].push_back(attempt);
        }
        true
    }

    /// Takes out all attempts that this peer's connection, or its end, settles.
    pub(super) fn settle(&mut self, peer: &PeerId, joins: bool) -> Vec<Attempt> {
        let settled =
            |attempt: &Attempt| attempt.peer == Some(*peer) && attempt.join.is_some() == joins;
        let taken = self.active.extract_if(|_, attempt| settled(attempt)).map(|(_, it)| it);
        let mut taken: Vec<_> = taken.collect();
        self.take_queued(settled, &mut taken);
        taken
    }

    /// Takes out those that wait and for which nobody waits any more.
    pub(super) fn given_up(&mut self, now: Instant) -> Vec<Attempt> {
        let mut taken = Vec::new();
        self.take_queued(|attempt| attempt.is_given_up(now), &mut taken);
        taken
    }

    /// Takes out all.
    pub(super) fn clear(&mut self) {
        *self = Dials::default();
    }

    fn take_queued(&mut self, matches: impl Fn(&Attempt) -> bool, taken: &mut Vec<Attempt>) {
        for queue in &mut self.queued {
            for at in (0..queue.len()).rev() {
                if matches(&queue[at]) {
                    taken.extend(queue.remove(at));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn to(urgency: Urgency) -> Attempt {
        let address = "192.0.2.1:1".parse().unwrap();
        Attempt::to_peer(PeerId::random(), &[address], urgency)
    }

    /// On a link that bears as many as may be.
    fn dials() -> Dials {
        let (mut dials, now) = (Dials::default(), Instant::now());
        (0..MOST).for_each(|_| dials.handshakes.made(now, now));
        dials
    }

    fn fill(dials: &mut Dials, urgency: Urgency, count: usize) -> usize {
        (0..count).filter(|_| dials.add(to(urgency)).is_ok()).count()
    }

    fn start_all(dials: &mut Dials) -> Vec<Urgency> {
        std::iter::from_fn(|| {
            let number = dials.start()?;
            dials.get(number).map(|attempt| attempt.urgency)
        })
        .collect()
    }

    #[test]
    fn hearsay_never_takes_the_places_of_others() {
        let mut dials = dials();
        assert_eq!(fill(&mut dials, Urgency::Hearsay, 5000), QUEUED_MAX);
        assert_eq!(start_all(&mut dials), [Urgency::Hearsay; 20]);
        fill(&mut dials, Urgency::Proven, 20);
        assert_eq!(start_all(&mut dials), [Urgency::Proven; 8]);
        fill(&mut dials, Urgency::Awaited, 20);
        assert_eq!(start_all(&mut dials), [Urgency::Awaited; 4]);
    }

    #[test]
    fn what_nobody_waits_for_goes_on_only_as_the_link_bears_it() {
        let mut dials = Dials::default();
        fill(&mut dials, Urgency::Mutual, 40);
        fill(&mut dials, Urgency::Hearsay, 3);
        let first = [Urgency::Hearsay, Urgency::Hearsay, Urgency::Hearsay, Urgency::Mutual];
        assert_eq!(start_all(&mut dials), first);
        fill(&mut dials, Urgency::Awaited, 2);
        assert_eq!(start_all(&mut dials), [Urgency::Awaited; 2]);
        dials.made(1, Instant::now());
        dials.remove(1);
        (2..4).for_each(|number| drop(dials.remove(number)));
        assert_eq!(start_all(&mut dials).len(), 2, "five at once after a quick one");
    }

    #[test]
    fn what_is_awaited_overtakes() {
        let mut dials = dials();
        for urgency in [Urgency::Hearsay, Urgency::Proven, Urgency::Awaited, Urgency::Hearsay] {
            dials.add(to(urgency)).unwrap();
        }
        let started = start_all(&mut dials);
        let order = [Urgency::Awaited, Urgency::Proven, Urgency::Hearsay, Urgency::Hearsay];
        assert_eq!(started, order);
    }

    #[test]
    fn hearsay_that_somebody_comes_to_wait_for_overtakes() {
        let mut dials = dials();
        fill(&mut dials, Urgency::Hearsay, 100);
        let attempt = to(Urgency::Hearsay);
        let peer = attempt.peer.unwrap();
        assert!(!dials.has_peer(&peer, Urgency::Awaited));
        dials.add(attempt).unwrap();
        assert!(dials.has_peer(&peer, Urgency::Hearsay));
        assert!(dials.has_peer(&peer, Urgency::Awaited));
        let first = dials.start().unwrap();
        assert_eq!(dials.get(first).unwrap().peer, Some(peer));
        assert!(dials.has_peer(&peer, Urgency::Awaited));
    }

    #[test]
    fn what_nobody_waits_for_is_dropped() {
        let mut dials = dials();
        let address = "192.0.2.1:1".parse().unwrap();
        let (joiner, joined) = oneshot::channel();
        dials.add(Attempt::to_join(address, joiner)).unwrap();
        let (joiner, still_joining) = oneshot::channel();
        dials.add(Attempt::to_join(address, joiner)).unwrap();
        fill(&mut dials, Urgency::Awaited, 1);
        fill(&mut dials, Urgency::Hearsay, 1);
        let now = Instant::now();
        assert!(dials.given_up(now).is_empty());
        drop(joined);
        assert_eq!(dials.given_up(now).len(), 1);
        assert_eq!(dials.given_up(now + Duration::from_secs(10)).len(), 1);
        assert_eq!(dials.given_up(now + Duration::from_secs(60)).len(), 1);
        assert_eq!(start_all(&mut dials).len(), 1);
        drop(still_joining);
    }
}
