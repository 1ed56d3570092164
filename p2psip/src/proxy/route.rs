//! Whose a request is (RFC 3261 §16.4, §16.5): ours, somebody's of the overlay, or on its way along a
//! route that was ours to give.

use super::target::{Destination, Target};
use crate::domain::Domain;
use crate::flow::{Token, TokenKey};
use crate::location::Aor;
use crate::message::{Message, NameAddr, Rejection, Status, Uri};

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// To this node itself.
    Here,
    /// To somebody who has to be looked up. So many Routes are ours, and go.
    Person(Aor, usize),
    /// On, without so many Routes from the top (and the last one, if said).
    On(Target, Pop),
}

/// Which Routes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pop {
    /// So many from the top.
    pub first: usize,
    /// The last one, which became the Request-URI: whoever sent this is a strict router.
    pub last: bool,
}

/// Decides it. `validate` has found the request in form.
///
/// # Errors
/// [`Rejection`], the answer: 403 for relaying and for a forged token, 404 for nobody, 400.
pub fn route(request: &Message, domain: &Domain, tokens: &TokenKey) -> Result<Way, Rejection> {
    let bad_uri = |_| Rejection::with_reason(Status::BAD_REQUEST, "Malformed Request-URI");
    let mut uri = request.request_uri().map_err(bad_uri)?;
    let mut routes: Vec<NameAddr<'_>> = request.routes().collect::<Result<_, _>>()?;
    let call_id = request.call_id()?;
    let mut token = None;
    let mut last = false;
    if uri.is_loose() && domain.is_me(&uri) && !routes.is_empty() {
        // A strict router put us there (§16.4).
        token = read(&uri, tokens, call_id)?;
        last = true;
        uri = routes.pop().map_or(uri, |route| route.uri());
    }
    let own = routes.iter().take_while(|route| domain.is_me(&route.uri())).count();
    for route in &routes[..own] {
        token = read(&route.uri(), tokens, call_id)?.or(token);
    }
    let pop = Pop { first: own, last };
    let request_uri = last.then(|| uri.as_str().to_owned());
    let on = |destination| Target { request_uri: request_uri.clone(), ..Target::to(destination) };
    match (routes.get(own), token) {
        // Whatever else is to be passed is reached by it.
        (_, Some(Token::Flow(flow))) => Ok(Way::On(on(Destination::Flow(flow)), pop)),
        (Some(next), Some(Token::Onward)) => {
            let destination = Destination::of(&next.uri()).ok_or_else(unreachable)?;
            let mut target = on(destination);
            let mut pop = pop;
            if !next.uri().is_loose() {
                // A strict router takes the Request-URI for its own (§16.6, step 6).
                target.last_route = Some(format!("<{uri}>"));
                target.request_uri = Some(next.uri().as_str().to_owned());
                pop.first += 1;
            }
            Ok(Way::On(target, pop))
        }
        (None, _) if domain.is_ours(&uri) && uri.user().is_none() => Ok(Way::Here),
        (None, _) if domain.is_ours(&uri) && !last => {
            let aor = Aor::of(&uri).map_err(|_| Rejection::new(Status::NOT_FOUND))?;
            Ok(Way::Person(aor, own))
        }
        (None, Some(Token::Onward)) => {
            let destination = Destination::of(&uri).ok_or_else(unreachable)?;
            Ok(Way::On(on(destination), pop))
        }
        _ => Err(Rejection::with_reason(Status::FORBIDDEN, "Relaying Is Not Offered")),
    }
}

/// What a super-node says to a token that is not its own: the one who asks reads it, too.
pub(super) const UNKNOWN_TOKEN: &str = "Unknown Flow Token";

fn unreachable() -> Rejection {
    Rejection::with_reason(Status::NOT_FOUND, "No Way To That Address")
}

