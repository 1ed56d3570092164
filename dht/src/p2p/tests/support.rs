//! A node that is nothing but a link.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{Entry, Lifetime, NodeId, Place, SecretTag, Value, Version};
use bytes::BytesMut;
use libp2p_identity::Keypair;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::link::{
    Answer, JoinError, Link, LinkEvent, Lost, ReplySlot, Responder, Response, Strange,
};
use crate::overlay::{Peer, Pulse};
use crate::p2p::{P2pConfig, P2pLink, Patience};
use crate::passphrase::{AdmissionKey, test_key};
use crate::wire::{Contact, Hello, Listing, Message, Notice, Reply, Request, encode};

/// Whatever is awaited comes at once, or the test fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(super) fn hello(start: u64) -> Hello {
    Hello { version: 1, oldest: 1, holds: false, start }
}

/// How a test node answers.
pub(super) struct Answers(Box<dyn Fn(NodeId, Request) -> Response + Send + Sync>);

impl Answers {
    pub(super) fn by(
        answer: impl Fn(NodeId, Request) -> Response + Send + Sync + 'static,
    ) -> Arc<Answers> {
        Arc::new(Answers(Box::new(answer)))
    }

    /// To everything that it is alive.
    pub(super) fn alive() -> Arc<Answers> {
        Answers::by(|_, _| Response::Now(Reply::Alive(7)))
    }

    /// To nothing.
    pub(super) fn never() -> Arc<Answers> {
        Answers::by(|_, _| Response::Later(Box::pin(std::future::pending())))
    }

    pub(super) fn values() -> Arc<Answers> {
        Answers::by(|_, request| match request {
            Request::Get(get) => Response::Now(listing(get.bytes)),
            _ => Response::Now(Reply::Alive(7)),
        })
    }
}

impl Responder for Answers {
    fn respond(&self, from: NodeId, request: Request) -> Response {
        (self.0)(from, request)
    }
}

/// A listing of one value of so many bytes.
pub(super) fn listing(bytes: usize) -> Reply {
    let value = Value::new(vec![7; bytes]).unwrap();
    let lifetime = Lifetime::from_millis(1_000_000);
    let entry = Entry::live(value, SecretTag::NONE, Version::new(1), lifetime);
    Reply::Listed(Listing { entries: vec![entry], more: false, complete: true })
}

/// Asks for a value of so many bytes.
pub(super) fn get(bytes: usize) -> Request {
    let place = Place::of(b"place");
    Request::Get(crate::wire::Get { place, after: None, until: None, entries: 1, bytes })
}

pub(super) struct Node {
    pub(super) link: Arc<P2pLink>,
    pub(super) id: NodeId,
    pub(super) keypair: Keypair,
    pub(super) events: mpsc::Receiver<LinkEvent>,
}

impl Node {
    pub(super) async fn start(responder: Arc<dyn Responder>) -> Node {
        Node::start_as(Keypair::generate_ed25519(), 1, responder).await
    }

    pub(super) async fn start_as(
        keypair: Keypair,
        start: u64,
        responder: Arc<dyn Responder>,
    ) -> Node {
        Node::start_with(keypair, hello(start), responder, None).await
    }

    /// A node that says this first.
    pub(super) async fn start_saying(hello: Hello, responder: Arc<dyn Responder>) -> Node {
        Node::start_with(Keypair::generate_ed25519(), hello, responder, None).await
    }

    /// A node with a passphrase, which answers that it is alive.
    pub(super) async fn start_private(passphrase: &str) -> Node {
        Node::start_private_as(Keypair::generate_ed25519(), passphrase).await
    }

    pub(super) async fn start_private_as(keypair: Keypair, passphrase: &str) -> Node {
        let key = test_key(passphrase);
        Node::start_with(keypair, hello(1), Answers::alive(), Some(key)).await
    }

    /// A node with little patience in this.
    pub(super) async fn start_impatient(patience: Patience, responder: Arc<dyn Responder>) -> Node {
        let keypair = Keypair::generate_ed25519();
        Node::start_config(keypair, hello(1), responder, None, patience).await
    }

    async fn start_with(
        keypair: Keypair,
        hello: Hello,
        responder: Arc<dyn Responder>,
        admission: Option<AdmissionKey>,
    ) -> Node {
        Node::start_config(keypair, hello, responder, admission, Patience::default()).await
    }

