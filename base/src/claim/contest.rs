//! How one replica decides who has a name: which claims it takes, when it asks the other replicas, and
//! whom it endorses.
//!
//! ```text
//!  claims come ──1.5 s──► closed: asks the others ──2 s──► endorses ──► asks until all agree
//! ```
//!
//! The first endorsement is a vote that is given once. It is changed only for one that a majority is
//! seen to endorse, or where all replicas endorse different ones, for the one all of them come to. With
//! three replicas that stay, no two claims are ever both endorsed by two: `docs/decisions/0018-claims.md`
//! has the proof, `simulation.rs` tries it.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{AT_ONCE_MS, first_of, needed, sorted};
use super::report::{Held, Told};
use crate::PublicKey;
use crate::limits::ENTRIES_PER_KEY_MAX;

/// How long after the first claim others are still taken: long enough for puts that began at the same
/// time to be there, with one repetition.
const CLOSING_MS: i64 = 1_500;

/// How long a claim is held before it is endorsed.
const ENDORSING_MS: i64 = 2_000;

/// Between two consultations where nobody is endorsed yet, for as long as a contest is young.
const SWIFT_MS: u64 = 250;

/// How long a contest is young: a silent replica is no member any more by then.
const YOUNG_MS: i64 = 10_000;

/// Between two consultations else.
const STEADY_MS: u64 = 1_000;

/// How long a replica that may have forgotten its vote leaves it to others that differ. By then those
/// who read what it said have read again.
const ABSTAINING_MS: u64 = 10_000;

/// What counts as at once between claims that different replicas endorse. Far more than what makes
/// claims of one moment look different in age, so that replicas that hear of them at different times
/// all choose alike.
const ENDORSED_AT_ONCE_MS: u64 = 60_000;

/// Whether a replica could have endorsed somebody at this place and not know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It was a complete replica before the first claim came, and has run since; or it has its contest
    /// back from its disk.
    Whole,
    /// It started, or became a replica, when there may have been claims.
    Doubtful,
}

/// What a replica answers to a claim that a claimant puts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is held, and so far nobody is endorsed before it.
    Accepted,
    /// It is held, and this other claimant has the name.
    Behind(PublicKey),
    /// It is refused: this other claimant has the name, or is about to.
    Taken(PublicKey),
    /// It is refused: there are too many.
    Full,
}

/// The claims at one place, as one replica sees them. Knows no clock: `now`, in milliseconds from any
/// moment on, is an argument, and never goes back.
#[derive(Debug, Clone)]
pub struct Contest {
    claims: BTreeMap<PublicKey, HeldClaim>,
    endorsed: Option<PublicKey>,
    memory: Memory,
    born: u64,
    /// A majority has answered since the replicas are who they are.
    settled: bool,
    /// All replicas were last seen to endorse the same.
    agreed: bool,
    asked: Option<u64>,
}

#[derive(Debug, Clone)]
struct HeldClaim {
    /// May lie before the beginning of time: ages come from replicas that ran before this one.
    since: i64,
    heir_of: Vec<PublicKey>,
}

impl Contest {
    /// Most claims that are looked at: as many as a key has entries.
    pub const CLAIMS_MAX: usize = ENTRIES_PER_KEY_MAX;

    /// One without claims.
    pub const fn new(memory: Memory, now: u64) -> Contest {
        Contest {
            claims: BTreeMap::new(),
            endorsed: None,
            memory,
            born: now,
            settled: false,
            agreed: false,
            asked: None,
        }
    }

    /// One that this replica kept when it stopped, as [`Contest::told`] gave it then. The claims'
    /// entries are to be given again, by [`Contest::copied`]; [`Contest::gone`] for those that lapsed.
    pub fn resume(kept: &Told, now: u64) -> Contest {
        let mut contest = Contest::new(Memory::Whole, now);
        contest.endorsed = kept.endorsed;
        for held in &kept.held {
            let claim = HeldClaim { since: before(now, held.held_ms), heir_of: Vec::new() };
            contest.claims.insert(held.author, claim);
        }
        contest
    }

    /// A claim that its claimant puts. `heir_of` are the keys that passed the name on to it, as its
    /// [`Claim`](crate::Claim) proves. The entry is to be kept if the answer is
    /// [`Admission::Accepted`] or [`Admission::Behind`].
    pub fn fresh(&mut self, author: PublicKey, heir_of: &[PublicKey], now: u64) -> Admission {
        let inherits = |forebear: &PublicKey| heir_of.contains(forebear);
        let known = self.claims.contains_key(&author) || self.claims.keys().any(inherits);
        if let Some(heir) = self.heir(&author) {
            return Admission::Taken(heir);
        }
        if let Some(endorsed) = self.endorsed.filter(|endorsed| !known && !inherits(endorsed)) {
            return Admission::Taken(endorsed);
        }
        let leader = self.leader(now).filter(|_| !known && self.oldest_age(now) >= CLOSING_MS);
        if let Some(leader) = leader {
            return Admission::Taken(leader);
        }
        if !self.hold(author, heir_of, now) {
            return Admission::Full;
        }
        self.ahead_of(&author).map_or(Admission::Accepted, Admission::Behind)
    }

