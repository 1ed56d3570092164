//! What multicast DNS says about super-nodes: what this one announces, and what another's
//! announcement is read as. DNS-SD is RFC 6763.

use std::net::{IpAddr, SocketAddr};

use base::NodeId;
use mdns_sd::{IfKind, ResolvedService, ServiceInfo};

use super::dialling;
use super::tag::{Salt, TagKey};

/// The service, as any Bonjour browser sees it too.
pub(super) const SERVICE: &str = "_scope._tcp.local.";
/// SIP, as softphones and Bonjour browsers know it.
const PHONES: [&str; 2] = ["_sip._udp.local.", "_sip._tcp.local."];
/// The version of the TXT record; another one is for who understands it.
const TXT_VERSION: &str = "1";
/// Longest label of DNS, in bytes (RFC 1035, section 2.3.4).
const LABEL_MAX: usize = 63;
/// Characters of an id's end that tell nodes of one name apart; base58, so there are 58⁶ of them.
const TAIL: usize = 6;

/// What this node says of itself.
#[derive(Clone)]
pub(super) struct Announcement {
    pub(super) face: Face,
    /// Where it listens, maybe a wildcard.
    pub(super) p2p: SocketAddr,
    /// Where it listens for telephones, maybe a wildcard.
    pub(super) sip: SocketAddr,
}

/// As whom a node shows itself, and so whom it looks for.
#[derive(Clone)]
pub(super) enum Face {
    /// To everybody, as who it is.
    Open { name: String, id: NodeId },
    /// To those of its passphrase, as one of them; to all others as a number that is another with
    /// each start.
    Hidden { salt: Salt, key: TagKey },
}

/// What another super-node said of itself, and what of it is fit to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instance {
    /// Its name in DNS, under which it is withdrawn.
    pub(super) fullname: String,
    /// Who it says it is, if it does; who it is, the connection will show.
    pub(super) id: Option<NodeId>,
    /// Where it says it is, in the order to be tried. At least one.
    pub(super) addresses: Vec<SocketAddr>,
}

/// The interfaces to use: all but these, and these after all.
pub(super) struct Interfaces {
    pub(super) without: Vec<IfKind>,
    pub(super) with: Vec<IfKind>,
}

impl Announcement {
    /// The service to register.
    ///
    /// # Errors
    /// What the library finds wrong with it; nothing is, for the parts cannot be.
    pub(super) fn service(&self) -> mdns_sd::Result<ServiceInfo> {
        let mut properties = vec![("v", TXT_VERSION.to_owned())];
        match &self.face {
            Face::Open { id, .. } => properties.push(("id", id.to_string())),
            Face::Hidden { salt, key } => {
                properties.push(("salt", salt.as_str().to_owned()));
                properties.push(("tag", key.tag(salt)));
            }
        }
        let ip = self.p2p.ip();
        let fixed = if ip.is_unspecified() { String::new() } else { ip.to_string() };
        let port = self.p2p.port();
        let mut service = ServiceInfo::new(
            SERVICE,
            &self.instance(),
            &self.host(),
            fixed,
            port,
            &properties[..],
        )?;
        if ip.is_unspecified() {
            service = service.enable_addr_auto();
            if ip.is_ipv4() {
                service.set_interfaces(vec![IfKind::IPv4]);
            }
        }
        // The names are made of the id or of the salt, so nobody else has them (RFC 6762, section 8.1), and others
        // hear of this node three quarters of a second sooner.
        service.set_requires_probe(false);
        Ok(service)
    }

    /// What telephones look for, to be registered beside it. A node that hides from strangers shows
    /// them nothing, and one that they cannot reach has nothing to show.
    ///
    /// # Errors
    /// As [`Announcement::service`].
    pub(super) fn phones(&self) -> mdns_sd::Result<Vec<ServiceInfo>> {
        let (ip, port) = (self.sip.ip(), self.sip.port());
        if ip.is_loopback() || matches!(self.face, Face::Hidden { .. }) {
            return Ok(Vec::new());
        }
        let fixed = if ip.is_unspecified() { String::new() } else { ip.to_string() };
        let service = |kind: &str| {
            let none: &[(&str, &str)] = &[];
            let (name, host) = (self.instance(), self.host());
            let mut service = ServiceInfo::new(kind, &name, &host, fixed.as_str(), port, none)?;
            if ip.is_unspecified() {
                service = service.enable_addr_auto();
                if ip.is_ipv4() {
                    service.set_interfaces(vec![IfKind::IPv4]);
                }
            }
            service.set_requires_probe(false);
            Ok(service)
        };
        PHONES.into_iter().map(service).collect()
    }

