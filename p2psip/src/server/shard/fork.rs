//! Requests with their branches: what follows from responses, silence and CANCELs is decided by
//! [`Fork`](crate::proxy::Fork), and done here.

use std::sync::Arc;

use super::call::{Call, Identity, Stage};
use super::state::{Client, Owner, Shard, tag};
use super::todo::Todo;
use crate::agent::{Dialog, Listener, Nobody};
use crate::message::{Edit, HeaderName, Message, Method, Rejection, Reply, Status, cancel_for};
use crate::proxy::{Act, Fork, LOST, TIMER_C_MS, Target, lost};
use crate::server::shared::Shared;
use crate::transaction::TransactionId;

impl Shard {
    /// Passes a request on.
    pub(super) fn fork(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        call: &mut Call,
        waves: Vec<Vec<Target>>,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        let for_neighbour = call.identity == Identity::Neighbour;
        let (fork, acts) = Fork::new(call.is_invite(), for_neighbour, waves);
        call.fork = Some(fork);
        self.act(shared, id, call, acts, now_ms, out);
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
        shared: &Arc<Shared>,
        client: TransactionId,
        now_ms: u64,
        out: &mut Vec<Todo>,
        what: impl FnOnce(&mut Fork, usize) -> Vec<Act>,
    ) {
        let Some(&Client { owner: Owner::Call(id, branch), .. }) = self.clients.get(&client) else {
            return;
        };
        let Some(mut call) = self.calls.remove(&id) else { return };
        if let Some(fork) = &mut call.fork {
            let acts = what(fork, branch);
            let heard = acts.iter().any(|act| matches!(act, Act::Forward(..)));
            if heard && !call.heard && call.is_invite() {
                call.heard = true;
                shared.metrics.setup_delay.note(call.began.elapsed());
            }
            self.act(shared, id, &mut call, acts, now_ms, out);
            // Each sign of life is three minutes more (§16.7, step 2).
            self.ring(id, &mut call, now_ms + TIMER_C_MS);
        }
        self.calls.insert(id, call);
        self.forget_if_over(id);
    }

    /// Timer C.
    pub(super) fn rang(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        call.ringing_ms = None;
        if let Some(fork) = &mut call.fork {
            let acts = fork.on_timer_c();
            self.act(shared, id, &mut call, acts, now_ms, out);
            // Who was cancelled has 64·T1 to say so.
            self.ring(id, &mut call, now_ms + shared.config.timers.patience_ms());
        }
        self.calls.insert(id, call);
        self.forget_if_over(id);
    }

    /// A CANCEL: it is answered at once, and its INVITE is stopped (§16.10).
    pub(super) fn cancel(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        cancel: &Call,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) -> Result<(), Rejection> {
        let none = || Rejection::new(Status::NO_SUCH_TRANSACTION);
        let invite = self.table.cancelled_by(&cancel.request)?.ok_or_else(none)?;
        let to_tag = tag();
        let reply = Reply::new(&cancel.request, Status::OK).to_tag(&to_tag).mark_via(cancel.mark);
        self.respond(id, Status::OK, reply.build(), now_ms, out);
        let Some(mut call) = self.calls.remove(&invite) else { return Ok(()) };
        let acts = match &mut call.fork {
            Some(fork) => fork.on_cancel(),
            None if call.own => Vec::new(),
            // It is being looked up, or an agent thinks about it.
            None => vec![Act::Reply(Status::REQUEST_TERMINATED)],
        };
        call.stage = Stage::Done;
        self.act(shared, invite, &mut call, acts, now_ms, out);
        self.ring(invite, &mut call, now_ms + shared.config.timers.patience_ms());
        self.calls.insert(invite, call);
        self.forget_if_over(invite);
        Ok(())
    }

    fn act(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        call: &mut Call,
        acts: Vec<Act>,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) {
        for act in acts {
            match act {
                Act::Start(first, wave) => {
                    for (target, branch) in wave.iter().zip(first..) {
                        if self.begin(shared, id, call, (branch, target), now_ms, out).is_some() {
                            continue;
                        }
                        let fork = call.fork.as_mut();
                        let status = Status::SERVICE_UNAVAILABLE;
                        let acts = fork.map(|fork| fork.on_failure(branch, status));
                        self.act(shared, id, call, acts.unwrap_or_default(), now_ms, out);
                    }
                }
                Act::Forward(response, challenges) => {
                    let Some(status) = response.status() else { continue };
                    // Nobody says who answers: no phone is believed, and no super-node asks.
                    let mut edit = Edit::new(&response).pop_via();
                    edit = edit.strip(HeaderName::PAssertedIdentity);
                    for (name, value) in &challenges {
                        edit = edit.add(name.as_str(), value);
                    }
                    let bytes = edit.with_length().finish();
                    self.respond(id, status, bytes, now_ms, out);
                }
                Act::Reply(status) => {
                    let tag = tag();
                    let reply = Reply::new(&call.request, status).to_tag(&tag).mark_via(call.mark);
                    let warning = call.warning.filter(|_| status == Status::NOT_ACCEPTABLE_HERE);
                    let reply = match warning {
                        Some(warning) => reply.header(HeaderName::Warning.as_str(), warning),
                        None => reply,
                    };
                    let reply = reply.build();
                    self.respond(id, status, reply, now_ms, out);
                    call.own |= call.fork.is_none();
                }
                Act::Cancel(branch) => self.cancel_branch(call, branch, now_ms, out),
            }
        }
    }

    /// Ends a call that was just answered, if no media finds a way: who called hears why instead of
    /// nothing, and the phone that has answered that it is over. What is else a caller's is done for him.
    pub(super) fn hung_up(
        &mut self,
        shared: &Arc<Shared>,
        client: TransactionId,
        response: &Message,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) -> bool {
        let owner = self.clients.get(&client).map(|client| &client.owner);
        let Some(&Owner::Call(id, _)) = owner else { return false };
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.is_invite()) else {
            return false;
        };
        let accepted = response.status().is_some_and(Status::is_success);
        if !accepted || !call.is_initial() || !lost(&call.request, response) {
            return false;
        }
        let Ok(mut dialog) = Dialog::as_caller(response) else { return false };
        call.warning = Some(LOST);
        let nobody: Arc<dyn Listener> = Arc::new(Nobody);
        for method in [Method::Ack, Method::Bye] {
            if let Ok(request) = Message::parse(dialog.request(method).build()) {
                self.begin_for_agent(shared, &request, None, &nobody, now_ms, out);
            }
        }
        true
    }

    fn cancel_branch(&mut self, call: &Call, branch: usize, now_ms: u64, out: &mut Vec<Todo>) {
        let Some(Some(sent)) = call.branches.get(branch) else { return };
        let invite = self.table.sent_invite(sent.id).cloned();
        let invite = invite.and_then(|bytes| Message::parse(bytes).ok());
        let Some(Ok(bytes)) = invite.map(|invite| cancel_for(&invite)) else { return };
        let (flow, reliable) = (sent.flow, sent.flow.carrier.is_reliable());
        let begun = self.table.begin(&bytes, &sent.branch, Method::Cancel, flow, reliable, now_ms);
        if let Ok(client) = begun {
            out.push(Todo::Send { id: Some(client), flow, bytes });
        }
    }
}
