//! Where the fuzz target `sip` of `fuzz/` comes in: a function takes any bytes, and panics where
//! something does not hold that must. Tests feed it every seed and every past finding, too.

#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::digest::Answer;
use crate::framing::{Framed, Framer, FramingError};
use crate::message::{
    Abilities, Credentials, Edit, HeaderName, Invalid, Message, Reply, Status, Uri, ViaMark,
    ack_for_failure, cancel_for, check_as_proxy, check_as_server, validate,
};
use crate::sdp::Sdp;
use crate::stun;
use crate::transaction::{Keys, Limits, OnRequest, OnResponse, Table, Timers};

/// What a socket brings: a datagram, and a stream that comes in pieces of any size. No value makes a
/// reader panic; what is edited, answered or acknowledged reads as what it was meant to be.
pub fn sip(bytes: &[u8]) {
    let source = ([192, 0, 2, 1], 5060).into();
    if let Some(answer) = stun::answer(bytes, source) {
        assert!(stun::is_stun(bytes) && answer.len() <= 2 * bytes.len() + 8);
    }
    if let Ok(message) = Message::parse(Bytes::copy_from_slice(bytes)) {
        one(&message);
    }
    let size = bytes.first().map_or(1, |first| usize::from(*first) + 1);
    let (whole, end) = split(bytes, usize::MAX);
    assert_eq!((&whole, &end), (&split(bytes, size).0, &split(bytes, size).1));
    for framed in whole {
        // What a stream's reader takes for the length is what the parser takes for it.
        if let Framed::Message(bytes) = framed
            && let Ok(message) = Message::parse(bytes.clone())
            && message.defect().is_none()
        {
            assert_eq!(message.bytes(), &bytes);
        }
    }
}

