//! Members that are gone: others keep from now on what they kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::NodeId;

use super::{Command, Membership, News};
use crate::overlay::known::Known;
use crate::overlay::subtree::around;
use crate::overlay::{Now, Peer};
use crate::wire::{Notice, Rumour};

/// Members that are told of one that is gone. Each of them looks by itself and tells as many others: all
/// hear of it in a few steps, and nobody has to tell hundreds.
pub(super) const TOLD: usize = 16;

impl Membership {
    /// A member is gone, or has left: others keep what it kept.
    pub(super) fn departed(&mut self, id: NodeId, left: bool, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.roster.remove(&id) else { return };
        // What was its share is copied at once, and that takes a view without it.
        (self.changed, self.next_view) = (true, Now::ZERO);
        self.filling.forget(&id);
        out.push(Command::Disconnect(id));
        if !known.proven {
            return;
        }
        self.may_copy = true;
        self.gain_share_of(&known, now);
        if left {
            out.push(Command::Report(News::Left(id)));
            return;
        }
        out.push(Command::Report(News::Gone(id)));
        if known.start.is_some() {
            let rumour = Notice::Rumour(Rumour { about: id, gone: true });
            let mut told = self.confidants(&known.peer.place, TOLD, id);
            told.retain(|_| self.rumours.take(now));
            out.extend(told.iter().map(|peer| Command::Notify(peer.id, rumour.clone())));
        }
        self.lost.add(known.contact(), now);
    }

    /// What a departed member kept, this node may have to keep now.
    fn gain_share_of(&mut self, gone: &Known, now: Now) {
        let others: Vec<&Arc<Peer>> = self.roster.proven().map(|known| &known.peer).collect();
        // Where there were no more than three nothing is gained, but one copy of two may be lost: those
        // who are left see to it that both have all.
        let places = others.iter().map(|peer| &peer.place).chain([&gone.peer.place]);
        let subtree = around(self.me.place, places);
        if !subtree.contains(&gone.peer.place) {
            return;
        }
        let near = others.iter().filter(|peer| subtree.contains(&peer.place));
        let near: BTreeSet<NodeId> = near.map(|peer| peer.id).collect();
        // One that is gone was silent for longer than a Wi-Fi scan; who left said so.
        self.filling.departed(gone.peer.place, near, now);
    }

    /// The members that are well and may keep something with this node.
    pub(super) fn neighbours(&self) -> Vec<NodeId> {
        let subtree = self.roster.subtree();
        let is_one = |known: &&Known| {
            known.belief.is_well() && known.start.is_some() && subtree.contains(&known.peer.place)
        };
        self.roster.proven().filter(is_one).map(|known| known.peer.id).collect()
    }
}
