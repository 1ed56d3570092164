//! [`Author`]: a person who signs. The key never leaves it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base::{Name, PublicKey, Sequence, SigningKey};

use crate::stamp::Stamp;

/// A person's name and key, and a clock for what is signed.
#[derive(Clone)]
pub struct Author {
    name: Name,
    key: Arc<SigningKey>,
    now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// The highest sequence given out.
    last: Arc<AtomicU64>,
}

impl Author {
    /// A person with this machine's clock.
    pub fn new(name: Name, key: SigningKey) -> Author {
        Author::with_clock(name, key, || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
    }

    /// A person with another clock, in milliseconds since 1970.
    pub fn with_clock(
        name: Name,
        key: SigningKey,
        now_ms: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Author {
        let (key, now_ms) = (Arc::new(key), Arc::new(now_ms));
        Author { name, key, now_ms, last: Arc::default() }
    }

    /// Who signs with another key, by the same clock: for what is not to be seen to be this person's.
    #[must_use]
    pub fn with_key(&self, key: SigningKey) -> Author {
        let (name, now_ms) = (self.name.clone(), Arc::clone(&self.now_ms));
        Author { name, key: Arc::new(key), now_ms, last: Arc::default() }
    }

    /// The name the person claims.
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The person's identity.
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// What signs.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// What time the person's machine has, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        (self.now_ms)()
    }

    /// The stamp of something said now, after all this was seen.
    pub fn stamp(&self, seen: impl IntoIterator<Item = Stamp>) -> Stamp {
        Stamp::after(self.now_ms(), seen)
    }

    /// A sequence above all that this machine has signed with, and above `least`: the milliseconds since
    /// 1970, as two devices of a person need not know of each other.
    pub fn sequence(&self, least: Sequence) -> Sequence {
        let now = self.now_ms().max(least.number().saturating_add(1));
        let before = self.last.fetch_max(now, Ordering::Relaxed);
        if before < now {
            return Sequence::new(now);
        }
        let next = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        Sequence::new(next.max(now))
    }
}

impl fmt::Debug for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Author").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_grow_whatever_the_clock_does() {
        let clock = Arc::new(AtomicU64::new(1000));
        let now = Arc::clone(&clock);
        let author = Author::with_clock(
            Name::new("alice").unwrap(),
            SigningKey::from_bytes(&[1; 32]),
            move || now.load(Ordering::Relaxed),
        );
        let next = |least| author.sequence(Sequence::new(least)).number();
        assert_eq!((next(0), next(0)), (1000, 1001));
        clock.store(10, Ordering::Relaxed);
        assert_eq!((next(0), next(5000), next(0)), (1002, 5001, 5002));
        clock.store(9000, Ordering::Relaxed);
        assert_eq!(next(0), 9000);
    }
}
