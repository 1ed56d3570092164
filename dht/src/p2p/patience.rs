//! How long a peer may leave things half done.

use std::time::Duration;

/// How long a peer may leave things half done, before its connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// From being connected to having said hello. Six tries to open a stream, the other side's turn
    /// first, take less.
    pub(crate) greeting: Duration,
    /// From the first byte of a frame to its last: the longest one needs 140 kbit/s. It is all that
    /// is held of a peer meanwhile.
    pub(crate) frame: Duration,
    /// For which it takes nothing of what waits to leave for it: many times what the failure detector
    /// allows. Until then it fills its lanes, and not more.
    pub(crate) taking: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            greeting: Duration::from_secs(15),
            frame: Duration::from_secs(30),
            taking: Duration::from_secs(30),
        }
    }
}
