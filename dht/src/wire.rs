//! What super-nodes say to each other: `/scope/store/1`.
//!
//! ```text
//! stream   frame, frame, …
//! frame    length u32 little-endian │ protobuf message Frame      (frame.rs splits, checks lengths)
//! Frame    id, one of: hello, bye, rumour │ requests │ replies    (schema.rs, unknown fields skipped)
//! ```
//!
//! `parse.rs` turns what came into [`Message`]s, which cannot be wrong, or into a [`WireError`]:
//! nothing behind it sees a length, a count or an id that was not checked.

mod build;
mod frame;
mod lists;
mod message;
mod parse;
mod schema;
#[cfg(test)]
mod tests;

pub(crate) use build::encode;
pub(crate) use frame::{FRAME_MAX, FrameSplitter, SMALL_MAX};
pub(crate) use message::{
    Bye, Contact, Get, Hello, Listing, Message, Notice, Pull, Pulled, RangeAnswer, RangeQuery,
    Refusal, Reply, Request, Rumour,
};
pub(crate) use parse::{WireError, decode};

/// The version of the protocol this node speaks. It also speaks the one before, once there is one.
pub(crate) const VERSION: u32 = 1;
/// The oldest version this node speaks.
pub(crate) const OLDEST_VERSION: u32 = 1;

/// Most entries of one listing: all a key may have.
pub(crate) const LISTING_ENTRIES: usize = base::limits::ENTRIES_PER_KEY_MAX;
/// Most bytes of values of one listing: with what each entry takes beside, below a frame's limit.
pub(crate) const LISTING_BYTES: usize = 256 * 1024;
/// Most super-nodes a referral names.
pub(crate) const REFERRAL_MAX: usize = 8;
/// Most members named at once: more than a node has connections.
pub(crate) const MEMBERS_MAX: usize = 256;
/// Members named of those near another place than the asker's.
pub(crate) const MEMBERS_NEAR: usize = 16;
/// Most addresses that are passed on for a super-node.
pub(crate) const ADDRESSES_MAX: usize = 4;
/// Most entries in one message.
pub(crate) const ENTRIES_MAX: usize = 1100;
/// Most ranges one message asks for.
pub(crate) const RANGES_MAX: usize = 256;
/// Most symbols of sketches one message asks for, or has: 64 KiB.
pub(crate) const MESSAGE_SYMBOLS_MAX: usize = 4096;
/// Most entries one says to have, or to want: 64 KiB of marks.
pub(crate) const HAVE_MAX: usize = 8192;
/// Most places one message names: what fits into a small frame.
pub(crate) const PLACES_MAX: usize = 200;
/// Longest text in a message, in bytes.
pub(crate) const TEXT_MAX: usize = 256;
