//! What waits to leave for a peer on one of its two streams.
//!
//! Whoever has a frame appends it, and the task that serves the stream ([`Lane::drive`]) writes all
//! that has gathered when it comes to it. Writing at once, in the appender's thread, saves that task's
//! turn, but then every request is a packet of its own: measured, that halves the throughput.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures::{AsyncRead, AsyncWrite};
use libp2p::Stream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::wire::{Message, encode};

/// How long a reply waits for room: longer than anybody waits for the reply.
const ROOM_MAX: Duration = Duration::from_secs(10);
/// A buffer that grew beyond this is given back when it is empty: there are hundreds of lanes.
const BUFFER_KEPT: usize = 64 * 1024;

/// A stream that one task reads while others write.
pub(super) struct Socket(Mutex<Stream>);

impl Socket {
    pub(super) fn new(stream: Stream) -> Arc<Socket> {
        Arc::new(Socket(Mutex::new(stream)))
    }

    /// Reads what is there; 0 at the end.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        std::future::poll_fn(|context| Pin::new(&mut *self.lock()).poll_read(context, buffer)).await
    }

    fn lock(&self) -> MutexGuard<'_, Stream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// A queue of bytes, whole frames, and the stream they leave by, when there is one.
pub(super) struct Lane {
    outgoing: Mutex<Outgoing>,
    /// Most bytes that may wait.
    limit: usize,
    /// Somebody waits for room.
    room: Notify,
}

#[derive(Default)]
struct Outgoing {
    buffer: BytesMut,
    socket: Option<Arc<Socket>>,
    /// Of the task that serves the stream.
    driver: Option<Waker>,
    /// The driver will look.
    scheduled: bool,
    unflushed: bool,
    /// Since when the stream takes nothing of what waits.
    stuck: Option<Instant>,
    /// The stream's writing side is closed once all has left.
    finishing: bool,
    closed: bool,
    awaited: bool,
}

impl Lane {
    pub(super) fn new(limit: usize) -> Lane {
        Lane { outgoing: Mutex::default(), limit, room: Notify::new() }
    }

    /// Appends a message, to leave with the next [`flush`](Lane::flush). One whose frame is longer
    /// than `longest` is not for this lane and comes back as a frame.
    pub(super) fn push(&self, message: &Message, longest: usize) -> Result<Option<BytesMut>, Full> {
        let mut outgoing = self.lock();
        let before = outgoing.buffer.len();
        outgoing.check(self.limit)?;
        let length = encode(message, &mut outgoing.buffer);
        if length > longest {
            return Ok(Some(outgoing.buffer.split_off(before)));
        }
        Ok(None)
    }

    /// Appends a frame.
    pub(super) fn push_frame(&self, frame: &[u8]) -> Result<(), Full> {
        let mut outgoing = self.lock();
        outgoing.check(self.limit)?;
        outgoing.buffer.extend_from_slice(frame);
        Ok(())
    }

    /// Waits until there is room again, but not for long.
    pub(super) async fn room(&self) -> Result<(), Full> {
        let room = self.room.notified();
        tokio::pin!(room);
        room.as_mut().enable();
        {
            let mut outgoing = self.lock();
            if outgoing.closed {
                return Err(Full);
            }
            if outgoing.buffer.len() < self.limit {
                return Ok(());
            }
            outgoing.awaited = true;
        }
        tokio::time::timeout(ROOM_MAX, room).await.map_err(|_| Full)
    }

    /// Has what waits written soon, with all that is appended until then.
    pub(super) fn schedule(&self) {
        let mut outgoing = self.lock();
        if std::mem::replace(&mut outgoing.scheduled, true) {
            return;
        }
        if let Some(driver) = outgoing.driver.clone() {
            drop(outgoing);
            driver.wake();
        }
    }

    /// Writes what the stream takes.
    pub(super) fn flush(&self) {
        let mut outgoing = self.lock();
        let Some(driver) = outgoing.driver.clone() else { return };
        let was_stuck = outgoing.stuck.is_some();
        match outgoing.write(&mut Context::from_waker(&driver)) {
            Poll::Ready(Ok(())) => self.tell_of_room(&mut outgoing),
            // The driver sees the same error, and ends.
            Poll::Ready(Err(_)) => driver.wake(),
            // It has to look at the time from now on.
            Poll::Pending if !was_stuck && outgoing.stuck.is_some() => driver.wake(),
            Poll::Pending => {}
        }
    }

