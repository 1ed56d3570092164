//! A share of all calls: their transactions, and what becomes of each request.

mod call;
mod registration;

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

use self::call::Call;
use super::core::{Core, reply_flow};
use super::metrics::Metrics;
use crate::flow::Flow;
use crate::location::{Bound, LocationError};
use crate::message::{
    Abilities, Edit, HeaderName, Message, Method, Rejection, Reply, Status, check_as_proxy,
};
use crate::proxy::{Way, route};
use crate::registrar::{Order, answer};
use crate::transaction::{
    Fired, Keys, Limits, OnRequest, OnResponse, Output, Table, Timers, TransactionId,
};

/// What this node serves itself.
const METHODS: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, INFO, UPDATE, PRACK, REFER, NOTIFY";
/// Extensions a proxy has to know: none has been asked for that changes what it does.
const ABILITIES: Abilities<'_> = Abilities { methods: &[], options: &[], media: &[] };
/// A proxy's own Max-Forwards where none was said (RFC 3261 §16.6, step 3).
const MAX_FORWARDS: u8 = 70;
/// When to come again, of those who wait for room.
const RETRY_AFTER_S: u64 = 5;

/// Something to send.
pub(super) struct Outgoing {
    /// Who has to know if it cannot be.
    pub(super) id: Option<TransactionId>,
    pub(super) flow: Flow,
    pub(super) bytes: Bytes,
}

impl From<Output<Flow>> for Outgoing {
    fn from(output: Output<Flow>) -> Outgoing {
        Outgoing { id: Some(output.id), flow: output.flow, bytes: output.bytes }
    }
}

/// What the location service has said.
pub(super) enum Resumed {
    Found(Result<Vec<Bound>, LocationError>),
    Registered(Result<Vec<Bound>, Refused>),
}

/// Why nobody is registered.
pub(super) enum Refused {
    Location(LocationError),
    Wish(Rejection),
}

pub(super) struct Shard {
    table: Table<Flow>,
    calls: HashMap<TransactionId, Call>,
    /// Of which call, and which branch of it, a client's transaction is.
    clients: HashMap<TransactionId, (TransactionId, usize)>,
    /// Timer C of calls.
    ringing: BTreeSet<(u64, TransactionId)>,
    order: Order,
    unique: u64,
}

impl Shard {
    pub(super) fn new(keys: Keys, timers: Timers, limits: Limits) -> Shard {
        Shard {
            table: Table::new(keys, timers, limits),
            calls: HashMap::new(),
            clients: HashMap::new(),
            ringing: BTreeSet::new(),
            order: Order::default(),
            unique: fastrand::u64(..),
        }
    }

    pub(super) fn transactions(&self) -> usize {
        self.table.len()
    }

    pub(super) fn unanswered(&self) -> usize {
        self.calls.values().filter(|call| !call.is_answered()).count()
    }

    pub(super) fn on_request(
        &mut self,
        core: &Core,
        number: usize,
        request: Message,
        flow: Flow,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) {
        let back = reply_flow(&request, &flow);
        let reliable = flow.carrier.is_reliable();
        let id = match self.table.on_request(&request, &back, reliable, now_ms) {
            Ok(OnRequest::New(id)) => id,
            Ok(OnRequest::Known(output)) => return out.extend(output.map(Outgoing::from)),
            Ok(OnRequest::Ack(_)) => return pass_ack(core, &request, out),
            Ok(OnRequest::Full) => {
                Metrics::add(&core.metrics.refused);
                let rejection = overloaded(RETRY_AFTER_S);
                let reply = Reply::rejecting(&request, &rejection).to_tag("0").build();
                return out.push(Outgoing { id: None, flow: back, bytes: reply });
            }
            Err(_) => return,
        };
        Metrics::add(&core.metrics.requests);
        let mark = request.top_via().map(|via| via.mark(flow.peer)).unwrap_or_default();
        let mut call = Call::new(number, request, flow, mark);
        let done = self.serve(core, id, &mut call, now_ms, out);
        self.calls.insert(id, call);
        match done {
            Ok(()) => {}
            Err(rejection) => self.refuse(id, &rejection, now_ms, out),
        }
        self.forget_if_over(id);
    }

