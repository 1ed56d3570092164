//! Messages of one's own are what the RFC says, and read as what was written.

use proptest::prelude::*;

use super::*;

const INVITE: &str = "INVITE sip:bob@scope SIP/2.0\r\n\
    v: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa;rport, SIP/2.0/TCP b;branch=z9hG4bKb\r\n\
    Via: SIP/2.0/UDP c;branch=z9hG4bKc\r\n\
    Record-Route: <sip:p;lr>\r\n\
    Route: <sip:q;lr>\r\n\
    Max-Forwards: 12\r\n\
    f: \"Anna\"\r\n <sip:anna@scope>;tag=f\r\n\
    t: <sip:bob@scope>\r\n\
    i: call@1\r\n\
    CSeq: 7 INVITE\r\n\
    Timestamp: 54\r\n\
    \r\n";

fn message(text: &[u8]) -> Message {
    let message = Message::parse(Bytes::copy_from_slice(text)).unwrap();
    assert_eq!(message.defect(), None);
    message
}

#[test]
fn a_reply_carries_what_the_request_carried() {
    let invite = message(INVITE.as_bytes());
    let mark = ViaMark { received: "192.0.2.1".parse().ok(), rport: Some(9) };
    let reply = Reply::new(&invite, Status::OK).mark_via(mark).to_tag("t").with_record_routes();
    let out = reply.header("X-A", 1).body("text/plain", b"hi").build();
    let expected = "SIP/2.0 200 OK\r\n\
        Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa;received=192.0.2.1;rport=9, SIP/2.0/TCP b;branch=z9hG4bKb\r\n\
        Via: SIP/2.0/UDP c;branch=z9hG4bKc\r\n\
        Record-Route: <sip:p;lr>\r\n\
        From: \"Anna\"\r\n <sip:anna@scope>;tag=f\r\n\
        To: <sip:bob@scope>;tag=t\r\n\
        Call-ID: call@1\r\n\
        CSeq: 7 INVITE\r\n\
        X-A: 1\r\n\
        Content-Type: text/plain\r\n\
        Content-Length: 2\r\n\
        \r\n\
        hi";
    assert_eq!(String::from_utf8_lossy(&out), expected);
    let reply = message(&out);
    assert_eq!(reply.status(), Some(Status::OK));
    assert_eq!(reply.to().unwrap().tag(), Some("t"));
    assert_eq!(reply.body(), b"hi");
}

#[test]
fn only_a_100_repeats_the_timestamp_and_a_tag_stays() {
    let invite = message(INVITE.as_bytes());
    let out = Reply::new(&invite, Status::TRYING).build();
    let trying = message(&out);
    assert_eq!(trying.fields_of(HeaderName::Timestamp).next().unwrap().value, b"54");
    assert_eq!(trying.to().unwrap().tag(), None);
    let again = Reply::new(&trying, Status::RINGING).to_tag("a").build();
    let twice = Reply::new(&message(&again), Status::OK).to_tag("b").build();
    assert_eq!(message(&twice).to().unwrap().tag(), Some("a"));
    assert_eq!(message(&twice).fields_of(HeaderName::Timestamp).count(), 0);
}

#[test]
fn a_reason_cannot_begin_a_header() {
    let invite = message(INVITE.as_bytes());
    let out = Reply::new(&invite, Status::FORBIDDEN).reason("No\r\nX: y").build();
    assert_eq!(message(&out).reason(), b"NoX: y");
}

#[test]
fn ack_and_cancel_are_of_the_invite_s_transaction() {
    let invite = message(INVITE.as_bytes());
    let busy = message(&Reply::new(&invite, Status::BUSY_HERE).to_tag("t").build());
    let ack = ack_for_failure(&invite, &busy).unwrap();
    let expected = "ACK sip:bob@scope SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa;rport\r\n\
        Route: <sip:q;lr>\r\n\
        Max-Forwards: 70\r\n\
        From: \"Anna\"\r\n <sip:anna@scope>;tag=f\r\n\
        To: <sip:bob@scope>;tag=t\r\n\
        Call-ID: call@1\r\n\
        CSeq: 7 ACK\r\n\
        Content-Length: 0\r\n\
        \r\n";
    assert_eq!(String::from_utf8_lossy(&ack), expected);
    let cancel = message(&cancel_for(&invite).unwrap());
    assert_eq!(cancel.method(), Some(Method::Cancel));
    assert_eq!(cancel.cseq().unwrap().method, Method::Cancel);
    assert_eq!(cancel.to().unwrap().tag(), None);
    assert_eq!(cancel.vias().count(), 1);
}

#[test]
fn a_request_is_what_was_given() {
    let out = RequestBuilder::new(Method::Other("DANCE"), "sip:h")
        .header(HeaderName::Via, "SIP/2.0/UDP a;branch=z9hG4bK1")
        .other_header("X-Y", "z")
        .build_with_body("text/plain", b"\0\r\n\xff");
    let request = message(&out);
    assert_eq!(request.method(), Some(Method::Other("DANCE")));
    assert_eq!(request.request_uri().unwrap().as_str(), "sip:h");
    assert_eq!(request.fields_named("x-y").next().unwrap().value, b"z");
    assert_eq!(request.content_length(), Ok(Some(4)));
    assert_eq!(request.body(), b"\0\r\n\xff");
}

proptest! {
    #[test]
    fn what_is_built_reads_as_what_was_given(
        user in "[a-z0-9._~!*'()-]{1,20}",
        values in prop::collection::vec("[ -~\\r\\n]{0,40}", 0..8),
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut builder = RequestBuilder::new(Method::Message, format_args!("sip:{user}@h"));
        for value in &values {
            builder = builder.other_header("X-Any", value);
        }
        let request = message(&builder.build_with_body("text/plain", &body));
        prop_assert_eq!(request.request_uri().unwrap().user(), Some(&*user));
        let found: Vec<_> = request.fields_named("X-Any").map(|field| field.value).collect();
        let given: Vec<_> = values.iter().map(|value| value.replace(['\r', '\n'], "")).collect();
        let given: Vec<_> = given.iter().map(|value| value.trim().as_bytes()).collect();
        prop_assert_eq!(found, given);
        prop_assert_eq!(request.body(), &body);
        // A reply to what was built carries the same.
        let reply = message(&Reply::new(&request, Status::OK).body("a/b", &body).build());
        prop_assert_eq!(reply.body(), &body);
    }
}
