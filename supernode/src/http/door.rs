//! The door of a node that has a passphrase: whether a request may come in, by what its head says.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::random;
use crate::session::{Denied, Sessions, Token};
use crate::source::Source;

/// The door of a node with a passphrase.
#[derive(Debug)]
pub struct Door {
    started: Instant,
    sessions: Mutex<Sessions>,
}

impl Door {
    /// Closed for all who do not know the passphrase.
    ///
    /// # Errors
    /// The system's, if it has no random numbers.
    pub fn new(passphrase: &str) -> io::Result<Door> {
        let sessions = Mutex::new(Sessions::new(passphrase, random::bytes()?));
        Ok(Door { started: Instant::now(), sessions })
    }

    /// Opens a session for a source that says the passphrase.
    pub(super) fn open_session(
        &self,
        source: Source,
        passphrase: &str,
    ) -> io::Result<Result<Token, Denied>> {
        let random = random::bytes()?;
        Ok(self.sessions().open(source, passphrase.as_bytes(), random, self.now_ms()))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request from a source with these header fields may come in.
    pub(super) fn admit(&self, source: Source, headers: &HeaderMap) -> Result<(), Denied> {
        let given = headers.get(AUTHORIZATION).map(|field| field.as_bytes());
        let Some((scheme, rest)) = given.and_then(|field| {
            let space = field.iter().position(|byte| *byte == b' ')?;
            Some((&field[..space], field[space..].trim_ascii()))
        }) else {
            return Err(Denied::Wrong);
        };
        if scheme.eq_ignore_ascii_case(b"bearer") && self.sessions().is_open(rest, self.now_ms()) {
            return Ok(());
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return Err(Denied::Wrong);
        }
        let Ok(pair) = STANDARD.decode(rest) else { return Err(Denied::Wrong) };
        let colon = pair.iter().position(|byte| *byte == b':').ok_or(Denied::Wrong)?;
        self.sessions().check(source, &pair[colon + 1..], self.now_ms())
    }
}
