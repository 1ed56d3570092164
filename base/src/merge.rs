//! How two copies of one entry become one, the same at every replica in whatever order they meet.
//!
//! The higher version wins; at equal version a removal wins over a value; of two removals, the one
//! whose secret sorts higher (they can only differ if somebody found two secrets of one SHA-1); of two
//! an author signed with one sequence, the one with the higher hash. Of copies that are equal so far, the smaller remaining life is kept: lives are only ever measured
//! too long, by the time a message was under way.

use std::cmp::Ordering;

use crate::{Entry, Lifetime, State, Version};

/// What a replica has to do with a copy that reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The copy wins: keep it instead of what is held.
    Take,
    /// They are the same but for the copy's shorter life: keep that.
    Shorten(Lifetime),
    /// What is held is the same, and lives no longer.
    Same,
    /// What is held wins; a copy has to have a higher version than this to win.
    Stale(Version),
}

impl Entry {
    /// Compares a copy that arrives (`self`) with the copy that is held.
    ///
    /// Both must have the same [`Entry::id`]; whoever looks up the held copy does so by id.
    pub fn against(&self, held: &Entry) -> Verdict {
        debug_assert_eq!(self.id, held.id, "only copies of one entry merge");
        match self.outranks(held) {
            Ordering::Greater => Verdict::Take,
            Ordering::Less => Verdict::Stale(held.version),
            Ordering::Equal if self.remaining < held.remaining => Verdict::Shorten(self.remaining),
            Ordering::Equal => Verdict::Same,
        }
    }

    /// The one entry two replicas agree on after they have exchanged their copies.
    #[must_use]
    pub fn merge(self, other: Entry) -> Entry {
        match self.against(&other) {
            Verdict::Take | Verdict::Shorten(_) => self,
            Verdict::Same | Verdict::Stale(_) => other,
        }
    }

