//! The task that owns the swarm: what happens on it, what others ask of it, and what is due.
//!
//! Its parts decide synchronously and leave what they have to say in `outbox` and the streams to be
//! served in `starts`; [`Worker::settle`] then delivers both, in this order, so that nobody hears of
//! a peer's words before the peer.

mod connecting;
mod ending;
mod searching;
mod streams;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use libp2p::swarm::{ListenError, SwarmEvent};
use libp2p::{PeerId, Swarm, identify, kad};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::attempt::Urgency;
use super::behaviour::{Behaviour, BehaviourEvent};
use super::command::Command;
use super::dials::Dials;
use super::patience::Patience;
use super::peer_link::PeerLinks;
use super::recent::Recent;
use super::search::Search;
use super::serve::Service;
use super::session::{Session, opens};
use super::stream::{Outcome, Start};
use super::timers::Timers;
use crate::link::{LinkEvent, Responder};
use crate::wire::Hello;

/// How often requests whose asker gave up are forgotten.
const SWEEP: Duration = Duration::from_secs(2);

/// Peers remembered that were connected once: more than a node knows at any time.
const PROVEN_MAX: usize = 2048;
/// What a driver is made of.
pub(super) struct Parts {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) links: Arc<PeerLinks>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: mpsc::Sender<LinkEvent>,
    pub(super) closing: watch::Receiver<bool>,
    pub(super) hello: Arc<dyn Fn() -> Hello + Send + Sync>,
    pub(super) started: Instant,
    pub(super) patience: Patience,
}

/// A link that listens, and waits for somebody who answers requests.
pub(crate) struct Driver(Parts);

impl Driver {
    pub(super) fn new(parts: Parts) -> Driver {
        Driver(parts)
    }

    /// Begins, on the runtime this is called on; ends when the link is closed or dropped.
    pub(crate) fn run(self, responder: Arc<dyn Responder>) {
        let Parts { swarm, links, commands, events, closing, hello, started, patience } = self.0;
        let worker = Worker {
            own: *swarm.local_peer_id(),
            swarm,
            links,
            commands,
            closing,
            hello,
            service: Service { responder, events, started, patience },
            sessions: HashMap::new(),
            session_count: 0,
            dials: Dials::default(),
            proven: Recent::new(PROVEN_MAX),
            search: Search::default(),
            timers: Timers::new(),
            tasks: JoinSet::new(),
            outbox: Vec::new(),
            starts: Vec::new(),
        };
        tokio::spawn(Box::pin(worker.run()));
    }
}

/// What is due at some time.
#[derive(Debug)]
enum Due {
    /// To forget requests whose asker gave up.
    Sweep,
    /// To open the small stream to a peer, after so many failures, in its session of this number.
    OpenSmall(PeerId, u64, u32),
    /// To announce a peer even if it has not said where it listens.
    Admit(PeerId, u64),
    /// To send away a peer that has not been announced.
    Stranger(PeerId, u64),
    /// To close the connections to a peer.
    CloseNow(PeerId, u64),
    /// To dial the next addresses of an attempt.
    Stage(u64),
    /// To let a peer in again.
    Forgive(PeerId),
    /// To stop waiting for a search.
    SearchOver,
}

struct Worker {
    own: PeerId,
    swarm: Swarm<Behaviour>,
    links: Arc<PeerLinks>,
    commands: mpsc::Receiver<Command>,
    closing: watch::Receiver<bool>,
    hello: Arc<dyn Fn() -> Hello + Send + Sync>,
    service: Service,
    sessions: HashMap<PeerId, Session>,
    session_count: u64,
    dials: Dials,
    /// Peers that were connected, and said hello.
    proven: Recent<PeerId>,
    search: Search,
    timers: Timers<Due>,
    /// A task for each stream.
    tasks: JoinSet<Outcome>,
    outbox: Vec<LinkEvent>,
    starts: Vec<Start>,
}

