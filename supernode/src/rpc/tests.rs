//! Calls as clients write them, answered by a node in memory.

use dht::{Dht, Options, Storage};
use dxr::{FaultResponse, MethodCall, MethodResponse, Value};
use proptest::prelude::*;

use super::{Caller, REPLY_MAX, answer};
use crate::accounts::PhoneAccounts;
use crate::quota::Quota;
use crate::services::Services;
use crate::source::Source;

mod names;
mod services;

async fn node() -> Dht {
    Dht::open(Options::local(Storage::Memory)).await.unwrap()
}

fn b64(bytes: impl AsRef<[u8]>) -> Value {
    Value::Base64(bytes.as_ref().to_vec())
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn array(values: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(values.into_iter().collect())
}

const INT: fn(i32) -> Value = Value::Integer;

/// Sends a body; the value, or the fault's code and text.
async fn send(node: &Dht, body: &[u8]) -> Result<Value, (i32, String)> {
    send_to(node, &Services::new(node.clone()).unwrap(), body).await
}

/// The same to a node with this registry.
async fn send_to(node: &Dht, services: &Services, body: &[u8]) -> Result<Value, (i32, String)> {
    let source = Source::of([127, 0, 0, 1].into());
    let (quota, phones) = (&Quota::new(), &PhoneAccounts::new(node.clone()));
    let answer = answer(Caller { dht: node, quota, services, phones, source }, body).await;
    assert!(answer.xml.len() <= REPLY_MAX);
    match MethodResponse::from_xml(&answer.xml) {
        Ok(response) => Ok(response.value),
        Err(_) => {
            let fault = FaultResponse::from_xml(&answer.xml).unwrap().fault;
            assert_eq!(fault.code(), answer.fault);
            Err((fault.code(), fault.string().to_owned()))
        }
    }
}

async fn call(
    node: &Dht,
    name: &str,
    params: impl IntoIterator<Item = Value>,
) -> Result<Value, (i32, String)> {
    let call = MethodCall { name: name.into(), params: params.into_iter().collect() };
    send(node, call.to_xml().unwrap().as_bytes()).await
}

async fn fault(node: &Dht, name: &str, params: impl IntoIterator<Item = Value>) -> (i32, String) {
    call(node, name, params).await.unwrap_err()
}

#[tokio::test]
async fn a_value_is_read_from_every_form_clients_write() {
    let node = node().await;
    call(&node, "scope.put", [text("k"), text("v")]).await.unwrap();
    let forms = [
        "k",
        "<string>k</string>",
        "\n  <string>k</string>\n ",
        "<base64>aw==</base64>",
        "<base64>\r\n\taw\n==\n</base64>",
        " <base64>aw==</base64>",
        "<string><![CDATA[k]]></string>",
        "<!-- a comment --><string>k</string>",
        "<string>&#107;</string>",
        "<string>&#x6b;</string>",
    ];
    for form in forms {
        let body = format!(
            "<?xml version='1.0'?>\n<methodCall>\n <methodName>scope.get</methodName>\n\
             <params>\n<param>\n<value>{form}</value>\n</param>\n</params>\n</methodCall>\n"
        );
        assert_eq!(send(&node, body.as_bytes()).await, Ok(array([b64("v")])), "{form:?}");
    }
}

#[tokio::test]
async fn text_of_any_script_and_bytes_of_any_kind_come_back() {
    let node = node().await;
    for value in ["", "Grüße, \u{1F4DE} & <b>", " \t spaces kept \n "] {
        call(&node, "scope.put", [text(value), text(value)]).await.unwrap();
        let got = call(&node, "scope.get", [b64(value)]).await;
        assert_eq!(got, Ok(array([b64(value)])), "{value:?}");
    }
    let bytes: Vec<u8> = (0..=255).collect();
    call(&node, "scope.put", [b64(&bytes), b64(&bytes)]).await.unwrap();
    assert_eq!(call(&node, "scope.get", [b64(&bytes)]).await, Ok(array([b64(&bytes)])));
}

#[tokio::test]
async fn a_put_tells_its_copies_and_its_latency() {
    let node = node().await;
    let Ok(Value::Struct(receipt)) =
        call(&node, "scope.put", [text("k"), text("v"), text("s"), INT(60)]).await
    else {
        panic!("not a struct");
    };
    assert_eq!(receipt["replicas"], INT(1));
    assert!(matches!(receipt["latency_ms"], Value::Double(ms) if ms > 0.0));
}

#[tokio::test]
async fn a_listing_in_pages_gives_every_value_once() {
    let node = node().await;
    for n in 0..25 {
        call(&node, "scope.put", [text("k"), text(&format!("v{n:02}"))]).await.unwrap();
    }
    let (mut seen, mut placemark) = (Vec::new(), b64(""));
    loop {
        let page = call(&node, "scope.get", [text("k"), INT(7), placemark.clone()]).await;
        let Ok(Value::Array(page)) = page else { panic!("{page:?}") };
        let [Value::Array(values), next] = &page[..] else { panic!("{page:?}") };
        assert!((1..=7).contains(&values.len()));
        seen.extend(values.clone());
        if *next == b64("") {
            break;
        }
        placemark = next.clone();
    }
    assert_eq!(call(&node, "scope.get", [text("k")]).await, Ok(Value::Array(seen.clone())));
    assert_eq!(seen.len(), 25);
}

#[tokio::test]
async fn a_reply_above_its_limit_is_a_fault_and_pages_work() {
    let node = node().await;
    for n in 0..12u8 {
        call(&node, "scope.put", [text("k"), b64(vec![n; 65536])]).await.unwrap();
    }
    let (code, text_) = fault(&node, "scope.get", [text("k")]).await;
    assert_eq!(code, 3);
    assert!(text_.contains("ask for pages"), "{text_}");
    let page = call(&node, "scope.get", [text("k"), INT(1000)]).await.unwrap();
    let Value::Array(page) = page else { panic!("{page:?}") };
    assert!(matches!(&page[0], Value::Array(values) if values.len() == 10));
    assert_ne!(page[1], b64(""));
}

#[tokio::test]
async fn a_removal_needs_the_secret_and_tells_what_was_there() {
    let node = node().await;
    let kv = || [text("k"), text("v")];
    call(&node, "scope.put", [text("k"), text("v"), text("s")]).await.unwrap();
    assert_eq!(fault(&node, "scope.remove", kv()).await.0, 7);
    assert_eq!(fault(&node, "scope.remove", [text("k"), text("v"), text("t")]).await.0, 7);
    let right = || [text("k"), text("v"), b64("s"), INT(60)];
    assert_eq!(call(&node, "scope.remove", right()).await, Ok(INT(1)));
    assert_eq!(call(&node, "scope.remove", right()).await, Ok(INT(0)));
    call(&node, "scope.put", [text("k"), text("v"), text(""), INT(60)]).await.unwrap();
    assert_eq!(call(&node, "scope.remove", kv()).await, Ok(INT(1)), "an empty secret is none");
}

#[tokio::test]
async fn a_fault_names_the_parameter_and_never_repeats_it() {
    let node = node().await;
    let long = || text(&"x".repeat(2000));
    let cases: Vec<(&str, Vec<Value>, i32, &str)> = vec![
        ("scope.put", vec![text("k")], 2, "scope.put takes 2 to 5 parameters"),
        (
            "scope.get",
            vec![],
            2,
            "takes 1 to 4 parameters (key, max, placemark, service); 0 were given",
        ),
        ("scope.put", vec![text("k"), INT(1)], 2, "parameter 2 (value) must be base64 or a string"),
        ("scope.put", vec![Value::Nil, text("v")], 2, "parameter 1 (key) is missing"),
        ("scope.put", vec![long(), text("v")], 3, "parameter 1 (key) has 2000 bytes"),
        ("scope.put", vec![text("k"), b64(vec![0; 65537])], 3, "parameter 2 (value) has 65537"),
        ("scope.put", vec![text("k"), text("v"), long()], 3, "parameter 3 (secret) has 2000 bytes"),
        ("scope.put", vec![text("k"), text("v"), text(""), INT(0)], 2, "parameter 4 (ttl)"),
        ("scope.put", vec![text("k"), text("v"), text(""), INT(604_801)], 2, "1 and 604800 s"),
        ("scope.put", vec![text("k"), text("v"), text(""), text("9")], 2, "must be an int"),
        ("scope.get", vec![text("k"), INT(0)], 2, "parameter 2 (max) must be at least 1"),
        ("scope.get", vec![text("k"), INT(1), text("xx")], 2, "(placemark) is not one that"),
        ("scope.putt", vec![], 6, "did you mean scope.put?"),
        ("xxxxxxxxxxxx", vec![], 6, "system.listMethods lists all"),
        ("put", vec![b64([1; 21]), text("v"), INT(9), text("a")], 3, "(key) has 21 bytes"),
        ("put", vec![text("k"), b64([1; 1025]), INT(9), text("a")], 3, "(value) has 1025 bytes"),
        ("put", vec![text("k"), text("v"), INT(0), text("a")], 2, "(ttl) must be at least 1"),
        ("put", vec![text("k"), text("v"), INT(9)], 2, "put takes 4 parameters"),
    ];
    for (method, params, code, says) in cases {
        let (got, what) = fault(&node, method, params).await;
        assert_eq!(got, code, "{method}: {what}");
        assert!(what.contains(says), "{what}");
        assert!(!what.contains("xxx"), "{what}");
    }
}

#[tokio::test]
async fn what_is_no_call_is_a_parse_fault() {
    let node = node().await;
    let bodies: [&[u8]; 8] = [
        b"",
        b"hello",
        b"<methodCall>",
        b"<methodCall></methodCall>",
        b"<methodCall><methodName>\xff</methodName></methodCall>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><methodCall><methodName>get</methodName></methodCall>",
        b"<?xml version='1.0' encoding='utf-16'?><methodCall/>",
        b"<methodCall><methodName>get</methodName><params><param><value><int>x</int></value></param></params></methodCall>",
    ];
    for body in bodies {
        let (code, what) = send(&node, body).await.unwrap_err();
        assert_eq!(code, 1, "{what}");
        assert!(!what.is_empty());
    }
}

#[tokio::test]
async fn every_method_describes_itself() {
    let node = node().await;
    let Ok(Value::Array(names)) = call(&node, "system.listMethods", []).await else {
        panic!("no list");
    };
    assert_eq!(names.len(), super::METHODS.len());
    for name in names {
        let help = call(&node, "system.methodHelp", [name.clone()]).await;
        assert!(matches!(help, Ok(Value::String(help)) if help.len() > 20));
        let signatures = call(&node, "system.methodSignature", [name]).await;
        assert!(matches!(signatures, Ok(Value::Array(signatures)) if !signatures.is_empty()));
    }
    assert_eq!(fault(&node, "system.methodHelp", [text("nope")]).await.0, 6);
}

#[tokio::test]
async fn opendht_puts_lists_and_removes() {
    let node = node().await;
    let key = || b64([7; 20]);
    let app = || text("test");
    let list = async |method| call(&node, method, [key(), INT(10), b64(""), app()]).await.unwrap();
    let put = [key(), text("open"), INT(3600), app()];
    assert_eq!(call(&node, "put", put).await, Ok(INT(0)));
    // SHA-1 of "secret" and of "tagged".
    let secret_hash = base::Secret::new("secret").unwrap().tag();
    let value_hash = base::Value::new("tagged").unwrap().hash().sha1();
    let removable =
        || [key(), text("tagged"), text("SHA"), b64(secret_hash.as_bytes()), INT(9_999_999), app()];
    assert_eq!(call(&node, "put_removable", removable()).await, Ok(INT(0)));

    let Value::Array(details) = list("get_details").await else { panic!() };
    let [Value::Array(rows), placemark] = &details[..] else { panic!() };
    assert_eq!(*placemark, b64(""));
    let row = |value: &str, longest: i32, algorithm: &str, hash: &[u8]| {
        let found = rows.iter().find_map(|row| match row {
            Value::Array(row) if row[0] == b64(value) => Some(row),
            _ => None,
        });
        let row = found.unwrap();
        // A slow machine may take a while between the put and the listing.
        assert!(matches!(row[1], Value::Integer(left) if (1..=longest).contains(&left)));
        assert_eq!(row[2..], [text(algorithm), b64(hash)]);
    };
    assert_eq!(rows.len(), 2);
    row("tagged", 604_800, "SHA", secret_hash.as_bytes());
    row("open", 3600, "", &[]);

    let rm = async |secret: &str| {
        let params = [key(), b64(value_hash), text("SHA"), b64(secret), INT(60), app()];
        call(&node, "rm", params).await
    };
    assert_eq!(rm("wrong").await, Ok(INT(0)));
    assert!(matches!(list("get").await, Value::Array(page) if page[0] != array([b64("open")])));
    assert_eq!(rm("secret").await, Ok(INT(0)));
    assert_eq!(list("get").await, array([array([b64("open")]), b64("")]));
    assert_eq!(call(&node, "put_removable", removable()).await, Ok(INT(0)), "put after rm");
    assert!(matches!(list("get").await, Value::Array(page) if page[0] != array([b64("open")])));
}

#[tokio::test]
async fn opendht_pages_hold_a_kibibyte_and_at_least_one_value() {
    let node = node().await;
    for n in 0..9u8 {
        let put = [text("k"), b64([n; 300]), INT(60), text("a")];
        call(&node, "put", put).await.unwrap();
    }
    let mut sizes = Vec::new();
    let mut placemark = b64("");
    loop {
        let page = call(&node, "get", [text("k"), INT(100), placemark, text("a")]).await.unwrap();
        let Value::Array(page) = page else { panic!() };
        let Value::Array(values) = &page[0] else { panic!() };
        sizes.push(values.len());
        placemark = page[1].clone();
        if placemark == b64("") {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 3]);
}

#[tokio::test]
async fn opendht_is_told_of_a_full_key_by_a_code() {
    let node = node().await;
    for n in 0..1024 {
        let put = [text("k"), text(&n.to_string()), INT(60), text("a")];
        assert_eq!(call(&node, "put", put).await, Ok(INT(0)));
    }
    let put = [text("k"), text("one more"), INT(60), text("a")];
    assert_eq!(call(&node, "put", put).await, Ok(INT(1)));
    let (code, what) = fault(&node, "scope.put", [text("k"), text("one more")]).await;
    assert_eq!(code, 4);
    assert!(what.contains("1024 entries"), "{what}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is cut from or written into a call, there is an answer, and it is sound XML.
    #[test]
    fn a_mangled_call_is_answered(
        cut in 0..400usize, at in 0..400usize, bytes in prop::collection::vec(any::<u8>(), 0..6)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let node = node().await;
            let params = vec![b64("key"), text("a value"), text("secret"), INT(60)];
            let call = MethodCall { name: "scope.put".into(), params };
            let mut body = call.to_xml().unwrap().into_bytes();
            body.truncate(body.len().saturating_sub(cut / 4));
            let at = at.min(body.len());
            body.splice(at..(at + bytes.len()).min(body.len()), bytes);
            let _ = send(&node, &body).await;
        });
    }
}

#[tokio::test]
async fn a_watch_tells_of_the_next_state_and_of_no_other() {
    let node = node().await;
    let watch = |cursor: Value, seconds| [text("k"), cursor, INT(seconds)];
    let parts = |reply: Value| match reply {
        Value::Array(parts) => <[Value; 2]>::try_from(parts).unwrap(),
        other => panic!("{other:?}"),
    };
    let [values, cursor] = parts(call(&node, "scope.watch", watch(b64(b""), 9)).await.unwrap());
    assert_eq!(values, array([]));
    let same = call(&node, "scope.watch", watch(cursor.clone(), 0)).await.unwrap();
    assert_eq!(parts(same), [values, cursor.clone()]);
    let put = call(&node, "scope.put", [text("k"), text("v")]);
    let waiting = call(&node, "scope.watch", watch(cursor, 60));
    let (told, put) = tokio::join!(waiting, put);
    put.unwrap();
    assert_eq!(parts(told.unwrap())[0], array([b64("v")]));
    for (cursor, seconds) in [(b64("short"), 1), (b64(b""), -1), (b64(b""), 301)] {
        let (code, text) = fault(&node, "scope.watch", watch(cursor, seconds)).await;
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("parameter"), "{text}");
    }
}
