//! Several super-nodes that share what they know, and phones at different ones.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use p2psip::accounts::MemoryAccounts;
use p2psip::domain::Domain;
use p2psip::framing::{Framed, Framer};
use p2psip::location::{
    Answer, Aor, Bound, Change, Cursor, Known, LocationService, MemoryLocations,
};
use p2psip::message::{HeaderName, Message, Method, Reply, Status, Uri};
use p2psip::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

#[path = "support/phone.rs"]
mod phone;

use phone::{PATIENCE, Phone, server_of};

fn aor(user: &str) -> Aor {
    Aor::of(&Uri::parse(&format!("sip:{user}@scope")).unwrap()).unwrap()
}

/// Tells what is taken back.
#[derive(Clone)]
struct Told(MemoryLocations, mpsc::Sender<usize>);

impl LocationService for Told {
    fn bind(&self, aor: &Aor, change: Change) -> Answer<Vec<Bound>> {
        if let Change::Drop(gone) = &change {
            self.1.try_send(gone.len()).unwrap();
        }
        self.0.bind(aor, change)
    }

    fn lookup(&self, aor: &Aor) -> Answer<Known> {
        self.0.lookup(aor)
    }

    fn watch(&self, aor: &Aor, seen: Option<Cursor>) -> Answer<(Vec<Bound>, Cursor)> {
        self.0.watch(aor, seen)
    }
}

async fn node(locations: impl LocationService) -> Server {
    server_of(|_| {}, locations, MemoryAccounts::new()).await
}

/// Two that know each other.
async fn two() -> (Server, Server, MemoryLocations) {
    let locations = MemoryLocations::new();
    let (one, two) = (node(locations.clone()).await, node(locations.clone()).await);
    one.set_domain(Domain::new([one.address()]).with_node(two.address()));
    two.set_domain(Domain::new([two.address()]).with_node(one.address()));
    (one, two, locations)
}

/// A phone on a connection.
struct Wired {
    stream: TcpStream,
    framer: Framer,
}

impl Wired {
    async fn register(name: &str, server: &Server) -> Wired {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let mut phone = Wired { stream, framer: Framer::new() };
        let register = format!(
            "REGISTER sip:scope SIP/2.0\r\nVia: SIP/2.0/TCP x.invalid;branch=z9hG4bKr\r\n\
             From: <sip:{name}@scope>;tag=1\r\nTo: <sip:{name}@scope>\r\nCall-ID: r{name}\r\n\
             CSeq: 1 REGISTER\r\nContact: <sip:{name}@x.invalid;transport=tcp>\
             ;+sip.instance=\"<urn:uuid:{name}>\"\r\nContent-Length: 0\r\n\r\n"
        );
        phone.stream.write_all(register.as_bytes()).await.unwrap();
        assert_eq!(phone.heard().await.status(), Some(Status::OK));
        phone
    }

    async fn heard(&mut self) -> Message {
        loop {
            match self.framer.next_frame().unwrap() {
                Some(Framed::Message(bytes)) => return Message::parse(bytes).unwrap(),
                Some(Framed::Ping) => {}
                None => {
                    let read = self.stream.read_buf(self.framer.buffer_mut());
                    assert!(timeout(PATIENCE, read).await.unwrap().unwrap() > 0);
                }
            }
        }
    }

    async fn answer(&mut self, request: &Message, status: Status) {
        let reply = Reply::new(request, status).to_tag("t").with_record_routes();
        let reply = reply.header("Contact", "<sip:bob@x.invalid;transport=tcp>").build();
        self.stream.write_all(&reply).await.unwrap();
    }
}

async fn until_gone(locations: &MemoryLocations, user: &str) {
    let mut seen = None;
    loop {
        let (bound, cursor) =
            timeout(PATIENCE, locations.watch(&aor(user), seen)).await.unwrap().unwrap();
        if bound.is_empty() {
            return;
        }
        seen = Some(cursor);
    }
}

#[tokio::test]
async fn a_call_finds_the_connection_another_node_owns_and_so_does_its_dialog() {
    let (near, far, locations) = two().await;
    let mut bob = Wired::register("bob", &far).await;
    let anna = Phone::new("anna", &near).await;
    anna.invite("bob").await;
    let invite = bob.heard().await;
    assert_eq!(invite.method(), Some(Method::Invite));
    assert_eq!(invite.record_routes().count(), 4, "two of each node");
    assert_eq!(invite.routes().count(), 0);
    bob.answer(&invite, Status::OK).await;
    let answer = loop {
        let message = anna.heard().await;
        if message.status() == Some(Status::OK) {
            break message;
        }
    };
    let routes: Vec<_> =
        answer.record_routes().map(|route| format!("<{}>", route.unwrap().uri())).collect();
    let uri = "sip:bob@x.invalid;transport=tcp";
    for (method, number) in [(Method::Ack, 1), (Method::Bye, 2)] {
        let mut request = anna.request(method, uri, method.as_str(), number);
        for route in routes.iter().rev() {
            request = request.header(HeaderName::Route, route);
        }
        let to = format!("<{}>;tag=t", answer.to().unwrap().uri());
        anna.send(&request.header(HeaderName::To, to).build()).await;
        let passed = bob.heard().await;
        assert_eq!((passed.method(), passed.routes().count()), (Some(method), 0));
        if method == Method::Bye {
            bob.answer(&passed, Status::OK).await;
            assert_eq!(anna.heard_status().await, 200);
        }
    }
    // Its end is seen by its owner, who takes the binding back.
    drop(bob);
    until_gone(&locations, "bob").await;
    let carl = Phone::new("carl", &near).await;
    carl.invite("bob").await;
    assert_eq!(carl.final_status().await, 480);
}

