//! `POST /api/v1/watch`: a request that waits for one of many keys to change. Who waits holds up nobody.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use dht::Cursor;
use whatsup::door::{
    Base64, Changed, Changes, Refusal, WATCH_BODY_MAX, WATCH_VALUES_MAX, Watch, Watching,
};
use whatsup::overlay::Watched;

use super::answer::{json, refuse_door};
use super::batch::refuse_body;
use super::{Busy, Visitor, busy, refuse_another_site};
use crate::api::door::{found_of, may_be_asked};
use crate::api::refusals::of_dht;
use crate::http::body;
use crate::http::budget::NoneLeft;
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
    let (keys, wait, bytes) = match state.gate.pass(visitor.source, async { read(&body) }).await {
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
    let waited = Box::pin(state.dht.watch_any(&keys, wait, bytes)).await;
    visitor.pulse.work();
    let mut changes = match waited {
        Ok(changed) => changes(changed),
        Err(error) => return refuse_door(of_dht(error)),
    };
    if changes.changed.iter().all(|changed| changed.values.is_none()) {
        return Json(changes).into_response();
    }
    let text = serde_json::to_string(&changes).unwrap_or_default();
    match state.budget.take(&visitor.account, text.len()) {
        Ok(share) => json(share.of(text)),
        // Whoever wants the values then reads them when there is memory.
        Err(NoneLeft) => {
            changes.changed.iter_mut().for_each(|changed| changed.values = None);
            Json(changes).into_response()
        }
    }
}

/// Keys, and which state of each was seen.
type Keys = Vec<(base::Key, Option<Cursor>)>;

/// Which keys, for how long, and how many bytes of values may be told.
fn read(body: &[u8]) -> Result<(Keys, Duration, usize), Refusal> {
    let Watching { watched, wait, values } = Watch::read(body)?;
    let key = |Watched { key, cursor }: Watched| {
        may_be_asked(&key)?;
        Ok((key, cursor.map(|cursor| Cursor::from_bytes(cursor.0))))
    };
    let keys = watched.into_iter().map(key).collect::<Result<Keys, Refusal>>()?;
    Ok((keys, wait, if values { WATCH_VALUES_MAX } else { 0 }))
}

fn changes(changed: Vec<dht::Changed>) -> Changes {
    let told = |changed: dht::Changed| Changed {
        at: changed.at,
        cursor: Base64::copy(&changed.cursor.to_bytes()),
        values: changed.values.map(|values| values.into_iter().map(found_of).collect()),
    };
    Changes { changed: changed.into_iter().map(told).collect() }
}
