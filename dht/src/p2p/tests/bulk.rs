//! Long frames, and those they must not hold up.

use futures::AsyncReadExt;
use libp2p_identity::Keypair;

use super::raw::Raw;
use super::support::{Answers, Node, PATIENCE, answer, get, hello, hello_frame, listing, pair};
use crate::link::{Lost, Response};
use crate::wire::{FrameSplitter, Message, Refusal, Reply, Request, decode, encode};

const STORE: &str = "/scope/store/1";
const BULK: &str = "/scope/bulk/1";

const LONG: usize = 64 * 1024;

/// A copy of one long value, for a replica to take.
fn long_copy() -> Request {
    let Reply::Listed(listed) = listing(LONG) else { unreachable!() };
    let (place, entry) = (base::Place::of(b"place"), listed.entries[0].clone());
    Request::Apply { place, entry, repair: false, room: None, quiet: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_and_short_replies_come_together() {
    let (one, other) = pair(Answers::values(), Answers::values()).await;
    let sizes = [10, LONG, 100, 9000, LONG, 8000, 1, LONG];
    let mut asked: Vec<_> = (0..400)
        .map(|i| sizes[i % sizes.len()])
        .map(|size| (size, one.send(other.id, get(size)), other.send(one.id, get(size))))
        .collect();
    for (size, one, other) in &mut asked {
        assert_eq!(answer(one).await, Ok(listing(*size)));
        assert_eq!(answer(other).await, Ok(listing(*size)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_replies_that_nobody_reads_hold_up_no_short_ones() {
    // It reads the small stream alone, which it opens, as its id is the smaller one.
    let mut raw = Raw::start(&[STORE, BULK]).await;
    let keypair = loop {
        let keypair = Keypair::generate_ed25519();
        if keypair.public().to_peer_id() > raw.id.peer_id() {
            break keypair;
        }
    };
    let node = Node::start_as(keypair, 1, Answers::values()).await;
    raw.dial(&node).await;
    // More than the lane and the stream's window hold together.
    let long = 50;
    let mut said = hello_frame(hello(1));
    for id in 0..long {
        encode(&Message::Request(id, get(LONG)), &mut said);
    }
    encode(&Message::Request(long, Request::Probe), &mut said);
    let mut stream = raw.say(&node, STORE, &said).await;
    let mut splitter = FrameSplitter::new();
    let mut buffer = [0; 1024];
    let answered = async {
        loop {
            while let Some(frame) = splitter.next_frame().unwrap() {
                if decode(frame).unwrap() == Message::Reply(long, Reply::Alive(7)) {
                    return;
                }
            }
            let read = stream.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "the stream ended");
            splitter.extend(&buffer[..read]);
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("the probe is answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_requests_arrive_too() {
    let answers = Answers::by(|_, request| match request {
        Request::Apply { entry, .. } => {
            let length = entry.value().map_or(0, |value| value.as_bytes().len());
            Response::Now(listing(length))
        }
        _ => Response::Now(Reply::Alive(7)),
    });
    let (one, other) = pair(Answers::alive(), answers).await;
    let apply = long_copy();
    let mut asked: Vec<_> = (0..20).map(|_| one.send(other.id, apply.clone())).collect();
    for asked in &mut asked {
        assert_eq!(answer(asked).await, Ok(listing(LONG)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_full_turns_away() {
    let (one, other) = pair(Answers::alive(), Answers::never()).await;
    let apply = long_copy();
    // In work, on the way and queued there is room for less than this.
    let mut asked: Vec<_> = (0..1000).map(|_| one.send(other.id, apply.clone())).collect();
    let turned_away = asked.iter_mut().filter_map(|asked| asked.try_recv().ok());
    let lost: Vec<_> = turned_away.map(|answer| answer.reply).collect();
    assert!(lost.iter().all(|reply| *reply == Err(Lost::Busy)), "{lost:?}");
    assert!(lost.len() > 500, "{}", lost.len());
    // The small lane is not affected.
    one.send(other.id, Request::Probe);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_too_long_is_refused_instead() {
    let answers = Answers::by(|_, _| {
        let Reply::Listed(mut listed) = listing(LONG) else { unreachable!() };
        listed.entries = vec![listed.entries[0].clone(); 9];
        Response::Now(Reply::Listed(listed))
    });
    let (one, other) = pair(Answers::alive(), answers).await;
    let reply = one.ask(other.id, get(1)).await;
    assert!(matches!(reply, Ok(Reply::Refused { why: Refusal::Failed, .. })), "{reply:?}");
}
