//! What multicast DNS says about super-nodes: what this one announces, and what another's
//! announcement is read as. DNS-SD is RFC 6763.

use std::net::{IpAddr, SocketAddr};

use base::NodeId;
use mdns_sd::{IfKind, ResolvedService, ServiceInfo};

use super::dialling;

/// The service, as any Bonjour browser sees it too.
pub(super) const SERVICE: &str = "_scope._tcp.local.";
/// The version of the TXT record; another one is for who understands it.
const TXT_VERSION: &str = "1";
/// Longest label of DNS, in bytes (RFC 1035, section 2.3.4).
const LABEL_MAX: usize = 63;
/// Characters of an id's end that tell nodes of one name apart; base58, so there are 58⁶ of them.
const TAIL: usize = 6;

/// What this node says of itself.
#[derive(Debug, Clone)]
pub(super) struct Announcement {
    pub(super) name: String,
    pub(super) id: NodeId,
    /// Where it listens, maybe a wildcard.
    pub(super) p2p: SocketAddr,
}

/// What another super-node said of itself, and what of it is fit to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instance {
    /// Its name in DNS, under which it is withdrawn.
    pub(super) fullname: String,
    /// Who it says it is; who it is, the connection will show.
    pub(super) id: NodeId,
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
        let properties = [("id", self.id.to_string()), ("v", TXT_VERSION.to_owned())];
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
        // The names are made of the id, so nobody else has them (RFC 6762, section 8.1), and others
        // hear of this node three quarters of a second sooner.
        service.set_requires_probe(false);
        Ok(service)
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

    /// The instance's name: the node's, cut to fit, and the end of its id.
    fn instance(&self) -> String {
        let tail = self.tail();
        let mut name = self.name.clone();
        while name.len() + " ()".len() + tail.len() > LABEL_MAX {
            name.pop();
        }
        format!("{name} ({tail})")
    }

    /// A host name of our own. The machine's belongs to the responder that it may have already,
    /// which would defend it against us.
    fn host(&self) -> String {
        format!("scope-{}.local.", self.tail().to_lowercase())
    }

    fn tail(&self) -> String {
        let id = self.id.to_string();
        id[id.len().saturating_sub(TAIL)..].to_owned()
    }
}

impl Instance {
    /// Reads what was resolved; `None` if it names no super-node that could be dialled.
    pub(super) fn read(service: &ResolvedService) -> Option<Instance> {
        let id = service.get_property_val_str("id")?.parse().ok()?;
        let heard = service.addresses.iter().filter(|address| !address.is_loopback());
        let addresses =
            dialling::order(heard.filter_map(|address| dialling::heard(address, service.port)));
        let fullname = service.fullname.clone();
        (!addresses.is_empty()).then_some(Instance { fullname, id, addresses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A";

    fn announcement(name: &str, p2p: &str) -> Announcement {
        Announcement { name: name.into(), id: ID.parse().unwrap(), p2p: p2p.parse().unwrap() }
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
        let instance = Instance::read(&announced.as_resolved_service()).unwrap();
        assert_eq!(instance.id.to_string(), ID);
        assert_eq!(instance.addresses, ["192.0.2.1:5850".parse().unwrap()]);
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
        assert!(Instance::read(&resolved("192.0.2.1", 5850, &[id])).is_some());
        assert!(Instance::read(&resolved("192.0.2.1", 5850, &[id, ("later", "x")])).is_some());
        for (addresses, port, txt) in [
            ("192.0.2.1", 5850, &[][..]),
            ("192.0.2.1", 5850, &[("id", "")]),
            ("192.0.2.1", 5850, &[("id", "not an id")]),
            ("192.0.2.1", 0, &[id]),
            ("", 5850, &[id]),
            ("127.0.0.1,::1", 5850, &[id]),
            ("224.0.0.251,255.255.255.255,0.0.0.0", 5850, &[id]),
        ] {
            let read = Instance::read(&resolved(addresses, port, txt));
            assert_eq!(read, None, "{addresses} {port} {txt:?}");
        }
    }
}
