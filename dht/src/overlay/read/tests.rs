//! What answers of replicas come to.

use std::time::Duration;

use base::{Key, Lifetime, SecretTag, SignatureCache, Value, Version};

use super::*;
use crate::lamport::LamportClock;
use crate::meters::Meters;
use crate::overlay::local_health::UNANSWERED;
use crate::overlay::view::View;
use crate::overlay::view::tests::view;
use crate::wire::{Contact, Refusal};

struct Bench {
    view: View,
    lamport: LamportClock,
    meters: Meters,
    signatures: SignatureCache,
    read: Read,
    wants: Wants,
    now: Now,
}

fn entry(text: &'static str, version: u64) -> Entry {
    let value = Value::new(text).unwrap();
    Entry::live(value, SecretTag::NONE, Version::new(version), Lifetime::from_millis(99))
}

fn removal(text: &'static str, version: u64) -> Entry {
    Entry::removal(entry(text, 0).id(), None, Version::new(version)).unwrap()
}

fn listed(mut entries: Vec<Entry>, complete: bool) -> Result<Reply, Lost> {
    entries.sort_by_key(Entry::id);
    Ok(Reply::Listed(Listing { entries, more: false, complete }))
}

impl Bench {
    fn new(nodes: u64, consistency: Consistency) -> Bench {
        let place = Key::new("k").unwrap().place();
        let get = Get { place, after: None, until: None, entries: 10, bytes: 1000 };
        let mut bench = Bench {
            view: view(nodes),
            lamport: LamportClock::default(),
            meters: Meters::default(),
            signatures: SignatureCache::default(),
            read: Read::new(get, consistency),
            wants: Wants::default(),
            now: Duration::ZERO,
        };
        bench.step(|read, context, wants| read.start(context, wants));
        bench
    }

    fn quorum(nodes: u64) -> Bench {
        Bench::new(nodes, Consistency::Quorum)
    }

