//! Which addresses and names are this overlay's. Pure.

use std::net::{IpAddr, SocketAddr};

use base::NodeId;
use p2psip::domain::Domain;

use crate::services::Contact;

/// The domain of a node at these addresses, with these names, in an overlay with these members of the
/// service `P2PSIP`. Anybody may put an address there, so that only those of machines that are known to
/// be super-nodes (`nodes`) are.
pub(super) fn of(
    here: impl IntoIterator<Item = SocketAddr>,
    names: &[String],
    members: &[Contact],
    nodes: &[IpAddr],
) -> Domain {
    let mut domain = Domain::new(here);
    for name in names {
        domain = domain.with_own_name(name);
    }
    for member in members {
        let Some((host, _)) = member.as_str().rsplit_once(':') else { continue };
        match member.as_str().parse::<SocketAddr>() {
            Ok(address) if nodes.contains(&address.ip().to_canonical()) => {
                domain = domain.with_node(address);
            }
            Ok(_) => {}
            Err(_) => domain = domain.with_name(host),
        }
    }
    domain
}

/// What this node is called: by its machine's name, with and without `.local`, and by the one it has in
/// multicast DNS.
pub(super) fn own_names(host: &[u8], id: &NodeId) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), crate::discovery::host_name_of(id)];
    if let Ok(host) = str::from_utf8(host)
        && !host.is_empty()
    {
        let label = host.split('.').next().unwrap_or(host);
        names.extend([host.to_owned(), label.to_owned(), format!("{label}.local")]);
    }
    names
}

#[cfg(test)]
mod tests {
    use p2psip::message::Uri;

    use super::*;

    fn domain() -> Domain {
        let members = ["192.0.2.2:5080", "203.0.113.9:5060", "other.local:5060"];
        let members: Vec<Contact> = members.iter().map(|text| text.parse().unwrap()).collect();
        let nodes = ["192.0.2.2".parse().unwrap()];
        let id = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A".parse().unwrap();
        let names = own_names(b"laptop.example", &id);
        of(["192.0.2.1:5060".parse().unwrap()], &names, &members, &nodes)
    }

    #[test]
    fn other_super_nodes_are_ours_and_what_anybody_put_beside_them_is_not() {
        for (uri, ours) in [
            ("sip:a@scope", true),
            ("sip:a@laptop.local", true),
            ("sip:a@laptop", true),
            ("sip:a@scope-5mel6a.local", true),
            ("sip:a@192.0.2.1", true),
            ("sip:a@192.0.2.2", true),
            ("sip:a@other.local", true),
            ("sip:a@203.0.113.9", false),
            ("sip:a@scope.example", false),
        ] {
            assert_eq!(domain().is_ours(&Uri::parse(uri).unwrap()), ours, "{uri}");
        }
        assert!(domain().is_other_node("192.0.2.2:5080".parse().unwrap()));
        assert!(!domain().is_other_node("203.0.113.9:5060".parse().unwrap()));
    }
}