    /// Where to announce it, and to ask: where others can reach the address it listens on.
    pub(super) fn interfaces(&self) -> Interfaces {
        match self.p2p.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => {
                Interfaces { without: vec![IfKind::LoopbackV4, IfKind::IPv6], with: vec![] }
            }
            ip if ip.is_unspecified() => {
                Interfaces { without: vec![IfKind::LoopbackV4, IfKind::LoopbackV6], with: vec![] }
            }
            ip => Interfaces { without: vec![IfKind::All], with: vec![IfKind::Addr(ip)] },
        }
    }

    /// What another announced; `None` if it names nobody to be dialled: no super-node, one of another
    /// overlay, or ourselves.
    pub(super) fn read(&self, service: &ResolvedService) -> Option<Instance> {
        let property = |name| service.get_property_val_str(name);
        let id = match &self.face {
            Face::Open { .. } => Some(property("id")?.parse().ok()?),
            Face::Hidden { salt: own, key } => {
                let salt = Salt::read(property("salt")?).filter(|salt| salt != own)?;
                key.fits(&salt, property("tag")?).then_some(())?;
                None
            }
        };
        let heard = service.addresses.iter().filter(|address| !address.is_loopback());
        let addresses =
            dialling::order(heard.filter_map(|address| dialling::heard(address, service.port)));
        let fullname = service.fullname.clone();
        (!addresses.is_empty()).then_some(Instance { fullname, id, addresses })
    }

    /// The instance's name: the node's, cut to fit, and the end of its id; of a hidden node, the salt.
    fn instance(&self) -> String {
        let tail = self.tail();
        let Face::Open { name, .. } = &self.face else { return tail };
        let mut name = name.clone();
        while name.len() + " ()".len() + tail.len() > LABEL_MAX {
            name.pop();
        }
        format!("{name} ({tail})")
    }

    /// A host name of our own. The machine's belongs to the responder that it may have already,
    /// which would defend it against us.
    fn host(&self) -> String {
        format!("{}.", host_name(&self.tail()))
    }

    fn tail(&self) -> String {
        match &self.face {
            Face::Open { id, .. } => tail_of(id),
            Face::Hidden { salt, .. } => salt.as_str().to_owned(),
        }
    }
}

/// The host name of a node that shows who it is, without the dot at its end.
pub(crate) fn host_name_of(id: &NodeId) -> String {
    host_name(&tail_of(id))
}

fn host_name(tail: &str) -> String {
    format!("scope-{}.local", tail.to_lowercase())
}

