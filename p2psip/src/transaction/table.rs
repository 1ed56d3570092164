//! All transactions of one worker: which message is whose, what follows, and when to look again.

use bytes::Bytes;

use super::client::Client;
use super::invite_client::InviteClient;
use super::invite_server::InviteServer;
use super::key::Keys;
use super::machine::Machine;
use super::server::Server;
use super::step::{Sending, Step, Telling};
use super::store::{Entry, Store};
use super::timers::Timers;
use super::wheel::Wheel;
use super::{
    ClientEvent, Fired, Full, Limits, OnRequest, OnResponse, Output, ServerEvent, TransactionId,
};
use crate::message::{BadField, Message, Method, Status, ack_for_failure};

/// Transactions, each with the flow (`F`: whatever names a way to a peer) its messages leave by.
#[derive(Debug)]
pub struct Table<F> {
    keys: Keys,
    timers: Timers,
    store: Store<F>,
    wheel: Wheel,
    /// So many calls of the past the wheel may hold before it is made anew.
    calls_max: usize,
}

/// A transaction has one call in the wheel that counts; so many others for each are borne with.
const CALLS_EACH: usize = 4;

impl<F: Clone> Table<F> {
    /// An empty one.
    pub fn new(keys: Keys, timers: Timers, limits: Limits) -> Table<F> {
        let calls_max = CALLS_EACH * limits.transactions.saturating_add(1);
        Table { keys, timers, store: Store::new(limits), wheel: Wheel::new(), calls_max }
    }

    /// How many transactions there are.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes kept, in case they have to be sent again.
    pub fn kept_bytes(&self) -> usize {
        self.store.kept()
    }

    /// Whether a transaction goes on.
    pub fn contains(&self, id: TransactionId) -> bool {
        self.store.get(id).is_some()
    }

    /// Whether a request is of a transaction there is: a repetition, or the ACK of a refusal.
    pub fn knows(&self, request: &Message) -> bool {
        self.keys.server(request).is_ok_and(|key| self.store.find(key).is_some())
    }

    /// The INVITE of a client's transaction as it was sent, until it has its final response: what a
    /// CANCEL is made of.
    pub fn sent_invite(&self, id: TransactionId) -> Option<&Bytes> {
        let entry = self.store.get(id)?;
        entry.machine.is_unanswered_invite().then_some(&entry.kept)
    }

    /// The INVITE's transaction that a CANCEL is to cancel.
    ///
    /// # Errors
    /// [`BadField`], for a request that is not in form.
    pub fn cancelled_by(&self, cancel: &Message) -> Result<Option<TransactionId>, BadField> {
        Ok(self.store.find(self.keys.cancelled(cancel)?))
    }

    /// A request has come by a flow.
    ///
    /// # Errors
    /// [`BadField`], for a request that is not in form.
    pub fn on_request(
        &mut self,
        request: &Message,
        flow: &F,
        reliable: bool,
        now_ms: u64,
    ) -> Result<OnRequest<F>, BadField> {
        let method = request.cseq()?.method;
        let key = self.keys.server(request)?;
        if let Some(id) = self.store.find(key) {
            let is_ack = method == Method::Ack;
            let event = if is_ack { ServerEvent::Ack } else { ServerEvent::Request };
            let step = self.step(id, now_ms, |m, timers| m.on_server(event, now_ms, timers));
            return Ok(match step {
                Some((Step { tell: Telling::Event, .. }, _)) => OnRequest::Ack(Some(id)),
                Some((_, output)) => OnRequest::Known(output),
                None => OnRequest::Known(None),
            });
        }
        let machine = match method {
            Method::Ack => return Ok(OnRequest::Ack(None)),
            Method::Invite => Machine::InviteServer(InviteServer::new(reliable)),
            _ => Machine::Server(Server::new(reliable)),
        };
        let (kept, flow) = (Bytes::new(), flow.clone());
        let entry = Entry { key, machine, reliable, kept, flow, armed_ms: None };
        Ok(self.store.insert(entry).map_or(OnRequest::Full, OnRequest::New))
    }

    /// The user answers a request. What to send; nothing if the transaction is over, or answered with
    /// something final already (but for another 2xx to an INVITE). Over a reliable transport the final
    /// response ends it, unless it is an INVITE's.
    pub fn respond(
        &mut self,
        id: TransactionId,
        status: Status,
        response: Bytes,
        now_ms: u64,
    ) -> Option<Output<F>> {
        let event = ServerEvent::Respond(status);
        let entry = self.store.get_mut(id)?;
        let step = entry.machine.on_server(event, now_ms, &self.timers);
        if step.send != Sending::New {
            return None;
        }
        let (flow, echoes) = (entry.flow.clone(), entry.machine.is_only_an_echo());
        self.store.keep(id, &response);
        self.settle(id, step, now_ms);
        if echoes && !step.ended {
            self.store.is_echo(id);
        }
        Some(Output { id, bytes: response, flow })
    }

    /// Begins a client's transaction; the caller sends the request, in whose topmost Via this branch is.
    ///
    /// # Errors
    /// [`Full`], and it is not to be sent: there is no room, or the branch is in use.
    pub fn begin(
        &mut self,
        request: &Bytes,
        branch: &str,
        method: Method<'_>,
        flow: F,
        reliable: bool,
        now_ms: u64,
    ) -> Result<TransactionId, Full> {
        let key = self.keys.client_of(branch, method);
        let timers = &self.timers;
        let is_invite = method == Method::Invite;
        let machine = match is_invite {
            true => Machine::InviteClient(InviteClient::new(reliable, now_ms, timers)),
            false => Machine::Client(Client::new(reliable, now_ms, timers)),
        };
        let kept = if reliable && !is_invite { Bytes::new() } else { request.clone() };
        let entry = Entry { key, machine, reliable, kept, flow, armed_ms: None };
        let id = self.store.insert(entry).ok_or(Full)?;
        self.arm(id, now_ms);
        Ok(id)
    }

