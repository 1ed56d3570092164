//! What clients may be told: a register for each value, written by one client, read by all.
//!
//! While the overlay is whole, with at most one node out of it, each read has to find what was
//! acknowledged before it began. When it is torn into parts that do not know of each other, each part
//! goes on by itself: a part that lost more than one node (a *weak* one) has to show what was
//! acknowledged in it, and no more. When calm is back all of it counts, unless what one part did
//! contradicts what was done before or elsewhere.

mod register;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Key;

pub(super) use self::register::Deed;
use self::register::{Circumstances, Expected, Prior, Register};

/// Copies that everything acknowledged has when calm is back.
const COPIES: usize = 2;
/// The same when replicas agree.
const COPIES_AGREED: usize = 3;

/// Whether the overlay is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is: at most one node is out of it.
    Whole,
    /// It is not. Ordered: within each part it is known what came after what.
    Torn { ordered: bool },
    /// Its parts find each other again.
    Mending,
}

/// A part of a torn overlay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub(super) number: u8,
    /// Whether it lost more than one node, so that all copies of something may be elsewhere.
    pub(super) weak: bool,
}

impl PartialEq for Side {
    fn eq(&self, other: &Side) -> bool {
        self.number == other.number
    }
}

impl Side {
    /// The one side of what is whole.
    pub(super) const WHOLE: Side = Side { number: 0, weak: false };
}

/// What all values should be.
#[derive(Debug)]
pub(super) struct Truth(Mutex<State>);

#[derive(Debug)]
struct State {
    phase: Phase,
    ordered: bool,
    /// Counts whatever makes what is under way doubtful.
    epoch: u64,
    keys: BTreeMap<String, BTreeMap<String, Register>>,
    /// How often a slot of a key was given a new value because of the old one nothing can be known.
    generations: BTreeMap<(String, u64), u64>,
}

/// An operation under way.
#[derive(Debug)]
pub(super) struct Ticket {
    key: String,
    value: String,
    node: usize,
    side: Side,
    epoch: u64,
    prior: Prior,
    began: Duration,
}

/// What a reader takes note of before it reads.
#[derive(Debug)]
pub(super) struct Before {
    key: String,
    side: Side,
    epoch: u64,
    began: Duration,
    changes: BTreeMap<String, u64>,
}

/// What a read must not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    /// What was done to the value.
    pub(super) history: Vec<String>,
}

