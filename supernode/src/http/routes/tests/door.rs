//! The JSON door, asked from addresses that are made up.

use axum::http::header::ORIGIN;
use base::{Key, Kind, Sequence, Signed, SigningKey, Slot, Ttl};
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::source::Source;

/// The answers to a batch.
async fn batch(state: &Arc<AppState>, from: &str, asks: Value) -> Vec<Value> {
    let body = json!({ "asks": asks }).to_string();
    let (status, text) = ask(state, from, (Method::POST, "/api/v1/batch", &body), None).await;
    assert_eq!(status, 200, "{text}");
    super::json(&text)["answers"].as_array().unwrap().clone()
}

async fn one(state: &Arc<AppState>, from: &str, ask: Value) -> Value {
    batch(state, from, json!([ask])).await.remove(0)
}

/// What a single verb answers.
async fn verb(state: &Arc<AppState>, path: &str, body: Value) -> (u16, Value) {
    let body = body.to_string();
    let (status, text) = ask(state, OTHER, (Method::POST, path, &body), None).await;
    (status, super::json(&text))
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn signed(key: &str, by: u8, sequence: u64) -> String {
    let (author, place) =
        (SigningKey::from_bytes(&[by; 32]), Key::new(key.to_owned()).unwrap().place());
    let sequence = Sequence::new(sequence);
    let signed =
        Signed::sign(&author, &place, Slot::ZERO, Kind::Plain, sequence, Ttl::MAX, b"body");
    base64(signed.unwrap().as_bytes())
}

fn kind(answer: &Value) -> &str {
    answer["error"]["kind"].as_str().unwrap_or("none")
}

#[tokio::test]
async fn a_batch_does_each_of_its_asks_and_answers_in_their_order() {
    let state = node(None).await;
    let put = json!({"key_text": "k", "value_text": "v", "secret_text": "s", "ttl": 60});
    let answers = batch(
        &state,
        OTHER,
        json!([
            {"put": put},
            {"put": {"key": base64(b"k2"), "value": base64(&[0, 255])}},
            {"nonsense": {}},
            {"put_signed": {"key_text": "k3", "signed": signed("k3", 1, 5)}},
            {"services": {}},
            {"lookup": {"service": "COPA"}},
            {"locate": {"user": "Anna"}},
            {"name": {"name": "anna", "key": "11".repeat(32)}},
        ]),
    )
    .await;
    for at in [0, 1, 3] {
        assert_eq!(answers[at], json!({"put": {"replicas": 1}}));
    }
    assert_eq!(kind(&answers[2]), "bad_request");
    assert_eq!(answers[4], json!({"services": []}));
    assert_eq!(answers[5], json!({"providers": []}));
    assert_eq!(answers[6], json!({"located": []}));
    let looked = json!({"name": "anna", "holder": null, "others": [], "next": 0});
    assert_eq!(answers[7], json!({ "name": looked }));

    let page = one(&state, OTHER, json!({"get": {"key_text": "k"}})).await;
    let [found] = &page["page"]["values"].as_array().unwrap()[..] else { panic!("{page}") };
    assert_eq!(found["value"], base64(b"v"));
    assert!((1..=60_000).contains(&found["remaining_ms"].as_u64().unwrap()), "{found}");
    let wrong = json!({"remove": {"key_text": "k", "value_text": "v"}});
    assert_eq!(kind(&one(&state, OTHER, wrong).await), "wrong_secret");
    let right = json!({"remove": {"key_text": "k", "value_text": "v", "secret_text": "s"}});
    assert_eq!(one(&state, OTHER, right.clone()).await, json!({"removed": {"found": true}}));
    assert_eq!(one(&state, OTHER, right).await, json!({"removed": {"found": false}}));
}

#[tokio::test]
async fn every_kind_of_refusal_is_one_that_a_program_can_test() {
    let state = node(None).await;
    let put =
        |value: &str, room| json!({"put": {"key_text": "k", "value_text": value, "room": room}});
    assert_eq!(one(&state, OTHER, put("a", 1)).await, json!({"put": {"replicas": 1}}));
    assert_eq!(
        one(&state, OTHER, put("a", 1)).await,
        json!({"put": {"replicas": 1}}),
        "it is there"
    );
    assert_eq!(kind(&one(&state, OTHER, put("b", 1)).await), "full");
    let sign = |sequence, room| json!({"put_signed": {"key_text": "k", "signed": signed("k", 1, sequence), "room": room}});
    assert_eq!(kind(&one(&state, OTHER, sign(5, 1)).await), "full");
    assert_eq!(one(&state, OTHER, sign(5, 9)).await, json!({"put": {"replicas": 1}}));
    let superseded = one(&state, OTHER, sign(4, 9)).await;
    assert_eq!((kind(&superseded), &superseded["error"]["sequence"]), ("superseded", &json!(5)));
    let moved = json!({"put_signed": {"key_text": "other", "signed": signed("k", 1, 9)}});
    assert_eq!(kind(&one(&state, OTHER, moved).await), "forged");
    let p2psip = json!({"get": {"key_text": "location/anna", "service": "P2PSIP"}});
    let refused = one(&state, OTHER, p2psip).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("by locate"), "{refused}");
    for ask in [
        json!({"put": {"key_text": "k", "value_text": "v", "service": "P2PSIP"}}),
        json!({"put_signed": {"key_text": "k", "signed": signed("k", 1, 9), "service": "P2PSIP"}}),
        json!({"remove": {"key_text": "k", "value_text": "v", "service": "P2PSIP"}}),
        json!({"locate": {"user": ""}}),
        json!({"locate": {"user": "a\u{7}"}}),
        json!({"lookup": {"service": "a b"}}),
    ] {
        assert_eq!(kind(&one(&state, OTHER, ask.clone()).await), "bad_request", "{ask}");
    }
    let names = |kind: &str, n: u8| {
        let key = SigningKey::from_bytes(&[n; 32]);
        let name = base::Name::new("anna").unwrap();
        let claim = base::Claim::new(name, Sequence::ZERO);
        let signed = claim.sign(&key, Sequence::new(1), Ttl::MAX).unwrap();
        json!({kind: {"name": "anna", "signed": base64(signed.as_bytes())}})
    };
    assert_eq!(one(&state, OTHER, names("claim", 1)).await, json!({"put": {"replicas": 1}}));
    let holder = async || {
        one(&state, OTHER, json!({"name": {"name": "anna"}})).await["name"]["holder"].clone()
    };
    while holder().await.is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(kind(&one(&state, OTHER, names("claim", 2)).await), "taken");
}

