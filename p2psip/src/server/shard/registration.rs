//! REGISTERs: whether they are for us, in order and sound; the rest is the location service's.

use super::call::Call;
use super::{Outgoing, Refused, Resumed, Shard};
use crate::message::{Rejection, Status};
use crate::registrar::{Arrival, Wish};
use crate::server::core::Core;
use crate::transaction::TransactionId;

impl Shard {
    /// Asks for what a REGISTER wants.
    pub(super) fn register(
        &mut self,
        core: &Core,
        id: TransactionId,
        call: &mut Call,
        now_ms: u64,
        out: &mut Vec<Outgoing>,
    ) -> Result<(), Rejection> {
        let (request, domain) = (&call.request, core.domain());
        let is_ours = |uri| domain.is_ours(&uri);
        if !request.request_uri().is_ok_and(is_ours) || !is_ours(request.to()?.uri()) {
            return Err(Rejection::new(Status::NOT_FOUND));
        }
        let arrival = Arrival { flow: call.flow, owner: core.here(), tokens: &core.tokens };
        let wish = Wish::read(request, &arrival, &core.config.lifetimes)?;
        if !wish.is_query() {
            let life = core.config.lifetimes.max_connection.max(core.config.lifetimes.max_udp);
            let until_ms = now_ms + u64::try_from(life.as_millis()).unwrap_or(u64::MAX / 2);
            let (hash, number) = (core.hash(request.call_id()?), request.cseq()?.number);
            let noted = self.order.note(&wish.aor, hash, number, now_ms, until_ms);
            noted.map_err(|_| {
                Rejection::with_reason(Status::SERVER_INTERNAL_ERROR, "Overtaken By A Later One")
            })?;
        }
        let locations = core.locations.clone();
        let question = Box::pin(async move {
            let done = async {
                let current = locations.lookup(&wish.aor).await.map_err(Refused::Location)?;
                match wish.change(&current).map_err(Refused::Wish)? {
                    None => Ok(current),
                    Some(change) => {
                        locations.bind(&wish.aor, change).await.map_err(Refused::Location)
                    }
                }
            };
            Resumed::Registered(done.await)
        });
        match core.ask(call.shard, id, question) {
            Some(resumed) => self.resumed(core, id, call, resumed, now_ms, out),
            None => Ok(()),
        }
    }
}