impl Truth {
    pub(super) fn new() -> Truth {
        Truth(Mutex::new(State {
            phase: Phase::Whole,
            ordered: true,
            epoch: 0,
            keys: BTreeMap::new(),
            generations: BTreeMap::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to call a slot's value: something new when nothing can be known any more of the old one.
    pub(super) fn value(&self, key: &str, slot: u64) -> String {
        let mut state = self.state();
        let name = |generation: u64| format!("value {slot}.{generation}");
        let generation = state.generations.get(&(key.to_owned(), slot)).copied().unwrap_or(0);
        let of_key = state.keys.get(key);
        let register = of_key.and_then(|values| values.get(&name(generation)));
        if !register.is_some_and(Register::is_lost_cause) {
            return name(generation);
        }
        state.generations.insert((key.to_owned(), slot), generation + 1);
        name(generation + 1)
    }

    /// An operation begins, at a node of a part.
    pub(super) fn begin(
        &self,
        key: &str,
        value: &str,
        (node, side): (usize, Side),
        began: Duration,
    ) -> Ticket {
        let mut state = self.state();
        let epoch = state.epoch;
        let register = state.register(key, value);
        let prior = register.prior();
        register.changing = true;
        register.changes += 1;
        Ticket { key: key.to_owned(), value: value.to_owned(), node, side, epoch, prior, began }
    }

    /// It was acknowledged by so many.
    pub(super) fn done(&self, ticket: Ticket, deed: Deed, copies: usize, ended: Duration) {
        let outcome = format!("acknowledged by {copies}");
        self.end(&ticket, deed, &outcome, ended, |register, at| register.done(deed, copies, at));
    }

    /// It was not: it may or may not be in force, now or later.
    pub(super) fn unknown(&self, ticket: Ticket, deed: Deed, ended: Duration) {
        let outcome = "not acknowledged";
        self.end(&ticket, deed, outcome, ended, |register, at| register.unknown(deed, at));
    }

    fn end(
        &self,
        ticket: &Ticket,
        deed: Deed,
        outcome: &str,
        ended: Duration,
        change: impl FnOnce(&mut Register, Circumstances),
    ) {
        let mut state = self.state();
        let Ticket { side, prior, began, .. } = *ticket;
        let spans = state.epoch != ticket.epoch;
        let phase = state.phase;
        let at = Circumstances { phase, side, prior, spans, began, ended };
        let register = state.register(&ticket.key, &ticket.value);
        register.changing = false;
        register.changes += 1;
        let what = match deed {
            Deed::Put(ttl) => format!("put for {:.0} s", ttl.as_secs_f64()),
            Deed::Remove => "removed".to_owned(),
        };
        register.note(format!(
            "{:.3} to {:.3} s: {what} at node {}, {outcome}{}",
            began.as_secs_f64(),
            ended.as_secs_f64(),
            ticket.node,
            if phase == Phase::Whole { String::new() } else { format!(" ({phase:?})") },
        ));
        change(register, at);
    }

    /// Whether a removal may say that there is no such value.
    pub(super) fn may_be_absent(&self, ticket: &Ticket, ended: Duration) -> bool {
        let mut state = self.state();
        let (phase, epoch) = (state.phase, state.epoch);
        let register = state.register(&ticket.key, &ticket.value);
        let expected = register.expected_at(ticket.side, phase, ticket.began, ended);
        epoch != ticket.epoch || expected != Expected::There
    }

    /// The state of a key's values before a read in a part.
    pub(super) fn before(&self, key: &str, side: Side, began: Duration) -> Before {
        let state = self.state();
        let values = state.keys.get(key).into_iter().flatten();
        let changes = values.map(|(value, register)| (value.clone(), register.changes)).collect();
        Before { key: key.to_owned(), side, epoch: state.epoch, began, changes }
    }

    /// Checks what a read said. How many values it was sure of.
    pub(super) fn check(
        &self,
        before: &Before,
        listed: &[String],
        ended: Duration,
    ) -> Result<u64, Wrong> {
        let state = self.state();
        let Before { key, side, began, .. } = before;
        let mut sure = 0;
        let nothing = BTreeMap::new();
        let values = state.keys.get(key).unwrap_or(&nothing);
        for (value, register) in values {
            let changed = before.changes.get(value) != Some(&register.changes);
            if register.changing || changed || state.epoch != before.epoch {
                continue;
            }
            let is_listed = listed.contains(value);
            let wrong = match register.expected_at(*side, state.phase, *began, ended) {
                Expected::There if !is_listed => "was acknowledged and is lost",
                Expected::Gone if is_listed => "was removed, or its time is over, and it is back",
                Expected::Either => continue,
                _ => {
                    sure += 1;
                    continue;
                }
            };
            let what = format!("{value:?} under {key:?} {wrong}");
            return Err(Wrong { what, history: register.history().to_vec() });
        }
        match listed.iter().find(|value| !values.contains_key(*value)) {
            Some(value) => {
                let what = format!("{value:?} under {key:?} was never put");
                Err(Wrong { what, history: Vec::new() })
            }
            None => Ok(sure),
        }
    }

    /// From now on the overlay is in parts that do not know of each other.
    pub(super) fn tear(&self, ordered: bool) {
        let mut state = self.state();
        state.phase = Phase::Torn { ordered };
        state.ordered = ordered;
        state.epoch += 1;
    }

    /// The parts can reach each other again.
    pub(super) fn mend(&self) {
        let mut state = self.state();
        state.phase = Phase::Mending;
        state.epoch += 1;
    }

    /// All know each other and hold what they should, and replicas have had the time to agree on what was
    /// done `before` that: it has as many copies as anything has.
    pub(super) fn calm(&self, before: Duration) {
        let mut state = self.state();
        if state.phase != Phase::Whole {
            state.epoch += 1;
        }
        state.phase = Phase::Whole;
        let ordered = state.ordered;
        for register in state.registers() {
            register.calm(ordered);
            let agreed = register.is_older_than(before);
            register.spread(if agreed { COPIES_AGREED } else { COPIES });
        }
    }

    /// So many disks are lost at once.
    pub(super) fn lose_disks(&self, count: usize) {
        let mut state = self.state();
        state.epoch += 1;
        state.registers().for_each(|register| register.lose_disks(count));
    }

    /// A machine came back with a wall clock off by so much more; for so long nothing is known of
    /// its time.
    pub(super) fn clock_jumped(&self, off: Duration, jump_ms: i64, now: Duration) {
        let mut state = self.state();
        state.registers().for_each(|register| register.clock_jumped(off, jump_ms, now));
    }

    /// The values under a key that surely are there.
    pub(super) fn surely_there(&self, key: &str, now: Duration) -> Vec<String> {
        let state = self.state();
        let values = state.keys.get(key).into_iter().flatten();
        let there = values.filter(|(_, register)| register.is_surely_there(now));
        there.map(|(value, _)| value.clone()).collect()
    }

    /// What was done to a value.
    pub(super) fn history(&self, key: &str, value: &str) -> Vec<String> {
        self.state().register(key, value).history().to_vec()
    }

    /// All keys.
    pub(super) fn keys(&self) -> Vec<Key> {
        let state = self.state();
        state.keys.keys().filter_map(|key| Key::new(key.clone()).ok()).collect()
    }
}

impl State {
    fn register(&mut self, key: &str, value: &str) -> &mut Register {
        if !self.keys.contains_key(key) {
            self.keys.insert(key.to_owned(), BTreeMap::new());
        }
        let values = self.keys.entry(key.to_owned()).or_default();
        values.entry(value.to_owned()).or_default()
    }

    fn registers(&mut self) -> impl Iterator<Item = &mut Register> {
        self.keys.values_mut().flat_map(BTreeMap::values_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Deed = Deed::Put(Duration::from_secs(3600));
    const NOW: Duration = Duration::from_secs(1);
    const HERE: (usize, Side) = (0, Side::WHOLE);

    fn check(truth: &Truth, before: &Before, listed: &[&str]) -> Result<u64, String> {
        let listed: Vec<String> = listed.iter().map(|value| (*value).to_owned()).collect();
        truth.check(before, &listed, NOW).map_err(|wrong| wrong.what)
    }

    #[test]
    fn what_was_acknowledged_must_be_there_and_what_was_removed_not() {
        let truth = Truth::new();
        let put = truth.begin("k", "v", HERE, NOW);
        truth.done(put, HOUR, 2, NOW);
        let before = truth.before("k", Side::WHOLE, NOW);
        assert_eq!(check(&truth, &before, &["v"]), Ok(1));
        assert!(check(&truth, &before, &[]).unwrap_err().contains("lost"));
        let removal = truth.begin("k", "v", HERE, NOW);
        assert_eq!(check(&truth, &before, &[]), Ok(0), "it is being changed");
        truth.done(removal, Deed::Remove, 2, NOW);
        assert_eq!(check(&truth, &before, &["v"]), Ok(0), "it changed meanwhile");
        let before = truth.before("k", Side::WHOLE, NOW);
        assert!(check(&truth, &before, &["v"]).unwrap_err().contains("is back"));
        assert!(check(&truth, &before, &["w"]).unwrap_err().contains("never put"));
    }

    #[test]
    fn what_was_not_acknowledged_may_come_into_force_at_any_time() {
        let truth = Truth::new();
        let name = truth.value("k", 1);
        let put = truth.begin("k", &name, HERE, NOW);
        truth.unknown(put, HOUR, NOW);
        let removal = truth.begin("k", &name, HERE, NOW);
        truth.done(removal, Deed::Remove, 2, NOW);
        let before = truth.before("k", Side::WHOLE, NOW);
        assert_eq!(check(&truth, &before, &[&name]), Ok(0));
        assert_eq!(check(&truth, &before, &[]), Ok(0));
        assert_ne!(truth.value("k", 1), name, "nothing more can be learned from that one");
    }

    #[test]
    fn a_read_that_saw_the_overlay_tear_says_nothing() {
        let truth = Truth::new();
        let put = truth.begin("k", "v", HERE, NOW);
        truth.done(put, HOUR, 2, NOW);
        let before = truth.before("k", Side::WHOLE, NOW);
        truth.tear(true);
        assert_eq!(check(&truth, &before, &[]), Ok(0));
        let strong = truth.before("k", Side::WHOLE, NOW);
        assert!(check(&truth, &strong, &[]).is_err(), "one copy of two is left at least");
    }
}
