//! Requests that are sent on (RFC 3261 §16.6): what is changed in them, and who hears of the answers.

use std::sync::Arc;

use super::call::{Call, Identity, Sent};
use super::state::{Client, Owner, Shard};
use super::todo::Todo;
use crate::agent::Listener;
use crate::flow::{Carrier, Flow};
use crate::message::{Edit, HeaderName, Message, Method, Status};
use crate::proxy::{Destination, Pop, Target, Way, route};
use crate::server::metrics::Metrics;
use crate::server::shared::Shared;
use crate::transaction::TransactionId;

/// A proxy's own Max-Forwards where none was said (RFC 3261 §16.6, step 3).
const MAX_FORWARDS: u8 = 70;
/// Another super-node answers an INVITE with 100 at once: who has not after four transmissions, which is
/// after so many T1 (6 s), is gone.
const SILENCE_INVITE_T1: u64 = 12;
/// A phone that is called answers at once, too, or rings: one that does not after five transmissions, the
/// last of them 2.5 s ago (10 s), is off, or out of reach. What it says later is cancelled. Within a call
/// it gets all the time there is (64·T1): the call would end of it.
const SILENCE_PHONE_T1: u64 = 20;
/// Other requests are answered by the phone behind it, which takes longer (10 s).
const SILENCE_T1: u64 = 20;
/// What an open name is marked with: a phone that shows it warns, and others lose nothing.
const UNVERIFIED: &str = "unverified";

/// Our Via.
fn via(shared: &Shared, flow: &Flow, branch: &str) -> String {
    let here = shared.here(flow.peer);
    format!("SIP/2.0/{} {here};branch={branch}", flow.carrier.transport())
}

/// What is the same for all that is passed on.
fn passed<'m>(
    shared: &Shared,
    request: &'m Message,
    (target, pop): (&'m Target, Pop),
    (flow, branch): (&Flow, &str),
) -> Option<Edit<'m>> {
    let left = request.max_forwards().ok()?.map_or(MAX_FORWARDS, |left| left.saturating_sub(1));
    let mut edit = Edit::new(request).push_via(via(shared, flow, branch));
    edit = edit.max_forwards(left).pop_routes(pop.first);
    if pop.last {
        edit = edit.pop_last_route();
    }
    if let Some(uri) = &target.request_uri {
        edit = edit.request_uri(uri);
    }
    if let Some(route) = &target.route {
        edit = edit.push_route(route);
    }
    if let Some(last) = &target.last_route {
        edit = edit.append_route(last);
    }
    Some(edit)
}

/// The ACK of a 2xx, on its way.
pub(super) fn passed_ack(
    shared: &Shared,
    ack: &Message,
    target: &Target,
    pop: Pop,
) -> Option<Todo> {
    let flow = shared.flow_of(target.destination)?;
    let branch = shared.branches.stateless(ack).ok()?;
    let edit = passed(shared, ack, (target, pop), (&flow, &branch))?;
    Some(Todo::Send { id: None, flow, bytes: edit.with_length().finish() })
}

impl Shard {
    /// Begins a branch.
    pub(super) fn begin(
        &mut self,
        shared: &Shared,
        id: TransactionId,
        call: &mut Call,
        (number, target): (usize, &Target),
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) -> Option<()> {
        let flow = shared.flow_of(target.destination)?;
        self.unique = self.unique.wrapping_add(1);
        let request = &call.request;
        let branch = shared.branches.make(request, self.unique).ok()?;
        let method = request.method()?;
        let edit = passed(shared, request, (target, call.pop), (&flow, &branch))?;
        let neighbour = shared.domain().is_other_node(flow.peer);
        // An owner may have come to the overlay before this node has heard of it.
        let to_owner = target.route.is_some() && matches!(target.destination, Destination::Hop(..));
        let mut edit = identified(edit.mark_via(call.mark), call, neighbour);
        if let Some((towards_caller, towards_callee)) = record_routes(shared, call, target, &flow) {
            edit = edit.push_record_route(towards_caller).push_record_route(towards_callee);
        }
        let reliable = flow.carrier.is_reliable();
        if reliable {
            edit = edit.with_length();
        }
        let bytes = edit.finish();
        let client = self.table.begin(&bytes, &branch, method, flow, reliable, now_ms).ok()?;
        Metrics::add(&shared.metrics.forwarded);
        let (silence, missing) = match (neighbour || to_owner, method) {
            (true, Method::Invite) => (Some(SILENCE_INVITE_T1), Status::FLOW_FAILED),
            (true, _) => (Some(SILENCE_T1), Status::FLOW_FAILED),
            (false, Method::Invite) if !reliable && call.is_initial() => {
                (Some(SILENCE_PHONE_T1), Status::REQUEST_TIMEOUT)
            }
            (false, _) => (None, Status::REQUEST_TIMEOUT),
        };
        let silent_ms = silence.map(|silence| now_ms + silence * shared.config.timers.t1_ms);
        self.silent.extend(silent_ms.map(|at_ms| (at_ms, client)));
        let client_of = Client { owner: Owner::Call(id, number), silent_ms, missing };
        self.clients.insert(client, client_of);
        if call.branches.len() <= number {
            call.branches.resize(number + 1, None);
        }
        if let Some(slot) = call.branches.get_mut(number) {
            *slot = Some(Sent { id: client, flow, branch });
        }
        out.push(Todo::Send { id: Some(client), flow, bytes });
        Some(())
    }

