//! Looking around: whom others know, and when a node that has come, or has slept, knows who is there.

use std::sync::Arc;
use std::time::Duration;

use base::limits::REPLICAS;
use base::{NodeId, Place};

use super::crowd::Crowd;
use super::{Acquaintance, Command, JOINING, Membership};
use crate::overlay::Now;
use crate::overlay::detector::ROUND;
use crate::overlay::known::Known;
use crate::wire::MEMBERS_MAX;

/// One that never gives what it has keeps a newcomer from vouching for anything no longer than this.
const FIRST_PULLS: Duration = Duration::from_secs(15);
/// Until a node that ought to meet others, and meets nobody, believes to be alone.
const EXPECTED: Duration = Duration::from_secs(10);
/// Until another member is asked who is there, if the one that was asked does not know.
const ASK_AGAIN: Duration = Duration::from_millis(300);
/// The same in a crowd, where others have to be asked, one closer than the other, and hundreds met.
const JOINING_CROWD: Duration = Duration::from_secs(8);
/// An answer that names so many may not name all: it has room for as many, and leaves out who asks, who
/// answers and who is suspected.
const MANY: usize = MEMBERS_MAX * 3 / 4;

/// Of an answer so many are met while the closest are sought; and how long that may take with each.
const CLOSER: usize = 16;
const MEETING: Duration = Duration::from_millis(600);

impl Membership {
    /// Whether it has looked around for long enough, or has met all it was told of.
    pub(super) fn settle(&mut self, now: Now, out: &mut Vec<Command>) {
        if !self.first_until.is_zero() && (now >= self.first_until || !self.filling.owes_first()) {
            self.first_until = Now::ZERO;
            self.changed = true;
        }
        let Some(until) = self.settling else { return };
        let connected: Vec<NodeId> = self.roster.connected().map(|known| known.peer.id).collect();
        let next = if self.exchanged { self.closest_not_asked() } else { None };
        let all_told = self.exchanged && next.is_none() && self.have_all_told(now);
        if (!self.exchanged || next.is_some() || (self.found && !all_told)) && self.ask_again <= now
        {
            self.ask_again = now + self.health.stretch(ASK_AGAIN);
            let next = next.or_else(|| self.closest().filter(|_| self.found));
            if let Some(id) = next.or_else(|| self.rng.choice(&connected).copied()) {
                self.exchange(id, None, out);
            }
        }
        // Who ought to meet others and met nobody waits for longer before it believes to be alone.
        let until = match self.expects_others && connected.is_empty() {
            true => until.max(EXPECTED),
            false => until,
        };
        let met_all =
            all_told && !connected.is_empty() && self.roster.values().all(Known::needs_no_waiting);
        if met_all || now >= until {
            self.settling = None;
            self.was_alone = false;
            self.asked.clear();
            (self.found, self.whole) = (false, false);
            (self.changed, self.next_view) = (true, Now::ZERO);
            self.filling.mark_first();
            self.first_until = now + FIRST_PULLS;
        }
    }

    /// As after a start, with those known who were there before.
    pub(super) fn awoke(&mut self, now: Now, out: &mut Vec<Command>) {
        self.settling = Some(now + JOINING);
        self.exchanged = false;
        let proven: Vec<NodeId> = self.roster.proven().map(|known| known.peer.id).collect();
        for id in proven {
            self.filling.owe(id, true, now);
            self.probe(id, now, out);
        }
        let connected: Vec<NodeId> = self.roster.connected().map(|known| known.peer.id).collect();
        if let Some(id) = self.rng.choice(connected) {
            self.exchange(id, None, out);
        }
        self.changed = true;
    }

    /// Whether whoever is close has told of everybody near this node. In a crowd that is asked for only when
    /// the closest are found: those whom others name, who are not close, would be met in vain.
    fn have_all_told(&mut self, now: Now) -> bool {
        if !self.many || self.crowd.is_none() {
            return true;
        }
        // Those who were named just now may be closer.
        let is_met = |known: &Known| known.proven || now.saturating_sub(known.since) >= MEETING;
        self.found |= self.roster.values().all(is_met);
        self.whole
    }

    /// The closest member.
    fn closest(&self) -> Option<NodeId> {
        let distance = |known: &&Known| known.peer.place.distance(&self.me.place);
        self.roster.connected().min_by_key(distance).map(|known| known.peer.id)
    }

    /// Of the closest members one that was not asked yet who is there, if that is to be known: another who
    /// knows many names those it knows best, and the closest know best who else is close.
    fn closest_not_asked(&self) -> Option<NodeId> {
        if !self.many {
            return None;
        }
        let distance = |known: &&Known| known.peer.place.distance(&self.me.place);
        let mut closest: Vec<&Known> = self.roster.connected().collect();
        if closest.len() > REPLICAS {
            closest.select_nth_unstable_by_key(REPLICAS, distance);
            closest.truncate(REPLICAS);
        }
        let next = closest.into_iter().filter(|known| !self.asked.contains(&known.peer.id));
        next.min_by_key(distance).map(|known| known.peer.id)
    }

    /// Near which place to ask another who knows others whom it knows: near this node, or, where one answer
    /// does not name all, near any place every other time.
    pub(super) fn where_to_look(&mut self) -> Option<Place> {
        let is_elsewhere = self.roster.members() >= MANY && self.rng.bool();
        is_elsewhere.then(|| Place::from_bytes(std::array::from_fn(|_| self.rng.u8(..))))
    }

    /// Another member has told whom it knows, or not.
    pub(super) fn exchanged(
        &mut self,
        from: NodeId,
        near: Option<Place>,
        answer: Option<Acquaintance>,
        now: Now,
        out: &mut Vec<Command>,
    ) {
        // Whoever looks around itself does not know everybody yet.
        let Some(Acquaintance { contacts, settled, more }) = answer else { return };
        if more && settled && self.crowd.is_none() {
            self.crowd = Some(Crowd::new(now));
        }
        if near.is_none() {
            self.exchanged |= settled;
            if let Some(until) = self.settling {
                self.asked.insert(from);
                if contacts.len() >= MANY && !self.many {
                    self.many = true;
                    self.settling = Some(until.max(now + JOINING_CROWD));
                }
            } else if settled {
                self.look_after(&contacts, now, out);
            }
        }
        let is_looking = near.is_none() && self.settling.is_some() && self.crowd.is_some();
        let count = if is_looking && !self.found { CLOSER } else { contacts.len() };
        // Where many come at once the closest look around as well; neighbours tell each other of whoever comes.
        self.whole |= is_looking && self.found;
        let mut gaps = None;
        for contact in contacts.into_iter().take(count) {
            if let Some(known) = self.roster.get_mut(&contact.id) {
                known.told |= settled;
            } else {
                self.learned(contact, &mut gaps, now, out);
            }
        }
    }

    /// Another member told what it knows: the same as this node, or not. Whether to ask it.
    pub(super) fn compare(&mut self, same: bool, now: Now) -> bool {
        self.exchanges.compare(same, self.health.stretch(ROUND), now)
    }

    pub(super) fn exchange(&self, id: NodeId, near: Option<Place>, out: &mut Vec<Command>) {
        if let Some(known) = self.roster.get(&id) {
            out.push(Command::Exchange(Arc::clone(&known.peer), near));
        }
    }
}
