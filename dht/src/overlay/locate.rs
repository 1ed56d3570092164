//! [`Locate`]: who keeps a place, in an overlay too large for everybody to know everybody.
//!
//! ```text
//! ask the closest that are connected ──► those they refer to ──► whoever answers as a replica does is one
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::Place;

use super::operation::{Ask, Context, Operation, RETRY, Wants};
use super::targets::{TargetState, Targets};
use super::{Now, Peer};
use crate::link::Lost;
use crate::wire::{Get, Refusal, Reply, Request};

/// How long it goes on; those found until then have to do.
const LOCATE_MAX: Duration = Duration::from_secs(3);

/// A super-node that keeps a place, and where it may be reached.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    pub(crate) peer: Arc<Peer>,
    pub(crate) addresses: Arc<[SocketAddr]>,
}

/// Looks for the replicas of a place.
pub(crate) struct Locate {
    place: Place,
    targets: Option<Targets>,
    deadline: Now,
    retry_at: Now,
    outcome: Option<Vec<Replica>>,
}

impl Locate {
    pub(crate) fn new(place: Place) -> Locate {
        Locate { place, targets: None, deadline: Now::ZERO, retry_at: Now::MAX, outcome: None }
    }

    fn advance(&mut self, context: &Context<'_>, wants: &mut Wants) {
        let Some(targets) = &mut self.targets else { return };
        let (mut replicas, mut open) = (Vec::new(), false);
        for at in targets.chosen() {
            let Some(target) = targets.get_mut(at) else { continue };
            if target.state == TargetState::Idle {
                target.asked(context.now);
                // As little as may be asked for: whether it answers at all is what matters.
                let get = Get { place: self.place, after: None, until: None, entries: 1, bytes: 1 };
                wants.asks.push(Ask {
                    to: Arc::clone(&target.peer),
                    addresses: Arc::clone(&target.addresses),
                    tag: Some(u32::try_from(at).unwrap_or(u32::MAX)),
                    request: Request::Get(get),
                });
            }
            open |= matches!(target.state, TargetState::Waiting { silent: false, .. });
            if target.state == TargetState::Done {
                let (peer, addresses) = (Arc::clone(&target.peer), Arc::clone(&target.addresses));
                replicas.push(Replica { peer, addresses });
            }
        }
        if !open || context.now >= self.deadline {
            self.outcome = Some(replicas);
        }
    }
}

impl Operation for Locate {
    /// None of them, if nobody answered.
    type Output = Vec<Replica>;

    fn start(&mut self, context: &Context<'_>, wants: &mut Wants) {
        self.deadline = context.now + LOCATE_MAX;
        self.retry_at = context.now + RETRY;
        self.targets = Some(Targets::of(context.view, self.place));
        self.advance(context, wants);
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
            Ok(Reply::Listed(_)) => target.state = TargetState::Done,
            Ok(Reply::NotMine(closer)) => {
                if !targets.refer(at, closer, context.view) {
                    context.meters.malformed.add(1);
                }
            }
            Ok(Reply::Refused { why: Refusal::Later, .. }) => target.state = TargetState::Failed,
            Ok(_) => target.state = TargetState::Refused,
            Err(_) => target.lose(),
        }
        self.advance(context, wants);
    }

    fn time_passed(&mut self, context: &Context<'_>, wants: &mut Wants) {
        self.retry_at = context.now + RETRY;
        for target in self.targets.iter_mut().flat_map(Targets::iter_mut) {
            let TargetState::Waiting { since, silent, .. } = &mut target.state else { continue };
            if !*silent && context.now.saturating_sub(*since) >= context.unanswered {
                *silent = true;
                wants.overdue.push(target.peer.id);
            }
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

#[cfg(test)]
mod tests {
    use base::SignatureCache;
    use base::limits::REPLICAS;

    use super::*;
    use crate::lamport::LamportClock;
    use crate::meters::Meters;
    use crate::overlay::local_health::UNANSWERED;
    use crate::overlay::view::View;
    use crate::overlay::view::tests::{member, peer};
    use crate::wire::{Contact, Listing};

    #[test]
    fn the_replicas_of_a_far_place_are_those_others_refer_to_and_that_answer() {
        let mut all: Vec<u64> = (1..400).collect();
        let place = Place::of(b"far");
        all.sort_by_key(|n| peer(*n).place.distance(&place));
        // It knows the hundred farthest of them.
        let known = all[299..].iter().map(|n| member(*n)).collect();
        let mut view = View::new(peer(0), known, Vec::new(), true);
        view.set_known_bits(255);
        let (lamport, meters) = (LamportClock::default(), Meters::default());
        let signatures = SignatureCache::default();
        let (view, lamport, meters, signatures) = (&view, &lamport, &meters, &signatures);
        let context =
            |now| Context { now, view, lamport, meters, signatures, unanswered: UNANSWERED };
        let mut locate = Locate::new(place);
        let mut wants = Wants::default();
        locate.start(&context(Now::ZERO), &mut wants);
        let mut asked = 0;
        while let Some(ask) = wants.asks.pop() {
            asked += 1;
            let keeps = all[..REPLICAS].iter().any(|n| peer(*n).id == ask.to.id);
            let reply = if keeps {
                Reply::Listed(Listing { entries: Vec::new(), more: false, complete: false })
            } else {
                let addresses = vec![([10, 0, 0, 1], 1).into()];
                let closer = all[..REPLICAS + 2].iter().map(|n| peer(*n).id);
                let closer =
                    closer.filter(|id| id.place().distance(&place) < ask.to.place.distance(&place));
                Reply::NotMine(
                    closer.map(|id| Contact { id, addresses: addresses.clone() }).collect(),
                )
            };
            locate.answered(&context(Now::ZERO), ask.tag.unwrap(), Ok(reply), &mut wants);
        }
        let found: Vec<_> = locate.outcome().unwrap().iter().map(|r| r.peer.id).collect();
        assert_eq!(found, all[..REPLICAS].iter().map(|n| peer(*n).id).collect::<Vec<_>>());
        assert!(asked <= 2 * REPLICAS, "{asked} asked");
    }

    #[test]
    fn where_nobody_answers_it_ends() {
        let view = crate::overlay::view::tests::view(3);
        let (lamport, meters) = (LamportClock::default(), Meters::default());
        let signatures = SignatureCache::default();
        let (view, lamport, meters, signatures) = (&view, &lamport, &meters, &signatures);
        let context =
            |now| Context { now, view, lamport, meters, signatures, unanswered: UNANSWERED };
        let (mut locate, mut wants) = (Locate::new(Place::of(b"k")), Wants::default());
        locate.start(&context(Now::ZERO), &mut wants);
        let mut now = Now::ZERO;
        while locate.outcome().is_none_or(|found| !found.is_empty()) {
            now = locate.wake_at();
            locate.time_passed(&context(now), &mut wants);
        }
        assert!(now <= LOCATE_MAX);
    }
}