    /// Begins a request of an agent's own.
    pub(super) fn begin_for_agent(
        &mut self,
        shared: &Shared,
        request: &Message,
        destination: Option<Destination>,
        listener: &Arc<dyn Listener>,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) -> Option<()> {
        let along = |destination| (Target::to(destination), Pop { first: 0, last: false });
        let own_way = || {
            // Of its Routes those of this node are read here.
            if let Ok(Way::On(target, pop)) = route(request, &shared.domain(), &shared.tokens) {
                return Some((target, pop));
            }
            let next = request.routes().next().and_then(Result::ok).map(|route| route.uri());
            Destination::of(&next.or_else(|| request.request_uri().ok())?).map(along)
        };
        let (target, pop) = destination.map(along).or_else(own_way)?;
        let flow = shared.flow_of(target.destination)?;
        self.unique = self.unique.wrapping_add(1);
        let branch = shared.branches.make(request, self.unique).ok()?;
        let bytes = passed(shared, request, (&target, pop), (&flow, &branch))?.finish();
        let (method, reliable) = (request.method()?, flow.carrier.is_reliable());
        if method == Method::Ack {
            out.push(Todo::Send { id: None, flow, bytes });
            return Some(());
        }
        let client = self.table.begin(&bytes, &branch, method, flow, reliable, now_ms).ok()?;
        let owner = Owner::Agent(Arc::clone(listener), request.clone());
        let missing = Status::REQUEST_TIMEOUT;
        self.clients.insert(client, Client { owner, silent_ms: None, missing });
        out.push(Todo::Send { id: Some(client), flow, bytes });
        Some(())
    }
}

/// Says who asks, to whom that is to be said. What others have said of it goes, but for super-nodes
/// (RFC 3325 §5).
fn identified<'m>(mut edit: Edit<'m>, call: &Call, to_neighbour: bool) -> Edit<'m> {
    let request = &call.request;
    let is_private = || request.values(HeaderName::Privacy).flatten().any(wants_privacy);
    if call.identity == Identity::Neighbour {
        if !to_neighbour && is_private() {
            edit = edit.strip(HeaderName::PAssertedIdentity);
        }
        return edit;
    }
    edit = edit.strip(HeaderName::PAssertedIdentity).strip(HeaderName::ScopeCaller);
    match call.identity {
        Identity::Open => edit.add(HeaderName::ScopeCaller.as_str(), UNVERIFIED),
        Identity::Verified { by_password } => {
            if by_password {
                edit = edit.strip(HeaderName::ProxyAuthorization);
            }
            let user = request.from().ok().and_then(|from| from.uri().user());
            match user.filter(|_| to_neighbour || !is_private()) {
                Some(user) => edit.add(
                    HeaderName::PAssertedIdentity.as_str(),
                    format_args!("<sip:{user}@{}>", crate::accounts::REALM),
                ),
                None => edit,
            }
        }
        Identity::Aside | Identity::Neighbour => edit,
    }
}

/// RFC 3325 §9.3.
fn wants_privacy(value: &[u8]) -> bool {
    value.split(|byte| *byte == b';').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"id"))
}

/// One for each side, if the two cannot reach each other without us: each names the flow to its side.
fn record_routes(
    shared: &Shared,
    call: &Call,
    target: &Target,
    flow: &Flow,
) -> Option<(String, String)> {
    let request = &call.request;
    let makes_dialog = matches!(request.method(), Some(Method::Invite | Method::Refer));
    if !makes_dialog || !call.is_initial() {
        return None;
    }
    let straight = request.vias().count() == 1;
    let contact = request.contacts().next().and_then(Result::ok).and_then(|c| c.address());
    let caller_direct = call.flow.carrier == Carrier::Udp
        && straight
        && contact.and_then(|contact| Destination::of(&contact.uri()))
            == Some(Destination::Hop(Carrier::Udp, call.flow.peer));
    // Who has no address of the other's family does not reach it alone.
    let one_family = call.flow.peer.is_ipv4() == flow.peer.is_ipv4();
    let alone = caller_direct && target.direct && one_family;
    if alone && !shared.config.record_route_always {
        return None;
    }
    let call_id = request.call_id().ok()?;
    let caller = match straight && !caller_direct {
        true => shared.tokens.of_flow(&call.flow),
        false => shared.tokens.onward(call_id),
    };
    let callee = match target.destination {
        Destination::Flow(flow) => shared.tokens.of_flow(&flow),
        Destination::Hop(..) => shared.tokens.onward(call_id),
    };
    let route = |token: &str, side: &Flow| {
        let transport = match side.carrier {
            Carrier::Udp => "",
            Carrier::Tcp => ";transport=tcp",
            Carrier::WebSocket => ";transport=ws",
        };
        format!("<sip:{token}@{}{transport};lr>", shared.here(side.peer))
    };
    Some((route(&caller, &call.flow), route(&callee, flow)))
}
