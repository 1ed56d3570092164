//! Where a request goes.

use std::net::SocketAddr;

use crate::flow::{Carrier, Flow, Token, TokenKey};
use crate::location::{Bound, Media};
use crate::message::{NameAddr, Transport, Uri};

/// The next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// By this flow, and no other.
    Flow(Flow),
    /// To an address, by any flow that leads there.
    Hop(Carrier, SocketAddr),
}

impl Destination {
    /// Where a URI leads (RFC 3263, without DNS: there is none).
    pub fn of(uri: &Uri<'_>) -> Option<Destination> {
        let carrier = match uri.transport_or_default() {
            Transport::Udp => Carrier::Udp,
            Transport::Tcp => Carrier::Tcp,
            _ => return None,
        };
        let ip = uri.host()?.ip()?.to_canonical();
        let usable = !ip.is_unspecified() && !ip.is_multicast();
        usable.then(|| Destination::Hop(carrier, SocketAddr::new(ip, uri.port_or_default())))
    }
}

/// One branch of a request to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The Request-URI it gets; `None` if it keeps its own.
    pub request_uri: Option<String>,
    /// What is put before all Routes.
    pub route: Option<String>,
    /// What is put after all Routes: the Request-URI, for a strict router (RFC 3261 §16.6, step 6).
    pub last_route: Option<String>,
    /// The next hop.
    pub destination: Destination,
    /// Whether what answers can be reached later without us.
    pub direct: bool,
    /// What media is taken there, as far as it is known.
    pub media: Media,
}

impl Target {
    /// One to a destination, at which nothing is changed.
    pub fn to(destination: Destination) -> Target {
        let media = Media::Both;
        Target {
            request_uri: None,
            route: None,
            last_route: None,
            destination,
            direct: false,
            media,
        }
    }
}

/// Where somebody is, the contacts of the highest q first: those of one q are one wave, tried at once
/// (RFC 3261 §16.6). `is_here` tells this node's addresses, `is_gone` those of nodes that are no more, and
/// `tokens` reads this node's own flow tokens. Contacts that lead nowhere are left out.
pub fn targets(
    bound: &[Bound],
    is_here: impl Fn(SocketAddr) -> bool,
    is_gone: impl Fn(SocketAddr) -> bool,
    tokens: &TokenKey,
) -> Vec<Vec<Target>> {
    let mut sorted: Vec<&Bound> = bound.iter().collect();
    sorted.sort_by_key(|bound| std::cmp::Reverse(bound.binding.q));
    let same_q = |a: &&Bound, b: &&Bound| a.binding.q == b.binding.q;
    let waves = sorted.chunk_by(same_q).map(|wave| {
        let found = wave.iter().filter_map(|bound| target(bound, &is_here, &is_gone, tokens));
        found.collect::<Vec<_>>()
    });
    waves.filter(|wave| !wave.is_empty()).collect()
}

fn target(
    bound: &Bound,
    is_here: &impl Fn(SocketAddr) -> bool,
    is_gone: &impl Fn(SocketAddr) -> bool,
    tokens: &TokenKey,
) -> Option<Target> {
    let binding = &bound.binding;
    let request_uri = Some(String::from(&*binding.contact));
    let (direct, media) = (binding.direct, binding.media);
    let target = |destination| Target { request_uri, direct, media, ..Target::to(destination) };
    if direct {
        let destination = Destination::of(&Uri::parse(&binding.contact).ok()?)?;
        return Some(target(destination));
    }
    let path = Some(&*binding.path).filter(|path| !path.is_empty()).map(str::to_owned);
    if is_here(binding.owner) {
        // A path begins where the REGISTER came from: by the same flow.
        let Ok(Token::Flow(flow)) = tokens.read(&binding.token, "") else { return None };
        return Some(Target { route: path, ..target(Destination::Flow(flow)) });
    }
    if is_gone(binding.owner) {
        return None;
    }
    let owner = format!("<sip:{}@{};lr>", binding.token, binding.owner);
    let route = match path {
        Some(path) => format!("{owner}, {path}"),
        None => owner,
    };
    NameAddr::parse(route.split(',').next()?.as_bytes()).ok()?;
    let destination = Destination::Hop(Carrier::Udp, binding.owner);
    Some(Target { route: Some(route), ..target(destination) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::location::Binding;

    fn bound(contact: &str, q: u16, owner: &str, token: &str, direct: bool) -> Bound {
        let binding = Binding {
            contact: contact.into(),
            instance: None,
            reg_id: None,
            q,
            owner: owner.parse().unwrap(),
            token: token.into(),
            direct,
            path: "".into(),
            media: Media::Plain,
        };
        Bound { binding: Arc::new(binding), version: 1, remaining: Duration::from_secs(60) }
    }

    #[test]
    fn each_contact_is_reached_in_its_way_and_by_its_weight() {
        let (here, there) = ("192.0.2.1:5060", "192.0.2.2:5060");
        let tokens = TokenKey::new([1; 32]);
        let flow =
            Flow { carrier: Carrier::Tcp, peer: "192.0.2.9:4000".parse().unwrap(), connection: 3 };
        let own = tokens.of_flow(&flow);
        let found = targets(
            &[
                bound("sip:a@192.0.2.7:5062", 500, there, "t", true),
                bound("sip:a@x.invalid;transport=ws", 1000, here, &own, false),
                bound("sip:a@y.invalid;transport=ws", 1000, there, "0a", false),
                bound("sip:a@z.invalid", 1000, here, "forged", false),
                bound("sip:a@name.local", 100, there, "t", true),
                bound("sip:a@w.invalid", 100, "192.0.2.3:5060", "t", false),
            ],
            |owner| owner == here.parse().unwrap(),
            |owner| owner == "192.0.2.3:5060".parse().unwrap(),
            &tokens,
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].len(), 2);
        assert_eq!(found[0][0].destination, Destination::Flow(flow));
        assert_eq!(found[0][1].route.as_deref(), Some("<sip:0a@192.0.2.2:5060;lr>"));
        let hop = Destination::Hop(Carrier::Udp, "192.0.2.7:5062".parse().unwrap());
        assert_eq!((found[1][0].destination, found[1][0].direct), (hop, true));
    }

    #[test]
    fn only_addresses_lead_somewhere() {
        for (uri, carrier) in [
            ("sip:a@192.0.2.1", Some(Carrier::Udp)),
            ("sip:a@192.0.2.1;transport=tcp", Some(Carrier::Tcp)),
            ("sip:a@[2001:db8::1]:5070", Some(Carrier::Udp)),
            ("sip:a@name.local", None),
            ("sip:a@192.0.2.1;transport=ws", None),
            ("sips:a@192.0.2.1", None),
            ("sip:a@0.0.0.0", None),
            ("sip:a@224.0.1.75", None),
        ] {
            let found = Destination::of(&Uri::parse(uri).unwrap());
            let found = found.map(|found| match found {
                Destination::Hop(carrier, _) => carrier,
                Destination::Flow(flow) => flow.carrier,
            });
            assert_eq!(found, carrier, "{uri}");
        }
    }
}