fn tail_of(id: &NodeId) -> String {
    let id = id.to_string();
    id[id.len().saturating_sub(TAIL)..].to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ID: &str = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A";

    fn announcement(name: &str, p2p: &str) -> Announcement {
        let face = Face::Open { name: name.into(), id: ID.parse().unwrap() };
        Announcement { face, p2p: p2p.parse().unwrap(), sip: "192.0.2.1:5060".parse().unwrap() }
    }

    fn hidden(passphrase: u8, salt: u8) -> Announcement {
        let face = Face::Hidden { salt: Salt::new([salt; 8]), key: TagKey::of([passphrase; 32]) };
        Announcement {
            face,
            p2p: "192.0.2.1:5850".parse().unwrap(),
            sip: "192.0.2.1:5060".parse().unwrap(),
        }
    }

    fn resolved(addresses: &str, port: u16, txt: &[(&str, &str)]) -> ResolvedService {
        ServiceInfo::new(SERVICE, "box", "box.local.", addresses, port, txt)
            .unwrap()
            .as_resolved_service()
    }

    #[test]
    fn what_is_announced_is_read_as_it_was_meant() {
        let announced = announcement("Ada's laptop", "192.0.2.1:5850").service().unwrap();
        assert_eq!(announced.get_fullname(), "Ada's laptop (5MeL6A)._scope._tcp.local.");
        assert_eq!(announced.get_hostname(), "scope-5mel6a.local.");
        assert_eq!(announced.get_property_val_str("v"), Some("1"));
        let other = announcement("Bob's", "192.0.2.2:5850");
        let instance = other.read(&announced.as_resolved_service()).unwrap();
        assert_eq!(instance.id, Some(ID.parse().unwrap()));
        assert_eq!(instance.addresses, ["192.0.2.1:5850".parse().unwrap()]);
    }

    #[test]
    fn telephones_find_a_node_that_hides_from_nobody_and_that_they_can_reach() {
        let mut node = announcement("box", "192.0.2.1:5850");
        let kinds = |node: &Announcement| -> Vec<String> {
            let phones = node.phones().unwrap();
            phones
                .iter()
                .map(|phone| format!("{} {}", phone.get_type(), phone.get_port()))
                .collect()
        };
        assert_eq!(kinds(&node), ["_sip._udp.local. 5060", "_sip._tcp.local. 5060"]);
        node.sip = "127.0.0.1:5060".parse().unwrap();
        assert!(kinds(&node).is_empty());
        assert!(kinds(&hidden(1, 7)).is_empty());
    }

    #[test]
    fn a_hidden_node_tells_strangers_nothing_and_its_like_where_it_is() {
        let announced = hidden(1, 7).service().unwrap();
        assert_eq!(announced.get_fullname(), "0707070707070707._scope._tcp.local.");
        assert_eq!(announced.get_hostname(), "scope-0707070707070707.local.");
        let names: BTreeSet<_> =
            announced.get_properties().iter().map(|property| property.key()).collect();
        assert_eq!(names, BTreeSet::from(["v", "salt", "tag"]));
        let announced = announced.as_resolved_service();
        let instance = hidden(1, 8).read(&announced).unwrap();
        assert_eq!(instance.id, None);
        assert_eq!(instance.addresses, ["192.0.2.1:5850".parse().unwrap()]);
        assert_eq!(hidden(2, 8).read(&announced), None, "another passphrase");
        assert_eq!(hidden(1, 7).read(&announced), None, "ourselves");
        assert_eq!(announcement("box", "192.0.2.1:1").read(&announced), None, "an open node");
        let open = announcement("box", "192.0.2.1:1").service().unwrap().as_resolved_service();
        assert_eq!(hidden(1, 8).read(&open), None);
    }

    #[test]
    fn a_wildcards_addresses_follow_the_interfaces() {
        let wildcard = announcement("box", "0.0.0.0:5850").service().unwrap();
        assert!(wildcard.is_addr_auto() && wildcard.get_addresses().is_empty());
        let fixed = announcement("box", "192.0.2.1:5850").service().unwrap();
        assert!(!fixed.is_addr_auto());
    }

    #[test]
    fn any_name_fits_into_a_label() {
        for name in ["x".repeat(63), "é".repeat(31), "\u{1f680}".repeat(15), "a.b\\c".into()] {
            let instance = announcement(&name, "0.0.0.0:1").instance();
            assert!(instance.len() <= LABEL_MAX, "{instance}");
            assert!(instance.len() + 4 > LABEL_MAX || instance.starts_with(&name), "{instance}");
            assert!(instance.ends_with(" (5MeL6A)"), "{instance}");
        }
    }

    #[test]
    fn only_what_could_be_dialled_is_read() {
        let id = ("id", ID);
        let own = announcement("box", "192.0.2.9:5850");
        assert!(own.read(&resolved("192.0.2.1", 5850, &[id])).is_some());
        assert!(own.read(&resolved("192.0.2.1", 5850, &[id, ("later", "x")])).is_some());
        for (addresses, port, txt) in [
            ("192.0.2.1", 5850, &[][..]),
            ("192.0.2.1", 5850, &[("id", "")]),
            ("192.0.2.1", 5850, &[("id", "not an id")]),
            ("192.0.2.1", 0, &[id]),
            ("", 5850, &[id]),
            ("127.0.0.1,::1", 5850, &[id]),
            ("224.0.0.251,255.255.255.255,0.0.0.0", 5850, &[id]),
        ] {
            let read = own.read(&resolved(addresses, port, txt));
            assert_eq!(read, None, "{addresses} {port} {txt:?}");
        }
    }
}
