//! Whom there is to join, and when to try it. No socket, no clock: time is an argument, and whoever
//! owns the [`Contacts`] makes the attempts they ask for.
//!
//! ```text
//!            seen, named                    due                     finished
//! unknown ──────────────► waiting until … ──────► being tried ──────────────► waiting, longer
//!    ▲                        │                                                   │
//!    └───────── gone ─────────┘              a peer: not due ◄────────────────────┘
//! ```
//!
//! What was *announced* is tried whenever it is no peer. What was *named* by `--join` is tried until
//! it was joined once, and from then on only when the node is alone: who was named is a way into the
//! overlay, not somebody to stay with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base::NodeId;

use super::announcement::Instance;
use super::backoff;
use crate::config::JoinAddress;

/// Most announced super-nodes that are remembered. An event has hundreds; the rest is somebody who
/// makes names up.
pub(super) const ANNOUNCED_MAX: usize = 512;
/// Most attempts at once: enough that a few dead addresses do not hold up the others, and few enough
/// that a newcomer, who learns of all the members from the first he joins, does not dial them all.
pub(super) const ATTEMPTS_MAX: usize = 4;
/// How soon somebody who announces other addresses is tried again at the earliest.
const MOVED: Duration = Duration::from_secs(1);

/// Everybody there is to join.
#[derive(Debug)]
pub(super) struct Contacts {
    own: NodeId,
    announced: BTreeMap<String, Announced>,
    named: Vec<Named>,
    /// Attempts under way, those whose contact is gone included.
    under_way: usize,
}

#[derive(Debug)]
struct Announced {
    instance: Instance,
    trial: Trial,
}

#[derive(Debug)]
struct Named {
    address: JoinAddress,
    trial: Trial,
    joined: bool,
}

/// How the attempts at somebody stand.
#[derive(Debug)]
struct Trial {
    under_way: bool,
    /// Attempts since it was a peer, or since the start.
    attempts: u32,
    next: Instant,
    failure: Option<String>,
}

/// Which contact an attempt is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// The announced instance of this name.
    Announced(String),
    /// The named one with this index.
    Named(usize),
}

/// What is to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) who: Who,
    pub(super) target: Target,
}

/// Where it is to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// At these addresses, until one works, where this node should be if it is known.
    Addresses(Vec<SocketAddr>, Option<NodeId>),
    /// Wherever this name leads now.
    Named(JoinAddress),
}

/// What came of the latest attempts, for people.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    /// How many super-nodes are announced.
    pub(super) announced: usize,
    /// What kept announced ones from being joined.
    pub(super) of_announced: Vec<String>,
    /// What kept the named ones from being joined; `None` as long as nothing has been heard.
    pub(super) of_named: Vec<(String, Option<String>)>,
}

impl Contacts {
    pub(super) fn new(own: NodeId, named: &[JoinAddress], now: Instant) -> Contacts {
        let named = named.iter().map(|address| Named {
            address: address.clone(),
            trial: Trial::new(now),
            joined: false,
        });
        Contacts { own, announced: BTreeMap::new(), named: named.collect(), under_way: 0 }
    }

    /// An announcement was heard, perhaps again.
    pub(super) fn seen(&mut self, instance: Instance, now: Instant) {
        if instance.id == Some(self.own) {
            return;
        }
        if let Some(known) = self.announced.get_mut(&instance.fullname) {
            // Who does not say who it is was found out, and is that still.
            let same = known.instance.addresses == instance.addresses;
            let id = instance.id.or(known.instance.id.filter(|_| same));
            let instance = Instance { id, ..instance };
            if known.instance != instance {
                known.instance = instance;
                known.trial.next = known.trial.next.min(now + MOVED);
            }
            return;
        }
        if self.announced.len() >= ANNOUNCED_MAX && !self.forget_the_least_promising() {
            return;
        }
        let name = instance.fullname.clone();
        self.announced.insert(name, Announced { instance, trial: Trial::new(now) });
    }

    /// An announcement was withdrawn, or nobody has repeated it.
    pub(super) fn gone(&mut self, fullname: &str) {
        self.announced.remove(fullname);
    }

    /// Nothing more is known of what was announced.
    pub(super) fn forget_announced(&mut self) {
        self.announced.clear();
    }

    /// This machine is in another network now: what did not work may work.
    pub(super) fn network_changed(&mut self, now: Instant) {
        let announced = self.announced.values_mut().map(|announced| &mut announced.trial);
        for trial in announced.chain(self.named.iter_mut().map(|named| &mut named.trial)) {
            trial.next = trial.next.min(now);
        }
    }

