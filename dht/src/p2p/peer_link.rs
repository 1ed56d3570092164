//! One peer: its two lanes and what waits for its replies; and all of them by id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use base::NodeId;
use libp2p::PeerId;
use tokio::sync::{Semaphore, mpsc};

use super::command::Command;
use super::lane::{Full, Lane, Socket};
use super::waiting::Waiting;
use crate::link::{Lost, ReplySlot};
use crate::overlay::Pulse;
use crate::wire::{FRAME_MAX, Message, Notice, Refusal, Reply, Request, SMALL_MAX};

/// Bytes of frames that may wait on the small lane: at 1 Mbit/s two seconds, after which no asker
/// waits any more.
const SMALL_QUEUE_MAX: usize = 256 * 1024;
/// The same on the bulk lane: a few of the longest frames.
const BULK_QUEUE_MAX: usize = 2 * 1024 * 1024;
/// Requests of one peer that may be in work; no more of it is read until one is done.
const IN_WORK_MAX: usize = 256;
/// One whose reply waits for room, or may be as long as a frame, counts as so many of them: 32 of
/// those are 16 MiB.
pub(super) const LONG_WEIGHT: u32 = 8;
/// Bytes of a frame's length, which [`crate::wire`]'s limits leave out.
const LENGTH_LEN: usize = 4;

/// Which of a peer's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Small,
    Bulk,
}

/// A peer, from the first word meant for it until it is disconnected. What is sent before there is
/// a connection waits in its lanes.
pub(super) struct PeerLink {
    pub(super) id: NodeId,
    pub(super) pulse: Pulse,
    pub(super) waiting: Waiting,
    pub(super) in_work: Arc<Semaphore>,
    /// Replies that nobody waited for any more.
    pub(super) late: AtomicU64,
    small: Lane,
    bulk: Lane,
    bulk_asked_for: AtomicBool,
    commands: mpsc::Sender<Command>,
}

impl PeerLink {
    fn new(peer: PeerId, commands: mpsc::Sender<Command>) -> PeerLink {
        PeerLink {
            id: NodeId::from(peer),
            pulse: Pulse::default(),
            waiting: Waiting::default(),
            in_work: Arc::new(Semaphore::new(IN_WORK_MAX)),
            late: AtomicU64::new(0),
            small: Lane::new(SMALL_QUEUE_MAX),
            bulk: Lane::new(BULK_QUEUE_MAX),
            bulk_asked_for: AtomicBool::new(false),
            commands,
        }
    }

    /// Sends a request, now or when there is a connection.
    pub(super) fn ask(&self, request: Request, slot: ReplySlot) {
        let id = match self.waiting.add(slot) {
            Ok(id) => id,
            Err((slot, lost)) => return slot.answer(Err(lost)),
        };
        if self.queue(&Message::Request(id, request)).is_ok() {
            self.schedule();
        } else if let Some(slot) = self.waiting.take(id) {
            slot.answer(Err(Lost::Busy));
        }
    }

    /// Sends a notice, if there is a connection and room; whether it is on its way.
    pub(super) fn notify(&self, notice: Notice) -> bool {
        let queued = self.small.is_attached() && self.queue(&Message::Notice(notice)).is_ok();
        if queued {
            self.schedule();
        }
        queued
    }

    /// Queues a reply, to leave with the next [`flush`](PeerLink::flush).
    pub(super) fn reply(&self, reply: &Message) -> Result<(), Full> {
        self.queue(reply)
    }

    /// The same when there is room. After a while without any it is dropped: a peer that reads no
    /// replies needs none.
    pub(super) async fn reply_later(&self, reply: &Message) {
        while self.queue(reply).is_err() {
            self.schedule();
            for lane in [&self.small, &self.bulk] {
                if lane.room().await.is_err() {
                    tracing::debug!(peer = %self.id, "a reply is dropped: there is no room for it");
                    return;
                }
            }
        }
        self.schedule();
    }

    /// Writes what is queued on the small lane, in this thread. The bulk lane is always left to its
    /// stream's task.
    pub(super) fn flush(&self) {
        self.small.flush();
    }

    /// Has it written soon, with what others queue meanwhile.
    pub(super) fn schedule(&self) {
        self.small.schedule();
    }

    pub(super) fn lane(&self, kind: Kind) -> &Lane {
        match kind {
            Kind::Small => &self.small,
            Kind::Bulk => &self.bulk,
        }
    }

