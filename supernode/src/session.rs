//! Who may use a super-node that has a passphrase: those who say it, and those who hold the token of a
//! session that was opened by saying it. No socket and no clock: time, in milliseconds since the
//! start, is an argument.
//!
//! Everything compared is a keyed hash, in constant time, so that neither the passphrase nor a token
//! can be found out piece by piece. Wrong tries are few for each source.

use std::collections::HashMap;

use base::{Allowances, Exhausted, Rate};
use blake3::Hash;

use crate::source::Source;

/// How long a session lasts: a long day at an event.
const LIFETIME_MS: u64 = 12 * 60 * 60 * 1000;
/// Sessions at a time; above it the oldest ends. A person has one for each browser.
const SESSIONS_MAX: usize = 4096;
/// Sessions one source may open at once, and each second: each pushes an old one out.
const OPENED: Rate = Rate { burst: 64, per_second: 1 };
/// Wrong tries in thousandths: ten at once, then one every ten seconds. At that pace a list of the
/// million likeliest passphrases takes four months from one address.
const WRONG: Rate = Rate { burst: 10_000, per_second: 100 };
const ONE_TRY: u64 = 1000;
/// Sources whose tries are remembered.
const SOURCES_MAX: usize = 4096;

/// The buckets of a source.
const WRONG_TRIES: usize = 0;
const OPENED_SESSIONS: usize = 1;

/// Random bytes of a token.
const TOKEN_LEN: usize = 32;

/// A session's token, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// That is not the passphrase.
    Wrong,
    /// Too many wrong tries, or too many sessions, came from there; it was not even looked at.
    TooOften(Exhausted),
}

/// The sessions of a node with a passphrase.
#[derive(Debug)]
pub struct Sessions {
    key: [u8; 32],
    passphrase: Hash,
    /// When each token's session began.
    open: HashMap<Hash, u64>,
    tries: Allowances<Source, 2>,
}

impl Sessions {
    /// No sessions yet; `key` is random, and this node's alone.
    pub fn new(passphrase: &str, key: [u8; 32]) -> Sessions {
        Sessions {
            key,
            passphrase: blake3::keyed_hash(&key, passphrase.as_bytes()),
            open: HashMap::new(),
            tries: Allowances::new([WRONG, OPENED], SOURCES_MAX),
        }
    }

    /// Whether a source says the passphrase.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn check(&mut self, source: Source, passphrase: &[u8], now_ms: u64) -> Result<(), Denied> {
        self.tries.check(&source, WRONG_TRIES, ONE_TRY, now_ms).map_err(Denied::TooOften)?;
        // Equality of hashes takes the same time wherever they differ.
        if blake3::keyed_hash(&self.key, passphrase) == self.passphrase {
            return Ok(());
        }
        let _ = self.tries.take(source, WRONG_TRIES, ONE_TRY, now_ms);
        Err(Denied::Wrong)
    }

    /// Opens a session for a source that says the passphrase. `random` is not used again.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn open(
        &mut self,
        source: Source,
        passphrase: &[u8],
        random: [u8; TOKEN_LEN],
        now_ms: u64,
    ) -> Result<Token, Denied> {
        self.check(source, passphrase, now_ms)?;
        self.tries.take(source, OPENED_SESSIONS, 1, now_ms).map_err(Denied::TooOften)?;
        self.open.retain(|_, began| now_ms.saturating_sub(*began) < LIFETIME_MS);
        if self.open.len() >= SESSIONS_MAX
            && let Some(oldest) =
                self.open.iter().min_by_key(|(_, began)| **began).map(|(token, _)| *token)
        {
            self.open.remove(&oldest);
        }
        let token = Token(blake3::Hash::from_bytes(random).to_hex().to_string());
        self.open.insert(blake3::keyed_hash(&self.key, token.0.as_bytes()), now_ms);
        Ok(token)
    }

    /// Whether this is the token of an open session.
    pub fn is_open(&self, token: &[u8], now_ms: u64) -> bool {
        // What is looked up is a hash under a key nobody knows, so that how long it takes tells
        // nothing about the tokens there are.
        let began = self.open.get(&blake3::keyed_hash(&self.key, token));
        began.is_some_and(|began| now_ms.saturating_sub(*began) < LIFETIME_MS)
    }
}

impl Token {
    /// How long a new one is good for, in seconds.
    pub const LIFETIME_S: u64 = LIFETIME_MS / 1000;

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSPHRASE: &str = "five words nobody else has";

    fn sessions() -> Sessions {
        Sessions::new(PASSPHRASE, [7; 32])
    }

    fn source(host: u8) -> Source {
        Source::of([192, 0, 2, host].into())
    }

    #[test]
    fn who_says_the_passphrase_gets_a_session_of_twelve_hours() {
        let mut sessions = sessions();
        let token = sessions.open(source(1), PASSPHRASE.as_bytes(), [1; 32], 1000).unwrap();
        assert_eq!(token.as_str().len(), 64);
        assert!(sessions.is_open(token.as_str().as_bytes(), 1000 + LIFETIME_MS - 1));
        assert!(!sessions.is_open(token.as_str().as_bytes(), 1000 + LIFETIME_MS));
        assert!(!sessions.is_open(&token.as_str().as_bytes()[..63], 1000));
        assert!(!sessions.is_open(b"", 1000));
    }

    #[test]
    fn wrong_tries_are_few_and_anothers_cost_nobody_else() {
        let mut sessions = sessions();
        for _ in 0..10 {
            assert_eq!(sessions.check(source(1), b"guess", 0), Err(Denied::Wrong));
        }
        let denied = sessions.check(source(1), PASSPHRASE.as_bytes(), 0);
        assert_eq!(denied, Err(Denied::TooOften(Exhausted { wait_ms: 10_000 })));
        assert_eq!(sessions.check(source(2), PASSPHRASE.as_bytes(), 0), Ok(()));
        assert_eq!(sessions.check(source(1), PASSPHRASE.as_bytes(), 10_000), Ok(()));
        assert_eq!(sessions.check(source(1), b"guess", 10_000), Err(Denied::Wrong));
        assert!(matches!(sessions.check(source(1), b"guess", 10_000), Err(Denied::TooOften(_))));
    }

    #[test]
    fn right_tries_are_as_many_as_one_likes() {
        let mut sessions = sessions();
        for _ in 0..1000 {
            assert_eq!(sessions.check(source(1), PASSPHRASE.as_bytes(), 0), Ok(()));
        }
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_goes_first() {
        let mut sessions = sessions();
        let mut tokens = Vec::new();
        for number in 0..=SESSIONS_MAX as u64 {
            let mut random = [0; 32];
            random[..8].copy_from_slice(&number.to_le_bytes());
            let host = source(u8::try_from(number % 250).unwrap());
            tokens.push(sessions.open(host, PASSPHRASE.as_bytes(), random, number).unwrap());
        }
        assert_eq!(sessions.open.len(), SESSIONS_MAX);
        let is_open = |at: usize| sessions.is_open(tokens[at].as_str().as_bytes(), 5000);
        assert!(!is_open(0) && is_open(1) && is_open(SESSIONS_MAX));
    }

    #[test]
    fn one_source_cannot_end_everybodys_sessions() {
        let mut sessions = sessions();
        let opened = (0..1000)
            .filter(|_| sessions.open(source(1), PASSPHRASE.as_bytes(), [1; 32], 0).is_ok());
        assert_eq!(opened.count(), 64);
    }
}
