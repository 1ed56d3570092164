//! What the paths answer to whom: requests with the address they come from made up, for all that
//! tests can reach is loopback.

use axum::http::Method;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dht::{Dht, Options, Storage};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::http::Door;
use crate::source::Source;

const PASSPHRASE: &str = "five words nobody else has";
const LIST: &str = "<methodCall><methodName>system.listMethods</methodName></methodCall>";

async fn node(passphrase: Option<&str>) -> Arc<AppState> {
    let dht = Dht::open(Options::local(Storage::Memory)).await.unwrap();
    let door = passphrase.map(|passphrase| Door::new(passphrase).unwrap());
    Arc::new(AppState::new(dht, "box", false, door))
}

/// Asks from an address, with what `Authorization` says if anything. The status and the body; the
/// header fields are in front of it.
async fn ask(
    state: &Arc<AppState>,
    from: &str,
    request: (Method, &str, &str),
    authorization: Option<&str>,
) -> (u16, String) {
    let (method, path, body) = request;
    let visitor = Visitor::of(Source::of(from.parse().unwrap()));
    let mut request = Request::builder().method(method).uri(path).extension(visitor);
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let answer = router(Arc::clone(state)).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let fields = format!("{:?}", answer.headers());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, fields + "\n" + str::from_utf8(&body).unwrap())
}

fn call(body: &str) -> (Method, &str, &str) {
    (Method::POST, "/RPC2", body)
}

fn page(path: &str) -> (Method, &str, &str) {
    (Method::GET, path, "")
}

fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("anybody:{password}")))
}

const OTHER: &str = "192.0.2.7";
const OWN: &str = "127.0.0.1";

#[tokio::test]
async fn without_a_passphrase_everybody_may_come_in() {
    let state = node(None).await;
    assert_eq!(ask(&state, OTHER, call(LIST), None).await.0, 200);
    assert_eq!(ask(&state, OTHER, page("/api/v1/status"), None).await.0, 200);
    let session = (Method::POST, "/api/v1/session", "{\"passphrase\": \"x\"}");
    let (status, text) = ask(&state, OTHER, session, None).await;
    assert_eq!(status, 404);
    assert!(text.contains("no session is needed"), "{text}");
}

#[tokio::test]
async fn with_one_strangers_get_nothing_but_healthz_and_this_machine_everything() {
    let state = node(Some(PASSPHRASE)).await;
    for request in [call(LIST), page("/"), page("/api/v1/status"), page("/metrics"), page("/x")] {
        let (status, text) = ask(&state, OTHER, request.clone(), None).await;
        assert_eq!(status, 401, "{request:?}");
        assert!(text.contains(WWW_AUTHENTICATE.as_str()) && text.contains("/api/v1/session"));
        assert_ne!(ask(&state, OWN, request, None).await.0, 401);
    }
    assert_eq!(ask(&state, OTHER, page("/healthz"), None).await.0, 200);
}

#[tokio::test]
async fn the_passphrase_opens_as_a_password_and_as_a_session() {
    let state = node(Some(PASSPHRASE)).await;
    let right = basic(PASSPHRASE);
    assert_eq!(ask(&state, OTHER, call(LIST), Some(&right)).await.0, 200);
    for wrong in [&basic("another"), "Basic", "Basic !!", "Bearer x", "Digest x", ""] {
        assert_eq!(ask(&state, OTHER, call(LIST), Some(wrong)).await.0, 401, "{wrong}");
    }
    let say = serde_json::json!({ "passphrase": PASSPHRASE }).to_string();
    let session = (Method::POST, "/api/v1/session", say.as_str());
    let (status, text) = ask(&state, OTHER, session, None).await;
    assert_eq!(status, 200, "{text}");
    let json: serde_json::Value = serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
    let token = json["token"].as_str().unwrap();
    assert_eq!(json["expires_s"], 12 * 60 * 60);
    assert_eq!(ask(&state, OTHER, call(LIST), Some(&format!("Bearer {token}"))).await.0, 200);
    let other = format!("bearer {}", token.replace(|c: char| c != '0', "0"));
    assert_eq!(ask(&state, OTHER, call(LIST), Some(&other)).await.0, 401);
}

