//! `/api/v1/names` and what is below it.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, RawQuery, Request, State};
use axum::response::Response;
use base::NameError;

use super::answer::{bad, in_turn, refuse};
use super::{Visitor, refuse_another_site};
use crate::api::names::{self, Claim};
use crate::http::body;
use crate::names::NamesError;
use crate::rpc::Fault;
use crate::state::AppState;

/// Longest body of a request: the longest claim in base64, with room for spaces.
const REQUEST_MAX: usize = 8 * 1024;

/// Who asks, and whom.
type Asked = (State<Arc<AppState>>, Extension<Visitor>);

/// `GET /api/v1/names/NAME`.
pub(super) async fn one(
    (State(state), Extension(visitor)): Asked,
    given: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    // What it takes to look at all claims is large.
    let work = Box::pin(async {
        names::look_up(&state, &name(given)?, query.as_deref().unwrap_or_default()).await
    });
    in_turn(&state, &visitor, work).await
}

/// `POST /api/v1/names/NAME`.
pub(super) async fn claim(
    (State(state), Extension(visitor)): Asked,
    given: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    if let Some(refusal) = refuse_another_site(&state, request.headers()) {
        return refusal;
    }
    let read = body::read(request.into_body(), REQUEST_MAX, &state.budget, &visitor.account).await;
    let work = Box::pin(async {
        let (body, _held) = read.map_err(|_| bad("the body is too long, or did not arrive"))?;
        let claim: Claim = serde_json::from_slice(&body).map_err(|_| {
            bad("expected a JSON object as in {\"signed\": \"AQEA…\"}: a signed claim in base64")
        })?;
        names::claim(&state, visitor.source, &name(given)?, &claim).await
    });
    in_turn(&state, &visitor, work).await
}

/// `/api/v1/names/`, where a name ought to follow.
pub(super) async fn without_name() -> Response {
    refuse(NamesError::from(NameError::Empty).into())
}

/// The path's last part, percent-decoded.
fn name(given: Result<Path<String>, PathRejection>) -> Result<String, Fault> {
    // What else could be wrong with a path of one text?
    let not_text = |_| NamesError::from(NameError::NotUtf8);
    Ok(given.map(|Path(name)| name).map_err(not_text)?)
}
