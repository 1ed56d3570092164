//! Watching: which keys, and which of them changed.

use std::time::Duration;

use base::Key;
use serde::{Deserialize, Serialize};

use super::ask::{key, service_of};
use super::batch::read_one;
use super::{Base64, Found, Refusal, WATCH_MAX_S};
use crate::overlay::{self, Cursor, WATCHED_MAX};

const EXAMPLE: &str = "{\"watched\": [{\"key_text\": \"k\"}], \"timeout_s\": 30}";

/// The body of `POST /api/v1/watch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The keys, at most 256.
    #[cfg_attr(feature = "schema", schemars(length(max = 256)))]
    pub watched: Vec<WatchedKey>,
    /// How long to wait for one of them to change, in seconds, at most 300.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 300)))]
    pub timeout_s: f64,
    /// Whether the values of those that changed are to be told, too, where there are few.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub values: bool,
}

/// What a watch asks for, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watching {
    /// The keys.
    pub watched: Vec<overlay::Watched>,
    /// How long to wait.
    pub wait: Duration,
    /// Whether to tell values.
    pub values: bool,
}

/// A key, and the state of it that was seen last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WatchedKey {
    /// The key, at most 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Base64>,
    /// The key, as the UTF-8 of this text; instead of `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_text: Option<String>,
    /// The service whose key it is, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What an earlier watch gave; without it the key is answered at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Base64>,
}

/// The answer of `POST /api/v1/watch`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Changes {
    /// Those whose state differs from their cursor; none after the timeout.
    pub changed: Vec<Changed>,
}

/// A key whose state differs from what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Changed {
    /// Which of the request's keys it is; the first is 0.
    pub at: usize,
    /// Names its state now, for the next watch.
    pub cursor: Base64,
    /// All its values in that state, in the order of their ids, if they were asked for. Where they would be too
    /// many it is missing: then get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Found>>,
}

impl Watch {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(body: &[u8]) -> Result<Watching, Refusal> {
        let watch: Watch = read_one(body).map_err(|wrong| {
            Refusal::bad(format!("expected a JSON object as in {EXAMPLE}: {}", wrong.message))
        })?;
        if watch.watched.len() > WATCHED_MAX {
            let text = format!("watched has more than {WATCHED_MAX} keys; make several watches");
            return Err(Refusal::bad(text));
        }
        let wait = Duration::try_from_secs_f64(watch.timeout_s).ok();
        let Some(wait) = wait.filter(|wait| *wait <= Duration::from_secs(WATCH_MAX_S)) else {
            let given = watch.timeout_s;
            return Err(Refusal::bad(format!(
                "timeout_s is {given}; it is from 0 to {WATCH_MAX_S}"
            )));
        };
        let keys = watch.watched.into_iter().map(WatchedKey::read);
        Ok(Watching { watched: keys.collect::<Result<_, _>>()?, wait, values: watch.values })
    }
}

impl WatchedKey {
    fn read(self) -> Result<overlay::Watched, Refusal> {
        let key = key(self.key, self.key_text, self.service.as_deref())?;
        let cursor = self.cursor.map(|given| cursor(&given)).transpose()?;
        Ok(overlay::Watched { key, cursor })
    }
}

impl From<&overlay::Watched> for WatchedKey {
    fn from(watched: &overlay::Watched) -> WatchedKey {
        let key: &Key = &watched.key;
        WatchedKey {
            key: Some(Base64::copy(key.as_bytes())),
            key_text: None,
            service: service_of(key),
            cursor: watched.cursor.map(|Cursor(cursor)| Base64::copy(&cursor)),
        }
    }
}

impl Changed {
    /// What has become of this key, as the overlay has it.
    ///
    /// # Errors
    /// When its cursor is none, or its values make no sense.
    pub fn read(self, key: Key) -> Result<overlay::Changed, Refusal> {
        let values = self.values.map(|values| values.into_iter().map(Found::read).collect());
        let cursor = cursor(&self.cursor)?;
        Ok(overlay::Changed { key, cursor, values: values.transpose()? })
    }
}

fn cursor(given: &Base64) -> Result<Cursor, Refusal> {
    let bytes = given.0.as_ref().try_into();
    bytes.map(Cursor).map_err(|_| Refusal::bad("cursor is not one that a watch gave"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_read_as_it_is_written() {
        let keys: Vec<overlay::Watched> = [None, Some(Cursor([7; 16]))]
            .into_iter()
            .map(|cursor| overlay::Watched { key: Key::new("k").unwrap(), cursor })
            .collect();
        let watched: Vec<WatchedKey> = keys.iter().map(WatchedKey::from).collect();
        for values in [false, true] {
            let watch = Watch { watched: Vec::clone(&watched), timeout_s: 0.5, values };
            let body = serde_json::to_vec(&watch).unwrap();
            let (watched, wait) = (keys.clone(), Duration::from_millis(500));
            assert_eq!(Watch::read(&body), Ok(Watching { watched, wait, values }));
        }
    }

    #[test]
    fn what_is_no_watch_is_told_what_one_is() {
        let many = vec!["{\"key_text\": \"k\"}"; WATCHED_MAX + 1].join(", ");
        for (body, told) in [
            ("", "expected a JSON object as in"),
            ("[]", "expected a JSON object as in"),
            ("{\"watched\": []}", "missing field `timeout_s`"),
            ("{\"watched\": [], \"timeout_s\": -1}", "timeout_s is -1; it is from 0 to 300"),
            ("{\"watched\": [], \"timeout_s\": 301}", "timeout_s is 301; it is from 0 to 300"),
            ("{\"watched\": [], \"timeout_s\": 1, \"x\": 1}", "unknown field `x`"),
            ("{\"watched\": [{}], \"timeout_s\": 1}", "key is missing"),
            (
                "{\"watched\": [{\"key_text\": \"k\", \"cursor\": \"AAAA\"}], \"timeout_s\": 1}",
                "cursor is not one that a watch gave",
            ),
            (
                &format!("{{\"watched\": [{many}], \"timeout_s\": 1}}"),
                "watched has more than 256 keys",
            ),
        ] {
            let refused = Watch::read(body.as_bytes()).unwrap_err();
            assert!(refused.message.contains(told), "{body}: {refused:?}");
        }
    }
}
