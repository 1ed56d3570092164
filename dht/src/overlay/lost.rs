//! Members that are gone, and are tried again: they may only have been out of reach. Two parts of an
//! overlay that was split find each other so.

use std::time::Duration;

use base::NodeId;

use super::Now;
use super::local_health::LocalHealth;
use crate::wire::Contact;

/// Members remembered.
const LOST_MAX: usize = 64;
/// Between two attempts.
const RETRY: Duration = Duration::from_secs(2);
/// Tried at each: all of a small event's within some seconds.
const AT_ONCE: usize = 4;

/// Those who were members.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    contacts: Vec<Contact>,
    retry_at: Now,
}

impl Lost {
    /// One is gone.
    pub(crate) fn add(&mut self, contact: Contact, now: Now) {
        if self.contacts.is_empty() {
            self.retry_at = now + RETRY;
        }
        if self.contacts.len() >= LOST_MAX {
            self.contacts.remove(0);
        }
        self.contacts.push(contact);
    }

    /// One is back; whether it was lost.
    pub(crate) fn found(&mut self, id: &NodeId) -> bool {
        let before = self.contacts.len();
        self.contacts.retain(|contact| contact.id != *id);
        self.contacts.len() < before
    }

    /// Whom to try now.
    pub(crate) fn due(
        &mut self,
        rng: &mut fastrand::Rng,
        health: &LocalHealth,
        now: Now,
    ) -> Vec<Contact> {
        if now < self.retry_at || self.contacts.is_empty() {
            return Vec::new();
        }
        self.retry_at = now + health.stretch(RETRY);
        rng.choose_multiple(self.contacts.iter(), AT_ONCE).into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::view::tests::peer;

    #[test]
    fn who_is_lost_is_tried_until_it_is_found() {
        let (mut lost, mut rng) = (Lost::default(), fastrand::Rng::with_seed(1));
        let contact = |n| Contact { id: peer(n).id, addresses: Vec::new() };
        (0..6).for_each(|n| lost.add(contact(n), Now::ZERO));
        let health = LocalHealth::default();
        let mut tried = std::collections::BTreeSet::new();
        for second in 0..30 {
            tried.extend(
                lost.due(&mut rng, &health, Duration::from_secs(second)).iter().map(|c| c.id),
            );
        }
        assert_eq!(tried.len(), 6);
        assert!(lost.found(&peer(3).id) && !lost.found(&peer(3).id));
        (0..6).filter(|n| *n != 3).for_each(|n| assert!(lost.found(&peer(n).id)));
        assert!(lost.due(&mut rng, &health, Duration::from_secs(99)).is_empty());
        (0..100).for_each(|n| lost.add(contact(n), Now::ZERO));
        assert_eq!(lost.contacts.len(), LOST_MAX);
    }
}
