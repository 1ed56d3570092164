//! What a replica answers, when it asks, and when it changes its mind.

use super::*;

fn key(seed: u8) -> PublicKey {
    PublicKey::from_bytes([seed; 32])
}

fn told(held: &[(u8, u64)], endorsed: Option<u8>) -> Option<Told> {
    let held =
        held.iter().map(|(author, held_ms)| Held { author: key(*author), held_ms: *held_ms });
    Some(Told { held: held.collect(), endorsed: endorsed.map(key), settled: true })
}

/// One that endorses claimant 1, alone in the world.
fn endorsing() -> Contest {
    let mut contest = Contest::new(Memory::Whole, 0);
    assert_eq!(contest.fresh(key(1), &[], 0), Admission::Accepted);
    contest.reports(2_000, &[]);
    assert_eq!(contest.endorsed(), Some(key(1)));
    contest
}

#[test]
fn claims_are_taken_for_a_second_and_a_half_and_then_refused_by_name() {
    let mut contest = Contest::new(Memory::Whole, 0);
    assert_eq!(contest.fresh(key(1), &[], 100), Admission::Accepted);
    assert_eq!(contest.fresh(key(2), &[], 1_599), Admission::Accepted);
    let leader = contest.leader(1_600).unwrap();
    assert_eq!(contest.fresh(key(3), &[], 1_600), Admission::Taken(leader));
    assert_eq!(contest.fresh(key(2), &[], 9_000), Admission::Accepted, "a refresh");
    let mut contest = endorsing();
    assert_eq!(contest.fresh(key(3), &[], 2_001), Admission::Taken(key(1)));
    contest.copied(key(3), &[], 2_001);
    assert_eq!(contest.fresh(key(3), &[], 2_002), Admission::Behind(key(1)));
    assert_eq!(contest.losers(), [key(3)]);
}

#[test]
fn nobody_is_endorsed_before_all_replicas_were_asked() {
    let mut contest = Contest::new(Memory::Whole, 0);
    contest.fresh(key(1), &[], 0);
    assert!(contest.wants_reports(0), "at once, who may know older ones");
    contest.asked(0);
    contest.reports(10, &[told(&[], None), told(&[], None)]);
    assert_eq!(contest.next_consultation(10), Some(1_500));
    contest.reports(1_999, &[told(&[], None), told(&[], None)]);
    assert_eq!(contest.endorsed(), None, "not yet two seconds");
    contest.reports(2_500, &[told(&[], None), None]);
    assert_eq!(contest.endorsed(), None, "one was silent");
    contest.reports(2_600, &[told(&[], None), told(&[], None)]);
    assert_eq!(contest.endorsed(), Some(key(1)));
    assert!(contest.wants_reports(2_600), "until all agree");
    contest.reports(2_700, &[told(&[], Some(1)), told(&[], Some(1))]);
    assert_eq!(contest.next_consultation(2_700), None);
    contest.replicas_changed();
    assert!(contest.wants_reports(2_800));
    assert!(!contest.told(2_800).settled);
    assert_eq!(contest.endorsed(), Some(key(1)));
}

#[test]
fn an_endorsement_is_left_for_a_majority_only_or_where_all_differ() {
    let two_claims = || {
        let mut contest = endorsing();
        contest.copied(key(2), &[], 2_000);
        contest.copied(key(3), &[], 2_000);
        contest
    };
    let after = |others: &[Option<Told>]| {
        let mut contest = two_claims();
        contest.reports(3_000, others);
        contest.endorsed().unwrap()
    };
    let (one, two, three) = (told(&[], Some(1)), told(&[], Some(2)), told(&[], Some(3)));
    let none = told(&[(2, u64::MAX)], None);
    assert_eq!(after(&[two.clone(), None]), key(1));
    assert_eq!(after(&[two.clone(), none.clone()]), key(1));
    assert_eq!(after(&[two.clone(), one]), key(1));
    assert_eq!(after(&[two.clone(), two.clone()]), key(2));
    let all = [1, 2, 3].map(key);
    let lowest = all.into_iter().min_by_key(|k| *blake3::hash(k.as_bytes()).as_bytes()).unwrap();
    assert_eq!(after(&[two.clone(), three.clone()]), lowest);
    let mut without = endorsing();
    without.reports(3_000, &[two.clone(), two]);
    assert_eq!(without.endorsed(), Some(key(1)), "what it does not hold it does not endorse");
    let old = told(&[(3, 900_000)], Some(3));
    assert_eq!(after(&[told(&[(3, 900_000)], Some(2)), old]), key(3), "one far older is first");
}

#[test]
fn ages_are_adopted_when_both_others_tell_them() {
    let mut contest = Contest::new(Memory::Doubtful, 0);
    contest.copied(key(1), &[], 0);
    contest.reports(0, &[told(&[(1, 5_000)], None), None]);
    assert_eq!(contest.told(0).held[0].held_ms, 0);
    contest.reports(0, &[told(&[(1, u64::MAX)], None), told(&[(1, 5_000)], None)]);
    assert_eq!(contest.told(10).held[0].held_ms, 5_010);
    contest.reports(10, &[told(&[(1, u64::MAX)], None)]);
    assert!(contest.told(u64::MAX).held[0].held_ms > 5_010, "no number makes it overflow");
}

