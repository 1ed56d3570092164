//! Whose request is next. Each source of requests waits in a line of its own, and those at the head
//! of the lines take turns; so that somebody with a thousand requests delays somebody with one by
//! about one of them, and alone may have it all. No clock, no task: whoever owns the [`Turns`] tells
//! it who comes and goes, and wakes whom it names.
//!
//! ```text
//! arrives ──► in line ──next──► running ──pause──► held ──leave──► gone
//!    │  └───────────────────────────▲      └────────────leave──────►
//!    └──► refused: too many in this line, or in all
//! ```
//!
//! A request is *running* while it computes, and *held* from then on, too, while it waits for a disk
//! or another super-node. Both are bounded for one source, so that each newcomer finds something
//! left: it may run on all threads but one, and hold as long as a seventh of what it holds stays free.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// How many times what is free one source may hold: alone it gets 7 of 8 slots, two get 7 of 15 each,
/// and there are always some left (the dynamic thresholds of Choudhury and Hahne, 1998).
pub(super) const SHARE: usize = 7;

/// How much of everything there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Requests held at a time, running or not.
    pub(super) slots: usize,
    /// Requests of one source that run at a time.
    pub(super) running: usize,
    /// Requests waiting in all lines together.
    pub(super) waiting: usize,
}

/// Names a request that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// What becomes of a request that arrives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It runs.
    Runs,
    /// It waits; [`Turns::next`] will name it.
    Waits(Ticket),
    /// Its own line is full, or all are. It may try again.
    Refused,
}

/// The lines, and what is held. `T` is whatever wakes a request that waits.
#[derive(Debug)]
pub(super) struct Turns<S, T> {
    bounds: Bounds,
    lines: HashMap<S, Line<T>>,
    /// Those who have somebody waiting, in the order of their turns.
    ring: VecDeque<S>,
    held: usize,
    waiting: usize,
    tickets: u64,
}

#[derive(Debug)]
struct Line<T> {
    waiting: VecDeque<(Ticket, T)>,
    running: usize,
    held: usize,
}

impl<S: Eq + Hash + Copy, T> Turns<S, T> {
    pub(super) fn new(bounds: Bounds) -> Turns<S, T> {
        Turns {
            bounds,
            lines: HashMap::new(),
            ring: VecDeque::new(),
            held: 0,
            waiting: 0,
            tickets: 0,
        }
    }

    /// A request comes from a source, in whose line may wait at most `in_line`. `wake` is made if it
    /// has to wait.
    pub(super) fn arrive(
        &mut self,
        source: S,
        in_line: usize,
        wake: impl FnOnce() -> T,
    ) -> Arrival {
        let (most, free) = (self.bounds.running, self.free());
        let line = self.lines.entry(source).or_insert_with(Line::empty);
        if line.waiting.is_empty() && line.may_run(most, free) {
            (line.running, line.held) = (line.running + 1, line.held + 1);
            self.held += 1;
            return Arrival::Runs;
        }
        if line.waiting.len() >= in_line || self.waiting >= self.bounds.waiting {
            self.tidy(source);
            return Arrival::Refused;
        }
        if line.waiting.is_empty() {
            self.ring.push_back(source);
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        line.waiting.push_back((ticket, wake()));
        self.waiting += 1;
        Arrival::Waits(ticket)
    }

    /// The next request that may run, and does from now on. To be asked after each change until
    /// there is none.
    pub(super) fn next(&mut self) -> Option<T> {
        let (most, free, lines) = (self.bounds.running, self.free(), &self.lines);
        if free == 0 {
            return None;
        }
        let may_run = |source: &S| lines.get(source).is_some_and(|line| line.may_run(most, free));
        let at = self.ring.iter().position(may_run)?;
        let source = self.ring.remove(at)?;
        let line = self.lines.get_mut(&source)?;
        let (_, wake) = line.waiting.pop_front()?;
        (line.running, line.held) = (line.running + 1, line.held + 1);
        if !line.waiting.is_empty() {
            self.ring.push_back(source);
        }
        self.waiting -= 1;
        self.held += 1;
        Some(wake)
    }

    /// A running request waits for something else than a thread.
    pub(super) fn pause(&mut self, source: S) {
        if let Some(line) = self.lines.get_mut(&source) {
            line.running -= 1;
        }
    }

    /// A request that was held is done; whether it was still running.
    pub(super) fn leave(&mut self, source: S, running: bool) {
        if let Some(line) = self.lines.get_mut(&source) {
            line.running -= usize::from(running);
            line.held -= 1;
            self.held -= 1;
            if line.held == 0 && line.waiting.is_empty() {
                self.lines.remove(&source);
            }
        }
    }

    /// A request does not want to wait any more; whether it still did.
    pub(super) fn give_up(&mut self, source: S, ticket: Ticket) -> bool {
        let Some(line) = self.lines.get_mut(&source) else { return false };
        let Some(at) = line.waiting.iter().position(|(waiting, _)| *waiting == ticket) else {
            return false;
        };
        line.waiting.remove(at);
        self.waiting -= 1;
        if line.waiting.is_empty() {
            self.ring.retain(|other| *other != source);
        }
        self.tidy(source);
        true
    }

    fn free(&self) -> usize {
        self.bounds.slots - self.held
    }

    /// Forgets a source of which nothing is here.
    fn tidy(&mut self, source: S) {
        if self.lines.get(&source).is_some_and(|line| line.held == 0 && line.waiting.is_empty()) {
            self.lines.remove(&source);
        }
    }
}

impl<T> Line<T> {
    fn empty() -> Line<T> {
        Line { waiting: VecDeque::new(), running: 0, held: 0 }
    }

    fn may_run(&self, most: usize, free: usize) -> bool {
        self.running < most && self.held < SHARE * free
    }
}

#[cfg(test)]
mod tests;
