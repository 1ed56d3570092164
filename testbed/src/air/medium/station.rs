//! A laptop's half of the air: its queue and its turn.

use std::collections::VecDeque;
use std::time::Duration;

use crate::air::frame::Frame;

/// A laptop on the air.
#[derive(Debug, Default)]
pub(super) struct Station {
    /// What it has to send, the head being sent.
    pub(super) queue: VecDeque<Frame>,
    pub(super) turn: Turn,
    /// Numbers the turns, so that events of an earlier one are known.
    pub(super) turns: u64,
    /// How often the head was sent in vain.
    pub(super) tries: u32,
    /// Whether what it has sent last arrived.
    pub(super) arrived: bool,
    /// How many times it has drawn slots.
    pub(super) backoffs: u64,
    /// Until when it senses somebody, or itself.
    pub(super) busy_until: Duration,
}

/// What a station is at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has nothing to send.
    #[default]
    Idle,
    /// It senses somebody; so many slots are left to count.
    Waiting { slots: u32 },
    /// It counts so many slots from a moment on.
    Counting { from: Duration, slots: u32 },
    /// It is on the air.
    Sending,
}
