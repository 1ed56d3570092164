//! The simulated network: who is plugged in, who is connected, and what becomes of messages.
//!
//! Worse than the real one: messages of one connection overtake each other and get lost one by one,
//! while the connection stands. A crashed node is silent, as one switched off is; others learn it from
//! silence alone. It can be torn into islands that do not hear each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{NodeId, Place};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tracing::Span;

use super::link::SimLink;
use crate::link::{LinkEvent, Responder};
use crate::overlay::Pulse;
use crate::wire::{Contact, Hello};

/// Events that may wait for a node.
const EVENTS_MAX: usize = 4096;
/// Whom `libp2p-kad` learns of by looking for itself.
const K: usize = 20;
/// What a get is to the trace.
pub(super) const GET: u64 = 1;
/// The address of the first node; the others follow.
const FIRST_HOST: u32 = 0x0a00_0001;
/// Until a dial that nobody answers fails.
const DIAL_TIMEOUT: Duration = Duration::from_secs(2);

/// What the network does to messages.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Shortest and longest time a message takes.
    pub delay: (Duration, Duration),
    /// The part of messages that is lost, 0 to 1.
    pub loss: f64,
    /// What all messages share, if they do.
    pub air: Option<Air>,
}

/// A radio channel that one message at a time is on: the others queue, and what finds the queue full is lost.
#[derive(Debug, Clone, Copy)]
pub struct Air {
    /// How long a message is on it, with what the link says to that.
    pub message: Duration,
    /// As how many messages making a connection counts.
    pub handshake: u32,
    /// How long the queue may be.
    pub queue: Duration,
}

/// The network.
#[derive(Clone)]
pub(super) struct Net(Arc<Mutex<State>>);

/// A node's number on the network.
pub(super) type Number = usize;

/// One start of a node: what is under way for it does nothing for its next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) node: Number,
    pub(super) start: u64,
}

pub(super) struct State {
    weather: Weather,
    rng: fastrand::Rng,
    ports: Vec<Port>,
    numbers: HashMap<NodeId, Number>,
    messages: u64,
    /// Gets that arrived, and connections made.
    gets: u64,
    dials: u64,
    /// A digest of everything that was delivered, in order.
    trace: DefaultHasher,
    /// Until when the air is used by what was sent so far, and how long it was used in all.
    air_until: Instant,
    air_used: Duration,
}

/// Where a node is plugged in.
struct Port {
    id: NodeId,
    place: Place,
    address: SocketAddr,
    /// `None` while it is crashed.
    up: Option<Up>,
    /// How often it was started.
    starts: u64,
    /// Only nodes on the same island hear each other.
    island: u32,
    /// Whether its machine sleeps: nothing comes, nothing goes, and the node sees no time pass.
    asleep: bool,
}

pub(super) struct Up {
    events: mpsc::Sender<LinkEvent>,
    hello: Arc<dyn Fn() -> Hello + Send + Sync>,
    pub(super) responder: Option<Arc<dyn Responder>>,
    pub(super) span: Span,
    started: Instant,
    /// To whom it is connected, and when it hears them; and which start of theirs.
    pub(super) connections: BTreeMap<Number, (Pulse, u64)>,
    pub(super) dialing: BTreeSet<Number>,
    searched: bool,
}

