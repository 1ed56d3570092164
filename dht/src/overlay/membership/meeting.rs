//! Meeting others: those who connect, those of whom is told, and whether there is room for them.

use std::sync::Arc;

use super::crowd::Crowd;
use super::{CLAIMS_MAX, Command, JOINING, Membership, News, part_from};
use crate::overlay::connections::{self, CONNECTIONS_MAX, Candidate};
use crate::overlay::gaps::Gaps;
use crate::overlay::known::Known;
use crate::overlay::table::KNOWN_MAX;
use crate::overlay::{Now, Peer};
use crate::wire::{Contact, Hello};

/// Members that are parted from together when there are too many connections: in a crowd newcomers come
/// one after the other, and each choice looks at all.
const PARTED_TOGETHER: usize = 8;

impl Membership {
    pub(super) fn connected(
        &mut self,
        peer: Arc<Peer>,
        contact: Contact,
        hello: Hello,
        now: Now,
        out: &mut Vec<Command>,
    ) {
        let id = contact.id;
        if id == self.me.id {
            return;
        }
        if !self.roster.get(&id).is_some_and(|known| known.proven)
            && !self.make_room(&peer, now, out)
        {
            let gone = self.guests.enter(id, peer.pulse.clone());
            gone.into_iter().for_each(|id| part_from(id, out));
            self.bound_connections(now, out);
            return;
        }
        self.guests.leave(&id);
        // Meeting others for the first time, it does not know yet who else is there.
        if self.settling.is_none() && self.roster.members() == 0 {
            self.settling = Some(now + JOINING);
            (self.exchanged, self.was_alone, self.many) = (false, true, false);
            (self.found, self.whole) = (false, false);
        }
        let was_lost = self.lost.found(&id);
        let before = self.roster.remove(&id);
        let met_before = before.as_ref().is_some_and(|known| known.start == Some(hello.start));
        // While it was out of reach either may have missed what the other took. What it said of its
        // entries is some time ago; asking one that has none costs one message.
        let never_away =
            met_before && before.as_ref().is_some_and(|known| self.was_in_touch(known));
        // In a crowd one that is far keeps nothing with this node; what it may have kept with others before,
        // some of those near have, too.
        let is_far = self.crowd.is_some()
            && !self.roster.shape().is_very_near(&peer.place)
            && !self.roster.subtree().contains(&peer.place);
        if was_lost || !is_far {
            self.filling.owe(id, !never_away, now);
        }
        let addresses = match &before {
            Some(known) if contact.addresses.is_empty() => Arc::clone(&known.addresses),
            _ => contact.addresses.as_slice().into(),
        };
        let since =
            before.as_ref().filter(|known| known.connected).map_or(now, |known| known.since);
        let start = Some(hello.start);
        let new = Known::new(peer, addresses, now);
        let known = Known { proven: true, connected: true, since, start, ..new };
        self.roster.insert(known);
        if !met_before {
            out.push(Command::Report(News::Joined(contact)));
        }
        // The first it meets tells it who else is there.
        let is_first = self.settling.is_some() && !self.exchanged;
        // One that was out of reach may come with others who were.
        if is_first || (was_lost && self.compare(false, now)) {
            self.exchange(id, None, out);
        }
        self.changed = true;
        self.bound_connections(now, out);
    }

    /// Whether nothing of a member can have been missed. With whom this node keeps nothing it may do
    /// without a connection for lack of room, and has missed nothing while it was there.
    fn was_in_touch(&self, known: &Known) -> bool {
        known.connected
            || (known.parted
                && known.belief.is_well()
                && !self.roster.subtree().contains(&known.peer.place))
    }

    pub(super) fn learned(
        &mut self,
        contact: Contact,
        gaps: &mut Option<Gaps>,
        now: Now,
        out: &mut Vec<Command>,
    ) {
        if contact.id == self.me.id || contact.addresses.is_empty() {
            return;
        }
        if self.roster.contains(&contact.id) || self.roster.claims() >= CLAIMS_MAX {
            return;
        }
        // In a crowd those are of use that are near, and those that are where nobody else is.
        if self.crowd.is_some() || self.roster.members() >= KNOWN_MAX {
            let place = contact.id.place();
            let is_near = self.roster.shape().is_near(&place);
            if !is_near && !gaps.get_or_insert_with(|| self.gaps()).fill(&place) {
                return;
            }
        }
        self.roster.insert(Known::told_of(&contact, now));
        out.push(Command::Dial(contact));
    }

    /// Makes room for a newcomer among those known; whether there is.
    fn make_room(&mut self, newcomer: &Peer, now: Now, out: &mut Vec<Command>) -> bool {
        let is_full = self.roster.members() >= KNOWN_MAX;
        if is_full && self.crowd.is_none() {
            self.crowd = Some(Crowd::new(now));
        }
        if self.crowd.is_none() {
            return true;
        }
        let is_near = self.roster.shape().is_near(&newcomer.place);
        if !is_near && self.is_spare(newcomer, now) {
            return false;
        }
        if !is_full {
            return true;
        }
        let Some(id) = self.roster.forgettable(is_near) else { return false };
        self.roster.remove(&id);
        self.filling.forget(&id);
        part_from(id, out);
        true
    }

    /// Whether there are enough connections without one to this newcomer.
    fn is_spare(&self, newcomer: &Peer, now: Now) -> bool {
        if self.roster.connections() < self.connections_max() {
            return false;
        }
        let (id, place, heard) = (newcomer.id, newcomer.place, newcomer.pulse.last());
        let newcomer = Candidate { id, place, since: now, heard, wanted: false };
        connections::is_spare(&self.me.place, &self.connections(), newcomer)
    }

    fn connections(&self) -> Vec<Candidate> {
        let candidate = |known: &Known| Candidate {
            id: known.peer.id,
            place: known.peer.place,
            since: known.since,
            heard: known.peer.pulse.last(),
            wanted: self.filling.owes(&known.peer.id),
        };
        self.roster.connected().map(candidate).collect()
    }

    /// How many connections to members there may be: guests have theirs, too.
    fn connections_max(&self) -> usize {
        CONNECTIONS_MAX - self.guests.count()
    }

    /// Keeps nobody too many connections: those to part from are told why.
    pub(super) fn bound_connections(&mut self, now: Now, out: &mut Vec<Command>) {
        if self.roster.connections() <= self.connections_max() {
            return;
        }
        let mut all = self.connections();
        let enough = self.connections_max().saturating_sub(PARTED_TOGETHER - 1);
        while all.len() > enough
            && let Some(id) = connections::victim(&self.me.place, &all, now)
        {
            all.retain(|candidate| candidate.id != id);
            // From here on it is one without; the link says so later, if at all.
            self.roster.disconnect(&id);
            self.roster.get_mut(&id).into_iter().for_each(|known| known.parted = true);
            self.changed = true;
            part_from(id, out);
        }
    }
}
