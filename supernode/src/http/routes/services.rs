//! `/api/v1/services` and what is below it.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base::NotAServiceId;

use super::answer::{bad, in_turn, refuse};
use super::{Visitor, refuse_another_site};
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

/// The path's last part, percent-decoded.
fn name(id: Result<Path<String>, PathRejection>) -> Result<String, Fault> {
    // What else could be wrong with a path of one text?
    let not_text = |_| ServiceError::from(NotAServiceId::NotUtf8);
    Ok(id.map(|Path(id)| id).map_err(not_text)?)
}
