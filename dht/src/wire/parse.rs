//! Frames to messages: the edge at which everything is checked.

use std::net::{IpAddr, SocketAddr};

use base::{
    Entry, EntryId, Lifetime, NodeId, Place, Report, Secret, SecretTag, Signed, State, Value,
    ValueHash, Version,
};
use bytes::Bytes;
use libp2p_identity::PeerId;
use prost::Message as _;

use super::lists;
use super::message::{
    Bye, Contact, Get, Hello, Listing, Message, Notice, Pull, Pulled, RangeAnswer, RangeQuery,
    Refusal, Reply, Request, Rumour,
};
use super::schema::{self, Body};
use super::{
    ADDRESSES_MAX, ENTRIES_MAX, HAVE_MAX, MEMBERS_MAX, MESSAGE_SYMBOLS_MAX, PLACES_MAX, RANGES_MAX,
    REFERRAL_MAX, TEXT_MAX,
};
use crate::prefix::{BITS, Prefix};
use crate::sketch::{SYMBOL_LEN, SYMBOLS_MAX};
use crate::store::Digest;

/// What is wrong with a frame. Whoever sent it does not speak the protocol, or lies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// The length in front.
    #[error("a frame says it has {0} bytes")]
    Length(usize),
    /// It is no protobuf message.
    #[error("a frame is not a message: {0}")]
    Schema(String),
    /// A field does not hold what it must.
    #[error("a frame's {field} is wrong: {detail}")]
    Field {
        /// Which one.
        field: &'static str,
        /// In what way.
        detail: String,
    },
    /// It is of a kind this version does not know.
    #[error("a frame carries nothing this version knows")]
    Unknown,
}

type Parsed<T> = Result<T, WireError>;

/// Reads a frame.
///
/// # Errors
/// [`WireError`], naming the field.
pub(crate) fn decode(frame: Bytes) -> Parsed<Message> {
    if !lists::are_bounded(&frame) {
        return Err(wrong("list", "it has more elements than any list may"));
    }
    let frame =
        schema::Frame::decode(frame).map_err(|error| WireError::Schema(error.to_string()))?;
    let id = frame.id;
    let request = |request| Ok(Message::Request(id, request));
    let reply = |reply| Ok(Message::Reply(id, reply));
    let notice = |notice| Ok(Message::Notice(notice));
    match frame.body.ok_or(WireError::Unknown)? {
        Body::Get(body) => request(Request::Get(get(&body)?)),
        Body::Apply(body) => request(apply(body)?),
        Body::Probe(_) => request(Request::Probe),
        Body::ProbeFor(node) => request(Request::ProbeFor(node_id("node", &node)?)),
        Body::AskDigests(body) => request(Request::Digests(range_queries(&body)?)),
        Body::Pull(body) => request(Request::Pull(pull(body)?)),
        Body::Watch(body) => {
            let places = places(&body.places)?;
            request(Request::Watch { places, lease_ms: body.lease_ms })
        }
        Body::Listed(body) => reply(Reply::Listed(listed(body)?)),
        Body::Applied(_) => reply(Reply::Applied),
        Body::Stale(version) => reply(Reply::Stale(Version::new(version))),
        Body::NotMine(body) => reply(Reply::NotMine(contacts(&body.contacts, REFERRAL_MAX)?)),
        Body::Alive(digest) => reply(Reply::Alive(digest)),
        Body::AskMembers(body) => {
            let near = optional("near", &body.near)?.map(Place::from_bytes);
            request(Request::Members { near })
        }
        Body::Members(body) => {
            let contacts = contacts(&body.contacts, MEMBERS_MAX)?;
            reply(Reply::Members { contacts, settled: body.settled, more: body.more })
        }
        Body::Heard(_) => reply(Reply::Heard),
        Body::Silent(_) => reply(Reply::Silent),
        Body::Digests(body) => reply(Reply::Digests(range_answers(&body)?)),
        Body::Pulled(body) => reply(Reply::Pulled(pulled(body)?)),
        Body::Watching(_) => reply(Reply::Watching),
        Body::AskClaims(body) => {
            let (place, nonce) = (place(&body.place)?, exactly("nonce", &body.nonce)?);
            request(Request::Claims { place, nonce })
        }
        Body::Claims(report) => {
            let report = Report::from_bytes(&report).map_err(|error| wrong("claims", error))?;
            reply(Reply::Claims(Box::new(report)))
        }
        Body::Refused(body) => {
            check_count("text", body.text.len(), TEXT_MAX)?;
            let text = body.text.chars().filter(|c| !c.is_control()).collect();
            reply(Reply::Refused { why: Refusal::from_number(body.why), text })
        }
        Body::Hello(body) => notice(Notice::Hello(hello(body)?)),
        Body::Bye(body) => notice(Notice::Bye(Bye::from_number(body.why))),
        Body::Rumour(body) => {
            let about = node_id("node", &body.about)?;
            notice(Notice::Rumour(Rumour { about, gone: body.gone }))
        }
        Body::Changed(body) => notice(Notice::Changed(places(&body.places)?)),
    }
}

