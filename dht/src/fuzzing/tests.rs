//! The seeds and past findings, fed to the targets; and the seeds themselves. `UPDATE_SEEDS=1`
//! writes those that are missing or read as something else.

use std::path::PathBuf;

use base::{Contest, EntryId, Key, Memory, Report, Secret, SecretTag, SigningKey, Value, Version};

use super::*;
use crate::overlay::view::tests::peer;
use crate::prefix::Prefix;
use crate::store::{Digest, Item};
use crate::wire::{
    Bye, Contact, Get, Hello, Listing, Notice, Pull, Pulled, RangeAnswer, RangeQuery, Refusal,
    Rumour,
};

#[path = "../../../fuzz/replay.rs"]
mod replay;
use replay::replay;

#[test]
fn frames_hold_for_every_seed_and_finding() {
    replay("frames", frames);
}

#[test]
fn entries_hold_for_every_seed_and_finding() {
    replay("entries", entries);
}

fn entry(secret: Option<&str>, live: bool) -> Entry {
    let value = Value::new("a value").expect("it is short");
    let secret = secret.map(|secret| Secret::new(secret.to_owned()).expect("it is short"));
    let tag = secret.as_ref().map_or(SecretTag::NONE, Secret::tag);
    match live {
        true => Entry::live(value, tag, Version::new(7), Lifetime::from_millis(60_000)),
        false => Entry::removal(EntryId::of(&value, tag), secret, Version::new(8))
            .expect("the secret is its own"),
    }
}

/// One message of each kind.
fn messages() -> Vec<(&'static str, Message)> {
    let place = Key::new("a key").expect("it is short").place();
    let (live, removed) = (entry(None, true), entry(Some("a secret"), false));
    let id = live.id();
    let get = Get { place, after: None, until: Some(id), entries: 100, bytes: 1 << 16 };
    let apply = |entry: &Entry, repair| Request::Apply {
        place,
        entry: entry.clone(),
        repair,
        room: (!repair).then_some(256),
        quiet: false,
    };
    let mut listed = vec![live.clone(), entry(Some("a secret"), true)];
    listed.sort_by_key(Entry::id);
    let listing = Listing { entries: listed, more: false, complete: true };
    let contact = |n| Contact {
        id: peer(n).id,
        addresses: vec![
            "192.0.2.1:5850".parse().expect("an address"),
            "[2001:db8::1]:5850".parse().expect("an address"),
        ],
    };
    let pulled = Pulled {
        entries: vec![(place, live.clone()), (place, removed.clone())],
        next: Some((place, id)),
    };
    let hello = Hello { version: 1, oldest: 1, holds: true, start: 0x5eed };
    let rumour = Rumour { about: peer(3).id, gone: true };
    let refused = Reply::Refused { why: Refusal::Later, text: "it has too much to do".to_owned() };
    let range = Prefix::of(&place, 11);
    let mut contest = Contest::new(Memory::Whole, 0);
    let node = SigningKey::from_bytes(&[1; 32]);
    contest.fresh(node.public(), &[], 0);
    contest.reports(2_000, &[]);
    let report = Report::sign(&node, &place, &[3; 16], contest.told(2_500));
    let pull = |have, want| Pull { ranges: vec![range], after: Some((place, id)), have, want };
    let query = RangeQuery { range, after: 2, symbols: 3 };
    let digest = Digest { count: 2, sum: 0xfeed << 64 };
    let mut sketch = Sketch::new(6);
    [1, 2, 3].into_iter().for_each(|mark| sketch.toggle(Item::new(&place, mark)));
    let digests = |symbols| Reply::Digests(vec![RangeAnswer { digest, symbols }]);
    let ask = |request| Message::Request(1, request);
    let answer = |reply| Message::Reply(1, reply);
    vec![
        ("get", ask(Request::Get(get))),
        ("apply-live", ask(apply(&live, false))),
        ("apply-removed", ask(apply(&removed, true))),
        ("probe", ask(Request::Probe)),
        ("probe-for", ask(Request::ProbeFor(peer(2).id))),
        ("ask-members", ask(Request::Members { near: None })),
        ("ask-members-near", ask(Request::Members { near: Some(place) })),
        ("ask-digests", ask(Request::Digests(vec![RangeQuery::digest(range)]))),
        ("ask-symbols", ask(Request::Digests(vec![RangeQuery::digest(range), query]))),
        ("pull", ask(Request::Pull(pull(vec![1, 2], vec![])))),
        ("pull-wanted", ask(Request::Pull(pull(vec![], vec![1, 2])))),
        ("watch", ask(Request::Watch { places: vec![place], lease_ms: 60_000 })),
        ("ask-claims", ask(Request::Claims { place, nonce: [3; 16] })),
        ("claims", answer(Reply::Claims(Box::new(report)))),
        ("digests", answer(digests(vec![]))),
        ("symbols", answer(digests(sketch.symbols().to_vec()))),
        ("watching", answer(Reply::Watching)),
        ("listed", answer(Reply::Listed(listing))),
        ("applied", answer(Reply::Applied)),
        ("stale", answer(Reply::Stale(Version::new(9)))),
        ("not-mine", answer(Reply::NotMine(vec![contact(1)]))),
        ("alive", answer(Reply::Alive(0xfeed))),
        ("heard", answer(Reply::Heard)),
        ("silent", answer(Reply::Silent)),
        (
            "members",
            answer(Reply::Members {
                contacts: vec![contact(1), contact(2)],
                settled: true,
                more: true,
            }),
        ),
        ("pulled", answer(Reply::Pulled(pulled))),
        ("refused", answer(refused)),
        ("hello", Message::Notice(Notice::Hello(hello))),
        ("bye", Message::Notice(Notice::Bye(Bye::Full))),
        ("rumour", Message::Notice(Notice::Rumour(rumour))),
        ("changed", Message::Notice(Notice::Changed(vec![place]))),
    ]
}

