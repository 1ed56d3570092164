//! Bindings, and which of several count.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use crate::message::Uri;

/// Where an address of record can be reached. It holds nothing that a refresh changes, so that one which
/// is refreshed is the same entry in whatever keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Binding {
    /// The Contact's URI, byte for byte.
    pub contact: Box<str>,
    /// `+sip.instance` without quotes and brackets (RFC 5626 §4.1).
    pub instance: Option<Box<str>>,
    /// `reg-id` (RFC 5626 §4.2).
    pub reg_id: Option<u32>,
    /// `q` in thousandths.
    pub q: u16,
    /// The SIP address of the super-node that accepted it and holds its flow: its Path.
    pub owner: SocketAddr,
    /// Names the flow at the owner (RFC 5626 §5.2); only the owner can read it.
    pub token: Box<str>,
    /// Whether the contact can be reached without the owner: it came over UDP from just the address it
    /// gives, by no proxy.
    pub direct: bool,
    /// The Path the phone's own proxies gave (RFC 3327), as a value of Route; empty if none.
    pub path: Box<str>,
    /// Whether it takes the media of WebRTC (RFC 8834), as far as that can be known beforehand.
    pub media: Media,
}

impl Binding {
    /// Whether a newer one of these supersedes the other: the same flow of the same device, or else
    /// the same Contact (RFC 5626 §6, RFC 3261 §10.3).
    pub fn replaces(&self, other: &Binding) -> bool {
        match (&self.instance, self.reg_id, &other.instance, other.reg_id) {
            (Some(one), Some(reg), Some(two), Some(other_reg)) => one == two && reg == other_reg,
            (Some(one), None, Some(two), None) if one == two => true,
            _ => self.is_at(&other.contact),
        }
    }

    /// Whether its Contact is equivalent to a URI (RFC 3261 §19.1.4).
    pub fn is_at(&self, contact: &str) -> bool {
        *self.contact == *contact
            || matches!((Uri::parse(&self.contact), Uri::parse(contact)), (Ok(a), Ok(b)) if a == b)
    }
}

/// What media a contact is known to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Media {
    /// Plain RTP, so far as is known: it is a phone that knows nothing of WebRTC.
    #[default]
    Plain,
    /// That of WebRTC only: it is a browser.
    WebRtc,
    /// Either: it is a phone that is known to do both.
    Both,
}

/// A binding that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// What it says: shared by all who keep it.
    pub binding: Arc<Binding>,
    /// A higher one is newer.
    pub version: u64,
    /// For how long it counts still.
    pub remaining: Duration,
}

/// What is known of an address of record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The bindings that count, in no order.
    pub bound: Vec<Bound>,
    /// The highest version of all that was ever said of it, as far as that is known: what is newer has a
    /// higher one.
    pub version: u64,
    /// What a location service notes for itself: it is given back with what was made of this.
    pub mark: Option<NonZeroU64>,
}

/// What counts of all that was found: of those that replace each other the newest, none older than
/// `floor` (the version of the last [`Change::Clear`](super::Change::Clear)), none that is over. The
/// result does not depend on the order of what was found.
pub fn merge(found: impl IntoIterator<Item = Bound>, floor: u64) -> Vec<Bound> {
    let mut newest: Vec<Bound> = found.into_iter().filter(|bound| bound.version >= floor).collect();
    // Of one version the one that ends first, as in the overlay; else any rule will do that all have.
    newest.sort_by(|a, b| {
        let rest = |b: &Binding| (b.contact.clone(), b.instance.clone(), b.reg_id, b.token.clone());
        (b.version.cmp(&a.version))
            .then_with(|| a.remaining.cmp(&b.remaining))
            .then_with(|| rest(&a.binding).cmp(&rest(&b.binding)))
    });
    let mut kept: Vec<Bound> = Vec::with_capacity(newest.len());
    for bound in newest {
        if !kept.iter().any(|newer| newer.binding.replaces(&bound.binding)) {
            kept.push(bound);
        }
    }
    kept.retain(|bound| !bound.remaining.is_zero());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bound(contact: &str, instance: Option<&str>, reg_id: Option<u32>, version: u64) -> Bound {
        let binding = Binding {
            contact: contact.into(),
            instance: instance.map(Into::into),
            reg_id,
            q: 1000,
            owner: ([192, 0, 2, 1], 5060).into(),
            token: "t".into(),
            direct: true,
            path: "".into(),
            media: Media::Plain,
        };
        Bound { binding: Arc::new(binding), version, remaining: Duration::from_secs(60) }
    }

    fn contacts(found: Vec<Bound>, floor: u64) -> Vec<String> {
        merge(found, floor).into_iter().map(|bound| bound.binding.contact.clone().into()).collect()
    }

    #[test]
    fn a_device_that_moved_is_at_its_newest_place_only() {
        let old = bound("sip:a@192.0.2.7", Some("urn:1"), Some(1), 3);
        let new = bound("sip:a@192.0.2.8", Some("urn:1"), Some(1), 4);
        let second_flow = bound("sip:a@192.0.2.9", Some("urn:1"), Some(2), 1);
        assert_eq!(
            contacts(vec![old, new, second_flow], 0),
            ["sip:a@192.0.2.8", "sip:a@192.0.2.9"]
        );
    }

    #[test]
    fn equivalent_contacts_are_one_and_what_was_cleared_is_none() {
        let one = bound("sip:a@192.0.2.7;transport=UDP", None, None, 3);
        let same = bound("sip:%61@192.0.2.7;Transport=udp", None, None, 2);
        let cleared = bound("sip:a@192.0.2.8", None, None, 1);
        assert_eq!(contacts(vec![same, one, cleared], 2), ["sip:a@192.0.2.7;transport=UDP"]);
    }

    #[test]
    fn the_end_of_a_binding_ends_what_it_replaces() {
        let live = bound("sip:a@h", None, None, 3);
        let ended = Bound { remaining: Duration::ZERO, version: 4, ..live.clone() };
        assert!(contacts(vec![live, ended], 0).is_empty());
    }

    proptest! {
        #[test]
        fn order_does_not_matter(
            parts in prop::collection::vec((0_u8..3, 0_u8..3, 0_u64..4, any::<bool>()), 0..8),
            turn in 0_usize..8,
        ) {
            let mut found: Vec<_> = parts.iter().map(|(contact, instance, version, ended)| {
                let instance = (*instance > 0).then(|| format!("urn:{instance}"));
                let reg_id = instance.as_ref().map(|_| 1);
                let one = bound(&format!("sip:a@h{contact}"), instance.as_deref(), reg_id, *version);
                if *ended { Bound { remaining: Duration::ZERO, ..one } } else { one }
            }).collect();
            let before = merge(found.clone(), 1);
            let turns = turn.min(found.len());
            found.rotate_left(turns);
            let after = merge(found, 1);
            prop_assert!(before.iter().all(|bound| bound.version >= 1));
            prop_assert_eq!(before.len(), after.len());
        }
    }
}
