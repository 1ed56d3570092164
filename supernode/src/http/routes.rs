//! The paths and their handlers.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tracing::{Instrument, debug, debug_span};

use super::body::{self, BodyError};
use crate::api;
use crate::rpc::{self, Fault, REQUEST_MAX};
use crate::state::AppState;

/// Who is at the other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote(pub(super) SocketAddr);

const ROOT_PAGE: &str = "\
This is a super-node of SCOPE.

Programs put, get and remove values here by XML-RPC: POST to / or /RPC2.
How it is doing: /api/v1/status
";

/// All paths of the daemon.
pub fn router(state: Arc<AppState>) -> Router {
    Router::new()
        .route("/", post(xml_rpc).get(ROOT_PAGE))
        .route("/RPC2", post(xml_rpc))
        .route("/healthz", get("ok\n"))
        .route("/api/v1/status", get(api::status))
        .route("/metrics", get(metrics))
        .with_state(state)
}

async fn xml_rpc(State(state): State<Arc<AppState>>, request: Request) -> Response {
    if is_from_another_site(request.headers()) {
        state.metrics.count_refused("another site");
        let text = "a web page of another site may not call this super-node\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let _in_flight = state.load.begin();
    let span = debug_span!("rpc", request = state.next_request());
    async {
        let body = match body::read(request.into_body(), REQUEST_MAX).await {
            Ok(body) => body,
            Err(error) => return refuse(&state, error),
        };
        let answer = rpc::answer(&state.dht, &body).await;
        state.metrics.count_call(answer.method, answer.fault != 0, answer.took);
        let method = answer.method.map_or("none", |at| rpc::METHODS[at].name);
        debug!(method, fault = answer.fault, "answered");
        xml(answer.xml)
    }
    .instrument(span)
    .await
}

/// Whether a browser sends this for a page that did not come from here. XML-RPC needs no permission
/// that a browser would ask for first, so any page could write to a node within its reach.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let site = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    site.is_none_or(|(_, site)| host != Some(site))
}

/// The answer to a body that was not read to its end. The connection cannot be used any more.
fn refuse(state: &AppState, error: BodyError) -> Response {
    let (reason, mut response) = match error {
        BodyError::TooLarge => {
            let text = format!("the request is longer than {REQUEST_MAX} bytes");
            ("too large", xml(rpc::refuse(Fault::TooLarge(text)).xml))
        }
        BodyError::TooSlow => {
            let text = "the body did not arrive within 10 s\n";
            ("too slow", (StatusCode::REQUEST_TIMEOUT, text).into_response())
        }
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

fn xml(body: String) -> Response {
    let content_type = HeaderValue::from_static("text/xml; charset=utf-8");
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

async fn metrics(
    State(state): State<Arc<AppState>>,
    Extension(Remote(remote)): Extension<Remote>,
) -> Response {
    if !state.public_metrics && !remote.ip().to_canonical().is_loopback() {
        let text = "metrics are for this machine only; start supernode with --public-metrics\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], state.metrics.text()).into_response()
}
