//! Every message reads back as it was written; what lies is found out.

use std::net::SocketAddr;

use base::{
    Contest, Entry, EntryId, Kind, Lifetime, Memory, NodeId, Place, Report, Secret, SecretTag,
    Sequence, Signed, SigningKey, Slot, Ttl, Value, Version,
};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use prost::Message as _;

use super::schema::{self, Body};
use super::*;
use crate::overlay::view::tests::peer;
use crate::prefix::Prefix;
use crate::store::Digest;

fn node() -> impl Strategy<Value = NodeId> {
    any::<u64>().prop_map(|n| peer(n).id)
}

fn place() -> impl Strategy<Value = Place> {
    any::<[u8; 32]>().prop_map(Place::from_bytes)
}

fn entry() -> impl Strategy<Value = Entry> {
    let value = prop::collection::vec(any::<u8>(), 0..40);
    let secret = prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
    (value, secret, any::<u64>(), 0..604_800_000u64, any::<bool>()).prop_map(
        |(value, secret, version, life, live)| {
            let (value, secret) =
                (Value::new(value).unwrap(), secret.map(|s| Secret::new(s).unwrap()));
            let tag = secret.as_ref().map_or(SecretTag::NONE, Secret::tag);
            let version = Version::new(version);
            if live {
                return Entry::live(value, tag, version, Lifetime::from_millis(life));
            }
            Entry::removal(EntryId::of(&value, tag), secret, version).unwrap()
        },
    )
}

/// An entry and where it lies: what is signed is signed for there.
fn placed() -> impl Strategy<Value = (Place, Entry)> {
    let signed = (place(), any::<[u8; 32]>(), any::<[u8; 16]>(), any::<u64>(), any::<bool>());
    let signed = signed.prop_map(|(place, key, slot, sequence, live)| {
        let (key, slot) = (SigningKey::from_bytes(&key), Slot::new(slot));
        let (kind, sequence) = (Kind::Plain, Sequence::new(sequence));
        let signed = if live {
            Signed::sign(&key, &place, slot, kind, sequence, Ttl::MAX, slot.as_bytes()).unwrap()
        } else {
            Signed::removal(&key, &place, slot, kind, sequence)
        };
        (place, Entry::signed(signed))
    });
    prop_oneof![3 => (place(), entry()), 1 => signed]
}

fn id() -> impl Strategy<Value = EntryId> {
    entry().prop_map(|entry| entry.id())
}

fn contact() -> impl Strategy<Value = Contact> {
    let address = (any::<std::net::IpAddr>(), any::<u16>());
    let address = address.prop_map(|(ip, port)| SocketAddr::new(ip, port));
    let addresses = prop::collection::vec(address, 0..=ADDRESSES_MAX);
    (node(), addresses).prop_map(|(id, addresses)| Contact { id, addresses })
}

fn request() -> impl Strategy<Value = Request> {
    let get =
        (place(), prop::option::of(id()), prop::option::of(id()), 1..5000usize, 0..1usize << 30);
    let get = get.prop_map(|(place, after, until, entries, bytes)| {
        Request::Get(Get { place, after, until, entries, bytes })
    });
    let apply = (placed(), any::<bool>(), any::<Option<u32>>(), any::<bool>());
    prop_oneof![
        get,
        apply.prop_map(|((place, entry), repair, room, quiet)| Request::Apply {
            place,
            entry,
            repair,
            room,
            quiet
        }),
        Just(Request::Probe),
        prop::option::of(place()).prop_map(|near| Request::Members { near }),
        node().prop_map(Request::ProbeFor),
        prop::collection::vec(range_query(), 0..20).prop_map(Request::Digests),
        pull().prop_map(Request::Pull),
        (places(), any::<u32>()).prop_map(|(places, lease_ms)| Request::Watch { places, lease_ms }),
        (place(), any::<[u8; 16]>()).prop_map(|(place, nonce)| Request::Claims { place, nonce }),
    ]
}

fn prefix() -> impl Strategy<Value = Prefix> {
    (place(), 0..40usize).prop_map(|(place, bits)| Prefix::of(&place, bits))
}

fn range_query() -> impl Strategy<Value = RangeQuery> {
    let symbols = prop_oneof![3 => Just((0, 0)), 1 => (0..100usize, 0..100usize)];
    (prefix(), symbols).prop_map(|(range, (after, symbols))| {
        // Without symbols it does not matter after how many they are, and so is not sent.
        RangeQuery { range, after: if symbols == 0 { 0 } else { after }, symbols }
    })
}

fn places() -> impl Strategy<Value = Vec<Place>> {
    prop::collection::vec(place(), 0..PLACES_MAX)
}

