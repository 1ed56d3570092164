//! A share of all calls: their transactions, and what becomes of each request.
//!
//! ```text
//!   request ── state ──► serve ── Ask ──► … ──► resume ──► register, or fork ──► begin: a branch
//!   response ── state ──► told: the fork decides ──► begin, Forward, Reply, Cancel
//! ```
//!
//! A shard does nothing itself: what is to be done ([`Todo`]) is done after it, by whoever asked.

mod begin;
mod call;
mod fork;
mod register;
mod serve;
mod state;
mod todo;

pub(super) use state::Shard;
pub(super) use todo::{Question, Resumed, Todo, reply_flow};