    async fn start_config(
        keypair: Keypair,
        hello: Hello,
        responder: Arc<dyn Responder>,
        admission: Option<AdmissionKey>,
        patience: Patience,
    ) -> Node {
        let (sender, events) = mpsc::channel(256);
        let config = P2pConfig {
            keypair: keypair.clone(),
            listen: loopback(),
            hello: Arc::new(move || hello),
            started: Instant::now(),
            admission,
            patience,
        };
        let (link, driver) = P2pLink::bind(config, sender).await.unwrap();
        driver.run(responder);
        Node { link, id: NodeId::from(keypair.public().to_peer_id()), keypair, events }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.link.listening_on()
    }

    pub(super) fn contact(&self) -> Contact {
        Contact { id: self.id, addresses: vec![self.address()] }
    }

    pub(super) async fn join(&self, other: &Node) -> Result<NodeId, JoinError> {
        self.link.join(other.address()).await
    }

    /// Waits for an event that fits; the others before it are dropped.
    pub(super) async fn until<T>(&mut self, fits: impl Fn(&LinkEvent) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the link is there");
                if let Some(found) = fits(&event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the event comes")
    }

    pub(super) async fn until_connected(&mut self, peer: NodeId) -> (Contact, Pulse) {
        self.until(|event| match event {
            LinkEvent::Connected { contact, pulse, .. } if contact.id == peer => {
                Some((contact.clone(), pulse.clone()))
            }
            _ => None,
        })
        .await
    }

    pub(super) async fn until_disconnected(&mut self, peer: NodeId) {
        let is = |event: &LinkEvent| matches!(event, LinkEvent::Disconnected(id) if *id == peer);
        self.until(|event| is(event).then_some(())).await;
    }

    pub(super) async fn until_strange(&mut self, peer: NodeId) -> Strange {
        self.until(|event| match event {
            LinkEvent::Strange(id, strange) if *id == peer => Some(strange.clone()),
            _ => None,
        })
        .await
    }

    /// Sends a request; where its answer comes.
    pub(super) fn send(&self, to: NodeId, request: Request) -> mpsc::Receiver<Answer> {
        self.send_at(to, &[], request)
    }

    pub(super) fn send_at(
        &self,
        to: NodeId,
        addresses: &[SocketAddr],
        request: Request,
    ) -> mpsc::Receiver<Answer> {
        let peer = Arc::new(Peer::new(to, Pulse::default()));
        let (sender, answers) = mpsc::channel(1);
        let slot = ReplySlot::new(sender, Arc::clone(&peer), 0);
        self.link.request(&peer, addresses, request, slot);
        answers
    }

    pub(super) async fn ask(&self, to: NodeId, request: Request) -> Result<Reply, Lost> {
        answer(&mut self.send(to, request)).await
    }

    /// How many requests wait for a peer's reply.
    pub(super) fn waiting(&self, peer: NodeId) -> usize {
        self.link.waiting(peer)
    }
}

pub(super) async fn answer(answers: &mut mpsc::Receiver<Answer>) -> Result<Reply, Lost> {
    let answer = tokio::time::timeout(PATIENCE, answers.recv()).await;
    answer.expect("an answer comes").expect("the slot answers").reply
}

/// A port at which TCP leads to a node, and UDP nowhere.
pub(super) async fn tcp_door(node: &Node) -> SocketAddr {
    let door = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let address = door.local_addr().unwrap();
    let behind = node.address();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = door.accept().await {
            let mut to = tokio::net::TcpStream::connect(behind).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        }
    });
    address
}

/// Two nodes, connected.
pub(super) async fn pair(one: Arc<dyn Responder>, other: Arc<dyn Responder>) -> (Node, Node) {
    let (mut one, mut other) = (Node::start(one).await, Node::start(other).await);
    assert_eq!(one.join(&other).await, Ok(other.id));
    one.until_connected(other.id).await;
    other.until_connected(one.id).await;
    (one, other)
}

/// Waits until something holds that nobody is told of.
pub(super) async fn eventually(mut holds: impl FnMut() -> bool) {
    let held = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, held).await.expect("it comes to hold");
}

/// A hello's frame.
pub(super) fn hello_frame(hello: Hello) -> BytesMut {
    let mut frame = BytesMut::new();
    encode(&Message::Notice(Notice::Hello(hello)), &mut frame);
    frame
}
