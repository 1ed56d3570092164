//! One request that is served, and its branches.

use std::time::Instant;

use super::{MAX_FORWARDS, Outgoing, Shard};
use crate::flow::{Carrier, Flow};
use crate::message::{
    Edit, HeaderName, Message, Method, Rejection, Reply, Status, ViaMark, cancel_for,
};
use crate::proxy::{Act, Destination, Fork, Pop, TIMER_C_MS, Target};
use crate::server::core::Core;
use crate::server::metrics::Metrics;
use crate::transaction::TransactionId;

/// A request that is served.
pub(super) struct Call {
    pub(super) shard: usize,
    pub(super) request: Message,
    /// What it came by.
    pub(super) flow: Flow,
    pub(super) mark: ViaMark,
    pub(super) pop: Pop,
    /// It was answered by this node itself.
    pub(super) own: bool,
    pub(super) began: Instant,
    fork: Option<Fork>,
    branches: Vec<Option<Sent>>,
    ringing_ms: Option<u64>,
    heard: bool,
}

/// A branch that was begun.
#[derive(Clone)]
struct Sent {
    id: TransactionId,
    flow: Flow,
    branch: String,
}

impl Call {
    pub(super) fn new(shard: usize, request: Message, flow: Flow, mark: ViaMark) -> Call {
        Call {
            shard,
            request,
            flow,
            mark,
            pop: Pop { first: 0, last: false },
            own: false,
            began: Instant::now(),
            fork: None,
            branches: Vec::new(),
            ringing_ms: None,
            heard: false,
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        self.own || self.fork.as_ref().is_some_and(Fork::is_answered)
    }

    pub(super) fn is_invite(&self) -> bool {
        self.request.method() == Some(Method::Invite)
    }

    /// Whether nothing more can come of it but what its transactions do alone.
    fn is_over(&self) -> bool {
        // More 2xx may come of an INVITE.
        self.own || self.fork.as_ref().is_some_and(|fork| fork.is_over() && !self.is_invite())
    }
}

/// A flow that leads to a destination.
pub(super) fn flow_of(core: &Core, destination: Destination) -> Option<Flow> {
    match destination {
        Destination::Flow(flow) => Some(flow),
        Destination::Hop(carrier, peer) => {
            core.transports.flow_to(carrier, peer, &core.inbox()?).ok()
        }
    }
}

/// Our Via.
pub(super) fn via(core: &Core, flow: &Flow, branch: &str) -> String {
    format!("SIP/2.0/{} {};branch={branch}", flow.carrier.transport(), core.here())
}

impl Shard {
    /// Passes a request on.
    pub(super) fn fork(
        &mut self,
        core: &Core,
        id: TransactionId,
        call: &mut Call,
        waves: Vec<Vec<Target>>,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) {
        let (fork, acts) = Fork::new(call.is_invite(), waves);
        call.fork = Some(fork);
        self.act(core, id, call, acts, now_ms, out);
        self.ring(id, call, now_ms + TIMER_C_MS);
    }

    /// Sets timer C.
    fn ring(&mut self, id: TransactionId, call: &mut Call, at_ms: u64) {
        if let Some(before_ms) = call.ringing_ms.take() {
            self.ringing.remove(&(before_ms, id));
        }
        if call.is_invite() && call.fork.as_ref().is_some_and(|fork| !fork.is_over()) {
            self.ringing.insert((at_ms, id));
            call.ringing_ms = Some(at_ms);
        }
    }

    /// Something has happened to a branch.
    pub(super) fn told(
        &mut self,
        core: &Core,
        client: TransactionId,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
        what: impl FnOnce(&mut Fork, usize) -> Vec<Act>,
    ) {
        let Some(&(id, branch)) = self.clients.get(&client) else { return };
        let Some(mut call) = self.calls.remove(&id) else { return };
        if let Some(fork) = &mut call.fork {
            let acts = what(fork, branch);
            let heard = acts.iter().any(|act| matches!(act, Act::Forward(..)));
            if heard && !call.heard && call.is_invite() {
                call.heard = true;
                core.metrics.setup_delay.note(call.began.elapsed());
            }
            self.act(core, id, &mut call, acts, now_ms, out);
            // Each sign of life is three minutes more (§16.7, step 2).
            self.ring(id, &mut call, now_ms + TIMER_C_MS);
        }
        self.calls.insert(id, call);
        self.forget_if_over(id);
    }

