//! Why the registry did not do what it was asked to.

use base::list::NotAPlacemark;
use base::{NotAServiceId, ServiceId, TooLarge};
use dht::DhtError;

use super::contact::NotAContact;

/// Why, and what to do about it. Fit to be shown to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// That names no service.
    #[error(transparent)]
    Id(#[from] NotAServiceId),
    /// That is no contact.
    #[error(transparent)]
    Contact(#[from] NotAContact),
    /// There is a service that looks the same.
    #[error(
        "the Service-ID looks like {live}, which is there and spelled otherwise; use that one, or a name that cannot be taken for it"
    )]
    Confusable {
        /// The one that is there.
        live: ServiceId,
    },
    /// No more are taken.
    #[error(
        "{whose} at this super-node, {max}, and no more is taken; withdraw one, or advertise at another super-node"
    )]
    TooMany {
        /// Whose there are too many.
        whose: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// Somebody else advertises it.
    #[error(
        "this contact is there, but you did not advertise it at this super-node; withdraw it from the machine and at the super-node that did"
    )]
    NotYours,
    /// That is no placemark.
    #[error(transparent)]
    Placemark(#[from] NotAPlacemark),
    /// Something is longer than it may be.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The overlay did not do it.
    #[error(transparent)]
    Dht(#[from] DhtError),
}
