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
        let live = entries.iter().filter(|entry| entry.is_live());
        let claims = live.filter_map(|entry| {
            let signed = entry.as_signed().filter(|signed| is_claim(signed))?;
            Some((signed, entry.remaining().as_millis().saturating_add(1)))
        });
        let claims: Vec<_> = claims.collect();
        let there: BTreeMap<PublicKey, Sequence> =
            claims.iter().map(|(signed, _)| (signed.author(), signed.sequence())).collect();
        let gone = self.contest.claimants().into_iter();
        let gone = gone.filter(|a| !there.contains_key(a) && !self.writing.contains_key(a));
        for author in gone.collect::<Vec<_>>() {
            if self.contest.gone(&author) {
                self.seen.clear();
            }
        }
        for (signed, _) in &claims {
            if self.seen.get(&signed.author()) == Some(&signed.sequence()) {
                continue;
            }
            let read = (*signed).clone().verify(place).ok().map(|s| Claim::read(&s, place));
            if let Some(Ok(claim)) = read {
                self.contest.copied(signed.author(), &claim.heir_of(), now);
            }
        }
        let lapses = claims.iter().map(|(_, lapses)| *lapses).min().unwrap_or(LOOK_MS).min(LOOK_MS);
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
    pub(crate) fn written(&mut self, author: &PublicKey) {
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

#[cfg(test)]
mod tests {
    use base::{Lifetime, Name, Signed, SigningKey, Succession, Ttl};

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn alice() -> Name {
        Name::new("alice").unwrap()
    }

    fn place() -> Place {
        alice().key().place()
    }

    fn claim() -> Claim {
        Claim::new(alice(), Sequence::ZERO)
    }

    /// What is on disk of one who claims the name.
    fn on_disk(claim: &Claim, by: u8, sequence: u64) -> Entry {
        Entry::signed(claim.sign(&key(by), Sequence::new(sequence), Ttl::MAX).unwrap())
    }

    /// The only replica of a name, on whose disk these claim it.
    fn docket(entries: &[Entry]) -> Docket {
        let mut docket = Docket::new(Memory::Whole, Vec::new(), 0);
        docket.follow_replicas(&[], true);
        docket.look(&place(), entries, 0);
        docket
    }

    /// It has nobody to ask, and decides.
    fn decides(docket: &mut Docket, now: u64) {
        docket.asks(now);
        docket.answered(&[], &[], now);
    }

    #[test]
    fn a_vote_is_told_once_it_is_on_disk() {
        let mut docket = docket(&[on_disk(&claim(), 1, 1)]);
        assert!(docket.wants_note(0), "there is one of the claims from the first on");
        docket.noted(&docket.note(0), 0);
        assert!(!docket.wants_note(1_000));
        decides(&mut docket, 2_000);
        assert!(docket.wants_note(2_000));
        let note = docket.note(2_000);
        assert_eq!(note.endorsed(), Some(key(1).public()));
        assert_eq!(docket.told(2_000).endorsed(), None);
        docket.noted(&note, 2_000);
        assert_eq!(docket.told(2_000), note);
        assert!(docket.wants_note(2_000 + NOTE_MS), "a note is kept anew now and then");
        let again = Docket::resume(note, 500, Vec::new(), 100);
        assert_eq!(again.told(100).endorsed(), Some(key(1).public()));
        assert_eq!(again.told(100).held()[0].held_ms, 2_500, "the time it was off counts");
    }

    #[test]
    fn what_the_store_does_not_hold_any_more_is_gone_but_for_what_is_being_written() {
        let first = on_disk(&claim(), 1, 1);
        let mut docket = docket(std::slice::from_ref(&first));
        assert_eq!(docket.admit(key(2).public(), &claim(), 10), Admission::Accepted);
        docket.look(&place(), std::slice::from_ref(&first), 20);
        assert_eq!(docket.told(20).held().len(), 2, "the second is on its way to the disk");
        docket.written(&key(2).public());
        assert!(docket.wants_look(20));
        docket.look(&place(), &[on_disk(&claim(), 2, 1)], 30);
        let held: Vec<_> = docket.told(30).held().iter().map(|held| held.author).collect();
        assert_eq!(held, [key(2).public()], "the first has lapsed");
        let withdrawn = Claim::withdraw(&alice(), &key(2), Sequence::new(2));
        docket.look(&place(), &[Entry::signed(withdrawn)], 40);
        assert!(docket.is_empty());
    }

    #[test]
    fn it_looks_again_when_the_next_claim_lapses() {
        let signed = |entry: &Entry| base::State::Signed(entry.as_signed().unwrap().clone());
        let whole = on_disk(&claim(), 1, 1);
        let left = Lifetime::from_millis(400);
        let short = Entry::from_parts(whole.id(), whole.version(), signed(&whole), left);
        let docket = docket(&[short]);
        assert!(!docket.wants_look(400) && docket.wants_look(401));
    }

    #[test]
    fn an_heir_whose_claim_could_not_be_written_leaves_the_name_where_it_was() {
        let first = on_disk(&claim(), 1, 1);
        let mut docket = docket(std::slice::from_ref(&first));
        decides(&mut docket, 2_000);
        let word = Succession::sign(&key(1), &alice(), &key(2).public());
        let heir = Claim { successions: vec![word], ..claim() };
        assert_eq!(docket.admit(key(2).public(), &heir, 3_000), Admission::Accepted);
        docket.written(&key(2).public());
        docket.look(&place(), std::slice::from_ref(&first), 3_000);
        let held: Vec<_> = docket.told(3_000).held().iter().map(|held| held.author).collect();
        assert_eq!(held, [key(1).public()]);
    }

    #[test]
    fn what_says_that_it_is_a_claim_and_is_none_counts_for_nothing() {
        let body = |body: &[u8]| {
            let (slot, ttl) = (Slot::ZERO, Ttl::MAX);
            let signed =
                Signed::sign(&key(1), &place(), slot, Kind::Claim, Sequence::ZERO, ttl, body);
            Entry::signed(signed.unwrap())
        };
        let docket = docket(&[body(b"\xff"), body(b"")]);
        assert!(docket.told(0).held().is_empty());
    }

    #[test]
    fn only_a_replica_asks_and_asks_again_when_the_others_change() {
        let mut docket = docket(&[on_disk(&claim(), 1, 1)]);
        let others = [NodeId::of(&key(8).public()).unwrap(), NodeId::of(&key(9).public()).unwrap()];
        docket.follow_replicas(&others, false);
        assert!(!docket.wants_reports(0));
        docket.follow_replicas(&others, true);
        assert!(docket.wants_reports(0));
        docket.asks(0);
        assert!(!docket.wants_reports(5_000), "one question at a time");
        docket.follow_replicas(&others[..1], true);
        docket.answered(&others, &[None, None], 5_000);
        assert!(docket.wants_reports(5_000), "those asked are not the replicas any more");
    }
}