    /// Timer C.
    pub(super) fn rang(
        &mut self,
        core: &Core,
        id: TransactionId,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        call.ringing_ms = None;
        if let Some(fork) = &mut call.fork {
            let acts = fork.on_timer_c();
            self.act(core, id, &mut call, acts, now_ms, out);
            // Who was cancelled has 64·T1 to say so.
            self.ring(id, &mut call, now_ms + core.config.timers.patience_ms());
        }
        self.calls.insert(id, call);
        self.forget_if_over(id);
    }

    /// A CANCEL: it is answered at once, and its INVITE is stopped (§16.10).
    pub(super) fn cancel(
        &mut self,
        core: &Core,
        id: TransactionId,
        cancel: &Call,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) -> Result<(), Rejection> {
        let none = || Rejection::new(Status::NO_SUCH_TRANSACTION);
        let invite = self.table.cancelled_by(&cancel.request)?.ok_or_else(none)?;
        let tag = super::tag();
        let reply = Reply::new(&cancel.request, Status::OK).to_tag(&tag).mark_via(cancel.mark);
        self.respond(id, Status::OK, reply.build(), now_ms, out);
        let Some(mut call) = self.calls.remove(&invite) else { return Ok(()) };
        let acts = match &mut call.fork {
            Some(fork) => fork.on_cancel(),
            None if call.own => Vec::new(),
            // It is being looked up.
            None => vec![Act::Reply(Status::REQUEST_TERMINATED)],
        };
        self.act(core, invite, &mut call, acts, now_ms, out);
        self.ring(invite, &mut call, now_ms + core.config.timers.patience_ms());
        self.calls.insert(invite, call);
        self.forget_if_over(invite);
        Ok(())
    }

    fn act(
        &mut self,
        core: &Core,
        id: TransactionId,
        call: &mut Call,
        acts: Vec<Act>,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) {
        for act in acts {
            match act {
                Act::Start(first, wave) => {
                    for (target, branch) in wave.iter().zip(first..) {
                        if self.begin(core, id, call, (branch, target), now_ms, out).is_some() {
                            continue;
                        }
                        let fork = call.fork.as_mut();
                        let status = Status::SERVICE_UNAVAILABLE;
                        let acts = fork.map(|fork| fork.on_failure(branch, status));
                        self.act(core, id, call, acts.unwrap_or_default(), now_ms, out);
                    }
                }
                Act::Forward(response, challenges) => {
                    let Some(status) = response.status() else { continue };
                    let mut edit = Edit::new(&response).pop_via();
                    for (name, value) in &challenges {
                        edit = edit.add(name.as_str(), value);
                    }
                    let bytes = edit.with_length().finish();
                    self.respond(id, status, bytes, now_ms, out);
                }
                Act::Reply(status) => {
                    let tag = super::tag();
                    let reply = Reply::new(&call.request, status).to_tag(&tag).mark_via(call.mark);
                    let reply = reply.build();
                    self.respond(id, status, reply, now_ms, out);
                    call.own |= call.fork.is_none();
                }
                Act::Cancel(branch) => self.cancel_branch(call, branch, now_ms, out),
            }
        }
    }

    fn cancel_branch(&mut self, call: &Call, branch: usize, now_ms: u64, out: &mut Vec<Outgoing>) {
        let Some(Some(sent)) = call.branches.get(branch) else { return };
        let invite = self.table.sent_invite(sent.id).cloned();
        let invite = invite.and_then(|bytes| Message::parse(bytes).ok());
        let Some(Ok(bytes)) = invite.map(|invite| cancel_for(&invite)) else { return };
        let (flow, reliable) = (sent.flow, sent.flow.carrier.is_reliable());
        let begun = self.table.begin(&bytes, &sent.branch, Method::Cancel, flow, reliable, now_ms);
        if let Ok(client) = begun {
            out.push(Outgoing { id: Some(client), flow, bytes });
        }
    }