#[tokio::test]
async fn a_source_that_has_put_as_much_as_it_may_is_told_so_by_the_door_too() {
    let state = node(None).await;
    let value = "x".repeat(65_536);
    let put = |ttl: u64| json!({"put": {"key_text": "k", "value_text": value, "ttl": ttl}});
    let mut last = Value::Null;
    for _ in 0..30 {
        let answers = batch(&state, OTHER, vec![put(604_800); 20].into()).await;
        last = answers.last().unwrap().clone();
    }
    assert_eq!(kind(&last), "over_capacity", "{last}");
    assert!(last["error"]["message"].as_str().unwrap().contains("try again in"), "{last}");
    assert_eq!(one(&state, OTHER, put(60)).await, json!({"put": {"replicas": 1}}));
    assert_eq!(one(&state, OWN, put(604_800)).await, json!({"put": {"replicas": 1}}));
}

#[tokio::test]
async fn a_full_key_is_read_page_by_page_and_a_reply_bears_no_more_than_it_may() {
    let state = node(None).await;
    let value = |n: usize| format!("{n:03}{}", "x".repeat(61_437));
    for n in 0..40 {
        let put = json!({"put": {"key_text": "k", "value_text": value(n)}});
        assert_eq!(one(&state, OWN, put).await, json!({"put": {"replicas": 1}}));
    }
    let (mut seen, mut after) = (std::collections::BTreeSet::new(), Value::Null);
    loop {
        let get = match after.as_str() {
            None => json!({"get": {"key_text": "k"}}),
            Some(after) => json!({"get": {"key_text": "k", "after": after}}),
        };
        let page = one(&state, OTHER, get).await["page"].clone();
        for found in page["values"].as_array().unwrap() {
            assert!(seen.insert(found["value"].as_str().unwrap().to_owned()), "each once");
        }
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), 40);
    // Sixteen chunks fit into one reply; of more it says which did not.
    let get = json!({"get": {"key_text": "k", "max": 1, "from_one": true}});
    let answers = batch(&state, OTHER, vec![get.clone(); 16].into()).await;
    assert!(answers.iter().all(|answer| answer["page"]["values"].as_array().unwrap().len() == 1));
    let answers = batch(&state, OTHER, vec![get; 256].into()).await;
    let told = answers.iter().filter(|answer| kind(answer) == "try_again").count();
    assert!((200..250).contains(&told), "{told}");
}

