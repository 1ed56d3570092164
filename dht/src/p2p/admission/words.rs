//! What is said on an admission stream.
//!
//! ```text
//! preamble  multistream-select's header, then the protocol's name: each as length, text, newline
//! Offer     1 │ share, 33 bytes
//! Counter   2 │ share, 33 bytes │ proof, 32 bytes
//! Proof     3 │ proof, 32 bytes
//! Refusal   0 │ why, 1 byte
//! ```
//!
//! Both sides begin with the preamble, so that a node without a passphrase, for which the stream is one
//! like any other, understands it. The kind of a message says how long it is: no length comes from the
//! other side, and nothing is allocated.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;

use super::proof::{PROOF_LEN, Proof, SHARE_LEN, Share};
use crate::link::PassphraseMismatch;

/// What a stream for admission is called.
pub(in crate::p2p) const ADMISSION: StreamProtocol = StreamProtocol::new("/scope/admission/1");
/// As each stream of `libp2p` begins.
const HEADER: &[u8; 20] = b"\x13/multistream/1.0.0\n";
/// The protocol's name, as it is proposed and accepted.
const NAME: &[u8; 20] = b"\x13/scope/admission/1\n";
/// Longest name of a protocol that is looked at; those of `libp2p` are not half as long.
const NAME_MAX: usize = 127;
/// What is read at once while nothing is expected but the end.
const DRAIN: usize = 64;

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    Offer(Share),
    Counter(Share, Proof),
    Proof(Proof),
    /// In the words of whoever says it.
    Refusal(PassphraseMismatch),
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Whoever is there speaks `libp2p`, and no admission.
    #[error("it knows no admission")]
    Stranger,
    #[error("{0}")]
    Garbage(&'static str),
}

/// Says the first thing of all on a stream, preamble and all, at once.
pub(super) async fn greet(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &Message,
) -> io::Result<()> {
    stream.write_all(&[HEADER.as_slice(), NAME, &encode(message)].concat()).await?;
    stream.flush().await
}

/// Reads the other side's preamble.
pub(super) async fn read_preamble(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), ReadError> {
    let mut header = [0; HEADER.len()];
    stream.read_exact(&mut header).await?;
    if header != *HEADER {
        return Err(ReadError::Garbage("it does not begin as streams do"));
    }
    let mut name = [0; NAME_MAX + 1];
    stream.read_exact(&mut name[..1]).await?;
    let length = usize::from(name[0]);
    if length == 0 || length > NAME_MAX {
        return Err(ReadError::Garbage("it names no protocol"));
    }
    stream.read_exact(&mut name[1..=length]).await?;
    if name[..=length] == *NAME { Ok(()) } else { Err(ReadError::Stranger) }
}

/// Says something more.
pub(super) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &Message,
) -> io::Result<()> {
    stream.write_all(&encode(message)).await?;
    stream.flush().await
}

/// Reads what the other side says.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Message, ReadError> {
    Ok(match array::<1>(stream).await? {
        [1] => Message::Offer(array(stream).await?),
        [2] => Message::Counter(array(stream).await?, array(stream).await?),
        [3] => Message::Proof(array(stream).await?),
        [0] => match array::<1>(stream).await? {
            [1] => Message::Refusal(PassphraseMismatch::Different),
            [2] => Message::Refusal(PassphraseMismatch::OursMissing),
            [3] => Message::Refusal(PassphraseMismatch::TheirsMissing),
            [4] => Message::Refusal(PassphraseMismatch::TooManyTries),
            _ => return Err(ReadError::Garbage("it refuses for a reason unknown")),
        },
        _ => return Err(ReadError::Garbage("it says something unknown")),
    })
}

/// Says that nothing more comes.
pub(super) async fn finish(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    stream.close().await
}

/// Reads, and drops, what comes until the end.
pub(super) async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = [0; DRAIN];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

fn encode(message: &Message) -> Vec<u8> {
    match message {
        Message::Offer(share) => [&[1], share.as_slice()].concat(),
        Message::Counter(share, proof) => [&[2], share.as_slice(), proof].concat(),
        Message::Proof(proof) => [&[3], proof.as_slice()].concat(),
        Message::Refusal(why) => {
            let why = match why {
                PassphraseMismatch::Different => 1,
                PassphraseMismatch::OursMissing => 2,
                PassphraseMismatch::TheirsMissing => 3,
                PassphraseMismatch::TooManyTries => 4,
            };
            vec![0, why]
        }
    }
}

async fn array<const N: usize>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

const _: () = assert!(SHARE_LEN == 33 && PROOF_LEN == 32, "the picture above says so");

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::io::Cursor;

    use super::*;

    fn read_all(mut bytes: &[u8]) -> Result<Message, ReadError> {
        read(&mut bytes).now_or_never().expect("bytes are there at once")
    }

    #[test]
    fn what_is_said_is_what_is_understood() {
        let (share, proof) = ([7; SHARE_LEN], [9; PROOF_LEN]);
        let refusals = [
            PassphraseMismatch::Different,
            PassphraseMismatch::OursMissing,
            PassphraseMismatch::TheirsMissing,
            PassphraseMismatch::TooManyTries,
        ];
        let said = [Message::Offer(share), Message::Counter(share, proof), Message::Proof(proof)];
        for message in said.into_iter().chain(refusals.map(Message::Refusal)) {
            assert_eq!(read_all(&encode(&message)).unwrap(), message);
        }
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_not_understood() {
        let whole = encode(&Message::Counter([7; SHARE_LEN], [9; PROOF_LEN]));
        for length in 0..whole.len() {
            assert!(matches!(read_all(&whole[..length]), Err(ReadError::Io(_))), "{length}");
        }
        for bytes in [&[4][..], &[255; 100], &[0, 0], &[0, 5]] {
            assert!(matches!(read_all(bytes), Err(ReadError::Garbage(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_preamble_is_told_from_another_protocol_and_from_garbage() {
        let read = |bytes: &[u8]| {
            let mut stream = Cursor::new(bytes.to_vec());
            read_preamble(&mut stream).now_or_never().expect("bytes are there at once")
        };
        let mut greeting = Cursor::new(Vec::new());
        let refusal = Message::Refusal(PassphraseMismatch::Different);
        greet(&mut greeting, &refusal).now_or_never().unwrap().unwrap();
        assert!(read(greeting.get_ref()).is_ok());
        for other in [&b"\x0f/ipfs/id/1.0.0\n"[..], b"\x03na\n"] {
            let stream = [HEADER.as_slice(), other].concat();
            assert!(matches!(read(&stream), Err(ReadError::Stranger)));
        }
        for garbage in [&b"GET / HTTP/1.1\r\nHost: x\r\n"[..], b"\x13/multistream/1.0.0\n\xff\xff"]
        {
            assert!(matches!(read(garbage), Err(ReadError::Garbage(_))));
        }
        assert!(matches!(read(b"\x13/multistream"), Err(ReadError::Io(_))));
    }
}
