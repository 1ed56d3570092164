//! The protobuf schema of a frame, as `prost` derives it. Fields are only ever added: a reader skips
//! those it does not know. `docs/reference/wire.md` shows it in protobuf's own language.

use bytes::Bytes;
use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Frame {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(
        oneof = "Body",
        tags = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27"
    )]
    pub(super) body: Option<Body>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Body {
    #[prost(message, tag = "2")]
    Get(Get),
    #[prost(message, tag = "3")]
    Listed(Listed),
    #[prost(message, tag = "4")]
    Apply(Apply),
    #[prost(message, tag = "5")]
    Applied(Empty),
    #[prost(uint64, tag = "6")]
    Stale(u64),
    #[prost(message, tag = "7")]
    NotMine(Contacts),
    #[prost(message, tag = "8")]
    Probe(Empty),
    #[prost(fixed64, tag = "9")]
    Alive(u64),
    #[prost(bytes = "bytes", tag = "10")]
    ProbeFor(Bytes),
    #[prost(message, tag = "11")]
    Silent(Empty),
    #[prost(message, tag = "12")]
    Pull(Pull),
    #[prost(message, tag = "13")]
    Pulled(Pulled),
    #[prost(message, tag = "14")]
    Refused(Refused),
    #[prost(message, tag = "15")]
    Hello(Hello),
    #[prost(message, tag = "16")]
    Bye(Bye),
    #[prost(message, tag = "17")]
    Rumour(Rumour),
    #[prost(message, tag = "18")]
    Heard(Empty),
    #[prost(message, tag = "19")]
    AskMembers(AskMembers),
    #[prost(message, tag = "20")]
    Members(Members),
    #[prost(message, tag = "21")]
    AskDigests(Ranges),
    #[prost(message, tag = "22")]
    Digests(Digests),
    #[prost(message, tag = "23")]
    Watch(Watch),
    #[prost(message, tag = "24")]
    Watching(Empty),
    #[prost(message, tag = "25")]
    Changed(Places),
    #[prost(message, tag = "26")]
    AskClaims(AskClaims),
    #[prost(bytes = "bytes", tag = "27")]
    Claims(Bytes),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AskMembers {
    /// Empty for where the asker lies.
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) near: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Get {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) place: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) after: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) until: Bytes,
    #[prost(uint32, tag = "4")]
    pub(super) entries: u32,
    #[prost(uint32, tag = "5")]
    pub(super) bytes: u32,
}

/// Exactly one of `value`, `removed` and `signed` is there; with `signed` neither version nor tag is, as
/// it says them itself. The hash of a value that is there is not sent: who
/// reads the value makes it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    #[prost(uint64, tag = "1")]
    pub(super) version: u64,
    #[prost(uint64, tag = "2")]
    pub(super) remaining_ms: u64,
    /// Empty for none.
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) tag: Bytes,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(super) value: Option<Bytes>,
    #[prost(message, optional, tag = "5")]
    pub(super) removed: Option<Removed>,
    /// Where an entry stands alone.
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) place: Bytes,
    #[prost(bytes = "bytes", optional, tag = "7")]
    pub(super) signed: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Removed {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) hash: Bytes,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(super) secret: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Listed {
    #[prost(message, repeated, tag = "1")]
    pub(super) entries: Vec<Entry>,
    #[prost(bool, tag = "2")]
    pub(super) more: bool,
    #[prost(bool, tag = "3")]
    pub(super) complete: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Apply {
    #[prost(message, optional, tag = "1")]
    pub(super) entry: Option<Entry>,
    #[prost(bool, tag = "2")]
    pub(super) repair: bool,
    #[prost(uint32, optional, tag = "3")]
    pub(super) room: Option<u32>,
    #[prost(bool, tag = "4")]
    pub(super) quiet: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Contacts {
    #[prost(message, repeated, tag = "1")]
    pub(super) contacts: Vec<Contact>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Members {
    #[prost(message, repeated, tag = "1")]
    pub(super) contacts: Vec<Contact>,
    #[prost(bool, tag = "2")]
    pub(super) settled: bool,
    #[prost(bool, tag = "3")]
    pub(super) more: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Contact {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) id: Bytes,
    /// Each 4 or 16 bytes of address, then the port, big-endian.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(super) addresses: Vec<Bytes>,
}

/// Both empty for the beginning, or the end.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Cursor {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) place: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) entry: Bytes,
}

/// The first bits of places: as many bytes as they take, the rest of the last one zero.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Range {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) first: Bytes,
    #[prost(uint32, tag = "2")]
    pub(super) bits: u32,
}

/// For each range, or for none, which symbols of its sketch are wanted too: how many, and after how many.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Ranges {
    #[prost(message, repeated, tag = "1")]
    pub(super) ranges: Vec<Range>,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) after: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    pub(super) symbols: Vec<u32>,
}

/// A count for each range, and as many sums of 16 bytes, little-endian; and as many rows of symbols of 16
/// bytes, little-endian, or none.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Digests {
    #[prost(uint64, repeated, tag = "1")]
    pub(super) counts: Vec<u64>,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) sums: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(super) symbols: Vec<Bytes>,
}

/// `place` and `entry` as in [`Cursor`]. No range means everywhere.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Pull {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) place: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) entry: Bytes,
    #[prost(message, repeated, tag = "3")]
    pub(super) ranges: Vec<Range>,
    #[prost(fixed64, repeated, tag = "4")]
    pub(super) have: Vec<u64>,
    #[prost(fixed64, repeated, tag = "5")]
    pub(super) want: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Places {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) places: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Watch {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) places: Vec<Bytes>,
    #[prost(uint32, tag = "2")]
    pub(super) lease_ms: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AskClaims {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) place: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) nonce: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Pulled {
    #[prost(message, repeated, tag = "1")]
    pub(super) entries: Vec<Entry>,
    #[prost(message, optional, tag = "2")]
    pub(super) next: Option<Cursor>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Refused {
    #[prost(uint32, tag = "1")]
    pub(super) why: u32,
    #[prost(string, tag = "2")]
    pub(super) text: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Hello {
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    #[prost(uint32, tag = "2")]
    pub(super) oldest: u32,
    #[prost(bool, tag = "3")]
    pub(super) holds: bool,
    #[prost(fixed64, tag = "4")]
    pub(super) start: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Bye {
    #[prost(uint32, tag = "1")]
    pub(super) why: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Rumour {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) about: Bytes,
    #[prost(bool, tag = "2")]
    pub(super) gone: bool,
}
