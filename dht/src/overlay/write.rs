//! [`Write`]: one entry, to all its replicas, acknowledged when enough of them have it.
//!
//! Once it is acknowledged nothing of it is sent again: whatever is newer at a replica by then may be
//! an operation that came after, and must not be outbid.
//!
//! Where only so many values may be, one replica decides whether there is room for a new one, and only then
//! are the others asked: the closest that answers. Two who put at once cannot both be let in by some
//! replicas and refused by others, and what is refused is nowhere.

use std::time::Duration;

use base::{Entry, Place, Version};

use super::Now;
use super::operation::{Ask, Context, Operation, PATIENCE, RETRY, Wants};
use super::targets::{TargetState, Targets, keepers, quorum};
use crate::DhtError;
use crate::lamport::OBSERVED_MAX;
use crate::link::Lost;
use crate::wire::{Refusal, Reply, Request};

/// Until a silent replica is sent the same once more.
const ASK_AGAIN: Duration = Duration::from_millis(1500);
/// Versions tried before an entry that others change all the time is given up.
const ROUNDS_MAX: u32 = 64;
/// How often one replica is believed that it holds a newer version: contention seldom takes three.
const STALE_MAX: usize = 16;
/// How far one replica alone can drive a version above where all clocks may be: more than honest ones
/// differ by. A jump (`VERSION_JUMP_MAX`) would soon make an entry that no replica takes that has it not yet.
const STEP_MAX: u64 = 1 << 20;
const LIAR: &str = "a super-node keeps naming newer versions of this value; try again";

/// Writes what `entry` makes of a version.
pub(crate) struct Write<F> {
    place: Place,
    entry: F,
    /// How many values the place may have, as long as no replica has let this one in.
    room: Option<u32>,
    /// Whether this node need not be told of the change where it watches.
    quiet: bool,
    version: Version,
    /// Whether the version is not this node's to choose: an author signed it.
    signed: bool,
    /// A newer version of what was signed that somebody holds.
    newer: Option<Version>,
    round: u32,
    targets: Option<Targets>,
    deadline: Now,
    retry_at: Now,
    refusal: Option<(Refusal, String)>,
    /// Which versions were named as newer, and by whom.
    stale: Vec<(usize, Version)>,
    outcome: Option<Result<usize, DhtError>>,
}

impl<F: Fn(Version) -> Entry> Write<F> {
    pub(crate) fn new(place: Place, entry: F, room: Option<u32>) -> Write<F> {
        Write {
            place,
            entry,
            room,
            quiet: false,
            version: Version::ZERO,
            signed: false,
            newer: None,
            round: 0,
            targets: None,
            deadline: Now::ZERO,
            retry_at: Now::MAX,
            refusal: None,
            stale: Vec::new(),
            outcome: None,
        }
    }

    /// Writes what an author signed: if somebody holds something newer, that is that.
    pub(crate) fn signed(place: Place, entry: F, room: Option<u32>) -> Write<F> {
        Write { signed: true, ..Write::new(place, entry, room) }
    }

    /// The same by one that need not be told of its own change.
    pub(crate) fn quietly(self) -> Write<F> {
        Write { quiet: true, ..self }
    }

    /// Asks whoever has not been asked, and sees what all answers come to.
    fn advance(&mut self, context: &Context<'_>, wants: &mut Wants) {
        let Some(targets) = &mut self.targets else { return };
        let chosen = targets.chosen();
        let needed = quorum(context.view);
        let (mut acks, mut refusals, mut hops) = (0, 0, 0);
        if chosen.iter().filter_map(|at| targets.get(*at)).any(|t| t.state == TargetState::Done) {
            self.room = None;
        }
        // The first of them decides who neither refused nor failed nor is silent.
        let decides = chosen.iter().copied().find(|at| {
            let state = targets.get(*at).map(|target| target.state);
            matches!(state, Some(TargetState::Idle | TargetState::Waiting { silent: false, .. }))
        });
        for at in &chosen {
            let Some(target) = targets.get_mut(*at) else { continue };
            let may_be_asked = self.room.is_none() || Some(*at) == decides;
            if target.state == TargetState::Idle && may_be_asked {
                target.asked(context.now);
                wants.asks.push(Ask {
                    to: target.peer.clone(),
                    addresses: target.addresses.clone(),
                    tag: Some(tag(self.round, *at)),
                    request: Request::Apply {
                        place: self.place,
                        entry: (self.entry)(self.version),
                        repair: false,
                        room: self.room,
                        quiet: self.quiet,
                    },
                });
            }
            match target.state {
                TargetState::Done => {
                    acks += 1;
                    hops = hops.max(target.hops);
                }
                TargetState::Refused => refusals += 1,
                _ => {}
            }
        }
        if acks >= needed {
            self.outcome = Some(Ok(acks));
            context.meters.count_hops(hops);
        } else if chosen.len().max(keepers(context.view)) - refusals < needed {
            self.fail();
        }
    }

    fn fail(&mut self) {
        if let Some(newer) = self.newer {
            self.outcome = Some(Err(DhtError::Superseded(newer.number())));
            return;
        }
        self.outcome = Some(Err(match self.refusal.take() {
            Some((Refusal::OverCapacity, text)) => DhtError::OverCapacity(text),
            Some((Refusal::Full, text)) => DhtError::Full(text),
            Some((Refusal::Taken, text)) => DhtError::Taken(text),
            Some((_, text)) => DhtError::NoQuorum(text),
            None => DhtError::NoQuorum(
                "too few of the super-nodes that keep this key took it in time; try again".into(),
            ),
        }));
    }

