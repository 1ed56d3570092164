//! Messages off a stream (RFC 3261 §18.3, RFC 5626 §3.5.1): where one ends is known by its
//! Content-Length. Bytes come in pieces of any size; none is looked at twice. What takes too long, the
//! owner of the connection decides, who has a clock: see [`Framer::is_idle`].

use bytes::{Buf, Bytes, BytesMut};

use crate::message::grammar::number;
use crate::message::{HeaderName, MESSAGE_MAX, field_end, name_and_value};

/// Takes a stream apart.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// No end of a header begins before this.
    looked: usize,
    /// The length of the message whose header is complete.
    length: Option<usize>,
    broken: bool,
}

/// What comes off a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framed {
    /// A message, to be parsed.
    Message(Bytes),
    /// A keep-alive: to be answered with [`PONG`].
    Ping,
}

/// The answer to a keep-alive.
pub const PONG: &[u8] = b"\r\n";
const PING: &[u8] = b"\r\n\r\n";

/// Why nothing more can come off a stream: where the next message begins is not known. The connection
/// is to be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A message, or its header, is longer than any may be.
    #[error("a message on the stream is longer than {MESSAGE_MAX} bytes")]
    TooLong,
    /// A header has no Content-Length, or no good one. The header is given, so that a request can be
    /// refused (400) before the connection goes.
    #[error("a message on the stream does not say its length")]
    NoLength(Bytes),
}

impl Framer {
    /// At the beginning of a stream.
    pub fn new() -> Framer {
        Framer::default()
    }

