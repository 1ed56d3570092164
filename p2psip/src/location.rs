//! Where people are: the bindings of an address of record, kept by whoever implements
//! [`LocationService`] (the daemon does over its overlay, [`MemoryLocations`] does in memory).
//!
//! ```text
//!   registrar ── Change ──► LocationService::bind ──► … ──► merge ──► Vec<Bound> ──► proxy
//! ```

mod aor;
mod binding;
mod memory;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use aor::{AOR_MAX, Aor, BadAor};
pub use binding::{Binding, Bound, Known, Media, merge};
pub use memory::MemoryLocations;

/// What is to become of the bindings of an address of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These are made or refreshed, or removed if they are to last for no time. All or none.
    Set(Vec<(Arc<Binding>, Duration)>),
    /// None made before now counts any more (`Contact: *`).
    Clear,
    /// Exactly these count no more, if they still did: what has superseded one of them stays, and so do
    /// all others. Super-nodes take back so what they have accepted, once its flow is gone or the phone
    /// has registered elsewhere.
    Drop(Vec<Arc<Binding>>),
}

/// Names a state of an address of record's bindings: two that are equal mean the same bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor(pub u128);

/// Why a location is not known, or not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// There is no room for another binding.
    #[error("there is no room for another binding")]
    Full,
    /// Too few who would know could be asked. Try again later.
    #[error("the bindings cannot be read or written just now")]
    Unavailable,
}

/// What comes of a question: at once, or after having asked others.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, LocationError>> + Send>>;

/// Keeps bindings. Its answers may take as long as it takes to ask other nodes; no caller blocks on them.
pub trait LocationService: Send + Sync + 'static {
    /// Changes the bindings of an address of record; answers with all it has then. What a new binding
    /// replaces need not be removed from where it is kept: [`merge`] leaves it out.
    fn bind(&self, aor: &Aor, change: Change) -> Answer<Vec<Bound>>;

    /// As [`LocationService::bind`], by who has just looked up what there is: it need not be read again.
    fn bind_after(&self, aor: &Aor, change: Change, _known: Known) -> Answer<Vec<Bound>> {
        self.bind(aor, change)
    }

    /// The bindings that count now, in no order.
    fn lookup(&self, aor: &Aor) -> Answer<Known>;

    /// As [`LocationService::lookup`], by who is to say once more that these count, with how long they are to
    /// last then: a refresh. A service that has said so itself, and knows that nobody has said anything since,
    /// need not ask for it.
    fn lookup_again(&self, aor: &Aor, _again: &[(Arc<Binding>, Duration)]) -> Answer<Known> {
        self.lookup(aor)
    }

    /// Answers as soon as the bindings are others than those of `seen`; at once without one. States in
    /// between may be skipped.
    fn watch(&self, aor: &Aor, seen: Option<Cursor>) -> Answer<(Vec<Bound>, Cursor)>;
}
