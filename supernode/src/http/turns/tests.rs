//! Lines of few sources, step by step, and what holds whatever they do.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

type Lines = Turns<u8, u32>;

fn lines(slots: usize, running: usize) -> Lines {
    Turns::new(Bounds { slots, running, waiting: 1000 })
}

/// Requests of these numbers come from a source.
fn arrive(lines: &mut Lines, source: u8, numbers: std::ops::Range<u32>) -> Vec<Arrival> {
    numbers.map(|number| lines.arrive(source, 100, || number)).collect()
}

fn all(lines: &mut Lines) -> Vec<u32> {
    std::iter::from_fn(|| lines.next()).collect()
}

#[test]
fn a_source_runs_as_much_as_it_may_and_the_rest_waits_in_order() {
    let mut lines = lines(100, 2);
    let came = arrive(&mut lines, 1, 0..4);
    assert_eq!(came[..2], [Arrival::Runs, Arrival::Runs]);
    assert!(matches!(came[2..], [Arrival::Waits(_), Arrival::Waits(_)]));
    assert!(all(&mut lines).is_empty());
    lines.leave(1, true);
    assert_eq!(all(&mut lines), [2]);
    lines.pause(1);
    assert_eq!(all(&mut lines), [3], "what waits for a disk needs no thread");
}

#[test]
fn who_comes_while_another_floods_runs_at_once() {
    let mut lines = lines(100, 1);
    arrive(&mut lines, 1, 0..50);
    assert_eq!(lines.arrive(2, 100, || 100), Arrival::Runs);
}

#[test]
fn a_flood_that_waits_for_disks_leaves_slots_to_others() {
    let mut lines = lines(64, 1);
    arrive(&mut lines, 1, 0..100);
    let mut begun = 1;
    loop {
        lines.pause(1);
        let next = all(&mut lines);
        if next.is_empty() {
            break;
        }
        begun += next.len();
    }
    assert_eq!(begun, 56, "7 of 8");
    assert_eq!(lines.arrive(2, 100, || 100), Arrival::Runs);
}

#[test]
fn sources_take_turns() {
    let mut lines = lines(1, 1);
    arrive(&mut lines, 1, 10..14);
    arrive(&mut lines, 2, 20..22);
    arrive(&mut lines, 3, 30..31);
    let mut order = Vec::new();
    let mut running = 1;
    loop {
        lines.leave(running, true);
        let Some(next) = lines.next() else { break };
        running = u8::try_from(next / 10).unwrap();
        order.push(next);
    }
    assert_eq!(order, [11, 20, 30, 12, 21, 13]);
}

#[test]
fn a_line_that_is_full_refuses_and_so_do_all_together() {
    let mut lines: Lines = Turns::new(Bounds { slots: 1, running: 1, waiting: 5 });
    assert_eq!(lines.arrive(1, 3, || 0), Arrival::Runs);
    for number in 1..4 {
        assert!(matches!(lines.arrive(1, 3, || number), Arrival::Waits(_)));
    }
    assert_eq!(lines.arrive(1, 3, || 4), Arrival::Refused);
    assert!(matches!(lines.arrive(2, 3, || 5), Arrival::Waits(_)));
    assert!(matches!(lines.arrive(3, 3, || 6), Arrival::Waits(_)));
    assert_eq!(lines.arrive(4, 3, || 7), Arrival::Refused, "five wait");
}

#[test]
fn who_gives_up_is_not_named_and_who_was_named_cannot() {
    let mut lines = lines(1, 1);
    let came = arrive(&mut lines, 1, 0..3);
    let [_, Arrival::Waits(second), Arrival::Waits(third)] = came[..] else { panic!("{came:?}") };
    assert!(lines.give_up(1, second));
    assert!(!lines.give_up(1, second));
    lines.leave(1, true);
    assert_eq!(all(&mut lines), [2]);
    assert!(!lines.give_up(1, third));
    lines.leave(1, true);
    assert!(lines.lines.is_empty() && lines.ring.is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Arrive(u8),
    Pause(usize),
    Leave(usize),
    GiveUp(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..5u8).prop_map(Step::Arrive),
        2 => (0..64usize).prop_map(Step::Pause),
        3 => (0..64usize).prop_map(Step::Leave),
        1 => (0..64usize).prop_map(Step::GiveUp),
    ];
    prop::collection::vec(step, 1..300)
}

