//! How much one address may ask for.

use std::collections::HashMap;
use std::net::IpAddr;

use base::{Exhausted, Rate, TokenBucket};

/// So many addresses are told apart. Of more, those whose buckets are full are forgotten.
const ADDRESSES_MAX: usize = 16_384;
/// A full bucket's level.
const FULL: u64 = 1000;

/// A bucket for each address.
#[derive(Debug)]
pub(super) struct PerAddress {
    rate: Rate,
    buckets: HashMap<IpAddr, TokenBucket>,
}

impl PerAddress {
    pub(super) fn new(rate: Rate) -> PerAddress {
        PerAddress { rate, buckets: HashMap::new() }
    }

    /// One request more.
    pub(super) fn take(&mut self, ip: IpAddr, now_ms: u64) -> Result<(), Exhausted> {
        let ip = group(ip);
        if self.buckets.len() >= ADDRESSES_MAX && !self.buckets.contains_key(&ip) {
            self.buckets.retain(|_, bucket| bucket.level(now_ms) < FULL);
            if self.buckets.len() >= ADDRESSES_MAX {
                return Err(Exhausted { wait_ms: 1000 });
            }
        }
        let rate = self.rate;
        let bucket = self.buckets.entry(ip).or_insert_with(|| TokenBucket::full(rate, now_ms));
        bucket.take(1, now_ms)
    }
}

/// Of IPv6 one machine has a whole /64.
fn group(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_s_flood_is_not_another_s() {
        let mut limits = PerAddress::new(Rate { burst: 2, per_second: 1 });
        let (one, two) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        assert!(limits.take(one, 0).is_ok() && limits.take(one, 0).is_ok());
        assert!(limits.take(one, 0).is_err());
        assert!(limits.take(two, 0).is_ok());
        assert!(limits.take(one, 1000).is_ok());
        let neighbours = ["2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap()];
        assert!(neighbours.iter().all(|ip| limits.take(*ip, 0).is_ok()));
        assert!(limits.take(neighbours[0], 0).is_err());
    }
}
