//! What this node advertises, for itself and for programs that asked it to, and when each is to be renewed.
//! No clock: time, in milliseconds since the start, is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::list::Seat;
use base::{Secret, ServiceId, Ttl};
use tokio::sync::Mutex;

use super::contact::Contact;
use super::error::ServiceError;
use crate::source::Source;

/// Renewals within a lease: two may fail.
const RENEWALS: u64 = 3;
/// Until a renewal that failed is tried again.
const RETRY_MS: u64 = 2000;
/// Advertisements of one node: at 20 s for each, 50 renewals a second.
const ADVERTISEMENTS_MAX: usize = 1024;
/// Those of one source other than this machine: a laptop offers some services, not hundreds.
const OF_SOURCE_MAX: usize = 64;

/// What names an advertisement.
pub(super) type Name = (ServiceId, Contact);

/// The advertisements of a node.
#[derive(Debug)]
pub(super) struct Ledger {
    /// How long one lives without its node, in seconds.
    lease_s: u64,
    all: BTreeMap<Name, Advertisement>,
}

/// Something that is advertised.
#[derive(Debug)]
struct Advertisement {
    /// Who asked for it.
    source: Source,
    /// Guards it; shown when it is withdrawn, and never used again.
    secret: Secret,
    ends_ms: u64,
    renew_ms: u64,
    seat: Option<Seat>,
    /// It is to be renewed no more.
    withdrawn: bool,
    turn: Turn,
}

/// Held by whoever changes an advertisement in the overlay, so that no renewal comes behind a withdrawal.
pub(super) type Turn = Arc<Mutex<()>>;

/// How to put an advertisement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) secret: Secret,
    pub(super) ttl: Ttl,
    pub(super) seat: Option<Seat>,
}

impl Ledger {
    /// None yet.
    pub(super) fn new(lease_s: u64) -> Ledger {
        Ledger { lease_s, all: BTreeMap::new() }
    }

    /// A source advertises something for `ttl` from now on; again, if it does already. Of two sources
    /// that do, the first is its owner, and the later end counts. `secret` is new, and guards it if it is.
    pub(super) fn advertise(
        &mut self,
        name: Name,
        source: Source,
        secret: Secret,
        ttl: Ttl,
        now_ms: u64,
    ) -> Result<Turn, ServiceError> {
        self.all.retain(|_, known| known.ends_ms > now_ms);
        let ends_ms = now_ms.saturating_add(ttl.as_secs() * 1000);
        if let Some(known) = self.all.get_mut(&name).filter(|known| !known.withdrawn) {
            known.ends_ms =
                if known.source == source { ends_ms } else { ends_ms.max(known.ends_ms) };
            known.renew_ms = now_ms;
            return Ok(Arc::clone(&known.turn));
        }
        if self.all.len() >= ADVERTISEMENTS_MAX {
            let whose = "all advertisements there may be are";
            return Err(ServiceError::TooMany { whose, max: ADVERTISEMENTS_MAX });
        }
        let of_source = self.all.values().filter(|known| known.source == source).count();
        if !source.is_loopback() && of_source >= OF_SOURCE_MAX {
            let whose = "all advertisements your address may have are";
            return Err(ServiceError::TooMany { whose, max: OF_SOURCE_MAX });
        }
        // One that is being withdrawn has a turn already.
        let turn = self.all.get(&name).map(|known| Arc::clone(&known.turn)).unwrap_or_default();
        let advertisement = Advertisement {
            source,
            secret,
            ends_ms,
            renew_ms: now_ms,
            seat: None,
            withdrawn: false,
            turn: Arc::clone(&turn),
        };
        self.all.insert(name, advertisement);
        Ok(turn)
    }

    /// How to put one now; `None` if it has ended or was withdrawn.
    pub(super) fn lease(&self, name: &Name, now_ms: u64) -> Option<Lease> {
        let known = self.all.get(name).filter(|known| !known.withdrawn)?;
        let left_s = known.ends_ms.checked_sub(now_ms).filter(|left| *left > 0)?.div_ceil(1000);
        let ttl = Ttl::from_secs(left_s.min(self.lease_s).cast_signed()).ok()?;
        Some(Lease { secret: known.secret.clone(), ttl, seat: known.seat })
    }

    /// One was put.
    pub(super) fn renewed(&mut self, name: &Name, seat: Seat, now_ms: u64) {
        if let Some(known) = self.all.get_mut(name) {
            known.seat = Some(seat);
            known.renew_ms = now_ms + self.lease_s * 1000 / RENEWALS;
        }
    }

    /// One could not be put.
    pub(super) fn failed(&mut self, name: &Name, now_ms: u64) {
        if let Some(known) = self.all.get_mut(name) {
            known.renew_ms = now_ms + RETRY_MS;
        }
    }

    /// Those to be put now.
    pub(super) fn due(&mut self, now_ms: u64) -> Vec<(Name, Turn)> {
        self.all.retain(|_, known| known.ends_ms > now_ms);
        let due = self.all.iter().filter(|(_, a)| !a.withdrawn && a.renew_ms <= now_ms);
        due.map(|(name, known)| (name.clone(), Arc::clone(&known.turn))).collect()
    }

