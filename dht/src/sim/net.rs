//! The simulated network, and each node's [`Link`] on it.
//!
//! Worse than the real one: messages of one connection overtake each other and get lost one by one,
//! while the connection stands. A crashed node is silent, as one switched off is; others learn it from
//! silence alone.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::NodeId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::link::{JoinError, Link, LinkEvent, Lost, ReplySlot, Responder, Response};
use crate::overlay::{Peer, Pulse};
use crate::store::Pending;
use crate::wire::{Contact, Hello, Notice, Reply, Request};

/// Events that may wait for a node.
const EVENTS_MAX: usize = 4096;
/// Until a request without an answer is given up by the link.
const GIVE_UP: Duration = Duration::from_secs(10);
/// Whom `libp2p-kad` learns of by looking for itself.
const K: usize = 20;
/// Until a dial that nobody answers fails.
const DIAL_TIMEOUT: Duration = Duration::from_secs(2);

/// What the network does to messages.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Shortest and longest time a message takes.
    pub delay: (Duration, Duration),
    /// The part of messages that is lost, 0 to 1.
    pub loss: f64,
}

/// The network.
#[derive(Clone)]
pub(super) struct Net(Arc<Mutex<State>>);

struct State {
    weather: Weather,
    rng: fastrand::Rng,
    nodes: BTreeMap<NodeId, Port>,
    messages: u64,
    /// A digest of everything that was delivered, in order.
    trace: DefaultHasher,
}

/// Where a node is plugged in.
struct Port {
    address: SocketAddr,
    /// `None` while it is crashed.
    up: Option<Up>,
    /// How often it was started.
    starts: u64,
}

struct Up {
    events: mpsc::Sender<LinkEvent>,
    hello: Arc<dyn Fn() -> Hello + Send + Sync>,
    responder: Option<Arc<dyn Responder>>,
    started: Instant,
    /// To whom it is connected, and when it hears them; and which start of theirs.
    connections: BTreeMap<NodeId, (Pulse, u64)>,
    dialing: BTreeSet<NodeId>,
    searched: bool,
}

/// A node's link.
pub(super) struct SimLink {
    net: Net,
    me: NodeId,
    start: u64,
    address: SocketAddr,
}

