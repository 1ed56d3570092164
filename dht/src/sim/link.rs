//! Each simulated node's [`Link`]: its requests and notices as tasks that wait for their way through
//! the [`Net`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::NodeId;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::Instrument;

use super::net::{GET, Net, Number, Start};
use crate::link::{JoinError, Link, LinkEvent, Lost, ReplySlot, Response};
use crate::overlay::Peer;
use crate::store::Pending;
use crate::wire::{Contact, Notice, Reply, Request};

/// Until a request without an answer is given up by the link.
const GIVE_UP: Duration = Duration::from_secs(10);

/// A node's link.
pub(super) struct SimLink {
    pub(super) net: Net,
    pub(super) me: Start,
    pub(super) address: SocketAddr,
}

/// What a message is, for the trace.
fn kind(request: &Request) -> u64 {
    match request {
        Request::Get(_) => GET,
        Request::Apply { .. } => 2,
        Request::Probe => 3,
        Request::ProbeFor(_) => 4,
        Request::Pull(_) => 5,
        Request::Digests(_) => 7,
        Request::Watch { .. } => 8,
        Request::Members { .. } => 6,
        Request::Claims { .. } => 9,
    }
}

impl Link for SimLink {
    fn request(&self, to: &Arc<Peer>, _: &[SocketAddr], request: Request, slot: ReplySlot) {
        let to = self.net.state().number(&to.id);
        // Nobody ever had such an id.
        let Some(to) = to else { return };
        let (net, me) = (self.net.clone(), self.me);
        tokio::spawn(async move {
            let asked = Instant::now();
            let (connected, asleep) = {
                let mut state = net.state();
                let connected = state.is_up(me)
                    && state.up(me.node).is_some_and(|up| up.connections.contains_key(&to));
                (connected, state.is_asleep(me.node))
            };
            if asleep {
                net.dream(me, to, request, slot).await;
                return;
            }
            if !connected && !net.connect(me, to).await {
                slot.answer(Err(Lost::Connection));
                return;
            }
            match net.exchange(me, to, request).await {
                Some(reply) => slot.answer(Ok(reply)),
                // What was lost is never answered; a real link would learn of it in time.
                None => {
                    sleep_until(asked + GIVE_UP).await;
                    slot.answer(Err(Lost::Connection));
                }
            }
        });
    }

    fn notify(&self, to: NodeId, notice: Notice) -> bool {
        let (net, me) = (self.net.clone(), self.me);
        let (to, from) = {
            let mut state = net.state();
            let Some(to) = state.number(&to) else { return false };
            if !state.up(me.node).is_some_and(|up| up.connections.contains_key(&to)) {
                return false;
            }
            (to, state.id(me.node))
        };
        tokio::spawn(async move {
            if net.carry(me, to, 10).await {
                net.tell(to, LinkEvent::Notice(from, notice)).await;
            }
        });
        true
    }

    fn dial(&self, to: Contact) {
        let (net, me) = (self.net.clone(), self.me);
        let Some(node) = net.state().number(&to.id) else { return };
        {
            let mut state = net.state();
            let Some(up) = state.up(me.node) else { return };
            if up.connections.contains_key(&node) || !up.dialing.insert(node) {
                return;
            }
        }
        tokio::spawn(async move {
            let connected = net.connect(me, node).await;
            if let Some(up) = net.state().up(me.node) {
                up.dialing.remove(&node);
            }
            if !connected && net.state().is_up(me) {
                net.tell(me.node, LinkEvent::DialFailed(to.id)).await;
            }
        });
    }

