//! The overlay, behind one cloneable handle: [`Dht`].
//!
//! Whoever has the handle can put values under keys, list them and remove them; how many
//! super-nodes keep them, and where, is this crate's business alone. It knows nothing of XML-RPC,
//! SIP, HTTP or people.
//!
//! At present a node is its own only replica: [`Dht::put`] goes straight to its [`store::Store`].

mod clock;
mod error;
mod handle;
mod identity;
mod lamport;
mod listing;
mod page;
pub mod store;

pub use clock::{Clock, ManualClock, Reading, SystemClock};
pub use error::{DhtError, OpenError};
pub use handle::{Dht, Options, Receipt, Removal, Status, Storage};
pub use page::{Found, Page, PageRequest};
