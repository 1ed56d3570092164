//! The words SCOPE's parts share, and the rules that hold between them.
//!
//! A client puts a [`Value`] under a [`Key`]; what is kept is an [`Entry`], told apart from the
//! key's other entries by its [`EntryId`]. A key's [`Place`] says which super-nodes keep it. Two
//! replicas that hold different copies of an entry [`Entry::merge`] them and agree. A service,
//! [`ServiceId`], has keys of its own; a [`list`] is many keys that hold what is too much for one.
//! What an author has [`Signed`] only the author can change.
//!
//! Everything here is pure: no I/O, no clock, no task. Time comes in as a remaining [`Lifetime`].

mod allowance;
mod claim;
mod entry;
mod entry_id;
mod key;
mod lifetime;
pub mod limits;
pub mod list;
mod merge;
mod name;
mod node_id;
mod passphrase;
mod person_key;
mod place;
mod public_key;
mod secret;
mod service_id;
mod signature_cache;
mod signed;
mod signing_key;
mod slot;
mod token_bucket;
mod too_large;
mod value;
#[cfg(test)]
mod vectors;
mod verified;
mod version;

pub use allowance::{Allowances, TtlClass};
pub use claim::{
    Admission, Claim, ClaimError, Contest, HEIRS_MAX, Held, Memory, Report, ReportError, Standing,
    Succession, Told, order, standing,
};
pub use entry::{Entry, ForgedEntry, State, WrongSecret};
pub use entry_id::EntryId;
pub use key::Key;
pub use lifetime::{Lifetime, Ttl, TtlOutOfRange};
pub use merge::Verdict;
pub use name::{NAME_MAX, Name, NameError};
pub use node_id::NodeId;
pub use passphrase::{Passphrase, PassphraseError};
pub use person_key::{NoMemory, person_key};
pub use place::{Distance, Place};
pub use public_key::{Fingerprint, NotAPublicKey, PublicKey, SIGNATURE_LEN};
pub use secret::{Secret, SecretTag};
pub use service_id::{NotAServiceId, ServiceId};
pub use signature_cache::SignatureCache;
pub use signed::{Kind, MalformedSigned, Sequence, Signed, WrongSignature};
pub use signing_key::SigningKey;
pub use slot::Slot;
pub use token_bucket::{Exhausted, Rate, TokenBucket};
pub use too_large::TooLarge;
pub use value::{Sha1Digest, Value, ValueHash};
pub use verified::Verified;
pub use version::Version;
