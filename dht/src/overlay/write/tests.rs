//! What answers of replicas come to, one table of cases after another.

use std::time::Duration;

use base::{Key, Lifetime, SecretTag, SignatureCache, Value};

use super::*;
use crate::lamport::LamportClock;
use crate::meters::Meters;
use crate::overlay::local_health::UNANSWERED;
use crate::overlay::view::View;
use crate::overlay::view::tests::view;

/// A node, its operation, and what it wanted so far.
struct Bench {
    view: View,
    lamport: LamportClock,
    meters: Meters,
    signatures: SignatureCache,
    write: Write<Box<dyn Fn(Version) -> Entry>>,
    wants: Wants,
    now: Now,
}

fn refused(why: Refusal) -> Result<Reply, Lost> {
    Ok(Reply::Refused { why, text: "no".into() })
}

impl Bench {
    fn new(nodes: u64) -> Bench {
        Bench::within(nodes, None)
    }

    /// Where there may be so many values.
    fn within(nodes: u64, room: Option<u32>) -> Bench {
        let entry: Box<dyn Fn(Version) -> Entry> = Box::new(|version| {
            Entry::live(
                Value::new("v").unwrap(),
                SecretTag::NONE,
                version,
                Lifetime::from_millis(9),
            )
        });
        let mut bench = Bench {
            view: view(nodes),
            lamport: LamportClock::default(),
            meters: Meters::default(),
            signatures: SignatureCache::default(),
            write: Write::new(Key::new("k").unwrap().place(), entry, room),
            wants: Wants::default(),
            now: Duration::ZERO,
        };
        bench.step(|write, context, wants| write.start(context, wants));
        bench
    }