    /// What a new request wants.
    fn serve(
        &mut self,
        core: &Core,
        id: TransactionId,
        call: &mut Call,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) -> Result<(), Rejection> {
        let request = &call.request;
        let method = request.method().unwrap_or(Method::Other(""));
        if method == Method::Cancel {
            call.own = true;
            return self.cancel(core, id, call, now_ms, out);
        }
        if core.is_refusing() {
            return Err(overloaded(RETRY_AFTER_S));
        }
        if let Some(wait_s) = core.limited(request, &call.flow, now_ms) {
            Metrics::add(&core.metrics.refused);
            return Err(overloaded(wait_s));
        }
        check_as_proxy(request, &ABILITIES)?;
        let domain = core.domain();
        if core.branches.is_loop(request, &domain)? {
            return Err(Rejection::new(Status::LOOP_DETECTED));
        }
        match method {
            Method::Register => return self.register(core, id, call, now_ms, out),
            Method::Subscribe => {
                let header = Some((HeaderName::AllowEvents, "refer".to_owned()));
                return Err(Rejection { header, ..Rejection::new(Status::BAD_EVENT) });
            }
            Method::Publish => return Err(Rejection::new(Status::NOT_IMPLEMENTED)),
            _ => {}
        }
        match route(request, &domain, &core.tokens)? {
            Way::Here if method == Method::Options => {
                let tag = tag();
                let reply = Reply::new(request, Status::OK).to_tag(&tag).mark_via(call.mark);
                let reply = reply
                    .header(HeaderName::Allow.as_str(), METHODS)
                    .header(HeaderName::Supported.as_str(), "path, outbound")
                    .build();
                self.respond(id, Status::OK, reply, now_ms, out);
                call.own = true;
                Ok(())
            }
            Way::Here => Err(Rejection::new(Status::NOT_FOUND)),
            Way::Person(aor, own_routes) => {
                if method == Method::Invite {
                    let trying = Reply::new(request, Status::TRYING).mark_via(call.mark).build();
                    self.respond(id, Status::TRYING, trying, now_ms, out);
                }
                call.pop.first = own_routes;
                let answer = core.locations.lookup(&aor);
                let question = Box::pin(async move { Resumed::Found(answer.await) });
                match core.ask(call.shard, id, question) {
                    Some(resumed) => self.resumed(core, id, call, resumed, now_ms, out),
                    None => Ok(()),
                }
            }
            Way::On(target, pop) => {
                if method == Method::Invite {
                    let trying = Reply::new(request, Status::TRYING).mark_via(call.mark).build();
                    self.respond(id, Status::TRYING, trying, now_ms, out);
                }
                call.pop = pop;
                self.fork(core, id, call, vec![vec![target]], now_ms, out);
                Ok(())
            }
        }
    }

    /// The location service has answered, later.
    pub(super) fn resume(
        &mut self,
        core: &Core,
        id: TransactionId,
        resumed: Resumed,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        let done = if call.is_answered() {
            Ok(())
        } else {
            self.resumed(core, id, &mut call, resumed, now_ms, out)
        };
        self.calls.insert(id, call);
        if let Err(rejection) = done {
            self.refuse(id, &rejection, now_ms, out);
        }
        self.forget_if_over(id);
    }

    fn resumed(
        &mut self,
        core: &Core,
        id: TransactionId,
        call: &mut Call,
        resumed: Resumed,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) -> Result<(), Rejection> {
        let took = call.began.elapsed();
        match resumed {
            Resumed::Registered(Ok(bound)) => {
                core.metrics.registration_location.note(took);
                let reply = answer(&call.request, &bound, &tag(), call.mark);
                self.respond(id, Status::OK, reply, now_ms, out);
                Metrics::add(&core.metrics.registrations);
                core.metrics.registration_delay.note(call.began.elapsed());
                call.own = true;
                Ok(())
            }
            Resumed::Registered(Err(Refused::Wish(rejection))) => Err(rejection),
            Resumed::Found(Ok(bound)) => {
                if call.is_invite() {
                    core.metrics.setup_location.note(took);
                }
                let waves = crate::proxy::targets(&bound, core.here(), &core.tokens);
                self.fork(core, id, call, waves, now_ms, out);
                Ok(())
            }
            Resumed::Registered(Err(Refused::Location(wrong))) | Resumed::Found(Err(wrong)) => {
                Err(match wrong {
                    LocationError::Full => {
                        Rejection::with_reason(Status::SERVICE_UNAVAILABLE, "No Room")
                    }
                    LocationError::Unavailable => overloaded(RETRY_AFTER_S),
                })
            }
        }
    }

