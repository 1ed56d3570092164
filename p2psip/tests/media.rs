//! Calls whose media finds no way, and the echo.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use p2psip::agent::{Agent, Asked, ECHO, Echo};
use p2psip::location::Aor;
use p2psip::message::{HeaderName, Method, Reply, Status, Uri};
use p2psip::sdp::Sdp;
use p2psip::server::Server;
use tokio::net::UdpSocket;
use tokio::time::timeout;

#[path = "support/phone.rs"]
mod phone;

use phone::{PATIENCE, Phone, server};

const BROWSER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=fingerprint:sha-256 00\r\n";

async fn with_echo() -> Server {
    let server = server(|_| {}).await;
    let uri = format!("sip:{ECHO}@scope");
    server.attach(Aor::of(&Uri::parse(&uri).unwrap()).unwrap(), Arc::new(Echo::default()));
    server
}

#[tokio::test]
async fn a_browser_s_call_to_a_plain_phone_fails_before_it_rings() {
    let server = server(|_| {}).await;
    let (anna, bob) = (Phone::new("anna", &server).await, Phone::new("bob", &server).await);
    bob.register("").await;
    anna.invite_with("bob", &[], BROWSER).await;
    let refused = anna.heard().await;
    assert_eq!(refused.status(), Some(Status::NOT_ACCEPTABLE_HERE));
    let warning = refused.fields_of(HeaderName::Warning).next().unwrap().value;
    assert!(warning.starts_with(b"302 scope \""));
    // The next thing it hears is another's call.
    let carl = Phone::new("carl", &server).await;
    carl.invite("bob").await;
    assert_eq!(bob.heard().await.from().unwrap().uri().user(), Some("carl"));
}

#[tokio::test]
async fn a_call_that_is_answered_from_another_family_is_hung_up_and_says_why() {
    let server = server(|_| {}).await;
    let (anna, bob) = (Phone::new("anna", &server).await, Phone::new("bob", &server).await);
    bob.register("").await;
    let offer = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n";
    anna.invite_with("bob", &[], offer).await;
    let invite = bob.heard().await;
    let answer = Reply::new(&invite, Status::OK).to_tag("t").header("Contact", bob.contact());
    let sdp = b"v=0\r\nc=IN IP6 ::1\r\nm=audio 4000 RTP/AVP 0\r\n";
    bob.send(&answer.body("application/sdp", sdp).build()).await;
    for method in [Method::Ack, Method::Bye] {
        let heard = bob.heard().await;
        assert_eq!(heard.method(), Some(method));
        assert_eq!(heard.to().unwrap().tag(), Some("t"));
        if method == Method::Bye {
            bob.answer(&heard, 200).await;
        }
    }
    let refused = loop {
        let message = anna.heard().await;
        if message.status() != Some(Status::TRYING) {
            break message;
        }
    };
    assert_eq!(refused.status(), Some(Status::NOT_ACCEPTABLE_HERE));
    assert!(refused.fields_of(HeaderName::Warning).next().unwrap().value.starts_with(b"301 "));
}

#[tokio::test]
async fn the_echo_is_called_heard_and_hung_up() {
    let server = with_echo().await;
    let anna = Phone::new("anna", &server).await;
    let media = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = media.local_addr().unwrap().port();
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\n"
    );
    anna.invite_with(ECHO, &[], &offer).await;
    let answer = loop {
        let message = anna.heard().await;
        match message.status() {
            Some(Status::TRYING) => {}
            other => {
                assert_eq!(other, Some(Status::OK));
                break message;
            }
        }
    };
    let contact = answer.contacts().next().unwrap().unwrap().address().unwrap();
    let contact = contact.uri().as_str().to_owned();
    let to = format!("<sip:{ECHO}@scope>;tag={}", answer.to().unwrap().tag().unwrap());
    let ack = anna.request(Method::Ack, &contact, "ack", 1).header(HeaderName::To, &to);
    anna.send(&ack.build()).await;
    let there = Sdp::of(&answer).unwrap().streams[0].port;
    media.send_to(b"hello", ("127.0.0.1", there)).await.unwrap();
    let mut heard = [0; 9];
    let (length, _) = timeout(PATIENCE, media.recv_from(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard[..length], b"hello");
    let bye = anna.request(Method::Bye, &contact, "bye", 2).header(HeaderName::To, &to);
    anna.send(&bye.build()).await;
    loop {
        let message = anna.heard().await;
        if message.cseq().unwrap().method == Method::Bye {
            assert_eq!(message.status(), Some(Status::OK));
            break;
        }
        assert_eq!(message.status(), Some(Status::OK), "the answer, again");
    }
    let again = anna.request(Method::Bye, &contact, "bye2", 3).header(HeaderName::To, &to);
    anna.send(&again.build()).await;
    assert_eq!(anna.heard_status().await, 481);
}