fn get(body: &schema::Get) -> Parsed<Get> {
    if body.entries == 0 {
        return Err(wrong("entries", "none are asked for"));
    }
    Ok(Get {
        place: place(&body.place)?,
        after: optional("after", &body.after)?.map(|id| EntryId::from_bytes(&id)),
        until: optional("until", &body.until)?.map(|id| EntryId::from_bytes(&id)),
        entries: body.entries as usize,
        bytes: body.bytes as usize,
    })
}

fn apply(body: schema::Apply) -> Parsed<Request> {
    let schema::Apply { entry, repair, room, quiet } = body;
    let (place, entry) = placed(entry.ok_or_else(|| wrong("entry", "there is none"))?)?;
    Ok(Request::Apply { place, entry, repair, room, quiet })
}

fn listed(body: schema::Listed) -> Parsed<Listing> {
    check_count("entries", body.entries.len(), ENTRIES_MAX)?;
    let entries = body.entries.into_iter().map(entry).collect::<Parsed<Vec<_>>>()?;
    // Whoever merges listings relies on it.
    if !entries.windows(2).all(|pair| pair[0].id() < pair[1].id()) {
        return Err(wrong("entries", "they are not in the order of their ids"));
    }
    if entries.is_empty() && body.more {
        return Err(wrong("more", "nothing is listed, and yet there is more"));
    }
    Ok(Listing { entries, more: body.more, complete: body.complete })
}

fn pulled(body: schema::Pulled) -> Parsed<Pulled> {
    check_count("entries", body.entries.len(), ENTRIES_MAX)?;
    let entries = body.entries.into_iter().map(placed).collect::<Parsed<Vec<_>>>()?;
    let next = body.next.map_or(Ok(None), |next| cursor(&next))?;
    Ok(Pulled { entries, next })
}

fn pull(body: schema::Pull) -> Parsed<Pull> {
    check_count("have", body.have.len(), HAVE_MAX)?;
    check_count("want", body.want.len(), HAVE_MAX)?;
    let after = cursor(&schema::Cursor { place: body.place, entry: body.entry })?;
    let mut ranges = ranges(&body.ranges)?;
    if ranges.is_empty() {
        ranges.push(Prefix::everything());
    }
    // Whoever goes through them relies on it.
    if !ranges.windows(2).all(|pair| pair[0].places().end() < pair[1].first()) {
        return Err(wrong("ranges", "they are not in order, or overlap"));
    }
    Ok(Pull { ranges, after, have: body.have, want: body.want })
}

