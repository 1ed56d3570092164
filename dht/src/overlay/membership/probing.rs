//! Probes and suspicions: what is done to learn whether members live.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::NodeId;

use super::{Command, Known, Membership, News};
use crate::overlay::detector::{HELPERS, NEIGHBOURS, QUIET, ROUND};
use crate::overlay::{Now, Peer};
use crate::wire::{Notice, Rumour};

impl Membership {
    /// A round of probes: the quiet ones of the neighbours, one quiet one of the others, and all
    /// suspects.
    pub(super) fn round(&mut self, now: Now, out: &mut Vec<Command>) {
        let mut proven: Vec<&Known> = self.known.values().filter(|known| known.proven).collect();
        proven.sort_by_key(|known| known.peer.place.distance(&self.me.place));
        let quiet = |known: &&&Known| now.saturating_sub(known.peer.pulse.last()) >= QUIET;
        let (near, far) = proven.split_at(NEIGHBOURS.min(proven.len()));
        let mut wanted: BTreeSet<NodeId> =
            near.iter().filter(quiet).map(|known| known.peer.id).collect();
        // One at random, quiet or not: its answer also tells whether it knows the same members.
        let others = if far.is_empty() { near } else { far };
        wanted.extend(self.rng.choice(others).map(|known| known.peer.id));
        let suspects = proven.iter().filter(|known| !known.belief.is_well());
        wanted.extend(suspects.map(|known| known.peer.id));
        for id in wanted {
            self.probe(id, now, out);
        }
    }

    pub(super) fn probe(&mut self, id: NodeId, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.known.get_mut(&id) else { return };
        // One without a connection is dialed instead; the connection will tell.
        if (known.connected || known.parted) && known.belief.may_probe(now) {
            out.push(Command::Probe(Arc::clone(&known.peer)));
        }
    }

    /// Takes note of when a member was last heard.
    pub(super) fn refresh(&mut self, id: NodeId, out: &mut Vec<Command>) {
        let Some(known) = self.known.get_mut(&id) else { return };
        let last = known.peer.pulse.last();
        if known.connected && known.belief.heard(last) {
            self.changed = true;
            out.push(Command::Report(News::Recovered(id)));
        }
    }

    pub(super) fn unanswered_probe(&mut self, id: NodeId, now: Now, out: &mut Vec<Command>) {
        self.suspect(id, now, out);
        let helpers: Vec<Arc<Peer>> = self
            .known
            .values()
            .filter(|known| known.connected && known.belief.is_well() && known.peer.id != id)
            .map(|known| Arc::clone(&known.peer))
            .collect();
        for helper in self.rng.choose_multiple(helpers, HELPERS) {
            out.push(Command::Notify(helper.id, Notice::Rumour(Rumour { about: id, gone: false })));
            out.push(Command::ProbeFor { helper, target: id });
        }
    }

    pub(super) fn suspect(&mut self, id: NodeId, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.known.get_mut(&id) else { return };
        if known.proven && known.belief.suspect(now) {
            self.changed = true;
            out.push(Command::Report(News::Suspected(id)));
        }
    }

    pub(super) fn rumour(&mut self, by: NodeId, rumour: Rumour, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.known.get_mut(&rumour.about) else { return };
        if rumour.gone {
            known.belief.second(by);
        }
        // One that was heard just now needs no looking into.
        if now.saturating_sub(known.peer.pulse.last()) >= ROUND {
            self.probe(rumour.about, now, out);
        }
    }
}
