//! How far a node trusts its own senses: how long it waits for answers, and what it may spend on doubts.
//!
//! On a channel that is full everybody's answers are late. Who takes that for others' death asks more, and
//! keeps it full. So whoever was wrong of late doubts itself first, as in Lifeguard (Dadgar, Phillips,
//! Currey 2018): it waits longer and asks less often, until answers come in time again. How long an answer
//! takes follows from those that came, the late ones included, as in RFC 6298. Silence counts for nothing
//! here: the dead do not make anybody doubt itself.

use std::time::Duration;

use super::Now;

/// A question unanswered for so long makes its peer suspect: above the pauses of a busy laptop, below
/// what a caller notices.
pub(crate) const UNANSWERED: Duration = Duration::from_millis(400);
/// The same at most, however long answers take: with this the detector is eight times as slow.
pub(crate) const UNANSWERED_MAX: Duration = Duration::from_millis(3200);
/// The highest score of having been wrong; each point makes the wait half as long again.
const DOUBTS_MAX: u32 = 8;

/// What was measured and what went wrong lately.
#[derive(Debug, Default)]
pub(crate) struct LocalHealth {
    /// The smoothed round trip, and how much it varies: RFC 6298, section 2.
    round_trip: Option<(Duration, Duration)>,
    doubts: u32,
}

impl LocalHealth {
    /// A question was answered, in time or late.
    pub(crate) fn answered(&mut self, took: Duration) {
        if took <= self.patience() {
            self.doubts = self.doubts.saturating_sub(1);
        } else {
            self.doubts = (self.doubts + 1).min(DOUBTS_MAX);
        }
        // One that slept tells nothing of the channel beyond what counts at most.
        let took = took.min(UNANSWERED_MAX);
        self.round_trip = Some(match self.round_trip {
            None => (took, took / 2),
            Some((smooth, varies)) => {
                ((smooth * 7 + took) / 8, (varies * 3 + smooth.abs_diff(took)) / 4)
            }
        });
    }

    /// How long an answer is waited for.
    pub(crate) fn patience(&self) -> Duration {
        let expected =
            self.round_trip.map_or(Duration::ZERO, |(smooth, varies)| smooth + varies * 4);
        let patience = expected.max(UNANSWERED);
        (patience + patience * self.doubts / 2).min(UNANSWERED_MAX)
    }

    /// A time of the detector, as much longer as the wait for an answer is.
    pub(crate) fn stretch(&self, time: Duration) -> Duration {
        time.mul_f64(self.patience().div_duration_f64(UNANSWERED))
    }

    /// Whether others may be troubled for what this node believes.
    pub(crate) fn is_good(&self) -> bool {
        self.patience() < UNANSWERED * 2
    }
}

/// What may be sent for one purpose: some at once, and after that one each so often.
#[derive(Debug)]
pub(crate) struct Budget {
    burst: u32,
    pause: Duration,
    /// When none of it is in use any more.
    free: Now,
}

impl Budget {
    pub(crate) const fn new(burst: u32, pause: Duration) -> Budget {
        Budget { burst, pause, free: Now::ZERO }
    }

    /// Takes one; false if there is none left.
    pub(crate) fn take(&mut self, now: Now) -> bool {
        let free = self.free.max(now) + self.pause;
        let taken = free <= now + self.pause * self.burst;
        if taken {
            self.free = free;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn on_a_good_network_the_wait_is_the_shortest() {
        let mut health = LocalHealth::default();
        assert_eq!(health.patience(), UNANSWERED);
        (0..10).for_each(|_| health.answered(ms(3)));
        assert_eq!(health.patience(), UNANSWERED);
        assert!(health.is_good() && health.stretch(ms(1000)) == ms(1000));
    }

    #[test]
    fn late_answers_make_it_wait_longer_and_good_ones_end_that() {
        let mut health = LocalHealth::default();
        (0..5).for_each(|_| health.answered(ms(900)));
        assert!(!health.is_good() && health.patience() > ms(900), "{:?}", health.patience());
        assert!(health.stretch(ms(1000)) > ms(2000));
        (0..100).for_each(|_| health.answered(ms(60_000)));
        assert_eq!(health.patience(), UNANSWERED_MAX);
        (0..40).for_each(|_| health.answered(ms(3)));
        assert_eq!(health.patience(), UNANSWERED);
    }

    #[test]
    fn a_budget_is_used_up_and_comes_back() {
        let mut budget = Budget::new(3, ms(100));
        assert!((0..3).all(|_| budget.take(ms(0))) && !budget.take(ms(99)));
        assert!(budget.take(ms(100)) && !budget.take(ms(100)));
        assert!((0..3).all(|_| budget.take(ms(5000))) && !budget.take(ms(5000)));
    }
}