    /// When the next one is due.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        self.all.values().filter(|known| !known.withdrawn).map(|known| known.renew_ms).min()
    }

    /// A source withdraws one: it is not renewed any more, and removing it takes this secret. `None` if
    /// this node does not advertise it.
    pub(super) fn withdraw(
        &mut self,
        name: &Name,
        source: Source,
        now_ms: u64,
    ) -> Result<Option<(Turn, Secret)>, ServiceError> {
        let Some(known) = self.all.get_mut(name).filter(|known| known.ends_ms > now_ms) else {
            return Ok(None);
        };
        if known.source != source && !source.is_loopback() {
            return Err(ServiceError::NotYours);
        }
        known.withdrawn = true;
        Ok(Some((Arc::clone(&known.turn), known.secret.clone())))
    }

    /// One is gone from the overlay, or never came there. One that was advertised anew meanwhile stays.
    pub(super) fn forget(&mut self, name: &Name) {
        if self.all.get(name).is_some_and(|known| known.withdrawn) {
            self.all.remove(name);
        }
    }

    /// Withdraws all.
    pub(super) fn withdraw_all(&mut self) -> Vec<(Name, Turn, Secret)> {
        self.all.values_mut().for_each(|known| known.withdrawn = true);
        let all = self.all.iter();
        all.map(|(name, a)| (name.clone(), Arc::clone(&a.turn), a.secret.clone())).collect()
    }

    /// The services it offers.
    pub(super) fn services(&self) -> BTreeSet<ServiceId> {
        let live = self.all.iter().filter(|(_, known)| !known.withdrawn);
        live.map(|((service, _), _)| service.clone()).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.values().filter(|known| !known.withdrawn).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENEW_MS: u64 = 20_000;
    const SEAT: Seat = Seat { depth: 1, enrolled_until_ms: 9 };

    fn source(host: u8) -> Source {
        Source::of([192, 0, 2, host].into())
    }

    fn name(port: usize) -> Name {
        (ServiceId::new("S").unwrap(), format!("laptop:{port}").parse().unwrap())
    }

    fn secret() -> Secret {
        Secret::new("a secret").unwrap()
    }

    fn ttl(seconds: i64) -> Ttl {
        Ttl::from_secs(seconds).unwrap()
    }

    #[test]
    fn an_advertisement_is_renewed_at_a_third_of_its_lease_until_it_ends() {
        let mut ledger = Ledger::new(60);
        ledger.advertise(name(1), source(1), secret(), ttl(90), 0).unwrap();
        assert_eq!(
            ledger.lease(&name(1), 0),
            Some(Lease { secret: secret(), ttl: ttl(60), seat: None })
        );
        ledger.renewed(&name(1), SEAT, 0);
        assert_eq!(ledger.due(RENEW_MS - 1).len(), 0);
        assert_eq!((ledger.due(RENEW_MS).len(), ledger.next_due_ms()), (1, Some(RENEW_MS)));
        // It never lives for longer than it was asked to.
        let last = ledger.lease(&name(1), 80_500);
        assert_eq!(last, Some(Lease { secret: secret(), ttl: ttl(10), seat: Some(SEAT) }));
        ledger.failed(&name(1), 80_500);
        assert_eq!(ledger.next_due_ms(), Some(80_500 + RETRY_MS));
        assert_eq!((ledger.lease(&name(1), 90_000), ledger.due(90_000).len()), (None, 0));
        assert_eq!(ledger.len(), 0);
    }

    #[test]
    fn who_advertised_withdraws_and_so_does_this_machine() {
        let mut ledger = Ledger::new(60);
        ledger.advertise(name(1), source(1), secret(), ttl(90), 0).unwrap();
        let refused = ledger.withdraw(&name(1), source(2), 1).unwrap_err();
        assert_eq!(refused, ServiceError::NotYours);
        assert!(ledger.withdraw(&name(2), source(1), 1).unwrap().is_none());
        assert!(ledger.withdraw(&name(1), source(1), 1).unwrap().is_some());
        assert_eq!((ledger.lease(&name(1), 1), ledger.due(1).len()), (None, 0));
        assert!(ledger.services().is_empty());
        assert!(ledger.withdraw(&name(1), source(1), 1).unwrap().is_some(), "as often as it takes");
        ledger.advertise(name(1), source(1), secret(), ttl(90), 2).unwrap();
        ledger.forget(&name(1));
        assert_eq!(ledger.len(), 1, "advertised anew meanwhile");
        let own = Source::of([127, 0, 0, 1].into());
        assert!(ledger.withdraw(&name(1), own, 3).unwrap().is_some());
        ledger.forget(&name(1));
        assert!(ledger.withdraw(&name(1), own, 3).unwrap().is_none());
    }

    #[test]
    fn another_source_cannot_shorten_an_advertisement() {
        let mut ledger = Ledger::new(60);
        ledger.advertise(name(1), source(1), secret(), ttl(90), 0).unwrap();
        ledger.advertise(name(1), source(2), secret(), ttl(1), 0).unwrap();
        assert!(ledger.lease(&name(1), 89_000).is_some());
        ledger.advertise(name(1), source(1), secret(), ttl(1), 0).unwrap();
        assert!(ledger.lease(&name(1), 1000).is_none());
    }

    #[test]
    fn advertisements_are_bounded_for_a_source_and_for_all() {
        let mut ledger = Ledger::new(60);
        let mut advertise = |port, source: Source| {
            ledger.advertise(name(port), source, secret(), ttl(9), 0).is_ok()
        };
        assert!((1..=OF_SOURCE_MAX).all(|port| advertise(port, source(1))));
        assert!(!advertise(OF_SOURCE_MAX + 1, source(1)));
        assert!(advertise(1, source(1)), "again");
        let own = Source::of([127, 0, 0, 1].into());
        assert!((100..100 + ADVERTISEMENTS_MAX - OF_SOURCE_MAX).all(|port| advertise(port, own)));
        assert!(!advertise(60_000, own));
        assert!(
            ledger.advertise(name(60_000), own, secret(), ttl(9), 9000).is_ok(),
            "the others ended"
        );
    }
}
