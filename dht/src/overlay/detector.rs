//! Who is there: failure detection in the manner of SWIM (Das, Gupta, Motivala 2002).
//!
//! ```text
//!            unanswered              silent for GONE_AFTER
//!   Well ───────────────► Suspect ─────────────────────────► gone
//!     ▲                     │
//!     └──── heard, vouched ─┘
//! ```
//!
//! Any traffic is life, so that nobody is probed who is heard anyway. Suspicion decides only whom to
//! ask first; who keeps what changes when a member is gone. A rumour is a reason to look, never to
//! believe. Whoever finds that answers come late waits longer, asks less, and holds nobody to be gone so
//! soon: [`LocalHealth`].

use std::time::Duration;

use base::NodeId;

use super::Now;
use super::local_health::{Budget, LocalHealth, UNANSWERED};

/// Time between two rounds of probes.
pub(crate) const ROUND: Duration = Duration::from_secs(1);
/// A member not heard for so long is quiet.
const QUIET: Duration = Duration::from_secs(3);
/// The same for each neighbour there is, if that is longer: where eight look after one, each of them at
/// another time, the first finds it dead in less than a second, and tells others.
const QUIET_EACH: Duration = Duration::from_millis(750);
/// Where nobody came or went for so long, one in so many rounds probes one of the others: all have the same
/// members, and each of them its neighbours.
pub(crate) const CALM: Duration = Duration::from_secs(15);
pub(crate) const CALM_ROUNDS: u32 = 4;
/// Of all suspects so many are probed in a round, those first that were not for longest: however many
/// there are, what is asked of them is bounded.
pub(crate) const SUSPECTS: usize = 8;
/// Probes beside the rounds, of those whom others suspect or an operation waits for: a round's worth at once,
/// and as many again each second.
pub(crate) const PROMPTED: Budget = Budget::new(16, Duration::from_millis(62));
/// Suspects of whom others are asked: as many as a round probes, and half of that each second.
pub(crate) const INDIRECT: Budget = Budget::new(8, Duration::from_millis(250));
/// Members told that one is gone: of some who go at once, and one of them each second.
pub(crate) const RUMOURS: Budget = Budget::new(64, Duration::from_millis(62));
/// A suspect that stays silent for so long is gone: longer than a Wi-Fi scan.
pub(crate) const GONE_AFTER: Duration = Duration::from_secs(5);
/// Where answers take long: it is given by how much longer they do, so many times.
const GONE_FACTOR: u32 = 5;
/// The same when two other members hold it to be gone, too: one alone may lie.
pub(crate) const GONE_AFTER_RUMOUR: Duration = Duration::from_secs(1);
/// The same for one known from the last time only: it has most likely gone home.
pub(crate) const GONE_AFTER_START: Duration = Duration::from_millis(2200);
/// Others' word for a suspect counts for so long: it may be out of this node's reach for good, or
/// they may lie.
pub(crate) const VOUCHED_MAX: Duration = Duration::from_secs(30);
/// Members asked whether they hear a suspect.
pub(crate) const HELPERS: usize = 3;
/// The closest members, which are always watched.
pub(crate) const NEIGHBOURS: usize = 8;

/// When one of so many neighbours is quiet.
pub(crate) fn quiet(neighbours: usize) -> Duration {
    QUIET.max(QUIET_EACH * u32::try_from(neighbours.min(NEIGHBOURS)).unwrap_or(0))
}

/// What is believed of one member.
#[derive(Debug, Clone, Default)]
pub(crate) struct Belief {
    /// Boxed, for hundreds are known and few of them suspected.
    suspected: Option<Box<Suspicion>>,
    probed: Option<Now>,
}

#[derive(Debug, Clone, Copy)]
struct Suspicion {
    began: Now,
    since: Now,
    patience: Duration,
    /// Who holds it to be gone: one, after whom the next one decides.
    seconded: Option<NodeId>,
}

impl Belief {
    /// Of a member that is only remembered.
    pub(crate) fn remembered(now: Now) -> Belief {
        let mut belief = Belief::default();
        belief.suspect(now);
        belief.bound(GONE_AFTER_START);
        belief
    }

    pub(crate) fn is_well(&self) -> bool {
        self.suspected.is_none()
    }

    /// Something was heard at `last`: that ends a suspicion which is older. Whether it did.
    pub(crate) fn heard(&mut self, last: Now) -> bool {
        let ended = self.suspected.as_ref().is_some_and(|suspicion| last > suspicion.since);
        if ended {
            self.suspected = None;
        }
        ended
    }

