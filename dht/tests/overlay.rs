//! Whole nodes over real connections on loopback.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use base::{Key, SecretTag, Ttl, Value};
use dht::testnet::Testnet;
use dht::{
    Changed, Cursor, Dht, DhtError, Health, Options, PageRequest, Phase, Removal, Storage, Watched,
};

/// Longest wait for anything: a slow, shared machine is slow, not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

fn key(n: usize) -> Key {
    Key::new(format!("key {n}")).unwrap()
}

fn value(n: usize) -> Value {
    Value::new(format!("value {n}")).unwrap()
}

async fn fill(node: &Dht, count: usize) {
    for n in 0..count {
        node.put(&key(n), value(n), SecretTag::NONE, Ttl::MAX).await.unwrap();
    }
}

async fn has(node: &Dht, n: usize) -> Result<bool, DhtError> {
    let page = node.get(&key(n), PageRequest::ALL).await?;
    Ok(page.values.iter().any(|found| found.value == value(n)))
}

/// Reads all; a late answer is one, a wrong one is not.
async fn assert_all(node: &Dht, count: usize) {
    for n in 0..count {
        assert_eq!(has(node, n).await, Ok(true), "key {n} at {}", node.id());
    }
}

async fn until(what: &str, wanted: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_at_one_is_got_and_removed_at_any() {
    let testnet = Testnet::start(5).await.unwrap();
    fill(testnet.node(0), 50).await;
    for node in testnet.nodes() {
        assert_all(node, 50).await;
        assert_eq!(node.status().replicas, 3);
    }
    assert_eq!(testnet.node(3).remove(&key(7), &value(7), None).await, Ok(Removal::Removed));
    for node in testnet.nodes() {
        assert_eq!(has(node, 7).await, Ok(false));
    }
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_gives_right_answers_from_the_moment_it_joined() {
    let testnet = Testnet::start(6).await.unwrap();
    fill(testnet.node(0), 40).await;
    for round in 0..5 {
        let newcomer = Dht::open(Options::local(Storage::Memory)).await.unwrap();
        newcomer.join(testnet.node(round % 6).listening_on()).await.unwrap();
        assert_all(&newcomer, 40).await;
        newcomer.leave().await;
        newcomer.close().await;
    }
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_leave_hand_over_what_they_kept() {
    let testnet = Testnet::start(6).await.unwrap();
    fill(testnet.node(0), 60).await;
    for leaving in 1..4 {
        testnet.node(leaving).leave().await;
        let stays = testnet.node(5);
        until("the others know", || stays.status().peers.len() == 5 - leaving).await;
        until("copies are made", || stays.status().phase == Phase::Serving).await;
        assert_all(stays, 60).await;
    }
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_death_is_noticed_and_loses_nothing() {
    let testnet = Testnet::start(4).await.unwrap();
    fill(testnet.node(0), 60).await;
    let (dies, stays) = (testnet.node(1), testnet.node(2));
    let dead = dies.id();
    // Closed without a word: what a kill looks like to others.
    dies.close().await;
    assert_all(stays, 60).await;
    until("it is suspected, then gone", || {
        let peers = stays.status().peers;
        let of_it = peers.iter().find(|peer| peer.id == dead);
        of_it.is_none_or(|peer| peer.health == Health::Suspect) && peers.len() == 2
    })
    .await;
    assert_all(stays, 60).await;
    assert!(stays.meters().departures.get() >= 1);
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_meet_share_what_each_held() {
    let (one, other) = (
        Dht::open(Options::local(Storage::Memory)).await.unwrap(),
        Dht::open(Options::local(Storage::Memory)).await.unwrap(),
    );
    fill(&one, 20).await;
    let (extra, tag) = (Value::new("extra").unwrap(), SecretTag::NONE);
    other.put(&key(3), extra.clone(), tag, Ttl::MAX).await.unwrap();
    other.join(one.listening_on()).await.unwrap();
    // Who was joined hears of it a moment later.
    until("both have met", || !one.status().peers.is_empty()).await;
    for node in [&one, &other] {
        assert_all(node, 20).await;
        let page = node.get(&key(3), PageRequest::ALL).await.unwrap();
        assert_eq!(page.values.len(), 2);
    }
    assert!(one.meters().entries_pulled.get() + other.meters().entries_pulled.get() >= 20);
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_node_looks_for_those_it_knew() {
    let dir = tempfile::tempdir().unwrap();
    let other = Dht::open(Options::local(Storage::Memory)).await.unwrap();
    let open = || Dht::open(Options::local(Storage::Disk(dir.path().to_owned())));
    let node = open().await.unwrap();
    node.join(other.listening_on()).await.unwrap();
    fill(&node, 10).await;
    node.close().await;
    drop(node);
    // While it was away.
    until("the other is alone", || other.status().peers.is_empty()).await;
    other.put(&key(10), value(10), SecretTag::NONE, Ttl::MAX).await.unwrap();
    let node = open().await.unwrap();
    assert_all(&node, 11).await;
    assert_eq!(node.status().peers.len(), 1);
    node.close().await;
    other.close().await;
}

/// Values as texts.
fn texts(watched: &Watched) -> Vec<String> {
    let text = |found: &dht::Found| String::from_utf8_lossy(found.value.as_bytes()).into_owned();
    watched.values.iter().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_a_key_is_told_of_each_state_that_lasts() {
    let testnet = Testnet::start(4).await.unwrap();
    let (here, there, key) = (testnet.node(0), testnet.node(3), key(1));
    let nothing = here.watch(&key, None, PATIENCE).await.unwrap();
    assert!(nothing.values.is_empty());
    let cursor = nothing.cursor;
    let same = here.watch(&key, Some(cursor), Duration::from_millis(50)).await.unwrap();
    assert_eq!(same, nothing, "nothing changed until the end of the wait");

    let waiting = here.watch(&key, Some(cursor), PATIENCE);
    let put = there.put(&key, value(1), SecretTag::NONE, Ttl::MAX);
    let (put, told) = tokio::join!(put, waiting);
    let told = (put.unwrap(), told.unwrap()).1;
    assert_eq!(texts(&told), ["value 1"]);
    assert_eq!(here.watch(&key, None, PATIENCE).await.unwrap().cursor, told.cursor);
    assert_eq!(there.watch(&key, None, PATIENCE).await.unwrap().cursor, told.cursor);

    let waiting = here.watch(&key, Some(told.cursor), PATIENCE);
    let value = value(1);
    let (removed, told) = tokio::join!(there.remove(&key, &value, None), waiting);
    assert_eq!(removed, Ok(Removal::Removed));
    assert_eq!(told.unwrap(), nothing, "the state before is the state after");
    let unknown = Cursor::from_bytes([7; Cursor::LEN]);
    assert_eq!(here.watch(&key, Some(unknown), PATIENCE).await.unwrap(), nothing);
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_many_keys_is_told_which_of_them_changed() {
    let testnet = Testnet::start(4).await.unwrap();
    let (here, there) = (testnet.node(0), testnet.node(3));
    let keys: Vec<Key> = (0..100).map(key).collect();
    there.put(&keys[7], value(7), SecretTag::NONE, Ttl::MAX).await.unwrap();
    let unseen: Vec<_> = keys.iter().map(|key| (key.clone(), None)).collect();
    let seen = here.watch_any(&unseen, PATIENCE, 0).await.unwrap();
    assert_eq!(seen.iter().map(|key| key.at).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    assert!(seen.iter().all(|key| key.values.is_none()), "nobody asked for values");
    let mut known: Vec<_> =
        keys.iter().zip(&seen).map(|(key, seen)| (key.clone(), Some(seen.cursor))).collect();
    assert_eq!(here.watch_any(&known, Duration::from_millis(20), 0).await, Ok(Vec::new()));

    let waiting = here.watch_any(&known, PATIENCE, 0);
    let changes = async {
        there.put(&keys[42], value(1), SecretTag::NONE, Ttl::MAX).await.unwrap();
        there.remove(&keys[7], &value(7), None).await.unwrap();
    };
    let (told, ()) = tokio::join!(waiting, changes);
    let mut told = told.unwrap();
    // The second change may have come too late for this answer: then it is the next one's.
    while !(told.iter().any(|key| key.at == 7) && told.iter().any(|key| key.at == 42)) {
        assert!(told.iter().all(|key| [7, 42].contains(&key.at)) && !told.is_empty(), "{told:?}");
        told.iter().for_each(|key| known[key.at].1 = Some(key.cursor));
        told.extend(here.watch_any(&known, PATIENCE, 0).await.unwrap());
    }
    let empty = here.watch(&keys[0], None, PATIENCE).await.unwrap().cursor;
    let emptied = |key: &Changed| key.at == 7 && key.cursor == empty;
    assert!(told.iter().any(emptied), "the key is empty again");
    let missed = (keys[42].clone(), Some(empty));
    let at_once = here.watch_any(&[missed], PATIENCE, 0).await.unwrap();
    assert_eq!(at_once.len(), 1, "what was seen is not what is");
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_read_together_for_all_who_wait_for_it_at_a_node() {
    const WATCHERS: usize = 200;
    let testnet = Testnet::start(5).await.unwrap();
    let key = key(1);
    let replicas = testnet.node(0).replicas_of(&key);
    let mut others = testnet.nodes().iter().filter(|node| !replicas.contains(&node.id()));
    let (watcher, writer) = (others.next().unwrap(), others.next().unwrap());
    let mut cursor = watcher.watch(&key, None, PATIENCE).await.unwrap().cursor;
    until("all replicas tell", || watcher.status().leases == 3).await;
    for n in 0..3 {
        let before = watcher.meters().requests.get();
        let keys = [(key.clone(), Some(cursor))];
        let waiting = (0..WATCHERS).map(|_| watcher.watch_any(&keys, PATIENCE, 1000));
        let put = async {
            // So that they wait, and do not just read.
            until("all watch", || watcher.meters().watches.get() > (WATCHERS * (n + 1)) as u64)
                .await;
            writer.put(&key, value(n), SecretTag::NONE, Ttl::MAX).await.unwrap();
        };
        let (told, ()) = tokio::join!(futures::future::join_all(waiting), put);
        for told in told {
            let [told] = &told.unwrap()[..] else { panic!("one key is watched") };
            let values = told.values.iter().flatten().map(|found| &found.value);
            let expected: Vec<Value> = (0..=n).map(value).collect();
            assert!(expected.iter().all(|value| values.clone().any(|there| there == value)));
            assert_eq!(values.count(), n + 1);
            cursor = told.cursor;
        }
        // Each of its own would read from two.
        let requests = watcher.meters().requests.get() - before;
        assert!(requests < WATCHERS as u64, "{requests} requests");
    }
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_saw_another_state_elsewhere_is_told_what_there_is_now() {
    let testnet = Testnet::start(4).await.unwrap();
    let (here, there, key) = (testnet.node(0), testnet.node(3), key(1));
    let mut seen = here.watch(&key, None, PATIENCE).await.unwrap().cursor;
    until("all replicas tell", || here.status().leases == 3).await;
    for n in 0..20 {
        // What is acknowledged is there for whoever asks then, also before this node is told of it.
        there.put(&key, value(n), SecretTag::NONE, Ttl::MAX).await.unwrap();
        let now = there.watch(&key, None, PATIENCE).await.unwrap();
        assert_eq!(texts(&now).len(), n + 1);
        assert_eq!(here.watch(&key, None, PATIENCE).await.unwrap().cursor, now.cursor);
        let same = here.watch(&key, Some(now.cursor), Duration::ZERO).await.unwrap();
        assert_eq!(same.cursor, now.cursor, "it does not go back");
        let told = here.watch(&key, Some(seen), PATIENCE).await.unwrap();
        assert_eq!(told.cursor, now.cursor);
        seen = told.cursor;
    }
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_told_as_far_as_there_is_room() {
    let testnet = Testnet::start(3).await.unwrap();
    let (node, keys) = (testnet.node(0), [key(0), key(1), key(2)]);
    fill(node, 2).await;
    let unseen = keys.map(|key| (key, None));
    let told = async |bytes| {
        let told = node.watch_any(&unseen, PATIENCE, bytes).await.unwrap();
        assert_eq!(told.len(), 3);
        told.iter().filter(|key| key.values.as_ref().is_some_and(|all| !all.is_empty())).count()
    };
    assert_eq!(told(1000).await, 2);
    assert_eq!(told(100).await, 1);
    assert_eq!(told(0).await, 0);
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_is_a_change() {
    let testnet = Testnet::start(3).await.unwrap();
    let (node, key) = (testnet.node(0), key(1));
    node.put(&key, value(1), SecretTag::NONE, Ttl::from_secs(1).unwrap()).await.unwrap();
    let there = node.watch(&key, None, PATIENCE).await.unwrap();
    let gone = node.watch(&key, Some(there.cursor), PATIENCE).await.unwrap();
    assert!(gone.values.is_empty());
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_when_the_watched_replicas_die() {
    let testnet = Testnet::start(7).await.unwrap();
    let key = key(1);
    let replicas = testnet.node(0).replicas_of(&key);
    let mut others = testnet.nodes().iter().filter(|node| !replicas.contains(&node.id()));
    let (watcher, writer) = (others.next().unwrap(), others.next().unwrap());
    let before = watcher.watch(&key, None, PATIENCE).await.unwrap();
    let waiting = watcher.watch(&key, Some(before.cursor), PATIENCE);
    let change = async {
        // All three at once: what they were told to tell nobody knows any more.
        for replica in testnet.nodes().iter().filter(|node| replicas.contains(&node.id())) {
            replica.close().await;
        }
        until("the dead are known to be", || {
            [watcher, writer].iter().all(|node| node.status().peers.len() == 3)
        })
        .await;
        writer.put(&key, value(1), SecretTag::NONE, Ttl::MAX).await.unwrap();
    };
    let (told, ()) = tokio::join!(waiting, change);
    assert_eq!(texts(&told.unwrap()), ["value 1"]);
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_at_a_node_that_stops() {
    let testnet = Testnet::start(3).await.unwrap();
    let (node, key) = (testnet.node(0), key(1));
    let before = node.watch(&key, None, PATIENCE).await.unwrap();
    let waiting = node.watch(&key, Some(before.cursor), 10 * PATIENCE);
    let stop = async {
        until("it waits", || node.status().leases == 3).await;
        node.leave().await;
    };
    let (told, ()) = tokio::join!(waiting, stop);
    assert!(matches!(told, Err(DhtError::NoQuorum(_))));
    testnet.close().await;
}
