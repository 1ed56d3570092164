//! `POST /api/v1/batch`, and `put`, `get` and `remove` for one thing at a time: the JSON door.
//!
//! A batch's body is read in one turn; then each of its asks waits for a turn of its own, as if it had come
//! alone, so that a batch is no way around what a source may have.

mod room;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use futures::{StreamExt, stream};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use whatsup::door::{self, Answer, BATCH_BODY_MAX, Get, PutValue, Refusal, Remove, read_asks};
use whatsup::overlay::Ask;

use super::answer::{json, refuse_door};
use super::{Busy, Visitor, busy, refuse_another_site};
use crate::api;
use crate::http::body::{self, BodyError};
use crate::http::budget::{NoneLeft, Share};
use crate::rpc::REQUEST_MAX;
use crate::state::AppState;
use room::{Room, Told};

/// Who asks, and whom.
type Asked = (State<Arc<AppState>>, Extension<Visitor>);

/// Asks of one batch that are in work at a time: half of what a source may have in line, so that there is room
/// for another batch. Each waits for disks and networks, not for this processor.
const AT_ONCE: usize = 32;
/// When an ask of a batch is not begun any more, so that what was done is told in time: one that waits for
/// super-nodes that are silent takes seven seconds.
const BEGIN_MAX: Duration = Duration::from_secs(2);

const NO_MEMORY: &str = "this super-node has no memory for it just now; ask again";
const NO_TIME: &str = "this super-node had no time for it; ask again";

/// `POST /api/v1/batch`.
pub(super) async fn batch((State(state), Extension(visitor)): Asked, request: Request) -> Response {
    if let Some(refusal) = refuse_another_site(&state, request.headers()) {
        return refusal;
    }
    let _in_flight = state.load.begin();
    let read = body::read(request.into_body(), BATCH_BODY_MAX, &state.budget, &visitor.account);
    let (body, held) = match read.await {
        Ok(read) => read,
        Err(error) => return refuse_body(&state, error, BATCH_BODY_MAX),
    };
    visitor.pulse.work();
    let asks = match state.gate.pass(visitor.source, async { read_asks(&body) }).await {
        Ok(Ok(asks)) => asks,
        Ok(Err(refusal)) => return refuse_door(refusal),
        Err(Busy) => return too_busy(&state, "busy"),
    };
    let caller = Caller { state: &state, visitor: &visitor };
    let room = Room::for_answers(asks.len());
    let until = Instant::now() + BEGIN_MAX;
    let answers = stream::iter(asks).map(|ask| Box::pin(caller.answer(ask, &room, until)));
    let answers: Vec<Told> = answers.buffered(AT_ONCE).collect().await;
    drop((body, held));
    let len = room::len(&answers);
    let Ok(share) = state.budget.take(&visitor.account, len) else {
        return too_busy(&state, "no memory");
    };
    json(share.of(room::together(answers, len)))
}

/// `POST /api/v1/put`.
pub(super) async fn put(asked: Asked, request: Request) -> Response {
    single(asked, request, PutValue::read).await
}

/// `POST /api/v1/get`.
pub(super) async fn get(asked: Asked, request: Request) -> Response {
    single(asked, request, |get: Get| get.read().map(Ask::Get)).await
}

/// `POST /api/v1/remove`.
pub(super) async fn remove(asked: Asked, request: Request) -> Response {
    single(asked, request, Remove::read).await
}

/// Does one thing, as a batch of it would, and answers without the name of what was asked.
async fn single<T: DeserializeOwned>(
    (State(state), Extension(visitor)): Asked,
    request: Request,
    read: impl FnOnce(T) -> Result<Ask, Refusal>,
) -> Response {
    if let Some(refusal) = refuse_another_site(&state, request.headers()) {
        return refusal;
    }
    let _in_flight = state.load.begin();
    let body = body::read(request.into_body(), REQUEST_MAX, &state.budget, &visitor.account);
    let (body, _held) = match body.await {
        Ok(read) => read,
        Err(error) => return refuse_body(&state, error, REQUEST_MAX),
    };
    visitor.pulse.work();
    let caller = Caller { state: &state, visitor: &visitor };
    let work = Box::pin(async {
        let ask = door::read_one(&body).and_then(read)?;
        caller.perform(ask).await
    });
    let answer = match state.gate.pass(visitor.source, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => return refuse_door(refusal),
        Err(Busy) => return too_busy(&state, "busy"),
    };
    let text = match &answer {
        Answer::Page(page) => serde_json::to_string(page),
        Answer::Put(put) => serde_json::to_string(put),
        Answer::Removed(removed) => serde_json::to_string(removed),
        other => serde_json::to_string(other),
    };
    let text = text.unwrap_or_default();
    match state.budget.take(&visitor.account, text.len()) {
        Ok(share) => json(share.of(text)),
        Err(NoneLeft) => too_busy(&state, "no memory"),
    }
}

/// Who asks, and whom.
struct Caller<'a> {
    state: &'a AppState,
    visitor: &'a Visitor,
}

impl Caller<'_> {
    /// Answers one ask of a batch, when it is its turn.
    async fn answer(&self, ask: Result<Ask, Refusal>, room: &Room, until: Instant) -> Told {
        let work = async {
            let answer = self.perform(ask?).await?;
            let told = room.tell(answer)?;
            let share = self.memory(told.len())?;
            Ok(told.with(share))
        };
        let answered = match Instant::now() < until {
            true => self.state.gate.pass(self.visitor.source, work).await.unwrap_or(Err(late())),
            false => Err(late()),
        };
        answered.unwrap_or_else(|refusal| room.refuse(refusal))
    }

    async fn perform(&self, ask: Ask) -> Result<Answer, Refusal> {
        api::door::perform(self.state, self.visitor.source, ask, |bytes| self.memory(bytes)).await
    }

    /// Memory for so many bytes.
    fn memory(&self, bytes: usize) -> Result<Share, Refusal> {
        let share = self.state.budget.take(&self.visitor.account, bytes);
        share.map_err(|NoneLeft| Refusal::try_again(NO_MEMORY))
    }
}

fn late() -> Refusal {
    Refusal::try_again(NO_TIME)
}

fn too_busy(state: &AppState, reason: &'static str) -> Response {
    state.metrics.count_refused(reason);
    busy()
}

/// The answer to a body that was not read to its end.
pub(super) fn refuse_body(state: &AppState, error: BodyError, max: usize) -> Response {
    let too_large = || {
        let text = format!("the request is longer than {max} bytes");
        refuse_door(Refusal::too_large(text))
    };
    super::refuse_body(state, error, too_large)
}
