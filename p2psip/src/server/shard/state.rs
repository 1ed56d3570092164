//! The shard's state, and what comes in: requests, responses and time.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::call::Call;
use super::todo::{Todo, reply_flow};
use crate::agent::Listener;
use crate::flow::Flow;
use crate::message::{HeaderName, Message, Rejection, Reply, Status};
use crate::registrar::Order;
use crate::server::metrics::Metrics;
use crate::server::shared::Shared;
use crate::transaction::{
    Fired, Keys, Limits, OnRequest, OnResponse, Table, Timers, TransactionId,
};

/// When to come again, of those who wait for room.
const RETRY_AFTER_S: u64 = 5;

/// Whose a client's transaction is.
pub(super) enum Owner {
    /// A branch of a request that is passed on.
    Call(TransactionId, usize),
    /// An agent's; with the request, for what stands for no response.
    Agent(Arc<dyn Listener>, Message),
}

/// A client's transaction.
pub(super) struct Client {
    pub(super) owner: Owner,
    /// When one that has said nothing is given up.
    pub(super) silent_ms: Option<u64>,
    /// What its silence counts as.
    pub(super) missing: Status,
}

pub(crate) struct Shard {
    pub(super) table: Table<Flow>,
    pub(super) calls: HashMap<TransactionId, Call>,
    pub(super) clients: HashMap<TransactionId, Client>,
    /// Timer C of calls.
    pub(super) ringing: BTreeSet<(u64, TransactionId)>,
    /// Those that have not said anything yet, and will be given up.
    pub(super) silent: BTreeSet<(u64, TransactionId)>,
    pub(super) order: Order,
    pub(super) unique: u64,
}

impl Shard {
    pub(crate) fn new(keys: Keys, timers: Timers, limits: Limits) -> Shard {
        Shard {
            table: Table::new(keys, timers, limits),
            calls: HashMap::new(),
            clients: HashMap::new(),
            ringing: BTreeSet::new(),
            silent: BTreeSet::new(),
            order: Order::default(),
            unique: fastrand::u64(..),
        }
    }

    pub(crate) fn transactions(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn unanswered(&self) -> usize {
        self.calls.values().filter(|call| !call.is_answered()).count()
    }

    pub(crate) fn on_request(
        &mut self,
        shared: &Arc<Shared>,
        request: Message,
        flow: Flow,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        let back = reply_flow(&request, &flow);
        if let Some(wait_s) = self.too_much(shared, &request, &flow, now_ms) {
            // Without a transaction: a flood is to leave nothing behind.
            Metrics::add(&shared.metrics.refused);
            let rejection = overloaded(wait_s);
            let mark = request.top_via().map(|via| via.mark(flow.peer)).unwrap_or_default();
            let reply = Reply::rejecting(&request, &rejection).to_tag("0").mark_via(mark).build();
            return out.push(Todo::Send { id: None, flow: back, bytes: reply });
        }
        let id = match self.table.on_request(&request, &back, flow.carrier.is_reliable(), now_ms) {
            Ok(OnRequest::New(id)) => id,
            Ok(OnRequest::Known(output)) => return out.extend(output.map(Todo::from)),
            Ok(OnRequest::Ack(_)) => return self.pass_ack(shared, request, &flow, out),
            Ok(OnRequest::Full) => {
                Metrics::add(&shared.metrics.refused);
                let rejection = overloaded(RETRY_AFTER_S);
                let reply = Reply::rejecting(&request, &rejection).to_tag("0").build();
                return out.push(Todo::Send { id: None, flow: back, bytes: reply });
            }
            Err(_) => return,
        };
        Metrics::add(&shared.metrics.requests);
        let mark = request.top_via().map(|via| via.mark(flow.peer)).unwrap_or_default();
        let mut call = Call::new(request, flow, mark);
        let done = self.serve(shared, id, &mut call, now_ms, out);
        self.calls.insert(id, call);
        if let Err(rejection) = done {
            self.refuse(id, &rejection, now_ms, out);
        }
        self.forget_if_over(id);
    }

    /// How long to wait, if a new request is one too many. What ends another one never is.
    fn too_much(
        &self,
        shared: &Shared,
        request: &Message,
        flow: &Flow,
        now_ms: u64,
    ) -> Option<u64> {
        use crate::message::Method::{Ack, Cancel};
        let spared = matches!(request.method(), Some(Ack | Cancel));
        if !shared.limits() || spared || self.table.knows(request) {
            return None;
        }
        shared.limited(request, flow, now_ms)
    }

    pub(crate) fn on_response(
        &mut self,
        shared: &Arc<Shared>,
        response: Message,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        Metrics::add(&shared.metrics.responses);
        let (id, ack) = match self.table.on_response(&response, now_ms) {
            Ok(OnResponse::Told { id, ack, .. }) => (id, ack),
            Ok(OnResponse::Known(output)) => return out.extend(output.map(Todo::from)),
            Ok(OnResponse::Stray) | Err(_) => return,
        };
        out.extend(ack.map(Todo::from));
        self.heard(id);
        if let Some(Client { owner: Owner::Agent(listener, _), .. }) = self.clients.get(&id) {
            let listener = Arc::clone(listener);
            if !self.table.contains(id) {
                self.clients.remove(&id);
            }
            return out.push(Todo::Tell { listener, response });
        }
        if self.hung_up(shared, id, &response, now_ms, out) {
            return self.failed(shared, id, Status::NOT_ACCEPTABLE_HERE, now_ms, out);
        }
        self.told(shared, id, now_ms, out, |fork, branch| fork.on_response(branch, response));
    }

    /// A client's transaction has a sign of life.
    fn heard(&mut self, id: TransactionId) {
        if let Some(at_ms) = self.clients.get_mut(&id).and_then(|client| client.silent_ms.take()) {
            self.silent.remove(&(at_ms, id));
        }
    }

    /// A flow did not take a message. A connection that is gone is nobody's fault here: whoever was to be
    /// reached by it is not there just now, and is not registered any more.
    pub(crate) fn on_unsent(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        flow: &Flow,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        if self.table.on_unsent(id, now_ms) {
            let status = match flow.carrier.is_reliable() {
                true => {
                    shared.on_flow_gone(flow);
                    Status::FLOW_FAILED
                }
                false => Status::SERVICE_UNAVAILABLE,
            };
            self.failed(shared, id, status, now_ms, out);
        }
        self.gone(id);
    }

    /// Time has gone by.
    pub(crate) fn tick(&mut self, shared: &Arc<Shared>, now_ms: u64, out: &mut Vec<Todo>) {
        let mut fired = Vec::new();
        if self.table.next_deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            self.table.fire(now_ms, &mut fired);
        }
        for fired in fired {
            match fired {
                Fired::Send(output) => out.push(output.into()),
                Fired::NoResponse(id) => {
                    self.failed(shared, id, Status::REQUEST_TIMEOUT, now_ms, out)
                }
                Fired::NoAck(_) => {}
                Fired::Over(id) => self.gone(id),
            }
        }
        while let Some(&(at_ms, id)) = self.silent.first()
            && at_ms <= now_ms
        {
            self.heard(id);
            let missing = self.clients.get(&id).map(|client| client.missing);
            let missing = missing.unwrap_or(Status::REQUEST_TIMEOUT);
            self.failed(shared, id, missing, now_ms, out);
        }
        while let Some(&(at_ms, id)) = self.ringing.first()
            && at_ms <= now_ms
        {
            self.ringing.remove(&(at_ms, id));
            self.rang(shared, id, now_ms, out);
        }
    }

