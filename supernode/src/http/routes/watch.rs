//! `POST /api/v1/watch`: a request that waits for one of many keys to change. Who waits holds up nobody.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use dht::Cursor;
use whatsup::door::{Base64, Changed, Changes, Refusal, WATCH_BODY_MAX, Watch};
use whatsup::overlay::Watched;

use super::answer::refuse_door;
use super::batch::refuse_body;
use super::{Busy, Visitor, busy, refuse_another_site};
use crate::api::door::may_be_asked;
use crate::api::refusals::of_dht;
use crate::http::body;
use crate::state::AppState;

/// `POST /api/v1/watch`.
pub(super) async fn watch(
    (State(state), Extension(visitor)): (State<Arc<AppState>>, Extension<Visitor>),
    request: Request,
) -> Response {
    if let Some(refusal) = refuse_another_site(&state, request.headers()) {
        return refusal;
    }
    let _in_flight = state.load.begin();
    let body = body::read(request.into_body(), WATCH_BODY_MAX, &state.budget, &visitor.account);
    let (body, held) = match body.await {
        Ok(read) => read,
        Err(error) => return refuse_body(&state, error, WATCH_BODY_MAX),
    };
    visitor.pulse.work();
    let (keys, wait) = match state.gate.pass(visitor.source, async { read(&body) }).await {
        Ok(Ok(read)) => read,
        Ok(Err(refusal)) => return refuse_door(refusal),
        Err(Busy) => {
            state.metrics.count_refused("busy");
            return busy();
        }
    };
    drop((body, held));
    let Some(_watching) = state.watching.begin(visitor.source, keys.len()) else {
        let text = "your address watches as many keys here as it may; end another watch first";
        return refuse_door(Refusal::new(whatsup::door::Kind::OverCapacity, text));
    };
    // Who waits holds up nobody.
    visitor.pulse.wait();
    let waited = Box::pin(state.dht.watch_any(&keys, wait)).await;
    visitor.pulse.work();
    match waited {
        Ok(changed) => Json(changes(changed)).into_response(),
        Err(error) => refuse_door(of_dht(error)),
    }
}

/// Keys, and which state of each was seen.
type Keys = Vec<(base::Key, Option<Cursor>)>;

fn read(body: &[u8]) -> Result<(Keys, Duration), Refusal> {
    let (watched, wait) = Watch::read(body)?;
    let key = |Watched { key, cursor }: Watched| {
        may_be_asked(&key)?;
        Ok((key, cursor.map(|cursor| Cursor::from_bytes(cursor.0))))
    };
    let keys = watched.into_iter().map(key).collect::<Result<Keys, Refusal>>()?;
    Ok((keys, wait))
}

fn changes(changed: Vec<(usize, Cursor)>) -> Changes {
    let changed = changed.into_iter();
    let told =
        |(at, cursor): (usize, Cursor)| Changed { at, cursor: Base64::copy(&cursor.to_bytes()) };
    Changes { changed: changed.map(told).collect() }
}
