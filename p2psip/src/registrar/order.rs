//! The order of a phone's REGISTERs (RFC 3261 §10.3, step 7): one that was overtaken changes nothing.

use std::collections::HashMap;

use crate::location::Aor;

/// So many registrations are remembered, 40 bytes and an address each.
const REMEMBERED_MAX: usize = 100_000;

/// The last REGISTER of each call that changed something, for as long as its bindings can last.
#[derive(Debug, Default)]
pub struct Order {
    last: HashMap<(Aor, u64), Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    number: u32,
    until_ms: u64,
}

/// A newer REGISTER of the same call was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a later REGISTER of the call came before this one")]
pub struct OutOfOrder;

impl Order {
    /// Notes a REGISTER: of a call, whose hash is given, with its CSeq.
    ///
    /// # Errors
    /// [`OutOfOrder`], and it is to be answered with 500 and to change nothing.
    pub fn note(
        &mut self,
        aor: &Aor,
        call: u64,
        number: u32,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<(), OutOfOrder> {
        let key = (aor.clone(), call);
        if let Some(last) = self.last.get(&key)
            && last.until_ms > now_ms
            && last.number >= number
        {
            return Err(OutOfOrder);
        }
        if self.last.len() >= REMEMBERED_MAX {
            self.last.retain(|_, last| last.until_ms > now_ms);
        }
        // Without room order is not watched: a phone in disorder matters less than one that is refused.
        if self.last.len() < REMEMBERED_MAX {
            self.last.insert(key, Last { number, until_ms });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Uri;

    #[test]
    fn what_was_overtaken_is_told_from_what_is_next() {
        let aor = Aor::of(&Uri::parse("sip:anna@scope").unwrap()).unwrap();
        let mut order = Order::default();
        assert_eq!(order.note(&aor, 1, 5, 0, 100), Ok(()));
        assert_eq!(order.note(&aor, 1, 5, 1, 100), Err(OutOfOrder));
        assert_eq!(order.note(&aor, 1, 4, 1, 100), Err(OutOfOrder));
        assert_eq!(order.note(&aor, 1, 6, 1, 100), Ok(()));
        assert_eq!(order.note(&aor, 2, 1, 1, 100), Ok(()), "another call has its own order");
        assert_eq!(order.note(&aor, 1, 1, 100, 200), Ok(()), "it was forgotten");
    }
}
