//! The way in and out: which shard a message is for, and what follows from what it decides.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::metrics::Metrics;
use super::shard::{Question, Resumed, Shard, Todo, reply_flow};
use super::shared::{Shared, lock, secret};
use crate::agent::{Asked, Outlet};
use crate::domain::Domain;
use crate::flow::Flow;
use crate::message::{Invalid, Message, Rejection, Reply, Status, validate};
use crate::proxy::Destination;
use crate::transaction::{Keys, Limits, TransactionId};
use crate::transport::Inbox;

/// More than cores, so that two tasks seldom want the same.
const SHARDS: usize = 16;

pub(super) struct Core {
    shared: Arc<Shared>,
    shards: Vec<Mutex<Shard>>,
    own: std::sync::Weak<Core>,
}

impl Core {
    pub(super) fn new(shared: Shared) -> Arc<Core> {
        let config = &shared.config;
        let each = Limits {
            transactions: config.limits.transactions / SHARDS,
            bytes: config.limits.bytes / SHARDS,
        };
        let keys = Keys::new(secret());
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(keys.clone(), config.timers, each)));
        let shards = shards.collect();
        let shared = Arc::new(shared);
        Arc::new_cyclic(|own: &std::sync::Weak<Core>| {
            // It is set once, here.
            let _ = shared.inbox.set(own.clone());
            Core { shared, shards, own: own.clone() }
        })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn transactions(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).transactions()).sum()
    }

    pub(super) fn calls(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).unanswered()).sum()
    }

    /// Sets what is ours. What waits for super-nodes that are gone waits no longer.
    pub(super) fn set_domain(&self, domain: Domain) {
        let gone = self.shared.set_domain(domain);
        if gone.is_empty() {
            return;
        }
        for number in 0..self.shards.len() {
            self.in_shard(number, |shard, out, now_ms| {
                shard.on_nodes_gone(&self.shared, &gone, now_ms, out);
            });
        }
    }

    /// Time has gone by.
    pub(super) fn tick(&self) {
        for number in 0..self.shards.len() {
            self.in_shard(number, |shard, out, now_ms| shard.tick(&self.shared, now_ms, out));
        }
    }

    fn number(&self, call_id: &str) -> usize {
        usize::try_from(self.shared.hash(call_id)).unwrap_or_default() % SHARDS
    }

    fn in_shard(&self, number: usize, what: impl FnOnce(&mut Shard, &mut Vec<Todo>, u64)) {
        let Some(shard) = self.shards.get(number) else { return };
        let (mut out, now_ms) = (Vec::new(), self.shared.now_ms());
        what(&mut lock(shard), &mut out, now_ms);
        // What cannot be sent has consequences, and so has what is known at once: to send more, maybe.
        while !out.is_empty() {
            let (mut failed, mut known, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
            for todo in out.drain(..) {
                match todo {
                    Todo::Send { id, flow, bytes } => {
                        if self.shared.transports.send(&flow, bytes).is_err() {
                            Metrics::add(&self.shared.metrics.unsent);
                            failed.extend(id.map(|id| (id, flow)));
                        }
                    }
                    Todo::Ask(id, question) => match self.ask(number, id, question) {
                        Some(resumed) => known.push((id, resumed)),
                        None => waiting.push(id),
                    },
                    Todo::Deliver { id, agent, request, caller } => {
                        let Some(own) = self.own.upgrade() else { continue };
                        agent.on_request(Asked::new(request, caller, own, (number, id)));
                    }
                    Todo::Tell { listener, response } => listener.on_response(response),
                }
            }
            if failed.is_empty() && known.is_empty() && waiting.is_empty() {
                continue;
            }
            let mut shard = lock(shard);
            for (id, flow) in failed {
                shard.on_unsent(&self.shared, id, &flow, now_ms, &mut out);
            }
            for id in waiting {
                shard.waits(id, now_ms, &mut out);
            }
            for (id, resumed) in known {
                shard.resume(&self.shared, id, resumed, now_ms, &mut out);
            }
        }
    }

    /// Asks: what is known at once is there at once, and else comes to the same shard later.
    fn ask(&self, number: usize, id: TransactionId, mut question: Question) -> Option<Resumed> {
        Metrics::add(&self.shared.metrics.lookups);
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(resumed) = question.as_mut().poll(&mut context) {
            return Some(resumed);
        }
        let own = self.own.clone();
        self.shared.spawn(async move {
            let resumed = question.await;
            if let Some(core) = own.upgrade() {
                core.in_shard(number, |shard, out, now_ms| {
                    shard.resume(&core.shared, id, resumed, now_ms, out)
                });
            }
        });
        None
    }

    /// What is not in form is refused without a transaction, or dropped.
    fn reject(&self, request: &Message, rejection: &Rejection, flow: &Flow) {
        let Ok(via) = request.top_via() else { return };
        let (tag, mark) = (format!("{:x}", fastrand::u64(..)), via.mark(flow.peer));
        let reply = Reply::rejecting(request, rejection).to_tag(&tag).mark_via(mark).build();
        let _ = self.shared.transports.send(&reply_flow(request, flow), reply);
    }
}

impl Inbox for Core {
    fn on_message(&self, bytes: Bytes, flow: Flow) {
        let Ok(message) = Message::parse(bytes) else {
            return Metrics::add(&self.shared.metrics.malformed);
        };
        if let Err(invalid) = validate(&message) {
            Metrics::add(&self.shared.metrics.malformed);
            if let Invalid::Answer(rejection) = invalid {
                self.reject(&message, &rejection, &flow);
            }
            return;
        }
        let Ok(call_id) = message.call_id() else { return };
        self.in_shard(self.number(call_id), |shard, out, now_ms| {
            if message.is_request() {
                shard.on_request(&self.shared, message, flow, now_ms, out);
            } else {
                shard.on_response(&self.shared, message, now_ms, out);
            }
        });
    }

    fn on_closed(&self, flow: Flow) {
        self.shared.on_flow_gone(&flow);
    }
}

impl Outlet for Core {
    fn respond(&self, (number, id): (usize, TransactionId), status: Status, bytes: Bytes) {
        self.in_shard(number, |shard, out, now_ms| {
            shard.respond_as_agent(id, status, bytes, now_ms, out);
        });
    }

    fn request(
        &self,
        request: Message,
        destination: Option<Destination>,
        listener: Arc<dyn crate::agent::Listener>,
    ) {
        let Ok(call_id) = request.call_id() else { return };
        self.in_shard(self.number(call_id), |shard, out, now_ms| {
            shard.on_agent_request(&self.shared, request, destination, listener, now_ms, out);
        });
    }

    fn here(&self, peer: SocketAddr) -> SocketAddr {
        self.shared.here(peer)
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shared.fmt(f)
    }
}
