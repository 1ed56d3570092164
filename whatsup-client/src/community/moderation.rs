//! [`Moderation`]: what founder and moderators decided about members and things, each decision signed, with
//! its reason, for all to see.
//!
//! About one subject several may decide, on two sides of a split too, and all readers have to take the same
//! for the last word. Clocks do not say which that is: each decision has a *turn*, one more than the highest
//! its author saw about that subject. The highest turn counts; of one turn, the strictest.

use std::collections::BTreeMap;

use base::{PublicKey, Slot};
use bytes::Bytes;
use prost::Message;

use super::charter::Charter;
use crate::keys::{self, ThingId};
use crate::record::Record;
use crate::stamp::Stamp;
use crate::text::{self, TextError};

/// Longest reason, in bytes.
const REASON_MAX: usize = 300;

/// Whom or what a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A person.
    Member(PublicKey),
    /// News, an event, a poll, a comment.
    Thing(ThingId),
}

/// What was decided. Of two in one turn the greater counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Verdict {
    /// Nothing any more: an earlier decision is undone.
    Undone = 0,
    /// Who joined is an approved member.
    Approved = 1,
    /// Somebody is no member, whatever she says; a thing is hidden.
    Removed = 2,
}

/// A decision: the body of an element of the list `moderation`, in the slot of its subject.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Act {
    /// A person's public key; or nothing.
    #[prost(bytes = "bytes", tag = "1")]
    pub member: Bytes,
    /// A thing's id; or nothing.
    #[prost(bytes = "bytes", tag = "2")]
    pub thing: Bytes,
    /// What was decided.
    #[prost(enumeration = "Verdict", tag = "3")]
    pub verdict: i32,
    /// Why, for all to read; at most 300 bytes.
    #[prost(string, tag = "4")]
    pub reason: String,
    /// One more than the highest about the subject that its author saw.
    #[prost(uint32, tag = "5")]
    pub turn: u32,
    /// When, to be shown.
    #[prost(uint64, tag = "6")]
    pub stamp: u64,
    /// The name of the person it is about, for lists.
    #[prost(string, tag = "7")]
    pub name: String,
}

/// A decision that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whom or what it is about.
    pub subject: Subject,
    /// What was decided.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// By whom: the founder or a moderator.
    pub by: PublicKey,
    /// The name of the person it is about, as who decided knew it.
    pub name: String,
    /// When.
    pub stamp: Stamp,
    turn: u32,
}

/// All decisions of a community that count: one about each subject.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moderation(BTreeMap<Subject, Decision>);

impl Subject {
    /// The slot in which everybody who moderates says something about it.
    pub fn slot(&self) -> Slot {
        match self {
            Subject::Member(key) => keys::slot_about("member", &[key.as_bytes()]),
            Subject::Thing(id) => keys::slot_about("thing", &[id.as_bytes()]),
        }
    }
}

impl Act {
    /// A decision, to be signed.
    ///
    /// # Errors
    /// [`TextError`] says what is wrong with the reason.
    pub fn new(
        subject: Subject,
        verdict: Verdict,
        reason: &str,
        name: &str,
        turn: u32,
        stamp: Stamp,
    ) -> Result<Act, TextError> {
        let reason = match reason.trim() {
            "" => String::new(),
            reason => text::line(reason, "reason", REASON_MAX)?,
        };
        let (member, thing) = match subject {
            Subject::Member(key) => (Bytes::copy_from_slice(key.as_bytes()), Bytes::new()),
            Subject::Thing(id) => (Bytes::new(), Bytes::copy_from_slice(id.as_bytes())),
        };
        let (verdict, stamp) = (verdict.into(), stamp.millis());
        Ok(Act { member, thing, verdict, reason, turn, stamp, name: name.to_owned() })
    }

    fn subject(&self) -> Option<Subject> {
        match (&self.member[..], &self.thing[..]) {
            (key, []) => Some(Subject::Member(PublicKey::from_bytes(key.try_into().ok()?))),
            ([], id) => Some(Subject::Thing(ThingId::from_bytes(id.try_into().ok()?))),
            _ => None,
        }
    }
}

impl Moderation {
    /// What counts of all that was said in the list, in any order: what the founder and the present
    /// moderators decided about others than themselves.
    pub fn of<'a>(
        charter: &Charter,
        acts: impl IntoIterator<Item = &'a Record<Act>>,
    ) -> Moderation {
        let mut last = BTreeMap::new();
        for record in acts {
            let Some(decision) = decision(charter, record) else { continue };
            let rank =
                (decision.turn, decision.verdict, record.author, record.sequence, record.hash);
            match last.get(&decision.subject) {
                Some((other, _)) if *other >= rank => {}
                _ => {
                    last.insert(decision.subject, (rank, decision));
                }
            }
        }
        Moderation(last.into_iter().map(|(subject, (_, decision))| (subject, decision)).collect())
    }

    /// What was decided about it, unless that was undone.
    pub fn about(&self, subject: &Subject) -> Option<&Decision> {
        self.0.get(subject).filter(|decision| decision.verdict != Verdict::Undone)
    }

    /// Who hid a thing, and why; nothing if it is to be seen.
    pub fn hides(&self, thing: &ThingId) -> Option<&Decision> {
        self.about(&Subject::Thing(*thing))
    }

    /// The turn of the next decision about it.
    pub fn next_turn(&self, subject: &Subject) -> u32 {
        self.0.get(subject).map_or(1, |decision| decision.turn.saturating_add(1))
    }

    /// All of it, undone ones too.
    pub fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.0.values()
    }
}

