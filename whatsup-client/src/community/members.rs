//! [`Members`]: who belongs to a community.

use std::collections::BTreeMap;

use base::{PublicKey, Slot};
use prost::Message;

use super::charter::Charter;
use super::moderation::{Moderation, Subject, Verdict};
use crate::record::Record;
use crate::stamp::Stamp;

/// That somebody joins: the body of an element of the list `members`, in slot zero. Who takes it back leaves.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Join {
    /// The name of who joins.
    #[prost(string, tag = "1")]
    pub name: String,
    /// When, to be shown.
    #[prost(uint64, tag = "2")]
    pub stamp: u64,
}

/// How somebody stands to a community.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Made it.
    Founder,
    /// Was appointed by the founder.
    Moderator,
    /// Joined, and was approved.
    Approved,
    /// Joined where joining is open.
    Joined,
    /// Joined, and waits for approval: no member yet.
    Waiting,
    /// Was removed: no member.
    Removed,
}

/// Somebody who has to do with a community.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name she goes by, as she says.
    pub name: String,
    /// How she stands to it.
    pub standing: Standing,
    /// When she joined; zero of the founder and moderators, and of who was removed and left.
    pub since: Stamp,
}

/// Who belongs to a community, and who would like to or was removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members(BTreeMap<PublicKey, Member>);

impl Members {
    /// The members, by all that was said, in any order.
    pub fn of<'a>(
        charter: &Charter,
        joins: impl IntoIterator<Item = &'a Record<Join>>,
        moderation: &Moderation,
    ) -> Members {
        let mut newest: BTreeMap<PublicKey, &Record<Join>> = BTreeMap::new();
        for join in joins.into_iter().filter(|join| join.slot == Slot::ZERO) {
            let before = newest.get(&join.author);
            if before.is_none_or(|old| (old.sequence, old.hash) < (join.sequence, join.hash)) {
                newest.insert(join.author, join);
            }
        }
        let mut members: BTreeMap<PublicKey, Member> = BTreeMap::new();
        for decision in moderation.decisions() {
            if let (Subject::Member(key), Verdict::Removed) = (decision.subject, decision.verdict) {
                let (name, standing) = (decision.name.clone(), Standing::Removed);
                members.insert(key, Member { name, standing, since: Stamp::default() });
            }
        }
        for (key, join) in newest {
            let decided = moderation.about(&Subject::Member(key)).map(|decision| decision.verdict);
            let standing = match decided {
                Some(Verdict::Removed) => Standing::Removed,
                Some(Verdict::Approved) => Standing::Approved,
                _ if charter.by_approval => Standing::Waiting,
                _ => Standing::Joined,
            };
            let since = Stamp::from_millis(join.body.stamp);
            members.insert(key, Member { name: join.body.name.clone(), standing, since });
        }
        let since = Stamp::default();
        for (key, name) in &charter.moderators {
            let standing = Standing::Moderator;
            members.insert(*key, Member { name: name.clone(), standing, since });
        }
        let (name, standing) = (charter.founder_name.clone(), Standing::Founder);
        members.insert(charter.founder, Member { name, standing, since });
        Members(members)
    }

    /// How somebody stands to it; nothing of who never joined.
    pub fn standing(&self, who: &PublicKey) -> Option<Standing> {
        self.0.get(who).map(|member| member.standing)
    }

    /// Whether somebody is a member.
    pub fn has(&self, who: &PublicKey) -> bool {
        self.standing(who).is_some_and(Standing::is_member)
    }

    /// Whether somebody is a member whom the founder or a moderator approved, or one of these.
    pub fn has_approved(&self, who: &PublicKey) -> bool {
        self.standing(who).is_some_and(|standing| standing <= Standing::Approved)
    }

    /// The name a member goes by.
    pub fn name(&self, who: &PublicKey) -> Option<&str> {
        self.0.get(who).map(|member| &*member.name)
    }

    /// All of them, by key: also who waits or was removed.
    pub fn iter(&self) -> impl Iterator<Item = (&PublicKey, &Member)> {
        self.0.iter()
    }

    /// How many members there are.
    pub fn count(&self) -> usize {
        self.0.values().filter(|member| member.standing.is_member()).count()
    }
}

impl Standing {
    /// Whether it is that of a member.
    pub fn is_member(self) -> bool {
        self <= Standing::Joined
    }

    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Standing::Founder => "founder",
            Standing::Moderator => "moderator",
            Standing::Approved => "approved",
            Standing::Joined => "member",
            Standing::Waiting => "waiting",
            Standing::Removed => "removed",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use base::Sequence;
    use proptest::prelude::*;