#[tokio::test]
async fn a_single_verb_answers_without_its_name_and_refuses_by_its_status() {
    let state = node(None).await;
    let value = json!({"key_text": "k", "value_text": "v", "secret_text": "s"});
    assert_eq!(verb(&state, "/api/v1/put", value.clone()).await, (200, json!({"replicas": 1})));
    let (status, page) = verb(&state, "/api/v1/get", json!({"key_text": "k"})).await;
    assert_eq!((status, &page["values"][0]["value"]), (200, &json!(base64(b"v"))));
    let full = json!({"key_text": "k", "value_text": "w", "room": 1});
    let wrong = json!({"key_text": "k", "value_text": "v"});
    for (path, body, status, kind) in [
        ("/api/v1/put", full, 507, "full"),
        ("/api/v1/put", json!({"key_text": "k"}), 400, "bad_request"),
        ("/api/v1/put", json!({"key_text": "k".repeat(1025), "value_text": ""}), 413, "too_large"),
        ("/api/v1/put", json!({"x": "x".repeat(300_000)}), 413, "too_large"),
        ("/api/v1/get", json!([]), 400, "bad_request"),
        ("/api/v1/remove", wrong, 403, "wrong_secret"),
    ] {
        let (code, told) = verb(&state, path, body).await;
        assert_eq!((code, &told["error"]["kind"]), (status, &json!(kind)), "{path}: {told}");
    }
    let removed = verb(&state, "/api/v1/remove", value_of(&value)).await;
    assert_eq!(removed, (200, json!({"found": true})));
}

/// The same without what only a put has.
fn value_of(put: &Value) -> Value {
    json!({"key_text": put["key_text"], "value_text": put["value_text"], "secret_text": put["secret_text"]})
}

#[tokio::test]
async fn a_watch_tells_which_keys_changed_and_waits_for_the_next() {
    let state = node(None).await;
    let watch = async |watched: Value, timeout_s: f64| {
        let body = json!({"watched": watched, "timeout_s": timeout_s});
        verb(&state, "/api/v1/watch", body).await
    };
    let (status, first) = watch(json!([{"key_text": "a"}, {"key_text": "b"}]), 30.0).await;
    let changed = first["changed"].as_array().unwrap();
    assert_eq!((status, changed.len()), (200, 2), "without a cursor at once");
    let cursors: Vec<&Value> = changed.iter().map(|changed| &changed["cursor"]).collect();
    let keys = json!([
        {"key_text": "a", "cursor": cursors[0]},
        {"key": base64(b"b"), "cursor": cursors[1]},
    ]);
    assert_eq!(watch(keys.clone(), 0.01).await, (200, json!({"changed": []})));
    let put = json!({"key_text": "b", "value_text": "v"});
    let (waited, put) = tokio::join!(watch(keys.clone(), 60.0), verb(&state, "/api/v1/put", put));
    assert_eq!(put.0, 200);
    let changed = waited.1["changed"].as_array().unwrap();
    assert_eq!((changed.len(), &changed[0]["at"]), (1, &json!(1)), "{waited:?}");
    assert_ne!(&changed[0]["cursor"], cursors[1]);
    assert_eq!(changed[0].get("values"), None, "nobody asked for them");
    let body = json!({"watched": keys, "timeout_s": 60, "values": true});
    let (_, told) = verb(&state, "/api/v1/watch", body).await;
    let values = told["changed"][0]["values"].as_array().unwrap();
    assert_eq!((values.len(), &values[0]["value"]), (1, &json!(base64(b"v"))), "{told}");
    for (body, told) in [
        (json!({"watched": [{"key_text": "k", "service": "P2PSIP"}], "timeout_s": 0}), "by locate"),
        (json!({"watched": [], "timeout_s": 301}), "from 0 to 300"),
        (json!({}), "expected a JSON object"),
    ] {
        let (status, refused) = verb(&state, "/api/v1/watch", body).await;
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(status == 400 && message.contains(told), "{refused}");
    }
}