#[test]
fn who_may_have_forgotten_a_vote_leaves_it_to_others_that_differ() {
    for (memory, waits) in [(Memory::Whole, false), (Memory::Doubtful, true)] {
        let mut contest = Contest::new(memory, 0);
        (1..=2).for_each(|seed| contest.copied(key(seed), &[], 0));
        let others = [told(&[], Some(1)), told(&[], Some(2))];
        contest.reports(9_999, &others);
        assert_eq!(contest.endorsed().is_none(), waits);
        contest.reports(10_000, &others);
        assert!(contest.endorsed().is_some());
    }
}

#[test]
fn an_heir_takes_the_place_of_who_passed_the_name_on() {
    let mut contest = endorsing();
    assert_eq!(contest.fresh(key(2), &[key(1)], 9_000), Admission::Accepted);
    assert_eq!(contest.endorsed(), Some(key(2)));
    assert_eq!(contest.told(9_000).held, [Held { author: key(2), held_ms: 9_000 }]);
    assert_eq!(contest.fresh(key(1), &[], 9_001), Admission::Taken(key(2)));
    assert_eq!(contest.fresh(key(3), &[key(1)], 9_001), Admission::Taken(key(2)), "the first heir");
    contest.reports(9_500, &[told(&[], Some(1)), told(&[], Some(1))]);
    assert_eq!(contest.endorsed(), Some(key(2)), "they endorse whom it inherits from");
}

#[test]
fn when_the_endorsed_claim_is_gone_the_next_may_have_the_name() {
    let mut contest = endorsing();
    contest.copied(key(2), &[], 2_000);
    contest.gone(&key(1));
    assert_eq!((contest.endorsed(), contest.losers()), (None, vec![]));
    contest.reports(5_000, &[]);
    assert_eq!(contest.endorsed(), Some(key(2)));
    contest.gone(&key(2));
    assert!(contest.is_empty() && contest.next_consultation(6_000).is_none());
}

#[test]
fn a_contest_is_kept_across_a_restart() {
    let kept = endorsing().told(7_000);
    let mut contest = Contest::resume(&kept, 100);
    assert_eq!(contest.endorsed(), Some(key(1)));
    assert_eq!(contest.told(100).held, kept.held);
    assert!(contest.wants_reports(100));
    assert_eq!(contest.fresh(key(2), &[], 100), Admission::Taken(key(1)));
}

#[test]
fn no_more_claims_are_looked_at_than_a_key_has_entries() {
    let mut contest = Contest::new(Memory::Whole, 0);
    let mut admit = |number: usize| {
        let hash = blake3::hash(&number.to_be_bytes());
        contest.fresh(PublicKey::from_bytes(*hash.as_bytes()), &[], 0)
    };
    assert!((0..Contest::CLAIMS_MAX).all(|number| admit(number) == Admission::Accepted));
    assert_eq!(admit(Contest::CLAIMS_MAX), Admission::Full);
    assert_eq!(contest.told(0).held.len(), Told::HELD_MAX);
}

/// Replicas that stay, whose answers may be as old as they like, or never come. Returns who was ever
/// endorsed by so many that somebody could have read it as confirmed, from answers of any age.
fn ever_confirmed(seed: u64, replicas: usize) -> BTreeSet<PublicKey> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut contests = vec![Contest::new(Memory::Whole, 0); replicas];
    let claimants: Vec<PublicKey> =
        (0..4).map(|_| PublicKey::from_bytes(std::array::from_fn(|_| rng.u8(..)))).collect();
    for contest in &mut contests {
        for claimant in claimants.iter().filter(|_| rng.bool()).collect::<Vec<_>>() {
            contest.fresh(*claimant, &[], rng.u64(0..1_500));
        }
    }
    let mut said: Vec<Vec<Told>> =
        contests.iter().map(|contest| vec![contest.told(1_500)]).collect();
    let mut now = 1_500;
    for _ in 0..60 {
        now += rng.u64(0..500);
        let at = rng.usize(0..replicas);
        if rng.u8(0..3) == 0 {
            contests[at].copied(claimants[rng.usize(0..claimants.len())], &[], now);
        }
        let old = (0..replicas).filter(|other| *other != at).map(|other| {
            let all = &said[other];
            (rng.u8(0..8) != 0).then(|| all[rng.usize(0..all.len())].clone())
        });
        let others: Vec<Option<Told>> = old.collect();
        contests[at].reports(now, &others);
        said[at].push(contests[at].told(now));
    }
    let endorsers = |claimant: &PublicKey| {
        let ever = |all: &&Vec<Told>| all.iter().any(|told| told.endorsed == Some(*claimant));
        said.iter().filter(ever).count()
    };
    claimants.iter().filter(|claimant| endorsers(claimant) >= needed(replicas)).copied().collect()
}

#[test]
fn however_old_the_answers_are_no_two_claims_are_confirmed() {
    let mut decided = 0;
    for seed in 0..1_000 {
        for replicas in [2, 3] {
            let confirmed = ever_confirmed(seed, replicas);
            assert!(confirmed.len() <= 1, "seed {seed}, {replicas} replicas: {confirmed:?}");
            decided += confirmed.len();
        }
    }
    assert!(decided > 1_000, "most contests are decided all the same: {decided}");
}
