//! Probes and suspicions: what is done to learn whether members live.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{NodeId, Place};

use super::{Command, Known, Membership, News};
use crate::overlay::detector::{CALM_ROUNDS, HELPERS, ROUND, SUSPECTS, quiet};
use crate::overlay::{Now, Peer};
use crate::wire::{Notice, Rumour};

/// Far members probed in each round in a crowd: all of some 140 within half a minute.
const CROWD_PROBES: usize = 4;
/// Members looked at for each probe of one that is connected: a third of those known are.
const TRIED: usize = 8;
/// One in so many rounds may probe a member that has to be dialled for it.
const DIALS_APART: usize = 8;

impl Membership {
    /// A round of probes: the quiet ones of the neighbours, now and then one of the others, and some
    /// suspects in turn. In a crowd, where nobody else tells of those that are far, some more of those connected.
    pub(super) fn round(&mut self, now: Now, out: &mut Vec<Command>) {
        let (near, far) = self.roster.split();
        let quiet = self.health.stretch(quiet(near.len()));
        let is_quiet = |known: &&&Known| now.saturating_sub(known.peer.pulse.last()) >= quiet;
        let quiet = near.iter().filter(is_quiet).map(|known| known.peer.id);
        let mut wanted: BTreeSet<NodeId> = quiet.collect();
        // An answer also tells whether the other knows the same members.
        let others = if far.is_empty() { near } else { far };
        self.rounds = self.rounds.wrapping_add(1);
        let probes = match self.crowd.is_some() {
            true => CROWD_PROBES,
            false if now >= self.calm_at && !self.rounds.is_multiple_of(CALM_ROUNDS) => 0,
            false => 1,
        };
        // One without a connection has to be dialled: others, who are connected to it, do it oftener.
        let may_dial = self.crowd.is_none() && self.rng.usize(..DIALS_APART) == 0;
        // Enough to come upon some that are connected.
        let tried = (0..probes * TRIED).filter_map(|_| self.rng.choice(&others));
        let suit = tried.filter(|known| may_dial || known.connected);
        wanted.extend(suit.take(probes).map(|known| known.peer.id));
        let mut suspects = Vec::new();
        for id in self.roster.uncertain() {
            let is_suspect = |known: &&Known| known.proven && !known.belief.is_well();
            if let Some(known) = self.roster.get(&id).filter(is_suspect) {
                suspects.push((known.belief.probed(), id));
            }
        }
        suspects.sort_unstable();
        wanted.extend(suspects.into_iter().take(SUSPECTS).map(|(_, id)| id));
        for id in wanted {
            self.probe(id, now, out);
        }
    }

    pub(super) fn probe(&mut self, id: NodeId, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.roster.get_mut(&id) else { return };
        // One without a connection is dialed instead; the connection will tell.
        if (known.connected || known.parted) && known.belief.may_probe(now, &self.health) {
            out.push(Command::Probe(Arc::clone(&known.peer)));
        }
    }

    /// A probe that somebody else, or an operation, gives a reason for.
    pub(super) fn prompted_probe(&mut self, id: NodeId, now: Now, out: &mut Vec<Command>) {
        if self.roster.contains(&id) && self.prompted.take(now) {
            self.probe(id, now, out);
        }
    }

    /// Takes note of when a member was last heard.
    pub(super) fn refresh(&mut self, id: NodeId, out: &mut Vec<Command>) {
        let Some(known) = self.roster.get_mut(&id) else { return };
        let last = known.peer.pulse.last();
        if known.connected && known.belief.heard(last) {
            self.changed = true;
            out.push(Command::Report(News::Recovered(id)));
        }
    }

    pub(super) fn unanswered_probe(&mut self, id: NodeId, now: Now, out: &mut Vec<Command>) {
        self.suspect(id, now, out);
        let Some(place) = self.roster.get(&id).map(|known| known.peer.place) else { return };
        // Whoever hears others late asks nobody to go to trouble for that.
        if !self.health.is_good() || !self.indirect.take(now) {
            return;
        }
        for helper in self.confidants(&place, HELPERS, id) {
            out.push(Command::Notify(helper.id, Notice::Rumour(Rumour { about: id, gone: false })));
            out.push(Command::ProbeFor { helper, target: id });
        }
    }

    /// Some members that are well, to talk of another with: any, or in a crowd those who lie closest to it,
    /// for not everybody knows it.
    pub(super) fn confidants(
        &mut self,
        of: &Place,
        count: usize,
        except: NodeId,
    ) -> Vec<Arc<Peer>> {
        let is_one =
            |known: &&Known| known.connected && known.belief.is_well() && known.peer.id != except;
        let mut well: Vec<Arc<Peer>> =
            self.roster.values().filter(is_one).map(|known| Arc::clone(&known.peer)).collect();
        if self.crowd.is_none() {
            return self.rng.choose_multiple(well, count);
        }
        if well.len() > count {
            well.select_nth_unstable_by_key(count, |peer| peer.place.distance(of));
            well.truncate(count);
        }
        well
    }

    pub(super) fn suspect(&mut self, id: NodeId, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.roster.get_mut(&id) else { return };
        if known.proven && known.belief.suspect(now) {
            self.changed = true;
            self.roster.doubt(id);
            out.push(Command::Report(News::Suspected(id)));
        }
    }

    pub(super) fn rumour(&mut self, by: NodeId, rumour: Rumour, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.roster.get_mut(&rumour.about) else { return };
        if rumour.gone {
            known.belief.second(by);
        }
        // One that was heard just now needs no looking into.
        if now.saturating_sub(known.peer.pulse.last()) >= self.health.stretch(ROUND) {
            self.prompted_probe(rumour.about, now, out);
        }
    }
}
