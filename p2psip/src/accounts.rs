//! Whose names are protected by a SIP password, told by whoever implements [`Accounts`] (the daemon does
//! from the overlay's records, [`MemoryAccounts`] does in memory). A name without an account is open:
//! anybody may use it, and is marked as unverified.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::digest::Algorithm;
use crate::location::{Answer, Aor};

/// The realm all SIP passwords are of.
pub const REALM: &str = "scope";

/// A protected name: hashes of name, [`REALM`] and password ([`Algorithm::ha1`]), in lower-case digits.
/// Who has one can pass for the user, so that it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The name as it was hashed: what the phone has to give as its user name.
    pub user: Box<str>,
    /// With MD5, which every phone knows.
    pub md5: Box<str>,
    /// With SHA-256, if it is kept.
    pub sha256: Option<Box<str>>,
}

impl Account {
    /// The account of a name with this password, with both hashes.
    pub fn new(user: &str, password: &str) -> Account {
        let ha1 = |algorithm: Algorithm| algorithm.ha1(user, REALM, password).into();
        let (md5, sha256) = (ha1(Algorithm::Md5), Some(ha1(Algorithm::Sha256)));
        Account { user: user.into(), md5, sha256 }
    }

    /// The hash with an algorithm, if there is one.
    pub fn ha1(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Md5 => Some(&self.md5),
            Algorithm::Sha256 => self.sha256.as_deref(),
        }
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Tells protected names from open ones. It is asked for each REGISTER, and for each request of somebody
/// who is not on the flow of a registration: an implementation that asks others is to remember.
pub trait Accounts: Send + Sync + 'static {
    /// The account of a name, none if it is open. As long as that is not known nobody can use the name,
    /// so that an error is better than a guess.
    fn account(&self, aor: &Aor) -> Answer<Option<Account>>;
}

/// Accounts in this process's memory: for a proxy alone, and for tests.
#[derive(Clone, Default)]
pub struct MemoryAccounts(Arc<Mutex<HashMap<Aor, Account>>>);

impl MemoryAccounts {
    /// One in which all names are open.
    pub fn new() -> MemoryAccounts {
        MemoryAccounts::default()
    }

    /// Protects a name, or with `None` opens it.
    pub fn set(&self, aor: Aor, account: Option<Account>) {
        match account {
            Some(account) => self.accounts().insert(aor, account),
            None => self.accounts().remove(&aor),
        };
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Aor, Account>> {
        // What it guards is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accounts for MemoryAccounts {
    fn account(&self, aor: &Aor) -> Answer<Option<Account>> {
        Box::pin(ready(Ok(self.accounts().get(aor).cloned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Uri;

    #[tokio::test]
    async fn a_name_is_protected_until_it_is_opened() {
        let accounts = MemoryAccounts::new();
        let anna = Aor::of(&Uri::parse("sip:anna@scope").unwrap()).unwrap();
        assert_eq!(accounts.account(&anna).await, Ok(None));
        accounts.set(anna.clone(), Some(Account::new("anna", "secret")));
        let account = accounts.account(&anna).await.unwrap().unwrap();
        assert_eq!(account.ha1(Algorithm::Md5).map(str::len), Some(32));
        assert_eq!(account.ha1(Algorithm::Sha256).map(str::len), Some(64));
        assert!(!format!("{account:?}").contains(&*account.md5));
        accounts.set(anna.clone(), None);
        assert_eq!(accounts.account(&anna).await, Ok(None));
    }
}
