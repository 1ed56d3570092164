//! Whom an operation asks: the members closest to its key, and those they refer it to.

use std::net::SocketAddr;
use std::sync::Arc;

use base::limits::REPLICAS;
use base::{NodeId, Place};

use super::view::{Member, View};
use super::{Now, Peer};
use crate::wire::Contact;

/// Most members one operation asks: a referral always leads closer, so that more would only come of
/// lies.
const TARGETS_MAX: usize = 32;

/// How many keep a place, as many members as there are.
pub(crate) fn keepers(view: &View) -> usize {
    REPLICAS.min(view.members().len())
}

/// How many of those have to say the same: a majority, all when there are fewer than [`REPLICAS`]. However
/// few are left to ask.
pub(crate) fn quorum(view: &View) -> usize {
    QUORUM.min(keepers(view))
}

/// Copies that make an acknowledgement: a majority of [`REPLICAS`], all when there are fewer.
const QUORUM: usize = REPLICAS / 2 + 1;

/// Hops a member counts for that has to be dialled: there and back once more.
const DIALLED: usize = 2;

/// One whom an operation asks, or may.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) peer: Arc<Peer>,
    pub(crate) addresses: Arc<[SocketAddr]>,
    pub(crate) well: bool,
    /// How far it is: 0 this node, 1 a member that is connected, 2 one that has to be dialled; and on
    /// top of that as far as who referred to it.
    pub(crate) hops: usize,
    /// Whether somebody only says that it is there.
    pub(crate) told: bool,
    pub(crate) state: TargetState,
}

/// How far the asking has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetState {
    /// Not asked.
    Idle,
    /// Asked.
    Waiting {
        /// Since when.
        since: Now,
        /// Whether its answer is overdue, and another has been asked for it.
        overdue: bool,
        /// Whether it has been waited for so long that it was said to be silent.
        silent: bool,
    },
    /// It answered as a replica does.
    Done,
    /// It answered that it will not.
    Refused,
    /// It did not answer and will not.
    Failed,
    /// It does not keep the place, or is not there any more.
    Elsewhere,
}

/// All whom an operation may ask.
#[derive(Debug)]
pub(crate) struct Targets {
    place: Place,
    all: Vec<Target>,
}

impl Targets {
    /// The replicas of a place as the view has them.
    pub(crate) fn of(view: &View, place: Place) -> Targets {
        let mut targets = Targets { place, all: Vec::with_capacity(REPLICAS) };
        targets.follow(view);
        targets
    }

    /// Adds members that have come to be replicas, and lets go of those that are not there any more.
    pub(crate) fn follow(&mut self, view: &View) {
        for target in &mut self.all {
            match view.member(&target.peer.id) {
                Some(member) => target.well = member.well,
                // One of a referral is no member before it is connected.
                None if !target.told => target.state = TargetState::Elsewhere,
                None => {}
            }
        }
        for member in view.to_ask(&self.place) {
            match self.all.iter_mut().find(|target| target.peer.id == member.peer.id) {
                // It has been connected anew; the old connection's answers are not its own.
                Some(target) if !target.told && !Arc::ptr_eq(&target.peer, &member.peer) => {
                    *target = Target::member(member, view);
                }
                Some(_) => {}
                None => self.all.push(Target::member(member, view)),
            }
        }
        self.ask_anew(view);
    }

    /// When an overlay falls apart some still know those that are gone, and say that these keep a place
    /// which they keep themselves by now. Where too few are left to ask, those are asked once more.
    fn ask_anew(&mut self, view: &View) {
        if self.chosen().len() >= keepers(view) {
            return;
        }
        let replicas: Vec<NodeId> =
            view.to_ask(&self.place).iter().map(|member| member.peer.id).collect();
        for target in &mut self.all {
            if target.state == TargetState::Elsewhere && replicas.contains(&target.peer.id) {
                target.state = TargetState::Idle;
            }
        }
    }

    /// Takes note of whom one refers to. Whether that was honest: all must be closer to the place
    /// than itself.
    pub(crate) fn refer(&mut self, from: usize, closer: Vec<Contact>, view: &View) -> bool {
        let referrer = &mut self.all[from];
        referrer.state = TargetState::Elsewhere;
        let (limit, so_far) = (referrer.peer.place.distance(&self.place), referrer.hops);
        let mut honest = true;
        for contact in closer {
            if contact.id.place().distance(&self.place) >= limit {
                honest = false;
                continue;
            }
            let known = self.all.iter().any(|target| target.peer.id == contact.id);
            if known || self.all.len() >= TARGETS_MAX {
                continue;
            }
            let target = match view.member(&contact.id) {
                Some(member) => {
                    let target = Target::member(member, view);
                    Target { hops: so_far + target.hops, told: true, ..target }
                }
                None if contact.addresses.is_empty() => continue,
                None => Target {
                    peer: Arc::new(Peer::new(contact.id, Default::default())),
                    addresses: contact.addresses.into(),
                    well: true,
                    hops: so_far + DIALLED,
                    told: true,
                    state: TargetState::Idle,
                },
            };
            self.all.push(target);
        }
        honest
    }

