//! What went wrong, as the JSON interface tells it: with a kind that programs test.

use dht::DhtError;
use p2psip::location::LocationError;
use whatsup::door::{Kind, Refusal};

use crate::names::NamesError;
use crate::rpc::Fault;
use crate::services::ServiceError;

/// What the overlay did not do.
pub fn of_dht(error: DhtError) -> Refusal {
    match error {
        DhtError::Full(text) => Refusal::new(Kind::Full, text),
        DhtError::OverCapacity(text) => Refusal::new(Kind::OverCapacity, text),
        DhtError::Forged(text) => Refusal::new(Kind::Forged, text),
        DhtError::Superseded(by) => Refusal::superseded(by),
        DhtError::Taken(text) => Refusal::new(Kind::Taken, text),
        DhtError::NoQuorum(text) => Refusal::new(Kind::NoQuorum, text),
    }
}

/// What is wrong with a name, or was not done with it.
pub fn of_names(error: NamesError) -> Refusal {
    match error {
        NamesError::Dht(error) => of_dht(error),
        error => of_fault(error.into()),
    }
}

/// What is wrong with a service, or was not done with it.
pub fn of_services(error: ServiceError) -> Refusal {
    match error {
        ServiceError::Dht(error) => of_dht(error),
        error => of_fault(error.into()),
    }
}

/// Why it is not known where somebody is.
pub fn of_location(error: LocationError) -> Refusal {
    let kind = match error {
        LocationError::Full => Kind::OverCapacity,
        LocationError::Unavailable => Kind::NoQuorum,
    };
    Refusal::new(kind, error.to_string())
}

/// What XML-RPC would have told.
pub fn of_fault(fault: Fault) -> Refusal {
    let kind = match fault {
        Fault::Parse(_) | Fault::BadParameters(_) | Fault::UnknownMethod(_) => Kind::BadRequest,
        Fault::TooLarge(_) => Kind::TooLarge,
        Fault::OverCapacity(_) => Kind::OverCapacity,
        Fault::NoQuorum(_) => Kind::NoQuorum,
        Fault::WrongSecret(_) => Kind::WrongSecret,
    };
    Refusal { code: fault.code(), ..Refusal::new(kind, fault.to_string()) }
}