fn decision(charter: &Charter, record: &Record<Act>) -> Option<Decision> {
    let (act, by) = (&record.body, record.author);
    let subject = act.subject()?;
    let verdict = Verdict::try_from(act.verdict).ok()?;
    let stands = match &subject {
        Subject::Member(key) => !charter.moderates(key),
        Subject::Thing(_) => verdict != Verdict::Approved,
    };
    if !stands || !charter.moderates(&by) || record.slot != subject.slot() {
        return None;
    }
    let (reason, stamp) = (act.reason.clone(), Stamp::from_millis(act.stamp));
    Some(Decision { subject, verdict, reason, by, name: act.name.clone(), stamp, turn: act.turn })
}

#[cfg(test)]
pub(super) mod tests {
    use base::Sequence;
    use proptest::prelude::*;

    use super::*;
    use crate::community::charter::tests::{charter, key};

    /// What somebody decided.
    pub(crate) fn act(by: u8, subject: Subject, verdict: Verdict, turn: u32) -> Record<Act> {
        let body = Act::new(subject, verdict, "because", "", turn, Stamp::default()).unwrap();
        let hash = *blake3::hash(&body.encode_to_vec()).as_bytes();
        let (author, slot, sequence) = (key(by).public(), subject.slot(), Sequence::new(1));
        Record { author, slot, sequence, body, hash }
    }

    fn member(seed: u8) -> Subject {
        Subject::Member(key(seed).public())
    }

    fn verdict(acts: &[Record<Act>], subject: Subject) -> Option<Verdict> {
        Moderation::of(&charter(false), acts).about(&subject).map(|decision| decision.verdict)
    }

    #[test]
    fn only_those_who_moderate_decide_and_not_about_each_other() {
        let (five, thing) = (member(5), Subject::Thing(ThingId::from_bytes([3; 16])));
        let removed = Verdict::Removed;
        assert_eq!(verdict(&[act(1, five, removed, 1)], five), Some(removed));
        assert_eq!(verdict(&[act(2, thing, removed, 1)], thing), Some(removed));
        assert_eq!(verdict(&[act(3, five, removed, 1)], five), None);
        assert_eq!(verdict(&[act(2, member(1), removed, 1)], member(1)), None);
        assert_eq!(verdict(&[act(1, member(2), removed, 1)], member(2)), None);
        assert_eq!(verdict(&[act(1, thing, Verdict::Approved, 1)], thing), None);
        let mut elsewhere = act(1, five, removed, 1);
        elsewhere.slot = Slot::ZERO;
        assert_eq!(verdict(&[elsewhere], five), None);
    }

    #[test]
    fn the_last_turn_counts_and_of_one_turn_the_strictest() {
        let five = member(5);
        let all = [
            act(1, five, Verdict::Removed, 1),
            act(2, five, Verdict::Undone, 2),
            act(1, five, Verdict::Approved, 3),
        ];
        assert_eq!(verdict(&all[..2], five), None);
        assert_eq!(verdict(&all, five), Some(Verdict::Approved));
        let apart = [act(1, five, Verdict::Approved, 3), act(2, five, Verdict::Removed, 3)];
        assert_eq!(verdict(&apart, five), Some(Verdict::Removed));
        let next = Moderation::of(&charter(false), &all).next_turn(&five);
        assert_eq!((next, Moderation::default().next_turn(&five)), (4, 1));
        assert_eq!(
            verdict(&[act(1, five, Verdict::Removed, u32::MAX)], five),
            Some(Verdict::Removed)
        );
    }

    proptest! {
        #[test]
        fn any_order_gives_one_moderation(
            acts in prop::collection::vec((1..4_u8, 4..6_u8, 0..3_i32, 0..4_u32), 0..12),
            swaps in prop::collection::vec((0..12_usize, 0..12_usize), 0..12),
        ) {
            let act = |(by, whom, verdict, turn): (u8, u8, i32, u32)| {
                act(by, member(whom), Verdict::try_from(verdict).unwrap(), turn)
            };
            let mut acts: Vec<_> = acts.into_iter().map(act).collect();
            let once = Moderation::of(&charter(false), &acts);
            let len = acts.len();
            for (one, two) in swaps.into_iter().filter(|_| len > 0) {
                acts.swap(one % len, two % len);
            }
            prop_assert_eq!(Moderation::of(&charter(false), &acts), once);
        }
    }
}