    use super::*;
    use crate::community::charter::tests::{charter, key};
    use crate::community::moderation::tests::act;

    /// That somebody joined.
    pub(crate) fn join(seed: u8) -> Record<Join> {
        let body = Join { name: format!("person {seed}"), stamp: u64::from(seed) };
        let hash = *blake3::hash(&body.encode_to_vec()).as_bytes();
        let author = key(seed).public();
        Record { author, slot: Slot::ZERO, sequence: Sequence::new(1), body, hash }
    }

    fn standings(by_approval: bool, acts: &[(u8, u8, Verdict, u32)]) -> Vec<(u8, Standing)> {
        let charter = charter(by_approval);
        let decide = |(by, whom, verdict, turn): &(u8, u8, Verdict, u32)| {
            act(*by, Subject::Member(key(*whom).public()), *verdict, *turn)
        };
        let acts: Vec<_> = acts.iter().map(decide).collect();
        let moderation = Moderation::of(&charter, &acts);
        let members = Members::of(&charter, &[join(3), join(4), join(2)], &moderation);
        let standing = |seed| Some((seed, members.standing(&key(seed).public())?));
        (1..7).filter_map(standing).collect()
    }

    #[test]
    fn who_joins_is_a_member_or_waits_and_founder_and_moderators_are_by_their_office() {
        use Standing::{Approved, Founder, Joined, Moderator, Removed, Waiting};
        assert_eq!(standings(false, &[]), [(1, Founder), (2, Moderator), (3, Joined), (4, Joined)]);
        let approved = [(2, 3, Verdict::Approved, 1)];
        let expected = [(1, Founder), (2, Moderator), (3, Approved), (4, Waiting)];
        assert_eq!(standings(true, &approved), expected);
        let removed = [(1, 3, Verdict::Removed, 1), (1, 5, Verdict::Removed, 1)];
        let expected = [(1, Founder), (2, Moderator), (3, Removed), (4, Joined), (5, Removed)];
        assert_eq!(standings(false, &removed), expected);
        // An approval of who never joined, or has left, makes no member.
        assert_eq!(standings(true, &[(1, 6, Verdict::Approved, 1)]).len(), 4);
    }

    #[test]
    fn members_are_those_who_may_speak_and_approved_ones_those_somebody_vouches_for() {
        let charter = charter(false);
        let approved = act(1, Subject::Member(key(4).public()), Verdict::Approved, 1);
        let moderation = Moderation::of(&charter, &[approved]);
        let members = Members::of(&charter, &[join(3), join(4)], &moderation);
        let has = |seed| members.has(&key(seed).public());
        let approved = |seed| members.has_approved(&key(seed).public());
        assert_eq!([1, 2, 3, 4, 5].map(has), [true, true, true, true, false]);
        assert_eq!([1, 2, 3, 4, 5].map(approved), [true, true, false, true, false]);
        assert_eq!(members.count(), 4);
    }

    proptest! {
        /// Two halves of an overlay that meet hold the union of what was said: it does not matter what of it
        /// came from which side, or twice.
        #[test]
        fn halves_that_meet_have_the_same_members_as_if_they_had_never_parted(
            said in prop::collection::vec((3..8_u8, 1..3_u64, 0..3_u8), 0..16),
            decided in prop::collection::vec((1..4_u8, 3..8_u8, 0..3_i32, 0..4_u32, 0..3_u8), 0..10),
            by_approval in any::<bool>(),
        ) {
            let charter = charter(by_approval);
            let joins = |side: u8| {
                let on = said.iter().filter(move |(.., at)| side == 2 || *at == 2 || *at == side);
                on.map(|(seed, sequence, _)| {
                    Record { sequence: Sequence::new(*sequence), ..join(*seed) }
                }).collect::<Vec<_>>()
            };
            let acts = |side: u8| {
                let on = decided.iter().filter(move |(.., at)| side == 2 || *at == 2 || *at == side);
                on.map(|(by, whom, verdict, turn, _)| {
                    let verdict = Verdict::try_from(*verdict).unwrap();
                    act(*by, Subject::Member(key(*whom).public()), verdict, *turn)
                }).collect::<Vec<_>>()
            };
            let never_parted =
                Members::of(&charter, &joins(2), &Moderation::of(&charter, &acts(2)));
            for (first, second) in [(0, 1), (1, 0)] {
                let joins = [joins(first), joins(second)].concat();
                let acts = [acts(first), acts(second)].concat();
                let met = Members::of(&charter, &joins, &Moderation::of(&charter, &acts));
                prop_assert_eq!(&met, &never_parted);
            }
        }
    }
}