impl Net {
    pub(super) fn new(seed: u64, weather: Weather) -> Net {
        Net(Arc::new(Mutex::new(State {
            weather,
            rng: fastrand::Rng::with_seed(seed),
            nodes: BTreeMap::new(),
            messages: 0,
            trace: DefaultHasher::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages delivered, and a digest of them in their order.
    pub(super) fn trace(&self) -> (u64, u64) {
        let state = self.state();
        (state.messages, state.trace.finish())
    }

    /// Plugs a node in: one that starts, for the first time or again.
    pub(super) fn plug_in(
        &self,
        me: NodeId,
        hello: Arc<dyn Fn() -> Hello + Send + Sync>,
        started: Instant,
    ) -> (Arc<SimLink>, mpsc::Receiver<LinkEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let mut state = self.state();
        let number = u32::try_from(state.nodes.len()).unwrap_or(u32::MAX) + 1;
        let address = SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + number), 5850));
        let port = state.nodes.entry(me).or_insert(Port { address, up: None, starts: 0 });
        port.starts += 1;
        port.up = Some(Up {
            events,
            hello,
            responder: None,
            started,
            connections: BTreeMap::new(),
            dialing: BTreeSet::new(),
            searched: false,
        });
        let link = SimLink { net: self.clone(), me, start: port.starts, address: port.address };
        (Arc::new(link), receiver)
    }

    /// From now on the node answers.
    pub(super) fn serve(&self, me: NodeId, responder: Arc<dyn Responder>) {
        if let Some(up) = self.state().up(&me) {
            up.responder = Some(responder);
        }
    }

    /// Pulls a node's plug: nobody is told.
    pub(super) fn crash(&self, me: NodeId) {
        if let Some(port) = self.state().nodes.get_mut(&me) {
            port.up = None;
        }
    }

    pub(super) fn address(&self, me: &NodeId) -> Option<SocketAddr> {
        self.state().nodes.get(me).map(|port| port.address)
    }

    /// Connects two nodes, if the other is there. Takes two ways through the network.
    async fn connect(&self, me: NodeId, start: u64, to: NodeId) -> bool {
        let (there, back) = {
            let mut state = self.state();
            (state.delay(), state.delay())
        };
        sleep(there + back).await;
        let joined = {
            let mut state = self.state();
            if state.starts(&me) != Some(start) {
                return false;
            }
            state.join(me, to)
        };
        if joined.is_none() {
            sleep(DIAL_TIMEOUT).await;
            return false;
        }
        for (node, event) in joined.into_iter().flatten() {
            self.tell(node, event).await;
        }
        self.search(me, start, to);
        true
    }

    /// What `libp2p-kad` does when a node meets its first other: it learns of those closest to itself.
    fn search(&self, me: NodeId, start: u64, through: NodeId) {
        let net = self.clone();
        let contacts = {
            let mut state = self.state();
            let Some(up) = state.up(&me) else { return };
            if std::mem::replace(&mut up.searched, true) {
                return;
            }
            state.known_to(&through, &me)
        };
        tokio::spawn(async move {
            let wait = net.state().delay() * 2;
            sleep(wait).await;
            if net.state().starts(&me) != Some(start) {
                return;
            }
            for contact in contacts {
                net.tell(me, LinkEvent::Learned(contact)).await;
            }
            net.tell(me, LinkEvent::Searched).await;
        });
    }

    async fn tell(&self, node: NodeId, event: LinkEvent) {
        let events = self.state().up(&node).map(|up| up.events.clone());
        if let Some(events) = events {
            // Closed when it has crashed.
            let _ = events.send(event).await;
        }
    }

    /// A message's way: whether it arrives, and what hears of it there.
    async fn carry(&self, from: NodeId, start: u64, to: NodeId, what: u64) -> bool {
        let (delay, lost) = {
            let mut state = self.state();
            (state.delay(), state.is_lost())
        };
        sleep(delay).await;
        if lost {
            return false;
        }
        let gone = {
            let mut state = self.state();
            if state.starts(&from) != Some(start) {
                return false;
            }
            if state.deliver(from, to, what) {
                return true;
            }
            state.is_reset(from, to)
        };
        if gone {
            // The other has started anew and knows nothing of this connection.
            self.tell(from, LinkEvent::Disconnected(to)).await;
        }
        false
    }
}

impl State {
    fn up(&mut self, node: &NodeId) -> Option<&mut Up> {
        self.nodes.get_mut(node)?.up.as_mut()
    }

    /// Which start of a node is up.
    fn starts(&self, node: &NodeId) -> Option<u64> {
        self.nodes.get(node).filter(|port| port.up.is_some()).map(|port| port.starts)
    }

    fn delay(&mut self) -> Duration {
        let (least, most) = self.weather.delay;
        let spread = u64::try_from((most - least).as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(self.rng.u64(0..=spread))
    }

    fn is_lost(&mut self) -> bool {
        self.rng.f64() < self.weather.loss
    }

    /// Connects two nodes; what each of them hears of it. `None` if one is not up.
    fn join(&mut self, a: NodeId, b: NodeId) -> Option<Vec<(NodeId, LinkEvent)>> {
        let (a_start, b_start) = (self.starts(&a)?, self.starts(&b)?);
        self.up(&b)?.responder.as_ref()?;
        let mut events = Vec::new();
        for (here, there, start) in [(a, b, b_start), (b, a, a_start)] {
            let address = self.nodes.get(&there)?.address;
            let hello = (self.up(&there)?.hello)();
            let up = self.up(&here)?;
            up.dialing.remove(&there);
            if up.connections.get(&there).is_some_and(|(_, met)| *met == start) {
                continue;
            }
            let pulse = Pulse::default();
            pulse.beat(up.started.elapsed());
            up.connections.insert(there, (pulse.clone(), start));
            let contact = Contact { id: there, addresses: vec![address] };
            events.push((here, LinkEvent::Connected { contact, hello, pulse }));
        }
        Some(events)
    }

    /// A message reaches a node: whether there is a connection for it.
    fn deliver(&mut self, from: NodeId, to: NodeId, what: u64) -> bool {
        let Some(start) = self.starts(&from) else { return false };
        let Some(up) = self.up(&to) else { return false };
        let Some((pulse, met)) = up.connections.get(&from) else { return false };
        if *met != start {
            return false;
        }
        pulse.beat(up.started.elapsed());
        self.messages += 1;
        (from, to, what).hash(&mut self.trace);
        true
    }

    /// Whether the other is up but does not know of the connection any more.
    fn is_reset(&mut self, from: NodeId, to: NodeId) -> bool {
        if self.starts(&to).is_none() {
            return false;
        }
        self.up(&from).is_some_and(|up| up.connections.remove(&to).is_some())
    }

    fn known_to(&mut self, node: &NodeId, except: &NodeId) -> Vec<Contact> {
        let Some(up) = self.up(node) else { return Vec::new() };
        let ids: Vec<NodeId> = up.connections.keys().filter(|id| *id != except).copied().collect();
        let mut ids = ids;
        ids.sort_by_cached_key(|id| id.place().distance(&except.place()));
        ids.truncate(K);
        let contact = |id: NodeId| {
            let address = self.nodes.get(&id)?.address;
            Some(Contact { id, addresses: vec![address] })
        };
        ids.into_iter().filter_map(contact).collect()
    }
}

/// What a message is, for the trace.
fn kind(request: &Request) -> u64 {
    match request {
        Request::Get(_) => 1,
        Request::Apply { .. } => 2,
        Request::Probe => 3,
        Request::ProbeFor(_) => 4,
        Request::Pull(_) => 5,
        Request::Digests(_) => 7,
        Request::Watch { .. } => 8,
        Request::Members => 6,
    }
}

impl Link for SimLink {
    fn request(&self, to: &Arc<Peer>, _: &[SocketAddr], request: Request, slot: ReplySlot) {
        let (net, me, start, to) = (self.net.clone(), self.me, self.start, to.id);
        tokio::spawn(async move {
            let connected = {
                let mut state = net.state();
                state.starts(&me) == Some(start)
                    && state.up(&me).is_some_and(|up| up.connections.contains_key(&to))
            };
            if !connected && !net.connect(me, start, to).await {
                slot.answer(Err(Lost::Connection));
                return;
            }
            let (reply, answered) = oneshot::channel::<Reply>();
            tokio::spawn(net.clone().exchange(me, start, to, request, reply));
            match tokio::time::timeout(GIVE_UP, answered).await {
                Ok(Ok(reply)) => slot.answer(Ok(reply)),
                // What was lost is never answered; a real link would learn of it in time.
                _ => slot.answer(Err(Lost::Connection)),
            }
        });
    }

    fn notify(&self, to: NodeId, notice: Notice) -> bool {
        let (net, me, start) = (self.net.clone(), self.me, self.start);
        if !net.state().up(&me).is_some_and(|up| up.connections.contains_key(&to)) {
            return false;
        }
        tokio::spawn(async move {
            if net.carry(me, start, to, 10).await {
                net.tell(to, LinkEvent::Notice(me, notice)).await;
            }
        });
        true
    }

    fn dial(&self, to: Contact) {
        let (net, me, start) = (self.net.clone(), self.me, self.start);
        {
            let mut state = net.state();
            let Some(up) = state.up(&me) else { return };
            if up.connections.contains_key(&to.id) || !up.dialing.insert(to.id) {
                return;
            }
        }
        tokio::spawn(async move {
            let connected = net.connect(me, start, to.id).await;
            if let Some(up) = net.state().up(&me) {
                up.dialing.remove(&to.id);
            }
            if !connected {
                net.tell(me, LinkEvent::DialFailed(to.id)).await;
            }
        });
    }

    fn disconnect(&self, peer: NodeId) {
        let (net, me) = (self.net.clone(), self.me);
        let was_connected = |node: NodeId, other: NodeId| {
            net.state().up(&node).is_some_and(|up| up.connections.remove(&other).is_some())
        };
        if was_connected(me, peer) && was_connected(peer, me) {
            let net = net.clone();
            tokio::spawn(async move { net.tell(peer, LinkEvent::Disconnected(me)).await });
        }
    }

    fn join(&self, address: SocketAddr) -> Pending<Result<NodeId, JoinError>> {
        let (net, me, start) = (self.net.clone(), self.me, self.start);
        Box::pin(async move {
            let at = |(id, port): (&NodeId, &Port)| (port.address == address).then_some(*id);
            let to = net.state().nodes.iter().find_map(at);
            match to {
                Some(to) if to == me => Err(JoinError::Myself { address }),
                Some(to) if net.connect(me, start, to).await => Ok(to),
                _ => Err(JoinError::Nobody { address, detail: "no answer".into() }),
            }
        })
    }

    fn listening_on(&self) -> SocketAddr {
        self.address
    }

    fn close(&self) -> Pending<()> {
        let (net, me, start) = (self.net.clone(), self.me, self.start);
        Box::pin(async move {
            // What was sent still leaves.
            sleep(Duration::from_millis(50)).await;
            let peers: Vec<NodeId> = {
                let mut state = net.state();
                if state.starts(&me) != Some(start) {
                    return;
                }
                state.up(&me).map(|up| up.connections.keys().copied().collect()).unwrap_or_default()
            };
            for peer in peers {
                let known =
                    net.state().up(&peer).is_some_and(|up| up.connections.remove(&me).is_some());
                if known {
                    net.tell(peer, LinkEvent::Disconnected(me)).await;
                }
            }
            net.crash(me);
        })
    }
}

impl Net {
    /// A request's way there, what is done there, and its reply's way back.
    async fn exchange(
        self,
        me: NodeId,
        start: u64,
        to: NodeId,
        request: Request,
        reply: oneshot::Sender<Reply>,
    ) {
        if !self.carry(me, start, to, kind(&request)).await {
            // Held, not dropped: nobody knows that it was lost.
            sleep(GIVE_UP).await;
            return;
        }
        let (responder, there) = {
            let mut state = self.state();
            let there = state.starts(&to);
            (state.up(&to).and_then(|up| up.responder.clone()), there)
        };
        let (Some(responder), Some(there)) = (responder, there) else { return };
        let answer = match responder.respond(me, request) {
            Response::Now(answer) => answer,
            Response::Later(answer) => answer.await,
        };
        if self.carry(to, there, me, 20).await {
            let _ = reply.send(answer);
        } else {
            sleep(GIVE_UP).await;
        }
    }
}
