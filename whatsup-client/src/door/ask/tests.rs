use base::{Kind, Sequence, SigningKey, Slot};
use proptest::prelude::*;

use super::super::{Answers, Asks, read_asks};
use super::*;

fn author() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn plain(key: &Key) -> Signed {
    let (place, slot, sequence) = (key.place(), Slot::ZERO, Sequence::new(3));
    Signed::sign(&author(), &place, slot, Kind::Plain, sequence, Ttl::MAX, b"body").unwrap()
}

fn claim() -> (base::Name, Signed) {
    let name = base::Name::new("anna").unwrap();
    let claim = base::Claim::new(name.clone(), Sequence::ZERO);
    let signed = claim.sign(&author(), Sequence::new(1), Ttl::MAX).unwrap();
    (name, signed)
}

/// One of each, with everything that may be given.
fn every_ask() -> Vec<overlay::Ask> {
    let key = Key::new(vec![0, 255]).unwrap();
    let own = Key::in_service(&ServiceId::new("CHAT").unwrap(), "k").unwrap();
    let value = Value::new(vec![1, 254]).unwrap();
    let secret = Secret::new("s").unwrap();
    let (name, claimed) = claim();
    let after = Some(EntryId::of(&value, SecretTag::NONE));
    let (tag, ttl) = (secret.tag(), Ttl::from_secs(60).unwrap());
    let put =
        |tag, room| overlay::Ask::Put { key: own.clone(), value: value.clone(), tag, ttl, room };
    vec![
        overlay::Ask::Get(overlay::Get::all(key.clone())),
        overlay::Ask::Get(overlay::Get { key: own.clone(), after, max: 7, from_one: true }),
        put(SecretTag::NONE, None),
        put(tag, Some(256)),
        put(base::list::LAPSES, Some(0)),
        overlay::Ask::PutSigned { key: key.clone(), signed: plain(&key), room: Some(9) },
        overlay::Ask::Remove { key: key.clone(), value: value.clone(), secret: Some(secret) },
        overlay::Ask::Remove { key, value, secret: None },
        overlay::Ask::Name { name: name.clone(), asker: Some(author().public()) },
        overlay::Ask::Claim { name, signed: claimed },
        overlay::Ask::Locate { user: "anna".to_owned() },
        overlay::Ask::Services,
        overlay::Ask::Lookup { service: "P2PSIP".to_owned() },
    ]
}

#[test]
fn every_ask_is_read_as_it_is_written() {
    let asks = every_ask();
    let body = serde_json::to_vec(&Asks { asks: asks.iter().map(Ask::from).collect() }).unwrap();
    let read: Result<Vec<_>, _> = read_asks(&body).unwrap().into_iter().collect();
    assert_eq!(read, Ok(asks));
}

#[test]
fn people_write_texts_and_leave_out_what_need_not_be_said() {
    let body = r#" { "asks": [
        {"get": {"key_text": "greeting"}},
        {"put": {"key_text": "greeting", "value_text": "hello", "secret_text": "s"}},
        {"put": {"key": "Z3JlZXRpbmc", "value": "aGVsbG8=", "secret": ""}},
        {"services": {}}
    ] }"#;
    let key = Key::new("greeting").unwrap();
    let value = Value::new("hello").unwrap();
    let ttl = Ttl::from_secs(DEFAULT_TTL_S).unwrap();
    let put =
        |tag| overlay::Ask::Put { key: key.clone(), value: value.clone(), tag, ttl, room: None };
    let read: Vec<_> =
        read_asks(body.as_bytes()).unwrap().into_iter().map(Result::unwrap).collect();
    let expected = [
        overlay::Ask::Get(overlay::Get::all(key.clone())),
        put(Secret::new("s").unwrap().tag()),
        put(SecretTag::NONE),
        overlay::Ask::Services,
    ];
    assert_eq!(read, expected);
}

