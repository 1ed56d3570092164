//! The rules of the overlay: plain state driven by (event, now), without a socket, a clock or a task.
//!
//! ```text
//! events ─► Membership ─► commands (dial, probe, pull, …)
//!               │ publishes
//!               ▼
//!             View ◄── Read, Write: one operation each, from replies and time to asks
//! ```
//!
//! [`crate::node`] does what they decide, over whatever [`crate::link::Link`] it was given.

mod connections;
pub(crate) mod consult;
pub(crate) mod detector;
mod exchange;
pub(crate) mod filling;
mod gaps;
mod guests;
mod known;
mod latency;
pub(crate) mod local_health;
pub(crate) mod locate;
mod lost;
pub(crate) mod membership;
pub(crate) mod operation;
mod peer;
pub(crate) mod read;
pub(crate) mod reconcile;
mod roster;
pub(crate) mod share;
mod subtree;
mod table;
mod targets;
pub(crate) mod view;
pub(crate) mod write;

use std::time::Duration;

pub(crate) use peer::{Peer, Pulse};

/// A point in time: since the node started.
pub(crate) type Now = Duration;
