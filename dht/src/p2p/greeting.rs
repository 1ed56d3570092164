//! The first words on a stream: each side says hello.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use libp2p_stream::{Control, OpenStreamError};

use crate::wire::{FrameSplitter, Hello, Message, Notice, decode, encode};

/// How long opening a stream and greeting may take: well within a join's 5 s.
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
    /// It ended too early, or nothing came. The other side drops streams that it has no time for.
    #[error("{0}")]
    Broken(#[from] io::Error),
    /// The other side does not know the protocol.
    #[error("it does not know {0}")]
    Unsupported(StreamProtocol),
    /// What came is no hello.
    #[error("{0}")]
    Malformed(String),
}

/// Opens a stream to a connected peer, and greets.
pub(super) async fn open(
    mut control: Control,
    peer: PeerId,
    protocol: StreamProtocol,
    hello: Hello,
) -> Result<Greeted, GreetingError> {
    let opened = tokio::time::timeout(GREETING_MAX, async {
        let stream = control.open_stream(peer, protocol).await.map_err(|error| match error {
            OpenStreamError::UnsupportedProtocol(protocol) => GreetingError::Unsupported(protocol),
            OpenStreamError::Io(error) => GreetingError::Broken(error),
            error => GreetingError::Broken(io::Error::other(error)),
        })?;
        exchange(stream, hello).await
    });
    opened.await.unwrap_or_else(|_| Err(too_late()))
}

/// Greets on a stream that the other side opened.
pub(super) async fn answer(stream: Stream, hello: Hello) -> Result<Greeted, GreetingError> {
    let exchanged = tokio::time::timeout(GREETING_MAX, exchange(stream, hello));
    exchanged.await.unwrap_or_else(|_| Err(too_late()))
}

async fn exchange(mut stream: Stream, hello: Hello) -> Result<Greeted, GreetingError> {
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

fn too_late() -> GreetingError {
    GreetingError::Broken(io::ErrorKind::TimedOut.into())
}
