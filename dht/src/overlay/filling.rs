//! What this node has still to copy from others before it holds all that it should.
//!
//! A member that joins with entries, or is met again, is *pulled* from: asked for everything it has
//! that this node keeps. When one departs, this node may come to keep what the departed kept; then it
//! pulls from all who kept it, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{NodeId, Place};

use super::Now;

/// Pulls under way at once: enough to be done within a second at an event, few enough to leave the
/// air to others.
const AT_ONCE: usize = 8;
/// What looks like a departure may be a Wi-Fi scan; copying waits so long.
pub(crate) const CALM: Duration = Duration::from_secs(5);
/// Until a failed pull is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// The same when there was no room here: somebody has to make some.
const NO_ROOM_RETRY: Duration = Duration::from_secs(30);
/// After so many failed pulls a member is held to have nothing: it may be hostile, and must not keep
/// others from saying that something is not there.
const ATTEMPTS: u32 = 8;

/// How a pull ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullEnd {
    /// All is here.
    Done,
    /// The other did not give it.
    Failed,
    /// There is no room here for it: this node does not have all it should, and must not say so.
    NoRoom,
}

/// The pulls this node owes itself.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    pulls: BTreeMap<NodeId, Pull>,
    departed: Vec<Departed>,
}

#[derive(Debug)]
struct Pull {
    due: Now,
    began: Option<Now>,
    failures: u32,
    /// Whether nothing can be said to be missing before this pull is done.
    gap: bool,
    /// Whether it is owed since the node looked around for others: until all of those are done it has
    /// all of nothing.
    first: bool,
}

#[derive(Debug)]
struct Departed {
    place: Place,
    at: Now,
    /// Who has not been pulled from since.
    waiting: BTreeSet<NodeId>,
}

impl Filling {
    /// A member has entries: pull from it. `gap`: nothing of it was copied before.
    pub(crate) fn owe(&mut self, from: NodeId, gap: bool, due: Now) {
        let new = Pull { due, began: None, failures: 0, gap, first: false };
        let pull = self.pulls.entry(from).or_insert(new);
        pull.gap |= gap;
        pull.due = pull.due.min(due);
        // One under way began before whatever gave the reason for this one.
        if let Some(began) = pull.began
            && began < due
        {
            pull.due = due;
        }
    }

    /// A member departed, whose share `near` may have kept as well.
    pub(crate) fn departed(
        &mut self,
        place: Place,
        near: BTreeSet<NodeId>,
        copy_at: Now,
        now: Now,
    ) {
        for from in &near {
            self.owe(*from, false, copy_at);
        }
        self.departed.push(Departed { place, at: now, waiting: near });
    }

    /// A member is not there any more: nothing can be pulled from it.
    pub(crate) fn forget(&mut self, member: &NodeId) {
        self.pulls.remove(member);
        self.done_with(member, Now::MAX);
    }

    /// Which pulls to begin now.
    pub(crate) fn begin(&mut self, now: Now) -> Vec<NodeId> {
        let running = self.pulls.values().filter(|pull| pull.began.is_some()).count();
        let due = self.pulls.iter_mut().filter(|(_, p)| p.began.is_none() && p.due <= now);
        let mut begun = Vec::new();
        for (from, pull) in due.take(AT_ONCE.saturating_sub(running)) {
            pull.began = Some(now);
            begun.push(*from);
        }
        begun
    }

    /// A pull has ended. `Err` when it was given up for good.
    pub(crate) fn ended(&mut self, from: &NodeId, end: PullEnd, now: Now) -> Result<(), ()> {
        let Some(pull) = self.pulls.get_mut(from) else { return Ok(()) };
        let Some(began) = pull.began.take() else { return Ok(()) };
        if end == PullEnd::NoRoom {
            pull.due = now + NO_ROOM_RETRY;
            return Ok(());
        }
        if end == PullEnd::Failed {
            pull.failures += 1;
            pull.due = now + RETRY;
            if pull.failures < ATTEMPTS {
                return Ok(());
            }
            self.forget(from);
            return Err(());
        }
        // Something may have come up while it ran.
        if pull.due <= began {
            self.pulls.remove(from);
        } else {
            pull.first = false;
        }
        self.done_with(from, began);
        Ok(())
    }