/// All that comes off a stream, and what ends it.
fn split(stream: &[u8], size: usize) -> (Vec<Framed>, Option<FramingError>) {
    let (mut framer, mut found) = (Framer::new(), Vec::new());
    for piece in stream.chunks(size) {
        framer.extend(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(framed)) => found.push(framed),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fn one(message: &Message) {
    let valid = validate(message);
    everything(message);
    if let Err(Invalid::Answer(rejection)) = &valid {
        let out = Reply::rejecting(message, rejection).to_tag("t").build();
        let reply = Message::parse(out).expect("a rejection is a response");
        assert_eq!((reply.status(), reply.defect()), (Some(rejection.status), None));
    }
    if valid.is_err() {
        return;
    }
    edited(message);
    if message.is_request() {
        answered(message);
    }
}

/// Asks for all there is.
fn everything(message: &Message) {
    for via in message.vias().flatten() {
        let _ = (via.unique_branch(), via.response_address(), via.ttl());
        via.params.iter().for_each(|param| drop(param.unquoted()));
    }
    let lists = [message.routes().count(), message.record_routes().count(), message.path().count()];
    assert!(lists.iter().all(|count| *count <= message.bytes().len()));
    let contacts = message.contacts().flatten().filter_map(|contact| contact.address());
    for address in contacts.chain(message.from()).chain(message.to()) {
        let _ = (address.display_name(), address.instance(), address.expires(), address.q());
        let uri = address.uri();
        let again = Uri::parse(uri.as_str()).expect("what was a URI is one");
        assert!(uri == again && (uri.user().is_none() || uri.user_decoded().is_some()));
    }
    for credentials in message.authorization().chain(message.proxy_authorization()).flatten() {
        if let Ok(answer) = Answer::read(&credentials) {
            let _ = answer.is_right("", crate::message::Method::Register);
        }
    }
    for field in message.fields() {
        let _ = Credentials::parse(field.value);
        assert!(message.keep(field.value) == field.value);
    }
    if let Some(offer) = Sdp::of(message) {
        for stream in &offer.streams {
            let _ = (stream.direction(), stream.has_candidates());
            assert!(!(stream.is_dtls() && stream.is_plain_rtp()), "{stream:?}");
        }
    }
    let _ = (check_as_proxy(message, &Abilities::default()), message.supports("path"));
    let _ = check_as_server(message, &Abilities::default());
}

/// What a proxy makes of it is a message in form, in which only that differs which was changed.
fn edited(message: &Message) {
    let same = Edit::new(message).finish();
    assert_eq!(&same, message.bytes());
    let via = "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKours";
    let mark = ViaMark { received: "192.0.2.9".parse().ok(), rport: Some(9) };
    let out = Edit::new(message)
        .push_via(via)
        .mark_via(mark)
        .push_route("<sip:hop;lr>")
        .push_record_route("<sip:us;lr>")
        .max_forwards(3)
        .strip(HeaderName::PAssertedIdentity)
        .add("P-New", "value")
        .with_length()
        .request_uri("sip:there")
        .finish();
    // It may have become too long.
    let Ok(new) = Message::parse(out) else { return };
    if new.defect() == Some(crate::message::Defect::TooManyFields) {
        return;
    }
    assert_eq!(new.defect(), None);
    assert_eq!(new.body(), message.body());
    assert_eq!(new.max_forwards(), Ok(Some(3)));
    let top = new.top_via().map(|via| via.unique_branch().map(ToOwned::to_owned));
    assert_eq!(top, Ok(Some("ours".to_owned())));
    assert_eq!(new.vias().count(), message.vias().count() + 1);
    let marked = new.vias().nth(1).expect("the one that was on top").expect("it was in form");
    assert_eq!((marked.received(), marked.rport()), (mark.received, Some(mark.rport)));
    assert_eq!(marked.branch(), message.top_via().expect("it is in form").branch());
    assert_eq!(new.routes().count(), message.routes().count() + 1);
    let back = Edit::new(&new).pop_via().pop_routes(1).finish();
    let back = Message::parse(back).expect("it is shorter");
    assert_eq!(back.vias().count(), message.vias().count());
    assert_eq!(back.routes().count(), message.routes().count());
    assert_eq!((back.call_id(), back.cseq()), (message.call_id(), message.cseq()));
    let Ok(()) = validate(&new) else { panic!("{:?}", validate(&new)) };
}

/// Its answers, and what answers those.
fn answered(request: &Message) {
    let out = Reply::new(request, Status::BUSY_HERE).to_tag("theirs").build();
    let Ok(reply) = Message::parse(out) else { return };
    assert_eq!(validate(&reply), Ok(()));
    assert_eq!((reply.call_id(), reply.cseq()), (request.call_id(), request.cseq()));
    assert!(reply.to().is_ok_and(|to| to.tag().is_some()));
    transacted(request, &reply);
    for out in [ack_for_failure(request, &reply), cancel_for(request)] {
        let Ok(out) = Message::parse(out.expect("the request is in form")) else { continue };
        assert_eq!(validate(&out), Ok(()));
        assert_eq!(
            out.top_via().map(|via| via.branch().map(ToOwned::to_owned)),
            request.top_via().map(|via| via.branch().map(ToOwned::to_owned))
        );
    }
}

/// Both sides of its transaction: a repetition gets what the request got, and once answered a client
/// knows it.
fn transacted(request: &Message, reply: &Message) {
    let mut table = Table::new(Keys::new([0; 32]), Timers::default(), Limits::default());
    let (bytes, status) = (reply.bytes(), Status::BUSY_HERE);
    match table.on_request(request, &(), false, 0).expect("it is in form") {
        OnRequest::New(id) => {
            let output = table.respond(id, status, bytes.clone(), 0).expect("it is the first");
            assert_eq!(&output.bytes, bytes);
            let again = table.on_request(request, &(), false, 0);
            assert_eq!(again, Ok(OnRequest::Known(Some(output))));
        }
        OnRequest::Ack(None) => {}
        other => panic!("{other:?}"),
    }
    let via = request.top_via().expect("it is in form");
    let method = request.method().expect("it is a request");
    let branch = via.branch().unwrap_or_default();
    let id = table.begin(request.bytes(), branch, method, (), false, 0).expect("there is room");
    let told = table.on_response(reply, 0).expect("it is in form");
    assert!(matches!(told, OnResponse::Told { id: told, .. } if told == id), "{told:?}");
    let mut fired = Vec::new();
    table.fire(100_000, &mut fired);
    assert!(table.is_empty() && table.kept_bytes() == 0, "{fired:?}");
}
