//! `/api/v1/names`.

use std::time::Duration;

use base::{Claim, Name, Sequence, SigningKey, Ttl};
use serde_json::json;
use tokio::time::sleep;

use super::*;

fn claim(name: &str, by: &SigningKey, sequence: u64) -> String {
    let claim = Claim::new(Name::new(name).unwrap(), Sequence::ZERO);
    let signed = claim.sign(by, Sequence::new(sequence), Ttl::MAX).unwrap();
    json!({"signed": STANDARD.encode(signed.as_bytes())}).to_string()
}

#[tokio::test]
async fn a_name_is_claimed_looked_up_and_refused_to_others() {
    let state = node(None).await;
    let path = "/api/v1/names/alice";
    let get = async |path: &str| json(&ask(&state, OTHER, page(path), None).await.1);
    let nobody = json!({"name": "alice", "holder": null, "others": [], "next": null});
    assert_eq!(get("/api/v1/names/ALICE").await, nobody);
    let (alice, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let hers = claim("alice", &alice, 7);
    let (status, told) = ask(&state, OTHER, (Method::POST, path, &hers), None).await;
    assert_eq!((status, json(&told)), (200, json!({"replicas": 1})));
    let looked = loop {
        let looked = get(&format!("{path}?key={}", alice.public())).await;
        if !looked["holder"].is_null() {
            break looked;
        }
        sleep(Duration::from_millis(50)).await;
    };
    let holder = &looked["holder"];
    assert_eq!(holder["key"], json!(alice.public().to_string()));
    assert_eq!(
        json!({"signed": holder["signed"]}),
        json!(serde_json::from_str::<serde_json::Value>(&hers).unwrap())
    );
    assert_eq!((&looked["next"], &looked["others"]), (&json!(8), &json!([])));
    let (status, told) =
        ask(&state, OTHER, (Method::POST, path, &claim("alice", &other, 1)), None).await;
    let error = &json(&told)["error"];
    assert_eq!((status, &error["code"]), (403, &json!(7)));
    let fingerprint = alice.public().fingerprint().to_string();
    assert!(error["message"].as_str().unwrap().contains(&fingerprint), "{error}");
}

#[tokio::test]
async fn bad_requests_of_names_are_told_what_is_wrong() {
    let state = node(None).await;
    let long = format!("/api/v1/names/{}", "x".repeat(65));
    let bobs = claim("bob", &SigningKey::from_bytes(&[1; 32]), 1);
    let post = |body| (Method::POST, "/api/v1/names/alice", body);
    for (request, status, told) in [
        (page("/api/v1/names/"), 400, "the name is empty"),
        (page(&long), 413, "the name has 65 bytes"),
        (page("/api/v1/names/%FF"), 400, "the name is not UTF-8"),
        (page("/api/v1/names/a%20b"), 400, "U+0020"),
        (page("/api/v1/names/p%D0%B0ypal"), 400, "mixes Latin and Cyrillic letters"),
        (page("/api/v1/names/alice?key=12"), 400, "64 hexadecimal digits"),
        (post(""), 400, "expected a JSON object"),
        (post("{\"signed\": \"?\"}"), 400, "signed is not base64"),
        (post("{\"signed\": \"AAAA\"}"), 400, "the claim cannot be read"),
        (post(&bobs), 400, "forged"),
    ] {
        let (code, text) = ask(&state, OTHER, request.clone(), None).await;
        let message = json(&text)["error"]["message"].as_str().unwrap().to_owned();
        assert!(code == status && message.contains(told), "{request:?}: {code} {message}");
    }
}
