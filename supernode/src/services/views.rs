//! What is known without asking: which services there are, and who offers those this node offers too.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base::limits::LIST_ROOM;
use base::list::ListPage;
use base::{Key, Lifetime, ServiceId};
use dht::{DhtError, Found, List};
use tokio::time::sleep;

use super::contact::Contact;

/// Most elements of a list that are read at once: services of an event, or members of a service.
pub(super) const READ_MAX: usize = 1024;
/// Between two looks at a list at least; and at most: as long as an advertisement lives without its node.
const PAUSE_MIN: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// For each super-node there is so much longer: all of them look, and share one radio.
const PAUSE_EACH: Duration = Duration::from_millis(800);

/// The services and members a node knows.
#[derive(Debug, Default)]
pub(super) struct Views {
    /// The services, and until when each is listed, in milliseconds since the start.
    services: HashMap<String, u64>,
    members: BTreeMap<ServiceId, Arc<[Contact]>>,
}

impl Views {
    /// These are all services.
    pub(super) fn set_services(&mut self, found: &[Found], now_ms: u64) {
        self.services = services_of(found)
            .map(|(service, left)| (service.to_string(), now_ms.saturating_add(left.as_millis())))
            .collect();
    }

    /// A service was listed, until then.
    pub(super) fn listed(&mut self, service: &ServiceId, until_ms: u64) {
        self.services.insert(service.to_string(), until_ms);
    }

    /// Until when a service is listed, if it is.
    pub(super) fn listed_until(&self, service: &ServiceId) -> Option<u64> {
        self.services.get(service.as_str()).copied()
    }

    /// Whether there is a service whose own key this is.
    pub(super) fn has_service_of(&self, key: &Key, now_ms: u64) -> bool {
        let is_listed = |name| self.services.get(name).is_some_and(|until| *until > now_ms);
        key.service().is_none() && str::from_utf8(key.as_bytes()).is_ok_and(is_listed)
    }

    /// How many services there are.
    pub(super) fn count(&self) -> usize {
        self.services.len()
    }

    /// These offer a service.
    pub(super) fn set_members(&mut self, service: ServiceId, found: &[Found]) {
        self.members.insert(service, contacts_of(found).into());
    }

    /// A service's members are not looked after any more.
    pub(super) fn forget_members(&mut self, service: &ServiceId) {
        self.members.remove(service);
    }

    /// Who offers a service, if that is looked after.
    pub(super) fn members(&self, service: &ServiceId) -> Option<Arc<[Contact]>> {
        self.members.get(service).cloned()
    }
}

/// The services among what a list holds, with what is left of each one's life; in the list's order.
pub(super) fn services_of(found: &[Found]) -> impl Iterator<Item = (ServiceId, Lifetime)> {
    let service = |found: &Found| {
        let service = ServiceId::from_bytes(found.value.as_bytes()).ok()?;
        Some((service, found.remaining))
    };
    found.iter().filter_map(service)
}

/// The contacts among what a list holds, each once, in the list's order. Others may put there what they
/// like.
pub(super) fn contacts_of(found: &[Found]) -> Vec<Contact> {
    let mut contacts: Vec<Contact> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for found in found {
        if let Ok(contact) = Contact::from_bytes(found.value.as_bytes())
            && seen.insert(contact.clone())
        {
            contacts.push(contact);
        }
    }
    contacts
}

/// The elements of a list, up to [`READ_MAX`].
pub(super) async fn read_all(list: &List) -> Result<Vec<Found>, DhtError> {
    let (mut found, mut from, mut pages) = (Vec::new(), None, 0);
    loop {
        let page: ListPage<Found> = list.page(from, LIST_ROOM).await?;
        found.extend(page.items);
        pages += 1;
        // Keys that only seem to lead on must not keep a reader for ever.
        if page.next.is_none() || found.len() >= READ_MAX || pages >= READ_MAX / 64 {
            found.truncate(READ_MAX);
            return Ok(found);
        }
        from = page.next;
    }
}

/// Tells `publish` a list's elements now and then. Never returns. It is not watched: each renewal of each
/// element is a change, so that in a hall of dozens who all offer the same all would be told of one by three
/// replicas several times a second.
pub(super) async fn follow(dht: dht::Dht, list: List, publish: impl Fn(&[Found])) {
    loop {
        match read_all(&list).await {
            Ok(found) => publish(&found),
            Err(error) => tracing::debug!(%error, "a list could not be read; trying again"),
        }
        let supernodes = dht.status().peers.len() + 1;
        sleep(pause(supernodes).mul_f64(0.75 + fastrand::f64() / 2.0)).await;
    }
}

/// How long one of so many super-nodes waits between two looks.
fn pause(supernodes: usize) -> Duration {
    let all = PAUSE_EACH.saturating_mul(u32::try_from(supernodes).unwrap_or(u32::MAX));
    all.clamp(PAUSE_MIN, PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use base::{EntryId, SecretTag, Value};

    use super::*;

    fn found(text: &str, secret: &str) -> Found {
        let value = Value::new(text.to_owned()).unwrap();
        let secret = base::Secret::new(secret.to_owned()).unwrap();
        let tag = if secret.as_bytes().is_empty() { SecretTag::NONE } else { secret.tag() };
        Found { id: EntryId::of(&value, tag), value, remaining: Lifetime::from_millis(5000) }
    }

    #[test]
    fn what_is_no_contact_is_skipped_and_one_put_twice_is_one() {
        let all = [
            found("192.0.2.1:5061", "a"),
            found("hello", ""),
            found("192.0.2.1:5061", ""),
            found("laptop:80", ""),
        ];
        let contacts: Vec<String> = contacts_of(&all).iter().map(Contact::to_string).collect();
        assert_eq!(contacts, ["192.0.2.1:5061", "laptop:80"]);
    }

    #[test]
    fn all_super_nodes_together_look_as_often_however_many_there_are() {
        let seconds = |supernodes| pause(supernodes).as_secs_f64();
        assert_eq!([1, 6, 9, 72, 5000].map(seconds), [5.0, 5.0, 7.2, 57.6, 60.0]);
    }

    #[test]
    fn a_key_is_a_services_own_as_long_as_it_is_listed() {
        let mut views = Views::default();
        views.set_services(&[found("P2PSIP", ""), found("not one", "")], 1000);
        let key = Key::new("P2PSIP").unwrap();
        assert_eq!(views.count(), 1);
        assert!(views.has_service_of(&key, 5999) && !views.has_service_of(&key, 6000));
        assert!(!views.has_service_of(&Key::new("other").unwrap(), 1000));
        let within = Key::in_service(&ServiceId::new("S").unwrap(), "P2PSIP").unwrap();
        assert!(!views.has_service_of(&within, 1000));
    }
}
