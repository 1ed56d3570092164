//! The one task that looks for others: it owns the contacts, and does what they and the rest of the
//! pure parts decide.
//!
//! ```text
//! mDNS ──heard──►┌────────┐──attempt──► a task each: resolve, Dht::join ──outcome──┐
//! time ─────────►│ Search │◄────────────────────────────────────────────────────────┘
//! Dht::status ──►└────────┘──► log
//! ```

use std::collections::BTreeSet;
use std::future::pending;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base::NodeId;
use dht::{Dht, JoinError};
use tokio::net::lookup_host;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tracing::{debug, info, warn};

use super::announcement::{Announcement, Face};
use super::contacts::{Attempt, Contacts, Target, Who};
use super::dialling;
use super::mdns::{Heard, Mdns};
use super::plan::{Plan, Secrecy};
use super::solitude::{self, Multicast, Notice, Reach, Solitude};
use super::tag::TagKey;
use crate::addresses;
use crate::config::JoinAddress;

/// How often the peers are looked at when there are some, and when there are none.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_WHEN_ALONE: Duration = Duration::from_millis(250);
/// The least between two looks, so that a flood of announcements is worked off in batches.
const LOOK_AT_MOST: Duration = Duration::from_millis(50);
/// How long somebody at one address may take to answer, before the next address is tried.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a name may take to be resolved.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(10);
/// How often the question is asked anew, when alone and when not.
const ASK_AGAIN_ALONE: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(600);
/// How often it is checked whether somebody floods the network with announcements.
const FLOOD_CHECK: Duration = Duration::from_secs(5);
/// How long multicast rests after it failed or was flooded.
const REST: Duration = Duration::from_secs(30);

/// What the task owns.
pub(super) struct Search {
    dht: Dht,
    contacts: Contacts,
    solitude: Solitude,
    attempts: JoinSet<Outcome>,
    multicast: Multicast,
    announcement: Announcement,
    mdns: Option<Mdns>,
    /// When to start multicast DNS again, if it should run and does not.
    restart: Instant,
    asked: Instant,
    checked: Instant,
}

struct Outcome {
    who: Who,
    /// Who was joined, and where; or what kept it from being joined.
    joined: Result<(NodeId, SocketAddr), String>,
}

impl Search {
    pub(super) async fn new(dht: Dht, plan: Plan, sip: SocketAddr) -> Search {
        let multicast = plan.multicast;
        let face = match plan.secrecy {
            Some(secrecy) if multicast == Multicast::Asking => hide(secrecy).await,
            _ => Face::Open { name: plan.name, id: dht.id() },
        };
        let announcement = Announcement { face, p2p: dht.listening_on(), sip };
        let now = Instant::now();
        Search {
            contacts: Contacts::new(dht.id(), &plan.join, now),
            solitude: Solitude::new(plan.settle),
            attempts: JoinSet::new(),
            multicast,
            announcement,
            mdns: None,
            restart: now,
            asked: now,
            checked: now,
            dht,
        }
    }