    fn step(
        &mut self,
        act: impl FnOnce(&mut Write<Box<dyn Fn(Version) -> Entry>>, &Context<'_>, &mut Wants),
    ) {
        let context = Context {
            now: self.now,
            view: &self.view,
            lamport: &self.lamport,
            meters: &self.meters,
            signatures: &self.signatures,
            unanswered: UNANSWERED,
        };
        act(&mut self.write, &context, &mut self.wants);
    }

    /// Answers the first request that waits.
    fn answer(&mut self, reply: Result<Reply, Lost>) {
        let ask = self.wants.asks.remove(0);
        self.step(|write, context, wants| {
            write.answered(context, ask.tag.unwrap(), reply, wants);
        });
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.step(|write, context, wants| write.time_passed(context, wants));
    }

    fn version_asked(&self) -> Version {
        match &self.wants.asks[0].request {
            Request::Apply { entry, .. } => entry.version(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn two_of_three_copies_acknowledge_and_all_when_there_are_fewer() {
    for (nodes, needed) in [(1, 1), (2, 2), (3, 2), (10, 2)] {
        let mut bench = Bench::new(nodes);
        assert_eq!(bench.wants.asks.len() as u64, nodes.min(3));
        for _ in 0..needed {
            assert_eq!(bench.write.outcome(), None);
            bench.answer(Ok(Reply::Applied));
        }
        assert_eq!(bench.write.outcome(), Some(Ok(needed)));
    }
}

#[test]
fn replicas_that_do_not_know_yet_that_they_are_are_asked_again_and_counted() {
    let mut bench = Bench::new(5);
    // They still know somebody closer, who is gone.
    bench.answer(Ok(Reply::NotMine(Vec::new())));
    bench.answer(Ok(Reply::NotMine(Vec::new())));
    bench.answer(Ok(Reply::Applied));
    assert_eq!(bench.write.outcome(), None, "one copy of five super-nodes is none");
    bench.pass(RETRY);
    assert_eq!(bench.wants.asks.len(), 2);
    bench.answer(Ok(Reply::Applied));
    assert_eq!(bench.write.outcome(), Some(Ok(2)));
}

#[test]
fn a_stale_version_is_outbid_and_earlier_acknowledgements_do_not_count() {
    let mut bench = Bench::new(3);
    bench.answer(Ok(Reply::Applied));
    bench.answer(Ok(Reply::Stale(Version::new(70))));
    // The third of the first round, too late.
    bench.answer(Ok(Reply::Applied));
    assert_eq!(bench.write.outcome(), None);
    assert_eq!(bench.wants.asks.len(), 3);
    assert_eq!(bench.version_asked(), Version::new(71));
    bench.answer(Ok(Reply::Applied));
    bench.answer(Ok(Reply::Applied));
    assert_eq!(bench.write.outcome(), Some(Ok(2)));
}

#[test]
fn a_replica_that_lies_about_versions_is_left_out() {
    for lie in [Version::new(u64::MAX), Version::ZERO] {
        let mut bench = Bench::new(3);
        bench.answer(Ok(Reply::Stale(lie)));
        assert_eq!(bench.meters.malformed.get(), 1);
        assert!(bench.lamport.tick() < Version::new(100));
        bench.answer(Ok(Reply::Applied));
        bench.answer(Ok(Reply::Applied));
        assert_eq!(bench.write.outcome(), Some(Ok(2)));
    }
}

#[test]
fn a_replica_that_names_ever_newer_versions_is_believed_only_so_long() {
    let mut bench = Bench::new(3);
    for round in 1.. {
        let (liar, version) = (bench.view.replicas(&bench.write.place)[0].peer.id, round * 1000);
        let at = bench.wants.asks.iter().position(|ask| ask.to.id == liar);
        let Some(at) = at else { break };
        let ask = bench.wants.asks.remove(at);
        bench.wants.asks.clear();
        bench.step(|write, context, wants| {
            write.answered(
                context,
                ask.tag.unwrap(),
                Ok(Reply::Stale(Version::new(version))),
                wants,
            );
        });
        assert!(round < 100, "without end");
    }
    assert_eq!(bench.write.outcome(), None, "the others may still take it");
}

#[test]
fn one_alone_drives_no_version_to_where_others_would_not_take_it() {
    for (version, is_believed) in [(1 << 39, true), ((1 << 39) + 99, true), (1 << 40, false)] {
        let mut bench = Bench::new(3);
        bench.answer(Ok(Reply::Stale(Version::new(version))));
        assert_eq!(bench.meters.malformed.get() == 0, is_believed, "{version}");
    }
}

#[test]
fn a_version_far_ahead_that_two_name_is_outbid() {
    let mut bench = Bench::new(3);
    let far = Version::new(1 << 41);
    bench.answer(Ok(Reply::Stale(far)));
    bench.answer(Ok(Reply::Stale(far)));
    bench.wants.asks.remove(0);
    assert_eq!(bench.version_asked(), far.next());
}

#[test]
fn one_full_disk_of_three_is_no_obstacle_two_are() {
    let mut bench = Bench::new(3);
    bench.answer(refused(Refusal::OverCapacity));
    bench.answer(Ok(Reply::Applied));
    assert_eq!(bench.write.outcome(), None);
    bench.answer(Ok(Reply::Applied));
    assert_eq!(bench.write.outcome(), Some(Ok(2)));
    let mut bench = Bench::new(3);
    bench.answer(refused(Refusal::OverCapacity));
    bench.answer(refused(Refusal::OverCapacity));
    assert_eq!(bench.write.outcome(), Some(Err(DhtError::OverCapacity("no".into()))));
}

#[test]
fn whoever_did_not_answer_is_asked_again_and_in_the_end_there_is_no_quorum() {
    let mut bench = Bench::new(3);
    bench.answer(Err(Lost::Connection));
    bench.answer(refused(Refusal::Later));
    assert!(bench.wants.asks.len() == 1, "the third still waits");
    bench.pass(RETRY);
    assert_eq!(bench.wants.asks.len(), 3);
    bench.pass(PATIENCE);
    assert!(matches!(bench.write.outcome(), Some(Err(DhtError::NoQuorum(_)))));
}

#[test]
fn the_death_of_one_of_two_delays_a_write_and_no_more() {
    let mut bench = Bench::new(2);
    bench.answer(Ok(Reply::Applied));
    bench.pass(UNANSWERED);
    assert_eq!(bench.wants.overdue.len(), 1);
    assert_eq!(bench.write.outcome(), None);
    let me = bench.view.me().clone();
    bench.view = View::new(me, Vec::new(), Vec::new(), true);
    bench.pass(RETRY);
    assert_eq!(bench.write.outcome(), Some(Ok(1)));
}

#[test]
fn nothing_is_written_before_the_node_knows_who_is_there() {
    let mut bench = Bench::new(1);
    let me = bench.view.me().clone();
    bench.view = View::new(me.clone(), Vec::new(), Vec::new(), false);
    bench.write = Bench::new(1).write;
    bench.write.targets = None;
    bench.wants = Wants::default();
    bench.pass(RETRY);
    assert!(bench.wants.asks.is_empty());
    bench.view = View::new(me, Vec::new(), Vec::new(), true);
    bench.pass(RETRY);
    assert_eq!(bench.wants.asks.len(), 1);
}

#[test]
fn a_replica_that_knows_a_closer_one_refers_to_it() {
    let mut bench = Bench::new(3);
    let place = Key::new("k").unwrap().place();
    let closer = (100..).map(crate::overlay::view::tests::peer);
    let farthest = bench.wants.asks.iter().map(|ask| ask.to.place.distance(&place)).max().unwrap();
    let closer = closer.into_iter().find(|peer| peer.place.distance(&place) < farthest).unwrap();
    bench.wants.asks.sort_by_key(|ask| std::cmp::Reverse(ask.to.place.distance(&place)));
    let addresses = vec![([127, 0, 0, 1], 1).into()];
    let contact = crate::wire::Contact { id: closer.id, addresses };
    bench.answer(Ok(Reply::NotMine(vec![contact])));
    assert_eq!(bench.wants.asks.last().map(|ask| ask.to.id), Some(closer.id));
    bench.answer(Ok(Reply::Applied));
    bench.answer(Ok(Reply::Applied));
    assert_eq!(bench.write.outcome(), Some(Ok(2)));
}

/// Whether each request that waits asks for room.
fn with_room(bench: &Bench) -> Vec<bool> {
    let room = |request: &Request| match request {
        Request::Apply { room, .. } => room.is_some(),
        other => panic!("{other:?}"),
    };
    bench.wants.asks.iter().map(|ask| room(&ask.request)).collect()
}

#[test]
fn one_replica_decides_whether_there_is_room_and_then_the_others_are_asked() {
    let mut bench = Bench::within(3, Some(256));
    assert_eq!(with_room(&bench), [true]);
    bench.answer(Ok(Reply::Applied));
    assert_eq!(with_room(&bench), [false, false]);
    bench.answer(Ok(Reply::Applied));
    assert_eq!(bench.write.outcome(), Some(Ok(2)));
}

#[test]
fn what_the_deciding_replica_has_no_room_for_is_sent_to_no_other() {
    let mut bench = Bench::within(3, Some(256));
    bench.answer(refused(Refusal::Full));
    assert!(matches!(bench.write.outcome(), Some(Err(DhtError::Full(_)))));
    assert!(bench.wants.asks.is_empty());
}

#[test]
fn another_decides_when_the_first_cannot() {
    for reply in [Err(Lost::Connection), refused(Refusal::Later), refused(Refusal::OverCapacity)] {
        let mut bench = Bench::within(3, Some(256));
        bench.answer(reply);
        assert_eq!(with_room(&bench), [true]);
        bench.answer(Ok(Reply::Applied));
        bench.pass(RETRY);
        let waiting = bench.wants.asks.len();
        (0..waiting).for_each(|_| bench.answer(Ok(Reply::Applied)));
        let outcome = bench.write.outcome();
        assert!(matches!(outcome, Some(Ok(2 | 3))), "{outcome:?}");
    }
    let mut bench = Bench::within(3, Some(256));
    bench.wants.asks.clear();
    bench.pass(UNANSWERED);
    assert_eq!(with_room(&bench), [true], "the first is silent");
}
