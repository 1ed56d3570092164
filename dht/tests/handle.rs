//! The handle, as its callers use it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use base::{Key, Kind, Secret, SecretTag, Sequence, Signed, SigningKey, Slot, Ttl, Value};
use dht::{Dht, DhtError, Options, PageRequest, Receipt, Removal, Storage};

async fn node() -> Dht {
    Dht::open(Options::local(Storage::Memory)).await.unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text.to_owned()).unwrap()
}

fn value(text: &str) -> Value {
    Value::new(text.to_owned()).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn hour() -> Ttl {
    Ttl::from_secs(3600).unwrap()
}

async fn texts(node: &Dht, at: &str) -> Vec<String> {
    let page = node.get(&key(at), PageRequest::ALL).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut texts: Vec<_> = page.values.iter().map(|found| text(found.value.as_bytes())).collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn what_is_put_is_got_until_it_is_removed_and_again_after() {
    let node = node().await;
    for _ in 0..3 {
        let put = node.put(&key("k"), value("v"), SecretTag::NONE, hour()).await;
        assert_eq!(put, Ok(Receipt { replicas: 1 }));
        assert_eq!(texts(&node, "k").await, ["v"]);
        assert_eq!(node.remove(&key("k"), &value("v"), None).await, Ok(Removal::Removed));
        assert_eq!(texts(&node, "k").await, [""; 0]);
        assert_eq!(node.remove(&key("k"), &value("v"), None).await, Ok(Removal::NotFound));
    }
}

#[tokio::test]
async fn only_the_secret_of_a_value_removes_it() {
    let node = node().await;
    node.put(&key("k"), value("v"), secret("s").tag(), hour()).await.unwrap();
    for wrong in [None, Some(secret("t"))] {
        let refused = node.remove(&key("k"), &value("v"), wrong).await;
        assert_eq!(refused, Ok(Removal::WrongSecret));
    }
    assert_eq!(texts(&node, "k").await, ["v"]);
    let removed = node.remove(&key("k"), &value("v"), Some(secret("s"))).await;
    assert_eq!(removed, Ok(Removal::Removed));
}

#[tokio::test]
async fn a_removal_leaves_the_same_value_of_others_alone() {
    let node = node().await;
    for tag in [SecretTag::NONE, secret("s").tag(), secret("t").tag()] {
        node.put(&key("k"), value("v"), tag, hour()).await.unwrap();
    }
    let removed = node.remove(&key("k"), &value("v"), Some(secret("s"))).await;
    assert_eq!(removed, Ok(Removal::Removed));
    assert_eq!(texts(&node, "k").await, ["v", "v"]);
}

#[tokio::test]
async fn a_value_can_be_removed_by_its_sha1() {
    let node = node().await;
    node.put(&key("k"), value("v"), secret("s").tag(), hour()).await.unwrap();
    node.put(&key("k"), value("w"), secret("s").tag(), hour()).await.unwrap();
    let sha1 = value("v").hash().sha1();
    let rm = async |secret| node.remove_by_sha1(&key("k"), sha1, secret).await.unwrap();
    assert_eq!(rm(secret("t")).await, Removal::WrongSecret);
    assert_eq!(rm(secret("s")).await, Removal::Removed);
    assert_eq!(rm(secret("s")).await, Removal::NotFound);
    assert_eq!(texts(&node, "k").await, ["w"]);
}

#[tokio::test]
async fn pages_cover_every_value_once_whatever_their_size() {
    let node = node().await;
    for n in 0..300 {
        node.put(&key("k"), value(&format!("value {n:03}")), SecretTag::NONE, hour())
            .await
            .unwrap();
        if n % 3 == 0 {
            let gone = value(&format!("value {n:03}"));
            node.remove(&key("k"), &gone, None).await.unwrap();
        }
    }
    for (max_values, max_bytes) in [(1, usize::MAX), (7, usize::MAX), (usize::MAX, 95), (199, 5000)]
    {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let request = PageRequest { after, max_values, max_bytes };
            let page = node.get(&key("k"), request).await.unwrap();
            assert!(!page.values.is_empty() && page.values.len() <= max_values);
            let bytes: usize = page.values.iter().map(|v| v.value.as_bytes().len()).sum();
            assert!(bytes <= max_bytes || page.values.len() == 1);
            seen.extend(page.values.iter().map(|found| found.value.clone()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        seen.sort();
        let expected = (0..300).filter(|n| n % 3 != 0).map(|n| value(&format!("value {n:03}")));
        assert_eq!(seen, expected.collect::<Vec<_>>(), "{max_values} values, {max_bytes} bytes");
    }
}

#[tokio::test]
async fn a_restarted_node_is_the_same_node_and_goes_on_with_higher_versions() {
    let dir = tempfile::tempdir().unwrap();
    let open = async || {
        let storage = Storage::Disk(dir.path().to_owned());
        Dht::open(Options::local(storage)).await.unwrap()
    };
    let node = open().await;
    let id = node.id();
    for n in 0..5 {
        node.put(&key("k"), value("v"), SecretTag::NONE, Ttl::from_secs(100 + n).unwrap())
            .await
            .unwrap();
    }
    node.close().await;
    drop(node);
    let node = open().await;
    assert_eq!(node.id(), id);
    assert_eq!(node.remove(&key("k"), &value("v"), None).await, Ok(Removal::Removed));
    node.put(&key("k"), value("v"), SecretTag::NONE, hour()).await.unwrap();
    assert_eq!(texts(&node, "k").await, ["v"]);
}

#[tokio::test]
async fn what_is_asked_is_counted() {
    let node = node().await;
    node.put(&key("k"), value("v"), SecretTag::NONE, hour()).await.unwrap();
    node.get(&key("k"), PageRequest::ALL).await.unwrap();
    node.remove(&key("k"), &value("v"), None).await.unwrap();
    let status = node.status();
    let meters = node.meters();
    let counts = [&meters.puts, &meters.gets, &meters.removes].map(dht::Counter::get);
    assert_eq!(counts, [1, 1, 1]);
    assert_eq!((status.totals.live, status.totals.tombstones), (0, 1));
}

#[tokio::test]
async fn what_is_signed_only_its_author_changes_and_readers_get_it_verified() {
    let dht = node().await;
    let (author, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let (key, elsewhere) = (Key::new("posts").unwrap(), Key::new("other").unwrap());
    let ttl = Ttl::from_secs(60).unwrap();
    let sign = |by: &SigningKey, sequence, body: &str| {
        let (slot, kind) = (Slot::ZERO, Kind::Plain);
        let sequence = Sequence::new(sequence);
        Signed::sign(by, &key.place(), slot, kind, sequence, ttl, body.as_bytes()).unwrap()
    };
    dht.put_signed(&key, sign(&author, 7, "first")).await.unwrap();
    dht.put_signed(&key, sign(&other, 1, "another's")).await.unwrap();
    dht.put_signed(&key, sign(&author, 9, "second")).await.unwrap();
    let replayed = dht.put_signed(&key, sign(&author, 7, "first")).await;
    assert_eq!(replayed, Err(DhtError::Superseded(9)));
    let moved = dht.put_signed(&elsewhere, sign(&author, 10, "third")).await;
    assert!(matches!(moved, Err(DhtError::Forged(_))), "{moved:?}");
    dht.put(&key, Value::new("plain").unwrap(), SecretTag::NONE, ttl).await.unwrap();

    let read = dht.signed(&key, None, 10).await.unwrap();
    let bodies: BTreeSet<_> = read.entries.iter().filter_map(|signed| signed.body()).collect();
    assert_eq!(bodies, BTreeSet::from(["second", "another's"].map(|body| body.as_bytes().into())));
    let shown = dht.get(&key, PageRequest::ALL).await.unwrap();
    assert_eq!(shown.values.len(), 3, "a plain read shows the bytes of what is signed");

    let removal = Signed::removal(&author, &key.place(), Slot::ZERO, Kind::Plain, Sequence::new(9));
    dht.put_signed(&key, removal).await.unwrap();
    let read = dht.signed(&key, None, 10).await.unwrap();
    assert_eq!(read.entries.len(), 1);
    assert_eq!(read.entries[0].author(), other.public());
}

#[tokio::test]
async fn nothing_is_put_plainly_with_the_tag_of_what_is_signed() {
    let dht = node().await;
    let (key, value) = (Key::new("k").unwrap(), Value::new("v").unwrap());
    let put = dht.put(&key, value, SecretTag::SIGNED, Ttl::MAX).await;
    assert!(matches!(put, Err(DhtError::Forged(_))), "{put:?}");
}

#[tokio::test]
async fn what_is_signed_finds_room_or_is_refused_and_what_is_there_may_always_change() {
    let dht = node().await;
    let key = key("children");
    let sign = |by: u8, sequence: u64| {
        let (slot, kind) = (Slot::ZERO, Kind::Plain);
        let author = SigningKey::from_bytes(&[by; 32]);
        let sequence = Sequence::new(sequence);
        Signed::sign(&author, &key.place(), slot, kind, sequence, hour(), b"body").unwrap()
    };
    let put = async |by, sequence| dht.put_signed_within(&key, sign(by, sequence), 2).await;
    dht.put(&key, value("plain"), SecretTag::NONE, hour()).await.unwrap();
    assert_eq!(put(1, 5).await, Ok(Receipt { replicas: 1 }));
    assert!(matches!(put(2, 1).await, Err(DhtError::Full(_))), "plain values count, too");
    assert_eq!(put(1, 6).await, Ok(Receipt { replicas: 1 }), "its slot is there");
    assert_eq!(put(1, 5).await, Err(DhtError::Superseded(6)));
    let author = SigningKey::from_bytes(&[1; 32]);
    let removal = Signed::removal(&author, &key.place(), Slot::ZERO, Kind::Plain, Sequence::new(7));
    let removed = dht.put_signed_within(&key, removal, 0).await;
    assert_eq!(removed, Ok(Receipt { replicas: 1 }), "a removal needs no room");
    assert_eq!(put(2, 1).await, Ok(Receipt { replicas: 1 }));
    assert!(matches!(put(1, 8).await, Err(DhtError::Full(_))), "nor does it keep any");
    let moved = dht.put_signed_within(&Key::new("other").unwrap(), sign(3, 1), 9).await;
    assert!(matches!(moved, Err(DhtError::Forged(_))), "{moved:?}");
}
