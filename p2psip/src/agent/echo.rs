//! `sip:echo@scope`: whoever calls it hears herself, and whoever writes to it is written to. So that one
//! phone alone is enough to see whether it is set up well, at each super-node.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Agent, Asked, Dialog, Line, Nobody};
use crate::message::{HeaderName, Method, Rejection, Reply, RequestBuilder, Status};
use crate::sdp::{Sdp, Stream};

/// Its name.
pub const ECHO: &str = "echo";

/// Calls at once: a port each, and what two streams of speech cost.
const CALLS_MAX: usize = 8;
/// A call's length: enough to hear.
const CALL_TIME: Duration = Duration::from_secs(180);
/// A call without media for so long is over.
const SILENCE: Duration = Duration::from_secs(30);
/// When a 2xx is repeated first, and how often at least (RFC 3261 §13.3.1.4): T1 and T2.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// Without an ACK for so long a call is over: 64·T1.
const ACK_TIME: Duration = Duration::from_secs(32);
/// The longest packet that is sent back.
const PACKET_MAX: usize = 2048;
/// The longest text that is sent back (RFC 3428 §8).
const TEXT_MAX: usize = 1300;
/// What it serves.
const ALLOWED: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE";

/// The agent.
#[derive(Debug, Default)]
pub struct Echo {
    calls: Arc<Mutex<HashMap<String, Call>>>,
}

#[derive(Debug)]
struct Call {
    dialog: Dialog,
    port: u16,
    /// The number of the INVITE that was acknowledged last; none ends the call.
    state: watch::Sender<Option<u32>>,
}

impl Agent for Echo {
    fn on_request(&self, asked: Asked) {
        let done = match asked.method() {
            Method::Ack | Method::Bye => self.in_call(&asked),
            Method::Cancel => Ok(()),
            Method::Invite => return self.call(asked),
            Method::Message => write_back(&asked),
            Method::Options => {
                let reply = asked.reply(Status::OK).to_tag(ECHO).header("Allow", ALLOWED);
                asked.answer(Status::OK, reply.header("Accept", "application/sdp").build());
                Ok(())
            }
            _ => Err(Rejection {
                header: Some((HeaderName::Allow, ALLOWED.to_owned())),
                ..Rejection::new(Status::METHOD_NOT_ALLOWED)
            }),
        };
        if let Err(rejection) = done {
            refuse(&asked, &rejection);
        }
    }
}

impl Echo {
    fn calls(&self) -> MutexGuard<'_, HashMap<String, Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What belongs to a call there is.
    fn in_call(&self, asked: &Asked) -> Result<(), Rejection> {
        let request = asked.request();
        let mut calls = self.calls();
        let call = calls.get_mut(request.call_id()?).filter(|call| call.dialog.is_of(request));
        let call = call.ok_or_else(|| Rejection::new(Status::NO_SUCH_TRANSACTION))?;
        call.dialog.on_request(request)?;
        if asked.method() == Method::Ack {
            call.state.send_replace(Some(request.cseq()?.number));
            return Ok(());
        }
        call.state.send_replace(None);
        calls.remove(request.call_id()?);
        asked.answer(Status::OK, asked.reply(Status::OK).build());
        Ok(())
    }

    fn call(&self, asked: Asked) {
        let calls = Arc::clone(&self.calls);
        // As many as there are calls at most: the rest is refused within.
        tokio::spawn(async move {
            if let Err(rejection) = answer_call(&calls, &asked).await {
                refuse(&asked, &rejection);
            }
        });
    }
}

fn refuse(asked: &Asked, rejection: &Rejection) {
    let reply = Reply::rejecting(asked.request(), rejection).to_tag(ECHO);
    let mark = asked.request().top_via().map(|via| via.mark(asked.caller().source));
    asked.answer(rejection.status, reply.mark_via(mark.unwrap_or_default()).build());
}

/// The same text, to who has written.
fn write_back(asked: &Asked) -> Result<(), Rejection> {
    let request = asked.request();
    if request.body().len() > TEXT_MAX {
        return Err(Rejection::new(Status::ENTITY_TOO_LARGE));
    }
    asked.answer(Status::OK, asked.reply(Status::OK).to_tag(ECHO).build());
    // To people only, and never to itself.
    if asked.caller().aor.as_ref().is_none_or(|aor| aor.as_str() == ECHO) {
        return Ok(());
    }
    let (from, to) = (request.to()?.uri(), request.from()?.uri());
    let media = request.content_type()?.unwrap_or("text/plain").to_owned();
    let message = RequestBuilder::new(Method::Message, to)
        .header(HeaderName::From, format_args!("\"Echo\" <{from}>;tag={:x}", fastrand::u64(..)))
        .header(HeaderName::To, format_args!("<{to}>"))
        .header(HeaderName::CallId, format_args!("{:x}", fastrand::u128(..)))
        .header(HeaderName::CSeq, "1 MESSAGE")
        .header(HeaderName::MaxForwards, 70)
        .build_with_body(&media, request.body());
    asked.line().send_to_person(message, asked.caller().source, Arc::new(Nobody));
    Ok(())
}

