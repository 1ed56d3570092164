//! How much may be asked for: by one address, by one port of it, of one person, and by one address of one
//! person. Whatever exceeds one of them counts for none of the others, so that a flood does not use up
//! what others are to have.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};

use base::{Exhausted, Rate, TokenBucket};

/// So many of each kind are told apart. Of more, those whose buckets are full are forgotten.
const EACH_MAX: usize = 16_384;
/// A full bucket's level.
const FULL: u64 = 1000;
/// Between two looks for full buckets. Of an attack from very many ports, each of which is new, none may
/// cost a walk through all.
const SWEEP_MS: u64 = 1000;

/// How many new requests there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// From one address. A crowd behind one NAT that registers sends some hundred.
    pub address: Rate,
    /// From one port of an address. A phone that starts sends some ten.
    pub port: Rate,
    /// INVITEs and REGISTERs for one person from one address. A phone registers once a minute, and who
    /// is refused calls again.
    pub pair: Rate,
    /// INVITEs and REGISTERs for one person from all addresses: more than any crowd calls one phone,
    /// and no more than that phone can refuse.
    pub person: Rate,
}

impl Default for Rates {
    fn default() -> Rates {
        Rates {
            address: Rate { burst: 400, per_second: 100 },
            port: Rate { burst: 120, per_second: 30 },
            pair: Rate { burst: 20, per_second: 4 },
            person: Rate { burst: 200, per_second: 50 },
        }
    }
}

/// Buckets of all kinds.
#[derive(Debug)]
pub(super) struct Limiter {
    ports: Buckets<SocketAddr>,
    pairs: Buckets<(IpAddr, u64)>,
    addresses: Buckets<IpAddr>,
    people: Buckets<u64>,
}

impl Limiter {
    pub(super) fn new(rates: Rates) -> Limiter {
        Limiter {
            ports: Buckets::new(rates.port),
            pairs: Buckets::new(rates.pair),
            addresses: Buckets::new(rates.address),
            people: Buckets::new(rates.person),
        }
    }

    /// One request more, for a person (whose hash is given) if it is an INVITE or a REGISTER. The
    /// narrowest bound comes first.
    pub(super) fn take(
        &mut self,
        peer: SocketAddr,
        person: Option<u64>,
        now_ms: u64,
    ) -> Result<(), Exhausted> {
        let address = group(peer.ip());
        self.ports.take(SocketAddr::new(peer.ip().to_canonical(), peer.port()), 1, now_ms)?;
        if let Some(person) = person {
            self.pairs.take((address, person), 1, now_ms)?;
        }
        self.addresses.take(address, 1, now_ms)?;
        person.map_or(Ok(()), |person| self.people.take(person, 1, now_ms))
    }
}

/// A bucket for each of a kind.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    rate: Rate,
    buckets: HashMap<K, TokenBucket>,
    /// When full ones were forgotten last.
    swept_ms: Option<u64>,
}

impl<K: Eq + Hash> Buckets<K> {
    pub(super) fn new(rate: Rate) -> Buckets<K> {
        Buckets { rate, buckets: HashMap::new(), swept_ms: None }
    }

    /// Whether so much is there.
    pub(super) fn has(&self, key: &K, amount: u64, now_ms: u64) -> bool {
        let level = self.buckets.get(key).map_or(FULL, |bucket| bucket.level(now_ms));
        level.saturating_mul(self.rate.burst) >= amount.saturating_mul(FULL)
    }

    /// So many more.
    pub(super) fn take(&mut self, key: K, amount: u64, now_ms: u64) -> Result<(), Exhausted> {
        if self.buckets.len() >= EACH_MAX && !self.buckets.contains_key(&key) {
            if self.swept_ms.is_none_or(|swept_ms| now_ms >= swept_ms + SWEEP_MS) {
                self.buckets.retain(|_, bucket| bucket.level(now_ms) < FULL);
                self.swept_ms = Some(now_ms);
            }
            if self.buckets.len() >= EACH_MAX {
                return Err(Exhausted { wait_ms: SWEEP_MS });
            }
        }
        let rate = self.rate;
        let bucket = self.buckets.entry(key).or_insert_with(|| TokenBucket::full(rate, now_ms));
        bucket.take(amount, now_ms)
    }
}

/// Of IPv6 one machine has a whole /64.
pub(super) fn group(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(address: u64, port: u64, pair: u64, person: u64) -> Limiter {
        let rate = |burst| Rate { burst, per_second: 1 };
        Limiter::new(Rates {
            address: rate(address),
            port: rate(port),
            pair: rate(pair),
            person: rate(person),
        })
    }

    fn taken(limiter: &mut Limiter, peer: &str, person: Option<u64>, times: usize) -> usize {
        let peer = peer.parse().unwrap();
        (0..times).filter(|_| limiter.take(peer, person, 0).is_ok()).count()
    }

    #[test]
    fn one_address_s_flood_is_not_another_s() {
        let mut limits = limiter(4, 2, 9, 9);
        assert_eq!(taken(&mut limits, "192.0.2.1:1", None, 9), 2, "a port's");
        assert_eq!(taken(&mut limits, "192.0.2.1:2", None, 9), 2, "another port's");
        assert_eq!(taken(&mut limits, "192.0.2.1:3", None, 9), 0, "the address's");
        assert_eq!(taken(&mut limits, "192.0.2.2:1", None, 9), 2);
        assert!(limits.take("192.0.2.1:1".parse().unwrap(), None, 1000).is_ok());
        assert_eq!(taken(&mut limits, "[2001:db8::1]:1", None, 9), 2);
        assert_eq!(taken(&mut limits, "[2001:db8::2]:1", None, 9), 2);
        assert_eq!(taken(&mut limits, "[2001:db8::3]:1", None, 9), 0, "one machine's");
    }

    #[test]
    fn who_floods_one_person_leaves_room_for_others_who_call_her() {
        let mut limits = limiter(100, 100, 3, 8);
        assert_eq!(taken(&mut limits, "192.0.2.1:1", Some(1), 50), 3);
        assert_eq!(taken(&mut limits, "192.0.2.1:2", Some(1), 50), 0, "from any port");
        assert_eq!(taken(&mut limits, "192.0.2.1:1", Some(2), 1), 1, "another is called");
        assert_eq!(taken(&mut limits, "192.0.2.2:1", Some(1), 3), 3);
        assert_eq!(taken(&mut limits, "192.0.2.3:1", Some(1), 3), 2, "enough of her");
    }

    #[test]
    fn what_is_new_to_a_full_table_waits_until_it_is_looked_through_again() {
        let mut buckets = Buckets::new(Rate { burst: 1, per_second: 1 });
        for key in 0..EACH_MAX {
            buckets.take(key, 1, 0).unwrap();
        }
        // The first that finds no room looks; by the next look those are full again.
        assert_eq!(buckets.take(EACH_MAX, 1, 500), Err(Exhausted { wait_ms: SWEEP_MS }));
        assert_eq!(buckets.take(EACH_MAX, 1, 1400), Err(Exhausted { wait_ms: SWEEP_MS }));
        assert_eq!(buckets.take(0, 1, 1400), Ok(()), "who is known is served");
        assert_eq!(buckets.take(EACH_MAX, 1, 1500), Ok(()));
        assert_eq!(buckets.buckets.len(), 2, "the others are forgotten");
    }
}