#[test]
fn each_ask_that_makes_no_sense_is_told_what_is_wrong_with_it() {
    let long = "k".repeat(1025);
    let tag = serde_json::to_string(&Base64::copy(SecretTag::SIGNED.as_bytes())).unwrap();
    let claim = serde_json::to_string(&Base64(claim().1.as_bytes().clone())).unwrap();
    for (ask, kind, told) in [
        ("7", "bad_request", "expected"),
        ("{}", "bad_request", "expected"),
        ("{\"fly\": {}}", "bad_request", "unknown variant `fly`"),
        ("{\"get\": {}}", "bad_request", "key is missing"),
        ("{\"get\": {\"key\": \"!\"}}", "bad_request", "expected bytes in base64"),
        ("{\"get\": {\"key\": \"aw\", \"key_text\": \"k\"}}", "bad_request", "not both"),
        ("{\"get\": {\"key_text\": \"k\", \"max\": 0}}", "bad_request", "max must be at least 1"),
        ("{\"get\": {\"key_text\": \"k\", \"max\": -1}}", "bad_request", "expected u64"),
        ("{\"get\": {\"key_text\": \"k\", \"after\": \"aw\"}}", "bad_request", "after is not one"),
        (
            "{\"get\": {\"key_text\": \"k\", \"maximum\": 1}}",
            "bad_request",
            "unknown field `maximum`",
        ),
        ("{\"get\": {\"key_text\": \"k\", \"service\": \"a b\"}}", "bad_request", "service: "),
        (
            &format!("{{\"get\": {{\"key_text\": \"{long}\"}}}}"),
            "too_large",
            "1025 bytes; the limit is 1024",
        ),
        ("{\"put\": {\"key_text\": \"k\"}}", "bad_request", "value is missing"),
        (
            "{\"put\": {\"key_text\": \"k\", \"value_text\": \"v\", \"ttl\": 0}}",
            "bad_request",
            "ttl of 0 s",
        ),
        (
            "{\"put\": {\"key_text\": \"k\", \"value_text\": \"v\", \"tag\": \"aw\"}}",
            "bad_request",
            "tag must be a SHA-1",
        ),
        (
            "{\"put\": {\"key_text\": \"k\", \"value_text\": \"v\", \"secret_text\": \"s\", \"tag\": \"aw\"}}",
            "bad_request",
            "not both",
        ),
        (
            &format!("{{\"put\": {{\"key_text\": \"k\", \"value_text\": \"v\", \"tag\": {tag}}}}}"),
            "bad_request",
            "kept for signed entries",
        ),
        (
            "{\"remove\": {\"key_text\": \"k\", \"value_text\": \"v\", \"secret_text\": \"12345678901234567890123456789012345678901\"}}",
            "too_large",
            "41 bytes; the limit is 40",
        ),
        ("{\"put_signed\": {\"key_text\": \"k\"}}", "bad_request", "missing field `signed`"),
        (
            "{\"put_signed\": {\"key_text\": \"k\", \"signed\": \"aw\"}}",
            "bad_request",
            "signed cannot be read",
        ),
        (
            &format!("{{\"put_signed\": {{\"key_text\": \"k\", \"signed\": {claim}}}}}"),
            "bad_request",
            "put it by claim",
        ),
        ("{\"name\": {\"name\": \"\"}}", "bad_request", "name"),
        ("{\"name\": {\"name\": \"anna\", \"key\": \"xyz\"}}", "bad_request", "key: "),
        ("{\"services\": {\"x\": 1}}", "bad_request", "unknown field `x`"),
    ] {
        let body = format!("{{\"asks\": [{{\"services\": {{}}}}, {ask}, {{\"services\": {{}}}}]}}");
        let read = read_asks(body.as_bytes()).unwrap();
        assert_eq!(
            (&read[0], &read[2]),
            (&Ok(overlay::Ask::Services), &Ok(overlay::Ask::Services))
        );
        let refused = read[1].as_ref().unwrap_err();
        let named = serde_json::to_value(refused.kind).unwrap();
        assert!(named == kind && refused.message.contains(told), "{ask}: {refused:?}");
    }
}

#[test]
fn a_body_that_is_no_batch_is_refused_whole() {
    let many = vec!["0"; overlay::BATCH_MAX + 1].join(",");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, told) in [
        ("", "expected a JSON object as in"),
        ("[]", "expected a JSON object as in"),
        ("{\"asks\": {}}", "an array of asks"),
        ("{\"asks\": [{}", "expected a JSON object as in"),
        ("{\"asks\": [], \"more\": 1}", "unknown field `more`"),
        (&format!("{{\"asks\": [{many}]}}"), "asks has more than 256"),
        (&format!("{{\"asks\": [{many}, {many}"), "expected a JSON object as in"),
    ] {
        let refused = read_asks(body.as_bytes()).unwrap_err();
        assert!(refused.message.contains(told), "{body}: {refused:?}");
        assert!(refused.message.len() < 500);
    }
    // However deep it goes, it is told, and not followed down.
    match read_asks(format!("{{\"asks\": [{deep}]}}").as_bytes()) {
        Ok(read) => assert!(read[0].is_err()),
        Err(refused) => assert!(refused.message.contains("recursion limit"), "{refused:?}"),
    }
}

#[test]
fn what_was_sent_is_not_sent_back_whole() {
    let body = format!("{{\"asks\": [{{\"get\": {{\"{}\": 1}}}}]}}", "\\u0007x".repeat(100_000));
    let read = read_asks(body.as_bytes()).unwrap();
    let message = &read[0].as_ref().unwrap_err().message;
    assert!(message.len() < 300 && !message.contains('\u{7}'), "{message}");
}

proptest! {
    #[test]
    fn no_body_makes_it_stumble(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_asks(&body);
        let _ = super::super::Watch::read(&body);
        let _ = serde_json::from_slice::<Answers>(&body).map(|answers| {
            answers.answers.into_iter().map(super::super::Answer::read).collect::<Vec<_>>()
        });
    }

    #[test]
    fn no_piece_of_a_batch_makes_it_stumble(cuts in proptest::collection::vec((0usize..4000, any::<u8>()), 1..4)) {
        let asks = Asks { asks: every_ask().iter().map(Ask::from).collect() };
        let mut body = serde_json::to_vec(&asks).unwrap();
        for (at, byte) in cuts {
            let at = at % body.len();
            body[at] = byte;
        }
        if let Ok(read) = read_asks(&body) {
            for ask in read.into_iter().flatten() {
                // What is taken is an ask like any other.
                let again = serde_json::to_vec(&Asks { asks: vec![Ask::from(&ask)] }).unwrap();
                prop_assert_eq!(read_asks(&again).unwrap(), vec![Ok(ask)]);
            }
        }
    }
}