fn pull() -> impl Strategy<Value = Pull> {
    let parts = (prefix(), 1..4usize).prop_map(|(whole, more)| whole.split(more).collect());
    let marks = || prop::collection::vec(any::<u64>(), 0..40);
    let after = prop::option::of((place(), id()));
    (parts, after, marks(), marks()).prop_map(|(ranges, after, have, want)| Pull {
        ranges,
        after,
        have,
        want,
    })
}

fn range_answer() -> impl Strategy<Value = RangeAnswer> {
    let symbols = prop_oneof![Just(vec![]), prop::collection::vec(any::<u128>(), 0..30)];
    (any::<u64>(), any::<u128>(), symbols)
        .prop_map(|(count, sum, symbols)| RangeAnswer { digest: Digest { count, sum }, symbols })
}

fn reply() -> impl Strategy<Value = Reply> {
    let entries = prop::collection::vec(placed().prop_map(|(_, entry)| entry), 0..5);
    let listing =
        (entries, any::<bool>(), any::<bool>()).prop_map(|(mut entries, more, complete)| {
            entries.sort_by_key(Entry::id);
            entries.dedup_by_key(|entry| entry.id());
            let more = more && !entries.is_empty();
            Reply::Listed(Listing { entries, more, complete })
        });
    let placed = prop::collection::vec((place(), entry()), 0..5);
    let pulled = (placed, prop::option::of((place(), id())));
    let why = prop_oneof![
        Just(Refusal::OverCapacity),
        Just(Refusal::Failed),
        Just(Refusal::Later),
        Just(Refusal::Malformed),
        Just(Refusal::Full),
        Just(Refusal::Taken)
    ];
    prop_oneof![
        listing,
        Just(Reply::Applied),
        any::<u64>().prop_map(|version| Reply::Stale(Version::new(version))),
        prop::collection::vec(contact(), 0..=REFERRAL_MAX).prop_map(Reply::NotMine),
        (prop::collection::vec(contact(), 0..20), any::<(bool, bool)>())
            .prop_map(|(contacts, (settled, more))| Reply::Members { contacts, settled, more }),
        any::<u64>().prop_map(Reply::Alive),
        Just(Reply::Heard),
        Just(Reply::Silent),
        Just(Reply::Watching),
        prop::collection::vec(range_answer(), 0..20).prop_map(Reply::Digests),
        pulled.prop_map(|(entries, next)| Reply::Pulled(Pulled { entries, next })),
        (place(), any::<[u8; 32]>(), 0..70u8).prop_map(|(place, key, claims)| {
            Reply::Claims(Box::new(report(&place, &key, claims)))
        }),
        (why, "[a-z ]{0,60}").prop_map(|(why, text)| Reply::Refused { why, text }),
    ]
}

/// Of so many claims, signed with a key.
fn report(place: &Place, key: &[u8; 32], claims: u8) -> Report {
    let mut contest = Contest::new(Memory::Whole, 0);
    for claim in 0..claims {
        contest.fresh(SigningKey::from_bytes(&[claim; 32]).public(), &[], 0);
    }
    contest.reports(2_000, &[]);
    Report::sign(&SigningKey::from_bytes(key), place, &[1; 16], contest.told(2_000))
}

fn notice() -> impl Strategy<Value = Notice> {
    let hello = (1..9u32, any::<bool>(), any::<u64>());
    prop_oneof![
        hello.prop_map(|(version, holds, start)| {
            Notice::Hello(Hello { version, oldest: 1, holds, start })
        }),
        Just(Notice::Bye(Bye::Leaving)),
        Just(Notice::Bye(Bye::Full)),
        places().prop_map(Notice::Changed),
        (node(), any::<bool>()).prop_map(|(about, gone)| Notice::Rumour(Rumour { about, gone })),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        (any::<u64>(), request()).prop_map(|(id, request)| Message::Request(id, request)),
        (any::<u64>(), reply()).prop_map(|(id, reply)| Message::Reply(id, reply)),
        notice().prop_map(Message::Notice),
    ]
}

fn framed(message: &Message) -> Bytes {
    let mut bytes = BytesMut::new();
    let length = encode(message, &mut bytes);
    assert_eq!(length, bytes.len());
    let mut splitter = FrameSplitter::new();
    splitter.extend(&bytes);
    splitter.next_frame().unwrap().unwrap()
}

