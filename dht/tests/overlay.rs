//! Whole nodes over real connections on loopback.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use base::{Key, SecretTag, Ttl, Value};
use dht::testnet::Testnet;
use dht::{Dht, DhtError, Health, Options, PageRequest, Phase, Removal, Storage};

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