    /// A claim that came from another replica, in repair. It counts as held from now on, until the
    /// others tell better.
    pub fn copied(&mut self, author: PublicKey, heir_of: &[PublicKey], now: u64) {
        if self.heir(&author).is_none() {
            self.hold(author, heir_of, now);
        }
    }

    /// A claim lapsed, or was withdrawn. Whether it was an heir's: claims that yielded to it and are still
    /// there are to be given again, by [`Contest::copied`].
    pub fn gone(&mut self, author: &PublicKey) -> bool {
        let gone = self.claims.remove(author);
        if self.endorsed == Some(*author) {
            self.endorsed = None;
            self.agreed = false;
        }
        gone.is_some_and(|gone| !gone.heir_of.is_empty())
    }

    /// The place has other replicas than before. What was endorsed stays so; but the others have to be
    /// asked again before it is told as settled, or anybody is endorsed anew.
    pub const fn replicas_changed(&mut self) {
        self.settled = false;
        self.agreed = false;
        self.asked = None;
    }

    /// When the other replicas should be asked for their reports; `None` while there is no need to. It
    /// lies in the past when it is time.
    pub fn next_consultation(&self, now: u64) -> Option<u64> {
        if self.claims.is_empty() || self.agreed {
            return None;
        }
        let age = self.oldest_age(now);
        let swift = self.endorsed.is_none() && age < YOUNG_MS;
        let pause = if swift { SWIFT_MS } else { STEADY_MS };
        let again = self.asked.map_or(0, |asked| asked.saturating_add(pause));
        let closing = u64::try_from(CLOSING_MS - age).unwrap_or(0);
        let waits = self.settled && self.endorsed.is_none() && closing > 0;
        Some(if waits { again.max(now + closing) } else { again })
    }

    /// Whether it is time, see [`Contest::next_consultation`]. Who asks says so by [`Contest::asked`].
    pub fn wants_reports(&self, now: u64) -> bool {
        self.next_consultation(now).is_some_and(|at| at <= now)
    }

    /// The others are being asked.
    pub const fn asked(&mut self, now: u64) {
        self.asked = Some(now);
    }

    /// The others' answers: one for each other replica, `None` of a silent one.
    pub fn reports(&mut self, now: u64, others: &[Option<Told>]) {
        let answers: Vec<&Told> = others.iter().flatten().collect();
        let all_answered = answers.len() == others.len();
        let replicas = others.len() + 1;
        if answers.len() + 1 >= needed(replicas) {
            self.settled = true;
        }
        if all_answered {
            self.adopt_ages(now, &answers);
        }
        let votes: Vec<Option<PublicKey>> =
            answers.iter().map(|told| told.endorsed.map(|author| self.line(author))).collect();
        if let Some(next) = self.decide(now, &answers, &votes, replicas)
            && self.claims.contains_key(&next)
        {
            self.endorsed = Some(next);
        }
        let same = |vote: &Option<PublicKey>| vote.is_some() && *vote == self.endorsed;
        self.agreed = all_answered && self.endorsed.is_some() && votes.iter().all(same);
    }

    /// What this replica tells.
    pub fn told(&self, now: u64) -> Told {
        let ages = self.ages(now);
        let mut first = sorted(ages.iter().map(|(a, ms)| (*a, *ms)).collect(), AT_ONCE_MS);
        first.truncate(Told::HELD_MAX);
        let held = first.into_iter().map(|author| Held { author, held_ms: ages[&author] });
        Told { settled: self.settled, endorsed: self.endorsed, held: held.collect() }
    }

    /// Whom this replica endorses.
    pub const fn endorsed(&self) -> Option<PublicKey> {
        self.endorsed
    }

    /// Who has the name instead of this claimant: what a loser is told. None while nobody is endorsed,
    /// or if it is the claimant.
    pub fn ahead_of(&self, author: &PublicKey) -> Option<PublicKey> {
        self.endorsed.filter(|endorsed| endorsed != author)
    }

    /// Those whose claims are held here and who do not have the name; empty while nobody is endorsed.
    pub fn losers(&self) -> Vec<PublicKey> {
        let behind = |author: &&PublicKey| self.ahead_of(author).is_some();
        self.claims.keys().filter(behind).copied().collect()
    }

    /// Whether this claimant's claim is held.
    pub fn holds(&self, author: &PublicKey) -> bool {
        self.claims.contains_key(author)
    }

