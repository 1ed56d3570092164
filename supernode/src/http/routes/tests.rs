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
use crate::services::Services;
use crate::sip::Sip;

mod door;
mod names;

const PASSPHRASE: &str = "five words nobody else has";
const LIST: &str = "<methodCall><methodName>system.listMethods</methodName></methodCall>";

async fn node(passphrase: Option<&str>) -> Arc<AppState> {
    let dht = Dht::open(Options::local(Storage::Memory)).await.unwrap();
    let door = passphrase.map(|passphrase| Door::new(passphrase).unwrap());
    let services = Services::new(dht.clone()).unwrap();
    let any_port = "127.0.0.1:0".parse().unwrap();
    let sip = Sip::bind(any_port, 0, dht.clone(), services.clone()).await.unwrap();
    Arc::new(AppState::new(dht, services, sip, "box", false, door))
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
    let visitor = Visitor::of((from.parse::<std::net::IpAddr>().unwrap(), 4711).into());
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

fn json(answer: &str) -> serde_json::Value {
    serde_json::from_str(answer.split_once('\n').unwrap().1).unwrap()
}

#[tokio::test]
async fn services_are_offered_listed_and_withdrawn() {
    use serde_json::json;
    let state = node(None).await;
    let path = "/api/v1/services/P2PSIP";
    let get = async |path: &str| json(&ask(&state, OTHER, page(path), None).await.1);
    assert_eq!(get("/api/v1/services").await, json!({"services": []}));
    let offer = (Method::POST, path, "{\"contact\": \"192.0.2.7:5061\", \"ttl\": 60}");
    let (status, told) = ask(&state, OTHER, offer, None).await;
    assert_eq!((status, json(&told)), (200, json!({"advertised": true})));
    assert_eq!(get("/api/v1/services").await, json!({"services": ["P2PSIP"]}));
    assert_eq!(get("/api/v1/status").await["services"], json!(["P2PSIP"]));
    let found = get("/api/v1/services/P2PSIP?max=5").await;
    assert_eq!(found["contacts"], json!(["192.0.2.7:5061"]));
    assert_eq!((&found["service"], &found["placemark"]), (&json!("P2PSIP"), &json!(null)));
    let withdraw = (Method::DELETE, "/api/v1/services/P2PSIP?contact=192.0.2.7:5061", "");
    let (status, told) = ask(&state, "192.0.2.8", withdraw.clone(), None).await;
    assert_eq!((status, &json(&told)["error"]["code"]), (403, &json!(7)));
    let (status, told) = ask(&state, OTHER, withdraw.clone(), None).await;
    assert_eq!((status, json(&told)), (200, json!({"withdrawn": true})));
    let (status, told) = ask(&state, OTHER, withdraw, None).await;
    assert_eq!((status, json(&told)), (200, json!({"withdrawn": false})));
    assert_eq!(get(path).await["contacts"], json!([]));
}

#[tokio::test]
async fn a_listing_of_providers_goes_on_from_its_placemark() {
    let state = node(None).await;
    for port in 1..=5 {
        let offer = format!("{{\"contact\": \"laptop:{port}\"}}");
        let offer = (Method::POST, "/api/v1/services/S", offer.as_str());
        assert_eq!(ask(&state, OWN, offer, None).await.0, 200);
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/services/S?max=2".to_owned());
    loop {
        let part = json(&ask(&state, OTHER, page(&path), None).await.1);
        seen.extend(part["contacts"].as_array().unwrap().clone());
        let Some(placemark) = part["placemark"].as_str() else { break };
        path = format!("/api/v1/services/S?max=2&placemark={placemark}");
    }
    assert_eq!(seen.len(), 5);
}

#[tokio::test]
async fn bad_requests_of_services_are_told_what_is_wrong() {
    let state = node(None).await;
    let long = format!("/api/v1/services/{}", "x".repeat(65));
    let offer = "{\"contact\": \"laptop:1\"}";
    let first = (Method::POST, "/api/v1/services/COPA", offer);
    assert_eq!(ask(&state, OWN, first, None).await.0, 200);
    let confusable = "/api/v1/services/%D0%A1%D0%9E%D0%A0%D0%90";
    for (request, status, told) in [
        (page("/api/v1/services/"), 400, "the Service-ID is empty"),
        (page(&long), 413, "the Service-ID has 65 bytes"),
        (page("/api/v1/services/%FF"), 400, "the Service-ID is not UTF-8"),
        (page("/api/v1/services/a%20b"), 400, "has the character U+0020"),
        (page("/api/v1/services/P2P%D0%A1IP"), 400, "mixes letters of several scripts"),
        (page("/api/v1/services/S?max=0"), 400, "max must be at least 1"),
        (page("/api/v1/services/S?max=x"), 400, "max must be a number"),
        (page("/api/v1/services/S?placemark=x"), 400, "not one that a listing gave"),
        ((Method::POST, confusable, offer), 400, "looks like COPA, which is there"),
        ((Method::POST, "/api/v1/services/S", ""), 400, "expected a JSON object"),
        (
            (Method::POST, "/api/v1/services/S", "{\"contact\": \"laptop\"}"),
            400,
            "the contact is not HOST:PORT",
        ),
        (
            (Method::POST, "/api/v1/services/S", "{\"contact\": \"laptop:1\", \"ttl\": 0}"),
            400,
            "a ttl of 0 s is out of range",
        ),
        ((Method::DELETE, "/api/v1/services/S", ""), 400, "expected ?contact=HOST:PORT"),
        ((Method::DELETE, "/api/v1/services/S?contact=a", ""), 400, "is not HOST:PORT"),
    ] {
        let (code, text) = ask(&state, OTHER, request.clone(), None).await;
        let message = json(&text)["error"]["message"].as_str().unwrap().to_owned();
        assert!(code == status && message.contains(told), "{request:?}: {code} {message}");
    }
}