#[tokio::test]
async fn who_tries_too_often_has_to_wait() {
    let state = node(Some(PASSPHRASE)).await;
    let guess = (Method::POST, "/api/v1/session", "{\"passphrase\": \"a guess\"}");
    for _ in 0..10 {
        assert_eq!(ask(&state, OTHER, guess.clone(), None).await.0, 401);
    }
    let (status, text) = ask(&state, OTHER, guess, None).await;
    assert_eq!(status, 429);
    assert!(text.contains("retry-after") && text.contains("try again in 10 s"), "{text}");
    assert_eq!(ask(&state, OTHER, call(LIST), Some(&basic(PASSPHRASE))).await.0, 429);
    assert_eq!(ask(&state, "192.0.2.8", call(LIST), Some(&basic(PASSPHRASE))).await.0, 200);
}

#[tokio::test]
async fn what_is_no_request_for_a_session_is_told_so() {
    let state = node(Some(PASSPHRASE)).await;
    let long = " ".repeat(9000);
    for body in ["", "five words nobody else has", "{}", "{\"passphrase\": 7}", "[]", &long] {
        let (status, text) =
            ask(&state, OTHER, (Method::POST, "/api/v1/session", body), None).await;
        assert_eq!(status, 400, "{text}");
    }
}

#[tokio::test]
async fn metrics_are_for_this_machine_unless_configured() {
    let state = node(None).await;
    assert_eq!(ask(&state, OTHER, page("/metrics"), None).await.0, 403);
    assert_eq!(ask(&state, OWN, page("/metrics"), None).await.0, 200);
}

#[tokio::test]
async fn who_put_too_much_is_told_when_to_try_again() {
    let state = node(None).await;
    let value = STANDARD.encode([b'x'; 65_000]);
    let put = |ttl: u32| {
        format!(
            "<methodCall><methodName>scope.put</methodName><params><param><value>k</value></param>\
             <param><value><base64>{value}</base64></value></param><param><value/></param>\
             <param><value><int>{ttl}</int></value></param></params></methodCall>"
        )
    };
    let (week, hour) = (put(604_800), put(3600));
    let mut answers = Vec::new();
    for _ in 0..600 {
        answers.push(ask(&state, OTHER, call(&week), None).await.1);
    }
    let refused = answers.iter().find(|answer| answer.contains("<i4>4</i4>")).unwrap();
    assert!(refused.contains("lives up to seven days; try again in"), "{refused}");
    assert!(refused.contains("or give a ttl of at most 86400 s"), "{refused}");
    assert!(ask(&state, OTHER, call(&hour), None).await.1.contains("replicas"));
    assert!(ask(&state, "192.0.2.8", call(&week), None).await.1.contains("replicas"));
    let metrics = ask(&state, OWN, page("/metrics"), None).await.1;
    assert!(!metrics.contains("scope_quota_refused_total{class=\"week\"} 0"), "{metrics}");
}

#[tokio::test]
async fn a_call_there_is_no_room_for_is_told_to_try_again_as_its_callers_expect() {
    let told = |method: &str| {
        let call =
            format!("<?xml version='1.0'?>\n<methodCall>\n <methodName> {method} </methodName>");
        rpc::try_again(call.as_bytes())
    };
    for method in ["scope.put", "scope.get", "get", "get_details", "nonsense"] {
        let told = told(method);
        assert!(told.contains("<i4>4</i4>") && told.contains("try again in a second"), "{told}");
    }
    for method in ["put", "put_removable", "rm"] {
        let told = told(method);
        assert!(told.contains("<i4>2</i4>") && !told.contains("fault"), "{told}");
    }
    assert!(rpc::try_again(b"\xff").contains("<i4>4</i4>"));
}
