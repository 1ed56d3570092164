//! The paths and their handlers.

mod answer;
mod batch;
mod names;
mod phone;
mod services;
mod sip;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use tracing::{Instrument, debug, debug_span};

use super::admission;
use super::body::{self, BodyError};
use super::budget::NoneLeft;
use super::gate::Busy;
use super::server::Visitor;
use crate::api;
use crate::rpc::{self, Answer, Begun, Caller, Fault, REQUEST_MAX};
use crate::state::AppState;

const ROOT_PAGE: &str = "\
This is a super-node of SCOPE.

Programs put, get and remove values here by XML-RPC: POST to / or /RPC2.
How it is doing: /api/v1/status
To telephone with any SIP softphone: /phone
";

/// What a request is told that could not wait any longer.
const BUSY: &str = "this super-node is busy; try again in a second\n";

/// All paths of the daemon.
pub fn router(state: Arc<AppState>) -> Router {
    let mut router = Router::new()
        .route("/", post(xml_rpc).get(ROOT_PAGE))
        .route("/RPC2", post(xml_rpc))
        .route("/api/v1/status", get(status))
        .route("/api/v1/services", get(services::all))
        .route("/api/v1/services/", get(services::without_name).post(services::without_name))
        .route(
            "/api/v1/services/{id}",
            get(services::one).post(services::advertise).delete(services::withdraw),
        )
        .route("/api/v1/names/", get(names::without_name).post(names::without_name))
        .route("/api/v1/names/{name}", get(names::one).post(names::claim))
        .route("/api/v1/batch", post(batch::batch))
        .route("/api/v1/put", post(batch::put))
        .route("/api/v1/get", post(batch::get))
        .route("/api/v1/remove", post(batch::remove))
        .route("/api/v1/watch", post(watch::watch))
        .route("/api/v1/registrations", get(registrations))
        .route("/metrics", get(metrics));
    if state.door.is_some() {
        router = router.layer(middleware::from_fn_with_state(Arc::clone(&state), admission::keep));
    }
    // Open to all: what comes after the layer is not under it.
    router
        .route("/healthz", get("ok\n"))
        .route("/phone", get(phone::page))
        .route("/phone/linphone.xml", get(phone::linphone))
        .route("/sip", any(sip::websocket))
        .route("/api/v1/session", post(admission::open_session))
        .with_state(state)
}

async fn xml_rpc(
    State(state): State<Arc<AppState>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    if let Some(refusal) = refuse_another_site(&state, request.headers()) {
        return refusal;
    }
    let _in_flight = state.load.begin();
    let span = debug_span!("rpc", request = state.next_request());
    async {
        let body = request.into_body();
        let read = body::read(body, REQUEST_MAX, &state.budget, &visitor.account).await;
        let (body, _held) = match read {
            Ok(read) => read,
            Err(error) => return refuse_body(&state, error, too_large),
        };
        visitor.pulse.work();
        let caller = Caller {
            dht: &state.dht,
            quota: &state.quota,
            services: &state.services,
            phones: state.sip.accounts(),
            source: visitor.source,
        };
        let begun = state.gate.pass(visitor.source, rpc::begin(caller, &body)).await;
        let answer = match begun {
            Ok(Begun::Answer(answer)) => Ok(answer),
            Ok(Begun::Waits(watch)) => {
                // Who waits holds up nobody.
                visitor.pulse.wait();
                let waited = watch.wait(&state.dht).await;
                visitor.pulse.work();
                state.gate.pass(visitor.source, async { waited.answer() }).await
            }
            Err(busy) => Err(busy),
        };
        match answer {
            Ok(answer) => reply(&state, &visitor, answer, &body),
            Err(Busy) => try_again(&state, "busy", &body),
        }
    }
    .instrument(span)
    .await
}

/// What a browser is told that asks for a page that did not come from here.
fn refuse_another_site(state: &AppState, headers: &HeaderMap) -> Option<Response> {
    if !is_from_another_site(headers) {
        return None;
    }
    state.metrics.count_refused("another site");
    let text = "a web page of another site may not call this super-node\n";
    Some((StatusCode::FORBIDDEN, text).into_response())
}

/// The answer to a call that was made.
fn reply(state: &AppState, visitor: &Visitor, answer: Answer, body: &[u8]) -> Response {
    state.metrics.count_call(answer.method, answer.fault != 0, answer.took);
    let method = answer.method.map_or("none", |at| rpc::METHODS[at].name);
    debug!(method, fault = answer.fault, "answered");
    match state.budget.take(&visitor.account, answer.xml.len()) {
        Ok(share) => xml(Body::from(share.of(answer.xml))),
        Err(NoneLeft) => try_again(state, "no memory", body),
    }
}

/// The answer to a call for which there was no room.
fn try_again(state: &AppState, reason: &'static str, body: &[u8]) -> Response {
    state.metrics.count_refused(reason);
    debug!(reason, "a request was refused");
    let mut response = xml(Body::from(rpc::try_again(body)));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Whether a browser sends this for a page that did not come from here. XML-RPC needs no permission
/// that a browser would ask for first, so any page could write to a node within its reach.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let site = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    site.is_none_or(|(_, site)| host != Some(site))
}

/// What a call is told that is too long.
fn too_large() -> Response {
    let text = format!("the request is longer than {REQUEST_MAX} bytes");
    xml(Body::from(rpc::refuse(Fault::TooLarge(text)).xml))
}

/// The answer to a body that was not read to its end. The connection cannot be used any more.
fn refuse_body(
    state: &AppState,
    error: BodyError,
    too_large: impl FnOnce() -> Response,
) -> Response {
    let (reason, mut response) = match error {
        BodyError::TooLarge => ("too large", too_large()),
        BodyError::TooSlow => {
            let text = "the body did not arrive within 10 s for each 256 KiB\n";
            ("too slow", (StatusCode::REQUEST_TIMEOUT, text).into_response())
        }
        BodyError::NoRoom => ("no memory", busy()),
        BodyError::Broken => {
            let text = "the body is broken off, or its chunks are malformed\n";
            ("broken", (StatusCode::BAD_REQUEST, text).into_response())
        }
    };
    state.metrics.count_refused(reason);
    debug!(reason, "a request was refused");
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], BUSY).into_response()
}

fn xml(body: Body) -> Response {
    let content_type = HeaderValue::from_static("text/xml; charset=utf-8");
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Makes a page when it is the visitor's turn.
async fn in_turn(state: &AppState, visitor: &Visitor, make: impl FnOnce() -> Response) -> Response {
    state.gate.pass(visitor.source, async { make() }).await.unwrap_or_else(|Busy| {
        state.metrics.count_refused("busy");
        busy()
    })
}

async fn status(
    State(state): State<Arc<AppState>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    in_turn(&state, &visitor, || axum::Json(api::status(&state)).into_response()).await
}

async fn registrations(
    State(state): State<Arc<AppState>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    if !visitor.source.is_loopback() {
        let text =
            "who is registered where is for this machine only; ask on the super-node's own\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let list = || axum::Json(api::registrations::registrations(&state)).into_response();
    in_turn(&state, &visitor, list).await
}

async fn metrics(
    State(state): State<Arc<AppState>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    if !state.public_metrics && !visitor.source.is_loopback() {
        let text = "metrics are for this machine only; start supernode with --public-metrics\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let page = || ([(CONTENT_TYPE, content_type)], state.metrics.text()).into_response();
    in_turn(&state, &visitor, page).await
}

#[cfg(test)]
mod tests;
