//! Overlays with a passphrase, and who is not let in.

use std::net::SocketAddr;

use futures::AsyncWriteExt;

use super::bare::Bare;
use super::raw::Raw;
use super::support::{Answers, Node, answer, hello, hello_frame, tcp_door};
use crate::link::{JoinError, Link, LinkEvent, PassphraseMismatch, Strange};
use crate::p2p::address;
use crate::wire::{Contact, Reply, Request};

const PREAMBLE: &[u8] = b"\x13/multistream/1.0.0\n\x13/scope/admission/1\n";

async fn private_pair() -> (Node, Node) {
    let (mut one, mut other) =
        (Node::start_private("ours").await, Node::start_private("ours").await);
    assert_eq!(one.join(&other).await, Ok(other.id));
    one.until_connected(other.id).await;
    other.until_connected(one.id).await;
    (one, other)
}

async fn still_talk(one: &Node, other: &Node) {
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
    assert_eq!(other.ask(one.id, Request::Probe).await, Ok(Reply::Alive(7)));
}

fn not_admitted<T>(address: SocketAddr, mismatch: PassphraseMismatch) -> Result<T, JoinError> {
    Err(JoinError::NotAdmitted { address, mismatch })
}

/// No event says that anybody is connected but these two.
fn assert_nobody_else(node: &mut Node, known: &[&Node]) {
    while let Ok(event) = node.events.try_recv() {
        if let LinkEvent::Connected { contact, .. } = event {
            assert!(known.iter().any(|node| node.id == contact.id), "{contact:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_passphrase_joins_over_quic() {
    let (one, other) = private_pair().await;
    still_talk(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_passphrase_joins_over_tcp() {
    let mut one = Node::start_private("ours").await;
    let mut other = Node::start_private("ours").await;
    let address = tcp_door(&other).await;
    assert_eq!(one.link.join(address).await, Ok(other.id));
    one.until_connected(other.id).await;
    other.until_connected(one.id).await;
    still_talk(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_come_in_at_once() {
    // More than the guesses one address has: who guesses right has used none.
    const NODES: usize = 24;
    let first = Node::start_private("ours").await;
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(Node::start_private("ours").await);
    }
    let joined = futures::future::join_all(nodes.iter().map(|node| node.join(&first))).await;
    assert_eq!(joined, vec![Ok(first.id); NODES]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_passphrase_is_told_and_disturbs_nobody() {
    let (mut one, mut other) = private_pair().await;
    let mut stranger = Node::start_private("theirs").await;
    let address = one.address();
    let joined = stranger.join(&one).await;
    assert_eq!(joined, not_admitted(address, PassphraseMismatch::Different));
    let seen = Strange::NotAdmitted(PassphraseMismatch::Different);
    assert_eq!(one.until_strange(stranger.id).await, seen);
    // Nor does it matter who dials.
    let joined = other.join(&stranger).await;
    assert_eq!(joined, not_admitted(stranger.address(), PassphraseMismatch::Different));
    assert_eq!(stranger.until_strange(other.id).await, seen);
    still_talk(&one, &other).await;
    assert_nobody_else(&mut one, &[&other]);
    assert_nobody_else(&mut other, &[&one]);
    assert_nobody_else(&mut stranger, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_passphrase_is_told_over_tcp_too() {
    let (one, stranger) = (Node::start_private("ours").await, Node::start_private("theirs").await);
    let address = tcp_door(&one).await;
    let joined = stranger.link.join(address).await;
    assert_eq!(joined, not_admitted(address, PassphraseMismatch::Different));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_none_is_told_that_one_is_wanted() {
    let (mut one, other) = private_pair().await;
    // Whichever of them would open the first stream.
    for _ in 0..4 {
        let mut open = Node::start(Answers::alive()).await;
        let joined = open.join(&one).await;
        assert_eq!(joined, not_admitted(one.address(), PassphraseMismatch::OursMissing));
        let seen = Strange::NotAdmitted(PassphraseMismatch::TheirsMissing);
        assert_eq!(one.until_strange(open.id).await, seen);
        let address = tcp_door(&one).await;
        let joined = open.link.join(address).await;
        assert_eq!(joined, not_admitted(address, PassphraseMismatch::OursMissing));
        assert_nobody_else(&mut open, &[]);
    }
    assert_nobody_else(&mut one, &[&other]);
    still_talk(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_one_is_told_that_the_other_has_none() {
    let mut open = Node::start(Answers::alive()).await;
    let mut private = Node::start_private("ours").await;
    let joined = private.join(&open).await;
    assert_eq!(joined, not_admitted(open.address(), PassphraseMismatch::TheirsMissing));
    let seen = Strange::NotAdmitted(PassphraseMismatch::OursMissing);
    assert_eq!(open.until_strange(private.id).await, seen);
    let address = tcp_door(&open).await;
    let joined = private.link.join(address).await;
    assert_eq!(joined, not_admitted(address, PassphraseMismatch::TheirsMissing));
    assert_nobody_else(&mut open, &[]);
    assert_nobody_else(&mut private, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_turns_out_to_be_of_another_overlay_is_not_reached() {
    let mut one = Node::start_private("ours").await;
    let stranger = Node::start_private("theirs").await;
    let contact = Contact { id: stranger.id, addresses: vec![stranger.address()] };
    one.link.dial(contact);
    let seen = Strange::NotAdmitted(PassphraseMismatch::Different);
    assert_eq!(one.until_strange(stranger.id).await, seen);
    let failed = |event: &LinkEvent| {
        matches!(event, LinkEvent::DialFailed(id) if *id == stranger.id).then_some(())
    };
    one.until(failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_speaks_libp2p_reaches_no_protocol() {
    let (mut one, other) = private_pair().await;
    let mut raw = Raw::start(&["/scope/store/1", "/scope/bulk/1"]).await;
    raw.dial(&one).await;
    for protocol in
        ["/ipfs/id/1.0.0", "/scope/kad/1", "/scope/store/1", "/scope/bulk/1", "/ipfs/id/push/1.0.0"]
    {
        assert!(raw.open(one.id, protocol).await.is_err(), "{protocol}");
    }
    raw.until_connected(false).await;
    assert!(!raw.was_told_anything());
    assert_nobody_else(&mut one, &[&other]);
    still_talk(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_silence_and_more_than_is_wanted_end_the_connection() {
    let (mut one, other) = private_pair().await;
    let offer = [PREAMBLE, &[1; 34]].concat();
    let mut good_share = Vec::from(PREAMBLE);
    good_share.extend([1, b'A']);
    // The base point.
    good_share.push(0x58);
    good_share.extend([0x66; 31]);
    let said: [&[u8]; 9] = [
        b"",
        b"\x13/multi",
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"\x13/multistream/1.0.0\n\xff\xff\xff\xff",
        PREAMBLE,
        &offer,
        &[PREAMBLE, &[3; 40]].concat(),
        &[PREAMBLE, &[0xee; 100_000]].concat(),
        // A proof of nothing, and much behind it.
        &[&good_share[..], &[3], &[0; 100_000]].concat(),
    ];
    let addresses = [address::quic(one.address()), address::tcp(one.address())];
    let closed = said.into_iter().flat_map(|said| addresses.each_ref().map(|at| (said, at)));
    let closed = closed.map(|(said, address)| async move {
        let mut bare = Bare::dial(address.clone()).await;
        let mut stream = bare.open().await;
        // What is wrong may be noticed, and the connection gone, before all is said.
        let _ = bare.drive(stream.write_all(said)).await;
        let _ = bare.drive(stream.flush()).await;
        bare.until_closed(&mut stream).await;
    });
    futures::future::join_all(closed).await;
    assert_nobody_else(&mut one, &[&other]);
    still_talk(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opens_no_stream_at_all_is_let_go() {
    let (mut one, other) = private_pair().await;
    let mut bare = Bare::dial(address::quic(one.address())).await;
    bare.until_over().await;
    assert_nobody_else(&mut one, &[&other]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_instead_of_admission_is_no_way_in() {
    let (mut one, other) = private_pair().await;
    let mut bare = Bare::dial(address::quic(one.address())).await;
    let mut streams = Vec::new();
    for protocol in ["/scope/store/1", "/scope/bulk/1"] {
        let mut stream = bare.open().await;
        let name = format!("{}{protocol}\n", char::from(protocol.len() as u8 + 1));
        let hello = hello_frame(hello(1));
        let said = [b"\x13/multistream/1.0.0\n", name.as_bytes(), &hello].concat();
        let _ = bare.drive(stream.write_all(&said)).await;
        let _ = bare.drive(stream.flush()).await;
        streams.push(stream);
    }
    bare.until_closed(&mut streams[0]).await;
    assert_nobody_else(&mut one, &[&other]);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_and_members_are_not() {
    let (mut one, other) = private_pair().await;
    let mut slowed = false;
    // Each of them has as many tries of its own.
    for _ in 0..4 {
        let guesser = Node::start_private("theirs").await;
        for _ in 0..6 {
            match guesser.join(&one).await {
                Err(JoinError::NotAdmitted { mismatch: PassphraseMismatch::Different, .. }) => {}
                Err(JoinError::NotAdmitted {
                    mismatch: PassphraseMismatch::TooManyTries, ..
                }) => slowed = true,
                joined => panic!("{joined:?}"),
            }
        }
    }
    assert!(slowed);
    still_talk(&one, &other).await;
    // A member from the same address comes back as ever.
    one.link.disconnect(other.id);
    one.until_disconnected(other.id).await;
    let mut asked = other.send_at(one.id, &[one.address()], Request::Probe);
    let _ = answer(&mut asked).await;
    assert_eq!(other.join(&one).await, Ok(one.id));
    still_talk(&one, &other).await;
}
