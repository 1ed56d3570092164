//! Peers that break the protocol, or speak another one.

use super::raw::Raw;
use super::support::{Answers, Node, hello, hello_frame, pair};
use crate::link::{JoinError, Link, Strange};
use crate::wire::{FRAME_MAX, Hello, Reply, Request};

const STORE: &str = "/scope/store/1";
const BULK: &str = "/scope/bulk/1";

/// A raw peer says these bytes on a stream of its own: it is sent away, and no other.
async fn sent_away_for(bytes: &[u8]) -> String {
    let (mut one, other) = pair(Answers::alive(), Answers::alive()).await;
    let mut raw = Raw::start(&[STORE, BULK]).await;
    raw.dial(&one).await;
    let _stream = raw.say(&one, STORE, bytes).await;
    let Strange::Malformed(text) = one.until_strange(raw.id).await else {
        panic!("it is malformed")
    };
    raw.until_connected(false).await;
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
    assert_eq!(other.ask(one.id, Request::Probe).await, Ok(Reply::Alive(7)));
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_cannot_be_ends_the_connection() {
    let too_long = u32::try_from(FRAME_MAX + 1).unwrap().to_le_bytes();
    let text = sent_away_for(&[&hello_frame(hello(1)), &too_long[..]].concat()).await;
    assert!(text.contains("a frame says it has 524289 bytes"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_with_a_wrong_field_ends_the_connection() {
    // Field 2, a get without a place.
    let frame = [2, 0, 0, 0, 0x12, 0];
    let text = sent_away_for(&[&hello_frame(hello(1)), &frame[..]].concat()).await;
    assert!(text.contains("a frame's entries is wrong"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn something_other_than_a_hello_first_ends_the_connection() {
    // Field 8, a probe.
    let text = sent_away_for(&[2, 0, 0, 0, 0x42, 0]).await;
    assert!(text.contains("does not begin with a hello"), "{text}");
    let text = sent_away_for(b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(text.contains("a frame says it has"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_opens_too_many_streams_is_sent_away() {
    let (mut one, other) = pair(Answers::alive(), Answers::alive()).await;
    let mut raw = Raw::start(&[STORE, BULK]).await;
    raw.dial(&one).await;
    let mut streams = Vec::new();
    let frame = hello_frame(hello(1));
    let target = one.id;
    let opened = async {
        loop {
            let Ok(mut stream) = raw.open(target, BULK).await else { return };
            let _ = futures::AsyncWriteExt::write_all(&mut stream, &frame).await;
            let _ = futures::AsyncWriteExt::flush(&mut stream).await;
            streams.push(stream);
        }
    };
    let id = raw.id;
    let strange = tokio::select! {
        strange = one.until_strange(id) => strange,
        () = opened => one.until_strange(id).await,
    };
    assert_eq!(strange, Strange::Malformed("it opens too many streams".to_owned()));
    raw.until_connected(false).await;
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_sent_away_does_not_come_back_at_once() {
    let mut one = Node::start(Answers::alive()).await;
    let mut raw = Raw::start(&[STORE]).await;
    raw.dial(&one).await;
    let _stream = raw.say(&one, STORE, &[0; 4]).await;
    one.until_strange(raw.id).await;
    raw.until_connected(false).await;
    let error = one.link.join(raw.address).await.unwrap_err();
    assert!(matches!(error, JoinError::Nobody { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_told_and_let_go() {
    let mut one = Node::start(Answers::alive()).await;
    let mut raw = Raw::start(&["/scope/store/7", "/scope/store/2"]).await;
    let error = one.link.join(raw.address).await.unwrap_err();
    let (address, theirs) = (raw.address, "/scope/store/7".to_owned());
    let ours = STORE.to_owned();
    assert_eq!(error, JoinError::Incompatible { address, theirs: theirs.clone(), ours });
    assert_eq!(one.until_strange(raw.id).await, Strange::Incompatible { theirs });
    raw.until_connected(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_say_that_their_versions_do_not_overlap() {
    let mut one = Node::start(Answers::alive()).await;
    let later = Hello { version: 9, oldest: 8, ..hello(1) };
    let mut other = Node::start_saying(later, Answers::alive()).await;
    let error = one.join(&other).await.unwrap_err();
    assert!(error.to_string().contains("speaks /scope/store/9"), "{error}");
    let theirs = "/scope/store/9".to_owned();
    assert_eq!(one.until_strange(other.id).await, Strange::Incompatible { theirs });
    // The later one would say it too, if it were one; it takes the hello of version 1 for its own.
    other.until_disconnected(one.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_version_that_still_speaks_this_one_is_welcome() {
    let mut one = Node::start(Answers::alive()).await;
    let later = Hello { version: 2, oldest: 1, ..hello(1) };
    let other = Node::start_saying(later, Answers::alive()).await;
    assert_eq!(one.join(&other).await, Ok(other.id));
    one.until_connected(other.id).await;
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
}