    /// A question to it was not answered, or its connection broke. Whether that is news.
    pub(crate) fn suspect(&mut self, now: Now) -> bool {
        let news = self.suspected.is_none();
        self.suspected.get_or_insert_with(|| {
            let (since, patience) = (now, GONE_AFTER);
            Box::new(Suspicion { began: now, since, patience, seconded: None })
        });
        news
    }

    /// Another member hears it.
    pub(crate) fn vouch(&mut self, now: Now) {
        if let Some(suspicion) = &mut self.suspected
            && now.saturating_sub(suspicion.began) < VOUCHED_MAX
        {
            suspicion.since = now;
        }
    }

    /// Another member holds it to be gone.
    pub(crate) fn second(&mut self, by: NodeId) {
        let Some(suspicion) = &mut self.suspected else { return };
        if *suspicion.seconded.get_or_insert(by) != by {
            self.bound(GONE_AFTER_RUMOUR);
        }
    }

    fn bound(&mut self, patience: Duration) {
        if let Some(suspicion) = &mut self.suspected {
            suspicion.patience = suspicion.patience.min(patience);
        }
    }

    /// Whether it has been silent for too long.
    pub(crate) fn is_gone(&self, now: Now, health: &LocalHealth) -> bool {
        let more = (health.patience() - UNANSWERED) * GONE_FACTOR;
        self.suspected.as_ref().is_some_and(|s| now.saturating_sub(s.since) >= s.patience + more)
    }

    /// When it was probed last.
    pub(crate) fn probed(&self) -> Option<Now> {
        self.probed
    }

    /// Whether it may be probed now, and if so, that it is.
    pub(crate) fn may_probe(&mut self, now: Now, health: &LocalHealth) -> bool {
        let may = self.probed.is_none_or(|at| now.saturating_sub(at) >= health.patience());
        if may {
            self.probed = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::view::tests::peer;

    const fn at(millis: u64) -> Now {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_suspect_that_is_heard_is_well_again() {
        let mut belief = Belief::default();
        assert!(belief.suspect(at(1000)) && !belief.suspect(at(1100)), "news only once");
        assert!(!belief.heard(at(900)), "what was heard before the suspicion says nothing");
        assert!(!belief.is_well());
        assert!(belief.heard(at(1001)) && belief.is_well());
        assert!(!belief.is_gone(at(100_000), &LocalHealth::default()));
    }

    #[test]
    fn a_silent_suspect_is_gone_in_time_and_sooner_when_others_agree() {
        let mut belief = Belief::default();
        let [a, b] = [1, 2].map(|n| peer(n).id);
        [a, b].into_iter().for_each(|by| belief.second(by));
        assert!(!belief.is_gone(at(100_000), &LocalHealth::default()), "rumours alone are nothing");
        belief.suspect(at(1000));
        assert!(
            !belief.is_gone(at(5999), &LocalHealth::default())
                && belief.is_gone(at(6000), &LocalHealth::default())
        );
        belief.vouch(at(4000));
        assert!(
            !belief.is_gone(at(8999), &LocalHealth::default())
                && belief.is_gone(at(9000), &LocalHealth::default())
        );
        belief.second(a);
        belief.second(a);
        assert!(!belief.is_gone(at(8999), &LocalHealth::default()), "one may lie");
        belief.second(b);
        assert!(belief.is_gone(at(5000), &LocalHealth::default()));
    }

    #[test]
    fn of_many_who_look_after_one_each_does_so_less_often() {
        assert_eq!([2, 6, 8, 50].map(|near| quiet(near).as_millis()), [3000, 4500, 6000, 6000]);
    }

    #[test]
    fn where_answers_are_late_nobody_is_gone_so_soon() {
        let (mut belief, mut health) = (Belief::default(), LocalHealth::default());
        (0..20).for_each(|_| health.answered(Duration::from_secs(2)));
        belief.suspect(at(0));
        assert!(!belief.is_gone(at(10_000), &health) && belief.is_gone(at(19_000), &health));
        assert!(belief.may_probe(at(0), &health) && !belief.may_probe(at(2000), &health));
    }

    #[test]
    fn probes_of_one_member_do_not_pile_up() {
        let mut belief = Belief::default();
        let mut may = |millis| belief.may_probe(at(millis), &LocalHealth::default());
        assert!(may(0) && !may(399) && may(400));
    }
}
