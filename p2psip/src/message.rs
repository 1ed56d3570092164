//! Messages (RFC 3261 §7): the bytes as they came, an index of their header fields, and typed values on
//! demand.
//!
//! ```text
//!   bytes ── Message::parse ──► Message ── validate ──► from(), vias(), contacts() …
//!                                  │
//!                                  ├── Edit ────► the same bytes but for what a proxy changes
//!                                  └── Reply ───► a response to it
//! ```
//!
//! What came from outside goes through [`validate`] before anything is done with it: a message whose
//! structure is broken parses as long as it can be answered. No value is copied; what is handed out
//! points into the message.

mod accessors;
mod build;
mod contact;
mod credentials;
mod cseq;
mod edit;
pub(crate) mod grammar;
mod host;
mod index;
mod lines;
mod method;
mod name;
mod name_addr;
mod params;
mod status;
mod uri;
mod validate;
mod via;

use bytes::Bytes;

pub use accessors::BadField;
pub use build::{Reply, RequestBuilder, ack_for_failure, cancel_for};
pub use contact::{Contact, EXPIRES_IF_MALFORMED};
pub use credentials::Credentials;
pub use cseq::CSeq;
pub use edit::Edit;
pub use grammar::Malformed;
pub use host::Host;
pub use index::{Defect, FIELDS_MAX};
pub(crate) use index::{field_end, name_and_value};
pub use method::Method;
pub use name::HeaderName;
pub use name_addr::NameAddr;
pub use params::{Param, Params, UriParams};
pub use status::Status;
pub use uri::{Scheme, Uri};
pub use validate::{Abilities, Invalid, Rejection, check_as_proxy, check_as_server, validate};
pub use via::{MAGIC_COOKIE, Transport, Via, ViaMark};

use grammar::{is_token, number, text};
use index::{Entry, Span, index};

/// The largest message, in bytes: what a UDP datagram can hold, and what positions of 16 bits reach.
pub const MESSAGE_MAX: usize = 65_535;
/// The longest start line, in bytes: far more than any phone's, and short enough to be repeated.
pub const START_LINE_MAX: usize = 8192;
/// The one version of SIP there is.
pub const VERSION: &str = "SIP/2.0";

/// Why bytes are no SIP message, and not even one that could be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing but line ends: a keep-alive.
    #[error("it is empty")]
    Empty,
    /// Longer than [`MESSAGE_MAX`].
    #[error("it is longer than {MESSAGE_MAX} bytes")]
    TooLong,
    /// The first line is neither that of a request nor that of a response.
    #[error("its first line is none of SIP")]
    StartLine,
}

/// A request or a response.
#[derive(Debug, Clone)]
pub struct Message {
    bytes: Bytes,
    start: Start,
    header: usize,
    entries: Vec<Entry>,
    body: usize,
    defect: Option<Defect>,
}

#[derive(Debug, Clone, Copy)]
enum Start {
    Request { method: Span, uri: Span, version_known: bool },
    Response { status: Status, reason: Span },
}

/// One header field as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Which one it is.
    pub header: HeaderName,
    /// Its name as it was written.
    pub name: &'a str,
    /// Its value without white space around it; folds are in it as they came.
    pub value: &'a [u8],
}

