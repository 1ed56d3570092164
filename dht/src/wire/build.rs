//! Messages to frames.

use std::net::{IpAddr, SocketAddr};

use base::{Entry, EntryId, NodeId, Place, State};
use bytes::{BufMut, Bytes, BytesMut};
use prost::Message as _;

use super::frame::LENGTH_LEN;
use super::message::{
    Bye, Contact, Message, Notice, RangeAnswer, RangeQuery, Refusal, Reply, Request,
};
use super::schema::{self, Body, Empty};
use crate::prefix::Prefix;

/// Appends a message's frame to `out`; its length, the four bytes in front included.
pub(crate) fn encode(message: &Message, out: &mut BytesMut) -> usize {
    let (id, body) = match message {
        Message::Request(id, request) => (*id, request_body(request)),
        Message::Reply(id, reply) => (*id, reply_body(reply)),
        Message::Notice(notice) => (0, notice_body(notice)),
    };
    let frame = schema::Frame { id, body: Some(body) };
    let length = frame.encoded_len();
    out.reserve(LENGTH_LEN + length);
    // Listings are cut long before a frame could be this long.
    out.put_u32_le(u32::try_from(length).unwrap_or(u32::MAX));
    frame.encode_raw(out);
    LENGTH_LEN + length
}

fn request_body(request: &Request) -> Body {
    match request {
        Request::Get(get) => Body::Get(schema::Get {
            place: copy(get.place.as_bytes()),
            after: get.after.map(entry_id).unwrap_or_default(),
            until: get.until.map(entry_id).unwrap_or_default(),
            entries: u32::try_from(get.entries).unwrap_or(u32::MAX),
            bytes: u32::try_from(get.bytes).unwrap_or(u32::MAX),
        }),
        Request::Apply { place, entry, repair, room, quiet } => Body::Apply(schema::Apply {
            entry: Some(schema::Entry { place: copy(place.as_bytes()), ..self::entry(entry) }),
            repair: *repair,
            room: *room,
            quiet: *quiet,
        }),
        Request::Probe => Body::Probe(Empty {}),
        Request::ProbeFor(node) => Body::ProbeFor(node_id(node)),
        Request::Members { near } => {
            let near = near.map(|place| copy(place.as_bytes())).unwrap_or_default();
            Body::AskMembers(schema::AskMembers { near })
        }
        Request::Digests(queries) => Body::AskDigests(range_queries(queries)),
        Request::Pull(pull) => {
            let schema::Cursor { place, entry } = cursor(pull.after);
            let (have, want) = (pull.have.clone(), pull.want.clone());
            Body::Pull(schema::Pull { place, entry, ranges: ranges(&pull.ranges), have, want })
        }
        Request::Watch { places, lease_ms } => {
            Body::Watch(schema::Watch { places: self::places(places), lease_ms: *lease_ms })
        }
        Request::Claims { place, nonce } => {
            Body::AskClaims(schema::AskClaims { place: copy(place.as_bytes()), nonce: copy(nonce) })
        }
    }
}

fn reply_body(reply: &Reply) -> Body {
    match reply {
        Reply::Listed(listing) => Body::Listed(schema::Listed {
            entries: listing.entries.iter().map(entry).collect(),
            more: listing.more,
            complete: listing.complete,
        }),
        Reply::Applied => Body::Applied(Empty {}),
        Reply::Stale(version) => Body::Stale(version.number()),
        Reply::NotMine(closer) => Body::NotMine(contacts(closer)),
        Reply::Alive(digest) => Body::Alive(*digest),
        Reply::Members { contacts, settled, more } => {
            let contacts = self::contacts(contacts).contacts;
            Body::Members(schema::Members { contacts, settled: *settled, more: *more })
        }
        Reply::Heard => Body::Heard(Empty {}),
        Reply::Silent => Body::Silent(Empty {}),
        Reply::Pulled(pulled) => {
            let entries = pulled.entries.iter().map(|(place, entry)| schema::Entry {
                place: copy(place.as_bytes()),
                ..self::entry(entry)
            });
            Body::Pulled(schema::Pulled {
                entries: entries.collect(),
                next: pulled.next.map(|next| cursor(Some(next))),
            })
        }
        Reply::Digests(answers) => Body::Digests(range_answers(answers)),
        Reply::Watching => Body::Watching(Empty {}),
        Reply::Claims(report) => Body::Claims(report.to_bytes().into()),
        Reply::Refused { why, text } => {
            Body::Refused(schema::Refused { why: why.number(), text: text.clone() })
        }
    }
}

fn notice_body(notice: &Notice) -> Body {
    match notice {
        Notice::Hello(hello) => Body::Hello(schema::Hello {
            version: hello.version,
            oldest: hello.oldest,
            holds: hello.holds,
            start: hello.start,
        }),
        Notice::Bye(bye) => Body::Bye(schema::Bye { why: bye.number() }),
        Notice::Rumour(rumour) => {
            Body::Rumour(schema::Rumour { about: node_id(&rumour.about), gone: rumour.gone })
        }
        Notice::Changed(places) => Body::Changed(schema::Places { places: self::places(places) }),
    }
}

