//! A stream that gives up on a peer that takes nothing of what is written to it, or next to nothing.
//!
//! Without it, whoever asks for large replies and never reads them holds a connection, and the
//! reply in memory, for as long as the peer's system stays up; and so does who reads a byte now and
//! then.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes a second at which a peer may read for as long as it likes: the pace at which a body may
/// just be sent. A reply of 1 MiB takes 40 s at it.
const PACE: u32 = 26_000;

/// A stream whose writes fail when the peer has kept them waiting too long: `patience` at a time, and
/// altogether so much longer than it takes at [`PACE`].
pub(super) struct Stalling<S> {
    stream: S,
    patience: Duration,
    /// How far the peer is behind the pace.
    behind: Duration,
    /// Set while a write waits: since when, and until when it may.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Stalling<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Stalling<S> {
        Stalling { stream, patience, behind: Duration::ZERO, waiting: None }
    }

    /// Passes a write's result on, or fails it if it has waited too long.
    fn watch<T: Copy>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        bytes: impl Fn(T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(result) = &written {
            if let Some((since, _)) = self.waiting.take() {
                self.behind += since.elapsed();
            }
            if let Ok(moved) = result
                && !self.behind.is_zero()
            {
                let moved = u32::try_from(bytes(*moved)).unwrap_or(u32::MAX);
                self.behind = self.behind.saturating_sub(Duration::from_secs(1) * moved / PACE);
            }
            return written;
        }
        let left = self.patience.saturating_sub(self.behind);
        let (_, deadline) = self.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + left)))
        });
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer hardly reads")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written, |bytes| bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, written, |bytes| bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, flushed, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_never_reads_is_given_up() {
        let (ours, _theirs) = duplex(16);
        let mut stream = Stalling::new(ours, PATIENCE);
        let error = stream.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_at_a_pace_is_waited_for() {
        let (ours, mut theirs) = duplex(16 * 1024);
        let mut stream = Stalling::new(ours, PATIENCE);
        let reading = tokio::spawn(async move {
            let mut piece = vec![0; 64 * 1024];
            for _ in 0..16 {
                tokio::time::sleep(Duration::from_secs(2)).await;
                theirs.read_exact(&mut piece).await.unwrap();
            }
        });
        stream.write_all(&vec![0; 1024 * 1024]).await.unwrap();
        reading.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_a_byte_now_and_then_is_given_up() {
        let (ours, mut theirs) = duplex(16);
        let mut stream = Stalling::new(ours, PATIENCE);
        let reading = tokio::spawn(async move {
            let mut byte = [0; 1];
            while theirs.read_exact(&mut byte).await.is_ok() {
                tokio::time::sleep(PATIENCE * 2 / 5).await;
            }
        });
        let began = Instant::now();
        let error = stream.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < PATIENCE * 2);
        drop(stream);
        reading.await.unwrap();
    }
}
