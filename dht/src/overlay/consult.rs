//! [`Consult`]: what the replicas of a name tell of who has it.
//!
//! ```text
//! ask all ──► enough agree, or all answered ──► what they told
//!      │  enough answered: the last one has a moment
//!      └─ too few: those again that did not, and in the end "no quorum"
//! ```

use std::time::Duration;

use base::{Place, Report, Standing, Told, standing};

use super::Now;
use super::operation::{Ask, Context, Operation, PATIENCE, RETRY, Wants};
use super::targets::{TargetState, Targets, keepers, quorum};
use crate::DhtError;
use crate::link::Lost;
use crate::wire::{Refusal, Reply, Request};

/// How long the last replica has once the others have answered and do not agree.
const LAST: Duration = Duration::from_millis(300);
/// Until a silent replica is sent the same once more.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What the replicas of a place told, each for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consulted {
    pub(crate) told: Vec<Told>,
    /// How many replicas there are; some may not have answered.
    pub(crate) replicas: usize,
}

impl Consulted {
    pub(crate) fn standing(&self) -> Standing {
        standing(&self.told.iter().collect::<Vec<_>>(), self.replicas)
    }
}

/// Asks who has the name that is claimed at a place.
pub(crate) struct Consult {
    place: Place,
    nonce: [u8; Report::NONCE_LEN],
    targets: Option<Targets>,
    told: Vec<(usize, Told)>,
    /// When what there is has to do.
    enough_at: Option<Now>,
    deadline: Now,
    retry_at: Now,
    refusal: Option<String>,
    outcome: Option<Result<Consulted, DhtError>>,
}

impl Consult {
    /// With a nonce that nobody can guess, so that no old answer will do.
    pub(crate) fn new(place: Place, nonce: [u8; Report::NONCE_LEN]) -> Consult {
        Consult {
            place,
            nonce,
            targets: None,
            told: Vec::new(),
            enough_at: None,
            deadline: Now::ZERO,
            retry_at: Now::MAX,
            refusal: None,
            outcome: None,
        }
    }

    /// Asks whoever has not been asked, and sees what all answers come to.
    fn advance(&mut self, context: &Context<'_>, wants: &mut Wants) {
        let Some(targets) = &mut self.targets else { return };
        let chosen = targets.chosen();
        for at in &chosen {
            let Some(target) = targets.get_mut(*at) else { continue };
            if target.state == TargetState::Idle {
                target.asked(context.now);
                wants.asks.push(Ask {
                    to: target.peer.clone(),
                    addresses: target.addresses.clone(),
                    tag: Some(u32::try_from(*at).unwrap_or(u32::MAX)),
                    request: Request::Claims { place: self.place, nonce: self.nonce },
                });
            }
        }
        let answers = self.told.iter().filter(|(at, _)| chosen.contains(at));
        let told: Vec<Told> = answers.map(|(_, told)| told.clone()).collect();
        // Who refers elsewhere may be one of them, and not know it yet.
        let replicas = chosen.len().max(keepers(context.view));
        let consulted = Consulted { told, replicas };
        let answered = consulted.told.len();
        if answered < quorum(context.view) {
            // Replicas may have become others meanwhile: what has come is too little now, and nothing has to do.
            self.enough_at = None;
            return;
        }
        let enough_at = *self.enough_at.get_or_insert(context.now + LAST);
        let is_clear = matches!(consulted.standing(), Standing::Confirmed(_));
        if is_clear || answered == chosen.len() || context.now >= enough_at {
            self.outcome = Some(Ok(consulted));
        }
    }
}

impl Operation for Consult {
    type Output = Result<Consulted, DhtError>;

    fn start(&mut self, context: &Context<'_>, wants: &mut Wants) {
        self.deadline = context.now + PATIENCE;
        self.time_passed(context, wants);
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
            Ok(Reply::NotMine(closer)) => {
                if !targets.refer(at, closer, context.view) {
                    context.meters.malformed.add(1);
                }
            }
            Ok(Reply::Claims(report)) => {
                match report.verify(&self.place, &self.nonce, &target.peer.id) {
                    Ok(told) => {
                        target.state = TargetState::Done;
                        self.told.retain(|(other, _)| *other != at);
                        self.told.push((at, told));
                    }
                    Err(_) => {
                        context.meters.malformed.add(1);
                        target.state = TargetState::Refused;
                    }
                }
            }
            Ok(Reply::Refused { why, text }) => {
                let for_good = why != Refusal::Later;
                target.state = if for_good { TargetState::Refused } else { TargetState::Failed };
                self.refusal = Some(text);
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
            self.outcome =
                Some(Err(DhtError::NoQuorum(self.refusal.take().unwrap_or_else(|| {
                    "too few of the super-nodes that keep this name answered in time; try again"
                        .into()
                }))));
            return;
        }
        if !context.view.is_settled() {
            return;
        }
        match &mut self.targets {
            None => self.targets = Some(Targets::of(context.view, self.place)),
            Some(targets) => targets.follow(context.view),
        }
        for target in self.targets.iter_mut().flat_map(Targets::iter_mut) {
            match &mut target.state {
                TargetState::Failed => target.state = TargetState::Idle,
                TargetState::Waiting { since, silent, .. } => {
                    let waited = now.saturating_sub(*since);
                    if !*silent && waited >= context.unanswered {
                        *silent = true;
                        wants.overdue.push(target.peer.id);
                    }
                    // The question or its answer may be lost.
                    if waited >= ASK_AGAIN {
                        target.state = TargetState::Idle;
                    }
                }
                _ => {}
            }
        }
        self.advance(context, wants);
    }

