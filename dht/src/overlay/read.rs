//! [`Read`]: part of a key's entries, merged from the answers of enough replicas.
//!
//! ```text
//! ask a quorum of replicas ──► enough complete answers ──► merge, repair those that lack something
//!        │  overdue, filling, lost: ask the next
//!        └─ nobody left to ask, too few: all again, with whoever is there then; in the end "no quorum"
//! ```

use std::time::Duration;

use base::limits::VALUE_MAX;
use base::{Entry, EntryId, NodeId, SignatureCache};

use super::Now;
use super::operation::{Ask, Context, Operation, PATIENCE, RETRY, Wants};
use super::targets::{Target, TargetState, Targets, keepers, quorum};
use crate::DhtError;
use crate::link::Lost;
use crate::wire::{Get, LISTING_BYTES, LISTING_ENTRIES, Listing, Refusal, Reply, Request};

/// An answer is not overdue before this, however fast its peer usually is.
const HEDGE_MIN: Duration = Duration::from_millis(5);
/// An answer of a peer that was never timed is overdue after this.
const HEDGE_UNKNOWN: Duration = Duration::from_millis(50);
/// Until a replica that does not answer is asked once more.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Copies sent to replicas that lack them, by one read; the next read sends more.
const REPAIRS_MAX: usize = 32;

/// How many replicas a read asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consistency {
    /// Enough that one of them has what was acknowledged.
    Quorum,
    /// One, which may have missed the last moment.
    One,
}

/// Entries that were read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// In the order of their ids, tombstones included.
    pub(crate) entries: Vec<Entry>,
    /// Whether there may be more after the last one, within what was asked for.
    pub(crate) more: bool,
}

/// Reads part of the entries under a place.
pub(crate) struct Read {
    get: Get,
    consistency: Consistency,
    targets: Option<Targets>,
    listings: Vec<(usize, Listing)>,
    deadline: Now,
    wake_at: Now,
    /// When to begin anew, once nobody is left to ask.
    retry_at: Option<Now>,
    /// What a replica said that will not answer.
    refusal: Option<String>,
    outcome: Option<Result<Part, DhtError>>,
}

impl Read {
    pub(crate) fn new(get: Get, consistency: Consistency) -> Read {
        Read {
            get,
            consistency,
            targets: None,
            listings: Vec::new(),
            deadline: Now::ZERO,
            wake_at: Now::MAX,
            retry_at: None,
            refusal: None,
            outcome: None,
        }
    }

    fn begin(&mut self, context: &Context<'_>, wants: &mut Wants) {
        self.targets = Some(Targets::of(context.view, self.get.place));
        self.advance(context, wants);
    }

    /// Asks those again that did not answer or had not all. Whoever is slow may still answer.
    fn ask_again(&mut self, context: &Context<'_>, wants: &mut Wants) {
        self.retry_at = None;
        self.listings.retain(|(_, listing)| listing.complete);
        if let Some(targets) = &mut self.targets {
            targets.follow(context.view);
            for (at, target) in targets.iter_mut().enumerate() {
                let again = match target.state {
                    TargetState::Failed => true,
                    TargetState::Done => !self.listings.iter().any(|(from, _)| *from == at),
                    // The request, or its answer, may be lost.
                    TargetState::Waiting { since, .. } => {
                        context.now.saturating_sub(since) >= ASK_AGAIN
                    }
                    TargetState::Idle | TargetState::Refused | TargetState::Elsewhere => false,
                };
                if again {
                    target.state = TargetState::Idle;
                }
            }
        }
        self.advance(context, wants);
    }

