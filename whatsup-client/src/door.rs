//! The JSON of a super-node's door: what `POST /api/v1/batch`, `/api/v1/watch` and the single verbs take and
//! answer. The super-node and the client that speaks to it use these same types.
//!
//! ```text
//! client  overlay::Ask ─► door::Ask ─► JSON ─► door::Ask ─► overlay::Ask  super-node
//!                                             (read: checked, once)        │ does it
//! client  overlay::Answer ◄─ door::Answer ◄─ JSON ◄─ door::Answer ◄────────┘
//! ```
//!
//! `docs/reference/openapi.json` is made of them. What a super-node is sent is taken strictly: a field it
//! does not know may mean something, and is refused. What a client is sent may have more fields than it knows.

mod answer;
mod ask;
mod batch;
mod bytes;
mod refusal;
mod watch;

pub use answer::{Answer, Claiming, Contact, Found, Looked, Page, Put, Removed};
pub use ask::{
    Ask, Claim, DEFAULT_TTL_S, Get, Locate, Lookup, Name, PutSigned, PutValue, Remove, Services,
};
pub use batch::{Answers, Asks, read_asks, read_one};
pub use bytes::Base64;
pub use refusal::{Kind, Refusal, Refused};
pub use watch::{Changed, Changes, Watch, WatchedKey, Watching};

/// Longest body of a batch, in bytes: 16 chunks of a file, of 60 KiB each, in base64, and as much again.
pub const BATCH_BODY_MAX: usize = 3 * 1024 * 1024;
/// Longest reply to a batch, in bytes: as much.
pub const BATCH_REPLY_MAX: usize = 3 * 1024 * 1024;
/// Longest body of a watch, in bytes: 256 of the longest keys, in base64.
pub const WATCH_BODY_MAX: usize = 512 * 1024;
/// Bytes of values, and of their ids, that the answer to one watch carries: what has just changed of a community
/// many times over. Whose key has more reads it.
pub const WATCH_VALUES_MAX: usize = 256 * 1024;
/// Longest wait of one watch, in seconds; whoever wants to know more asks again.
pub const WATCH_MAX_S: u64 = 300;
