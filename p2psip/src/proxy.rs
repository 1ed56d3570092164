//! What a stateful proxy decides (RFC 3261 §16), without I/O:
//!
//! ```text
//!   request ── route ──► Way ── Person: lookup ── targets ──► waves of Target ──► Fork
//!                         │                                                        │ Act
//!                         └── Flow, Hop: one Target ───────────────────────────────┘
//! ```
//!
//! [`reachable`] leaves out whom no media reaches. [`route`] says whose a request is, [`targets`] where that person is, [`Fork`] what follows from each
//! response, and [`Branch`] what tells a loop from a spiral.

mod branch;
mod fork;
mod media;
mod route;
mod target;

pub use branch::Branch;
pub use fork::{Act, Fork};
pub use media::{LOST, lost, reachable};
pub use route::{Pop, Way, route};
pub use target::{Destination, Target, targets};

/// How long a branch may ring (timer C, RFC 3261 §16.6, step 11: more than three minutes).
pub const TIMER_C_MS: u64 = 181_000;