/// The token a URI of ours carries as its user, if it has one.
fn read(uri: &Uri<'_>, tokens: &TokenKey, call_id: &str) -> Result<Option<Token>, Rejection> {
    let Some(user) = uri.user() else { return Ok(None) };
    let token = tokens.read(user, call_id);
    token.map(Some).map_err(|_| Rejection::with_reason(Status::FORBIDDEN, UNKNOWN_TOKEN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Carrier, Flow};
    use bytes::Bytes;

    fn way(uri: &str, routes: &str) -> Result<Way, u16> {
        let text = format!(
            "BYE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKp\r\n{routes}\
             From: <sip:a@scope>;tag=1\r\nTo: <sip:b@scope>;tag=2\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n\r\n"
        );
        let domain = Domain::new(["192.0.2.1:5060".parse().unwrap()]);
        let request = Message::parse(Bytes::from(text)).unwrap();
        route(&request, &domain, &tokens()).map_err(|rejection| rejection.status.code())
    }

    fn tokens() -> TokenKey {
        TokenKey::new([1; 32])
    }

    fn flow() -> Flow {
        Flow { carrier: Carrier::Tcp, peer: "192.0.2.7:4000".parse().unwrap(), connection: 9 }
    }

    fn on(found: Result<Way, u16>) -> (Destination, Pop, Option<String>) {
        match found {
            Ok(Way::On(target, pop)) => (target.destination, pop, target.request_uri),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn people_this_node_and_strangers_are_told_apart() {
        let Ok(Way::Person(aor, 0)) = way("sip:Bob@scope", "") else { panic!() };
        assert_eq!(aor.as_str(), "bob");
        assert_eq!(way("sip:192.0.2.1", ""), Ok(Way::Here));
        assert_eq!(way("sip:bob@elsewhere.example", ""), Err(403));
        assert_eq!(way("sip:bob@192.0.2.8:5060", ""), Err(403));
        let Ok(Way::Person(_, 1)) = way("sip:bob@scope", "Route: <sip:192.0.2.1;lr>\r\n") else {
            panic!()
        };
    }

    #[test]
    fn the_last_of_our_routes_says_the_flow() {
        let routes = format!(
            "Route: <sip:{}@192.0.2.1;lr>, <sip:{}@192.0.2.1:5060;transport=tcp;lr>\r\n",
            tokens().onward("c"),
            tokens().of_flow(&flow())
        );
        let pop = Pop { first: 2, last: false };
        assert_eq!(on(way("sip:b@x.invalid", &routes)), (Destination::Flow(flow()), pop, None));
    }

    #[test]
    fn a_dialog_let_through_goes_on_and_no_other() {
        let hop = |text: &str| Destination::Hop(Carrier::Udp, text.parse().unwrap());
        let good = format!("Route: <sip:{}@192.0.2.1;lr>\r\n", tokens().onward("c"));
        assert_eq!(on(way("sip:b@192.0.2.8:5062", &good)).0, hop("192.0.2.8:5062"));
        let strict = format!("{good}Route: <sip:x@192.0.2.2>\r\n");
        let Ok(Way::On(target, pop)) = way("sip:b@192.0.2.8:5062", &strict) else { panic!() };
        assert_eq!((target.destination, pop.first), (hop("192.0.2.2:5060"), 2));
        assert_eq!(target.request_uri.as_deref(), Some("sip:x@192.0.2.2"));
        assert_eq!(target.last_route.as_deref(), Some("<sip:b@192.0.2.8:5062>"));
        let more = format!("{good}Route: <sip:x@192.0.2.2;lr>\r\n");
        assert_eq!(on(way("sip:b@192.0.2.8:5062", &more)).0, hop("192.0.2.2:5060"));
        let other = format!("Route: <sip:{}@192.0.2.1;lr>\r\n", tokens().onward("d"));
        assert_eq!(way("sip:b@192.0.2.8:5062", &other), Err(403));
        assert_eq!(way("sip:b@192.0.2.8:5062", "Route: <sip:192.0.2.1;lr>\r\n"), Err(403));
        assert_eq!(way("sip:b@192.0.2.8", "Route: <sip:192.0.2.2;lr>\r\n"), Err(403));
    }

    #[test]
    fn a_strict_router_s_request_is_put_right() {
        let uri = format!("sip:{}@192.0.2.1;lr", tokens().onward("c"));
        let (destination, pop, request_uri) = on(way(&uri, "Route: <sip:b@192.0.2.8:5062>\r\n"));
        assert_eq!(destination, Destination::Hop(Carrier::Udp, "192.0.2.8:5062".parse().unwrap()));
        assert_eq!(pop, Pop { first: 0, last: true });
        assert_eq!(request_uri.as_deref(), Some("sip:b@192.0.2.8:5062"));
    }
}
