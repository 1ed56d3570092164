//! The claims at one place, as one replica keeps them: its [`Contest`], what the store was last seen to
//! hold, and what of its vote is on disk.

use std::collections::BTreeMap;

use base::{
    Admission, Claim, Contest, Entry, Kind, Memory, NodeId, Place, PublicKey, Sequence, Slot, Told,
};

/// How often the store is looked at again for claims that lapsed, at least.
const LOOK_MS: u64 = 600_000;
/// How long before a note is kept anew although nothing has changed: it has to outlive the last claim
/// that was put while it was kept.
const NOTE_MS: u64 = 24 * 3_600_000;

/// The claims at one place. `now` is in milliseconds since the node's start.
#[derive(Debug)]
pub(crate) struct Docket {
    contest: Contest,
    /// The claims that were looked at, and the sequence of each: also those that are none, or have
    /// passed to an heir.
    seen: BTreeMap<PublicKey, Sequence>,
    /// Those that are let in and not on disk yet, and how often.
    writing: BTreeMap<PublicKey, u32>,
    /// The other replicas, and whether this node is one.
    others: Vec<NodeId>,
    is_replica: bool,
    /// What the disk says of this replica's vote, and when to write it again in any case; `None` before
    /// there is a note.
    noted: Option<(Option<PublicKey>, u64)>,
    /// When the store is to be looked at.
    look_at: u64,
    /// Whether the others are being asked.
    consulting: bool,
}

impl Docket {
    /// One without claims.
    pub(crate) fn new(memory: Memory, others: Vec<NodeId>, now: u64) -> Docket {
        Docket::with(Contest::new(memory, now), None, others)
    }

    /// One of which the disk kept what it told, so many milliseconds ago.
    pub(crate) fn resume(kept: Told, ago_ms: u64, others: Vec<NodeId>, now: u64) -> Docket {
        let noted = (kept.endorsed(), now.saturating_add(NOTE_MS.saturating_sub(ago_ms)));
        Docket::with(Contest::resume(&kept.later(ago_ms), now), Some(noted), others)
    }

    fn with(
        contest: Contest,
        noted: Option<(Option<PublicKey>, u64)>,
        others: Vec<NodeId>,
    ) -> Docket {
        let (seen, writing) = (BTreeMap::new(), BTreeMap::new());
        Docket {
            contest,
            seen,
            writing,
            others,
            is_replica: false,
            noted,
            look_at: 0,
            consulting: false,
        }
    }

    /// The replicas are these, beside this node if it is one.
    pub(crate) fn follow_replicas(&mut self, others: &[NodeId], is_replica: bool) {
        self.is_replica = is_replica;
        if self.others != others {
            self.others = others.to_vec();
            self.contest.replicas_changed();
        }
    }

    /// The other replicas.
    pub(crate) fn others(&self) -> &[NodeId] {
        &self.others
    }

    /// Something else than time may have changed what the store holds.
    pub(crate) fn touch(&mut self) {
        self.look_at = 0;
    }

    /// Nothing is known of what happened in the last while: the machine slept.
    pub(crate) fn doubt(&mut self) {
        self.look_at = 0;
        self.contest.replicas_changed();
    }

    /// Whether the store is to be looked at.
    pub(crate) fn wants_look(&self, now: u64) -> bool {
        self.look_at <= now
    }

    /// What the store holds at the place: claims that are new here count as copies, those that are gone
    /// have lapsed or were withdrawn.
    pub(crate) fn look(&mut self, place: &Place, entries: &[Entry], now: u64) {
        let mut there = BTreeMap::new();
        let mut lapses = LOOK_MS;
        for entry in entries.iter().filter(|entry| entry.is_live()) {
            let Some(signed) = entry.as_signed().filter(|signed| is_claim(signed)) else {
                continue;
            };
            lapses = lapses.min(entry.remaining().as_millis().saturating_add(1));
            there.insert(signed.author(), signed.sequence());
            if self.seen.get(&signed.author()) == Some(&signed.sequence()) {
                continue;
            }
            let read = signed.clone().verify(place).ok().map(|s| Claim::read(&s, place));
            if let Some(Ok(claim)) = read {
                self.contest.copied(signed.author(), &claim.heir_of(), now);
            }
        }
        let writing = &self.writing;
        let held: Vec<PublicKey> = self.seen.keys().copied().collect();
        let is_gone =
            |author: &PublicKey| !there.contains_key(author) && !writing.contains_key(author);
        for author in held.iter().chain(&self.contest.claimants()).filter(|a| is_gone(a)) {
            self.contest.gone(author);
        }
        self.seen = there;
        self.look_at = now.saturating_add(lapses);
    }

