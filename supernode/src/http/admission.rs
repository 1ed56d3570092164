//! Who may come in by HTTP to a node that has a passphrase, and how one gets a session. This machine's
//! own programs need none, and `/healthz` tells everybody whether the node is up.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::Exhausted;
use tracing::error;

use super::body;
use super::server::Visitor;
use crate::api::session::{OpenSession, Session};
use crate::session::{Denied, Token};
use crate::state::AppState;

/// Longest body of a request for a session: the passphrase at its longest, each letter escaped.
const REQUEST_MAX: usize = 8 * 1024;

const SAY_IT: &str = "\
this super-node wants its overlay's passphrase. Either send it with each request, as the password of
HTTP's Basic authentication (the user may be anything; XML-RPC libraries take
http://scope:PASSPHRASE@HOST:PORT), or POST {\"passphrase\": \"...\"} to /api/v1/session once, and send
the token you get as Authorization: Bearer TOKEN
";
const NOT_NEEDED: &str = "this super-node has no passphrase, so no session is needed\n";

/// Lets a request in, or says what it lacks. In front of all paths but the open ones.
pub(super) async fn keep(
    State(state): State<Arc<AppState>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
    next: Next,
) -> Response {
    let Some(door) = &state.door else { return next.run(request).await };
    if visitor.source.is_loopback() {
        return next.run(request).await;
    }
    match door.admit(visitor.source, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(denied) => deny(&state, denied),
    }
}

/// `POST /api/v1/session`.
pub(super) async fn open_session(
    State(state): State<Arc<AppState>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let Some(door) = &state.door else {
        return (StatusCode::NOT_FOUND, NOT_NEEDED).into_response();
    };
    let body = body::read(request.into_body(), REQUEST_MAX, &state.budget, &visitor.account).await;
    let Ok((body, _held)) = body else {
        return (StatusCode::BAD_REQUEST, "the body is too long, or did not arrive\n")
            .into_response();
    };
    let Ok(OpenSession { passphrase }) = serde_json::from_slice(&body) else {
        let text = "expected a JSON object as in {\"passphrase\": \"...\"}\n";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    match door.open_session(visitor.source, &passphrase) {
        Err(error) => {
            error!(%error, "no session can be opened for want of random numbers");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Ok(Ok(token)) => {
            let token = token.as_str().to_owned();
            Json(Session { token, expires_s: Token::LIFETIME_S }).into_response()
        }
        Ok(Err(denied)) => deny(&state, denied),
    }
}

fn deny(state: &AppState, denied: Denied) -> Response {
    match denied {
        Denied::Wrong => {
            state.metrics.count_refused("no session");
            let challenge = "Basic realm=\"scope\", charset=\"UTF-8\"";
            (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)], SAY_IT).into_response()
        }
        Denied::TooOften(Exhausted { wait_ms }) => {
            state.metrics.count_refused("too many tries");
            let wait = wait_ms.div_ceil(1000).to_string();
            let text = format!("too many tries from your address; try again in {wait} s\n");
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, wait)], text).into_response()
        }
    }
}
