//! `testbed air`: laptops in network namespaces, joined by an emulated 802.11 radio.
//!
//! ```text
//! scenario ──► travel (walk, place) ──► links ─┐
//!                                     phy ─────┼─► medium      pure: (event, now) → action
//!                              chance, frame ──┘     ▲
//! ───────────────────────────────────────────────────┼──────────────────────────────────
//! command ──► laptops ──► device, babeld, super-nodes  radio, record      sockets, clocks
//! ```
//!
//! What is above the line has no clock and no device. `radio.rs` is one thread that moves frames
//! between the laptops' TAP devices and the medium.

mod chance;
mod command;
mod device;
mod frame;
mod laptops;
mod links;
mod medium;
mod phy;
mod place;
mod radio;
mod record;
mod scenario;
mod shipped;
mod snapshot;
mod travel;
mod urgency;
mod walk;

pub(crate) use chance::{Chance, Stream};
pub(crate) use command::{Request, become_inside, run};
pub(crate) use device::ip_address;
pub(crate) use laptops::{Laptops, required};
pub(crate) use scenario::Scenario;
pub(crate) use shipped::shipped;
pub(crate) use snapshot::Snapshot;