    /// The closest of those that may keep the place, closest first: their indices. One of whom only others
    /// say that it is there, and that does not answer, gives way to the next if there is one: it is asked
    /// whether it keeps the place, and that is what decides.
    pub(crate) fn chosen(&self) -> Vec<usize> {
        let candidates =
            (0..self.all.len()).filter(|at| self.all[*at].state != TargetState::Elsewhere);
        let mut chosen: Vec<usize> = candidates.collect();
        if chosen.len() > 1 {
            chosen.sort_by_cached_key(|at| self.all[*at].peer.place.distance(&self.place));
        }
        let mut spare = chosen.len().saturating_sub(REPLICAS);
        chosen.retain(|at| {
            let gives_way = spare > 0 && self.all[*at].is_silent_hearsay();
            spare -= usize::from(gives_way);
            !gives_way
        });
        chosen.truncate(REPLICAS);
        chosen
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Target> {
        self.all.get(at)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut Target> {
        self.all.get_mut(at)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Target> {
        self.all.iter_mut()
    }
}

impl Target {
    fn is_silent_hearsay(&self) -> bool {
        let silent =
            matches!(self.state, TargetState::Failed | TargetState::Waiting { silent: true, .. });
        self.told && silent
    }

    fn member(member: &Member, view: &View) -> Target {
        Target {
            peer: Arc::clone(&member.peer),
            addresses: Arc::clone(&member.addresses),
            well: member.well,
            hops: match Arc::ptr_eq(&member.peer, view.me()) {
                true => 0,
                false if member.connected => 1,
                false => DIALLED,
            },
            told: false,
            state: TargetState::Idle,
        }
    }

    /// It does not answer. One that was only told of may not even exist, and must not stand in the way
    /// of those who do.
    pub(crate) fn lose(&mut self) {
        self.state = if self.told { TargetState::Elsewhere } else { TargetState::Failed };
    }

    /// It is asked now.
    pub(crate) fn asked(&mut self, now: Now) {
        self.state = TargetState::Waiting { since: now, overdue: false, silent: false };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::view::tests::{member, view};

    fn contact(n: u64) -> Contact {
        let addresses = vec![([127, 0, 0, 1], 1).into()];
        Contact { id: member(n).peer.id, addresses }
    }

    #[test]
    fn a_referral_leads_closer_or_is_a_lie() {
        let (view, place) = (view(4), Place::of(b"k"));
        let mut targets = Targets::of(&view, place);
        let from = targets.chosen()[2];
        let limit = targets.get(from).unwrap().peer.place.distance(&place);
        let (closer, farther): (Vec<u64>, Vec<u64>) =
            (10..40).partition(|n| member(*n).peer.place.distance(&place) < limit);
        assert!(!targets.refer(from, vec![contact(farther[0])], &view));
        assert!(targets.refer(from, vec![contact(closer[0])], &view));
        let chosen = targets.chosen();
        assert!(!chosen.contains(&from), "it said that it does not keep the place");
        let told = chosen.iter().filter_map(|at| targets.get(*at)).find(|target| target.told);
        assert_eq!(told.unwrap().hops, 1 + DIALLED);
    }

    #[test]
    fn referrals_that_go_in_circles_end() {
        let (view, place) = (view(4), Place::of(b"k"));
        let mut targets = Targets::of(&view, place);
        for round in 0..1000 {
            let Some(from) = targets.chosen().first().copied() else { break };
            let all = (0..8).map(|n| contact(round % 50 * 8 + n)).collect();
            targets.refer(from, all, &view);
        }
        assert!(targets.all.len() <= TARGETS_MAX);
    }

    #[test]
    fn one_that_only_others_name_and_that_is_silent_gives_way_to_the_next() {
        let (view, place) = (view(3), Place::of(b"k"));
        let mut targets = Targets::of(&view, place);
        let from = *targets.chosen().last().unwrap();
        let limit = targets.get(from).unwrap().peer.place.distance(&place);
        let is_closer = |n: &u64| member(*n).peer.place.distance(&place) < limit;
        let closer: Vec<u64> = (10..2000).filter(is_closer).take(3).collect();
        assert!(targets.refer(from, closer.into_iter().map(contact).collect(), &view));
        let silent = targets.chosen();
        let told = silent.iter().copied().find(|at| targets.get(*at).unwrap().told).unwrap();
        targets.get_mut(told).unwrap().state = TargetState::Failed;
        let chosen = targets.chosen();
        assert!(chosen.len() == 3 && !chosen.contains(&told));
        for at in
            chosen.iter().filter(|at| targets.get(**at).unwrap().told).copied().collect::<Vec<_>>()
        {
            targets.get_mut(at).unwrap().state = TargetState::Failed;
        }
        assert_eq!(targets.chosen().len(), 3, "never fewer than there are");
    }

    #[test]
    fn a_member_that_is_gone_is_not_asked_again() {
        let (before, place) = (view(3), Place::of(b"k"));
        let mut targets = Targets::of(&before, place);
        assert_eq!(targets.chosen().len(), 3);
        let after =
            View::new(Arc::clone(before.me()), vec![before.members()[1].clone()], vec![], true);
        targets.follow(&after);
        assert_eq!(targets.chosen().len(), 2);
    }
}
