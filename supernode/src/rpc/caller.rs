//! Who calls, and with what.

use base::limits::LIST_ROOM;
use base::{Key, SecretTag, Ttl, Value};
use dht::{Dht, DhtError, Receipt};

use super::Fault;
use crate::accounts::PhoneAccounts;
use crate::quota::{OverQuota, Quota};
use crate::services::Services;
use crate::source::Source;

/// Who calls, and what it is answered with.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The overlay.
    pub dht: &'a Dht,
    /// What each source may put.
    pub quota: &'a Quota,
    /// Who offers what.
    pub services: &'a Services,
    /// The phone passwords of names.
    pub phones: &'a PhoneAccounts,
    /// Where it calls from.
    pub source: Source,
}

impl Caller<'_> {
    /// Puts a value, that the caller may put. A service's own key has room for as many as one key of a list
    /// has: more providers find room below it by `scope.advertise`.
    pub(super) async fn put(
        &self,
        key: &Key,
        value: Value,
        tag: SecretTag,
        ttl: Ttl,
    ) -> Result<Receipt, DhtError> {
        if self.services.is_registry_key(key) {
            return self.dht.put_within(key, value, tag, ttl, LIST_ROOM).await;
        }
        self.dht.put(key, value, tag, ttl).await
    }
}

impl From<OverQuota> for Fault {
    fn from(over: OverQuota) -> Fault {
        let OverQuota { class, exhausted } = over;
        let longest = match base::TtlClass::ALL.iter().rev().find(|shorter| **shorter < class) {
            Some(shorter) => format!("; or give a ttl of at most {} s", shorter.longest_s()),
            None => String::new(),
        };
        Fault::OverCapacity(format!(
            "your address has put as much as it may that lives up to {}; {exhausted}{longest}",
            match class {
                base::TtlClass::Hour => "an hour",
                base::TtlClass::Day => "a day",
                base::TtlClass::Week => "seven days",
            },
        ))
    }
}