#[tokio::test]
async fn the_echo_writes_back_and_is_nobody_s_name() {
    let server = with_echo().await;
    let anna = Phone::new("anna", &server).await;
    anna.register("").await;
    let uri = format!("sip:{ECHO}@scope");
    let message = anna.request(Method::Message, &uri, "m", 5);
    let message = message.header(HeaderName::To, format!("<{uri}>"));
    anna.send(&message.build_with_body("text/plain", b"hello")).await;
    let (mut answered, mut written) = (false, false);
    while !answered || !written {
        let heard = anna.heard().await;
        if heard.method() == Some(Method::Message) {
            assert_eq!(heard.body(), b"hello");
            assert_eq!(heard.from().unwrap().uri().as_str(), uri);
            anna.answer(&heard, 200).await;
            written = true;
        } else if heard.cseq().unwrap().number == 5 {
            assert_eq!(heard.status(), Some(Status::OK));
            answered = true;
        }
    }
    let thief = Phone::new(ECHO, &server).await;
    assert_eq!(thief.register("").await.status(), Some(Status::FORBIDDEN));
    let options = anna.request(Method::Options, &uri, "o", 6);
    anna.send(&options.header(HeaderName::To, format!("<{uri}>")).build()).await;
    let reply = loop {
        let reply = anna.heard().await;
        if reply.cseq().unwrap().number == 6 {
            break reply;
        }
    };
    assert!(reply.allow().any(|method| method == Ok(Method::Message)));
    let dance = anna.request(Method::Other("DANCE"), &uri, "d", 7);
    anna.send(&dance.header(HeaderName::To, format!("<{uri}>")).build()).await;
    assert_eq!(anna.heard_status().await, 405);
    anna.invite_with(ECHO, &[], BROWSER).await;
    assert_eq!(anna.final_status().await, 488);
}

/// Takes subscriptions, as a presence agent would.
struct Accepts;

impl Agent for Accepts {
    fn on_request(&self, asked: Asked) {
        assert_eq!(asked.method(), Method::Subscribe);
        assert_eq!(asked.caller().aor.as_ref().map(Aor::as_str), Some("anna"));
        let reply = asked.reply(Status::ACCEPTED).to_tag("t").build();
        asked.answer(Status::ACCEPTED, reply);
    }
}

/// Says nothing.
struct Silent;

impl Agent for Silent {
    fn on_request(&self, _: Asked) {}
}

#[tokio::test]
async fn an_agent_takes_a_method_and_one_that_says_nothing_is_answered_for() {
    let server = with_echo().await;
    let anna = Phone::new("anna", &server).await;
    let ask = async |method, whom: &str, branch| {
        let uri = format!("sip:{whom}@scope");
        let request = anna.request(method, &uri, branch, 1);
        anna.send(&request.header(HeaderName::To, format!("<{uri}>")).build()).await;
        anna.final_status().await
    };
    assert_eq!(ask(Method::Subscribe, "bob", "s1").await, 489);
    server.attach_method(Method::Subscribe, Arc::new(Accepts));
    assert_eq!(ask(Method::Subscribe, "bob", "s2").await, 202);
    let silent = Aor::of(&Uri::parse("sip:silent@scope").unwrap()).unwrap();
    server.attach(silent, Arc::new(Silent));
    assert_eq!(ask(Method::Message, "silent", "m").await, 500);
    assert_eq!(ask(Method::Invite, "silent", "i").await, 500);
}