impl Worker {
    async fn run(mut self) {
        self.timers.set(Instant::now() + SWEEP, Due::Sweep);
        loop {
            let next = self.timers.next().unwrap_or_else(Instant::now);
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some(outcome) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Ok(outcome) = outcome {
                        self.on_outcome(outcome);
                    }
                }
                command = self.commands.recv() => match command {
                    Some(Command::Close(closed)) => {
                        self.close().await;
                        let _ = closed.send(());
                        return;
                    }
                    Some(command) => self.on_command(command),
                    None => return,
                },
                () = tokio::time::sleep_until(next) => {
                    while let Some(due) = self.timers.due(Instant::now()) {
                        self.on_due(due);
                    }
                }
                // The link was dropped.
                Err(_) = self.closing.changed() => {
                    for link in self.links.close() {
                        link.close();
                    }
                    return;
                }
            }
            self.settle().await;
        }
    }

    async fn settle(&mut self) {
        for event in std::mem::take(&mut self.outbox) {
            self.emit(event).await;
        }
        for start in std::mem::take(&mut self.starts) {
            self.tasks.spawn(start.serve(self.service.clone()));
        }
    }

    /// Waits for room, unless all is over: who closes a link may read no events any more.
    async fn emit(&mut self, event: LinkEvent) {
        let Err(mpsc::error::TrySendError::Full(event)) = self.service.events.try_send(event)
        else {
            return;
        };
        let mut closing = self.closing.clone();
        tokio::select! {
            _ = self.service.events.send(event) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(peer = %peer_id, cause = ?cause, "a connection is closed");
                self.on_disconnected(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.on_dial_error(connection_id, peer_id, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection was not made");
                if let ListenError::Transport(error) = &error {
                    self.on_refused(error);
                }
            }
            SwarmEvent::ListenerClosed { addresses, reason: Err(error), .. } => {
                tracing::warn!(?addresses, %error, "no longer listening");
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => self.on_identified(peer_id, &info),
            SwarmEvent::Behaviour(BehaviourEvent::Kad(event)) => self.on_kad_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.on_stream_event(event),
            _ => {}
        }
    }

    fn on_kad_event(&mut self, event: kad::Event) {
        match event {
            kad::Event::OutboundQueryProgressed { id, result, step, .. } if step.last => {
                self.on_query_ended(id, result);
            }
            kad::Event::RoutingUpdated { peer, addresses, .. } => {
                self.learned(peer, addresses.iter());
            }
            _ => {}
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Dial(contact) => {
                let peer = contact.id.peer_id();
                let urgency = match self.proven.contains(&peer) {
                    true => Urgency::Proven,
                    false if opens(&self.own, &peer) => Urgency::Hearsay,
                    false => Urgency::Mutual,
                };
                self.dial(peer, &contact.addresses, urgency);
            }
            Command::Reach(contact) => {
                self.dial(contact.id.peer_id(), &contact.addresses, Urgency::Awaited);
            }
            Command::Join(address, joiner) => self.join(address, joiner),
            Command::Disconnect(peer) => self.disconnect(peer),
            Command::OpenBulk(peer) => self.open_bulk(peer, 0),
            // The loop takes it.
            Command::Close(_) => {}
        }
    }

    fn on_due(&mut self, due: Due) {
        match due {
            Due::Sweep => {
                self.links.sweep();
                self.give_up_dials();
                self.timers.set(Instant::now() + SWEEP, Due::Sweep);
            }
            Due::OpenSmall(peer, session, failures) => self.open_small(peer, session, failures),
            Due::Admit(peer, session) => {
                if self.session(&peer, session).is_some() {
                    self.admit(peer);
                }
            }
            Due::Stranger(peer, session) => {
                let stranger = |session: &&mut Session| {
                    session.announced.is_none() && session.ending.is_none()
                };
                if self.session(&peer, session).filter(stranger).is_some() {
                    self.end(peer, "it does not say hello");
                }
            }
            Due::CloseNow(peer, session) => {
                if self.session(&peer, session).is_some() {
                    self.close_now(peer);
                }
            }
            Due::Stage(attempt) => self.stage(attempt),
            Due::Forgive(peer) => _ = self.swarm.behaviour_mut().refused.unblock_peer(peer),
            Due::SearchOver => self.on_search_over(),
        }
    }

    /// The session with a peer, if it is the one of this number.
    fn session(&mut self, peer: &PeerId, number: u64) -> Option<&mut Session> {
        self.sessions.get_mut(peer).filter(|session| session.number == number)
    }
}