    pub(super) fn on_response(
        &mut self,
        core: &Core,
        response: Message,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) {
        Metrics::add(&core.metrics.responses);
        let (id, ack) = match self.table.on_response(&response, now_ms) {
            Ok(OnResponse::Told { id, ack, .. }) => (id, ack),
            Ok(OnResponse::Known(output)) => return out.extend(output.map(Outgoing::from)),
            Ok(OnResponse::Stray) | Err(_) => return,
        };
        out.extend(ack.map(Outgoing::from));
        self.told(core, id, now_ms, out, |fork, branch| fork.on_response(branch, response));
    }

    /// A flow did not take a message. A connection that is gone is nobody's fault here: whoever was to be
    /// reached by it is not there just now.
    pub(super) fn on_unsent(
        &mut self,
        core: &Core,
        id: TransactionId,
        flow: &Flow,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) {
        if self.table.on_unsent(id, now_ms) {
            let status = match flow.carrier.is_reliable() {
                true => Status::FLOW_FAILED,
                false => Status::SERVICE_UNAVAILABLE,
            };
            self.failed(core, id, status, now_ms, out);
        }
        self.gone(id);
    }

    /// Time has gone by.
    pub(super) fn tick(&mut self, core: &Core, now_ms: u64, out: &mut Vec<Outgoing>) {
        let mut fired = Vec::new();
        if self.table.next_deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            self.table.fire(now_ms, &mut fired);
        }
        for fired in fired {
            match fired {
                Fired::Send(output) => out.push(output.into()),
                Fired::NoResponse(id) => {
                    self.failed(core, id, Status::REQUEST_TIMEOUT, now_ms, out)
                }
                Fired::NoAck(_) => {}
                Fired::Over(id) => self.gone(id),
            }
        }
        while let Some(&(at_ms, id)) = self.ringing.first()
            && at_ms <= now_ms
        {
            self.ringing.remove(&(at_ms, id));
            self.rang(core, id, now_ms, out);
        }
    }

    fn failed(
        &mut self,
        core: &Core,
        id: TransactionId,
        status: Status,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) {
        self.told(core, id, now_ms, out, |fork, branch| fork.on_failure(branch, status));
    }

    /// A transaction is over, and with it the call it is the server's of.
    fn gone(&mut self, id: TransactionId) {
        self.clients.remove(&id);
        if self.calls.contains_key(&id) && !self.table.contains(id) {
            self.drop_call(id);
        }
    }

    fn respond(
        &mut self,
        id: TransactionId,
        status: Status,
        bytes: Bytes,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) {
        out.extend(self.table.respond(id, status, bytes, now_ms).map(Outgoing::from));
    }

    fn refuse(
        &mut self,
        id: TransactionId,
        rejection: &Rejection,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) {
        let tag = tag();
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.own = true;
        let reply =
            Reply::rejecting(&call.request, rejection).to_tag(&tag).mark_via(call.mark).build();
        self.respond(id, rejection.status, reply, now_ms, out);
    }
}

/// A tag of our own.
fn tag() -> String {
    format!("{:x}", fastrand::u64(..))
}

fn overloaded(wait_s: u64) -> Rejection {
    let header = Some((HeaderName::RetryAfter, wait_s.to_string()));
    Rejection { header, ..Rejection::new(Status::SERVICE_UNAVAILABLE) }
}

/// The ACK of a 2xx goes the way of its dialog, and leaves nothing behind.
fn pass_ack(core: &Core, ack: &Message, out: &mut Vec<Outgoing>) {
    let passed = (|| {
        check_as_proxy(ack, &ABILITIES).ok()?;
        let Way::On(target, pop) = route(ack, &core.domain(), &core.tokens).ok()? else {
            return None;
        };
        let flow = call::flow_of(core, target.destination)?;
        let branch = core.branches.stateless(ack).ok()?;
        let left = ack.max_forwards().ok()?.map_or(MAX_FORWARDS, |left| left.saturating_sub(1));
        let mut edit = Edit::new(ack).push_via(call::via(core, &flow, &branch));
        edit = edit.max_forwards(left).pop_routes(pop.first);
        if pop.last {
            edit = edit.pop_last_route();
        }
        if let Some(uri) = &target.request_uri {
            edit = edit.request_uri(uri);
        }
        Some(Outgoing { id: None, flow, bytes: edit.with_length().finish() })
    })();
    out.extend(passed);
}