fn range_queries(body: &schema::Ranges) -> Parsed<Vec<RangeQuery>> {
    let ranges = ranges(&body.ranges)?;
    let is_for_each = |numbers: &[u32]| numbers.is_empty() || numbers.len() == ranges.len();
    if !is_for_each(&body.after) || !is_for_each(&body.symbols) {
        return Err(wrong("symbols", "they are not asked for of each range, nor of none"));
    }
    let number = |of: &[u32], at| of.get(at).map_or(0, |number| *number as usize);
    let query = |(at, range)| {
        let (after, symbols) = (number(&body.after, at), number(&body.symbols, at));
        check_count("symbols", after.saturating_add(symbols), SYMBOLS_MAX)?;
        // Of none it does not matter after how many they would be.
        Ok(RangeQuery { range, after: if symbols == 0 { 0 } else { after }, symbols })
    };
    let queries = ranges.into_iter().enumerate().map(query).collect::<Parsed<Vec<_>>>()?;
    let symbols = queries.iter().map(|query| query.symbols).sum();
    check_count("symbols", symbols, MESSAGE_SYMBOLS_MAX)?;
    Ok(queries)
}

fn ranges(bodies: &[schema::Range]) -> Parsed<Vec<Prefix>> {
    check_count("ranges", bodies.len(), RANGES_MAX)?;
    bodies.iter().map(range).collect()
}

fn range(body: &schema::Range) -> Parsed<Prefix> {
    let bits = usize::try_from(body.bits).unwrap_or(usize::MAX);
    if bits > BITS || body.first.len() != bits.div_ceil(8) {
        let length = body.first.len();
        return Err(wrong("ranges", format_args!("{bits} bits in {length} bytes")));
    }
    let mut first = [0; Place::LEN];
    first[..body.first.len()].copy_from_slice(&body.first);
    let first = Place::from_bytes(first);
    let prefix = Prefix::of(&first, bits);
    if *prefix.first() != first {
        return Err(wrong("ranges", "bits are set after the last one"));
    }
    Ok(prefix)
}

fn range_answers(body: &schema::Digests) -> Parsed<Vec<RangeAnswer>> {
    check_count("counts", body.counts.len(), RANGES_MAX)?;
    let sums = words("sums", &body.sums)?;
    if sums.len() != body.counts.len() {
        return Err(wrong("sums", "there are not as many as counts"));
    }
    if !body.symbols.is_empty() && body.symbols.len() != sums.len() {
        return Err(wrong("symbols", "they are not of each range, nor of none"));
    }
    let symbols = body.symbols.iter().map(|bytes| bytes.len() / SYMBOL_LEN).sum();
    check_count("symbols", symbols, MESSAGE_SYMBOLS_MAX)?;
    let answer = |(at, (count, sum)): (usize, (&u64, u128))| {
        let symbols =
            body.symbols.get(at).map_or(Ok(Vec::new()), |bytes| words("symbols", bytes))?;
        Ok(RangeAnswer { digest: Digest { count: *count, sum }, symbols })
    };
    body.counts.iter().zip(sums).enumerate().map(answer).collect()
}

/// Numbers of 16 bytes, little-endian.
fn words(field: &'static str, bytes: &[u8]) -> Parsed<Vec<u128>> {
    let (words, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(wrong(field, "its length is no multiple of 16"));
    }
    Ok(words.iter().map(|word| u128::from_le_bytes(*word)).collect())
}

fn places(bodies: &[Bytes]) -> Parsed<Vec<Place>> {
    check_count("places", bodies.len(), PLACES_MAX)?;
    bodies.iter().map(|bytes| place(bytes)).collect()
}

fn hello(body: schema::Hello) -> Parsed<Hello> {
    if body.oldest > body.version {
        return Err(wrong("oldest", "it is newer than the version"));
    }
    Ok(Hello { version: body.version, oldest: body.oldest, holds: body.holds, start: body.start })
}

fn contacts(bodies: &[schema::Contact], max: usize) -> Parsed<Vec<Contact>> {
    check_count("contacts", bodies.len(), max)?;
    let contact = |body: &schema::Contact| {
        check_count("addresses", body.addresses.len(), ADDRESSES_MAX)?;
        let addresses = body.addresses.iter().map(address).collect::<Parsed<_>>()?;
        Ok(Contact { id: node_id("contacts", &body.id)?, addresses })
    };
    bodies.iter().map(contact).collect()
}

