//! XML-RPC as a foreign program speaks it, written apart from the daemon's own codec so that a
//! mistake in one does not hide in the other.

mod call;
mod client;
mod reply;

pub(crate) use call::{Param, call};
pub(crate) use client::Client;
pub(crate) use reply::{Datum, Reply, fault_code, parse};
