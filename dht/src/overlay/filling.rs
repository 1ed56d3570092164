//! What this node has still to copy from others before it holds all that it should.
//!
//! A member that joins with entries, or is met again, is *pulled* from: asked for everything it has
//! that this node keeps. When one departs, this node may come to keep what the departed kept; then it
//! pulls from all who kept it, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{NodeId, Place};

use super::Now;

/// Pulls under way at once: few enough to leave the air to others, and what one brings the next need
/// not.
const AT_ONCE: usize = 4;
/// Pulls looked at for some that need no dialling, of the hundreds that may be owed.
const LOOKED_AT: usize = 64;
/// Within this time each member that keeps something with this node is compared with, if not for a
/// better reason, and what differs is mended.
pub(crate) const REPAIR_INTERVAL: Duration = Duration::from_secs(30);
/// Between two such comparisons, at least and at most.
const ROUTINE_MIN: Duration = Duration::from_secs(1);
const ROUTINE_MAX: Duration = Duration::from_secs(15);
/// Until a failed pull is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// The same when there was no room here: somebody has to make some.
const NO_ROOM_RETRY: Duration = Duration::from_secs(30);
/// After so many failed pulls a member is held to have nothing: it may be hostile, and must not keep
/// others from saying that something is not there.
const ATTEMPTS: u32 = 8;
/// The same for pulls that the other was not ready for: it reads a large store when it starts.
const LATERS: u32 = 40;

/// How a pull ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullEnd {
    /// All is here.
    Done,
    /// The other did not give it.
    Failed,
    /// It was not ready to.
    Later,
    /// There is no room here for it: this node does not have all it should, and must not say so.
    NoRoom,
}

/// The pulls this node owes itself.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    pulls: BTreeMap<NodeId, Pull>,
    /// How many of them are under way, and how many are first ones.
    running: usize,
    firsts: usize,
    departed: Vec<Departed>,
    /// When each member was compared with last.
    compared: BTreeMap<NodeId, Now>,
    next_routine: Now,
}

/// What a pull looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All places this node keeps: the other may have something there that it kept before, with others.
    Mine,
    /// All places both keep.
    Common,
    /// The same, but for what the next will do as well.
    Routine,
}

/// A pull to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) from: NodeId,
    pub(crate) scope: Scope,
}

