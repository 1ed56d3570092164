//! Requests, replies and notices between nodes that are connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::support::{Answers, Node, answer, eventually, get, listing, pair};
use crate::link::{Link, LinkEvent, Lost, Response};
use crate::overlay::Now;
use crate::wire::{Notice, Pull, Refusal, Reply, Request, Rumour};

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_a_connection_ask_and_answer() {
    let (one, other) = pair(Answers::alive(), Answers::values()).await;
    assert_eq!(one.ask(other.id, get(100)).await, Ok(listing(100)));
    assert_eq!(other.ask(one.id, Request::Probe).await, Ok(Reply::Alive(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_told_to_the_one_who_answers() {
    let text = |from: base::NodeId| from.to_string();
    let refuse =
        move |from, _| Response::Now(Reply::Refused { why: Refusal::Later, text: text(from) });
    let (one, other) = pair(Answers::alive(), Answers::by(refuse)).await;
    let reply = one.ask(other.id, Request::Probe).await;
    assert_eq!(reply, Ok(Reply::Refused { why: Refusal::Later, text: text(one.id) }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_takes_a_while_holds_up_no_other() {
    let (release, held) = tokio::sync::watch::channel(false);
    let answers = Answers::by(move |_, request| match request {
        Request::Probe => Response::Now(Reply::Alive(7)),
        _ => {
            let mut held = held.clone();
            Response::Later(Box::pin(async move {
                held.wait_for(|released| *released).await.unwrap();
                Reply::Applied
            }))
        }
    });
    let (one, other) = pair(Answers::alive(), answers).await;
    let mut slow: Vec<_> = (0..100).map(|_| one.send(other.id, get(1))).collect();
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
    release.send(true).unwrap();
    for slow in &mut slow {
        assert_eq!(answer(slow).await, Ok(Reply::Applied));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_requests_of_one_peer_are_in_work_at_once() {
    let working = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let answers = {
        let (working, most) = (Arc::clone(&working), Arc::clone(&most));
        Answers::by(move |_, _| {
            let (working, most) = (Arc::clone(&working), Arc::clone(&most));
            Response::Later(Box::pin(async move {
                most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
                working.fetch_sub(1, Ordering::SeqCst);
                Reply::Alive(7)
            }))
        })
    };
    let (one, other) = pair(Answers::alive(), answers).await;
    let mut asked: Vec<_> = (0..1000).map(|_| one.send(other.id, Request::Probe)).collect();
    for asked in &mut asked {
        assert_eq!(answer(asked).await, Ok(Reply::Alive(7)));
    }
    assert!((2..=256).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}

fn pull() -> Request {
    Request::Pull(Pull { ranges: Vec::new(), after: None, have: Vec::new(), want: Vec::new() })
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_requests_with_long_replies_are_in_work_at_once() {
    let (release, held) = tokio::sync::watch::channel(false);
    let working = Arc::new(AtomicUsize::new(0));
    let answers = {
        let working = Arc::clone(&working);
        Answers::by(move |_, _| {
            working.fetch_add(1, Ordering::SeqCst);
            let mut held = held.clone();
            Response::Later(Box::pin(async move {
                held.wait_for(|released| *released).await.unwrap();
                Reply::Alive(7)
            }))
        })
    };
    let (one, other) = pair(Answers::alive(), answers).await;
    let mut asked: Vec<_> = (0..100).map(|_| one.send(other.id, pull())).collect();
    // The one that waits for its turn is known, and not begun.
    eventually(|| working.load(Ordering::SeqCst) == 33).await;
    release.send(true).unwrap();
    for asked in &mut asked {
        assert_eq!(answer(asked).await, Ok(Reply::Alive(7)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_arrives_and_whatever_arrives_is_life() {
    let (one, mut other) = pair(Answers::alive(), Answers::alive()).await;
    let rumour = Notice::Rumour(Rumour { about: one.id, gone: false });
    one.link.notify(other.id, rumour.clone());
    let arrived = |event: &LinkEvent| match event {
        LinkEvent::Notice(from, notice) => Some((*from, notice.clone())),
        _ => None,
    };
    assert_eq!(other.until(arrived).await, (one.id, rumour));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pulse_shows_when_the_peer_was_heard_last() {
    let mut one = Node::start(Answers::alive()).await;
    let other = Node::start(Answers::alive()).await;
    one.join(&other).await.unwrap();
    let (_, pulse) = one.until_connected(other.id).await;
    let before = pulse.last();
    tokio::time::sleep(Duration::from_millis(20)).await;
    one.ask(other.id, Request::Probe).await.unwrap();
    assert!(pulse.last() >= before + Now::from_millis(20), "{:?} {before:?}", pulse.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_asker_gave_up_is_forgotten() {
    let (one, other) = pair(Answers::alive(), Answers::never()).await;
    let kept = one.send(other.id, Request::Probe);
    for _ in 0..500 {
        drop(one.send(other.id, Request::Probe));
    }
    eventually(|| one.waiting(other.id) == 1).await;
    drop(kept);
    eventually(|| one.waiting(other.id) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_for_one_peer_are_turned_away_at_once() {
    let (one, other) = pair(Answers::alive(), Answers::never()).await;
    let mut asked: Vec<_> = (0..1024).map(|_| one.send(other.id, Request::Probe)).collect();
    assert_eq!(one.ask(other.id, Request::Probe).await, Err(Lost::Busy));
    asked.truncate(1);
    // Those are forgotten for the sake of this one, and it waits.
    let mut one_more = one.send(other.id, Request::Probe);
    assert_eq!(one.waiting(other.id), 2);
    assert!(one_more.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_panics_over_a_request_still_answers_the_others() {
    let answers = Answers::by(|_, request| match request {
        Request::Digests(_) => panic!("on purpose"),
        _ => Response::Now(Reply::Alive(7)),
    });
    let (one, other) = pair(Answers::alive(), answers).await;
    assert_eq!(one.ask(other.id, Request::Digests(Vec::new())).await, Err(Lost::Connection));
    // The stream is opened again.
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
}