    /// All whose claims are held.
    pub fn claimants(&self) -> Vec<PublicKey> {
        self.claims.keys().copied().collect()
    }

    /// How many claims are held.
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether nothing is held, so that it need not be remembered.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    fn decide(
        &self,
        now: u64,
        answers: &[&Told],
        votes: &[Option<PublicKey>],
        replicas: usize,
    ) -> Option<PublicKey> {
        let all: Vec<PublicKey> = votes.iter().chain([&self.endorsed]).flatten().copied().collect();
        let endorsers = |author: &PublicKey| all.iter().filter(|one| *one == author).count();
        if let Some(most) = all.iter().find(|author| endorsers(author) >= needed(replicas)) {
            return Some(*most);
        }
        if answers.len() + 1 < replicas {
            return None;
        }
        let own = self.told(now);
        let reports: Vec<&Told> = answers.iter().copied().chain([&own]).collect();
        let endorsed: BTreeSet<PublicKey> = all.iter().copied().collect();
        if self.endorsed.is_some() {
            let all_vote =
                all.len() == replicas && endorsed.iter().all(|a| self.claims.contains_key(a));
            return if all_vote {
                first_of(&reports, &endorsed, ENDORSED_AT_ONCE_MS)
            } else {
                None
            };
        }
        if endorsed.is_empty() {
            let held = self.claims.keys().copied().collect();
            let first = first_of(&reports, &held, AT_ONCE_MS)?;
            return (Contest::age(&self.claims[&first], now) >= ENDORSING_MS).then_some(first);
        }
        let may_have_voted =
            self.memory == Memory::Doubtful && now < self.born.saturating_add(ABSTAINING_MS);
        if endorsed.len() > 1 && may_have_voted {
            return None;
        }
        first_of(&reports, &endorsed, AT_ONCE_MS)
    }

    /// Nobody's word alone makes a claim older: of two others, the lower counts.
    fn adopt_ages(&mut self, now: u64, answers: &[&Told]) {
        for (author, claim) in &mut self.claims {
            let told = |answer: &&Told| {
                answer
                    .held
                    .iter()
                    .find(|held| held.author == *author)
                    .map_or(0, |held| held.held_ms)
            };
            let lowest = answers.iter().map(told).min().unwrap_or(0);
            claim.since = claim.since.min(before(now, lowest));
        }
    }

    /// False if there is no room. An heir has held the name for as long as its forebears, whose claims
    /// yield to it.
    fn hold(&mut self, author: PublicKey, heir_of: &[PublicKey], now: u64) -> bool {
        if !self.claims.contains_key(&author) && self.claims.len() >= Contest::CLAIMS_MAX {
            return false;
        }
        let mut since = before(now, 0);
        for forebear in heir_of.iter().filter(|forebear| **forebear != author) {
            since = since.min(self.claims.remove(forebear).map_or(since, |claim| claim.since));
            if self.endorsed == Some(*forebear) {
                self.endorsed = Some(author);
                self.agreed = false;
            }
        }
        let heir_of = heir_of.to_vec();
        let new = || HeldClaim { since, heir_of: Vec::new() };
        if !self.claims.contains_key(&author) {
            self.agreed = false;
        }
        let claim = self.claims.entry(author).or_insert_with(new);
        claim.since = claim.since.min(since);
        claim.heir_of = heir_of;
        true
    }

    /// Whose claim this one yields to, if somebody has inherited it: the endorsed heir first.
    fn heir(&self, author: &PublicKey) -> Option<PublicKey> {
        let inherits = |heir: &PublicKey| {
            heir != author
                && self.claims.get(heir).is_some_and(|claim| claim.heir_of.contains(author))
        };
        self.endorsed.filter(inherits).or_else(|| self.claims.keys().copied().find(inherits))
    }

    /// Who stands for this claimant here: itself, or who has inherited its name.
    fn line(&self, author: PublicKey) -> PublicKey {
        self.heir(&author).unwrap_or(author)
    }

    fn leader(&self, now: u64) -> Option<PublicKey> {
        sorted(self.ages(now).into_iter().collect(), AT_ONCE_MS).first().copied()
    }

    fn ages(&self, now: u64) -> BTreeMap<PublicKey, u64> {
        let age = |claim: &HeldClaim| u64::try_from(Contest::age(claim, now)).unwrap_or(0);
        self.claims.iter().map(|(author, claim)| (*author, age(claim))).collect()
    }

    fn oldest_age(&self, now: u64) -> i64 {
        self.claims.values().map(|claim| Contest::age(claim, now)).max().unwrap_or(0)
    }

    fn age(claim: &HeldClaim, now: u64) -> i64 {
        before(now, 0).saturating_sub(claim.since)
    }
}

/// The moment so long before now.
fn before(now: u64, age: u64) -> i64 {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    whole(now).saturating_sub(whole(age))
}

#[cfg(test)]
mod tests;