    /// What decides between two copies of one entry, their remaining lives aside: the higher wins.
    /// What is signed stands above what is not, although no two such copies have one id.
    fn outranks(&self, other: &Entry) -> Ordering {
        let first = |entry: &Entry| (entry.version, !entry.is_live(), entry.as_signed().is_some());
        first(self).cmp(&first(other)).then_with(|| match (&self.state, &other.state) {
            (State::Removed(one), State::Removed(two)) => one.cmp(two),
            (State::Signed(one), State::Signed(two)) => one.settle(two),
            _ => Ordering::Equal,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        EntryId, Key, Kind, Secret, SecretTag, Sequence, Signed, SigningKey, Slot, Ttl, Value,
    };

    /// Copies of one entry, as any replica could hold them: few versions and lives, so that ties
    /// are common.
    fn copy() -> impl Strategy<Value = Entry> {
        (0..4u64, any::<bool>(), 0..4u64).prop_map(|(version, removed, life)| {
            let value = Value::new("v").unwrap();
            let secret = Secret::new("s").unwrap();
            let id = EntryId::of(&value, secret.tag());
            let state = if removed { State::Removed(Some(secret)) } else { State::Live(value) };
            Entry::from_parts(id, Version::new(version), state, Lifetime::from_millis(life))
        })
    }

    fn signed(sequence: u64, body: Option<&[u8]>) -> Signed {
        let (key, place) = (SigningKey::from_bytes(&[1; 32]), Key::new("k").unwrap().place());
        let (slot, kind, sequence) = (Slot::ZERO, Kind::Plain, Sequence::new(sequence));
        match body {
            Some(body) => Signed::sign(&key, &place, slot, kind, sequence, Ttl::MAX, body).unwrap(),
            None => Signed::removal(&key, &place, slot, kind, sequence),
        }
    }

    /// Copies of all three states, as if they could have one id: some by an author who signs two
    /// bodies with one sequence.
    fn mixed() -> impl Strategy<Value = Entry> {
        let made: Vec<Signed> = (0..3)
            .flat_map(|sequence| {
                [None, Some(&b"a"[..]), Some(b"b")].map(|body| signed(sequence, body))
            })
            .collect();
        let id = made[0].id();
        let of_author = (prop::sample::select(made), 0..4u64).prop_map(move |(signed, life)| {
            let version = signed.version();
            let life = Lifetime::from_millis(life);
            Entry::from_parts(id, version, State::Signed(signed), life)
        });
        prop_oneof![of_author, copy().prop_map(move |plain| Entry { id, ..plain })]
    }

    proptest! {
        #[test]
        fn merging_is_commutative(a in mixed(), b in mixed()) {
            prop_assert_eq!(a.clone().merge(b.clone()), b.merge(a));
        }

        #[test]
        fn merging_is_associative(a in mixed(), b in mixed(), c in mixed()) {
            let left = a.clone().merge(b.clone()).merge(c.clone());
            prop_assert_eq!(left, a.merge(b.merge(c)));
        }

        #[test]
        fn merging_is_idempotent(a in mixed(), b in mixed()) {
            prop_assert_eq!(a.clone().merge(a.clone()), a.clone());
            let merged = a.clone().merge(b);
            prop_assert_eq!(merged.clone().merge(a), merged);
        }

        #[test]
        fn removal_wins_a_version_tie(put in copy(), removal_life in 0..4u64) {
            let removal = Entry {
                state: State::Removed(Some(Secret::new("s").unwrap())),
                remaining: Lifetime::from_millis(removal_life),
                ..put.clone()
            };
            prop_assert!(put.clone().merge(removal.clone()).value().is_none());
            prop_assert!(removal.merge(put).value().is_none());
        }

        #[test]
        fn an_entry_never_outlives_its_ttl_by_merging(a in mixed(), others in prop::collection::vec(mixed(), 0..6)) {
            // Whatever is merged in, the result lives no longer than some copy of the version
            // that won says, and no longer than the shortest of those.
            let all: Vec<Entry> = std::iter::once(a.clone()).chain(others.clone()).collect();
            let merged = others.into_iter().fold(a, Entry::merge);
            let shortest = all.iter().filter(|e| e.outranks(&merged).is_eq()).map(|e| e.remaining).min();
            prop_assert_eq!(Some(merged.remaining), shortest);
        }

        #[test]
        fn a_put_after_a_removal_works(held in copy()) {
            let value = Value::new("v").unwrap();
            let tag = Secret::new("s").unwrap().tag();
            let put = Entry::live(value, tag, held.version.next(), Lifetime::from_millis(9));
            prop_assert_eq!(put.clone().merge(held), put);
        }

        #[test]
        fn the_verdict_says_what_the_merge_does(held in mixed(), arriving in mixed()) {
            let merged = arriving.clone().merge(held.clone());
            match arriving.against(&held) {
                Verdict::Take => prop_assert_eq!(merged, arriving),
                Verdict::Shorten(life) => {
                    prop_assert_eq!(merged.remaining, life);
                    prop_assert_eq!(merged.version, held.version);
                }
                Verdict::Same => prop_assert_eq!(merged, held),
                Verdict::Stale(version) => {
                    prop_assert_eq!(version, held.version);
                    prop_assert_eq!(merged, held);
                }
            }
        }
    }

    #[test]
    fn of_what_an_author_signed_the_highest_sequence_stands_and_at_a_tie_the_removal() {
        let entry = |sequence, body| Entry::signed(signed(sequence, body));
        let (old, new) = (entry(1, Some(b"z")), entry(2, Some(b"a")));
        assert_eq!(new.against(&old), Verdict::Take);
        assert_eq!(old.against(&new), Verdict::Stale(Version::new(2)));
        assert_eq!(entry(2, None).against(&new), Verdict::Take);
        assert_eq!(entry(1, None).against(&new), Verdict::Stale(Version::new(2)));
        assert_eq!(entry(3, Some(b"b")).against(&entry(2, None)), Verdict::Take);
        let far = entry(u64::MAX, Some(b"far"));
        assert_eq!(far.against(&new), Verdict::Take, "a sequence may jump");
    }

    #[test]
    fn copies_with_no_secret_merge_too() {
        let value = Value::new("v").unwrap();
        let life = Lifetime::from_millis(9);
        let put = Entry::live(value, SecretTag::NONE, Version::new(1), life);
        let removal = Entry::removal(put.id, None, Version::new(1)).unwrap();
        assert_eq!(put.clone().merge(removal.clone()), removal);
    }
}
