//! How nodes part.

use super::support::{Answers, Node, answer, pair};
use crate::link::{JoinError, Link, LinkEvent, Lost};
use crate::wire::{Bye, Notice, Reply, Request};

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnected_peer_is_gone_and_what_it_was_asked_lost() {
    let (mut one, mut other) = pair(Answers::alive(), Answers::never()).await;
    let mut asked: Vec<_> = (0..10).map(|_| one.send(other.id, Request::Probe)).collect();
    one.link.disconnect(other.id);
    for asked in &mut asked {
        assert_eq!(answer(asked).await, Err(Lost::Connection));
    }
    one.until_disconnected(other.id).await;
    other.until_disconnected(one.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_arrive_before_the_end() {
    let (one, mut other) = pair(Answers::alive(), Answers::alive()).await;
    one.link.notify(other.id, Notice::Bye(Bye::Full));
    one.link.disconnect(other.id);
    let last = |event: &LinkEvent| match event {
        LinkEvent::Notice(from, Notice::Bye(bye)) => Some((*from, *bye)),
        LinkEvent::Disconnected(_) => panic!("gone without a word"),
        _ => None,
    };
    assert_eq!(other.until(last).await, (one.id, Bye::Full));
    other.until_disconnected(one.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parted_nodes_come_together_again() {
    let (mut one, mut other) = pair(Answers::alive(), Answers::alive()).await;
    for _ in 0..3 {
        one.link.disconnect(other.id);
        one.until_disconnected(other.id).await;
        other.until_disconnected(one.id).await;
        assert_eq!(other.join(&one).await, Ok(one.id));
        one.until_connected(other.id).await;
        other.until_connected(one.id).await;
        assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_closes_says_so_to_all() {
    let (one, mut other) = pair(Answers::alive(), Answers::alive()).await;
    let mut third = Node::start(Answers::never()).await;
    third.join(&one).await.unwrap();
    third.until_connected(one.id).await;
    let mut asked = one.send(third.id, Request::Probe);
    one.link.notify(other.id, Notice::Bye(Bye::Leaving));
    let joining = one.link.join(third.address());
    let started = std::time::Instant::now();
    one.link.close().await;
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(answer(&mut asked).await, Err(Lost::Connection));
    let bye = |event: &LinkEvent| {
        matches!(event, LinkEvent::Notice(_, Notice::Bye(Bye::Leaving))).then_some(())
    };
    other.until(bye).await;
    other.until_disconnected(one.id).await;
    third.until_disconnected(one.id).await;
    // Nothing works any more, and nothing hangs.
    assert_eq!(joining.await, Err(JoinError::Closed));
    assert_eq!(one.ask(other.id, Request::Probe).await, Err(Lost::Connection));
    one.link.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_link_ends_too() {
    let (one, mut other) = pair(Answers::alive(), Answers::alive()).await;
    let id = one.id;
    drop(one);
    other.until_disconnected(id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_started_again_is_another_one() {
    let (first, mut other) = pair(Answers::never(), Answers::alive()).await;
    let id = first.id;
    let mut asked = other.send(id, Request::Probe);
    // The first one is still connected: to the other side it looks like one that died silently.
    let mut second = Node::start_as(first.keypair.clone(), 2, Answers::alive()).await;
    assert_eq!(second.join(&other).await, Ok(other.id));
    other.until_disconnected(id).await;
    other.until_connected(id).await;
    second.until_connected(other.id).await;
    assert_eq!(answer(&mut asked).await, Err(Lost::Connection));
    assert_eq!(other.ask(id, Request::Probe).await, Ok(Reply::Alive(7)));
    assert_eq!(second.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
}
