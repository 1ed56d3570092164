//! Batches: many asks in one request, each read by itself, so that one that makes no sense spoils no other.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{Answer, Ask, Refusal};
use crate::overlay::{self, BATCH_MAX};

/// Letters of what is wrong with some JSON that are told: it may repeat what was sent.
const TOLD_MAX: usize = 200;
const EXAMPLE: &str = "{\"asks\": [{\"get\": {\"key_text\": \"k\"}}]}";

/// The body of `POST /api/v1/batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Asks {
    /// What to do, at once and in no order; at most 256.
    #[cfg_attr(feature = "schema", schemars(length(max = 256)))]
    pub asks: Vec<Ask>,
}

/// The answer of `POST /api/v1/batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answers {
    /// As many answers as there were asks, in their order.
    pub answers: Vec<Answer>,
}

/// The asks of a batch's body, each checked.
///
/// # Errors
/// What is wrong with all of it.
pub fn read_asks(body: &[u8]) -> Result<Vec<Result<overlay::Ask, Refusal>>, Refusal> {
    let unread: Unread<'_> = serde_json::from_slice(body).map_err(|error| {
        let wrong = malformed(&error).message;
        Refusal::bad(format!("expected a JSON object as in {EXAMPLE}: {wrong}"))
    })?;
    let Few(asks) = unread.asks;
    if asks.len() > BATCH_MAX {
        return Err(Refusal::bad(format!("asks has more than {BATCH_MAX}; make several batches")));
    }
    Ok(asks.into_iter().map(read).collect())
}

fn read(ask: &RawValue) -> Result<overlay::Ask, Refusal> {
    let ask: Ask = serde_json::from_str(ask.get()).map_err(|error| malformed(&error))?;
    ask.read()
}

/// The body of a request for one thing.
///
/// # Errors
/// What is wrong with it.
pub fn read_one<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| malformed(&error))
}

/// What is wrong with some JSON; of what was sent it repeats little.
fn malformed(error: &serde_json::Error) -> Refusal {
    let text: String =
        error.to_string().chars().filter(|c| !c.is_control()).take(TOLD_MAX).collect();
    Refusal::bad(text)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unread<'a> {
    #[serde(borrow)]
    asks: Few<'a>,
}

/// The first of them, not read yet; one more than there may be, if there are too many.
struct Few<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Few<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Few<'a>, D::Error> {
        deserializer.deserialize_seq(Reading).map(Few)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of asks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut few = Vec::new();
        while few.len() <= BATCH_MAX {
            match seq.next_element()? {
                Some(ask) => few.push(ask),
                None => return Ok(few),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(few)
    }
}
