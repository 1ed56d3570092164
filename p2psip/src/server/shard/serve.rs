//! What a new request wants, who asks, and what follows once that is known.

use std::future::ready;
use std::sync::Arc;

use super::call::{Call, Identity, Stage};
use super::state::{Shard, tag, unavailable};
use super::todo::{Question, Resumed, Todo, Told};
use crate::accounts::Account;
use crate::agent::{Caller, Listener};
use crate::flow::Flow;
use crate::location::{Answer, Aor, Bound, Known, LocationError};
use crate::message::{
    Abilities, HeaderName, Message, Method, Rejection, Reply, Status, check_as_proxy,
};
use crate::proxy::{Destination, Way, reachable, route, targets};
use crate::server::gate::Asker;
use crate::server::methods::{ALLOWED, Policy, policy};
use crate::server::shared::{Shared, lock};
use crate::transaction::TransactionId;

/// Extensions a proxy has to know: none has been asked for that changes what it does.
pub(super) const ABILITIES: Abilities<'_> = Abilities { methods: &[], options: &[], media: &[] };

impl Shard {
    /// What a new request wants.
    pub(super) fn serve(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        call: &mut Call,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) -> Result<(), Rejection> {
        let request = &call.request;
        let method = request.method().unwrap_or(Method::Other(""));
        let policy = policy(method);
        if policy == Policy::Cancels {
            call.own = true;
            return self.cancel(shared, id, call, now_ms, out);
        }
        if shared.is_refusing() {
            return Err(unavailable());
        }
        check_as_proxy(request, &ABILITIES)?;
        let domain = shared.domain();
        if shared.branches.is_loop(request, &domain)? {
            return Err(Rejection::new(Status::LOOP_DETECTED));
        }
        match policy {
            Policy::Registers => return self.register(shared, id, call, out),
            Policy::Refused(rejection) => {
                let agents = shared.agents.load();
                let agent = agents.methods.get(method.as_str()).ok_or(rejection)?;
                call.stage = Stage::Agent(Arc::clone(agent));
            }
            Policy::Cancels | Policy::Passed => match route(request, &domain, &shared.tokens)? {
                Way::Here if method == Method::Options => {
                    let tag = tag();
                    let reply = Reply::new(request, Status::OK).to_tag(&tag).mark_via(call.mark);
                    let reply = reply
                        .header(HeaderName::Allow.as_str(), ALLOWED)
                        .header(HeaderName::Supported.as_str(), "path, outbound")
                        .build();
                    self.respond(id, Status::OK, reply, now_ms, out);
                    call.own = true;
                    return Ok(());
                }
                Way::Here => return Err(Rejection::new(Status::NOT_FOUND)),
                Way::Person(aor, own_routes) => {
                    call.pop.first = own_routes;
                    call.stage = match shared.agents.load().people.get(&aor) {
                        Some(agent) => Stage::Agent(Arc::clone(agent)),
                        None => Stage::Person(aor),
                    };
                }
                Way::On(target, pop) => {
                    call.pop = pop;
                    call.stage = Stage::On(Box::new(target));
                }
            },
        }
        let account = self.identify(shared, call, now_ms);
        let place = match &call.stage {
            Stage::Person(aor) => Some(shared.locations.lookup(aor)),
            _ => None,
        };
        if account.is_none() && place.is_none() {
            return self.go_on(shared, id, call, None, now_ms, out);
        }
        out.push(Todo::Ask(id, both(account, place)));
        Ok(())
    }

    /// Finds out who asks, as far as it is known here; else it is a question to the accounts.
    fn identify(
        &self,
        shared: &Shared,
        call: &mut Call,
        now_ms: u64,
    ) -> Option<Answer<Option<Account>>> {
        let domain = shared.domain();
        let peer = call.flow.peer;
        if domain.is_other_node(peer) {
            call.identity = Identity::Neighbour;
            return None;
        }
        let from = call.request.from().ok()?.uri();
        // A tag alone makes no dialog: those that pass here have a token of ours, or are an agent's.
        let in_dialog = !call.is_initial() && !matches!(call.stage, Stage::Person(_));
        if in_dialog || domain.is_here(peer.ip(), peer.port()) {
            return None;
        }
        call.identity = Identity::Open;
        let aor = Aor::of(&from).ok().filter(|_| domain.is_ours(&from))?;
        match lock(&shared.owned).on_flow(&aor, &call.flow, now_ms) {
            Some(true) => call.identity = Identity::Verified { by_password: false },
            Some(false) => {}
            None => return Some(shared.accounts.account(&aor)),
        }
        None
    }

    /// The services have answered.
    pub(crate) fn resume(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        resumed: Resumed,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        let done = match (call.is_answered(), resumed) {
            (true, _) => Ok(()),
            (_, Resumed::Known(account, found)) => {
                self.known(shared, id, &mut call, (account, found), now_ms, out)
            }
            (_, Resumed::Registered(bound)) => {
                self.registered(shared, id, &mut call, bound, now_ms, out)
            }
        };
        self.calls.insert(id, call);
        if let Err(rejection) = done {
            self.refuse(id, &rejection, now_ms, out);
        }
        self.forget_if_over(id);
    }

    /// It is known whether the name is protected, and where who is asked is.
    fn known(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        call: &mut Call,
        (account, found): (Told<Option<Account>>, Told<Known>),
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) -> Result<(), Rejection> {
        let account = account.map_err(not_known)?;
        if matches!(call.stage, Stage::Register(..)) {
            let found = found.map_err(not_known)?;
            return self.admit(shared, id, call, (account, found), now_ms, out);
        }
        if let Some(account) = account {
            let source = call.flow.peer.ip();
            let mut gate = lock(&shared.gate);
            let domain = shared.domain();
            gate.check(&account, &call.request, Asker::Proxy, source, &domain, now_ms)?;
            call.identity = Identity::Verified { by_password: true };
        }
        let found = found.map_err(not_known)?;
        self.go_on(shared, id, call, Some(found.bound), now_ms, out)
    }