/// What the owner of the turns knows of its requests.
#[derive(Default)]
struct Owner {
    waiting: Vec<(u8, u32, Ticket)>,
    /// Source, and whether it runs.
    held: Vec<(u8, bool)>,
    /// For each source that waits, how often each other was named since its turn came last.
    passed: HashMap<u8, HashMap<u8, u32>>,
}

impl Owner {
    fn named(&mut self, number: u32) {
        let at = self.waiting.iter().position(|(_, waiting, _)| *waiting == number).unwrap();
        let (source, ..) = self.waiting.remove(at);
        self.held.push((source, true));
        self.passed.remove(&source);
        for (waiting, ..) in &self.waiting {
            self.passed.entry(*waiting).or_default();
        }
        for (_, passed) in self.passed.iter_mut() {
            *passed.entry(source).or_default() += 1;
        }
    }
}

proptest! {
    #[test]
    fn bounds_hold_nothing_is_lost_and_no_thread_idles(steps in steps()) {
        let bounds = Bounds { slots: 6, running: 2, waiting: 12 };
        let mut lines: Lines = Turns::new(bounds);
        let mut owner = Owner::default();
        let mut number = 0;
        for step in steps {
            match step {
                Step::Arrive(source) => {
                    number += 1;
                    match lines.arrive(source, 5, || number) {
                        Arrival::Runs => owner.held.push((source, true)),
                        Arrival::Waits(ticket) => owner.waiting.push((source, number, ticket)),
                        Arrival::Refused => {
                            let own = owner.waiting.iter().filter(|(s, ..)| *s == source).count();
                            prop_assert!(own == 5 || owner.waiting.len() == 12);
                        }
                    }
                }
                Step::Pause(which) => {
                    let count = owner.held.len().max(1);
                    if let Some((source, running @ true)) = owner.held.get_mut(which % count) {
                        *running = false;
                        lines.pause(*source);
                    }
                }
                Step::Leave(which) if !owner.held.is_empty() => {
                    let (source, running) = owner.held.remove(which % owner.held.len());
                    lines.leave(source, running);
                }
                Step::GiveUp(which) if !owner.waiting.is_empty() => {
                    let (source, _, ticket) = owner.waiting.remove(which % owner.waiting.len());
                    prop_assert!(lines.give_up(source, ticket));
                }
                Step::Leave(_) | Step::GiveUp(_) => {}
            }
            while let Some(named) = lines.next() {
                owner.named(named);
            }
            prop_assert!(owner.held.len() <= bounds.slots);
            prop_assert_eq!(lines.held, owner.held.len());
            prop_assert_eq!(lines.waiting, owner.waiting.len());
            for source in 0..5 {
                let held = owner.held.iter().filter(|(s, _)| *s == source).count();
                let running = owner.held.iter().filter(|(s, r)| *s == source && *r).count();
                prop_assert!(running <= bounds.running);
                prop_assert!(held <= SHARE * bounds.slots / (SHARE + 1) + 1);
                let waits = owner.waiting.iter().any(|(s, ..)| *s == source);
                let free = bounds.slots - owner.held.len();
                let could = running < bounds.running && held < SHARE * free;
                prop_assert!(!(waits && could), "source {} waits for nothing", source);
                let here = held > 0 || waits;
                prop_assert_eq!(lines.lines.contains_key(&source), here);
            }
        }
    }

    /// With one slot and sources that all wait, between two turns of one each other has at most one.
    #[test]
    fn nobody_is_passed_twice_by_another(counts in prop::collection::vec(1..20u32, 2..6)) {
        let mut lines = lines(1, 1);
        let mut owner = Owner::default();
        prop_assert_eq!(lines.arrive(99, 100, || 0), Arrival::Runs);
        let mut number = 0;
        for (source, count) in (0u8..).zip(&counts) {
            for _ in 0..*count {
                number += 1;
                let Arrival::Waits(ticket) = lines.arrive(source, 100, || number) else {
                    return Err(TestCaseError::fail("did not wait"));
                };
                owner.waiting.push((source, number, ticket));
            }
        }
        lines.leave(99, true);
        while let Some(named) = lines.next() {
            owner.named(named);
            let (source, _) = owner.held.pop().unwrap();
            for passed in owner.passed.values() {
                prop_assert!(passed.values().all(|times| *times <= 1));
            }
            lines.leave(source, true);
        }
        prop_assert!(owner.waiting.is_empty());
    }
}