    fn step(&mut self, act: impl FnOnce(&mut Read, &Context<'_>, &mut Wants)) {
        let context = Context {
            now: self.now,
            view: &self.view,
            lamport: &self.lamport,
            meters: &self.meters,
            signatures: &self.signatures,
            unanswered: UNANSWERED,
        };
        act(&mut self.read, &context, &mut self.wants);
    }

    fn answer(&mut self, reply: Result<Reply, Lost>) {
        let ask = self.wants.asks.remove(0);
        self.step(|read, context, wants| read.answered(context, ask.tag.unwrap(), reply, wants));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.step(|read, context, wants| read.time_passed(context, wants));
    }

    /// The values read, or the error.
    fn values(&mut self) -> Option<Result<Vec<String>, DhtError>> {
        let text = |entry: &Entry| {
            let value = entry.value()?;
            Some(String::from_utf8(value.as_bytes().to_vec()).unwrap())
        };
        let sorted = |part: Part| {
            let mut values: Vec<String> = part.entries.iter().filter_map(text).collect();
            values.sort();
            values
        };
        self.read.outcome().map(|outcome| outcome.map(sorted))
    }
}

#[test]
fn two_answers_are_merged_and_the_one_that_lacks_something_is_sent_it() {
    let mut bench = Bench::quorum(3);
    assert_eq!(bench.wants.asks.len(), 2, "the third is asked only if need be");
    bench.answer(listed(vec![entry("a", 1), removal("b", 7)], true));
    assert_eq!(bench.values(), None);
    bench.answer(listed(vec![entry("b", 6), entry("c", 1)], true));
    assert_eq!(bench.values(), Some(Ok(vec!["a".into(), "c".into()])));
    let repairs: Vec<_> = bench.wants.asks.iter().map(|ask| (ask.tag, &ask.request)).collect();
    assert_eq!(repairs.len(), 3, "c to the first, a and b's removal to the second");
    assert!(repairs.iter().all(|(tag, request)| {
        tag.is_none() && matches!(request, Request::Apply { repair: true, .. })
    }));
}

#[test]
fn a_filling_replica_gives_values_but_its_silence_means_nothing() {
    let mut bench = Bench::quorum(3);
    bench.answer(listed(vec![], false));
    assert_eq!(bench.wants.asks.len(), 2, "the third is asked in its place");
    bench.answer(listed(vec![], true));
    assert_eq!(bench.values(), None, "one complete answer is no quorum");
    bench.answer(listed(vec![], true));
    assert_eq!(bench.values(), Some(Ok(vec![])));
    let mut bench = Bench::quorum(3);
    bench.answer(listed(vec![], false));
    bench.answer(listed(vec![entry("a", 1)], false));
    assert_eq!(bench.values(), None);
    bench.answer(listed(vec![], true));
    assert_eq!(bench.values(), Some(Ok(vec!["a".into()])), "all were asked, and there is a value");
}

#[test]
fn no_quorum_is_never_empty() {
    let mut bench = Bench::quorum(3);
    for _ in 0..3 {
        bench.answer(listed(vec![], false));
    }
    assert_eq!(bench.values(), None);
    bench.pass(RETRY);
    assert_eq!(bench.wants.asks.len(), 2, "begun anew");
    bench.pass(PATIENCE);
    assert!(matches!(bench.values(), Some(Err(DhtError::NoQuorum(_)))));
}

#[test]
fn an_overdue_answer_is_hedged_and_a_long_one_makes_its_peer_suspect() {
    let mut bench = Bench::quorum(3);
    bench.answer(listed(vec![], true));
    assert_eq!(bench.wants.asks.len(), 1);
    let wake = bench.read.wake_at();
    assert!(wake >= HEDGE_MIN && wake <= HEDGE_UNKNOWN);
    bench.pass(HEDGE_UNKNOWN);
    assert_eq!((bench.wants.asks.len(), bench.meters.hedges.get()), (2, 1));
    bench.pass(UNANSWERED);
    assert_eq!(bench.wants.overdue.len(), 2);
    bench.wants.asks.remove(0);
    bench.answer(listed(vec![entry("a", 1)], true));
    assert_eq!(bench.values(), Some(Ok(vec!["a".into()])));
}

#[test]
fn of_two_replicas_one_will_do_when_the_other_is_silent() {
    let mut bench = Bench::quorum(2);
    bench.answer(listed(vec![entry("a", 1)], true));
    assert_eq!(bench.values(), None);
    bench.pass(UNANSWERED);
    assert_eq!(bench.values(), Some(Ok(vec!["a".into()])));
}

#[test]
fn one_replica_is_enough_for_who_says_so() {
    let mut bench = Bench::new(9, Consistency::One);
    assert_eq!(bench.wants.asks.len(), 1);
    bench.answer(listed(vec![entry("a", 1)], true));
    assert_eq!(bench.values(), Some(Ok(vec!["a".into()])));
}

#[test]
fn listings_reach_only_as_far_as_the_shortest_of_them() {
    let mut ids: Vec<Entry> = vec![entry("a", 1), entry("b", 1), entry("c", 1), entry("d", 1)];
    ids.sort_by_key(Entry::id);
    let whole = Listing { entries: ids.clone(), more: false, complete: true };
    let cut = Listing { entries: ids[..2].to_vec(), more: true, complete: true };
    let part = merge([&whole, &cut].into_iter());
    assert_eq!((part.entries, part.more), (ids[..2].to_vec(), true));
}

#[test]
fn answers_that_do_not_fit_the_question_are_not_used() {
    let mut bench = Bench::quorum(3);
    bench.answer(Ok(Reply::Applied));
    assert_eq!(bench.meters.malformed.get(), 1);
    let many = (0..20).map(|n| {
        Entry::live(Value::new(vec![n]).unwrap(), SecretTag::NONE, Version::new(1), Lifetime::ZERO)
    });
    bench.answer(listed(many.collect(), true));
    assert_eq!(bench.meters.malformed.get(), 2);
    assert_eq!(bench.wants.asks.len(), 1, "whoever is left is asked");
}

#[test]
fn a_failed_disk_is_told_at_once_when_too_few_are_left() {
    let refused = || Ok(Reply::Refused { why: Refusal::Failed, text: "disk".into() });
    let mut bench = Bench::quorum(1);
    bench.answer(refused());
    assert_eq!(bench.values(), Some(Err(DhtError::NoQuorum("disk".into()))));
    let mut bench = Bench::quorum(3);
    bench.answer(refused());
    bench.answer(listed(vec![entry("a", 1)], true));
    bench.answer(listed(vec![], true));
    assert_eq!(bench.values(), Some(Ok(vec!["a".into()])), "two others will do");
}

#[test]
fn referrals_in_a_circle_end_in_no_quorum() {
    let mut bench = Bench::quorum(3);
    let mut round = 0;
    while bench.read.outcome.is_none() && round < 10_000 {
        round += 1;
        if bench.wants.asks.is_empty() {
            bench.pass(RETRY);
            continue;
        }
        // Each refers to eight others, as close as can be made up.
        let contact = |n| {
            let id = crate::overlay::view::tests::peer(n).id;
            Contact { id, addresses: vec![([127, 0, 0, 1], 1).into()] }
        };
        bench.answer(Ok(Reply::NotMine((round * 8..round * 8 + 8).map(contact).collect())));
    }
    assert!(matches!(bench.values(), Some(Err(DhtError::NoQuorum(_)))));
}

#[test]
fn one_answer_is_not_enough_where_others_do_not_know_yet_that_they_are_replicas() {
    let mut bench = Bench::quorum(5);
    bench.answer(Ok(Reply::NotMine(Vec::new())));
    bench.answer(Ok(Reply::NotMine(Vec::new())));
    bench.answer(listed(vec![entry("a", 1)], true));
    assert_eq!(bench.values(), None);
    bench.pass(RETRY);
    bench.pass(RETRY);
    bench.answer(listed(vec![entry("b", 1)], true));
    assert_eq!(bench.values(), Some(Ok(vec!["a".into(), "b".into()])));
}