    /// Begins a branch (§16.6).
    fn begin(
        &mut self,
        core: &Core,
        id: TransactionId,
        call: &mut Call,
        (number, target): (usize, &Target),
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) -> Option<()> {
        let flow = flow_of(core, target.destination)?;
        self.unique = self.unique.wrapping_add(1);
        let request = &call.request;
        let branch = core.branches.make(request, self.unique).ok()?;
        let method = request.method()?;
        let left = request.max_forwards().ok()?;
        let left = left.map_or(MAX_FORWARDS, |left| left.saturating_sub(1));
        let mut edit = Edit::new(request).mark_via(call.mark).push_via(via(core, &flow, &branch));
        edit = edit.pop_routes(call.pop.first).max_forwards(left);
        if call.pop.last {
            edit = edit.pop_last_route();
        }
        if let Some(uri) = &target.request_uri {
            edit = edit.request_uri(uri);
        }
        if let Some(route) = &target.route {
            edit = edit.push_route(route);
        }
        if !core.domain().is_other_node(call.flow.peer) {
            // Only super-nodes are believed (RFC 3325 §5).
            edit = edit.strip(HeaderName::PAssertedIdentity);
        }
        if let Some((towards_caller, towards_callee)) = record_routes(core, call, target, &flow) {
            edit = edit.push_record_route(towards_caller).push_record_route(towards_callee);
        }
        let reliable = flow.carrier.is_reliable();
        if reliable {
            edit = edit.with_length();
        }
        let bytes = edit.finish();
        let client = self.table.begin(&bytes, &branch, method, flow, reliable, now_ms).ok()?;
        Metrics::add(&core.metrics.forwarded);
        self.clients.insert(client, (id, number));
        if call.branches.len() <= number {
            call.branches.resize(number + 1, None);
        }
        if let Some(slot) = call.branches.get_mut(number) {
            *slot = Some(Sent { id: client, flow, branch });
        }
        out.push(Outgoing { id: Some(client), flow, bytes });
        Some(())
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
            self.clients.remove(&sent.id);
            if unfinished {
                self.table.end(sent.id);
            }
        }
    }
}

/// One for each side, if the two cannot reach each other without us: each names the flow to its side.
fn record_routes(
    core: &Core,
    call: &Call,
    target: &Target,
    flow: &Flow,
) -> Option<(String, String)> {
    let request = &call.request;
    let makes_dialog = matches!(request.method(), Some(Method::Invite | Method::Refer))
        && request.to().is_ok_and(|to| to.tag().is_none());
    if !makes_dialog {
        return None;
    }
    let straight = request.vias().count() == 1;
    let contact = request.contacts().next().and_then(Result::ok).and_then(|c| c.address());
    let caller_direct = call.flow.carrier == Carrier::Udp
        && straight
        && contact.and_then(|contact| Destination::of(&contact.uri()))
            == Some(Destination::Hop(Carrier::Udp, call.flow.peer));
    if caller_direct && target.direct && !core.config.record_route_always {
        return None;
    }
    let call_id = request.call_id().ok()?;
    let caller = match straight && !caller_direct {
        true => core.tokens.of_flow(&call.flow),
        false => core.tokens.onward(call_id),
    };
    let callee = match target.destination {
        Destination::Flow(flow) => core.tokens.of_flow(&flow),
        Destination::Hop(..) => core.tokens.onward(call_id),
    };
    let route = |token: &str, carrier: Carrier| {
        let transport = match carrier {
            Carrier::Udp => "",
            Carrier::Tcp => ";transport=tcp",
            Carrier::WebSocket => ";transport=ws",
        };
        format!("<sip:{token}@{}{transport};lr>", core.here())
    };
    Some((route(&caller, call.flow.carrier), route(&callee, flow.carrier)))
}