    fn done_with(&mut self, member: &NodeId, since: Now) {
        for departed in &mut self.departed {
            if departed.at <= since {
                departed.waiting.remove(member);
            }
        }
        self.departed.retain(|departed| !departed.waiting.is_empty());
    }

    /// Whether a member may hold what should be here.
    pub(crate) fn has_gap(&self, member: &NodeId) -> bool {
        self.pulls.get(member).is_some_and(|pull| pull.gap)
    }

    /// All pulls owed now are the first ones of a node that looks around.
    pub(crate) fn mark_first(&mut self) {
        self.pulls.values_mut().for_each(|pull| pull.first = true);
    }

    /// Whether one of the first pulls is still owed.
    pub(crate) fn owes_first(&self) -> bool {
        self.pulls.values().any(|pull| pull.first)
    }

    /// Where members were whose share is still being copied.
    pub(crate) fn departed_places(&self) -> Vec<Place> {
        self.departed.iter().map(|departed| departed.place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::view::tests::peer;

    const fn at(millis: u64) -> Now {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_gap_closes_when_its_pull_is_done() {
        let (mut filling, from) = (Filling::default(), peer(1).id);
        filling.owe(from, true, at(0));
        assert_eq!(filling.begin(at(0)), [from]);
        assert!(filling.begin(at(0)).is_empty(), "one pull from one member");
        assert!(filling.has_gap(&from));
        assert_eq!(filling.ended(&from, PullEnd::Failed, at(10)), Ok(()));
        assert!(filling.begin(at(10)).is_empty() && filling.has_gap(&from));
        assert_eq!(filling.begin(at(260)), [from]);
        assert_eq!(filling.ended(&from, PullEnd::Done, at(270)), Ok(()));
        assert!(!filling.has_gap(&from) && filling.begin(at(99_999)).is_empty());
    }

    #[test]
    fn a_member_that_never_gives_what_it_claims_to_have_is_given_up() {
        let (mut filling, from) = (Filling::default(), peer(1).id);
        filling.owe(from, true, at(0));
        let mut now = at(0);
        for attempt in 1..=ATTEMPTS {
            assert_eq!(filling.begin(now), [from]);
            assert_eq!(filling.ended(&from, PullEnd::Failed, now).is_err(), attempt == ATTEMPTS);
            now += RETRY;
        }
        assert!(!filling.has_gap(&from));
    }

    #[test]
    fn a_departed_share_is_whole_when_all_were_pulled_from_since() {
        let mut filling = Filling::default();
        let (a, b) = (peer(1).id, peer(2).id);
        filling.owe(a, true, at(0));
        assert_eq!(filling.begin(at(0)), [a]);
        filling.departed(peer(3).place, [a, b].into(), at(5000), at(100));
        filling.ended(&a, PullEnd::Done, at(200)).unwrap();
        assert_eq!(filling.departed_places().len(), 1, "that pull had begun before");
        assert!(filling.begin(at(4999)).is_empty());
        assert_eq!(filling.begin(at(5000)).len(), 2);
        filling.ended(&a, PullEnd::Done, at(5100)).unwrap();
        assert_eq!(filling.departed_places().len(), 1);
        filling.forget(&b);
        assert!(filling.departed_places().is_empty(), "nothing can be had from who is gone");
    }

    #[test]
    fn few_pulls_run_at_once() {
        let mut filling = Filling::default();
        (0..50).for_each(|n| filling.owe(peer(n).id, true, at(0)));
        assert_eq!(filling.begin(at(0)).len(), AT_ONCE);
        assert!(filling.begin(at(0)).is_empty());
    }
}
