//! Calls of names.

use std::time::Duration;

use base::{Claim, Kind, Name, Sequence, Signed, SigningKey, Slot, Ttl};
use tokio::time::sleep;

use super::*;

fn author(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn signed(name: &str, by: u8, sequence: u64) -> Value {
    let claim = Claim::new(Name::new(name).unwrap(), Sequence::ZERO);
    let signed = claim.sign(&author(by), Sequence::new(sequence), Ttl::MAX).unwrap();
    b64(signed.as_bytes())
}

async fn claim(node: &Dht, name: &str, signed: Value) -> Result<Value, (i32, String)> {
    call(node, "scope.claim", [text(name), signed]).await
}

/// What is told of a name, once somebody has it.
async fn held(node: &Dht, name: &str) -> std::collections::BTreeMap<String, Value> {
    loop {
        let looked = call(node, "scope.name", [text(name)]).await.unwrap();
        let Value::Struct(looked) = looked else { panic!("{looked:?}") };
        if looked.contains_key("holder") {
            return looked;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn who_claims_a_name_has_it_and_is_told_so_with_what_was_signed() {
    let node = node().await;
    let first = signed("alice", 1, 5);
    assert_eq!(claim(&node, "Alice", first.clone()).await, Ok(INT(1)));
    let looked = held(&node, "ALICE").await;
    assert_eq!(looked["name"], text("alice"));
    let Value::Struct(holder) = &looked["holder"] else { panic!("{looked:?}") };
    assert_eq!(holder["key"], text(&author(1).public().to_string()));
    assert_eq!(holder["fingerprint"], text(&author(1).public().fingerprint().to_string()));
    assert_eq!((&holder["signed"], &looked["others"]), (&first, &array([])));
    let next = async |by: u8| {
        let key = author(by).public().to_string();
        let looked = call(&node, "scope.name", [text("alice"), text(&key)]).await.unwrap();
        let Value::Struct(looked) = looked else { panic!("{looked:?}") };
        looked["next"].clone()
    };
    assert_eq!((next(1).await, next(2).await), (text("6"), text("0")));
    let (code, told) = claim(&node, "alice", signed("alice", 2, 1)).await.unwrap_err();
    let holder = author(1).public().fingerprint().to_string();
    assert!(code == 7 && told.contains("taken") && told.contains(&holder), "{code} {told}");
    let (code, told) = claim(&node, "a1ice", signed("a1ice", 2, 1)).await.unwrap_err();
    assert!(code == 7 && told.contains("taken"), "one that looks like it: {code} {told}");
    let (code, told) = claim(&node, "alice", signed("alice", 1, 4)).await.unwrap_err();
    assert!(code == 7 && told.contains("sequence 5"), "a replay: {code} {told}");
    let withdrawn = Claim::withdraw(&Name::new("alice").unwrap(), &author(1), Sequence::new(6));
    assert_eq!(claim(&node, "alice", b64(withdrawn.as_bytes())).await, Ok(INT(1)));
    let looked = call(&node, "scope.name", [text("alice")]).await.unwrap();
    let Value::Struct(looked) = looked else { panic!("{looked:?}") };
    assert!(!looked.contains_key("holder"), "{looked:?}");
}

#[tokio::test]
async fn what_is_no_name_or_no_claim_is_told_what_is_wrong() {
    let node = node().await;
    let long = "x".repeat(129);
    for (name, code, told) in [
        (text(""), 2, "parameter 1 (name): the name is empty"),
        (text(&long), 3, "the name has 129 bytes; the limit is 64"),
        (b64([0xff]), 2, "the name is not UTF-8"),
        (text("al ice"), 2, "U+0020"),
        (text("p\u{430}ypal"), 2, "the name mixes Latin and Cyrillic letters"),
        (text("-alice"), 2, "may not begin or end with '-'"),
    ] {
        let looked = fault(&node, "scope.name", [name.clone()]).await;
        assert!(looked.0 == code && looked.1.contains(told), "{looked:?}");
        let claimed = fault(&node, "scope.claim", [name, signed("alice", 1, 1)]).await;
        assert!(claimed.0 == code && claimed.1.contains(told), "{claimed:?}");
    }
    let refused = fault(&node, "scope.name", [text("alice"), text("12")]).await;
    assert!(refused.0 == 2 && refused.1.contains("64 hexadecimal digits"), "{refused:?}");
    let place = Name::new("alice").unwrap().key().place();
    let plain = |kind, body: &[u8]| {
        let (slot, sequence) = (Slot::ZERO, Sequence::new(1));
        let signed = Signed::sign(&author(1), &place, slot, kind, sequence, Ttl::MAX, body);
        b64(signed.unwrap().as_bytes())
    };
    let mut forged = plain(Kind::Claim, b"\x0a\x05alice");
    let Value::Base64(bytes) = &mut forged else { panic!("bytes") };
    bytes[100] ^= 1;
    for (signed, told) in [
        (b64("not signed"), "the claim cannot be read"),
        (signed("bob", 1, 1), "forged"),
        (signed("a1ice", 1, 1), "the claim is for 'a1ice'"),
        (plain(Kind::Plain, b"body"), "is no claim"),
        (plain(Kind::Claim, b"\xff"), "cannot be read"),
        (forged, "forged"),
    ] {
        let refused = claim(&node, "alice", signed).await.unwrap_err();
        assert!(refused.0 == 2 && refused.1.contains(told), "{told}: {refused:?}");
    }
}