    fn wake_at(&self) -> Now {
        self.enough_at.unwrap_or(Now::MAX).min(self.retry_at).min(self.deadline)
    }

    fn outcome(&mut self) -> Option<Self::Output> {
        self.outcome.take()
    }
}

#[cfg(test)]
mod tests {
    use base::{NodeId, SignatureCache, SigningKey};

    use super::*;
    use crate::lamport::LamportClock;
    use crate::meters::Meters;
    use crate::overlay::local_health::UNANSWERED;
    use crate::overlay::view::{Member, View};
    use crate::overlay::{Peer, Pulse};

    const NONCE: [u8; Report::NONCE_LEN] = [7; Report::NONCE_LEN];

    fn key(n: u8) -> SigningKey {
        SigningKey::from_bytes(&[n; 32])
    }

    fn peer(n: u8) -> std::sync::Arc<Peer> {
        let id = NodeId::of(&key(n).public()).unwrap();
        std::sync::Arc::new(Peer::new(id, Pulse::default()))
    }

    fn member(n: u8) -> Member {
        let addresses = std::sync::Arc::new([]);
        Member { peer: peer(n), addresses, well: true, connected: true, unpulled: false }
    }

    /// Four nodes, a question about one place, and what it wants so far.
    struct Bench {
        view: View,
        lamport: LamportClock,
        meters: Meters,
        signatures: SignatureCache,
        consult: Consult,
        wants: Wants,
        now: Now,
    }

    impl Bench {
        fn new() -> Bench {
            let view = View::new(peer(0), (1..4).map(member).collect(), Vec::new(), true);
            let mut bench = Bench {
                view,
                lamport: LamportClock::default(),
                meters: Meters::default(),
                signatures: SignatureCache::default(),
                consult: Consult::new(Place::of(b"name"), NONCE),
                wants: Wants::default(),
                now: Now::ZERO,
            };
            bench.step(|consult, context, wants| consult.start(context, wants));
            bench
        }

        fn step(&mut self, act: impl FnOnce(&mut Consult, &Context<'_>, &mut Wants)) {
            let Bench { view, lamport, meters, signatures, consult, wants, now } = self;
            act(
                consult,
                &Context { now: *now, view, lamport, meters, signatures, unanswered: UNANSWERED },
                wants,
            );
        }

        /// The one asked at so many answers that it endorses this claimant, signed with a nonce.
        fn answers(&mut self, asked: usize, claimant: Option<u8>, nonce: u8) {
            let ask = &self.wants.asks[asked];
            let node = (0..4).find(|n| peer(*n).id == ask.to.id).unwrap();
            let mut contest = base::Contest::new(base::Memory::Whole, 0);
            if let Some(claimant) = claimant {
                contest.fresh(key(claimant).public(), &[], 0);
                contest.reports(2_000, &[]);
            }
            let told = contest.told(2_000);
            let report = Report::sign(&key(node), &Place::of(b"name"), &[nonce; 16], told);
            let tag = ask.tag.unwrap();
            self.step(|c, context, wants| {
                c.answered(context, tag, Ok(Reply::Claims(Box::new(report))), wants)
            });
        }

        fn passes(&mut self, time: Duration) {
            self.now += time;
            self.step(|consult, context, wants| consult.time_passed(context, wants));
        }
    }

    #[test]
    fn two_that_agree_are_enough() {
        let mut bench = Bench::new();
        assert_eq!(bench.wants.asks.len(), 3, "all are asked at once");
        bench.answers(0, Some(9), 7);
        assert_eq!(bench.consult.outcome(), None);
        bench.answers(1, Some(9), 7);
        let consulted = bench.consult.outcome().unwrap().unwrap();
        assert_eq!(consulted.standing(), Standing::Confirmed(key(9).public()));
    }

    #[test]
    fn where_two_differ_the_third_has_a_moment() {
        let mut bench = Bench::new();
        bench.answers(0, Some(9), 7);
        bench.answers(1, Some(8), 7);
        assert_eq!(bench.consult.outcome(), None);
        bench.passes(LAST);
        let consulted = bench.consult.outcome().unwrap().unwrap();
        assert!(matches!(consulted.standing(), Standing::Unconfirmed(_)));
        assert_eq!((consulted.told.len(), consulted.replicas), (2, 3));
    }

    #[test]
    fn when_the_replicas_become_others_nothing_has_to_do_any_more() {
        let mut bench = Bench::new();
        bench.answers(0, Some(9), 7);
        bench.answers(1, Some(8), 7);
        bench.view = View::new(peer(0), (10..14).map(member).collect(), Vec::new(), true);
        bench.passes(LAST);
        assert_eq!(bench.consult.outcome(), None);
        assert!(bench.consult.wake_at() > bench.now, "else it would wake at once, again and again");
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let mut bench = Bench::new();
        (0..3).for_each(|asked| bench.answers(asked, Some(9), 8));
        assert_eq!(bench.meters.malformed.get(), 3);
        assert_eq!(bench.consult.outcome(), None);
        bench.passes(PATIENCE);
        assert!(matches!(bench.consult.outcome(), Some(Err(DhtError::NoQuorum(_)))));
    }
}
