//! In which order claims of one name stand, and what that means to a reader.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Told;
use crate::PublicKey;
use crate::limits::REPLICAS;

/// Claims held for as long as one another but for this count as made at once, in milliseconds: what
/// the way of a put, with its repetitions, may make of difference.
pub(super) const AT_ONCE_MS: u64 = 5_000;

/// Who has a name, as far as a reader can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Enough replicas endorse this claimant.
    Confirmed(PublicKey),
    /// Not enough replicas agree, or can be asked; this one leads.
    Unconfirmed(PublicKey),
    /// Nobody claims it.
    Nobody,
}

/// How many of so many replicas have to endorse a claim: two of three, all where there are fewer.
pub(super) const fn needed(replicas: usize) -> usize {
    if replicas < REPLICAS { replicas } else { replicas / 2 + 1 }
}

/// The claimants, the first one first: of those held within five seconds of the longest, the one whose
/// key has the lowest BLAKE3; and so on with the rest. How long a claim is held is the median of what
/// the replicas tell, of two the smaller; one that does not name it tells zero.
pub fn order(reports: &[&Told]) -> Vec<PublicKey> {
    sorted(medians(reports), AT_ONCE_MS)
}

/// The first in that order of some claimants only, where as much as `at_once_ms` counts as at once.
pub(super) fn first_of(
    reports: &[&Told],
    among: &BTreeSet<PublicKey>,
    at_once_ms: u64,
) -> Option<PublicKey> {
    let mut claims = medians(reports);
    claims.retain(|(author, _)| among.contains(author));
    sorted(claims, at_once_ms).first().copied()
}

/// What a reader concludes from the reports of `replicas` replicas, of which some may be silent. Nothing
/// counts that a replica says before it has consulted the others.
pub fn standing(reports: &[&Told], replicas: usize) -> Standing {
    let settled = || reports.iter().filter(|told| told.settled).filter_map(|told| told.endorsed);
    let endorsers = |claimant| settled().filter(|endorsed| *endorsed == claimant).count();
    let confirmed = settled().find(|claimant| endorsers(*claimant) >= needed(replicas).max(1));
    match confirmed {
        Some(claimant) => Standing::Confirmed(claimant),
        None => leader(reports).map_or(Standing::Nobody, Standing::Unconfirmed),
    }
}

/// Who leads while nobody is confirmed: whoever most replicas endorse, then the order.
fn leader(reports: &[&Told]) -> Option<PublicKey> {
    let endorsers = |claimant: &PublicKey| {
        reports.iter().filter(|told| told.endorsed.as_ref() == Some(claimant)).count()
    };
    let order = order(reports);
    let most = order.iter().map(endorsers).max()?;
    order.into_iter().find(|claimant| endorsers(claimant) == most)
}

/// How long each claim has been held, by the median of the replicas.
fn medians(reports: &[&Told]) -> Vec<(PublicKey, u64)> {
    let mut ages: BTreeMap<PublicKey, Vec<u64>> = BTreeMap::new();
    for held in reports.iter().flat_map(|told| &told.held) {
        ages.entry(held.author).or_default().push(held.held_ms);
    }
    let median = |mut told: Vec<u64>| {
        told.resize(told.len().max(reports.len()), 0);
        told.sort_unstable();
        told[(told.len() - 1) / 2]
    };
    ages.into_iter().map(|(author, told)| (author, median(told))).collect()
}