    /// All is known that has to be.
    fn go_on(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        call: &mut Call,
        found: Option<Vec<Bound>>,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) -> Result<(), Rejection> {
        match std::mem::replace(&mut call.stage, Stage::Done) {
            Stage::Person(_) => {
                if call.is_invite() {
                    shared.metrics.setup_location.note(call.began.elapsed());
                }
                let domain = shared.domain();
                let found = found.unwrap_or_default();
                let mut waves = targets(
                    &found,
                    |owner| domain.is_here(owner.ip(), owner.port()),
                    |owner| shared.is_gone(owner),
                    &shared.tokens,
                );
                if call.is_invite() {
                    waves = reachable(&call.request, call.flow.peer.ip(), waves)?;
                }
                if waves.is_empty() {
                    return Err(Rejection::new(Status::TEMPORARILY_UNAVAILABLE));
                }
                self.trying(id, call, now_ms, out);
                self.fork(shared, id, call, waves, now_ms, out);
            }
            Stage::On(target) => {
                self.trying(id, call, now_ms, out);
                self.fork(shared, id, call, vec![vec![*target]], now_ms, out);
            }
            Stage::Agent(agent) => {
                self.trying(id, call, now_ms, out);
                let caller = caller(shared, &call.request, &call.flow, call.identity);
                let request = call.request.clone();
                out.push(Todo::Deliver { id: Some(id), agent, request, caller });
            }
            Stage::Done | Stage::Register(..) => {}
        }
        Ok(())
    }

    /// 100 to an INVITE, before anything that takes time.
    pub(super) fn trying(
        &mut self,
        id: TransactionId,
        call: &mut Call,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        if call.is_invite() && !call.tried {
            call.tried = true;
            let trying = Reply::new(&call.request, Status::TRYING).mark_via(call.mark).build();
            self.respond(id, Status::TRYING, trying, now_ms, out);
        }
    }

    /// A question could not be answered at once: who waits is told so.
    pub(crate) fn waits(&mut self, id: TransactionId, now_ms: u64, out: &mut Vec<Todo>) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        self.trying(id, &mut call, now_ms, out);
        self.calls.insert(id, call);
    }

    /// The ACK of a 2xx goes the way of its dialog, and leaves nothing behind.
    pub(super) fn pass_ack(
        &mut self,
        shared: &Shared,
        ack: Message,
        flow: &Flow,
        out: &mut Vec<Todo>,
    ) {
        if check_as_proxy(&ack, &ABILITIES).is_err() {
            return;
        }
        match route(&ack, &shared.domain(), &shared.tokens) {
            Ok(Way::On(target, pop)) => {
                out.extend(super::begin::passed_ack(shared, &ack, &target, pop));
            }
            Ok(Way::Person(aor, _)) => {
                let Some(agent) = shared.agents.load().people.get(&aor).cloned() else { return };
                let caller = caller(shared, &ack, flow, Identity::Aside);
                out.push(Todo::Deliver { id: None, agent, request: ack, caller });
            }
            _ => {}
        }
    }

    /// An agent sends a request, to where one says or the request itself does.
    pub(crate) fn on_agent_request(
        &mut self,
        shared: &Arc<Shared>,
        request: Message,
        destination: Option<Destination>,
        listener: Arc<dyn Listener>,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        let begun = self.begin_for_agent(shared, &request, destination, &listener, now_ms, out);
        if begun.is_none() && request.method() != Some(Method::Ack) {
            let status = Status::SERVICE_UNAVAILABLE;
            let response = Message::parse(Reply::new(&request, status).to_tag("0").build());
            out.extend(response.ok().map(|response| Todo::Tell { listener, response }));
        }
    }
}

/// Both questions, asked at once.
pub(super) fn both(
    account: Option<Answer<Option<Account>>>,
    place: Option<Answer<Known>>,
) -> Question {
    let account = account.unwrap_or_else(|| Box::pin(ready(Ok(None))));
    let place = place.unwrap_or_else(|| Box::pin(ready(Ok(Known::default()))));
    Box::pin(async move {
        let (account, place) = futures::future::join(account, place).await;
        Resumed::Known(account, place)
    })
}

/// What is said when the services do not know.
pub(super) fn not_known(wrong: LocationError) -> Rejection {
    match wrong {
        LocationError::Full => Rejection { reason: "No Room".to_owned(), ..unavailable() },
        LocationError::Unavailable => unavailable(),
    }
}

fn caller(shared: &Shared, request: &Message, flow: &Flow, identity: Identity) -> Caller {
    let domain = shared.domain();
    let from = request.from().map(|from| from.uri()).ok();
    let aor = from.filter(|uri| domain.is_ours(uri)).and_then(|uri| Aor::of(&uri).ok());
    let asserted = request.fields_of(HeaderName::PAssertedIdentity).next().is_some();
    let verified = match identity {
        Identity::Verified { .. } => true,
        Identity::Neighbour => asserted,
        Identity::Aside | Identity::Open => false,
    };
    let (token, here) = (shared.tokens.of_flow(flow), shared.here(flow.peer));
    let route = format!("<sip:{token}@{here};lr>");
    Caller { source: flow.peer, aor, verified, route }
}
