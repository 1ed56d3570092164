//! What the JSON interface answers: what was asked for, or why not.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use whatsup::door::{Kind, Refusal, Refused};

use super::{Busy, Visitor, busy};
use crate::api::refusals;
use crate::rpc::Fault;
use crate::state::AppState;

/// Makes an answer when it is the visitor's turn.
pub(super) async fn in_turn<T: Serialize>(
    state: &AppState,
    visitor: &Visitor,
    work: impl Future<Output = Result<T, Fault>>,
) -> Response {
    visitor.pulse.work();
    match state.gate.pass(visitor.source, work).await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(fault)) => refuse(fault),
        Err(Busy) => {
            state.metrics.count_refused("busy");
            busy()
        }
    }
}

/// `{"error": {"kind": …, "code": …, "message": …}}`, the code being XML-RPC's.
pub(super) fn refuse(fault: Fault) -> Response {
    let status = match fault {
        Fault::Parse(_) | Fault::BadParameters(_) => StatusCode::BAD_REQUEST,
        Fault::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Fault::OverCapacity(_) => StatusCode::INSUFFICIENT_STORAGE,
        Fault::NoQuorum(_) => StatusCode::SERVICE_UNAVAILABLE,
        Fault::UnknownMethod(_) => StatusCode::NOT_FOUND,
        Fault::WrongSecret(_) => StatusCode::FORBIDDEN,
    };
    tell(status, refusals::of_fault(fault))
}

/// The same of what the door refuses.
pub(super) fn refuse_door(refusal: Refusal) -> Response {
    let status = match refusal.kind {
        Kind::BadRequest | Kind::Forged | Kind::Other => StatusCode::BAD_REQUEST,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Full | Kind::OverCapacity => StatusCode::INSUFFICIENT_STORAGE,
        Kind::Superseded => StatusCode::CONFLICT,
        Kind::Taken | Kind::WrongSecret => StatusCode::FORBIDDEN,
        Kind::NoQuorum | Kind::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
    };
    tell(status, refusal)
}

/// JSON that counts as memory until it is sent.
pub(super) fn json(text: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

fn tell(status: StatusCode, error: Refusal) -> Response {
    let mut response = (status, Json(Refused { error })).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    response
}

/// A request that makes no sense.
pub(super) fn bad(what: &str) -> Fault {
    Fault::BadParameters(what.to_owned())
}