    /// A response has come. Whether by the flow the request left by is not looked at: that is not
    /// asked for, and paths may differ (RFC 3261 §18.1.2).
    ///
    /// # Errors
    /// [`BadField`], for a response that is not in form.
    pub fn on_response(
        &mut self,
        response: &Message,
        now_ms: u64,
    ) -> Result<OnResponse<F>, BadField> {
        let found = self.store.find(self.keys.client(response)?);
        let (Some(id), Some(status)) = (found, response.status()) else {
            return Ok(OnResponse::Stray);
        };
        // An ACK takes the response's To: without one, it is as if nothing had come.
        response.to()?;
        let event = ClientEvent::Response(status);
        let invite = self.sent_invite(id).cloned();
        let Some(entry) = self.store.get_mut(id) else { return Ok(OnResponse::Stray) };
        let step = entry.machine.on_client(event, now_ms, &self.timers);
        let flow = entry.flow.clone();
        let output = match step.send {
            Sending::Ack => {
                let invite = invite.and_then(|invite| Message::parse(invite).ok());
                let ack = invite.map(|invite| ack_for_failure(&invite, response)).transpose()?;
                ack.map(|bytes| Output { id, bytes, flow })
            }
            Sending::Again => self.again(id),
            Sending::Nothing | Sending::New => None,
        };
        if let (Sending::Ack, Some(ack)) = (step.send, &output) {
            self.store.keep(id, &ack.bytes);
        }
        self.store.let_go(id);
        self.settle(id, step, now_ms);
        Ok(match step.tell {
            Telling::Nothing => OnResponse::Known(output),
            _ => OnResponse::Told { id, ack: output, over: step.ended },
        })
    }

    /// What was to be sent could not be. Whether the user has to know: a client as if a 503 had come
    /// (RFC 3261 §16.9), a server because nobody will hear it.
    pub fn on_unsent(&mut self, id: TransactionId, now_ms: u64) -> bool {
        let step = self.step(id, now_ms, |machine, timers| machine.on_unsent(now_ms, timers));
        step.is_some_and(|(step, _)| step.tell == Telling::Unsent)
    }

    /// Ends a transaction: nothing that comes for it is known any more.
    pub fn end(&mut self, id: TransactionId) {
        self.store.remove(id);
    }

    /// When to call [`fire`](Table::fire) next.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.wheel.next_ms()
    }

    /// Time has gone by: what follows is added to `out`.
    pub fn fire(&mut self, now_ms: u64, out: &mut Vec<Fired<F>>) {
        while let Some((at_ms, who)) = self.wheel.take(now_ms) {
            for index in who {
                self.called(index, at_ms, now_ms, out);
            }
        }
    }

    fn called(&mut self, index: u32, at_ms: u64, now_ms: u64, out: &mut Vec<Fired<F>>) {
        let Some(id) = self.store.id_at(index) else { return };
        match self.store.get_mut(id) {
            Some(entry) if entry.armed_ms == Some(at_ms) => entry.armed_ms = None,
            _ => return,
        }
        let step = self.step(id, now_ms, |machine, timers| machine.on_time(now_ms, timers));
        let Some((step, output)) = step else { return };
        out.extend(output.map(Fired::Send));
        match step.tell {
            Telling::NoResponse => out.push(Fired::NoResponse(id)),
            Telling::NoAck => out.push(Fired::NoAck(id)),
            Telling::Nothing | Telling::Event | Telling::Unsent => {}
        }
        if step.ended {
            out.push(Fired::Over(id));
        }
    }

    /// Lets something happen to a transaction that brings nothing new to send.
    fn step(
        &mut self,
        id: TransactionId,
        now_ms: u64,
        on: impl FnOnce(&mut Machine, &Timers) -> Step,
    ) -> Option<(Step, Option<Output<F>>)> {
        let step = on(&mut self.store.get_mut(id)?.machine, &self.timers);
        let output = if step.send == Sending::Again { self.again(id) } else { None };
        self.store.let_go(id);
        self.settle(id, step, now_ms);
        Some((step, output))
    }

    fn again(&self, id: TransactionId) -> Option<Output<F>> {
        let entry = self.store.get(id).filter(|entry| !entry.kept.is_empty())?;
        Some(Output { id, bytes: entry.kept.clone(), flow: entry.flow.clone() })
    }

    /// It is over, or looked at when its machine wants it to be.
    fn settle(&mut self, id: TransactionId, step: Step, now_ms: u64) {
        if step.ended {
            return self.store.remove(id);
        }
        self.arm(id, now_ms);
    }

    fn arm(&mut self, id: TransactionId, now_ms: u64) {
        if self.wheel.held() > self.calls_max {
            self.wheel = Wheel::new();
            let all = self.store.ids();
            for id in all {
                if let Some(entry) = self.store.get_mut(id) {
                    entry.armed_ms = None;
                }
                self.call_in_time(id, now_ms);
            }
        }
        self.call_in_time(id, now_ms);
    }

    fn call_in_time(&mut self, id: TransactionId, now_ms: u64) {
        let Some(entry) = self.store.get_mut(id) else { return };
        let Some(next_ms) = entry.machine.next_ms() else { return };
        if entry.armed_ms.is_none_or(|armed_ms| Wheel::rounded(next_ms) < armed_ms) {
            entry.armed_ms = Some(self.wheel.arm(id.index, next_ms, now_ms));
        }
    }
}

#[cfg(test)]
mod tests;