impl Net {
    pub(super) fn new(seed: u64, weather: Weather) -> Net {
        Net(Arc::new(Mutex::new(State {
            weather,
            rng: fastrand::Rng::with_seed(seed),
            ports: Vec::new(),
            numbers: HashMap::new(),
            messages: 0,
            gets: 0,
            dials: 0,
            trace: DefaultHasher::new(),
            air_until: Instant::now(),
            air_used: Duration::ZERO,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages delivered, and a digest of them in their order.
    pub(super) fn trace(&self) -> (u64, u64) {
        let state = self.state();
        (state.messages, state.trace.finish())
    }

    /// Gets that arrived so far, and connections made.
    pub(super) fn counts(&self) -> (u64, u64) {
        let state = self.state();
        (state.gets, state.dials)
    }

    /// How many connections a node has.
    pub(super) fn connections(&self, id: &NodeId) -> usize {
        let mut state = self.state();
        let number = state.number(id);
        number.and_then(|node| state.up(node)).map_or(0, |up| up.connections.len())
    }

    /// Plugs a node in: one that starts, for the first time or again.
    pub(super) fn plug_in(
        &self,
        id: NodeId,
        hello: Arc<dyn Fn() -> Hello + Send + Sync>,
        started: Instant,
    ) -> (Arc<SimLink>, mpsc::Receiver<LinkEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let mut state = self.state();
        let node = state.number(&id).unwrap_or_else(|| state.add(id));
        let port = &mut state.ports[node];
        port.starts += 1;
        port.asleep = false;
        port.up = Some(Up {
            events,
            hello,
            responder: None,
            span: Span::current(),
            started,
            connections: BTreeMap::new(),
            dialing: BTreeSet::new(),
            searched: false,
        });
        let me = Start { node, start: port.starts };
        let link = SimLink { net: self.clone(), me, address: port.address };
        (Arc::new(link), receiver)
    }

    /// From now on the node answers.
    pub(super) fn serve(&self, id: &NodeId, responder: Arc<dyn Responder>) {
        let mut state = self.state();
        if let Some(up) = state.number(id).and_then(|node| state.ports[node].up.as_mut()) {
            up.responder = Some(responder);
        }
    }

    /// Pulls a node's plug: nobody is told.
    pub(super) fn crash(&self, id: &NodeId) {
        let mut state = self.state();
        if let Some(node) = state.number(id) {
            state.ports[node].up = None;
        }
    }

    /// Pulls all plugs, for good: nodes know the network, and it knows them, so that neither would ever go.
    pub(super) fn dismantle(&self) {
        let up: Vec<_> = self.state().ports.iter_mut().map(|port| port.up.take()).collect();
        // What goes with them may look at the network once more.
        drop(up);
    }

    /// How many know it: its nodes, and whoever runs them.
    #[cfg(test)]
    pub(super) fn known_by(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Puts a node on an island. All are on 0 at first.
    pub(super) fn maroon(&self, id: &NodeId, island: u32) {
        let mut state = self.state();
        if let Some(node) = state.number(id) {
            state.ports[node].island = island;
        }
    }

    /// Sends a node's machine to sleep, or wakes it.
    pub(super) fn sleep(&self, id: &NodeId, asleep: bool) {
        let mut state = self.state();
        if let Some(node) = state.number(id) {
            state.ports[node].asleep = asleep;
        }
    }

    pub(super) fn address(&self, id: &NodeId) -> Option<SocketAddr> {
        let state = self.state();
        state.number(id).map(|node| state.ports[node].address)
    }

    /// Changes what all messages share.
    #[cfg(test)]
    pub(super) fn set_air(&self, air: Air) {
        self.state().weather.air = Some(air);
    }

    /// How long the air was used so far.
    #[cfg(test)]
    pub(super) fn air_used(&self) -> Duration {
        self.state().air_used
    }

    /// Connects two nodes, if the other is there. Takes two ways through the network.
    pub(super) async fn connect(&self, me: Start, to: Number) -> bool {
        let (there, back, waits) = {
            let mut state = self.state();
            let messages = state.weather.air.map_or(0, |air| air.handshake);
            (state.delay(), state.delay(), state.take_air(messages))
        };
        sleep(there + back + waits.unwrap_or_default()).await;
        let joined = {
            let mut state = self.state();
            if !state.is_up(me) {
                return false;
            }
            waits.and_then(|_| state.join(me.node, to))
        };
        let Some(events) = joined else {
            sleep(DIAL_TIMEOUT).await;
            return false;
        };
        self.state().dials += 1;
        for (node, event) in events {
            self.tell(node, event).await;
        }
        self.search(me, to);
        true
    }

    /// What `libp2p-kad` does when a node meets its first other: it learns of those closest to itself.
    fn search(&self, me: Start, through: Number) {
        let contacts = {
            let mut state = self.state();
            let Some(up) = state.up(me.node) else { return };
            if std::mem::replace(&mut up.searched, true) {
                return;
            }
            state.known_to(through, me.node)
        };
        let net = self.clone();
        tokio::spawn(async move {
            let wait = net.state().delay() * 2;
            sleep(wait).await;
            if !net.state().is_up(me) {
                return;
            }
            for contact in contacts {
                net.tell(me.node, LinkEvent::Learned(contact)).await;
            }
            net.tell(me.node, LinkEvent::Searched).await;
        });
    }

    pub(super) async fn tell(&self, node: Number, event: LinkEvent) {
        let events = self.state().up(node).map(|up| up.events.clone());
        if let Some(events) = events {
            // Closed when it has crashed.
            let _ = events.send(event).await;
        }
    }

    /// A message's way: whether it arrives, and what hears of it there.
    pub(super) async fn carry(&self, from: Start, to: Number, what: u64) -> bool {
        let (delay, lost) = {
            let mut state = self.state();
            let (delay, lost, waits) = (state.delay(), state.is_lost(), state.take_air(1));
            (delay + waits.unwrap_or_default(), lost || waits.is_none())
        };
        sleep(delay).await;
        let is_reset = {
            let mut state = self.state();
            if lost || !state.is_up(from) || !state.hear_each_other(from.node, to) {
                return false;
            }
            if state.deliver(from, to, what) {
                return true;
            }
            state.is_reset(from.node, to)
        };
        if is_reset {
            // The other has started anew, or given up, and knows nothing of this connection.
            let there = self.state().ports[to].id;
            self.tell(from.node, LinkEvent::Disconnected(there)).await;
        }
        false
    }
}

impl State {
    fn add(&mut self, id: NodeId) -> Number {
        let number = self.ports.len();
        let host = u32::try_from(number).unwrap_or(u32::MAX - FIRST_HOST);
        let address = SocketAddr::from((Ipv4Addr::from(FIRST_HOST + host), 5850));
        let place = id.place();
        let port = Port { id, place, address, up: None, starts: 0, island: 0, asleep: false };
        self.ports.push(port);
        self.numbers.insert(id, number);
        number
    }

    pub(super) fn number(&self, id: &NodeId) -> Option<Number> {
        self.numbers.get(id).copied()
    }

    pub(super) fn at(&self, address: SocketAddr) -> Option<Number> {
        let SocketAddr::V4(v4) = address else { return None };
        let number = usize::try_from(v4.ip().to_bits().checked_sub(FIRST_HOST)?).ok()?;
        self.ports.get(number).filter(|port| port.address == address)?;
        Some(number)
    }

    pub(super) fn id(&self, node: Number) -> NodeId {
        self.ports[node].id
    }

    pub(super) fn up(&mut self, node: Number) -> Option<&mut Up> {
        self.ports[node].up.as_mut()
    }

    /// Which start of a node is up.
    pub(super) fn start_of(&self, node: Number) -> Option<u64> {
        Some(&self.ports[node]).filter(|port| port.up.is_some()).map(|port| port.starts)
    }

    /// Whether this start of a node is the one that is up.
    pub(super) fn is_up(&self, node: Start) -> bool {
        self.start_of(node.node) == Some(node.start)
    }

    pub(super) fn is_asleep(&self, node: Number) -> bool {
        self.ports[node].asleep
    }

    pub(super) fn hear_each_other(&self, a: Number, b: Number) -> bool {
        let (a, b) = (&self.ports[a], &self.ports[b]);
        a.island == b.island && !a.asleep && !b.asleep
    }

    pub(super) fn delay(&mut self) -> Duration {
        let (least, most) = self.weather.delay;
        let spread = u64::try_from((most - least).as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(self.rng.u64(0..=spread))
    }

    /// When what is under way now has arrived.
    pub(super) fn longest_delay(&self) -> Duration {
        let queued = self.air_until.saturating_duration_since(Instant::now());
        self.weather.delay.1 + queued
    }

    /// Puts so many messages on the air: how long until they have been sent; `None` if there is no room.
    fn take_air(&mut self, messages: u32) -> Option<Duration> {
        let Some(air) = self.weather.air else { return Some(Duration::ZERO) };
        let now = Instant::now();
        let queued = self.air_until.saturating_duration_since(now);
        if queued > air.queue {
            return None;
        }
        let used = air.message * messages;
        self.air_used += used;
        self.air_until = now + queued + used;
        Some(queued + used)
    }

    fn is_lost(&mut self) -> bool {
        self.rng.f64() < self.weather.loss
    }

    /// Connects two nodes; what each of them hears of it. `None` if one cannot be reached.
    fn join(&mut self, a: Number, b: Number) -> Option<Vec<(Number, LinkEvent)>> {
        let (a_start, b_start) = (self.start_of(a)?, self.start_of(b)?);
        if !self.hear_each_other(a, b) {
            return None;
        }
        self.up(b)?.responder.as_ref()?;
        let mut events = Vec::new();
        for (here, there, start) in [(a, b, b_start), (b, a, a_start)] {
            let (id, address) = (self.ports[there].id, self.ports[there].address);
            let hello = (self.up(there)?.hello)();
            let up = self.up(here)?;
            up.dialing.remove(&there);
            if up.connections.get(&there).is_some_and(|(_, met)| *met == start) {
                continue;
            }
            let pulse = Pulse::default();
            pulse.beat(up.started.elapsed());
            up.connections.insert(there, (pulse.clone(), start));
            let contact = Contact { id, addresses: vec![address] };
            events.push((here, LinkEvent::Connected { contact, hello, pulse }));
        }
        Some(events)
    }

    /// A message reaches a node: whether there is a connection for it.
    fn deliver(&mut self, from: Start, to: Number, what: u64) -> bool {
        let Some(up) = self.up(to) else { return false };
        let Some((pulse, met)) = up.connections.get(&from.node) else { return false };
        if *met != from.start {
            return false;
        }
        pulse.beat(up.started.elapsed());
        self.messages += 1;
        self.gets += u64::from(what == GET);
        (from.node, to, what).hash(&mut self.trace);
        true
    }

    /// What one that sleeps would hear of another, had no time passed.
    pub(super) fn beat(&mut self, node: Number, of: Number) {
        let Some(up) = self.up(node) else { return };
        if let Some((pulse, _)) = up.connections.get(&of) {
            pulse.beat(up.started.elapsed());
        }
    }

    /// Whether the other is up but does not know of the connection any more.
    fn is_reset(&mut self, from: Number, to: Number) -> bool {
        if self.start_of(to).is_none() {
            return false;
        }
        self.up(from).is_some_and(|up| up.connections.remove(&to).is_some())
    }

    /// Ends a connection at one end; whether there was one.
    pub(super) fn part(&mut self, here: Number, from: Number) -> bool {
        self.up(here).is_some_and(|up| up.connections.remove(&from).is_some())
    }

    fn known_to(&mut self, node: Number, except: Number) -> Vec<Contact> {
        let Some(up) = self.up(node) else { return Vec::new() };
        let mut known: Vec<Number> =
            up.connections.keys().filter(|other| **other != except).copied().collect();
        let place = self.ports[except].place;
        known.sort_by_cached_key(|other| self.ports[*other].place.distance(&place));
        known.truncate(K);
        let contact = |other: Number| {
            let port = &self.ports[other];
            Contact { id: port.id, addresses: vec![port.address] }
        };
        known.into_iter().map(contact).collect()
    }
}