    fn disconnect(&self, peer: NodeId) {
        let (net, me) = (self.net.clone(), self.me);
        let flushed = {
            let mut state = net.state();
            let Some(to) = state.number(&peer) else { return };
            let there = state.up(me.node).and_then(|up| up.connections.get(&to));
            let Some(met) = there.map(|(_, met)| *met) else { return };
            (to, met, state.longest_delay())
        };
        tokio::spawn(async move {
            let (to, met, delay) = flushed;
            // What was sent before leaves first.
            sleep(delay).await;
            let told = {
                let mut state = net.state();
                let there = state.up(me.node).and_then(|up| up.connections.get(&to));
                let is_same = there.is_some_and(|(_, now)| *now == met);
                if !is_same || !state.is_up(me) {
                    return;
                }
                state.part(me.node, to);
                // What does not reach the other it finds out when it sends something.
                let told = state.hear_each_other(me.node, to) && state.part(to, me.node);
                told.then(|| state.id(me.node))
            };
            if let Some(id) = told {
                net.tell(to, LinkEvent::Disconnected(id)).await;
            }
        });
    }

    fn join(&self, address: SocketAddr) -> Pending<Result<NodeId, JoinError>> {
        let (net, me) = (self.net.clone(), self.me);
        Box::pin(async move {
            let to = net.state().at(address);
            match to {
                Some(to) if to == me.node => Err(JoinError::Myself { address }),
                Some(to) if net.connect(me, to).await => Ok(net.state().id(to)),
                _ => Err(JoinError::Nobody { address, detail: "no answer".into() }),
            }
        })
    }

    fn listening_on(&self) -> SocketAddr {
        self.address
    }

    fn close(&self) -> Pending<()> {
        let (net, me) = (self.net.clone(), self.me);
        Box::pin(async move {
            // What was sent still leaves.
            sleep(Duration::from_millis(50)).await;
            let (id, peers): (NodeId, Vec<Number>) = {
                let mut state = net.state();
                if !state.is_up(me) {
                    return;
                }
                let peers = state.up(me.node).map(|up| up.connections.keys().copied().collect());
                (state.id(me.node), peers.unwrap_or_default())
            };
            for peer in peers {
                let told = {
                    let mut state = net.state();
                    state.hear_each_other(me.node, peer) && state.part(peer, me.node)
                };
                if told {
                    net.tell(peer, LinkEvent::Disconnected(id)).await;
                }
            }
            net.crash(&id);
        })
    }
}

impl Net {
    /// A request's way there, what is done there, and its reply's way back; `None` if it got lost.
    async fn exchange(&self, me: Start, to: Number, request: Request) -> Option<Reply> {
        if !self.carry(me, to, kind(&request)).await {
            return None;
        }
        let (from, there, responder, span) = {
            let mut state = self.state();
            let there = Start { node: to, start: state.start_of(to)? };
            let from = state.id(me.node);
            let up = state.up(to)?;
            (from, there, up.responder.clone()?, up.span.clone())
        };
        let response = span.in_scope(|| responder.respond(from, request));
        let reply = match response {
            Response::Now(reply) => reply,
            Response::Later(reply) => reply.instrument(span).await,
        };
        self.carry(there, me.node, 20).await.then_some(reply)
    }

    /// A request of one whose machine sleeps. It would not have been sent, so it must change
    /// nothing: others seem to be there, as they were when it fell asleep, and to know whom it knows;
    /// all else is not answered.
    async fn dream(&self, me: Start, to: Number, request: Request, slot: ReplySlot) {
        let (id, responder) = {
            let mut state = self.state();
            let responder = state.up(me.node).and_then(|up| up.responder.clone());
            (state.id(me.node), responder)
        };
        let reply = match request {
            Request::Probe => responder.and_then(|own| match own.respond(id, Request::Probe) {
                Response::Now(reply) => Some(reply),
                Response::Later(_) => None,
            }),
            Request::ProbeFor(_) => Some(Reply::Heard),
            _ => None,
        };
        match reply {
            Some(reply) => {
                sleep(Duration::from_millis(1)).await;
                self.state().beat(me.node, to);
                slot.answer(Ok(reply));
            }
            None => {
                sleep(GIVE_UP).await;
                slot.answer(Err(Lost::Connection));
            }
        }
    }
}
