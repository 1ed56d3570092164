//! The overlay, behind one cloneable handle: [`Dht`].
//!
//! Whoever has the handle can put values under keys, list them and remove them; how many
//! super-nodes keep them, and where, is this crate's business alone. It knows nothing of XML-RPC,
//! SIP, HTTP or people.
//!
//! ```text
//! Dht ─► drive ─► overlay (pure rules: Read, Write, Membership, View)
//!            └──► link (p2p: libp2p │ sim: simulated) ─► other nodes' serve ─► store
//! ```

mod claims;
mod clock;
mod cursor;
mod drive;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod hand_over;
mod handle;
mod identity;
mod lamport;
mod leases;
mod link;
mod list;
mod listing;
mod members;
mod meters;
mod names;
mod node;
mod options;
mod overlay;
mod p2p;
mod pace;
mod page;
mod passphrase;
mod prefix;
mod quotas;
mod remembered;
mod repair;
mod serve;
mod signed;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod sketch;
mod stamp;
mod status;
pub mod store;
pub mod testnet;
mod watch;
mod watches;
mod wire;

pub use clock::{Clock, ManualClock, Reading, SystemClock};
pub use cursor::Cursor;
pub use error::{DhtError, OpenError};
pub use handle::{Dht, Receipt, Removal};
pub use link::{JoinError, PassphraseMismatch};
pub use list::List;
pub use meters::{Counter, Histogram, Meters};
pub use names::{Claimant, Claimed, NameStatus};
pub use options::{Options, Storage};
pub use page::{Found, Page, PageRequest};
pub use passphrase::{Passphrase, PassphraseError};
pub use signed::SignedPage;
pub use stamp::Stamp;
pub use status::{Health, PeerStatus, Phase, Status};
pub use watch::{Changed, Watched};
