//! The daemon: configuration, HTTP, XML-RPC and metrics around one [`dht::Dht`].
//!
//! ```text
//! main ─┬─ cli ── config ── daemon ─┬─ http ─┬─ rpc ──────► dht
//!       └─ client (put, get, …)     │        ├─ api ──────►
//!                                   ├─ ready └─ metrics ──►
//!                                   └─ shutdown
//! ```

pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod http;
pub mod load;
pub mod metrics;
pub mod ready;
pub mod rpc;
pub mod state;
mod xml_guard;