async fn answer_call(
    calls: &Arc<Mutex<HashMap<String, Call>>>,
    asked: &Asked,
) -> Result<(), Rejection> {
    let request = asked.request();
    let offer = Sdp::of(request).ok_or_else(|| {
        Rejection::with_reason(Status::NOT_ACCEPTABLE_HERE, "Only What Is Offered Is Echoed")
    })?;
    let audio = audio(&offer).ok_or_else(|| Rejection {
        header: Some((HeaderName::Warning, "302 scope \"Plain RTP only\"".to_owned())),
        ..Rejection::new(Status::NOT_ACCEPTABLE_HERE)
    })?;
    let here = asked.line().here(asked.caller().source).ip();
    let (call_id, number) = (request.call_id()?.to_owned(), request.cseq()?.number);
    let known = {
        let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        let full = calls.len() >= CALLS_MAX;
        match calls.get_mut(&call_id) {
            Some(call) if call.dialog.is_of(request) => {
                call.dialog.on_request(request)?;
                Some((call.port, call.state.subscribe()))
            }
            Some(_) => return Err(Rejection::new(Status::LOOP_DETECTED)),
            None if request.to()?.tag().is_some() => {
                return Err(Rejection::new(Status::NO_SUCH_TRANSACTION));
            }
            None if full => return Err(Rejection::new(Status::BUSY_HERE)),
            None => None,
        }
    };
    let tag = format!("{:x}", fastrand::u64(..));
    let mut opened = None;
    let (port, state) = match known {
        Some(known) => known,
        None => {
            let failed = |_| Rejection::new(Status::SERVER_INTERNAL_ERROR);
            let socket = UdpSocket::bind((here, 0)).await.map_err(failed)?;
            let port = socket.local_addr().map_err(failed)?.port();
            let (state, seen) = watch::channel(Some(number.wrapping_sub(1)));
            let flow = Some(&*asked.caller().route);
            let dialog = Dialog::as_callee(request, &tag, flow)?;
            let call = Call { dialog, port, state };
            calls.lock().unwrap_or_else(PoisonError::into_inner).insert(call_id.clone(), call);
            let theirs = audio.address.unwrap_or_else(|| asked.caller().source.ip());
            opened = Some(tokio::spawn(echo(socket, theirs, seen.clone())));
            (port, seen)
        }
    };
    let reply = asked.reply(Status::OK).to_tag(&tag).with_record_routes();
    let contact = SocketAddr::new(here, asked.line().here(asked.caller().source).port());
    // By what it came by, so that a phone of one transport has not to find another.
    let transport = request.top_via()?.transport.as_str().to_ascii_lowercase();
    let contact = format!("<sip:{ECHO}@{contact};transport={transport}>");
    let reply = reply.header("Contact", contact);
    let body = described(&offer, here, port);
    let ok = reply.header("Allow", ALLOWED).body("application/sdp", body.as_bytes()).build();
    let acknowledged = repeat(asked, ok, number, state).await;
    let Some(media) = opened else { return Ok(()) };
    if acknowledged {
        let _ = media.await;
    } else {
        media.abort();
    }
    let ended = calls.lock().unwrap_or_else(PoisonError::into_inner).remove(&call_id);
    if let Some(mut call) = ended {
        hang_up(asked.line(), &mut call.dialog);
    }
    Ok(())
}

fn hang_up(line: &Line, dialog: &mut Dialog) {
    line.send(dialog.request(Method::Bye), Arc::new(Nobody));
}

/// A 2xx, until its ACK has come; false if it never does.
async fn repeat(
    asked: &Asked,
    ok: Bytes,
    number: u32,
    mut state: watch::Receiver<Option<u32>>,
) -> bool {
    let until = Instant::now() + ACK_TIME;
    let (mut pause, mut next) = (T1, Instant::now());
    while next < until {
        asked.answer(Status::OK, ok.clone());
        next += pause;
        pause = (pause * 2).min(T2);
        let acknowledged = state.wait_for(|state| state.is_none_or(|acked| acked == number));
        match timeout_at(next, acknowledged).await {
            Ok(done) => return done.is_ok_and(|state| state.is_some()),
            Err(_) => continue,
        }
    }
    false
}

