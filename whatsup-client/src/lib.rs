//! What's UP: people, what they share, communities, search and messages, all of it nothing but puts, gets
//! and watches of an overlay ([`Overlay`]), so that it works from any super-node and belongs to nobody.
//!
//! ```text
//! people, content, communities, search, messages     what there is, and how readers see it
//!        │
//!      Net ── List, Record                            typed, signed, verified
//!        │
//!    Overlay                                          put, get, remove, watch
//!      ├── overlay::Memory   one process, for tests and models
//!      └── others            super-nodes over HTTP; a super-node's own handle
//! ```
//!
//! Everything a person makes is a signed entry. What is not signed by whom it has to be never leaves
//! [`Net`]. `docs/reference/keys.md` lists every key.

pub mod alerts;
pub mod author;
pub mod bell;
pub mod blob;
pub mod claiming;
pub mod claims;
#[cfg(feature = "command")]
pub mod cmd;
pub mod comments;
pub mod community;
pub mod door;
pub mod feed;
pub mod head;
pub mod here;
pub mod inbox;
pub mod index;
pub mod keys;
pub mod link;
pub mod list;
pub mod mail;
pub mod message;
pub mod net;
pub mod node_url;
pub mod outbox;
pub mod overlay;
pub mod picture;
pub mod post;
pub mod posts;
pub mod private;
pub mod profile;
pub mod record;
pub mod seal;
pub mod search;
pub mod stamp;
pub mod text;
pub mod upkeep;
pub mod verify;
pub mod words;

pub use author::Author;
pub use net::Net;
pub use overlay::{Overlay, OverlayError};
pub use private::Private;
pub use profile::Profile;
pub use record::Record;
pub use stamp::Stamp;
