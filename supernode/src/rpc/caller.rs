//! Who calls, and with what.

use dht::Dht;

use super::Fault;
use crate::quota::{OverQuota, Quota};
use crate::source::Source;

/// Who calls, and what it is answered with.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The overlay.
    pub dht: &'a Dht,
    /// What each source may put.
    pub quota: &'a Quota,
    /// Where it calls from.
    pub source: Source,
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