    /// What is to be tried now, given who the peers are. Each attempt ends with
    /// [`Contacts::finished`].
    pub(super) fn due(&mut self, peers: &BTreeSet<NodeId>, now: Instant) -> Vec<Attempt> {
        let mut due = Vec::new();
        for (index, named) in self.named.iter_mut().enumerate() {
            let wanted = !named.joined || peers.is_empty();
            if wanted && self.under_way < ATTEMPTS_MAX && named.trial.begin(now) {
                self.under_way += 1;
                let target = Target::Named(named.address.clone());
                due.push(Attempt { who: Who::Named(index), target });
            }
        }
        // Those tried least come first, so that newcomers do not wait for the hopeless.
        let mut announced: Vec<_> = self.announced.iter_mut().collect();
        announced.sort_by_key(|(_, announced)| announced.trial.attempts);
        for (name, announced) in announced {
            if announced.instance.id.is_some_and(|id| peers.contains(&id)) {
                announced.trial.is_peer(now);
            } else if self.under_way < ATTEMPTS_MAX && announced.trial.begin(now) {
                self.under_way += 1;
                let Instance { addresses, id, .. } = &announced.instance;
                let target = Target::Addresses(addresses.clone(), *id);
                due.push(Attempt { who: Who::Announced(name.clone()), target });
            }
        }
        due
    }

    /// Somebody is a peer, or was reached, at an address: who was announced there and did not say who
    /// it is, is that.
    pub(super) fn recognise(&mut self, id: NodeId, at: SocketAddr) {
        for announced in self.announced.values_mut() {
            if announced.instance.id.is_none() && announced.instance.addresses.contains(&at) {
                announced.instance.id = Some(id);
            }
        }
    }

    /// An attempt ended. Says whether it is the first of its contact that failed since the contact
    /// was last a peer.
    pub(super) fn finished(&mut self, who: &Who, failure: Option<String>, now: Instant) -> bool {
        self.under_way = self.under_way.saturating_sub(1);
        let trial = match who {
            Who::Announced(name) => self.announced.get_mut(name).map(|known| &mut known.trial),
            Who::Named(index) => self.named.get_mut(*index).map(|named| {
                if failure.is_none() {
                    named.joined = true;
                    named.trial.attempts = 0;
                }
                &mut named.trial
            }),
        };
        trial.is_some_and(|trial| trial.end(failure, now))
    }

    /// Whether somebody has yet to be tried to the end for the first time.
    pub(super) fn is_undecided(&self) -> bool {
        let named = self.named.iter().map(|named| &named.trial);
        let announced = self.announced.values().map(|announced| &announced.trial);
        named.chain(announced).any(|trial| trial.attempts == 0)
    }

    /// What came of it all.
    pub(super) fn failures(&self) -> Failures {
        let of_announced =
            self.announced.values().filter_map(|announced| announced.trial.failure.clone());
        let of_named =
            self.named.iter().map(|named| (named.address.to_string(), named.trial.failure.clone()));
        Failures {
            announced: self.announced.len(),
            of_announced: of_announced.collect(),
            of_named: of_named.collect(),
        }
    }

    /// Makes room by forgetting whom most attempts failed to join; not those that never failed, for
    /// they are peers or have yet to be tried.
    fn forget_the_least_promising(&mut self) -> bool {
        let failed = self.announced.iter().filter(|(_, known)| known.trial.failure.is_some());
        let least = failed.max_by_key(|(_, known)| known.trial.attempts);
        let Some(name) = least.map(|(name, _)| name.clone()) else { return false };
        self.announced.remove(&name).is_some()
    }
}

impl Trial {
    fn new(now: Instant) -> Trial {
        Trial { under_way: false, attempts: 0, next: now, failure: None }
    }

    /// Begins an attempt if it is time for one.
    fn begin(&mut self, now: Instant) -> bool {
        let due = !self.under_way && now >= self.next;
        self.under_way |= due;
        due
    }

    /// Ends it; whether it is the first in a row that failed.
    fn end(&mut self, failure: Option<String>, now: Instant) -> bool {
        let first = failure.is_some() && self.failure.is_none();
        self.under_way = false;
        self.attempts = self.attempts.saturating_add(1);
        // Also after a success: it takes a moment until who was joined is among the peers.
        self.next = now + backoff::pause(self.attempts);
        self.failure = failure;
        first
    }

    /// It is a peer: if it stops being one, it is tried at once.
    fn is_peer(&mut self, now: Instant) {
        self.attempts = 0;
        self.next = now;
        self.failure = None;
    }
}

#[cfg(test)]
mod tests;