    fn advance(&mut self, context: &Context<'_>, wants: &mut Wants) {
        let Some(targets) = &mut self.targets else { return };
        let chosen = targets.chosen();
        let listing_of = |at: &usize| self.listings.iter().find(|(from, _)| from == at);
        let answered = chosen.iter().filter(|at| listing_of(at).is_some()).count();
        let complete = chosen.iter().filter_map(listing_of).filter(|(_, l)| l.complete).count();
        let states = chosen.iter().filter_map(|at| targets.get(*at)).map(|target| target.state);
        let mut needed = match self.consistency {
            Consistency::Quorum => quorum(context.view),
            Consistency::One => 1,
        };
        // Of two replicas both have what was acknowledged: when one is silent the other will do.
        let silent = |state| {
            matches!(state, TargetState::Failed | TargetState::Waiting { silent: true, .. })
        };
        let keepers = keepers(context.view);
        if keepers == 2 && states.clone().any(silent) {
            needed = 1;
        }
        if complete >= needed && needed > 0 {
            self.finish(context, &chosen, wants);
            return;
        }
        // Disks that failed will not answer later.
        let refused = states.clone().filter(|state| *state == TargetState::Refused).count();
        if refused > 0 && chosen.len().max(keepers) - refused < needed {
            self.outcome = Some(Err(DhtError::NoQuorum(self.refusal.take().unwrap_or_default())));
            return;
        }
        let expected = |state| matches!(state, TargetState::Waiting { overdue: false, .. });
        let expected = states.filter(|state| expected(*state)).count();
        // Whoever is well is asked before suspects, this node itself before all.
        let mut next: Vec<usize> = chosen.clone();
        next.retain(|at| targets.get(*at).is_some_and(|t| t.state == TargetState::Idle));
        next.sort_by_key(|at| targets.get(*at).map(|target| (!target.well, target.hops > 0)));
        for at in next.into_iter().take(needed.saturating_sub(complete + expected)) {
            let Some(target) = targets.get_mut(at) else { continue };
            target.asked(context.now);
            let overdue = target.peer.latencies.p99().map_or(HEDGE_UNKNOWN, |p99| p99 * 2);
            self.wake_at = self.wake_at.min(context.now + overdue.max(HEDGE_MIN));
            wants.asks.push(Ask {
                to: target.peer.clone(),
                addresses: target.addresses.clone(),
                tag: Some(u32::try_from(at).unwrap_or(u32::MAX)),
                request: Request::Get(self.get),
            });
        }
        let unsettled = |target: &Target| {
            matches!(target.state, TargetState::Idle | TargetState::Waiting { silent: false, .. })
        };
        if chosen.iter().any(|at| targets.get(*at).is_some_and(unsettled)) {
            return;
        }
        // Everybody was asked. Values of replicas that are filling are values; their silence is
        // nothing.
        let values = self.listings.iter().flat_map(|(_, listing)| &listing.entries);
        let has_values = values.clone().any(|entry| entry.is_live());
        let all_answered = answered == chosen.len() && answered >= needed;
        if all_answered && has_values && context.view.is_settled() {
            self.finish(context, &chosen, wants);
        } else if self.retry_at.is_none() {
            self.retry_at = Some(context.now + RETRY);
        }
    }

    /// Merges the answers, and sends each replica what it lacks.
    fn finish(&mut self, context: &Context<'_>, chosen: &[usize], wants: &mut Wants) {
        let Some(targets) = &self.targets else { return };
        let used = || self.listings.iter().filter(|(at, _)| chosen.contains(at));
        let part = merge(used().map(|(_, listing)| listing));
        let hops = used().filter_map(|(at, _)| targets.get(*at)).map(|target| target.hops).max();
        context.meters.count_hops(hops.unwrap_or(0));
        let mut repairs = 0;
        for (at, listing) in used() {
            let Some(target) = targets.get(*at) else { continue };
            for entry in missing(&part, listing).take(REPAIRS_MAX - repairs) {
                repairs += 1;
                wants.asks.push(Ask {
                    to: target.peer.clone(),
                    addresses: target.addresses.clone(),
                    tag: None,
                    request: Request::Apply {
                        place: self.get.place,
                        entry: entry.clone(),
                        repair: true,
                        room: None,
                        quiet: false,
                    },
                });
            }
        }
        context.meters.read_repairs.add(repairs as u64);
        self.outcome = Some(Ok(part));
    }

    /// What time does to those that are waited for.
    fn check_waiting(&mut self, context: &Context<'_>, overdue: &mut Vec<NodeId>) {
        let now = context.now;
        self.wake_at = now + RETRY;
        for target in self.targets.iter_mut().flat_map(Targets::iter_mut) {
            let p99 = target.peer.latencies.p99().map_or(HEDGE_UNKNOWN, |p99| p99 * 2);
            let TargetState::Waiting { since, overdue: hedged, silent } = &mut target.state else {
                continue;
            };
            let waited = now.saturating_sub(*since);
            if !*hedged && waited >= p99.max(HEDGE_MIN) {
                *hedged = true;
                context.meters.hedges.add(1);
            }
            if !*silent && waited >= context.unanswered {
                *silent = true;
                overdue.push(target.peer.id);
            }
            let next = if *hedged { context.unanswered } else { p99.max(HEDGE_MIN) };
            if !*silent {
                self.wake_at = self.wake_at.min(*since + next);
            }
        }
    }
}

impl Operation for Read {
    type Output = Result<Part, DhtError>;

