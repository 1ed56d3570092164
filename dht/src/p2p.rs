//! The link over libp2p: QUIC first, TCP with Noise and Yamux second, on one port number.
//!
//! ```text
//!  P2pLink (any thread)                        Driver (one task owns the swarm)
//!    request, notify ──► PeerLink ◄── made, fed ─── connections, identify, kad, dials
//!                          │  small lane, bulk lane        │
//!                          ▼                               ▼
//!                        stream ◄──────── serve (a task per stream) ──► Responder, events
//! ```
//!
//! A request is encoded into its lane and written by its caller; a reply is read and handed over by
//! the task that serves the stream. Neither passes through the swarm's task, which only sees
//! connections come and go. Where there is a passphrase, `admission` stands before all of it.

mod address;
mod admission;
mod attempt;
mod behaviour;
mod causes;
mod command;
mod dials;
mod driver;
mod greeting;
mod handle;
mod handshakes;
mod lane;
mod limits;
mod patience;
mod peer_link;
mod recent;
mod search;
mod serve;
mod session;
mod stream;
mod substreams;
#[cfg(test)]
mod tests;
mod timers;
mod transport;
mod waiting;

pub(crate) use handle::{P2pConfig, P2pLink};
pub(crate) use patience::Patience;
