//! How much each source may put, by how long it is to live. Super-nodes bound what they take from each
//! other as well; this bound stands where a client can be told from the next.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use base::limits::TOMBSTONE_MAX;
use base::{Allowances, Exhausted, Key, Lifetime, Rate, TtlClass, Value};

use crate::source::Source;

/// For each class of ttl, what one source may put at once and each second, in bytes. In each class it
/// can have 256 MiB alive at a time and no more, half of a memory store: 32 MiB at once, and what
/// flows within the class's longest ttl, 225 MiB, 211 MiB and 221 MiB. A person who shares
/// pictures puts a few MiB; a program that puts 100 bytes each second for a day is at a sixth of the
/// flow.
const RATES: [Rate; 3] = [
    Rate { burst: 32 * MIB, per_second: 64 * 1024 },
    Rate { burst: 32 * MIB, per_second: 2560 },
    Rate { burst: 32 * MIB, per_second: 384 },
];
const MIB: u64 = 1024 * 1024;
/// What an entry costs a node beside its key and value: the memory store's bound for it.
const OVERHEAD: u64 = 300;
/// Sources that are remembered: more than an event has people, in some 800 KiB.
const SOURCES_MAX: usize = 4096;

/// What each source may still put.
#[derive(Debug)]
pub struct Quota {
    started: Instant,
    left: Mutex<Allowances<Source, 3>>,
    refused: [AtomicU64; 3],
}

/// A source has put as much as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverQuota {
    /// Of what kind.
    pub class: TtlClass,
    /// When there is room again.
    pub exhausted: Exhausted,
}

impl Quota {
    /// Everybody may put all of theirs.
    pub fn new() -> Quota {
        Quota {
            started: Instant::now(),
            left: Mutex::new(Allowances::new(RATES, SOURCES_MAX)),
            refused: [const { AtomicU64::new(0) }; 3],
        }
    }

    /// A source puts a value. This machine's own programs may put what they like: whoever runs
    /// programs here can do worse.
    ///
    /// # Errors
    /// [`OverQuota`] if that is too much.
    pub(crate) fn put(
        &self,
        source: Source,
        key: &Key,
        value: &Value,
        lifetime: Lifetime,
    ) -> Result<(), OverQuota> {
        let bytes = key.as_bytes().len() + value.as_bytes().len();
        self.take(source, lifetime, OVERHEAD + bytes as u64)
    }

    /// A source removes a value, which leaves a tombstone for a week.
    ///
    /// # Errors
    /// [`OverQuota`] if that is too much.
    pub(crate) fn remove(&self, source: Source) -> Result<(), OverQuota> {
        self.take(source, Lifetime::TOMBSTONE, TOMBSTONE_MAX as u64)
    }

    /// How many puts of a class were refused.
    pub fn refused(&self, class: TtlClass) -> u64 {
        self.refused[class as usize].load(Ordering::Relaxed)
    }

    fn take(&self, source: Source, lifetime: Lifetime, bytes: u64) -> Result<(), OverQuota> {
        if source.is_loopback() {
            return Ok(());
        }
        let class = TtlClass::of(lifetime);
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.take(source, class as usize, bytes, now).map_err(|exhausted| {
            self.refused[class as usize].fetch_add(1, Ordering::Relaxed);
            OverQuota { class, exhausted }
        })
    }
}

impl Default for Quota {
    fn default() -> Quota {
        Quota::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_can_have_more_than_a_quarter_of_a_gibibyte_alive_in_a_class() {
        for (class, rate) in TtlClass::ALL.into_iter().zip(RATES) {
            let most = rate.most_within(class.longest_s());
            assert!((240 * MIB..=258 * MIB).contains(&most), "{}: {most}", class.name());
        }
    }

    #[test]
    fn a_flood_of_what_lives_long_is_refused_and_this_machine_is_not() {
        let quota = Quota::new();
        let (key, value) = (Key::new("k").unwrap(), Value::new(vec![0; 65_536]).unwrap());
        let put = |host: [u8; 4], s: u64| {
            quota.put(Source::of(host.into()), &key, &value, Lifetime::from_millis(s * 1000))
        };
        let refused = (0..1000).find_map(|_| put([192, 0, 2, 1], 604_800).err()).unwrap();
        assert_eq!(refused.class, TtlClass::Week);
        assert!(refused.exhausted.wait_ms > 0);
        assert_eq!((quota.refused(TtlClass::Week), quota.refused(TtlClass::Hour)), (1, 0));
        assert_eq!(put([192, 0, 2, 1], 3600), Ok(()));
        assert_eq!(put([192, 0, 2, 2], 604_800), Ok(()));
        assert!(quota.remove(Source::of([192, 0, 2, 1].into())).is_ok(), "a little is left");
        for _ in 0..1000 {
            assert_eq!(put([127, 0, 0, 1], 604_800), Ok(()));
        }
    }
}
