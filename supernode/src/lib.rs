//! The daemon: configuration, HTTP, XML-RPC and metrics around one [`dht::Dht`].
//!
//! ```text
//! main ─┬─ cli ── config ── daemon ─┬─ http ─┬─ rpc ──────► dht
//!       └─ client (put, get, …)     │        ├─ api ──────►
//!                                   │        └─ metrics ──►
//!                                   ├─ services, names ───►
//!                                   ├─ sip ─┬ location ───►
//!                                   │       └ accounts ───►
//!                                   ├─ discovery ─────────►
//!                                   └─ ready
//! ```

pub mod accounts;
pub mod addresses;
pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod discovery;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod load;
pub mod location;
pub mod metrics;
pub mod names;
pub mod passphrase;
pub mod phone_page;
pub mod quota;
mod random;
pub mod ready;
pub mod rpc;
pub mod services;
pub mod session;
pub mod sip;
pub mod source;
pub mod state;
mod xml_guard;