/// Sorts claims by how long they are held, and those within `at_once_ms` of the longest by their hash.
pub(super) fn sorted(mut claims: Vec<(PublicKey, u64)>, at_once_ms: u64) -> Vec<PublicKey> {
    let hash = |author: &PublicKey| *blake3::hash(author.as_bytes()).as_bytes();
    claims.sort_by_key(|(author, held)| (std::cmp::Reverse(*held), *author));
    let mut order = Vec::with_capacity(claims.len());
    let mut taken = BTreeSet::new();
    let mut candidates = BTreeSet::new();
    let (mut longest, mut next) = (0, 0);
    while order.len() < claims.len() {
        while taken.contains(&claims[longest].0) {
            longest += 1;
        }
        let least = claims[longest].1.saturating_sub(at_once_ms);
        while next < claims.len() && claims[next].1 >= least {
            candidates.insert((hash(&claims[next].0), claims[next].0));
            next += 1;
        }
        if let Some((_, first)) = candidates.pop_first() {
            taken.insert(first);
            order.push(first);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::claim::Held;

    fn key(seed: u8) -> PublicKey {
        PublicKey::from_bytes([seed; 32])
    }

    fn told(held: &[(u8, u64)], endorsed: Option<u8>) -> Told {
        let held =
            held.iter().map(|(author, held_ms)| Held { author: key(*author), held_ms: *held_ms });
        Told { held: held.collect(), endorsed: endorsed.map(key), settled: true }
    }

    /// Two keys, the one with the lower hash first.
    fn two() -> (u8, u8) {
        let hash = |seed| *blake3::hash(key(seed).as_bytes()).as_bytes();
        if hash(1) < hash(2) { (1, 2) } else { (2, 1) }
    }

    #[test]
    fn who_holds_a_name_longer_is_first_and_within_five_seconds_the_lower_hash() {
        let (low, high) = two();
        let first =
            |low_held, high_held| order(&[&told(&[(low, low_held), (high, high_held)], None)])[0];
        assert_eq!(first(10_000, 15_000), key(low));
        assert_eq!(first(10_000, 15_001), key(high));
        assert_eq!(first(15_001, 10_000), key(low));
    }

    #[test]
    fn one_replica_of_three_cannot_make_a_claim_old() {
        let (low, high) = two();
        let honest = told(&[(low, 60_000)], None);
        let lying = told(&[(high, u64::MAX)], Some(high));
        assert_eq!(order(&[&honest, &lying, &honest]), [key(low), key(high)]);
        assert_eq!(order(&[&lying, &honest]).len(), 2);
    }

    #[test]
    fn a_claim_is_confirmed_by_two_of_three_and_by_all_of_fewer() {
        let (x, y) = (told(&[(1, 9)], Some(1)), told(&[(2, 9)], Some(2)));
        let none = told(&[], None);
        assert_eq!(standing(&[&x, &x, &y], 3), Standing::Confirmed(key(1)));
        assert_eq!(standing(&[&x, &x], 3), Standing::Confirmed(key(1)));
        assert!(matches!(standing(&[&x, &y], 3), Standing::Unconfirmed(_)));
        assert_eq!(standing(&[&x], 3), Standing::Unconfirmed(key(1)));
        assert_eq!(standing(&[&x, &none], 2), Standing::Unconfirmed(key(1)));
        assert_eq!(standing(&[&x], 1), Standing::Confirmed(key(1)));
        assert_eq!(standing(&[&none, &none], 3), Standing::Nobody);
        assert_eq!(standing(&[], 0), Standing::Nobody);
        let unsettled = Told { settled: false, ..x.clone() };
        assert_eq!(standing(&[&unsettled, &x], 3), Standing::Unconfirmed(key(1)));
    }

    proptest! {
        #[test]
        fn the_order_is_total_and_the_same_in_whatever_order_reports_come(
            one in prop::collection::btree_map(0..9u8, 0..20_000u64, 0..9),
            two in prop::collection::btree_map(0..9u8, 0..20_000u64, 0..9),
            three in prop::collection::btree_map(0..9u8, 0..20_000u64, 0..9),
        ) {
            let [one, two, three] = [one, two, three]
                .map(|held| told(&held.into_iter().collect::<Vec<_>>(), None));
            let all = order(&[&one, &two, &three]);
            prop_assert_eq!(&all, &order(&[&three, &one, &two]));
            let named: BTreeSet<_> =
                [&one, &two, &three].iter().flat_map(|t| &t.held).map(|h| h.author).collect();
            prop_assert_eq!(all.iter().copied().collect::<BTreeSet<_>>(), named);
            prop_assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len());
        }
    }
}