#[tokio::test]
async fn a_dead_flow_is_told_to_neighbours_and_a_forged_one_refused() {
    let (near, far, locations) = two().await;
    let bob = Wired::register("bob", &far).await;
    let bound = locations.lookup(&aor("bob")).await.unwrap().bound;
    let binding = bound[0].binding.clone();
    drop(bob);
    until_gone(&locations, "bob").await;
    // Somebody has read it before.
    let stale = Change::Set(vec![(binding.clone(), Duration::from_secs(60))]);
    locations.bind(&aor("bob"), stale).await.unwrap();
    let anna = Phone::new("anna", &near).await;
    anna.invite("bob").await;
    assert_eq!(anna.final_status().await, 480);
    let node = Phone::new("node", &far).await;
    let address = node.socket.local_addr().unwrap();
    far.set_domain(Domain::new([far.address()]).with_node(near.address()).with_node(address));
    for (token, status) in [(&*binding.token, 430), ("00112233445566778899aabbccdd", 403)] {
        let request = node.request(Method::Message, "sip:bob@x.invalid", token, 1);
        let route = format!("<sip:{token}@{};lr>", far.address());
        let request = request.header(HeaderName::Route, route);
        node.send(&request.header(HeaderName::To, "<sip:bob@scope>").build()).await;
        assert_eq!(node.final_status().await, status);
    }
    // Made elsewhere, as by a node that has started anew, it is as if nobody were there.
    let token = "0a".repeat(17).into();
    let other = Arc::new(p2psip::location::Binding { token, ..(*binding).clone() });
    let stale = Change::Set(vec![(other, Duration::from_secs(60))]);
    locations.bind(&aor("bob"), stale).await.unwrap();
    let carl = Phone::new("carl", &near).await;
    carl.invite("bob").await;
    assert_eq!(carl.final_status().await, 480);
}

/// A binding at a node that is no more than a socket.
async fn at_a_silent_node(server: &Server, locations: &MemoryLocations) -> Phone {
    let bob = Wired::register("bob", server).await;
    let bound = locations.lookup(&aor("bob")).await.unwrap().bound;
    drop(bob);
    until_gone(locations, "bob").await;
    let silent = Phone::new("silent", server).await;
    let owner = silent.socket.local_addr().unwrap();
    let binding = p2psip::location::Binding { owner, ..(*bound[0].binding).clone() };
    let set = Change::Set(vec![(Arc::new(binding), Duration::from_secs(60))]);
    locations.bind(&aor("bob"), set).await.unwrap();
    silent
}

#[tokio::test]
async fn nobody_waits_for_a_node_that_is_gone() {
    let locations = MemoryLocations::new();
    let server = node(locations.clone()).await;
    let silent = at_a_silent_node(&server, &locations).await;
    let domain = || Domain::new([server.address()]);
    server.set_domain(domain().with_node(silent.socket.local_addr().unwrap()));
    let anna = Phone::new("anna", &server).await;
    anna.invite("bob").await;
    assert_eq!(silent.heard().await.method(), Some(Method::Invite));
    server.set_domain(domain());
    assert_eq!(anna.final_status().await, 480);
    let carl = Phone::new("carl", &server).await;
    carl.invite("bob").await;
    assert_eq!(carl.final_status().await, 480);
}

#[tokio::test]
async fn a_node_that_says_nothing_is_given_up_soon_and_what_it_says_late_is_cancelled() {
    let locations = MemoryLocations::new();
    let quick = |config: &mut p2psip::server::Config| config.timers.t1_ms = 20;
    let server = server_of(quick, locations.clone(), MemoryAccounts::new()).await;
    let silent = at_a_silent_node(&server, &locations).await;
    let node = silent.socket.local_addr().unwrap();
    server.set_domain(Domain::new([server.address()]).with_node(node));
    let anna = Phone::new("anna", &server).await;
    anna.invite("bob").await;
    assert_eq!(anna.final_status().await, 480);
    let invite = silent.heard().await;
    silent.answer(&invite, 180).await;
    loop {
        let heard = silent.heard().await;
        if heard.method() == Some(Method::Cancel) {
            break;
        }
        assert_eq!(heard.method(), Some(Method::Invite), "a repetition");
    }
}

#[tokio::test]
async fn who_registers_elsewhere_is_found_there_and_taken_back_here() {
    let (told, mut taken_back) = mpsc::channel(8);
    let locations = MemoryLocations::new();
    let old = node(Told(locations.clone(), told)).await;
    let new = node(locations.clone()).await;
    old.set_domain(Domain::new([old.address()]).with_node(new.address()));
    new.set_domain(Domain::new([new.address()]).with_node(old.address()));
    let _before = Wired::register("bob", &old).await;
    let mut after = Wired::register("bob", &new).await;
    assert_eq!(timeout(PATIENCE, taken_back.recv()).await.unwrap(), Some(1));
    assert_eq!(locations.lookup(&aor("bob")).await.unwrap().bound.len(), 1);
    let anna = Phone::new("anna", &old).await;
    anna.invite("bob").await;
    assert_eq!(after.heard().await.method(), Some(Method::Invite));
}

#[tokio::test]
async fn a_direct_phone_is_reached_without_its_node() {
    let (near, far, _) = two().await;
    let bob = Phone::new("bob", &far).await;
    assert_eq!(bob.register("").await.status(), Some(Status::OK));
    far.stop(Duration::ZERO).await;
    let anna = Phone::new("anna", &near).await;
    anna.invite("bob").await;
    let mut buffer = vec![0; 65_536];
    let (length, from) =
        timeout(PATIENCE, bob.socket.recv_from(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(from, near.address());
    let invite = Message::parse(Bytes::copy_from_slice(&buffer[..length])).unwrap();
    assert_eq!((invite.method(), invite.record_routes().count()), (Some(Method::Invite), 0));
}