fn seed(target: &str, name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../fuzz/seeds", target, name].iter().collect()
}

/// Whether a seed says what it should; written if asked for.
fn is_kept(target: &str, name: &str, bytes: &[u8], says: impl Fn(&[u8]) -> bool) {
    let path = seed(target, name);
    let kept = std::fs::read(&path).is_ok_and(|kept| says(&kept));
    if !kept && std::env::var_os("UPDATE_SEEDS").is_some() {
        return std::fs::write(&path, bytes).expect("a writable seed");
    }
    assert!(kept, "{}: UPDATE_SEEDS=1 cargo test -p dht writes it", path.display());
}

#[test]
fn every_message_has_a_seed_that_reads_as_it() {
    for (name, message) in messages() {
        let mut out = BytesMut::from(&[6][..]);
        encode(&message, &mut out);
        is_kept("frames", name, &out, |kept| {
            let (frames, error) = split(&kept[1..], usize::MAX);
            let read: Vec<_> = frames.into_iter().map(decode).collect();
            error.is_none() && read == [Ok(message.clone())]
        });
    }
}

#[test]
fn every_state_of_an_entry_has_a_seed_as_sent_and_as_stored() {
    let place = Key::new("a key").expect("it is short").place();
    for (secret, live, name) in [
        (None, true, "live"),
        (Some("a secret"), true, "live-with-tag"),
        (None, false, "removed"),
        (Some("a secret"), false, "removed-with-secret"),
    ] {
        let entry = entry(secret, live);
        let row = store::fuzzing::bytes(&place, &entry, 60_000);
        is_kept("entries", &format!("row-{name}"), &row, |kept| kept == row);
        let message = Message::Request(
            0,
            Request::Apply { place, entry, repair: false, room: None, quiet: false },
        );
        let mut out = BytesMut::new();
        encode(&message, &mut out);
        // The frame's length, then what `applying` puts around the entry.
        let frame = out.split_off(4);
        let sent = (0..frame.len()).map(|at| &frame[at..]).find(|end| applying(end) == frame);
        let sent = sent.expect("an entry in the frame");
        is_kept("entries", &format!("sent-{name}"), sent, |kept| {
            decode(applying(kept)) == Ok(message.clone())
        });
    }
}
