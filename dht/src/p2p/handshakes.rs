//! How many handshakes go on at once: as many as the link bears.
//!
//! A handshake on a quiet network takes some milliseconds; where dozens of nodes come at once on one radio
//! it takes what all the others leave. More of them at once then only fill queues, until all are given up
//! and begin anew. So the number follows from how long they take, as TCP's window does from losses: one more
//! for each that was quick, half as many after one that was slow.

use std::time::Duration;

use tokio::time::Instant;

/// At once before anything is known of the link; and at least.
const FIRST: usize = 4;
const LEAST: usize = 2;
/// At most: `libp2p` allows 64 dials, and each attempt dials at most twice.
pub(super) const MOST: usize = 32;
/// What takes no longer than this is quick: five round trips of a radio on which some others send.
const QUICK: Duration = Duration::from_millis(150);
/// What takes longer than this is slow: something was sent again.
const SLOW: Duration = Duration::from_millis(600);
/// QUIC's start before TCP is tried too: its handshake, and once more what a radio lost of it.
const QUIC_FIRST: Duration = Duration::from_secs(1);
/// The same where handshakes take long, so that a full link does not get them twice; within the 5 s a join
/// may take there is time for TCP then.
const QUIC_FIRST_MAX: Duration = Duration::from_secs(3);

/// How many, and what that follows from.
#[derive(Debug)]
pub(super) struct Handshakes {
    at_once: usize,
    /// Those begun before are of the time when more of them went on.
    halved: Option<Instant>,
    /// How long they take, smoothed.
    takes: Duration,
}

impl Default for Handshakes {
    fn default() -> Handshakes {
        Handshakes { at_once: FIRST, halved: None, takes: Duration::ZERO }
    }
}

impl Handshakes {
    /// One that began then was made now. Those that fail say nothing: most likely nobody is there.
    pub(super) fn made(&mut self, began: Instant, now: Instant) {
        let took = now.saturating_duration_since(began);
        self.takes = (self.takes * 3 + took) / 4;
        if took <= QUICK {
            self.at_once = (self.at_once + 1).min(MOST);
        } else if took > SLOW && self.halved.is_none_or(|halved| began >= halved) {
            self.at_once = (self.at_once / 2).max(LEAST);
            self.halved = Some(now);
        }
    }

    /// How many may go on at once.
    pub(super) fn at_once(&self) -> usize {
        self.at_once
    }

    /// How long QUIC is tried alone.
    pub(super) fn quic_first(&self) -> Duration {
        (self.takes * 4).clamp(QUIC_FIRST, QUIC_FIRST_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(handshakes: &mut Handshakes, began: Instant, millis: u64) {
        handshakes.made(began, began + Duration::from_millis(millis));
    }

    #[test]
    fn quick_ones_bring_more_and_slow_ones_fewer() {
        let (mut handshakes, start) = (Handshakes::default(), Instant::now());
        (0..100).for_each(|_| made(&mut handshakes, start, 5));
        assert_eq!((handshakes.at_once(), handshakes.quic_first()), (MOST, QUIC_FIRST));
        made(&mut handshakes, start, 300);
        assert_eq!(handshakes.at_once(), MOST);
        made(&mut handshakes, start, 1000);
        assert_eq!(handshakes.at_once(), MOST / 2);
        made(&mut handshakes, start, 1500);
        assert_eq!(handshakes.at_once(), MOST / 2, "it had begun before");
        for n in 1..20 {
            made(&mut handshakes, start + Duration::from_secs(n * 10), 2000);
        }
        assert_eq!((handshakes.at_once(), handshakes.quic_first()), (LEAST, QUIC_FIRST_MAX));
    }
}
