//! In a crowd, an overlay of more members than can be known: how a node finds those that come near it,
//! and somebody to ask in every part of the space. See `docs/decisions/0016-large-overlays.md`.

use std::collections::BTreeSet;
use std::time::Duration;

use base::{NodeId, Place};

use super::{Command, Known, Membership};
use crate::overlay::Now;
use crate::overlay::detector::ROUND;
use crate::overlay::gaps::Gaps;
use crate::overlay::table::NEAR_MAX;
use crate::wire::Contact;

/// Between two questions to a neighbour whom it knows near this node, and between two looks for somebody
/// in each part of the space: at first, and at most.
const FIRST: Duration = ROUND;
const MOST: Duration = Duration::from_secs(16);
/// Gaps it is looked into at a time.
const GAPS_AT_ONCE: usize = 4;
/// Members that a neighbour ought to have named and did not, looked after at a time.
const MISSING_AT_ONCE: usize = 8;
/// An answer of fewer members says nothing of who is not named.
const TELLING: usize = NEAR_MAX / 2;

/// What a node in a crowd has to remember.
#[derive(Debug)]
pub(super) struct Crowd {
    /// When to ask a neighbour for those near, and how long to wait then.
    look_near: (Now, Duration),
    /// When to look into gaps, how long to wait then, and how many there were.
    look_far: (Now, Duration),
    gaps: usize,
}

impl Crowd {
    pub(super) fn new(now: Now) -> Crowd {
        Crowd { look_near: (now, FIRST), look_far: (now, FIRST), gaps: usize::MAX }
    }
}

impl Membership {
    /// Time has passed.
    pub(super) fn crowd_tick(&mut self, now: Now, out: &mut Vec<Command>) {
        // Half of the most, so that it does not come and go with each of them.
        let is_over = self.settling.is_none() && self.roster.members() < NEAR_MAX;
        if self.crowd.is_some() && is_over {
            self.crowd = None;
            self.changed = true;
        }
        if self.crowd.is_some() && self.settling.is_none() {
            self.look_near(now, out);
            self.look_far(now, out);
        }
    }

    /// Neighbours tell each other who came near.
    fn look_near(&mut self, now: Now, out: &mut Vec<Command>) {
        let Some(crowd) = self.crowd.as_mut().filter(|crowd| crowd.look_near.0 <= now) else {
            return;
        };
        let pause = crowd.look_near.1;
        crowd.look_near = (now + pause, (pause * 2).min(MOST));
        let (near, _) = self.roster.split();
        let near = near.into_iter().filter(|known| known.connected);
        let near: Vec<NodeId> = near.map(|known| known.peer.id).collect();
        if let Some(id) = self.rng.choice(near) {
            self.exchange(id, None, out);
        }
    }

    /// Where nobody is connected, somebody is looked for: one that was met before, and through whoever is
    /// closest to there.
    fn look_far(&mut self, now: Now, out: &mut Vec<Command>) {
        if self.crowd.as_ref().is_none_or(|crowd| crowd.look_far.0 > now) {
            return;
        }
        let open = self.gaps().open();
        let Some(crowd) = &mut self.crowd else { return };
        let pause = if open.len() < crowd.gaps { FIRST } else { crowd.look_far.1 };
        crowd.look_far = (now + pause, (pause * 2).min(MOST));
        crowd.gaps = open.len();
        if open.is_empty() {
            crowd.look_far.1 = FIRST;
            return;
        }
        for gap in self.rng.choose_multiple(open, GAPS_AT_ONCE) {
            let may_dial = |known: &&Known| {
                !known.connected && known.belief.is_well() && gap.contains(&known.peer.place)
            };
            let there: Vec<Contact> =
                self.roster.proven().filter(may_dial).map(Known::contact).collect();
            out.extend(self.rng.choice(there).map(Command::Dial));
            let place = self.any_place_in(&gap);
            let well = self.roster.connected().filter(|known| known.belief.is_well());
            let guide = well.min_by_key(|known| known.peer.place.distance(&place));
            if let Some(id) = guide.map(|known| known.peer.id) {
                self.exchange(id, Some(place), out);
            }
        }
    }

    fn any_place_in(&mut self, gap: &crate::prefix::Prefix) -> Place {
        let (first, last) = gap.places().into_inner();
        Place::from_bytes(std::array::from_fn(|at| {
            let free = first.as_bytes()[at] ^ last.as_bytes()[at];
            first.as_bytes()[at] | (self.rng.u8(..) & free)
        }))
    }

    /// Where in the space nobody is connected.
    pub(super) fn gaps(&mut self) -> Gaps {
        let known_bits = self.roster.shape().known_bits;
        let connected = self.roster.connected().map(|known| &known.peer.place);
        Gaps::between(&self.me.place, known_bits, connected)
    }

    /// A neighbour has told whom it knows near this node. Of whom it did not name, and ought to know, some
    /// are asked whether they are still there.
    pub(super) fn look_after(&mut self, named: &[Contact], now: Now, out: &mut Vec<Command>) {
        if self.crowd.is_none() || named.len() < TELLING {
            return;
        }
        let me = self.me.place;
        let Some(reach) = named.iter().map(|contact| contact.id.place().distance(&me)).max() else {
            return;
        };
        let named: BTreeSet<NodeId> = named.iter().map(|contact| contact.id).collect();
        // Those connected are probed anyway.
        let is_missing = |known: &&Known| {
            !known.connected
                && known.peer.place.distance(&me) < reach
                && !named.contains(&known.peer.id)
        };
        let missing = self.roster.proven().filter(is_missing).map(|known| known.peer.id);
        for id in self.rng.choose_multiple(missing, MISSING_AT_ONCE) {
            self.probe(id, now, out);
        }
    }
}