#[tokio::test]
async fn who_watches_too_many_keys_is_told_so() {
    let state = node(None).await;
    let visitor = Source::of(OTHER.parse().unwrap());
    let _others = state.watching.begin(visitor, 1000).unwrap();
    let keys: Vec<Value> = (0..25).map(|n| json!({"key_text": n.to_string()})).collect();
    let body = json!({"watched": keys, "timeout_s": 0});
    let (status, refused) = verb(&state, "/api/v1/watch", body).await;
    assert_eq!((status, kind(&refused)), (507, "over_capacity"), "{refused}");
}

#[tokio::test]
async fn no_page_of_another_site_may_use_the_door_and_strangers_need_the_passphrase() {
    let state = node(None).await;
    for path in ["/api/v1/batch", "/api/v1/put", "/api/v1/get", "/api/v1/remove", "/api/v1/watch"] {
        let visitor = Visitor::of((OTHER.parse::<std::net::IpAddr>().unwrap(), 1).into());
        let request = Request::builder().method(Method::POST).uri(path).extension(visitor);
        let request = request.header(ORIGIN, "http://elsewhere").header(HOST, "box:5851");
        let request = request.body(Body::from("{}")).unwrap();
        let answer = router(Arc::clone(&state)).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 403, "{path}");
        let locked = node(Some(PASSPHRASE)).await;
        assert_eq!(ask(&locked, OTHER, (Method::POST, path, "{}"), None).await.0, 401);
        assert_eq!(
            ask(&locked, OTHER, (Method::POST, path, "{}"), Some(&basic(PASSPHRASE))).await.0,
            400
        );
    }
}

#[tokio::test]
async fn no_body_makes_the_door_stumble() {
    let state = node(None).await;
    let whole =
        json!({"asks": [{"get": {"key_text": "k", "max": 3}}, {"services": {}}]}).to_string();
    let mut bodies: Vec<String> = (0..whole.len()).map(|at| whole[..at].to_owned()).collect();
    bodies.extend(
        ["null", "0", "\"\"", "{\"asks\":null}", "{\"asks\":[null,[],{},\"\",1e999]}"]
            .map(str::to_owned),
    );
    bodies.push("[".repeat(100_000));
    bodies.push(format!("{{\"asks\":[{}", "0,".repeat(400_000)));
    bodies.push(format!("{{\"asks\":[\"{}\"]}}", "\\u0000".repeat(100_000)));
    for body in bodies {
        for path in ["/api/v1/batch", "/api/v1/get", "/api/v1/watch"] {
            let (status, text) = ask(&state, OTHER, (Method::POST, path, &body), None).await;
            assert!(matches!(status, 200 | 400 | 413), "{path}: {status} {text}");
            assert!(text.len() < 2000, "{}", text.len());
        }
    }
    assert_eq!(ask(&state, OTHER, page("/api/v1/batch"), None).await.0, 405);
    let long = " ".repeat(whatsup::door::BATCH_BODY_MAX + 1);
    let (status, text) = ask(&state, OTHER, (Method::POST, "/api/v1/batch", &long), None).await;
    assert!(status == 413 && text.contains("too_large"), "{text}");
}