proptest! {
    #[test]
    fn every_message_reads_back(message in message()) {
        prop_assert_eq!(decode(framed(&message)), Ok(message));
    }

    #[test]
    fn fields_of_a_later_version_are_skipped(message in message(), extra: u64) {
        #[derive(Clone, PartialEq, prost::Message)]
        struct Later { #[prost(fixed64, tag = "900")] extra: u64 }
        let mut frame = framed(&message).to_vec();
        frame.extend(Later { extra }.encode_to_vec());
        prop_assert_eq!(decode(frame.into()), Ok(message));
    }

    #[test]
    fn no_bytes_whatever_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(bytes.into());
    }

    #[test]
    fn a_message_with_any_byte_changed_does_no_harm(message in message(), at: prop::sample::Index, bit in 0..8u8) {
        let mut frame = framed(&message).to_vec();
        let at = at.index(frame.len());
        frame[at] ^= 1 << bit;
        if let Ok(Message::Reply(_, Reply::Listed(listing))) = decode(frame.into()) {
            let mut plain = listing.entries.iter().filter(|entry| entry.as_signed().is_none());
            prop_assert!(plain.all(|entry| entry.check(&Place::of(b"")).is_ok()));
        }
        let mut frame = framed(&message).to_vec();
        frame[at] ^= 1 << bit;
        if let Ok(Message::Request(_, Request::Apply { place, entry, .. })) = decode(frame.into()) {
            prop_assert_eq!(entry.check(&place), Ok(()));
        }
    }
}

/// A frame as its schema has it, whatever it says.
fn raw(body: Body) -> Result<Message, WireError> {
    decode(schema::Frame { id: 1, body: Some(body) }.encode_to_vec().into())
}

