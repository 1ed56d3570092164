//! The words SCOPE's parts share, and the rules that hold between them.
//!
//! A client puts a [`Value`] under a [`Key`]; what is kept is an [`Entry`], told apart from the
//! key's other entries by its [`EntryId`]. A key's [`Place`] says which super-nodes keep it. Two
//! replicas that hold different copies of an entry [`Entry::merge`] them and agree. A service,
//! [`ServiceId`], has keys of its own; a [`list`] is many keys that hold what is too much for one.
//!
//! Everything here is pure: no I/O, no clock, no task. Time comes in as a remaining [`Lifetime`].

mod allowance;
mod entry;
mod key;
mod lifetime;
pub mod limits;
pub mod list;
mod merge;
mod node_id;
mod place;
mod secret;
mod service_id;
mod token_bucket;
mod too_large;
mod value;
mod version;

pub use allowance::{Allowances, TtlClass};
pub use entry::{Entry, EntryId, ForgedEntry, State, WrongSecret};
pub use key::Key;
pub use lifetime::{Lifetime, Ttl, TtlOutOfRange};
pub use merge::Verdict;
pub use node_id::NodeId;
pub use place::{Distance, Place};
pub use secret::{Secret, SecretTag};
pub use service_id::{NotAServiceId, ServiceId};
pub use token_bucket::{Exhausted, Rate, TokenBucket};
pub use too_large::TooLarge;
pub use value::{Sha1Digest, Value, ValueHash};
pub use version::Version;