    /// A replica holds a newer version: everything is sent again, above it.
    fn outbid(&mut self, at: usize, held: Version, context: &Context<'_>) {
        if self.signed {
            self.newer = self.newer.max(Some(held));
            if let Some(target) = self.targets.as_mut().and_then(|targets| targets.get_mut(at)) {
                target.state = TargetState::Refused;
            }
            return;
        }
        self.stale.push((at, held));
        let told = self.stale.iter().filter(|(by, _)| *by == at).count();
        // What one alone says of a version far ahead is not believed, nor one that goes on and on.
        let believed = self.version.number().max(OBSERVED_MAX).saturating_add(STEP_MAX);
        let far = |version: &Version| version.number() > believed;
        let mut others = self.stale.iter().filter(|(by, version)| *by != at && far(version));
        let held = match others.next() {
            Some((_, other)) if far(&held) => held.min(*other),
            None if far(&held) => Version::ZERO,
            _ => held,
        };
        if held < self.version || told > STALE_MAX {
            context.meters.malformed.add(1);
            if let Some(target) = self.targets.as_mut().and_then(|targets| targets.get_mut(at)) {
                target.state = TargetState::Refused;
            }
            self.refusal = Some((Refusal::Failed, LIAR.into()));
            return;
        }
        context.lamport.observe(held);
        if self.round >= ROUNDS_MAX {
            self.fail();
            return;
        }
        self.round += 1;
        self.version = context.lamport.tick().max(held.next());
        context.meters.stale_retries.add(1);
        let asked = self.targets.iter_mut().flat_map(Targets::iter_mut);
        for target in asked.filter(|target| target.state != TargetState::Elsewhere) {
            target.state = TargetState::Idle;
        }
    }
}

impl<F: Fn(Version) -> Entry> Operation for Write<F> {
    type Output = Result<usize, DhtError>;

    fn start(&mut self, context: &Context<'_>, wants: &mut Wants) {
        self.deadline = context.now + PATIENCE;
        self.version = context.lamport.tick();
        self.time_passed(context, wants);
    }

    fn answered(
        &mut self,
        context: &Context<'_>,
        tag: u32,
        reply: Result<Reply, Lost>,
        wants: &mut Wants,
    ) {
        let (round, at) = (tag >> 8, (tag & 0xff) as usize);
        let Some(targets) = &mut self.targets else { return };
        let Some(target) = targets.get_mut(at) else { return };
        match reply {
            // An older version says nothing of this one.
            _ if round != self.round => return,
            // It says that it does not keep the place although it was thought to.
            Ok(Reply::NotMine(closer)) => {
                if !targets.refer(at, closer, context.view) {
                    context.meters.malformed.add(1);
                }
            }
            Ok(Reply::Applied) => target.state = TargetState::Done,
            Ok(Reply::Stale(held)) => {
                target.state = TargetState::Failed;
                self.outbid(at, held, context);
            }
            Ok(Reply::Refused { why, text }) => {
                let for_good = why != Refusal::Later;
                target.state = if for_good { TargetState::Refused } else { TargetState::Failed };
                self.refusal = Some((why, text));
                if why == Refusal::Full && self.room.is_some() {
                    self.fail();
                    return;
                }
            }
            Ok(_) => {
                context.meters.malformed.add(1);
                target.state = TargetState::Failed;
            }
            Err(_) => target.lose(),
        }
        self.advance(context, wants);
    }

    fn time_passed(&mut self, context: &Context<'_>, wants: &mut Wants) {
        let now = context.now;
        self.retry_at = now + RETRY;
        if now >= self.deadline {
            self.fail();
            return;
        }
        // Before it knows who is there it would write to itself alone.
        if !context.view.is_settled() {
            return;
        }
        match &mut self.targets {
            None => self.targets = Some(Targets::of(context.view, self.place)),
            Some(targets) => targets.follow(context.view),
        }
        let mut again = false;
        for target in self.targets.iter_mut().flat_map(Targets::iter_mut) {
            match &mut target.state {
                TargetState::Failed => {
                    again = true;
                    target.state = TargetState::Idle;
                }
                TargetState::Waiting { since, silent, .. } => {
                    let waited = now.saturating_sub(*since);
                    if !*silent && waited >= context.unanswered {
                        *silent = true;
                        wants.overdue.push(target.peer.id);
                    }
                    // The request may be lost; to write the same twice is to write it once.
                    if waited >= ASK_AGAIN {
                        target.state = TargetState::Idle;
                    }
                }
                _ => {}
            }
        }
        if again {
            context.meters.retries.add(1);
        }
        self.advance(context, wants);
    }

    fn wake_at(&self) -> Now {
        self.retry_at.min(self.deadline)
    }

    fn outcome(&mut self) -> Option<Self::Output> {
        self.outcome.take()
    }
}

fn tag(round: u32, at: usize) -> u32 {
    round << 8 | u32::try_from(at).unwrap_or(0xff)
}

#[cfg(test)]
mod tests;
