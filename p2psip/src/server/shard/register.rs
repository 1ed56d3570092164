//! REGISTERs: whether they are for us, by whom they may be, in order and sound; the rest is the location
//! service's.

use std::sync::Arc;

use super::call::{Call, Stage};
use super::serve::{both, not_known};
use super::state::{Shard, tag};
use super::todo::{Resumed, Todo};
use crate::accounts::Account;
use crate::location::{Bound, Known, LocationError};
use crate::message::{Rejection, Status};
use crate::registrar::{Arrival, Room, Wish, answer};
use crate::server::gate::Asker;
use crate::server::metrics::Metrics;
use crate::server::shared::{Shared, lock, watch};
use crate::transaction::TransactionId;

impl Shard {
    /// Asks for what has to be known before anybody is registered.
    pub(super) fn register(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        call: &mut Call,
        out: &mut Vec<Todo>,
    ) -> Result<(), Rejection> {
        let (request, domain) = (&call.request, shared.domain());
        let is_ours = |uri| domain.is_ours(&uri);
        if !request.request_uri().is_ok_and(is_ours) || !is_ours(request.to()?.uri()) {
            return Err(Rejection::new(Status::NOT_FOUND));
        }
        let owner = shared.addresses().first().copied().unwrap_or(shared.config.address);
        let arrival = Arrival { flow: call.flow, owner, tokens: &shared.tokens };
        let wish = Wish::read(request, &arrival, &shared.config.lifetimes)?;
        if shared.agents.load().people.contains_key(&wish.aor) {
            let reason = "This Name Is The Super-Node's Own: Take Another";
            return Err(Rejection::with_reason(Status::FORBIDDEN, reason));
        }
        let account = shared.accounts.account(&wish.aor);
        let found = match wish.granted() {
            [] => shared.locations.lookup(&wish.aor),
            set => shared.locations.lookup_again(&wish.aor, set),
        };
        call.stage = Stage::Register(Box::new(wish), false);
        out.push(Todo::Ask(id, both(Some(account), Some(found))));
        Ok(())
    }

    /// Lets in who may register, and binds.
    pub(super) fn admit(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        call: &mut Call,
        (account, known): (Option<Account>, Known),
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) -> Result<(), Rejection> {
        let Stage::Register(wish, verified) = &mut call.stage else { return Ok(()) };
        let (request, source) = (&call.request, call.flow.peer.ip());
        *verified = account.is_some();
        match account {
            Some(account) => {
                let mut gate = lock(&shared.gate);
                gate.check(&account, request, Asker::Registrar, source, &shared.domain(), now_ms)?;
            }
            None if wish.is_another_device_s(&known.bound, source) => {
                let reason = "This Open Name Is In Use On Another Device: Take Another Name, Or \
                              Protect Yours With A Password";
                return Err(Rejection::with_reason(Status::FORBIDDEN, reason));
            }
            None => {}
        }
        if !wish.is_query() {
            let until_ms = now_ms + millis(shared.config.lifetimes.longest());
            let (hash, number) = (shared.hash(request.call_id()?), request.cseq()?.number);
            let noted = self.order.note(&wish.aor, hash, number, now_ms, until_ms);
            noted.map_err(|_| {
                Rejection::with_reason(Status::SERVER_INTERNAL_ERROR, "Overtaken By A Later One")
            })?;
        }
        match wish.change(&known.bound)? {
            None => self.registered(shared, id, call, Ok(known.bound), now_ms, out),
            Some(change) => {
                let bound = shared.locations.bind_after(&wish.aor, change, known);
                let question = Box::pin(async move { Resumed::Registered(bound.await) });
                out.push(Todo::Ask(id, question));
                Ok(())
            }
        }
    }

    /// It is done: the phone is told what there is.
    pub(super) fn registered(
        &mut self,
        shared: &Arc<Shared>,
        id: TransactionId,
        call: &mut Call,
        bound: Result<Vec<Bound>, LocationError>,
        now_ms: u64,
        out: &mut Vec<Todo>,
    ) -> Result<(), Rejection> {
        let bound = bound.map_err(not_known)?;
        shared.metrics.registration_location.note(call.began.elapsed());
        if let Stage::Register(wish, verified) = &call.stage {
            remember(shared, call, wish, *verified, now_ms);
        }
        let room = match call.flow.carrier.is_reliable() {
            true => Room::Any,
            false => Room::times_three(&call.request),
        };
        let reply = answer(&call.request, &bound, &tag(), call.mark, room);
        self.respond(id, Status::OK, reply, now_ms, out);
        Metrics::add(&shared.metrics.registrations);
        shared.metrics.registration_delay.note(call.began.elapsed());
        call.own = true;
        Ok(())
    }
}

/// Notes what this node is the owner of now, and takes back what that replaces.
fn remember(shared: &Arc<Shared>, call: &Call, wish: &Wish, verified: bool, now_ms: u64) {
    let mut owned = lock(&shared.owned);
    if wish.is_clear() {
        return owned.clear(&wish.aor);
    }
    let granted = wish.granted();
    if granted.is_empty() {
        return;
    }
    let by = (call.flow, verified);
    let replaced = owned.note(&wish.aor, granted, by, &shared.tokens, now_ms);
    drop(owned);
    shared.take_back((wish.aor.clone(), replaced));
    watch(shared, &wish.aor);
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}
