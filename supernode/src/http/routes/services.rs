//! `/api/v1/services` and what is below it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, RawQuery, Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base::NotAServiceId;
use serde::Serialize;
use serde_json::json;

use super::{Busy, Visitor, busy, refuse_another_site};
use crate::api::services::{self, Offer, Part};
use crate::http::body;
use crate::rpc::Fault;
use crate::services::ServiceError;
use crate::state::AppState;

/// Longest body of a request: a contact and a number, with room for spaces.
const REQUEST_MAX: usize = 8 * 1024;

/// Who asks, and whom.
type Asked = (State<Arc<AppState>>, Extension<Visitor>);

/// `GET /api/v1/services`.
pub(super) async fn all((State(state), Extension(visitor)): Asked) -> Response {
    in_turn(&state, &visitor, services::all(&state)).await
}

/// `GET /api/v1/services/ID`.
pub(super) async fn one(
    (State(state), Extension(visitor)): Asked,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        let part = Part::of_query(query.as_deref().unwrap_or_default())?;
        services::providers(&state, &name(id)?, &part).await
    };
    in_turn(&state, &visitor, work).await
}

/// `POST /api/v1/services/ID`.
pub(super) async fn advertise(
    (State(state), Extension(visitor)): Asked,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    if let Some(refusal) = refuse_another_site(&state, request.headers()) {
        return refusal;
    }
    let read = body::read(request.into_body(), REQUEST_MAX, &state.budget, &visitor.account).await;
    // What it takes to advertise is large.
    let work = Box::pin(async {
        let (body, _held) = read.map_err(|_| bad("the body is too long, or did not arrive"))?;
        let offer: Offer = serde_json::from_slice(&body).map_err(|_| {
            bad("expected a JSON object as in {\"contact\": \"192.0.2.1:5061\", \"ttl\": 3600}")
        })?;
        services::advertise(&state, visitor.source, &name(id)?, &offer).await
    });
    in_turn(&state, &visitor, work).await
}

/// `DELETE /api/v1/services/ID?contact=HOST:PORT`.
pub(super) async fn withdraw(
    (State(state), Extension(visitor)): Asked,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refuse_another_site(&state, &headers) {
        return refusal;
    }
    let work = async {
        let query = query.as_deref().unwrap_or_default();
        services::withdraw(&state, visitor.source, &name(id)?, query).await
    };
    in_turn(&state, &visitor, work).await
}

/// `/api/v1/services/`, where a name ought to follow.
pub(super) async fn without_name() -> Response {
    refuse(ServiceError::from(NotAServiceId::Empty).into())
}

/// Makes an answer when it is the visitor's turn.
async fn in_turn<T: Serialize>(
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

/// `{"error": {"code": …, "message": …}}`, the code being XML-RPC's.
fn refuse(fault: Fault) -> Response {
    let status = match fault {
        Fault::Parse(_) | Fault::BadParameters(_) => StatusCode::BAD_REQUEST,
        Fault::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Fault::OverCapacity(_) => StatusCode::INSUFFICIENT_STORAGE,
        Fault::NoQuorum(_) => StatusCode::SERVICE_UNAVAILABLE,
        Fault::UnknownMethod(_) => StatusCode::NOT_FOUND,
        Fault::WrongSecret(_) => StatusCode::FORBIDDEN,
    };
    let error = json!({"error": {"code": fault.code(), "message": fault.to_string()}});
    let mut response = (status, Json(error)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    response
}

/// The path's last part, percent-decoded.
fn name(id: Result<Path<String>, PathRejection>) -> Result<String, Fault> {
    // What else could be wrong with a path of one text?
    let not_text = |_| ServiceError::from(NotAServiceId::NotUtf8);
    Ok(id.map(|Path(id)| id).map_err(not_text)?)
}

fn bad(what: &str) -> Fault {
    Fault::BadParameters(what.to_owned())
}