fn entry(entry: &Entry) -> schema::Entry {
    let remaining_ms = entry.remaining().as_millis();
    let (value, removed) = match entry.state() {
        State::Signed(signed) => {
            let signed = Some(signed.as_bytes().clone());
            return schema::Entry { remaining_ms, signed, ..schema::Entry::default() };
        }
        State::Live(value) => (Some(value.clone().into_bytes()), None),
        State::Removed(secret) => {
            let hash = copy(entry.id().value.as_bytes());
            let secret = secret.as_ref().map(|secret| copy(secret.as_bytes()));
            (None, Some(schema::Removed { hash, secret }))
        }
    };
    let tag = entry.id().tag;
    schema::Entry {
        version: entry.version().number(),
        remaining_ms,
        tag: if tag.is_none() { Bytes::new() } else { copy(tag.as_bytes()) },
        value,
        removed,
        place: Bytes::new(),
        signed: None,
    }
}

fn cursor(at: Option<(Place, EntryId)>) -> schema::Cursor {
    at.map_or_else(schema::Cursor::default, |(place, id)| schema::Cursor {
        place: copy(place.as_bytes()),
        entry: entry_id(id),
    })
}

fn range_queries(queries: &[RangeQuery]) -> schema::Ranges {
    let numbers = |of: fn(&RangeQuery) -> usize| {
        let any = queries.iter().any(|query| query.symbols > 0);
        let number = |query| u32::try_from(of(query)).unwrap_or(u32::MAX);
        queries.iter().filter(|_| any).map(number).collect()
    };
    schema::Ranges {
        ranges: queries.iter().map(|query| range(&query.range)).collect(),
        after: numbers(|query| query.after),
        symbols: numbers(|query| query.symbols),
    }
}

fn ranges(prefixes: &[Prefix]) -> Vec<schema::Range> {
    prefixes.iter().map(range).collect()
}

fn range(prefix: &Prefix) -> schema::Range {
    schema::Range {
        first: copy(&prefix.first().as_bytes()[..prefix.bits().div_ceil(8)]),
        bits: u32::try_from(prefix.bits()).unwrap_or(u32::MAX),
    }
}

fn range_answers(answers: &[RangeAnswer]) -> schema::Digests {
    let any = answers.iter().any(|answer| !answer.symbols.is_empty());
    let symbols = answers.iter().filter(|_| any);
    schema::Digests {
        counts: answers.iter().map(|answer| answer.digest.count).collect(),
        sums: words(answers.iter().map(|answer| answer.digest.sum)),
        symbols: symbols.map(|answer| words(answer.symbols.iter().copied())).collect(),
    }
}

fn words(words: impl ExactSizeIterator<Item = u128>) -> Bytes {
    let mut bytes = BytesMut::with_capacity(words.len() * 16);
    words.for_each(|word| bytes.put_u128_le(word));
    bytes.freeze()
}

fn places(places: &[Place]) -> Vec<Bytes> {
    places.iter().map(|place| copy(place.as_bytes())).collect()
}

fn contacts(contacts: &[Contact]) -> schema::Contacts {
    schema::Contacts { contacts: contacts.iter().map(contact).collect() }
}

fn contact(contact: &Contact) -> schema::Contact {
    let addresses = contact.addresses.iter().map(address).collect();
    schema::Contact { id: node_id(&contact.id), addresses }
}

fn address(address: &SocketAddr) -> Bytes {
    let mut bytes = BytesMut::with_capacity(18);
    match address.ip() {
        IpAddr::V4(ip) => bytes.put_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes.put_slice(&ip.octets()),
    }
    bytes.put_u16(address.port());
    bytes.freeze()
}

fn entry_id(id: EntryId) -> Bytes {
    copy(&id.to_bytes())
}

fn node_id(node: &NodeId) -> Bytes {
    Bytes::from(node.peer_id().to_bytes())
}

fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

impl Refusal {
    fn number(self) -> u32 {
        match self {
            Refusal::Failed => 0,
            Refusal::OverCapacity => 1,
            Refusal::Later => 2,
            Refusal::Malformed => 3,
            Refusal::Full => 4,
            Refusal::Taken => 5,
        }
    }

    /// An unknown reason, of a later version, is a failure.
    pub(super) fn from_number(number: u32) -> Refusal {
        match number {
            1 => Refusal::OverCapacity,
            2 => Refusal::Later,
            3 => Refusal::Malformed,
            4 => Refusal::Full,
            5 => Refusal::Taken,
            _ => Refusal::Failed,
        }
    }
}

impl Bye {
    fn number(self) -> u32 {
        match self {
            Bye::Leaving => 0,
            Bye::Full => 1,
        }
    }

    pub(super) fn from_number(number: u32) -> Bye {
        if number == 1 { Bye::Full } else { Bye::Leaving }
    }
}
