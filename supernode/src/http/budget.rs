//! How many bytes of requests and replies are in memory at a time. Nobody waits for some: who cannot
//! have them is told to try again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Bytes of bodies being read or worked on, and of replies being written, at a time.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// What is smaller is not counted: each connection has one request at a time, so that all of these
/// together stay below 4 MiB, and most requests and replies are such.
const SMALL: usize = 4 * 1024;

/// The bytes that all together hold.
#[derive(Debug, Default)]
pub struct Budget {
    held: Arc<AtomicUsize>,
}

/// The bytes that one source holds.
#[derive(Debug, Default)]
pub(super) struct Account {
    held: AtomicUsize,
}

/// Bytes that are held, until this is dropped.
#[derive(Debug)]
pub(super) struct Share(Option<Held>);

#[derive(Debug)]
struct Held {
    all: Arc<AtomicUsize>,
    account: Arc<Account>,
    bytes: usize,
}

/// There is not enough left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoneLeft;

impl Budget {
    /// Takes bytes for a source, which gets as many as it leaves to the others: alone half of all,
    /// two a third each, so that newcomers find some.
    pub(super) fn take(&self, account: &Arc<Account>, bytes: usize) -> Result<Share, NoneLeft> {
        if bytes <= SMALL {
            return Ok(Share(None));
        }
        // Taken first and looked at then, so that the bound holds however many do so at once.
        let all = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let own = account.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let (all_held, account) = (Arc::clone(&self.held), Arc::clone(account));
        let share = Share(Some(Held { all: all_held, account, bytes }));
        if all > BYTES_MAX || own > BYTES_MAX - all { Err(NoneLeft) } else { Ok(share) }
    }
}

impl Share {
    /// The bytes of a text, which count until the last of them has been sent.
    pub(super) fn of(self, text: String) -> Bytes {
        match self.0 {
            None => Bytes::from(text),
            Some(held) => Bytes::from_owner(Counted { text, _held: held }),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
        self.account.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct Counted {
    text: String,
    _held: Held,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn one_source_gets_half_and_leaves_some_to_the_next() {
        let budget = Budget::default();
        let (one, two) = (Arc::new(Account::default()), Arc::new(Account::default()));
        let mut shares = Vec::new();
        while let Ok(share) = budget.take(&one, MIB) {
            shares.push(share);
        }
        assert_eq!(shares.len(), 32);
        let mut others = Vec::new();
        while let Ok(share) = budget.take(&two, MIB) {
            others.push(share);
        }
        assert_eq!(others.len(), 16);
        drop(shares);
        assert!(budget.take(&one, MIB).is_ok());
        drop(others);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
        assert_eq!(one.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_refused_is_given_back() {
        let budget = Budget::default();
        let account = Arc::new(Account::default());
        assert!(budget.take(&account, BYTES_MAX).is_err());
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
        assert_eq!(account.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_replys_bytes_count_until_the_last_copy_of_them_is_gone() {
        let budget = Budget::default();
        let account = Arc::new(Account::default());
        let text = "x".repeat(MIB);
        let bytes = budget.take(&account, text.len()).unwrap().of(text);
        let tail = bytes.slice(MIB - 1..);
        drop(bytes);
        assert_eq!(account.held.load(Ordering::Relaxed), MIB);
        drop(tail);
        assert_eq!(account.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn small_ones_are_not_counted() {
        let budget = Budget::default();
        let account = Arc::new(Account::default());
        let share = budget.take(&account, SMALL).unwrap();
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
        assert_eq!(share.of("ok".into()), "ok");
    }
}
