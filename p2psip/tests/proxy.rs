//! A server on loopback, and phones that are no more than sockets.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use bytes::Bytes;
use p2psip::framing::{Framed, Framer};
use p2psip::message::{HeaderName, Message, Method, Status};
use p2psip::server::{Rate, Rates};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[path = "support/phone.rs"]
mod phone;

use phone::{PATIENCE, Phone, server};

#[tokio::test]
async fn a_registered_phone_is_called_and_both_talk_without_us() {
    let server = server(|_| {}).await;
    let (anna, bob) = (Phone::new("anna", &server).await, Phone::new("bob", &server).await);
    let granted = bob.register("").await;
    assert_eq!(granted.status(), Some(Status::OK));
    let contact = granted.contacts().next().unwrap().unwrap().address().unwrap();
    assert_eq!(contact.expires(), Some(120));
    anna.invite("Bob").await;
    assert_eq!(anna.heard_status().await, 100);
    let invite = bob.heard().await;
    assert_eq!(invite.request_uri().unwrap().as_str(), contact.uri().as_str());
    assert_eq!(invite.record_routes().count(), 0, "both are direct");
    assert_eq!(invite.max_forwards(), Ok(Some(70)));
    bob.answer(&invite, 180).await;
    assert_eq!(anna.heard_status().await, 180);
    bob.answer(&invite, 200).await;
    let answer = anna.heard().await;
    assert_eq!(answer.status(), Some(Status::OK));
    assert_eq!(answer.vias().count(), 1);
    assert_eq!(server.metrics().registrations(), 1);
    server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_phone_that_says_nothing_is_given_up_soon_and_what_it_says_late_is_cancelled() {
    let server = server(|config| config.timers.t1_ms = 20).await;
    let (anna, bob) = (Phone::new("anna", &server).await, Phone::new("bob", &server).await);
    bob.register("").await;
    anna.invite("bob").await;
    assert_eq!(anna.final_status().await, 408);
    // Its transaction is not over yet, and so this is no stray.
    let invite = bob.heard().await;
    bob.answer(&invite, 180).await;
    loop {
        let heard = bob.heard().await;
        if heard.method() == Some(Method::Cancel) {
            break;
        }
        assert_eq!(heard.method(), Some(Method::Invite), "a repetition");
    }
}

#[tokio::test]
async fn with_record_route_the_dialog_s_requests_pass_both_ways() {
    let server = server(|config| config.record_route_always = true).await;
    let (anna, bob) = (Phone::new("anna", &server).await, Phone::new("bob", &server).await);
    bob.register("").await;
    anna.invite("bob").await;
    let invite = bob.heard().await;
    bob.answer(&invite, 200).await;
    let answer = loop {
        let message = anna.heard().await;
        if message.status() == Some(Status::OK) {
            break message;
        }
    };
    let routes: Vec<String> =
        answer.record_routes().map(|r| format!("<{}>", r.unwrap().uri())).collect();
    assert_eq!(routes.len(), 2);
    let to = format!("<{}>;tag=t", answer.to().unwrap().uri());
    let uri = format!("sip:bob@{}", bob.socket.local_addr().unwrap());
    for (method, number) in [(Method::Ack, 1), (Method::Bye, 2)] {
        let mut request = anna.request(method, &uri, method.as_str(), number);
        for route in routes.iter().rev() {
            request = request.header(HeaderName::Route, route);
        }
        anna.send(&request.header(HeaderName::To, &to).build()).await;
        let passed = bob.heard().await;
        assert_eq!(passed.method(), Some(method));
        assert_eq!((passed.routes().count(), passed.vias().count()), (0, 2));
        if method == Method::Bye {
            bob.answer(&passed, 200).await;
            assert_eq!(anna.heard_status().await, 200);
        }
    }
    // The other way.
    let uri = format!("sip:anna@{}", anna.socket.local_addr().unwrap());
    let mut info = bob.request(Method::Info, &uri, "info", 1);
    for route in &routes {
        info = info.header(HeaderName::Route, route);
    }
    // It is let through for its own call only.
    bob.send(&info.header(HeaderName::To, "<sip:anna@scope>;tag=f").build()).await;
    assert_eq!(bob.heard_status().await, 403);
}

#[tokio::test]
async fn a_call_is_cancelled_declined_and_missed() {
    let server = server(|_| {}).await;
    let (anna, bob) = (Phone::new("anna", &server).await, Phone::new("bob", &server).await);
    anna.invite("bob").await;
    assert_eq!(anna.final_status().await, 480, "nobody is there");
    bob.register("").await;
    let dave = Phone::new("dave", &server).await;
    let sent = dave.invite("bob").await;
    let invite = bob.heard().await;
    bob.answer(&invite, 180).await;
    assert_eq!(dave.final_status().await, 180);
    dave.send(&p2psip::message::cancel_for(&sent).unwrap()).await;
    assert_eq!(dave.heard_status().await, 200);
    let cancel = bob.heard().await;
    assert_eq!(cancel.method(), Some(Method::Cancel));
    assert_eq!(cancel.top_via().unwrap().branch(), invite.top_via().unwrap().branch());
    bob.answer(&cancel, 200).await;
    bob.answer(&invite, 487).await;
    assert_eq!(dave.heard_status().await, 487);
    assert_eq!(bob.heard().await.method(), Some(Method::Ack));
    let carl = Phone::new("carl", &server).await;
    carl.invite("bob").await;
    let invite = bob.heard().await;
    bob.answer(&invite, 603).await;
    assert_eq!(carl.final_status().await, 603);
}

#[tokio::test]
async fn a_phone_on_tcp_is_reached_on_its_connection() {
    let server = server(|_| {}).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let register = "REGISTER sip:scope SIP/2.0\r\nVia: SIP/2.0/TCP x.invalid;branch=z9hG4bKr\r\n\
        From: <sip:bob@scope>;tag=1\r\nTo: <sip:bob@scope>\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\n\
        Contact: <sip:bob@x.invalid;transport=tcp>\r\nContent-Length: 0\r\n\r\n\r\n\r\n";
    stream.write_all(register.as_bytes()).await.unwrap();
    let mut framer = Framer::new();
    let mut next = async || loop {
        match framer.next_frame().unwrap() {
            Some(Framed::Message(bytes)) => return Message::parse(bytes).unwrap(),
            Some(Framed::Ping) => {}
            None => assert!(
                timeout(PATIENCE, stream.read_buf(framer.buffer_mut())).await.unwrap().unwrap() > 0
            ),
        }
    };
    assert_eq!(next().await.status(), Some(Status::OK));
    let anna = Phone::new("anna", &server).await;
    anna.invite("bob").await;
    let invite = next().await;
    assert_eq!(invite.method(), Some(Method::Invite));
    assert_eq!(invite.content_length(), Ok(Some(0)));
    assert_eq!(invite.record_routes().count(), 2, "nobody else has that connection");
}

#[tokio::test]
async fn what_is_not_ours_to_do_is_refused() {
    let address = Rate { burst: 6, per_second: 1 };
    let server = server(|config| config.rates = Some(Rates { address, ..Rates::default() })).await;
    let anna = Phone::new("anna", &server).await;
    for (n, (method, uri, status)) in [
        (Method::Invite, "sip:bob@elsewhere.example", 403),
        (Method::Subscribe, "sip:bob@scope", 489),
        (Method::Publish, "sip:anna@scope", 501),
        (Method::Message, "sip:bob@scope", 480),
        (Method::Options, &*format!("sip:{}", server.address()), 200),
        (Method::Register, "sip:elsewhere.example", 404),
        (Method::Other("DANCE"), "sip:bob@scope", 503),
    ]
    .into_iter()
    .enumerate()
    {
        let request = anna.request(method, uri, &format!("n{n}"), 1);
        anna.send(&request.header(HeaderName::To, format!("<{uri}>")).build()).await;
        let reply = anna.heard().await;
        assert_eq!(reply.status().unwrap().code(), status, "{method}");
        if status == 503 {
            assert!(reply.fields_of(HeaderName::RetryAfter).next().is_some());
        }
        if method == Method::Invite {
            // As a phone would.
            let ack = anna.request(Method::Ack, uri, &format!("n{n}"), 1);
            anna.send(&ack.header(HeaderName::To, format!("<{uri}>")).build()).await;
        }
    }
}

#[tokio::test]
async fn a_browser_is_reached_on_its_web_socket() {
    use futures::channel::mpsc::channel;
    use futures::{SinkExt, StreamExt};

    let server = server(|_| {}).await;
    let (mut to_server, from_browser) = channel(4);
    let (to_browser, mut from_server) = channel(4);
    let peer = "127.0.0.1:9".parse().unwrap();
    let socket = tokio::spawn(server.serve_websocket(peer, from_browser, to_browser));
    let register = "REGISTER sip:scope SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKr\r\n\
        From: <sip:bob@scope>;tag=1\r\nTo: <sip:bob@scope>\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\n\
        Contact: <sip:b@x.invalid;transport=ws>\r\nContent-Length: 0\r\n\r\n";
    to_server.send(Bytes::from(register)).await.unwrap();
    let granted = Message::parse(from_server.next().await.unwrap()).unwrap();
    assert_eq!(granted.status(), Some(Status::OK));
    to_server.send(Bytes::from("\r\n\r\n")).await.unwrap();
    assert_eq!(from_server.next().await.unwrap().as_ref(), b"\r\n");
    let anna = Phone::new("anna", &server).await;
    anna.invite("bob").await;
    let invite = Message::parse(from_server.next().await.unwrap()).unwrap();
    assert_eq!(invite.request_uri().unwrap().as_str(), "sip:b@x.invalid;transport=ws");
    assert_eq!(invite.top_via().unwrap().transport.as_str(), "WS");
    // It goes away: who calls is told soon, not after a minute.
    drop(to_server);
    socket.await.unwrap();
    let carl = Phone::new("carl", &server).await;
    carl.invite("bob").await;
    assert_eq!(carl.final_status().await, 480);
}