    fn start(&mut self, context: &Context<'_>, wants: &mut Wants) {
        self.deadline = context.now + PATIENCE;
        self.wake_at = context.now + RETRY;
        self.begin(context, wants);
    }

    fn answered(
        &mut self,
        context: &Context<'_>,
        tag: u32,
        reply: Result<Reply, Lost>,
        wants: &mut Wants,
    ) {
        let at = tag as usize;
        let Some(targets) = &mut self.targets else { return };
        let Some(target) = targets.get_mut(at) else { return };
        match reply {
            Ok(Reply::Listed(listing)) if fits(&self.get, &listing, context.signatures) => {
                target.state = TargetState::Done;
                self.listings.retain(|(from, _)| *from != at);
                self.listings.push((at, listing));
            }
            Ok(Reply::NotMine(closer)) => {
                if !targets.refer(at, closer, context.view) {
                    context.meters.malformed.add(1);
                }
            }
            Ok(Reply::Refused { why: Refusal::Later, .. }) => target.state = TargetState::Failed,
            Ok(Reply::Refused { text, .. }) => {
                target.state = TargetState::Refused;
                self.refusal = Some(text);
            }
            Err(_) => target.lose(),
            Ok(_) => {
                context.meters.malformed.add(1);
                target.state = TargetState::Failed;
            }
        }
        self.advance(context, wants);
    }

    fn time_passed(&mut self, context: &Context<'_>, wants: &mut Wants) {
        if context.now >= self.deadline {
            let text = if context.view.is_settled() {
                "too few of the super-nodes that keep this key answered, or they are still copying \
                 it; try again"
            } else {
                "this super-node is still looking for others; try again"
            };
            self.outcome = Some(Err(DhtError::NoQuorum(text.into())));
            return;
        }
        self.check_waiting(context, &mut wants.overdue);
        if self.retry_at.is_some_and(|at| at <= context.now) {
            context.meters.retries.add(1);
            self.ask_again(context, wants);
        } else {
            self.advance(context, wants);
        }
    }

    fn wake_at(&self) -> Now {
        self.wake_at.min(self.retry_at.unwrap_or(Now::MAX)).min(self.deadline)
    }

    fn outcome(&mut self) -> Option<Self::Output> {
        self.outcome.take()
    }
}

/// Whether a listing keeps to what was asked for, and all that is signed in it was. One that does not is
/// a lie.
fn fits(get: &Get, listing: &Listing, signatures: &SignatureCache) -> bool {
    let within = |id: EntryId| {
        get.after.is_none_or(|after| id > after) && get.until.is_none_or(|until| id <= until)
    };
    let signed = |entry: &Entry| {
        entry.as_signed().is_none() || signatures.check_entry(entry, &get.place).is_ok()
    };
    let bytes: usize = listing.entries.iter().map(Entry::cost).sum();
    // A list is cut only where it is full: else one entry at a time could be listed for ever.
    let is_full = listing.entries.len() >= get.entries.min(LISTING_ENTRIES)
        || bytes + VALUE_MAX >= get.bytes.min(LISTING_BYTES);
    listing.entries.len() <= get.entries
        && (is_full || !listing.more)
        && listing.entries.iter().all(|entry| within(entry.id()))
        && listing.entries.iter().all(signed)
}

/// Puts answers together: of each entry the copy that wins, as far as all answers reach.
fn merge<'a>(listings: impl Iterator<Item = &'a Listing> + Clone) -> Part {
    let end = |listing: &Listing| listing.entries.last().filter(|_| listing.more).map(Entry::id);
    let reach = listings.clone().filter_map(end).min();
    let mut entries: Vec<Entry> = Vec::new();
    for listing in listings {
        let within = listing.entries.iter().filter(|e| reach.is_none_or(|end| e.id() <= end));
        for entry in within {
            match entries.binary_search_by_key(&entry.id(), Entry::id) {
                Ok(at) => entries[at] = entries[at].clone().merge(entry.clone()),
                Err(at) => entries.insert(at, entry.clone()),
            }
        }
    }
    Part { entries, more: reach.is_some() }
}

/// Those of the merged entries that a replica's answer should have had and had not, or older.
fn missing<'a>(part: &'a Part, listing: &'a Listing) -> impl Iterator<Item = &'a Entry> {
    part.entries.iter().filter(|entry| {
        let held = listing.entries.binary_search_by_key(&entry.id(), Entry::id);
        held.map_or(true, |at| {
            let held = &listing.entries[at];
            // Lifetimes differ by what the answers took; that is no difference.
            held.version() != entry.version() || held.is_live() != entry.is_live()
        })
    })
}

#[cfg(test)]
mod tests;
