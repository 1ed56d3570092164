//! Peers that leave things half done.

use std::time::Duration;

use futures::AsyncWriteExt;

use super::bare::Bare;
use super::raw::Raw;
use super::support::{Answers, Node, get, hello, hello_frame};
use crate::p2p::{Patience, address};
use crate::wire::{FRAME_MAX, Message, Reply, Request, encode};

const STORE: &str = "/scope/store/1";
const BULK: &str = "/scope/bulk/1";
const LITTLE: Duration = Duration::from_secs(1);

/// A node, and another that it is connected to and that keeps to the protocol.
async fn impatient(patience: Patience) -> (Node, Node) {
    let mut one = Node::start_impatient(patience, Answers::values()).await;
    let other = Node::start(Answers::alive()).await;
    other.join(&one).await.unwrap();
    one.until_connected(other.id).await;
    (one, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_a_frame_and_does_not_end_it_is_sent_away() {
    let patience = Patience { frame: LITTLE, ..Patience::default() };
    let (mut one, other) = impatient(patience).await;
    let mut raw = Raw::start(&[STORE, BULK]).await;
    raw.dial(&one).await;
    let length = u32::try_from(FRAME_MAX).unwrap().to_le_bytes();
    let mut stream = raw.say(&one, STORE, &[&hello_frame(hello(1)), &length[..]].concat()).await;
    one.until_connected(raw.id).await;
    // A byte now and then is no progress.
    let trickle = async {
        while stream.write_all(&[0]).await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(LITTLE / 10).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = raw.until_connected(false) => {}
        () = trickle => {}
    }
    one.until_disconnected(raw.id).await;
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_of_what_it_asked_for_is_sent_away() {
    let patience = Patience { taking: LITTLE, ..Patience::default() };
    let (mut one, other) = impatient(patience).await;
    let mut raw = Raw::start(&[STORE, BULK]).await;
    raw.dial(&one).await;
    // More than the lane and the raw peer's window of 10 MB hold together.
    let mut said = hello_frame(hello(1));
    for id in 0..300 {
        encode(&Message::Request(id, get(64 * 1024)), &mut said);
    }
    let _stream = raw.say(&one, STORE, &said).await;
    one.until_connected(raw.id).await;
    one.until_disconnected(raw.id).await;
    raw.until_connected(false).await;
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_and_says_nothing_is_sent_away() {
    let patience = Patience { greeting: LITTLE, ..Patience::default() };
    let one = Node::start_impatient(patience, Answers::alive()).await;
    for address in [address::quic(one.address()), address::tcp(one.address())] {
        Bare::dial(address).await.until_gone().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_peer_that_owes_nothing_stays() {
    let patience = Patience { frame: LITTLE, taking: LITTLE, ..Patience::default() };
    let (mut one, other) = impatient(patience).await;
    tokio::time::sleep(LITTLE * 2).await;
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
    while let Ok(event) = one.events.try_recv() {
        assert!(!matches!(event, crate::link::LinkEvent::Disconnected(_)));
    }
}
