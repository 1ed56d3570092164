//! The first words on a stream: each side says hello.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Stream;

use super::substreams::OpenError;
use crate::wire::{FrameSplitter, Hello, Message, Notice, decode, encode};

/// How long greeting may take. Within a join's 5 s there is time for the connection and this.
const GREETING_MAX: Duration = Duration::from_secs(3);
/// No hello is longer.
const HELLO_MAX: usize = 1024;

/// A stream on which both sides have said hello.
pub(super) struct Greeted {
    pub(super) stream: Stream,
    pub(super) hello: Hello,
    /// With what has come behind it.
    pub(super) splitter: FrameSplitter,
}

/// Why a stream is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum GreetingError {
    /// It was not opened.
    #[error("{0}")]
    NotOpened(#[from] OpenError),
    /// It ended too early, or nothing came.
    #[error("{0}")]
    Broken(#[from] io::Error),
    /// What came is no hello.
    #[error("{0}")]
    Malformed(String),
}

/// Greets on a stream.
pub(super) async fn exchange(stream: Stream, hello: Hello) -> Result<Greeted, GreetingError> {
    let greeted = tokio::time::timeout(GREETING_MAX, greet(stream, hello));
    greeted.await.unwrap_or_else(|_| Err(GreetingError::Broken(io::ErrorKind::TimedOut.into())))
}

async fn greet(mut stream: Stream, hello: Hello) -> Result<Greeted, GreetingError> {
    let mut frame = BytesMut::new();
    encode(&Message::Notice(Notice::Hello(hello)), &mut frame);
    stream.write_all(&frame).await?;
    stream.flush().await?;

    let malformed = |text: &dyn ToString| GreetingError::Malformed(text.to_string());
    let mut splitter = FrameSplitter::new();
    let mut buffer = [0; HELLO_MAX];
    let mut read = 0;
    let frame = loop {
        if read >= HELLO_MAX {
            return Err(malformed(&"it does not begin with a hello"));
        }
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Err(GreetingError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        read += n;
        splitter.extend(&buffer[..n]);
        if let Some(frame) = splitter.next_frame().map_err(|error| malformed(&error))? {
            break frame;
        }
    };
    match decode(frame).map_err(|error| malformed(&error))? {
        Message::Notice(Notice::Hello(hello)) => Ok(Greeted { stream, hello, splitter }),
        _ => Err(malformed(&"it does not begin with a hello")),
    }
}