/// An entry that says where it lies. What is signed is looked at closely: it holds there only.
fn placed(body: schema::Entry) -> Parsed<(Place, Entry)> {
    let (place, entry) = (place(&body.place)?, entry(body)?);
    if entry.as_signed().is_some() {
        entry.check(&place).map_err(|error| wrong("signed", error))?;
    }
    Ok((place, entry))
}

fn entry(body: schema::Entry) -> Parsed<Entry> {
    let tag = optional("tag", &body.tag)?.map_or(SecretTag::NONE, SecretTag::from_bytes);
    let version = Version::new(body.version);
    let remaining = Lifetime::from_millis(body.remaining_ms);
    if remaining > Lifetime::TOMBSTONE {
        return Err(wrong("remaining_ms", "no entry lives that long"));
    }
    match (body.value, body.removed, body.signed) {
        (Some(value), None, None) if !tag.is_signed() => {
            let value = Value::new(value).map_err(|error| wrong("value", error))?;
            Ok(Entry::live(value, tag, version, remaining))
        }
        (None, Some(removed), None) if !tag.is_signed() => {
            let hash = ValueHash::from_bytes(exactly("hash", &removed.hash)?);
            let secret = removed.secret.map(Secret::new).transpose();
            let secret = secret.map_err(|error| wrong("secret", error))?;
            let id = EntryId { value: hash, tag };
            let entry = Entry::from_parts(id, version, State::Removed(secret), remaining);
            // Where it lies matters to what is signed only.
            let anywhere = Place::from_bytes([0; Place::LEN]);
            entry.check(&anywhere).map_err(|error| wrong("secret", error))?;
            Ok(entry)
        }
        (None, None, Some(signed)) => {
            let signed = Signed::from_bytes(signed).map_err(|error| wrong("signed", error))?;
            if remaining > signed.life() {
                return Err(wrong("remaining_ms", "it was signed for a shorter time"));
            }
            let (id, version) = (signed.id(), signed.version());
            Ok(Entry::from_parts(id, version, State::Signed(signed), remaining))
        }
        (None, None, None) => Err(wrong("entry", "it is neither a value nor a removal")),
        _ => Err(wrong(
            "entry",
            "it is more than one of value, removal and signed, or its tag is not its own",
        )),
    }
}

fn cursor(body: &schema::Cursor) -> Parsed<Option<(Place, EntryId)>> {
    let Some(place) = optional("place", &body.place)?.map(Place::from_bytes) else {
        return Ok(None);
    };
    Ok(Some((place, EntryId::from_bytes(&exactly("entry", &body.entry)?))))
}

fn address(bytes: &Bytes) -> Parsed<SocketAddr> {
    let (ip, port) =
        bytes.split_last_chunk::<2>().ok_or_else(|| wrong("addresses", "one is too short"))?;
    let ip = match *ip {
        [a, b, c, d] => IpAddr::from([a, b, c, d]),
        _ => IpAddr::from(exactly::<16>("addresses", ip)?),
    };
    Ok(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

fn place(bytes: &[u8]) -> Parsed<Place> {
    exactly("place", bytes).map(Place::from_bytes)
}

fn node_id(field: &'static str, bytes: &[u8]) -> Parsed<NodeId> {
    PeerId::from_bytes(bytes).map(NodeId::from).map_err(|error| wrong(field, error))
}

fn optional<const N: usize>(field: &'static str, bytes: &[u8]) -> Parsed<Option<[u8; N]>> {
    if bytes.is_empty() { Ok(None) } else { exactly(field, bytes).map(Some) }
}

fn exactly<const N: usize>(field: &'static str, bytes: &[u8]) -> Parsed<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| wrong(field, format_args!("it has {} bytes, not {N}", bytes.len())))
}

fn check_count(field: &'static str, count: usize, max: usize) -> Parsed<()> {
    if count > max {
        return Err(wrong(field, format_args!("{count} are too many; the limit is {max}")));
    }
    Ok(())
}

fn wrong(field: &'static str, detail: impl ToString) -> WireError {
    WireError::Field { field, detail: detail.to_string() }
}