    /// A claim that its claimant puts; if it is let in, [`Docket::written`] says what came of it.
    pub(crate) fn admit(&mut self, author: PublicKey, claim: &Claim, now: u64) -> Admission {
        let admission = self.contest.fresh(author, &claim.heir_of(), now);
        if matches!(admission, Admission::Accepted | Admission::Behind(_)) {
            *self.writing.entry(author).or_default() += 1;
        }
        admission
    }

    /// One that was let in is in force now, or could not be written.
    pub(crate) fn written(&mut self, author: &PublicKey, in_force: bool) {
        if !in_force {
            // It may have taken the place of others, which stay.
            self.seen.clear();
        }
        if let Some(count) = self.writing.get_mut(author) {
            *count -= 1;
            if *count == 0 {
                self.writing.remove(author);
            }
        }
        self.look_at = 0;
    }

    /// When there is something to do here.
    pub(crate) fn due(&self, now: u64) -> u64 {
        if self.consulting {
            return self.look_at;
        }
        let note = if self.wants_note(now) { now } else { u64::MAX };
        let ask = self.contest.next_consultation(now).filter(|_| self.is_replica);
        ask.unwrap_or(u64::MAX).min(note).min(self.look_at)
    }

    /// Whether the others are to be asked.
    pub(crate) fn wants_reports(&self, now: u64) -> bool {
        !self.consulting && self.is_replica && self.contest.wants_reports(now)
    }

    /// They are being asked.
    pub(crate) fn asks(&mut self, now: u64) {
        self.consulting = true;
        self.contest.asked(now);
    }

    /// What they answered, if they still are the replicas: one answer for each.
    pub(crate) fn answered(&mut self, asked: &[NodeId], answers: &[Option<Told>], now: u64) {
        self.consulting = false;
        if self.others == asked {
            self.contest.reports(now, answers);
        }
    }

    /// Whether what is on disk is not what this replica would tell.
    pub(crate) fn wants_note(&self, now: u64) -> bool {
        !self.contest.is_empty()
            && self
                .noted
                .is_none_or(|(endorsed, again)| endorsed != self.contest.endorsed() || again <= now)
    }

    /// What to write, and then to say by [`Docket::noted`].
    pub(crate) fn note(&self, now: u64) -> Told {
        self.contest.told(now)
    }

    /// It is on disk.
    pub(crate) fn noted(&mut self, note: &Told, now: u64) {
        self.noted = Some((note.endorsed(), now.saturating_add(NOTE_MS)));
    }

    /// What this replica tells. A vote counts once it is on disk: until then it tells the one before, or
    /// a replica that crashed could vote twice.
    pub(crate) fn told(&self, now: u64) -> Told {
        let on_disk = self.noted.and_then(|(endorsed, _)| endorsed);
        self.contest.told(now).endorsing(self.contest.endorsed().and(on_disk))
    }

    /// How many claims it keeps in mind.
    pub(crate) fn len(&self) -> usize {
        self.seen.len().max(self.contest.len())
    }

    /// Whether nothing of it need be kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.contest.is_empty() && self.seen.is_empty() && self.writing.is_empty()
    }
}

/// Whether something that was signed says of itself that it is a claim.
pub(crate) fn is_claim(signed: &base::Signed) -> bool {
    signed.kind() == Kind::Claim && signed.slot() == Slot::ZERO
}