#[derive(Debug)]
struct Pull {
    due: Now,
    began: Option<Now>,
    failures: u32,
    laters: u32,
    /// Whether there is a reason for it; else it is only its turn.
    thorough: bool,
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
        let new =
            Pull { due, began: None, failures: 0, laters: 0, thorough: true, gap, first: false };
        let pull = self.pulls.entry(from).or_insert(new);
        pull.gap |= gap;
        pull.thorough = true;
        pull.due = pull.due.min(due);
        // One under way began before whatever gave the reason for this one.
        if let Some(began) = pull.began
            && began < due
        {
            pull.due = due;
        }
    }

    /// Whether it is time for [`Filling::routine`].
    pub(crate) fn is_routine_due(&self, now: Now) -> bool {
        let is_busy = |pull: &Pull| pull.began.is_some() || pull.due <= now;
        self.next_routine <= now && !self.pulls.values().any(is_busy)
    }

    /// Compares with one of the members that keep something with this node, if nothing better is to be
    /// done and it is time: with the one it was done with longest ago.
    pub(crate) fn routine(&mut self, neighbours: &[NodeId], now: Now) {
        let count = u32::try_from(neighbours.len()).unwrap_or(u32::MAX).max(1);
        self.next_routine = now + (REPAIR_INTERVAL / count).clamp(ROUTINE_MIN, ROUTINE_MAX);
        if let Some(member) = neighbours.iter().min_by_key(|member| self.compared.get(member)) {
            self.owe(*member, false, now);
            self.pulls.entry(*member).and_modify(|pull| pull.thorough = false);
        }
    }

    /// A member departed, whose share `near` may have kept as well.
    pub(crate) fn departed(&mut self, place: Place, near: BTreeSet<NodeId>, now: Now) {
        for from in &near {
            self.owe(*from, false, now);
        }
        self.departed.push(Departed { place, at: now, waiting: near });
    }

    /// A member is not there any more: nothing can be pulled from it.
    pub(crate) fn forget(&mut self, member: &NodeId) {
        self.remove(member);
        self.compared.remove(member);
        self.done_with(member, Now::MAX);
    }

    /// Which pulls to begin now: those that need no dialling first.
    pub(crate) fn begin(&mut self, now: Now, is_connected: impl Fn(&NodeId) -> bool) -> Vec<Begin> {
        let free = AT_ONCE.saturating_sub(self.running);
        let mut begun = Vec::new();
        if free == 0 || self.pulls.is_empty() {
            return begun;
        }
        let due = |pull: &Pull| pull.began.is_none() && pull.due <= now;
        let (mut next, mut later) = (Vec::new(), Vec::new());
        for (from, _) in self.pulls.iter().filter(|(_, pull)| due(pull)).take(LOOKED_AT) {
            if is_connected(from) {
                next.push(*from);
            } else if later.len() < free {
                later.push(*from);
            }
            if next.len() == free {
                break;
            }
        }
        for from in next.into_iter().chain(later).take(free) {
            let Some(pull) = self.pulls.get_mut(&from) else { continue };
            pull.began = Some(now);
            self.running += 1;
            self.compared.insert(from, now);
            let scope = match (pull.gap, pull.thorough) {
                (true, _) => Scope::Mine,
                (false, true) => Scope::Common,
                (false, false) => Scope::Routine,
            };
            begun.push(Begin { from, scope });
        }
        begun
    }

    /// A pull has ended. `Err` when it was given up for good.
    pub(crate) fn ended(&mut self, from: &NodeId, end: PullEnd, now: Now) -> Result<(), ()> {
        let Some(pull) = self.pulls.get_mut(from) else { return Ok(()) };
        let Some(began) = pull.began.take() else { return Ok(()) };
        self.running -= 1;
        if end == PullEnd::NoRoom {
            pull.due = now + NO_ROOM_RETRY;
            return Ok(());
        }
        if end == PullEnd::Later {
            pull.laters += 1;
            pull.due = now + RETRY;
            if pull.laters < LATERS {
                return Ok(());
            }
        }
        if end != PullEnd::Done {
            pull.failures += 1;
            pull.due = now + RETRY;
            if pull.failures < ATTEMPTS && pull.laters < LATERS {
                return Ok(());
            }
            let given_up = pull.gap;
            self.forget(from);
            return if given_up { Err(()) } else { Ok(()) };
        }
        // Something may have come up while it ran.
        if pull.due <= began {
            self.remove(from);
        } else {
            self.firsts -= usize::from(std::mem::take(&mut pull.first));
        }
        self.done_with(from, began);
        Ok(())
    }

    fn remove(&mut self, member: &NodeId) {
        if let Some(pull) = self.pulls.remove(member) {
            self.running -= usize::from(pull.began.is_some());
            self.firsts -= usize::from(pull.first);
        }
    }

    fn done_with(&mut self, member: &NodeId, since: Now) {
        for departed in &mut self.departed {
            if departed.at <= since {
                departed.waiting.remove(member);
            }
        }
        self.departed.retain(|departed| !departed.waiting.is_empty());
    }

    /// Whether something is to be pulled from a member.
    pub(crate) fn owes(&self, member: &NodeId) -> bool {
        !self.pulls.is_empty() && self.pulls.contains_key(member)
    }

    /// What a view shows of all this, as far as one pull can change it.
    pub(crate) fn shown(&self, member: &NodeId) -> (bool, usize, bool) {
        (self.has_gap(member), self.departed.len(), self.owes_first())
    }

    /// Whether a member may hold what should be here.
    pub(crate) fn has_gap(&self, member: &NodeId) -> bool {
        !self.pulls.is_empty() && self.pulls.get(member).is_some_and(|pull| pull.gap)
    }

    /// All pulls owed now are the first ones of a node that looks around.
    pub(crate) fn mark_first(&mut self) {
        self.pulls.values_mut().for_each(|pull| pull.first = true);
        self.firsts = self.pulls.len();
    }

    /// Whether one of the first pulls is still owed.
    pub(crate) fn owes_first(&self) -> bool {
        self.firsts > 0
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

    fn begun(filling: &mut Filling, now: Now) -> Vec<NodeId> {
        filling.begin(now, |_| true).into_iter().map(|begin| begin.from).collect()
    }

    #[test]
    fn a_gap_closes_when_its_pull_is_done() {
        let (mut filling, from) = (Filling::default(), peer(1).id);
        filling.owe(from, true, at(0));
        assert_eq!(filling.begin(at(0), |_| true), [Begin { from, scope: Scope::Mine }]);
        assert!(filling.begin(at(0), |_| true).is_empty(), "one pull from one member");
        assert!(filling.has_gap(&from));
        assert_eq!(filling.ended(&from, PullEnd::Failed, at(10)), Ok(()));
        assert!(filling.begin(at(10), |_| true).is_empty() && filling.has_gap(&from));
        assert_eq!(begun(&mut filling, at(260)), [from]);
        assert_eq!(filling.ended(&from, PullEnd::Done, at(270)), Ok(()));
        assert!(!filling.has_gap(&from) && filling.begin(at(99_999), |_| true).is_empty());
    }

    #[test]
    fn a_member_that_never_gives_what_it_claims_to_have_is_given_up() {
        for (end, attempts) in [(PullEnd::Failed, ATTEMPTS), (PullEnd::Later, LATERS)] {
            let (mut filling, from) = (Filling::default(), peer(1).id);
            filling.owe(from, true, at(0));
            let mut now = at(0);
            for attempt in 1..=attempts {
                assert_eq!(begun(&mut filling, now), [from]);
                assert_eq!(filling.ended(&from, end, now).is_err(), attempt == attempts);
                now += RETRY;
            }
            assert!(!filling.has_gap(&from));
        }
    }

    #[test]
    fn a_departed_share_is_whole_when_all_were_pulled_from_since() {
        let mut filling = Filling::default();
        let (a, b) = (peer(1).id, peer(2).id);
        filling.owe(a, true, at(0));
        assert_eq!(begun(&mut filling, at(0)), [a]);
        filling.departed(peer(3).place, [a, b].into(), at(100));
        assert_eq!(begun(&mut filling, at(100)), [b]);
        filling.ended(&a, PullEnd::Done, at(200)).unwrap();
        assert_eq!(filling.departed_places().len(), 1, "that pull had begun before");
        assert_eq!(begun(&mut filling, at(200)), [a]);
        filling.ended(&a, PullEnd::Done, at(300)).unwrap();
        assert_eq!(filling.departed_places().len(), 1);
        filling.forget(&b);
        assert!(filling.departed_places().is_empty(), "nothing can be had from who is gone");
    }

    #[test]
    fn few_pulls_run_at_once() {
        let mut filling = Filling::default();
        (0..50).for_each(|n| filling.owe(peer(n).id, true, at(0)));
        assert_eq!(filling.begin(at(0), |_| true).len(), AT_ONCE);
        assert!(filling.begin(at(0), |_| true).is_empty());
    }

    #[test]
    fn those_that_are_connected_are_pulled_from_first() {
        let mut filling = Filling::default();
        (0..50).for_each(|n| filling.owe(peer(n).id, true, at(0)));
        let connected = [peer(33).id, peer(7).id];
        let begun = filling.begin(at(0), |id| connected.contains(id));
        assert_eq!(begun.len(), AT_ONCE);
        assert!(begun[..2].iter().all(|begin| connected.contains(&begin.from)));
    }

    #[test]
    fn each_neighbour_is_compared_with_in_turn_when_nothing_else_is_to_be_done() {
        let mut filling = Filling::default();
        let neighbours: Vec<NodeId> = (1..=10).map(|n| peer(n).id).collect();
        let (mut now, mut seen) = (at(1), BTreeSet::new());
        let end = now + REPAIR_INTERVAL;
        filling.owe(peer(99).id, true, now);
        assert!(!filling.is_routine_due(now), "what is owed comes first");
        filling.forget(&peer(99).id);
        while now < end {
            if filling.is_routine_due(now) {
                filling.routine(&neighbours, now);
            }
            for Begin { from, scope } in filling.begin(now, |_| true) {
                assert_eq!(scope, Scope::Routine);
                seen.insert(from);
                filling.ended(&from, PullEnd::Done, now).unwrap();
            }
            now += Duration::from_millis(100);
        }
        assert_eq!(seen.len(), neighbours.len());
    }

    #[test]
    fn who_is_suspected_now_and_then_does_not_come_before_the_others() {
        let mut filling = Filling::default();
        let neighbours: Vec<NodeId> = (1..=10).map(|n| peer(n).id).collect();
        let (mut now, mut seen) = (at(0), BTreeSet::new());
        for round in 0..20 {
            // A suspect is left out for once.
            let well: Vec<NodeId> =
                neighbours.iter().copied().filter(|id| *id != neighbours[round % 2]).collect();
            now += ROUTINE_MAX;
            filling.routine(&well, now);
            for from in begun(&mut filling, now) {
                seen.insert(from);
                filling.ended(&from, PullEnd::Done, now).unwrap();
            }
        }
        assert_eq!(seen.len(), neighbours.len());
    }
}