    /// Takes a stream; true if it now leaves by this one. A second bulk stream is only read: both
    /// sides may have opened one. The newest small stream is the one the other side still has.
    pub(super) fn attach(&self, kind: Kind, socket: &Arc<Socket>) {
        let lane = self.lane(kind);
        if kind == Kind::Bulk {
            self.bulk_asked_for.store(false, Ordering::Release);
            if lane.is_attached() {
                return;
            }
        }
        if lane.attach(Arc::clone(socket)) {
            self.waiting.fail_all();
        }
    }

    /// Lets go of a stream that ended. True if the lane has none now.
    pub(super) fn detach(&self, kind: Kind, socket: &Arc<Socket>) -> bool {
        let current = self.lane(kind).detach(socket);
        if current {
            self.waiting.fail_all();
        }
        current
    }

    pub(super) fn has_small(&self) -> bool {
        self.small.is_attached()
    }

    /// There is no connection yet: the next long frame asks for the stream again.
    pub(super) fn bulk_postponed(&self) {
        self.bulk_asked_for.store(false, Ordering::Release);
    }

    /// No bulk stream can be had: what waits for one is lost.
    pub(super) fn bulk_failed(&self) {
        self.bulk.clear();
        self.bulk_asked_for.store(false, Ordering::Release);
        self.waiting.fail_all();
    }

    /// Ends it, after what is queued has left.
    pub(super) fn finish(&self) {
        self.waiting.close();
        self.small.finish();
        self.bulk.finish();
    }

    /// Ends it now.
    pub(super) fn close(&self) {
        self.waiting.close();
        self.small.close();
        self.bulk.close();
    }

    /// Puts a message on the lane it belongs to.
    fn queue(&self, message: &Message) -> Result<(), Full> {
        let Some(frame) = self.small.push(message, SMALL_MAX + LENGTH_LEN)? else {
            return Ok(());
        };
        if frame.len() > FRAME_MAX + LENGTH_LEN {
            return self.queue_instead(message, frame.len());
        }
        self.bulk.push_frame(&frame)?;
        if self.bulk.is_attached() {
            self.bulk.schedule();
        } else if !self.bulk_asked_for.swap(true, Ordering::AcqRel)
            && self.commands.try_send(Command::OpenBulk(self.id.peer_id())).is_err()
        {
            self.bulk_asked_for.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Nothing this long can be sent: whoever made it did not keep to the limits.
    fn queue_instead(&self, message: &Message, length: usize) -> Result<(), Full> {
        tracing::error!(peer = %self.id, length, "a frame is too long to be sent");
        let Message::Reply(id, _) = message else { return Err(Full) };
        let text = "the reply would be too long".to_owned();
        let reply = Message::Reply(*id, Reply::Refused { why: Refusal::Failed, text });
        self.small.push(&reply, SMALL_MAX + LENGTH_LEN).map(drop)
    }
}

/// The peers by id.
pub(super) struct PeerLinks {
    by_id: RwLock<HashMap<PeerId, Arc<PeerLink>>>,
    commands: mpsc::Sender<Command>,
    closed: AtomicBool,
}

impl PeerLinks {
    pub(super) fn new(commands: mpsc::Sender<Command>) -> PeerLinks {
        PeerLinks { by_id: RwLock::default(), commands, closed: AtomicBool::new(false) }
    }

    pub(super) fn get(&self, peer: &PeerId) -> Option<Arc<PeerLink>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(peer).cloned()
    }

    /// The link to a peer, and whether it is new: then somebody must dial. `None` at the end.
    pub(super) fn get_or_create(&self, peer: PeerId) -> Option<(Arc<PeerLink>, bool)> {
        if let Some(link) = self.get(&peer) {
            return Some((link, false));
        }
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that none is added behind the back of `close`.
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        let mut created = false;
        let link = by_id.entry(peer).or_insert_with(|| {
            created = true;
            Arc::new(PeerLink::new(peer, self.commands.clone()))
        });
        Some((Arc::clone(link), created))
    }

    /// Takes it out; whoever asks from now on gets another one.
    pub(super) fn remove(&self, peer: &PeerId) -> Option<Arc<PeerLink>> {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).remove(peer)
    }

    /// Takes all out and lets none in any more.
    pub(super) fn close(&self) -> Vec<Arc<PeerLink>> {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::Release);
        by_id.drain().map(|(_, link)| link).collect()
    }

    pub(super) fn sweep(&self) {
        let links: Vec<_> = {
            let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
            by_id.values().cloned().collect()
        };
        for link in links {
            link.waiting.sweep();
        }
    }
}
