//! How much each super-node may have this one keep, by how long it is to live.
//!
//! Each bounds what its own clients put, where it can tell them apart. This bound stands for the case
//! that one does not, or does worse.

use std::sync::{Mutex, PoisonError};

use base::{Allowances, Entry, Exhausted, NodeId, Rate, TtlClass};

use crate::overlay::Now;
use crate::store::OVERHEAD;

const MIB: u64 = 1024 * 1024;
/// For each class of ttl, what one super-node may write here at once and each second, in bytes: as much
/// as a hundred busy clients. The store keeps room for the shorter-lived in any case.
const RATES: [Rate; 3] = [
    Rate { burst: 256 * MIB, per_second: 8 * MIB },
    Rate { burst: 256 * MIB, per_second: 4 * MIB },
    Rate { burst: 256 * MIB, per_second: 2 * MIB },
];
/// Super-nodes remembered: more than a node has connections.
const KNOWN_MAX: usize = 1024;

/// What each super-node may still write here.
#[derive(Debug)]
pub(crate) struct Quotas(Mutex<Allowances<NodeId, 3>>);

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas(Mutex::new(Allowances::new(RATES, KNOWN_MAX)))
    }
}

impl Quotas {
    /// A super-node writes an entry.
    pub(crate) fn take(&self, from: NodeId, entry: &Entry, now: Now) -> Result<(), Exhausted> {
        let class = TtlClass::of(entry.remaining());
        let bytes = (entry.cost() + OVERHEAD) as u64;
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.take(from, class as usize, bytes, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::{Lifetime, SecretTag, Value, Version};

    use super::*;
    use crate::overlay::view::tests::peer;

    #[test]
    fn a_flooder_is_stopped_and_nobody_else() {
        let quotas = Quotas::default();
        let [flooder, other] = [1, 2].map(|n| peer(n).id);
        let entry = |seconds: u64| {
            let value = Value::new(vec![7; 64 * 1024]).unwrap();
            let life = Lifetime::from_millis(seconds * 1000);
            Entry::live(value, SecretTag::NONE, Version::new(1), life)
        };
        let week = entry(604_800);
        let taken = (0..10_000).take_while(|_| quotas.take(flooder, &week, Now::ZERO).is_ok());
        assert!((4000..4100).contains(&taken.count()), "256 MiB");
        let wait = quotas.take(flooder, &week, Now::ZERO).unwrap_err().wait_ms;
        assert!(quotas.take(flooder, &entry(60), Now::ZERO).is_ok(), "another class");
        assert!(quotas.take(other, &week, Now::ZERO).is_ok());
        assert!(quotas.take(flooder, &week, Duration::from_millis(wait)).is_ok());
    }
}
