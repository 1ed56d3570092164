//! Meeting others: those who connect, those of whom is told, and whether there is room for them.

use std::sync::Arc;

use base::Place;

use super::{CLAIMS_MAX, Command, JOINING, Membership, News, part_from};
use crate::overlay::connections::{self, CONNECTIONS_MAX, Candidate};
use crate::overlay::known::Known;
use crate::overlay::table::{self, KNOWN_MAX, Room};
use crate::overlay::{Now, Peer};
use crate::wire::{Contact, Hello};

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
        if !self.known.get(&id).is_some_and(|known| known.proven) && !self.make_room(&peer, out) {
            let gone = self.guests.enter(id, peer.pulse.clone());
            gone.into_iter().for_each(|id| part_from(id, out));
            return;
        }
        self.guests.leave(&id);
        // Meeting others for the first time, it does not know yet who else is there.
        if self.settling.is_none() && !self.known.values().any(|known| known.proven) {
            self.settling = Some(now + JOINING);
            (self.exchanged, self.was_alone) = (false, true);
        }
        let was_lost = self.lost.found(&id);
        let before = self.known.remove(&id);
        let met_before = before.as_ref().is_some_and(|known| known.start == Some(hello.start));
        // While it was out of reach either may have missed what the other took. What it said of its
        // entries is some time ago; asking one that has none costs one message.
        let never_away =
            met_before && before.as_ref().is_some_and(|known| self.was_in_touch(known));
        self.filling.owe(id, !never_away, now);
        let addresses = match &before {
            Some(known) if contact.addresses.is_empty() => Arc::clone(&known.addresses),
            _ => contact.addresses.as_slice().into(),
        };
        let new = Known::new(id, &[], now);
        let since =
            before.as_ref().filter(|known| known.connected).map_or(now, |known| known.since);
        let start = Some(hello.start);
        let known = Known { peer, addresses, proven: true, connected: true, since, start, ..new };
        self.known.insert(id, known);
        if !met_before {
            out.push(Command::Report(News::Joined(contact)));
        }
        // The first it meets tells it who else is there.
        let is_first = self.settling.is_some() && !self.exchanged;
        // One that was out of reach may come with others who were.
        if is_first || (was_lost && self.exchanges.compare(false, now)) {
            self.exchange(id, out);
        }
        self.changed = true;
        self.bound_connections(out);
    }

    /// Whether nothing of a member can have been missed. With whom this node keeps nothing it may do
    /// without a connection for lack of room, and has missed nothing while it was there.
    fn was_in_touch(&self, known: &Known) -> bool {
        known.connected
            || (known.parted
                && known.belief.is_well()
                && !self.subtree().contains(&known.peer.place))
    }

    pub(super) fn learned(&mut self, contact: Contact, now: Now, out: &mut Vec<Command>) {
        if contact.id == self.me.id || contact.addresses.is_empty() {
            return;
        }
        let claims = self.known.values().filter(|known| !known.proven).count();
        if self.known.contains_key(&contact.id) || claims >= CLAIMS_MAX {
            return;
        }
        if self.room_for(&contact.id.place()) == Room::Full {
            self.is_full = true;
            return;
        }
        self.known.insert(contact.id, Known::new(contact.id, &contact.addresses, now));
        out.push(Command::Dial(contact));
    }

    pub(super) fn room_for(&self, place: &Place) -> Room {
        let proven = self.known.values().filter(|known| known.proven);
        if proven.clone().count() < KNOWN_MAX {
            return Room::Free;
        }
        let rows: Vec<_> = proven.map(Known::row).collect();
        table::room_for(&self.me.place, &rows, place)
    }

    /// Makes room for a newcomer among those known; whether there is.
    pub(super) fn make_room(&mut self, newcomer: &Peer, out: &mut Vec<Command>) -> bool {
        let room = self.room_for(&newcomer.place);
        self.is_full |= room != Room::Free;
        if let Room::Instead(id) = room {
            self.known.remove(&id);
            self.filling.forget(&id);
            part_from(id, out);
        }
        room != Room::Full
    }

    /// Says that nobody keeps too many connections: the one to part from is told why.
    pub(super) fn bound_connections(&mut self, out: &mut Vec<Command>) {
        let connected = self.known.values().filter(|known| known.connected);
        if connected.clone().count() <= CONNECTIONS_MAX {
            return;
        }
        let candidates: Vec<Candidate> = connected
            .map(|known| Candidate {
                id: known.peer.id,
                place: known.peer.place,
                since: known.since,
                heard: known.peer.pulse.last(),
                wanted: self.filling.owes(&known.peer.id),
            })
            .collect();
        let victim = connections::victim(&self.me.place, &candidates);
        if let Some(known) = victim.and_then(|id| self.known.get_mut(&id)) {
            // From here on it is one without; the link says so later, if at all.
            (known.parted, known.connected) = (true, false);
            part_from(known.peer.id, out);
        }
    }
}