    /// Writes what others left, for as long as this is the lane's stream; ends with its error, or
    /// with [`io::ErrorKind::TimedOut`] when the stream takes nothing for as long as `patience`.
    pub(super) async fn drive(&self, socket: &Arc<Socket>, patience: Duration) -> io::Error {
        let mut alarm = pin!(sleep(patience));
        std::future::poll_fn(|context| {
            let mut outgoing = self.lock();
            if !outgoing.socket.as_ref().is_some_and(|current| Arc::ptr_eq(current, socket)) {
                return Poll::Pending;
            }
            outgoing.scheduled = false;
            match &mut outgoing.driver {
                Some(driver) => driver.clone_from(context.waker()),
                driver @ None => *driver = Some(context.waker().clone()),
            }
            match outgoing.write(context) {
                Poll::Ready(Ok(())) => self.tell_of_room(&mut outgoing),
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => {
                    let Some(stuck) = outgoing.stuck else { return Poll::Pending };
                    alarm.as_mut().reset(stuck + patience);
                    ready!(alarm.as_mut().poll(context));
                    return Poll::Ready(io::ErrorKind::TimedOut.into());
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Takes this stream from now on. True if it had another one: what waited for that one, part of
    /// it perhaps on its way, is dropped.
    pub(super) fn attach(&self, socket: Arc<Socket>) -> bool {
        let mut outgoing = self.lock();
        let replaced = outgoing.socket.replace(socket).is_some();
        // The new stream's task drives it when it starts.
        outgoing.driver = None;
        outgoing.unflushed = false;
        outgoing.stuck = None;
        if replaced {
            outgoing.buffer.clear();
        }
        replaced
    }

    /// Lets go of a stream, if it is this lane's.
    pub(super) fn detach(&self, socket: &Arc<Socket>) -> bool {
        let mut outgoing = self.lock();
        let current = outgoing.socket.as_ref().is_some_and(|current| Arc::ptr_eq(current, socket));
        if current {
            outgoing.socket = None;
            outgoing.driver = None;
            outgoing.buffer.clear();
            self.tell_of_room(&mut outgoing);
        }
        current
    }

    pub(super) fn is_attached(&self) -> bool {
        self.lock().socket.is_some()
    }

    /// Drops what waits for a stream.
    pub(super) fn clear(&self) {
        self.lock().buffer.clear();
    }

    /// Closes the stream for writing when all has left. Nothing can be appended any more.
    pub(super) fn finish(&self) {
        {
            let mut outgoing = self.lock();
            outgoing.closed = true;
            outgoing.finishing = true;
            self.tell_of_room(&mut outgoing);
        }
        self.flush();
    }

    /// Drops what waits, and the stream.
    pub(super) fn close(&self) {
        let mut outgoing = self.lock();
        outgoing.closed = true;
        outgoing.buffer = BytesMut::new();
        outgoing.driver = None;
        self.tell_of_room(&mut outgoing);
        let socket = outgoing.socket.take();
        drop(outgoing);
        drop(socket);
    }

    fn tell_of_room(&self, outgoing: &mut Outgoing) {
        if std::mem::take(&mut outgoing.awaited) {
            self.room.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outgoing {
    fn check(&self, limit: usize) -> Result<(), Full> {
        if self.closed || self.buffer.len() >= limit { Err(Full) } else { Ok(()) }
    }

    /// Ready when all has left.
    fn write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = self.write_some(context);
        if written.is_ready() {
            self.stuck = None;
        } else if !self.buffer.is_empty() {
            self.stuck.get_or_insert_with(Instant::now);
        }
        written
    }

    fn write_some(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(socket) = &self.socket else { return Poll::Pending };
        let mut stream = socket.lock();
        while !self.buffer.is_empty() {
            let written = ready!(Pin::new(&mut *stream).poll_write(context, &self.buffer))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.buffer.advance(written);
            self.stuck = None;
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut *stream).poll_flush(context))?;
            self.unflushed = false;
            if self.buffer.capacity() > BUFFER_KEPT {
                self.buffer = BytesMut::new();
            }
        }
        if self.finishing {
            ready!(Pin::new(&mut *stream).poll_close(context))?;
            self.finishing = false;
        }
        Poll::Ready(Ok(()))
    }
}
