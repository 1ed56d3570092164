use base::{Name, SigningKey};

use super::*;
use crate::overlay::Memory;

#[derive(Clone, PartialEq, Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

fn text(text: impl Into<String>) -> Text {
    Text { text: text.into() }
}

fn author(seed: u8) -> Author {
    Author::with_clock(Name::new("alice").unwrap(), SigningKey::from_bytes(&[seed; 32]), || 1)
}

fn slot(n: u32) -> Slot {
    let mut bytes = [0; Slot::LEN];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    Slot::new(bytes)
}

async fn texts(list: &List) -> Vec<String> {
    let (mut records, all) = list.records::<Text>(usize::MAX).await.unwrap();
    assert!(all);
    records.sort_by(|one, two| one.body.text.cmp(&two.body.text));
    records.into_iter().map(|record| record.body.text).collect()
}

#[tokio::test]
async fn a_list_of_any_length_gives_back_what_was_said_and_not_what_was_taken_back() {
    let net = Net::new(Memory::new());
    let (list, author) = (net.list(Key::new("a list").unwrap()), author(1));
    for n in 0..600 {
        list.publish(&author, slot(n), Ttl::MAX, &text(format!("{n:03}")), None).await.unwrap();
    }
    assert_eq!(texts(&list).await, (0..600).map(|n| format!("{n:03}")).collect::<Vec<_>>());
    for n in (0..600).filter(|n| n % 3 > 0) {
        assert!(list.retract(&author, slot(n)).await.unwrap());
    }
    assert!(!list.retract(&author, slot(1)).await.unwrap());
    assert_eq!(texts(&list).await.len(), 200);
}

#[tokio::test]
async fn the_newest_counts_and_others_slots_are_others_own() {
    let net = Net::new(Memory::new());
    let list = net.list(Key::new("a list").unwrap());
    let (alice, bob) = (author(1), author(2));
    let seat = list.publish(&alice, slot(1), Ttl::MAX, &text("a"), None).await.unwrap();
    list.publish(&bob, slot(1), Ttl::MAX, &text("c"), None).await.unwrap();
    list.publish(&alice, slot(1), Ttl::MAX, &text("b"), Some(seat)).await.unwrap();
    assert_eq!(texts(&list).await, ["b", "c"]);
    list.retract(&bob, slot(1)).await.unwrap();
    assert_eq!(texts(&list).await, ["b"]);
}

#[tokio::test]
async fn what_is_not_signed_or_signed_for_another_key_is_not_in_the_list() {
    let net = Net::new(Memory::new());
    let (root, elsewhere) = (Key::new("a list").unwrap(), Key::new("another").unwrap());
    let list = net.list(root.clone());
    let kept = list.publish(&author(1), slot(1), Ttl::MAX, &text("kept"), None).await.unwrap();
    assert_eq!(kept.depth, 0);
    let signed = Signed::sign(
        author(2).key(),
        &elsewhere.place(),
        slot(2),
        base::Kind::Plain,
        base::Sequence::new(1),
        Ttl::MAX,
        &text("forged").encode_to_vec(),
    );
    // As anybody can put any bytes as a plain value.
    let value = signed.unwrap().to_value();
    let put = Ask::Put { key: root, value, tag: base::SecretTag::NONE, ttl: Ttl::MAX, room: None };
    net.one(put).await.unwrap();
    // Nor bytes that are right, if it is not their author who put them.
    let root = list.tree().root().clone();
    let found = net.get(Get::all(root.clone())).await.unwrap().values;
    let copied = found.into_iter().find(|found| found.id.tag.is_signed()).unwrap().value;
    let tag = base::SecretTag::NONE;
    net.one(Ask::Put { key: root, value: copied, tag, ttl: Ttl::MAX, room: None }).await.unwrap();
    assert_eq!(texts(&list).await, ["kept"]);
}

#[tokio::test]
async fn an_element_that_is_too_long_is_refused() {
    let list = Net::new(Memory::new()).list(Key::new("a list").unwrap());
    let long = text("x".repeat(BODY_MAX));
    let error = list.publish(&author(1), slot(1), Ttl::MAX, &long, None).await.unwrap_err();
    assert!(error.to_string().contains("an element of a list has 896 bytes"), "{error}");
}