/// Sends back what comes from where the caller wants it, and from nowhere else: nobody is to be flooded
/// by it.
async fn echo(socket: UdpSocket, theirs: IpAddr, mut state: watch::Receiver<Option<u32>>) {
    let mut packet = [0; PACKET_MAX];
    let over = Instant::now() + CALL_TIME;
    loop {
        let silent = (Instant::now() + SILENCE).min(over);
        tokio::select! {
            came = socket.recv_from(&mut packet) => {
                if let Ok((length, from)) = came
                    && from.ip().to_canonical() == theirs.to_canonical()
                {
                    let _ = socket.try_send_to(&packet[..length], from);
                }
            }
            _ = state.wait_for(Option::is_none) => return,
            () = sleep_until(silent) => return,
        }
        if Instant::now() >= over {
            return;
        }
    }
}

/// The first stream that can be echoed.
fn audio<'s, 'a>(offer: &'s Sdp<'a>) -> Option<&'s Stream<'a>> {
    offer.wanted().find(|stream| is_echoed(stream))
}

fn is_echoed(stream: &Stream<'_>) -> bool {
    stream.kind == "audio" && stream.profile.eq_ignore_ascii_case("RTP/AVP")
}

/// The answer to an offer (RFC 3264 §6): the first audio in all its formats, and nothing else.
fn described(offer: &Sdp<'_>, here: IpAddr, port: u16) -> String {
    let family = if here.is_ipv4() { "IP4" } else { "IP6" };
    let mut sdp =
        format!("v=0\r\no=echo 1 1 IN {family} {here}\r\ns=-\r\nc=IN {family} {here}\r\nt=0 0\r\n");
    let mut taken = false;
    for stream in &offer.streams {
        let is_it = !taken && stream.port != 0 && is_echoed(stream);
        taken |= is_it;
        let port = if is_it { port } else { 0 };
        let (kind, profile, formats) = (stream.kind, stream.profile, stream.formats);
        sdp.push_str(&format!("m={kind} {port} {profile} {formats}\r\n"));
        if !is_it {
            continue;
        }
        for attribute in &stream.attributes {
            if attribute.starts_with("rtpmap:") || attribute.starts_with("fmtp:") {
                sdp.push_str(&format!("a={attribute}\r\n"));
            }
        }
        let direction = match stream.direction() {
            "sendonly" => "recvonly",
            "recvonly" => "sendonly",
            other => other,
        };
        sdp.push_str(&format!("a={direction}\r\n"));
    }
    sdp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_answered_stream_by_stream() {
        let offer = "v=0\r\nc=IN IP4 192.0.2.7\r\nm=video 4 RTP/AVP 96\r\nm=audio 5 RTP/AVP 0 8\r\n\
            a=rtpmap:0 PCMU/8000\r\na=sendonly\r\nm=audio 6 RTP/AVP 0\r\n";
        let offer = Sdp::parse(offer).unwrap();
        let answer = described(&offer, "192.0.2.1".parse().unwrap(), 9000);
        let answer = Sdp::parse(&answer).unwrap();
        let ports: Vec<u16> = answer.streams.iter().map(|stream| stream.port).collect();
        assert_eq!(ports, [0, 9000, 0]);
        assert_eq!(answer.streams[1].direction(), "recvonly");
        assert_eq!(answer.streams[1].attributes[0], "rtpmap:0 PCMU/8000");
        assert!(audio(&Sdp::parse("v=0\r\nm=audio 5 RTP/SAVP 0\r\n").unwrap()).is_none());
    }

    #[tokio::test]
    async fn only_the_caller_s_machine_is_sent_back_to() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let here = socket.local_addr().unwrap();
        let (end, state) = watch::channel(Some(1));
        let echoing = tokio::spawn(echo(socket, "127.0.0.2".parse().unwrap(), state));
        let (theirs, others) = (
            UdpSocket::bind("127.0.0.2:0").await.unwrap(),
            UdpSocket::bind("127.0.0.3:0").await.unwrap(),
        );
        others.send_to(b"no", here).await.unwrap();
        theirs.send_to(b"yes", here).await.unwrap();
        let mut packet = [0; 9];
        let (length, from) = theirs.recv_from(&mut packet).await.unwrap();
        assert_eq!((&packet[..length], from), (&b"yes"[..], here));
        assert!(others.try_recv(&mut packet).is_err());
        end.send_replace(None);
        echoing.await.unwrap();
    }
}
