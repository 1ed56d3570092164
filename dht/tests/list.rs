//! Lists over an overlay of real nodes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use base::limits::LIST_ROOM;
use base::list::{Element, LAPSES, Placemark, Seat};
use base::{Key, Kind, Secret, SecretTag, Sequence, Signed, SigningKey, Slot, Ttl, Value};
use dht::testnet::Testnet;
use dht::{DhtError, List, PageRequest, Removal};
use tokio::task::JoinSet;

fn value(n: usize) -> Value {
    Value::new(format!("element {n}")).unwrap()
}

fn element(n: usize, tag: SecretTag) -> Element {
    Element::new(value(n), tag, Ttl::MAX).unwrap()
}

fn list(testnet: &Testnet, node: usize) -> List {
    testnet.node(node).list(Key::new("a list").unwrap())
}

/// Puts many elements, from all nodes at once.
async fn fill(testnet: &Testnet, elements: std::ops::Range<usize>) -> Vec<Seat> {
    let mut putting = JoinSet::new();
    let share = elements.len().div_ceil(4);
    for (writer, part) in elements.collect::<Vec<_>>().chunks(share).enumerate() {
        let (list, part) = (list(testnet, writer % testnet.len()), part.to_vec());
        putting.spawn(async move {
            let mut seats = Vec::new();
            for n in part {
                seats.push(list.put(&element(n, SecretTag::NONE), None).await.unwrap());
            }
            seats
        });
    }
    putting.join_all().await.concat()
}

/// All there is, each page read at another node.
async fn all(testnet: &Testnet, max: usize) -> Vec<Value> {
    let (mut values, mut from, mut node) = (Vec::new(), None, 0);
    loop {
        let page = list(testnet, node % testnet.len()).page(from, max).await.unwrap();
        values.extend(page.items.into_iter().map(|found| found.value));
        let Some(next) = page.next else { return values };
        from = Some(Placemark::from_bytes(&next.to_bytes()).unwrap());
        node += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_longer_than_a_key_is_whole_at_every_node_and_no_key_is_above_its_room() {
    let testnet = Testnet::start(4).await.unwrap();
    let seats = fill(&testnet, 0..800).await;
    let mut keys: BTreeSet<Key> = BTreeSet::new();
    for (n, seat) in (0..800).zip(&seats) {
        let way = element(n, SecretTag::NONE).way();
        for depth in 0..=seat.depth {
            keys.insert(list(&testnet, 0).tree().node(&way.first(depth)));
        }
    }
    assert_eq!(seats.iter().filter(|seat| seat.depth == 0).count(), LIST_ROOM);
    for key in &keys {
        let held = testnet.node(1).get(key, PageRequest::ALL).await.unwrap().values.len();
        assert!(held <= LIST_ROOM, "{held}");
    }
    let expected: BTreeSet<Value> = (0..800).map(value).collect();
    for max in [100, 1000] {
        let values = all(&testnet, max).await;
        assert_eq!(values.len(), expected.len(), "each once");
        assert_eq!(BTreeSet::from_iter(values), expected);
    }
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_element_is_put_again_where_it_is_and_removed_wherever_it_is() {
    let testnet = Testnet::start(3).await.unwrap();
    fill(&testnet, 0..LIST_ROOM).await;
    let secret = Secret::new("s").unwrap();
    let late = element(9999, secret.tag());
    let here = list(&testnet, 0);
    let seat = here.put(&late, None).await.unwrap();
    assert_eq!(seat.depth, 1);
    assert_eq!(here.put(&late, Some(seat)).await.unwrap().depth, 1, "where it is");
    // The root gets room again, and what lies below it is still found.
    for n in 0..LIST_ROOM {
        assert_eq!(here.remove(&value(n), None).await, Ok(Removal::Removed));
    }
    assert_eq!(all(&testnet, 10).await, [value(9999)]);
    let there = list(&testnet, 2);
    assert_eq!(there.remove(&value(9999), Some(secret.clone())).await, Ok(Removal::Removed));
    assert_eq!(all(&testnet, 10).await, []);
    assert_eq!(there.remove(&value(9999), Some(secret)).await, Ok(Removal::NotFound));
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_takes_as_many_as_the_one_who_puts_allows_and_those_there_again() {
    let testnet = Testnet::start(3).await.unwrap();
    // A removal may still be on its way to the replica that decides: under some of many keys it is.
    for n in 0..40 {
        let key = Key::new(format!("k{n}")).unwrap();
        let put = async |node: usize, n: usize| {
            let dht = testnet.node(node);
            dht.put_within(&key, value(n), SecretTag::NONE, Ttl::MAX, 2).await.map(|_| ())
        };
        assert_eq!((put(0, 0).await, put(1, 1).await), (Ok(()), Ok(())));
        assert!(matches!(put(2, 2).await, Err(DhtError::Full(_))));
        assert_eq!(put(2, 0).await, Ok(()), "it is there");
        testnet.node(0).remove(&key, &value(0), None).await.unwrap();
        assert_eq!(put(2, 2).await, Ok(()), "a removal makes room");
    }
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_takes_as_many_signed_as_the_one_who_puts_allows_and_those_there_again() {
    let testnet = Testnet::start(3).await.unwrap();
    let author = |n: u8| SigningKey::from_bytes(&[n; 32]);
    for n in 0..20 {
        let key = Key::new(format!("k{n}")).unwrap();
        let sign = |by, sequence| {
            let (slot, kind, place) = (Slot::ZERO, Kind::Plain, key.place());
            let sequence = Sequence::new(sequence);
            Signed::sign(&author(by), &place, slot, kind, sequence, Ttl::MAX, b"body").unwrap()
        };
        let put = async |node: usize, by, sequence| {
            let dht = testnet.node(node);
            dht.put_signed_within(&key, sign(by, sequence), 2).await.map(|_| ())
        };
        assert_eq!((put(0, 1, 1).await, put(1, 2, 1).await), (Ok(()), Ok(())));
        assert!(matches!(put(2, 3, 1).await, Err(DhtError::Full(_))));
        assert_eq!(put(2, 1, 2).await, Ok(()), "its slot is there");
        let (slot, kind, after) = (Slot::ZERO, Kind::Plain, Sequence::new(3));
        let removal = Signed::removal(&author(1), &key.place(), slot, kind, after);
        testnet.node(0).put_signed(&key, removal).await.unwrap();
        assert_eq!(put(2, 3, 1).await, Ok(()), "a removal makes room");
    }
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_remove_what_enrols_a_child() {
    let testnet = Testnet::start(1).await.unwrap();
    fill(&testnet, 0..LIST_ROOM + 1).await;
    let key = list(&testnet, 0).tree().children(&base::list::Path::ROOT);
    let page = testnet.node(0).get(&key, PageRequest::ALL).await.unwrap();
    let [child] = &page.values[..] else { panic!("{page:?}") };
    assert_eq!(child.id.tag, LAPSES);
    let removed = testnet.node(0).remove(&key, &child.value, None).await;
    assert_eq!(removed, Ok(Removal::WrongSecret));
    testnet.close().await;
}