    /// Adds what has come.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where to read into, instead of [`extend`](Framer::extend): append only. Whoever reads should take
    /// out all messages before reading on, so that it holds [`MESSAGE_MAX`] bytes and one read's more.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether no message has begun: a stream may be idle for long, but a message may not take long.
    pub fn is_idle(&self) -> bool {
        self.buffer.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// The next that is complete; `None` if more bytes have to come first, and forever after an error.
    ///
    /// # Errors
    /// [`FramingError`]: the connection is to be closed.
    pub fn next_frame(&mut self) -> Result<Option<Framed>, FramingError> {
        if self.broken {
            return Ok(None);
        }
        let next = self.next_or_break();
        if next.is_err() {
            self.broken = true;
            self.buffer = BytesMut::new();
        }
        next
    }

    fn next_or_break(&mut self) -> Result<Option<Framed>, FramingError> {
        if self.looked == 0 && self.between_messages() {
            return Ok(Some(Framed::Ping));
        }
        if self.looked == 0 && matches!(self.buffer.first(), None | Some(b'\r' | b'\n')) {
            return Ok(None);
        }
        if self.length.is_none() {
            let Some(header) = self.header_end() else {
                let endless = self.buffer.len() > MESSAGE_MAX;
                return if endless { Err(FramingError::TooLong) } else { Ok(None) };
            };
            let Some(body) = content_length(&self.buffer[..header]) else {
                return Err(FramingError::NoLength(self.buffer.split_to(header).freeze()));
            };
            let length = usize::try_from(body).ok().and_then(|body| header.checked_add(body));
            let length = length.filter(|length| *length <= MESSAGE_MAX);
            self.length = Some(length.ok_or(FramingError::TooLong)?);
        }
        match self.length {
            Some(length) if length <= self.buffer.len() => {
                (self.length, self.looked) = (None, 0);
                Ok(Some(Framed::Message(self.buffer.split_to(length).freeze())))
            }
            _ => Ok(None),
        }
    }

    /// Skips line ends before a message. Whether they were a ping. One line end alone may be half of
    /// one, and waits.
    fn between_messages(&mut self) -> bool {
        loop {
            if self.buffer.starts_with(PING) {
                self.buffer.advance(PING.len());
                return true;
            }
            let skip = match &self.buffer[..] {
                [b'\n', ..] => 1,
                [b'\r', b'\n', next, ..] if *next != b'\r' => 2,
                [b'\r', b'\n', b'\r', next, ..] if *next != b'\n' => 2,
                [b'\r', next, ..] if *next != b'\n' => 1,
                _ => return false,
            };
            self.buffer.advance(skip);
        }
    }

    /// Where the body begins: after the first empty line.
    fn header_end(&mut self) -> Option<usize> {
        while let Some(found) = memchr::memchr(b'\n', self.buffer.get(self.looked..)?) {
            let end = self.looked + found;
            match self.buffer.get(end + 1..).unwrap_or_default() {
                [b'\n', ..] => return Some(end + 2),
                [b'\r', b'\n', ..] => return Some(end + 3),
                // What follows has to come first.
                [] | [b'\r'] => {
                    self.looked = end;
                    return None;
                }
                _ => self.looked = end + 1,
            }
        }
        self.looked = self.buffer.len().max(1);
        None
    }
}

/// What the only Content-Length of a header says.
fn content_length(header: &[u8]) -> Option<u64> {
    let mut at = memchr::memchr(b'\n', header)? + 1;
    let mut length = None;
    while let Some(end) = field_end(header, at) {
        let line = &header[at..end];
        // `Content-Length` or `l`.
        if matches!(line[0], b'C' | b'c' | b'L' | b'l')
            && let Some((name, value)) = name_and_value(line)
            && HeaderName::of(name) == HeaderName::ContentLength
        {
            if length.is_some() {
                return None;
            }
            length = Some(number(value)?);
        }
        at = end;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, body: &str) -> String {
        format!("{name} sip:a SIP/2.0\r\nVia: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// All that comes off a stream that comes in pieces of a size.
    fn split(stream: &str, size: usize) -> (Vec<Framed>, Option<FramingError>) {
        let (mut framer, mut found) = (Framer::new(), Vec::new());
        for piece in stream.as_bytes().chunks(size) {
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

    #[test]
    fn messages_and_pings_come_off_in_pieces_of_any_size() {
        let (one, two) = (message("ONE", ""), message("TWO", "a body\r\n\r\nof TWO"));
        let folded = "BYE sip:a SIP/2.0\nl :\r\n\t3\n\nxyz";
        let stream = format!("\r\n{one}{two}\r\n\r\n\r\n{folded}\r\n\r\n\n\n{one}\r\n");
        let expected: Vec<_> = [&one, &two, "", folded, "", &one]
            .map(|text| match text {
                "" => Framed::Ping,
                text => Framed::Message(Bytes::copy_from_slice(text.as_bytes())),
            })
            .into();
        for size in [1, 2, 3, 5, 17, 64, 10_000] {
            assert_eq!(split(&stream, size), (expected.clone(), None), "{size}");
        }
    }

    #[test]
    fn a_stream_is_idle_between_messages_only() {
        let mut framer = Framer::new();
        assert!(framer.is_idle());
        framer.extend(b"\r\n");
        assert_eq!(framer.next_frame(), Ok(None));
        assert!(framer.is_idle());
        framer.extend(b"B");
        assert_eq!(framer.next_frame(), Ok(None));
        assert!(!framer.is_idle());
    }

    #[test]
    fn a_header_that_never_ends_is_too_long() {
        for endless in ["x".repeat(MESSAGE_MAX + 1), "a: b\r\n".repeat(MESSAGE_MAX / 6 + 1)] {
            for size in [1000, MESSAGE_MAX * 2] {
                assert_eq!(split(&endless, size), (vec![], Some(FramingError::TooLong)));
            }
        }
        let huge = "BYE sip:a SIP/2.0\r\nl: 65535\r\n\r\n";
        assert_eq!(split(huge, 7), (vec![], Some(FramingError::TooLong)));
        let beyond = "BYE sip:a SIP/2.0\r\nl: 99999999999999999999999\r\n\r\n";
        assert_eq!(split(beyond, 7), (vec![], Some(FramingError::TooLong)));
    }

    #[test]
    fn a_message_without_a_length_ends_the_stream_but_can_be_answered() {
        for length in ["", "l: x\r\n", "l: 1\r\nContent-Length: 1\r\n", "l: -1\r\n"] {
            let header = format!("BYE sip:a SIP/2.0\r\n{length}\r\n");
            let bytes = Bytes::copy_from_slice(header.as_bytes());
            assert_eq!(
                split(&header, 4),
                (vec![], Some(FramingError::NoLength(bytes))),
                "{length}"
            );
        }
        let mut framer = Framer::new();
        framer.extend(b"BYE sip:a SIP/2.0\r\n\r\n");
        assert!(framer.next_frame().is_err());
        framer.extend(message("ONE", "").as_bytes());
        assert_eq!(framer.next_frame(), Ok(None));
    }
}