    /// Looks for others until it is told to stop; then says goodbye.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut looked = Instant::now();
        let mut next_look = looked;
        loop {
            tokio::select! {
                _ = &mut stop => break,
                heard = heard(self.mdns.as_ref()) => {
                    self.note(heard);
                    next_look = next_look.min(looked + LOOK_AT_MOST);
                }
                Some(outcome) = self.attempts.join_next() => {
                    if let Ok(outcome) = outcome {
                        self.finish(outcome);
                    }
                    next_look = next_look.min(looked + LOOK_AT_MOST);
                }
                () = sleep_until(next_look.into()) => {
                    looked = Instant::now();
                    self.look(looked).await;
                    let alone = self.solitude.is_alone();
                    next_look = looked + if alone { LOOK_WHEN_ALONE } else { LOOK };
                }
            }
        }
        self.attempts.shutdown().await;
        if let Some(mdns) = self.mdns {
            mdns.goodbye().await;
        }
    }

    fn note(&mut self, heard: Heard) {
        let now = Instant::now();
        match heard {
            Heard::Announced(service) => match self.announcement.read(&service) {
                Some(instance) => self.contacts.seen(instance, now),
                None => debug!(name = ?service.fullname, "an announcement is not of our overlay"),
            },
            Heard::Withdrawn(name) => self.contacts.gone(&name),
            Heard::NetworkChanged => {
                debug!("this machine's addresses changed");
                self.contacts.network_changed(now);
            }
            Heard::Trouble(detail) => warn!("multicast DNS: {detail}"),
            Heard::Closed => self.rest("it stopped"),
        }
    }

    /// Takes multicast DNS down for a while.
    fn rest(&mut self, why: &str) {
        warn!("multicast DNS rests for {} s: {why}", REST.as_secs());
        self.mdns = None;
        self.contacts.forget_announced();
        self.multicast = Multicast::Failed(why.into());
        self.restart = Instant::now() + REST;
    }

    fn finish(&mut self, outcome: Outcome) {
        let Outcome { who, joined } = outcome;
        if let Ok((id, address)) = joined {
            self.contacts.recognise(id, address);
        }
        let failure = joined.err();
        let text = failure.clone();
        let first = self.contacts.finished(&who, failure, Instant::now());
        match (who, text) {
            (_, None) => {}
            (Who::Named(_), Some(failure)) if first => {
                warn!("--join did not work, and will be tried again: {failure}");
            }
            (_, Some(failure)) => debug!("not joined: {failure}"),
        }
    }

    /// Looks at the peers, and does what is due.
    async fn look(&mut self, now: Instant) {
        self.tend_multicast(now).await;
        let peers = self.dht.status().peers;
        for peer in &peers {
            if let Some(address) = peer.address {
                self.contacts.recognise(peer.id, address);
            }
        }
        let peers: BTreeSet<NodeId> = peers.into_iter().map(|peer| peer.id).collect();
        for attempt in self.contacts.due(&peers, now) {
            self.attempts.spawn(try_to_join(self.dht.clone(), attempt));
        }
        let (contacts, multicast) = (&self.contacts, &self.multicast);
        let reach = || Reach::of(self.announcement.p2p.ip(), &addresses::own());
        let reasons = || solitude::reasons(multicast, reach(), contacts.failures());
        if let Some(notice) =
            self.solitude.observe(peers.len(), contacts.is_undecided(), now, reasons)
        {
            tell(&notice);
        }
    }

    /// Starts multicast DNS if it should run and does not, asks anew, and ends a flood.
    async fn tend_multicast(&mut self, now: Instant) {
        if matches!(self.multicast, Multicast::TurnedOff | Multicast::OnLoopback) {
            return;
        }
        let Some(mdns) = &mut self.mdns else {
            if now >= self.restart {
                self.start_multicast(now);
            }
            return;
        };
        let pause = if self.solitude.is_alone() { ASK_AGAIN_ALONE } else { ASK_AGAIN };
        if now >= self.asked + pause {
            self.asked = now;
            mdns.ask_again();
        }
        if now >= self.checked + FLOOD_CHECK {
            self.checked = now;
            if mdns.is_flooded().await {
                self.rest("somebody floods this network with announcements of super-nodes");
            }
        }
    }

    fn start_multicast(&mut self, now: Instant) {
        match Mdns::start(&self.announcement) {
            Ok(mdns) => {
                debug!("asking for super-nodes by multicast DNS");
                self.mdns = Some(mdns);
                self.multicast = Multicast::Asking;
                (self.asked, self.checked) = (now, now);
            }
            Err(error) => self.rest(&error.to_string()),
        }
    }
}

/// What multicast DNS hears, if it runs.
async fn heard(mdns: Option<&Mdns>) -> Heard {
    match mdns {
        Some(mdns) => mdns.heard().await,
        None => pending().await,
    }
}

fn tell(notice: &Notice) {
    if notice.is_worrying() {
        warn!("{notice}");
    } else {
        info!("{notice}");
    }
}

/// Makes the face of a node that has a passphrase, beside the threads that serve.
async fn hide(secrecy: Secrecy) -> Face {
    let Secrecy { passphrase, salt } = secrecy;
    let stretched = tokio::task::spawn_blocking(move || TagKey::stretch(&passphrase)).await;
    let key = stretched.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    Face::Hidden { salt, key }
}

async fn try_to_join(dht: Dht, attempt: Attempt) -> Outcome {
    let Attempt { who, target } = attempt;
    let joined = match target {
        Target::Addresses(addresses, expected) => join_one_of(&dht, &addresses, expected).await,
        Target::Named(name) => match resolve(&name).await {
            Ok(addresses) => join_one_of(&dht, &addresses, None).await,
            Err(failure) => Err(failure),
        },
    };
    Outcome { who, joined }
}

/// Tries the addresses in turn until one works.
async fn join_one_of(
    dht: &Dht,
    addresses: &[SocketAddr],
    expected: Option<NodeId>,
) -> Result<(NodeId, SocketAddr), String> {
    let mut failures = Vec::new();
    for address in addresses {
        let joined = timeout(PATIENCE, dht.join(*address)).await.unwrap_or_else(|_| {
            let detail = format!("no answer within {} s", PATIENCE.as_secs());
            Err(JoinError::Nobody { address: *address, detail })
        });
        match joined {
            Ok(id) if expected.is_none_or(|expected| expected == id) => {
                return Ok((id, *address));
            }
            Ok(_) => {
                failures.push(format!("another super-node than the announced is at {address}"))
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    Err(failures.join("; "))
}

/// The addresses a name stands for now, those to try first in front.
async fn resolve(name: &JoinAddress) -> Result<Vec<SocketAddr>, String> {
    let failed =
        |why: &str| format!("{} cannot be resolved ({why}); is the name right?", name.host());
    let found = match timeout(LOOKUP_PATIENCE, lookup_host((name.host(), name.port()))).await {
        Ok(Ok(found)) => dialling::order(found),
        Ok(Err(error)) => return Err(failed(&error.to_string())),
        Err(_) => return Err(failed("the resolver does not answer")),
    };
    if found.is_empty() { Err(failed("it has no address")) } else { Ok(found) }
}