fn field(result: Result<Message, WireError>) -> &'static str {
    match result {
        Err(WireError::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

fn value_entry(text: &'static str) -> schema::Entry {
    schema::Entry { value: Some(Bytes::from(text)), remaining_ms: 1, ..Default::default() }
}

#[test]
fn what_is_signed_is_taken_only_where_and_for_as_long_as_it_was_signed_for() {
    let (key, ttl) = (SigningKey::from_bytes(&[1; 32]), Ttl::from_secs(60).unwrap());
    let (here, there) = (Place::of(b"here"), Place::of(b"there"));
    let sequence = Sequence::new(5);
    let signed = Signed::sign(&key, &here, Slot::ZERO, Kind::Plain, sequence, ttl, b"b").unwrap();
    let apply = |place: &Place, entry: schema::Entry| {
        let place = Bytes::copy_from_slice(place.as_bytes());
        let entry = Some(schema::Entry { place, ..entry });
        raw(Body::Apply(schema::Apply { entry, ..Default::default() }))
    };
    let bytes = Some(signed.as_bytes().clone());
    let entry = schema::Entry { signed: bytes, remaining_ms: 60_000, ..Default::default() };
    assert!(apply(&here, entry.clone()).is_ok());
    assert_eq!(field(apply(&there, entry.clone())), "signed");
    let longer = schema::Entry { remaining_ms: 60_001, ..entry.clone() };
    assert_eq!(field(apply(&here, longer)), "remaining_ms");
    let both = schema::Entry { value: Some(Bytes::from("v")), ..entry.clone() };
    assert_eq!(field(apply(&here, both)), "entry");
    let mut forged = signed.as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = schema::Entry { signed: Some(forged.into()), ..entry };
    assert_eq!(field(apply(&here, forged)), "signed");
    let tag = Bytes::copy_from_slice(SecretTag::SIGNED.as_bytes());
    assert_eq!(field(apply(&here, schema::Entry { tag, ..value_entry("v") })), "entry");
}

#[test]
fn what_lies_is_found_out_and_named() {
    let place = || Bytes::from(vec![7; 32]);
    let listed =
        |entries, more| raw(Body::Listed(schema::Listed { entries, more, complete: true }));
    let apply =
        |entry| raw(Body::Apply(schema::Apply { entry: Some(entry), ..Default::default() }));
    let placed = |entry| schema::Entry { place: place(), ..entry };
    assert_eq!(
        field(raw(Body::Get(schema::Get {
            place: vec![1; 31].into(),
            entries: 1,
            ..Default::default()
        }))),
        "place"
    );
    assert_eq!(
        field(raw(Body::Get(schema::Get { place: place(), ..Default::default() }))),
        "entries"
    );
    assert_eq!(
        field(raw(Body::Get(schema::Get {
            place: place(),
            entries: 1,
            after: vec![0; 59].into(),
            ..Default::default()
        }))),
        "after"
    );
    let nonce = vec![0; 15].into();
    assert_eq!(field(raw(Body::AskClaims(schema::AskClaims { place: place(), nonce }))), "nonce");
    assert_eq!(field(raw(Body::Claims(vec![2; 80].into()))), "claims");
    assert_eq!(field(apply(value_entry("v"))), "place");
    assert_eq!(field(apply(placed(schema::Entry::default()))), "entry");
    assert_eq!(
        field(apply(placed(schema::Entry {
            value: Some(vec![0; 65_537].into()),
            ..Default::default()
        }))),
        "value"
    );
    assert_eq!(
        field(apply(placed(schema::Entry { remaining_ms: u64::MAX, ..value_entry("v") }))),
        "remaining_ms"
    );
    assert_eq!(
        field(apply(placed(schema::Entry { tag: vec![1; 3].into(), ..value_entry("v") }))),
        "tag"
    );
    let forged = schema::Removed { hash: vec![1; 40].into(), secret: Some(Bytes::from("not it")) };
    let forged =
        schema::Entry { tag: vec![9; 20].into(), removed: Some(forged), ..Default::default() };
    assert_eq!(field(apply(placed(forged))), "secret");
    assert_eq!(field(listed(vec![], true)), "more");
    let twice = vec![value_entry("v"), value_entry("v")];
    assert_eq!(field(listed(twice, false)), "entries");
    assert_eq!(field(listed(vec![value_entry("v"); ENTRIES_MAX + 1], false)), "entries");
    assert_eq!(field(listed(vec![schema::Entry::default(); 200_000], false)), "list");
    let contact = || schema::Contact { id: vec![1, 2, 3].into(), addresses: vec![] };
    assert_eq!(
        field(raw(Body::NotMine(schema::Contacts { contacts: vec![contact()] }))),
        "contacts"
    );
    assert_eq!(
        field(raw(Body::NotMine(schema::Contacts { contacts: vec![contact(); 9] }))),
        "contacts"
    );
    assert_eq!(
        field(raw(Body::Hello(schema::Hello { version: 1, oldest: 2, ..Default::default() }))),
        "oldest"
    );
    assert_eq!(
        field(raw(Body::Refused(schema::Refused { why: 0, text: "x".repeat(257) }))),
        "text"
    );
    let range = |first: Vec<u8>, bits| schema::Range { first: first.into(), bits };
    let ranges = |ranges| raw(Body::AskDigests(schema::Ranges { ranges, ..Default::default() }));
    assert_eq!(field(ranges(vec![range(vec![1], 9)])), "ranges");
    assert_eq!(field(ranges(vec![range(vec![0; 33], 257)])), "ranges");
    assert_eq!(field(ranges(vec![range(vec![0x81], 7)])), "ranges");
    assert_eq!(field(ranges(vec![range(vec![], 0); RANGES_MAX + 1])), "ranges");
    let pull = |pull| raw(Body::Pull(pull));
    let twice = vec![range(vec![0x80], 1), range(vec![0xc0], 2)];
    assert_eq!(field(pull(schema::Pull { ranges: twice, ..Default::default() })), "ranges");
    let have = vec![1; HAVE_MAX + 1];
    assert_eq!(field(pull(schema::Pull { have, ..Default::default() })), "have");
    let want = vec![1; HAVE_MAX + 1];
    assert_eq!(field(pull(schema::Pull { want, ..Default::default() })), "want");
    let symbols = |after, symbols| {
        let ranges = vec![range(vec![], 0); 20];
        field(raw(Body::AskDigests(schema::Ranges { ranges, after, symbols })))
    };
    assert_eq!(symbols(vec![], vec![1]), "symbols");
    assert_eq!(symbols(vec![0; 19], vec![1; 20]), "symbols");
    assert_eq!(symbols(vec![1; 20], vec![256; 20]), "symbols");
    assert_eq!(symbols(vec![u32::MAX; 20], vec![u32::MAX; 20]), "symbols");
    assert_eq!(symbols(vec![], vec![205; 20]), "symbols", "too many together");
    let digests = |sums, symbols: Vec<Vec<u8>>| {
        let (sums, symbols) = (vec![0; sums].into(), symbols.into_iter().map(Into::into).collect());
        field(raw(Body::Digests(schema::Digests { counts: vec![1], sums, symbols })))
    };
    assert_eq!(digests(17, vec![]), "sums");
    assert_eq!(digests(32, vec![]), "sums");
    assert_eq!(digests(16, vec![vec![0; 15]]), "symbols");
    assert_eq!(digests(16, vec![vec![]; 2]), "symbols");
    assert_eq!(digests(16, vec![vec![0; 16 * (MESSAGE_SYMBOLS_MAX + 1)]]), "symbols");
    let places = vec![place(); PLACES_MAX + 1];
    assert_eq!(field(raw(Body::Watch(schema::Watch { places, lease_ms: 1 }))), "places");
    assert_eq!(decode(Bytes::new()), Err(WireError::Unknown));
    assert!(matches!(decode(Bytes::from_static(&[0xff; 9])), Err(WireError::Schema(_))));
}
