//! How nodes come together.

use std::net::SocketAddr;

use libp2p_identity::Keypair;

use super::raw::Raw;
use super::support::{Answers, Node, answer, loopback, pair, tcp_door};
use crate::link::{JoinError, Link, LinkEvent, Lost, Strange};
use crate::wire::{Contact, Reply, Request};

#[tokio::test(flavor = "multi_thread")]
async fn a_third_node_learns_of_the_others_and_can_dial_them() {
    let (one, mut other) = pair(Answers::alive(), Answers::alive()).await;
    let mut third = Node::start(Answers::alive()).await;
    assert_eq!(third.join(&one).await, Ok(one.id));
    // It is named to the third one, who dials it, or libp2p has done so already.
    let known = |event: &LinkEvent| match event {
        LinkEvent::Learned(contact) if contact.id == other.id => Some(contact.clone()),
        LinkEvent::Connected { contact, .. } if contact.id == other.id => Some(contact.clone()),
        _ => None,
    };
    let contact = third.until(known).await;
    assert!(contact.addresses.contains(&other.address()), "{contact:?}");
    third.link.dial(contact);
    other.until_connected(third.id).await;
    assert_eq!(other.ask(third.id, Request::Probe).await, Ok(Reply::Alive(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_to_know_everybody_even_where_one_answer_cannot_name_all() {
    // `libp2p-kad` names 20 at most.
    const NODES: usize = 30;
    let first = Node::start(Answers::alive()).await;
    let mut nodes = Vec::new();
    for _ in 1..NODES {
        nodes.push(Node::start(Answers::alive()).await);
    }
    for node in &nodes {
        node.join(&first).await.unwrap();
    }
    nodes.push(first);
    let known = nodes.into_iter().map(|mut node| async move {
        let mut connected = std::collections::HashSet::new();
        while connected.len() < NODES - 1 {
            let event = |event: &LinkEvent| match event {
                LinkEvent::Connected { contact, .. } => Some((contact.clone(), true)),
                LinkEvent::Learned(contact) => Some((contact.clone(), false)),
                _ => None,
            };
            let (contact, there) = node.until(event).await;
            if there {
                connected.insert(contact.id);
            } else {
                node.link.dial(contact);
            }
        }
        node
    });
    futures::future::join_all(known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_says_where_the_other_can_be_dialed_even_to_the_dialed_one() {
    let mut one = Node::start(Answers::alive()).await;
    let mut other = Node::start(Answers::alive()).await;
    one.join(&other).await.unwrap();
    let (contact, _) = one.until_connected(other.id).await;
    assert_eq!(contact, other.contact());
    let (contact, _) = other.until_connected(one.id).await;
    assert_eq!(contact, one.contact());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_ends_even_when_there_is_nobody_to_find() {
    let (mut one, mut other) = pair(Answers::alive(), Answers::alive()).await;
    let searched = |event: &LinkEvent| matches!(event, LinkEvent::Searched).then_some(());
    one.until(searched).await;
    other.until(searched).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_somebody_not_connected_dials_first() {
    let mut one = Node::start(Answers::alive()).await;
    let other = Node::start(Answers::alive()).await;
    let mut asked: Vec<_> =
        (0..10).map(|_| one.send_at(other.id, &[other.address()], Request::Probe)).collect();
    for asked in &mut asked {
        assert_eq!(answer(asked).await, Ok(Reply::Alive(7)));
    }
    one.until_connected(other.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_somebody_who_cannot_be_dialed_is_lost() {
    let mut one = Node::start(Answers::alive()).await;
    let gone = NobodyThere::new();
    let id = Node::start(Answers::alive()).await.id;
    let mut asked = one.send_at(id, &[gone.address], Request::Probe);
    assert_eq!(answer(&mut asked).await, Err(Lost::Connection));
    one.until(|event| matches!(event, LinkEvent::DialFailed(who) if *who == id).then_some(()))
        .await;
    assert_eq!(one.ask(id, Request::Probe).await, Err(Lost::Connection));
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_nobody_says_what_the_transports_said() {
    let one = Node::start(Answers::alive()).await;
    let gone = NobodyThere::new();
    let error = one.link.join(gone.address).await.unwrap_err();
    let JoinError::Nobody { address, detail } = &error else { panic!("{error}") };
    assert_eq!(*address, gone.address);
    assert!(detail.contains("TCP: Connection refused"), "{detail}");
    assert!(detail.contains("QUIC: "), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_join_itself() {
    let one = Node::start(Answers::alive()).await;
    let address = one.address();
    assert_eq!(one.join(&one).await, Err(JoinError::Myself { address }));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_super_node_cannot_be_joined_and_is_let_go() {
    let one = Node::start(Answers::alive()).await;
    let mut raw = Raw::start(&["/other/1"]).await;
    let error = one.link.join(raw.address).await.unwrap_err();
    assert!(error.to_string().contains("is no super-node"), "{error}");
    raw.until_connected(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_dial_each_other_at_once_are_connected_once() {
    let mut one = Node::start(Answers::alive()).await;
    let mut other = Node::start(Answers::alive()).await;
    one.link.dial(other.contact());
    other.link.dial(one.contact());
    one.until_connected(other.id).await;
    other.until_connected(one.id).await;
    let (joined, joined_back) = tokio::join!(one.join(&other), other.join(&one));
    assert_eq!((joined, joined_back), (Ok(other.id), Ok(one.id)));
    for _ in 0..100 {
        assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
        assert_eq!(other.ask(one.id, Request::Probe).await, Ok(Reply::Alive(7)));
    }
    one.link.disconnect(other.id);
    let once = |event: &LinkEvent| match event {
        LinkEvent::Connected { .. } => panic!("connected twice"),
        LinkEvent::Disconnected(_) => Some(()),
        _ => None,
    };
    one.until(once).await;
    other.until(once).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_at_an_address_is_noticed() {
    let (mut one, other) = pair(Answers::alive(), Answers::alive()).await;
    let third = Node::start(Answers::alive()).await;
    let absent = Node::start(Answers::alive()).await.id;
    one.link.dial(Contact { id: absent, addresses: vec![third.address()] });
    assert_eq!(one.until_strange(absent).await, Strange::WrongId);
    one.until(|event| matches!(event, LinkEvent::DialFailed(id) if *id == absent).then_some(()))
        .await;
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_udp_does_not_pass_tcp_does() {
    let mut one = Node::start(Answers::values()).await;
    let other = Node::start(Answers::values()).await;
    let address = tcp_door(&other).await;
    assert_eq!(one.link.join(address).await, Ok(other.id));
    one.until_connected(other.id).await;
    for size in [100, 64 * 1024] {
        let reply = one.ask(other.id, super::support::get(size)).await;
        assert_eq!(reply, Ok(super::support::listing(size)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_were_made_up_keep_nobody_from_joining() {
    let one = Node::start(Answers::alive()).await;
    let other = Node::start(Answers::alive()).await;
    // Each takes seconds to fail: QUIC is not heard, and TCP accepted but never greeted.
    let udp = std::net::UdpSocket::bind(loopback()).unwrap();
    let _tcp = std::net::TcpListener::bind(udp.local_addr().unwrap()).unwrap();
    for _ in 0..400 {
        let id = Keypair::generate_ed25519().public().to_peer_id().into();
        one.link.dial(Contact { id, addresses: vec![udp.local_addr().unwrap()] });
    }
    assert_eq!(one.join(&other).await, Ok(other.id));
    let third = Node::start(Answers::alive()).await;
    let mut asked = one.send_at(third.id, &[third.address()], Request::Probe);
    assert_eq!(answer(&mut asked).await, Ok(Reply::Alive(7)));
}

/// An address that nobody listens on. TCP refuses there; QUIC is not heard.
struct NobodyThere {
    address: SocketAddr,
    _udp: std::net::UdpSocket,
}

impl NobodyThere {
    fn new() -> NobodyThere {
        let udp = std::net::UdpSocket::bind(loopback()).unwrap();
        NobodyThere { address: udp.local_addr().unwrap(), _udp: udp }
    }
}
