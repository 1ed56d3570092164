//! The faults a caller can be told, and which of the overlay's errors become which.

use base::{TooLarge, TtlOutOfRange};
use dht::DhtError;

use super::table;
use crate::xml_guard::NotSafe;

/// Why a call was not done. The text says what was wrong, and with which parameter; it never
/// repeats what the caller sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The request is not an XML-RPC call.
    #[error("{0}")]
    Parse(String),
    /// The parameters are not what the method takes.
    #[error("{0}")]
    BadParameters(String),
    /// Something is longer than its limit.
    #[error("{0}")]
    TooLarge(String),
    /// There is no room for what was put, or for one more request.
    #[error("{0}")]
    OverCapacity(String),
    /// Too few replicas answered; trying again is safe.
    #[error("{0}")]
    NoQuorum(String),
    /// There is no such method.
    #[error("{0}")]
    UnknownMethod(String),
    /// The value is there, but under other secrets only.
    #[error("{0}")]
    WrongSecret(String),
}

/// Every fault's code and what it means, in the order of the codes: for the reference page.
#[cfg(test)]
pub(crate) const FAULTS: [(i32, &str); 7] = [
    (1, "parse: the request is not an XML-RPC call"),
    (2, "bad parameters: their number, a type or a range is not what the method takes"),
    (3, "too large: the request, the reply, or one of the parameters is above its limit"),
    (
        4,
        "over capacity: the key, or the super-node's disk or memory, is full; or your address has put \
         as much as it may, or the super-node is busy, and the text says when to try again",
    ),
    (5, "no quorum: too few replicas answered; trying again is safe"),
    (6, "unknown method"),
    (
        7,
        "wrong secret: the value is there, but was put with another secret, or with none; or the name \
         is taken, or its claimant has signed a newer claim",
    ),
];

impl Fault {
    /// The fault's code.
    pub const fn code(&self) -> i32 {
        match self {
            Fault::Parse(_) => 1,
            Fault::BadParameters(_) => 2,
            Fault::TooLarge(_) => 3,
            Fault::OverCapacity(_) => 4,
            Fault::NoQuorum(_) => 5,
            Fault::UnknownMethod(_) => 6,
            Fault::WrongSecret(_) => 7,
        }
    }
}

impl Fault {
    /// The fault of a method nobody knows.
    pub(super) fn unknown_method(name: &str) -> Fault {
        let meant = match table::nearest(name) {
            Some(known) => format!(", did you mean {known}?"),
            None => ";".to_owned(),
        };
        Fault::UnknownMethod(format!("there is no such method{meant} system.listMethods lists all"))
    }
}

impl From<NotSafe> for Fault {
    fn from(error: NotSafe) -> Fault {
        Fault::Parse(error.to_string())
    }
}

impl From<TooLarge> for Fault {
    fn from(error: TooLarge) -> Fault {
        Fault::TooLarge(error.to_string())
    }
}

impl From<TtlOutOfRange> for Fault {
    fn from(error: TtlOutOfRange) -> Fault {
        Fault::BadParameters(error.to_string())
    }
}

impl From<DhtError> for Fault {
    fn from(error: DhtError) -> Fault {
        match error {
            DhtError::OverCapacity(_) | DhtError::Full(_) => Fault::OverCapacity(error.to_string()),
            DhtError::NoQuorum(_) => Fault::NoQuorum(error.to_string()),
            DhtError::Forged(_) => Fault::BadParameters(error.to_string()),
            DhtError::Superseded(_) | DhtError::Taken(_) => Fault::WrongSecret(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_faults_has_every_code_in_order() {
        let text = String::new;
        let all = [
            Fault::Parse(text()),
            Fault::BadParameters(text()),
            Fault::TooLarge(text()),
            Fault::OverCapacity(text()),
            Fault::NoQuorum(text()),
            Fault::UnknownMethod(text()),
            Fault::WrongSecret(text()),
        ];
        let codes: Vec<i32> = all.iter().map(Fault::code).collect();
        assert_eq!(codes, FAULTS.map(|(code, _)| code));
    }
}
