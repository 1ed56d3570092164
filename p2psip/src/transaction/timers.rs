//! The timers of RFC 3261 §17 as data: what they last, and when one machine's are due. All times are
//! milliseconds, from any moment on.

/// How long timers last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// T1: an estimate of the round trip. First interval between retransmissions; all that is 64·T1
    /// follows.
    pub t1_ms: u64,
    /// T2: the longest interval between retransmissions but those of an INVITE.
    pub t2_ms: u64,
    /// T4: for so long a message may wander about.
    pub t4_ms: u64,
    /// Timer D: for so long the server may repeat its refusal of an INVITE.
    pub d_ms: u64,
}

impl Default for Timers {
    /// Those of RFC 3261, table 4.
    fn default() -> Timers {
        Timers { t1_ms: 500, t2_ms: 4000, t4_ms: 5000, d_ms: 32_000 }
    }
}

impl Timers {
    /// 64·T1: timers B, F, H, J, L and M.
    pub const fn patience_ms(&self) -> u64 {
        self.t1_ms.saturating_mul(64)
    }
}

/// A time that never comes.
const NEVER: u64 = u64::MAX;

/// One machine's two timers: that which sends again, and that which ends the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    resend_ms: u64,
    end_ms: u64,
    interval_ms: u64,
}

/// What a clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Resend,
    End,
}

impl Clock {
    pub(super) const fn stopped() -> Clock {
        Clock { resend_ms: NEVER, end_ms: NEVER, interval_ms: 0 }
    }

    /// Sends again after an interval.
    pub(super) fn resend_after(&mut self, interval_ms: u64, now_ms: u64) {
        self.interval_ms = interval_ms.max(1);
        self.resend_ms = now_ms.saturating_add(self.interval_ms);
    }

    /// Sends again after twice the last interval, at most `longest_ms`.
    pub(super) fn resend_later(&mut self, longest_ms: u64, now_ms: u64) {
        self.resend_after(self.interval_ms.saturating_mul(2).min(longest_ms), now_ms);
    }

    pub(super) fn end_after(&mut self, after_ms: u64, now_ms: u64) {
        self.end_ms = now_ms.saturating_add(after_ms);
    }

    pub(super) fn stop(&mut self) {
        *self = Clock::stopped();
    }

    pub(super) fn due(&self, now_ms: u64) -> Due {
        match now_ms {
            now if self.end_ms <= now => Due::End,
            now if self.resend_ms <= now => Due::Resend,
            _ => Due::Nothing,
        }
    }

    /// When to look again, if ever.
    pub(super) fn next_ms(&self) -> Option<u64> {
        Some(self.resend_ms.min(self.end_ms)).filter(|next| *next != NEVER)
    }
}
