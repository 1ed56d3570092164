//! All dockets of a node, bounded, and which of them is due.

use std::collections::{BTreeMap, BTreeSet};

use base::limits::{ENTRIES_PER_KEY_MAX, REPLICAS};
use base::{Memory, NodeId, Place, PublicKey, Told};

use super::docket::{Docket, is_claim};
use crate::node::Node;
use crate::overlay::view::View;
use crate::store::{ALL_IDS, ListLimit, StoreError};

/// Names followed at a time, and claims of all: with the hundred bytes that one takes, some megabytes.
const NAMES_MAX: usize = 16 * 1024;
const CLAIMS_MAX: usize = 64 * 1024;
/// Until a docket is looked at again that could not be.
const AGAIN_MS: u64 = 1_000;

/// All that is claimed here.
#[derive(Default)]
pub(crate) struct Book {
    dockets: BTreeMap<Place, Docket>,
    /// Of each docket when it is due, and how many claims it has; and the same by time, and in all.
    reckoned: BTreeMap<Place, (u64, usize)>,
    due: BTreeSet<(u64, Place)>,
    claims: usize,
}

impl Book {
    /// How many names are claimed.
    pub(crate) fn names(&self) -> usize {
        self.dockets.len()
    }

    /// The docket of a place as it is now: with the claims that the store holds, and the replicas that the
    /// view has. `None` where nothing is claimed, unless it is to be made; or where there is no room.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn open(
        &mut self,
        node: &Node,
        place: &Place,
        make: bool,
        now: u64,
    ) -> Result<Option<&mut Docket>, StoreError> {
        let view = node.view.load();
        let others = others(&view, place);
        let known = self.dockets.get(place);
        if known.is_none_or(|docket| docket.wants_look(now)) {
            let everything = ListLimit { entries: ENTRIES_PER_KEY_MAX, bytes: usize::MAX };
            let held = node.store.list(place, ALL_IDS, everything)?.entries;
            if known.is_none() {
                let claimed =
                    held.iter().any(|e| e.is_live() && e.as_signed().is_some_and(is_claim));
                if !claimed && !make {
                    return Ok(None);
                }
                if self.dockets.len() >= NAMES_MAX || self.claims >= CLAIMS_MAX {
                    return Ok(None);
                }
                let docket = match node.store.note(place)? {
                    Some(note) if claimed => match Told::from_bytes(&note.bytes) {
                        Some(told) => Docket::resume(told, note.ago_ms, others.clone(), now),
                        None => Docket::new(Memory::Doubtful, others.clone(), now),
                    },
                    _ => {
                        // One that has all there is and finds no claim has not voted on any.
                        let whole = !claimed && view.is_complete(place) && !node.has_slept();
                        let memory = if whole { Memory::Whole } else { Memory::Doubtful };
                        Docket::new(memory, others.clone(), now)
                    }
                };
                self.dockets.insert(*place, docket);
            }
            if let Some(docket) = self.dockets.get_mut(place) {
                docket.look(place, &held, now);
            }
        }
        let Some(docket) = self.dockets.get_mut(place) else { return Ok(None) };
        docket.follow_replicas(&others, view.keeps(place, REPLICAS));
        Ok(Some(docket))
    }

    /// To be called after a docket was changed: whether it is due at another time than before.
    pub(crate) fn changed(&mut self, place: &Place, now: u64) -> bool {
        self.reckon(place, now, 0)
    }

    /// The same where nothing could be done for now.
    pub(crate) fn postpone(&mut self, place: &Place, now: u64) {
        self.reckon(place, now, now.saturating_add(AGAIN_MS));
    }

    fn reckon(&mut self, place: &Place, now: u64, not_before: u64) -> bool {
        let before = self.reckoned.remove(place);
        if let Some((at, claims)) = before {
            self.due.remove(&(at, *place));
            self.claims -= claims;
        }
        let Some(docket) = self.dockets.get(place) else { return false };
        let (at, claims) = (docket.due(now).max(not_before), docket.len());
        self.reckoned.insert(*place, (at, claims));
        self.due.insert((at, *place));
        self.claims += claims;
        before.is_none_or(|(before, _)| before != at)
    }

    /// In how many milliseconds something is due.
    pub(crate) fn due_in(&self, now: u64) -> u64 {
        self.due.first().map_or(u64::MAX, |(at, _)| at.saturating_sub(now))
    }

    /// The next place where something is due. It is not named again for a moment.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<Place> {
        let (_, place) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.postpone(&place, now);
        Some(place)
    }

    /// The members have changed.
    pub(crate) fn follow(&mut self, view: &View, now: u64) {
        let places: Vec<Place> = self.dockets.keys().copied().collect();
        for place in places {
            if let Some(docket) = self.dockets.get_mut(&place) {
                docket.follow_replicas(&others(view, &place), view.keeps(&place, REPLICAS));
            }
            self.changed(&place, now);
        }
    }

    /// Nothing is sure any more.
    pub(crate) fn doubt_all(&mut self) {
        self.dockets.values_mut().for_each(Docket::doubt);
        let places: Vec<Place> = self.dockets.keys().copied().collect();
        for place in places {
            self.changed(&place, 0);
        }
    }

    /// Something at the place is not as it was.
    pub(crate) fn touch(&mut self, place: &Place) {
        if let Some(docket) = self.dockets.get_mut(place) {
            docket.touch();
        }
    }

    /// A claim that was let in is in force, or could not be written.
    pub(crate) fn written(&mut self, place: &Place, author: &PublicKey, now: u64) {
        if let Some(docket) = self.dockets.get_mut(place) {
            docket.written(author);
        }
        self.changed(place, now);
    }

    /// Whether it is about nothing any more, or never was; then it is forgotten. Its note may stay: whoever
    /// reads it finds that what it is about is gone.
    pub(crate) fn forget_if_empty(&mut self, place: &Place) -> bool {
        if self.dockets.get(place).is_some_and(|docket| !docket.is_empty()) {
            return false;
        }
        self.dockets.remove(place);
        self.changed(place, 0);
        true
    }

    /// Whom to ask, if it is time and this node is a replica.
    pub(crate) fn begin_consultation(
        &mut self,
        view: &View,
        place: &Place,
        now: u64,
    ) -> Option<Vec<NodeId>> {
        let docket = self.dockets.get_mut(place)?;
        if !docket.wants_reports(now) || !view.is_settled() {
            return None;
        }
        docket.asks(now);
        Some(docket.others().to_vec())
    }

    /// They have answered, or not.
    pub(crate) fn end_consultation(
        &mut self,
        place: &Place,
        asked: &[NodeId],
        answers: &[Option<Told>],
        now: u64,
    ) {
        if let Some(docket) = self.dockets.get_mut(place) {
            docket.answered(asked, answers, now);
        }
    }

    /// What to write down.
    pub(crate) fn note(&self, place: &Place, now: u64) -> Option<Told> {
        let docket = self.dockets.get(place)?;
        docket.wants_note(now).then(|| docket.note(now))
    }

    /// It is written down.
    pub(crate) fn noted(&mut self, place: &Place, note: &Told, now: u64) {
        if let Some(docket) = self.dockets.get_mut(place) {
            docket.noted(note, now);
        }
    }
}

/// The replicas of a place but for this node.
fn others(view: &View, place: &Place) -> Vec<NodeId> {
    let replicas = view.replicas(place).into_iter().map(|member| member.peer.id);
    replicas.filter(|id| *id != view.me().id).collect()
}