impl Message {
    /// Finds the start line, the header fields and the body of a datagram, or of a message off a stream.
    /// Line ends before it and bytes after its body are dropped.
    ///
    /// # Errors
    /// [`ParseError`] for what nobody could answer. Whatever else is wrong [`validate`] tells.
    pub fn parse(mut bytes: Bytes) -> Result<Message, ParseError> {
        let skip = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
        let _ = bytes.split_to(skip.ok_or(ParseError::Empty)?);
        if bytes.len() > MESSAGE_MAX {
            return Err(ParseError::TooLong);
        }
        let first = &bytes[..bytes.len().min(START_LINE_MAX)];
        let header = memchr::memchr(b'\n', first).ok_or(ParseError::StartLine)? + 1;
        let line = bytes[..header].trim_suffix_line_end();
        let (start, start_defect) = if line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"SIP/") {
            (response_line(line)?, None)
        } else {
            request_line(line)?
        };
        let found = index(&bytes, header);
        let defect = start_defect.or(found.defect);
        let (entries, body) = (found.entries, found.body);
        let mut message = Message { bytes, start, header, entries, body, defect };
        message.cut_body();
        Ok(message)
    }

    /// Ends the message where Content-Length says; without one, where the bytes end.
    fn cut_body(&mut self) {
        match self.body_end() {
            Ok(end) => self.bytes.truncate(end),
            Err(wrong) => self.defect = self.defect.or(Some(wrong)),
        }
    }

    fn body_end(&self) -> Result<usize, Defect> {
        let mut lengths = self.fields_of(HeaderName::ContentLength).map(|field| field.value);
        let Some(length) = lengths.next() else { return Ok(self.bytes.len()) };
        let length = number(length).filter(|_| lengths.next().is_none());
        let length = length.ok_or(Defect::ContentLength)?;
        let end = usize::try_from(length).ok().and_then(|length| self.body.checked_add(length));
        end.filter(|end| *end <= self.bytes.len()).ok_or(Defect::ShortBody)
    }

    /// All of it.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What is wrong with its structure; [`validate`] makes a rejection of it.
    pub fn defect(&self) -> Option<Defect> {
        self.defect
    }

    /// Whether it is a request; else it is a response.
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method, of a request.
    pub fn method(&self) -> Option<Method<'_>> {
        match self.start {
            Start::Request { method, .. } => text(method.of(&self.bytes)).ok().map(Method::of),
            Start::Response { .. } => None,
        }
    }

    /// The Request-URI, whatever it is. Empty for a response.
    pub fn request_uri_bytes(&self) -> &[u8] {
        match self.start {
            Start::Request { uri, .. } => uri.of(&self.bytes),
            Start::Response { .. } => &[],
        }
    }

    /// The Request-URI, of a request.
    ///
    /// # Errors
    /// [`Malformed`], saying what is wrong with it.
    pub fn request_uri(&self) -> Result<Uri<'_>, Malformed> {
        Uri::from_bytes(self.request_uri_bytes())
    }

    /// The status, of a response.
    pub fn status(&self) -> Option<Status> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    /// The reason phrase of a response: any bytes, or none.
    pub fn reason(&self) -> &[u8] {
        match self.start {
            Start::Request { .. } => &[],
            Start::Response { reason, .. } => reason.of(&self.bytes),
        }
    }

    /// All header fields, in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.entries.iter().map(|entry| self.field(entry))
    }

    /// The header fields of one name, in their order. Of [`HeaderName::Other`]: all those.
    pub fn fields_of(&self, name: HeaderName) -> impl Iterator<Item = Field<'_>> {
        self.entries.iter().filter(move |entry| entry.name == name).map(|entry| self.field(entry))
    }

    /// The header fields of a name this crate does not know, in any case.
    pub fn fields_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Field<'a>> {
        let other = self.fields_of(HeaderName::Other);
        other.filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    /// The body, whatever it is.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body..]
    }

    /// A part of this message, sharing its memory: any value this message handed out may be kept so.
    ///
    /// # Panics
    /// If `part` is not a part of this message.
    pub fn keep(&self, part: &[u8]) -> Bytes {
        self.bytes.slice_ref(part)
    }

    fn field(&self, entry: &Entry) -> Field<'_> {
        let name = Span { start: entry.line, end: entry.name_end }.of(&self.bytes);
        // A name is a token, and so ASCII.
        let name = text(name).unwrap_or_default();
        Field { header: entry.name, name, value: entry.value.of(&self.bytes) }
    }

    fn is_of_known_version(&self) -> bool {
        !matches!(self.start, Start::Request { version_known: false, .. })
    }
}

trait LineEnd {
    fn trim_suffix_line_end(&self) -> &[u8];
}

impl LineEnd for [u8] {
    fn trim_suffix_line_end(&self) -> &[u8] {
        let line = self.strip_suffix(b"\n").unwrap_or(self);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// `METHOD SP Request-URI SP SIP-Version`. What stands between the first and the last word is the URI,
/// so that a request with a broken one can be told so.
fn request_line(line: &[u8]) -> Result<(Start, Option<Defect>), ParseError> {
    let clean = line.trim_ascii_end();
    let first = memchr::memchr(b' ', clean).ok_or(ParseError::StartLine)?;
    let last = memchr::memrchr(b' ', clean).ok_or(ParseError::StartLine)?;
    let version = &clean[last + 1..];
    let is_version = version.len() > 4 && version[..4].eq_ignore_ascii_case(b"SIP/");
    if !is_token(&clean[..first]) || !is_version {
        return Err(ParseError::StartLine);
    }
    let uri = clean.get(first + 1..last).unwrap_or_default();
    let spaced = clean.len() < line.len() || uri.iter().any(|byte| byte.is_ascii_whitespace());
    let start = Start::Request {
        method: Span::new(0, first),
        uri: Span::new(first + 1, (first + 1).max(last)),
        version_known: version.eq_ignore_ascii_case(VERSION.as_bytes()),
    };
    Ok((start, spaced.then_some(Defect::StartLine)))
}

/// `SIP-Version SP Status-Code SP Reason-Phrase`; the last space is missing at times.
fn response_line(line: &[u8]) -> Result<Start, ParseError> {
    let after = line.get(VERSION.len()..).and_then(|rest| rest.strip_prefix(b" "));
    let after = after.filter(|_| line[..VERSION.len()].eq_ignore_ascii_case(VERSION.as_bytes()));
    let (code, reason) = after.and_then(|a| a.split_at_checked(3)).ok_or(ParseError::StartLine)?;
    if !matches!(reason, [] | [b' ', ..]) {
        return Err(ParseError::StartLine);
    }
    let code = number(code).and_then(|code| u16::try_from(code).ok());
    let status = code.and_then(Status::new).ok_or(ParseError::StartLine)?;
    let start = line.len() - reason.len().saturating_sub(1);
    Ok(Start::Response { status, reason: Span::new(start, line.len()) })
}

#[cfg(test)]
mod tests;
