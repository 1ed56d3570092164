//! Reads a stream: answers requests, hands over replies, passes notices on.
//!
//! The same task writes what others have queued for the stream. The replies to all requests of one
//! read leave with one write.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::lane::Socket;
use super::patience::Patience;
use super::peer_link::{Kind, LONG_WEIGHT, PeerLink};
use crate::link::{LinkEvent, Responder, Response};
use crate::wire::{FrameSplitter, Hello, Message, Notice, Request, VERSION, WireError, decode};

/// Bytes read at once: on the small stream two of the longest frames, as there are hundreds of such
/// streams.
const SMALL_READ: usize = 16 * 1024;
const BULK_READ: usize = 64 * 1024;

/// What serving a stream takes.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) responder: Arc<dyn Responder>,
    pub(super) events: mpsc::Sender<LinkEvent>,
    /// The origin of the time a pulse shows.
    pub(super) started: Instant,
    pub(super) patience: Patience,
}

/// A stream to be served.
pub(super) struct Served {
    pub(super) link: Arc<PeerLink>,
    pub(super) kind: Kind,
    pub(super) socket: Arc<Socket>,
    pub(super) hello: Hello,
    pub(super) splitter: FrameSplitter,
}

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The other side closed it, or the connection broke.
    Closed,
    /// What came is not the protocol.
    Malformed(String),
    /// The other side left something half done.
    TooSlow(&'static str),
}

impl From<WireError> for Ended {
    fn from(error: WireError) -> Ended {
        Ended::Malformed(error.to_string())
    }
}

/// Serves a stream until it ends.
pub(super) async fn serve(served: &mut Served, service: Service) -> Ended {
    let link = Arc::clone(&served.link);
    let socket = Arc::clone(&served.socket);
    let kind = served.kind;
    // A request that makes the node panic ends its stream, and nothing else.
    let reading = AssertUnwindSafe(read(served, &service)).catch_unwind();
    tokio::select! {
        read = reading => read.unwrap_or(Ended::Closed),
        error = link.lane(kind).drive(&socket, service.patience.taking) => {
            tracing::debug!(peer = %link.id, %error, "a stream broke");
            match error.kind() {
                io::ErrorKind::TimedOut => Ended::TooSlow("it takes nothing of what it is sent"),
                _ => Ended::Closed,
            }
        }
    }
}

async fn read(served: &mut Served, service: &Service) -> Ended {
    let mut buffer = match served.kind {
        Kind::Small => vec![0; SMALL_READ],
        Kind::Bulk => vec![0; BULK_READ],
    };
    // Those that take a while; dropped with the stream.
    let mut in_work = JoinSet::new();
    // When the frame began of which a part has come.
    let mut begun = None;
    loop {
        match handle_frames(served, service, &mut in_work).await {
            Err(ended) => return ended,
            Ok(_) if served.splitter.is_between_frames() => begun = None,
            Ok(some) if some || begun.is_none() => begun = Some(Instant::now()),
            Ok(_) => {}
        }
        while in_work.try_join_next().is_some() {}
        let read = served.socket.read(&mut buffer);
        let read = match begun {
            None => Ok(read.await),
            Some(begun) => timeout_at(begun + service.patience.frame, read).await,
        };
        let Ok(read) = read else { return Ended::TooSlow("a frame of it does not end") };
        match read {
            Ok(0) => return Ended::Closed,
            Ok(read) => {
                served.link.pulse.beat(service.started.elapsed());
                served.splitter.extend(&buffer[..read]);
            }
            Err(error) => {
                tracing::debug!(peer = %served.link.id, %error, "a stream broke");
                return Ended::Closed;
            }
        }
    }
}

/// All that are whole; their replies leave together. Whether there were any.
async fn handle_frames(
    served: &mut Served,
    service: &Service,
    in_work: &mut JoinSet<()>,
) -> Result<bool, Ended> {
    let (mut some, mut replied) = (false, false);
    while let Some(frame) = served.splitter.next_frame()? {
        some = true;
        replied |= handle(served, service, in_work, frame).await?;
    }
    if replied {
        served.link.flush();
    }
    Ok(some)
}

/// True if there is a reply to be flushed.
async fn handle(
    served: &Served,
    service: &Service,
    in_work: &mut JoinSet<()>,
    frame: Bytes,
) -> Result<bool, Ended> {
    let link = &served.link;
    let message = match decode(frame) {
        Ok(message) => message,
        // Of a version that knows more; whoever awaits an answer takes silence for one.
        Err(WireError::Unknown) if served.hello.version > VERSION => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    match message {
        Message::Request(id, request) => {
            let weight = if matches!(request, Request::Pull { .. }) { LONG_WEIGHT } else { 1 };
            match service.responder.respond(link.id, request) {
                Response::Now(reply) => {
                    let reply = Message::Reply(id, reply);
                    if link.reply(&reply).is_err() {
                        // Its lane is full; the other one need not wait with it.
                        let permit = permit(link, LONG_WEIGHT).await;
                        let link = Arc::clone(link);
                        in_work.spawn(async move {
                            link.reply_later(&reply).await;
                            drop(permit);
                        });
                    }
                    Ok(true)
                }
                Response::Later(reply) => {
                    let permit = permit(link, weight).await;
                    let link = Arc::clone(link);
                    in_work.spawn(async move {
                        link.reply_later(&Message::Reply(id, reply.await)).await;
                        drop(permit);
                    });
                    Ok(false)
                }
            }
        }
        Message::Reply(id, reply) => {
            match link.waiting.take(id) {
                Some(slot) => slot.answer(Ok(reply)),
                None => _ = link.late.fetch_add(1, Ordering::Relaxed),
            }
            Ok(false)
        }
        // Every stream begins with one, and that was it.
        Message::Notice(Notice::Hello(_)) => Ok(false),
        Message::Notice(notice) => {
            let _ = service.events.send(LinkEvent::Notice(link.id, notice)).await;
            Ok(false)
        }
    }
}

/// Waits while too many are in work: then nothing more is read. `None` at the end of everything.
async fn permit(link: &PeerLink, weight: u32) -> Option<OwnedSemaphorePermit> {
    let permit = Arc::clone(&link.in_work).try_acquire_many_owned(weight);
    if let Ok(permit) = permit {
        return Some(permit);
    }
    // What is answered so far must not wait with it.
    link.flush();
    Arc::clone(&link.in_work).acquire_many_owned(weight).await.ok()
}