    /// Super-nodes have left: nobody waits for what they would say.
    pub(crate) fn on_nodes_gone(
        &mut self,
        shared: &Arc<Shared>,
        gone: &HashSet<SocketAddr>,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        let sent = self.calls.values().flat_map(|call| call.branches.iter().flatten());
        let lost = sent.filter(|sent| gone.contains(&sent.flow.peer)).map(|sent| sent.id);
        for id in lost.collect::<Vec<_>>() {
            self.heard(id);
            self.failed(shared, id, Status::FLOW_FAILED, now_ms, out);
        }
    }

    fn failed(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        status: Status,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        if let Some(Client { owner: Owner::Agent(listener, request), .. }) = self.clients.get(&id) {
            let response = Message::parse(Reply::new(request, status).to_tag("0").build());
            let listener = Arc::clone(listener);
            return out.extend(response.ok().map(|response| Todo::Tell { listener, response }));
        }
        self.told(shared, id, now_ms, out, |fork, branch| fork.on_failure(branch, status));
    }

    /// A transaction is over, and with it the call it is the server's of.
    fn gone(&mut self, id: TransactionId) {
        self.heard(id);
        self.clients.remove(&id);
        if self.calls.contains_key(&id) && !self.table.contains(id) {
            self.drop_call(id);
        }
    }

    pub(super) fn respond(
        &mut self,
        id: TransactionId,
        status: Status,
        bytes: Bytes,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        out.extend(self.table.respond(id, status, bytes, now_ms).map(Todo::from));
    }

    /// An agent answers.
    pub(crate) fn respond_as_agent(
        &mut self,
        id: TransactionId,
        status: Status,
        bytes: Bytes,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        self.respond(id, status, bytes, now_ms, out);
        if status.is_final()
            && let Some(call) = self.calls.get_mut(&id)
        {
            call.own = true;
        }
        self.forget_if_over(id);
    }

    pub(super) fn refuse(
        &mut self,
        id: TransactionId,
        rejection: &Rejection,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        let tag = tag();
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.own = true;
        let reply =
            Reply::rejecting(&call.request, rejection).to_tag(&tag).mark_via(call.mark).build();
        let at_once = call.is_invite() && !call.tried && !call.flow.carrier.is_reliable();
        self.respond(id, rejection.status, reply, now_ms, out);
        if at_once {
            // As one without state does it (§8.2.7): who did not hear it asks again. To repeat it ten
            // times would serve whoever makes others' addresses his own.
            self.table.end(id);
        }
    }

    /// Drops what nothing more can come of.
    pub(super) fn forget_if_over(&mut self, id: TransactionId) {
        let over = self.calls.get(&id).is_some_and(Call::is_over);
        if over || !self.table.contains(id) {
            self.drop_call(id);
        }
    }

    pub(super) fn drop_call(&mut self, id: TransactionId) {
        let Some(call) = self.calls.remove(&id) else { return };
        if let Some(at_ms) = call.ringing_ms {
            self.ringing.remove(&(at_ms, id));
        }
        let unfinished = call.fork.as_ref().is_some_and(|fork| !fork.is_over());
        for sent in call.branches.into_iter().flatten() {
            self.heard(sent.id);
            self.clients.remove(&sent.id);
            if unfinished {
                self.table.end(sent.id);
            }
        }
    }
}

/// A tag of our own.
pub(super) fn tag() -> String {
    format!("{:x}", fastrand::u64(..))
}

/// 503, with when to come again: in so many seconds, or as usual.
pub(super) fn overloaded(wait_s: u64) -> Rejection {
    let header = Some((HeaderName::RetryAfter, wait_s.to_string()));
    Rejection { header, ..Rejection::new(Status::SERVICE_UNAVAILABLE) }
}

/// 503, with the usual pause.
pub(super) fn unavailable() -> Rejection {
    overloaded(RETRY_AFTER_S)
}
