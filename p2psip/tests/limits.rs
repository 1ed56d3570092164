//! Floods and nonsense: nothing ends by them, and who calls decently is served.

#![allow(clippy::unwrap_used, reason = "tests")]

use p2psip::accounts::MemoryAccounts;
use p2psip::location::MemoryLocations;
use p2psip::message::{HeaderName, Method, Status};
use p2psip::server::{Config, Server};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

#[path = "support/phone.rs"]
mod phone;

use phone::{PATIENCE, Phone, server};

/// A phone at another address of loopback.
async fn at(ip: &str, name: &'static str, server: &Server) -> Phone {
    let socket = UdpSocket::bind((ip, 0)).await.unwrap();
    Phone { name, socket, server: server.address() }
}

#[tokio::test]
async fn a_flood_is_refused_and_others_call_on() {
    let server = server(|_| {}).await;
    let bob = at("127.0.0.3", "bob", &server).await;
    assert_eq!(bob.register("").await.status(), Some(Status::OK));
    let flood = at("127.0.0.2", "eve", &server).await;
    for method in [Method::Register, Method::Invite] {
        let mut refused = 0;
        for number in 0..200 {
            let uri = "sip:bob@scope";
            let request = flood.request(method, uri, &format!("{method}{number}"), number);
            let request = request.header(HeaderName::To, "<sip:bob@scope>");
            flood.send(&request.build()).await;
            let reply = flood.heard().await;
            if reply.status() == Some(Status::SERVICE_UNAVAILABLE) {
                assert!(reply.fields_of(HeaderName::RetryAfter).next().is_some());
                refused += 1;
            }
        }
        assert!(refused > 100, "{method}: {refused}");
    }
    assert!(server.metrics().refused() > 200);
    let anna = at("127.0.0.4", "anna", &server).await;
    anna.invite("bob").await;
    loop {
        let invite = bob.heard().await;
        if invite.from().unwrap().uri().user() == Some("anna") {
            bob.answer(&invite, 180).await;
            break;
        }
    }
    assert_eq!(anna.final_status().await, 180);
}

#[tokio::test]
async fn nonsense_is_dropped() {
    let server = server(|_| {}).await;
    let anna = Phone::new("anna", &server).await;
    let huge = vec![b'a'; 65_000];
    let long = format!("OPTIONS sip:{} SIP/2.0\r\n\r\n", "b".repeat(60_000));
    let nonsense: [&[u8]; 7] = [
        b"",
        b"\r\n\r\n",
        b"\0",
        b"\xff\xfe\xfd",
        b"SIP/2.0 200 OK\r\n\r\n",
        &huge,
        long.as_bytes(),
    ];
    for bytes in nonsense {
        anna.send(bytes).await;
    }
    let uri = format!("sip:{}", server.address());
    let request = anna.request(Method::Options, &uri, "o", 1);
    anna.send(&request.header(HeaderName::To, format!("<{uri}>")).build()).await;
    assert_eq!(anna.heard_status().await, 200);
}

#[tokio::test(start_paused = true)]
async fn who_never_ends_a_header_is_closed() {
    let config = Config::new(([127, 0, 0, 1], 0).into());
    let (locations, accounts) = (MemoryLocations::new(), MemoryAccounts::new());
    let server = Server::bind(config, Arc::new(locations), Arc::new(accounts)).await.unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"OPTIONS sip:scope SIP/2.0\r\nX: ").await.unwrap();
    let mut buffer = [0; 9];
    // A byte now and then gives it no more time.
    let mut sent = 0;
    loop {
        match timeout(PATIENCE / 10, stream.read(&mut buffer)).await {
            Ok(read) => {
                assert!(matches!(read, Ok(0) | Err(_)));
                break;
            }
            Err(_) => drop(stream.write_all(b"x").await),
        }
        sent += 1;
        assert!(sent < 20);
    }
    // And one that sends fast is closed for its size.
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let line = [b'x'; 4096];
    stream.write_all(b"OPTIONS sip:scope SIP/2.0\r\nX: ").await.unwrap();
    let mut sent = 0;
    while stream.write_all(&line).await.is_ok() {
        sent += 1;
        assert!(sent < 10_000);
    }
}

#[tokio::test]
async fn a_refusal_is_not_repeated_to_who_may_be_somebody_else() {
    let server = server(|config| config.timers.t1_ms = 1).await;
    let anna = Phone::new("anna", &server).await;
    anna.invite("nobody").await;
    assert_eq!(anna.heard_status().await, 480);
    assert_eq!(server.transactions(), 0);
}

#[tokio::test]
async fn both_families_are_served_at_once() {
    let mut config = Config::new("[::]:0".parse().unwrap());
    config.advertised = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let (locations, accounts) = (MemoryLocations::new(), MemoryAccounts::new());
    let server = Server::bind(config, Arc::new(locations), Arc::new(accounts)).await.unwrap();
    let [four, six] = server.addresses() else { panic!("{:?}", server.addresses()) };
    assert!(four.is_ipv4() && six.is_ipv6());
    let bob = UdpSocket::bind("[::1]:0").await.unwrap();
    let bob = Phone { name: "bob", socket: bob, server: *six };
    assert_eq!(bob.register("").await.status(), Some(Status::OK));
    let anna = Phone::new("anna", &server).await;
    anna.invite("bob").await;
    let invite = bob.heard().await;
    assert_eq!(invite.top_via().unwrap().host.ip(), Some(six.ip()));
    // Neither reaches the other alone: each is told the address of its family.
    let routes: Vec<_> =
        invite.record_routes().map(|route| route.unwrap().uri().host().unwrap().ip()).collect();
    assert_eq!(routes, [Some(six.ip()), Some(four.ip())]);
    bob.answer(&invite, 200).await;
    let answer = loop {
        let message = anna.heard().await;
        if message.status() == Some(Status::OK) {
            break message;
        }
    };
    let uri = format!("sip:bob@{}", bob.socket.local_addr().unwrap());
    let mut bye = anna.request(Method::Bye, &uri, "bye", 2);
    let routes: Vec<_> =
        answer.record_routes().map(|route| format!("<{}>", route.unwrap().uri())).collect();
    for route in routes.iter().rev() {
        bye = bye.header(HeaderName::Route, route);
    }
    anna.send(&bye.header(HeaderName::To, "<sip:bob@scope>;tag=t").build()).await;
    assert_eq!(bob.heard().await.method(), Some(Method::Bye));
}
