//! Why something was not done.

use serde::{Deserialize, Serialize};

use crate::OverlayError;

/// The body of a request that was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refused {
    /// Why.
    pub error: Refusal,
}

/// Why something was not done. Nothing was changed, unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusal {
    /// What a program can test.
    pub kind: Kind,
    /// The code XML-RPC has for it.
    pub code: i32,
    /// What was wrong and what to do, for people.
    pub message: String,
    /// Of what was superseded, the sequence its author has signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
}

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The key holds as many values as `room` allows.
    Full,
    /// The overlay, a key, or what this source may put is used up.
    OverCapacity,
    /// It is not what its author signed for this key.
    Forged,
    /// Its author has signed something with this sequence or a higher one.
    Superseded,
    /// The name has another holder, or is about to.
    Taken,
    /// The value is there, but was put with another secret, or with none.
    WrongSecret,
    /// Too few replicas answered in time. It may or may not be in force; trying again is safe.
    NoQuorum,
    /// The request makes no sense.
    BadRequest,
    /// Something is longer than its limit.
    TooLarge,
    /// Nothing was done, for want of room in this reply, of memory, or of time: ask for it again, in
    /// another request.
    TryAgain,
    /// What a later version has.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Other,
}

impl Kind {
    /// The code XML-RPC has for it.
    pub const fn code(self) -> i32 {
        match self {
            Kind::Forged | Kind::BadRequest | Kind::Other => 2,
            Kind::TooLarge => 3,
            Kind::Full | Kind::OverCapacity | Kind::TryAgain => 4,
            Kind::NoQuorum => 5,
            Kind::Superseded | Kind::Taken | Kind::WrongSecret => 7,
        }
    }
}

impl Refusal {
    /// One of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Refusal {
        Refusal { kind, code: kind.code(), message: message.into(), sequence: None }
    }

    /// A request that makes no sense.
    pub fn bad(message: impl Into<String>) -> Refusal {
        Refusal::new(Kind::BadRequest, message)
    }

    /// Something above its limit.
    pub fn too_large(message: impl Into<String>) -> Refusal {
        Refusal::new(Kind::TooLarge, message)
    }

    /// What was not done for want of room or time.
    pub fn try_again(message: impl Into<String>) -> Refusal {
        Refusal::new(Kind::TryAgain, message)
    }

    /// An author has signed something with this sequence.
    pub fn superseded(by: u64) -> Refusal {
        let text =
            format!("its author signed another with sequence {by}; sign it with a higher one");
        Refusal { sequence: Some(by), ..Refusal::new(Kind::Superseded, text) }
    }
}

impl From<Refusal> for OverlayError {
    fn from(refusal: Refusal) -> OverlayError {
        let Refusal { kind, message, sequence, .. } = refusal;
        match (kind, sequence) {
            (Kind::Full, _) => OverlayError::Full,
            (Kind::OverCapacity, _) => OverlayError::OverCapacity(message),
            (Kind::Forged, _) => OverlayError::Forged(message),
            (Kind::Superseded, Some(by)) => OverlayError::Superseded(by),
            (Kind::Taken, _) => OverlayError::Taken(message),
            (Kind::WrongSecret, _) => OverlayError::WrongSecret,
            (Kind::NoQuorum | Kind::TryAgain, _) => OverlayError::NoQuorum(message),
            _ => OverlayError::Refused(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_kind_that_programs_test_and_later_kinds_are_read_too() {
        let refusal = Refusal::superseded(9);
        let json = serde_json::to_value(&refusal).unwrap();
        assert_eq!((&json["kind"], &json["sequence"]), (&"superseded".into(), &9.into()));
        assert_eq!(serde_json::from_value::<Refusal>(json).unwrap(), refusal);
        assert_eq!(OverlayError::from(refusal), OverlayError::Superseded(9));
        let later = "{\"kind\": \"on_the_moon\", \"code\": 9, \"message\": \"m\", \"more\": []}";
        let later: Refusal = serde_json::from_str(later).unwrap();
        assert_eq!(OverlayError::from(later), OverlayError::Refused("m".to_owned()));
        let bare = Refusal { sequence: None, ..Refusal::superseded(9) };
        assert!(matches!(OverlayError::from(bare), OverlayError::Refused(_)));
    }
}
