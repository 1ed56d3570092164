//! The registrar (RFC 3261 §10.3, RFC 5626 §6, RFC 3327): what a REGISTER wants, whether it gets it, and
//! what it is told. Pure: who keeps the bindings is [`location`](crate::location)'s.
//!
//! ```text
//!   REGISTER ── Wish::read ──► Wish ── Wish::change ──► Change ──► LocationService::bind
//!                                                                            │
//!                            phone ◄── answer ◄──────────── Vec<Bound> ◄─────┘
//! ```

mod order;
mod owned;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use order::{Order, OutOfOrder};
pub use owned::{Gone, Owned};

use crate::flow::{Carrier, Flow, TokenKey};
use crate::location::{Aor, BadAor, Binding, Bound, Change, Media};
use crate::message::{
    BadField, Contact, HeaderName, Message, NameAddr, Rejection, Reply, Status, Transport, Uri,
    ViaMark,
};

/// Most contacts of an address of record: devices of one person, and forks of one call.
pub const CONTACTS_MAX: usize = 10;
/// The longest Contact's URI, in bytes: an entry of the overlay is to stay small.
pub const CONTACT_MAX: usize = 512;
/// The longest Path, in bytes.
pub const PATH_MAX: usize = 512;
/// The longest `+sip.instance`, in bytes: a UUID's URN has 45.
pub const INSTANCE_MAX: usize = 128;

/// How long registrations may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Shorter ones are refused (423), but for none at all.
    pub min: Duration,
    /// Longer ones become this, over UDP: a super-node that died is forgotten that soon.
    pub max_udp: Duration,
    /// Longer ones become this, over a connection, which tells by closing that it is over.
    pub max_connection: Duration,
}

impl Default for Lifetimes {
    fn default() -> Lifetimes {
        let seconds = Duration::from_secs;
        Lifetimes { min: seconds(60), max_udp: seconds(120), max_connection: seconds(600) }
    }
}

impl Lifetimes {
    /// The longest one there is.
    pub fn longest(&self) -> Duration {
        self.max_udp.max(self.max_connection)
    }
}

/// How a REGISTER came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// By what, and from where.
    pub flow: Flow,
    /// This super-node's SIP address.
    pub owner: SocketAddr,
    /// Names flows.
    pub tokens: &'a TokenKey,
}

/// What a REGISTER wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Whose bindings.
    pub aor: Aor,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Query,
    Clear,
    Set(Vec<(Arc<Binding>, Duration)>),
}

impl Wish {
    /// Reads a REGISTER that is in form, and for a domain of ours.
    ///
    /// # Errors
    /// [`Rejection`], the answer: 400, 403, 404, 423 or 439.
    pub fn read(
        request: &Message,
        arrival: &Arrival<'_>,
        lifetimes: &Lifetimes,
    ) -> Result<Wish, Rejection> {
        let aor = Aor::of(&request.to()?.uri()).map_err(|bad| match bad {
            BadAor::NoUser | BadAor::TooLong => Rejection::new(Status::NOT_FOUND),
            BadAor::NotText => Rejection::with_reason(Status::BAD_REQUEST, "To Names Nobody"),
        })?;
        let asked = request.expires()?;
        let contacts: Vec<_> = request.contacts().collect::<Result<_, BadField>>()?;
        let what = match contacts.as_slice() {
            [] => What::Query,
            [Contact::All] if asked == Some(0) => What::Clear,
            all if all.contains(&Contact::All) => {
                let reason = "Contact * Stands Alone And With Expires: 0";
                return Err(Rejection::with_reason(Status::BAD_REQUEST, reason));
            }
            all if all.len() > CONTACTS_MAX => return Err(too_many()),
            all => {
                let path = path_of(request)?;
                let set = all.iter().filter_map(|contact| contact.address());
                let set = set.map(|at| setting(&at, asked, &path, request, arrival, lifetimes));
                What::Set(set.collect::<Result<_, _>>()?)
            }
        };
        Ok(Wish { aor, what })
    }

    /// What is to become of the bindings; `None` if it only asks for them.
    ///
    /// # Errors
    /// [`Rejection`], the answer: 403, if there would be more than [`CONTACTS_MAX`].
    pub fn change(&self, current: &[Bound]) -> Result<Option<Change>, Rejection> {
        match &self.what {
            What::Query => Ok(None),
            What::Clear => Ok(Some(Change::Clear)),
            What::Set(set) => {
                let replaced = |old: &&Bound| set.iter().any(|(new, _)| new.replaces(&old.binding));
                let stay = current.len() - current.iter().filter(replaced).count();
                let new = set.iter().filter(|(_, lifetime)| !lifetime.is_zero()).count();
                if stay + new > CONTACTS_MAX && new > 0 {
                    return Err(too_many());
                }
                Ok(Some(Change::Set(set.clone())))
            }
        }
    }

    /// Whether it changes nothing.
    pub fn is_query(&self) -> bool {
        self.what == What::Query
    }

    /// Whether it removes everything.
    pub fn is_clear(&self) -> bool {
        self.what == What::Clear
    }

    /// The bindings it sets, with how long they are to last.
    pub fn granted(&self) -> &[(Arc<Binding>, Duration)] {
        match &self.what {
            What::Set(set) => set,
            What::Query | What::Clear => &[],
        }
    }

    /// Whether a name that is live is another device's than the one that asks from `source`: an open
    /// name is whose it is for as long as he is there. A device is told by its instance-id; one without
    /// is known by its address, or its Contact.
    pub fn is_another_device_s(&self, current: &[Bound], source: IpAddr) -> bool {
        let at_source = |binding: &Binding| {
            let uri = Uri::parse(&binding.contact).ok();
            let ip = uri.and_then(|uri| uri.host()?.ip());
            ip.is_some_and(|ip| ip.to_canonical() == source.to_canonical())
        };
        let same = |new: &Binding, old: &Binding| match (&new.instance, &old.instance) {
            (Some(new), Some(old)) => new == old,
            _ => old.is_at(&new.contact) || at_source(old),
        };
        let live = || current.iter().map(|bound| &*bound.binding);
        !current.is_empty()
            && match &self.what {
                What::Query => false,
                What::Clear => !live().any(at_source),
                What::Set(set) => !set.iter().any(|(new, _)| live().any(|old| same(new, old))),
            }
    }
}

fn too_many() -> Rejection {
    Rejection::with_reason(Status::FORBIDDEN, "Too Many Contacts")
}

fn setting(
    contact: &NameAddr<'_>,
    asked: Option<u32>,
    path: &str,
    request: &Message,
    arrival: &Arrival<'_>,
    lifetimes: &Lifetimes,
) -> Result<(Arc<Binding>, Duration), Rejection> {
    let uri = contact.uri();
    let instance: Option<Box<str>> = contact.instance().map(|instance| Box::from(&*instance));
    if !uri.is_sip() || uri.as_str().len() > CONTACT_MAX {
        return Err(Rejection::with_reason(Status::BAD_REQUEST, "Contact Is No Address Of SIP"));
    }
    if instance.as_ref().is_some_and(|instance| instance.len() > INSTANCE_MAX) {
        return Err(Rejection::with_reason(Status::BAD_REQUEST, "Instance Is Too Long"));
    }
    // Of a device that names none of its flows there is one.
    let reg_id = contact.reg_id().filter(|_| instance.is_some());
    let came_straight = request.vias().count() == 1;
    // Where it says to be, if nothing between it and us translates addresses.
    let peer = arrival.flow.peer;
    let stated = uri.host().and_then(|host| host.ip()).map(|ip| ip.to_canonical());
    let stated = stated
        .filter(|ip| *ip == peer.ip().to_canonical())
        .filter(|_| arrival.flow.carrier == Carrier::Udp && came_straight && reg_id.is_none())
        .filter(|_| path.is_empty() && uri.transport_or_default() == Transport::Udp)
        .map(|ip| SocketAddr::new(ip, uri.port_or_default()));
    let direct = stated == Some(SocketAddr::new(peer.ip().to_canonical(), peer.port()));
    let flow = stated.map_or(arrival.flow, Flow::udp);
    let binding = Binding {
        contact: uri.as_str().into(),
        instance,
        reg_id,
        q: contact.q(),
        owner: arrival.owner,
        token: arrival.tokens.of_flow(&flow).into(),
        direct,
        path: path.into(),
        media: media_of(request, arrival.flow.carrier),
    };
    let binding = Arc::new(binding);
    Ok((binding, granted(contact.expires().or(asked), arrival.flow.carrier, lifetimes)?))
}

/// What media a phone takes. Whoever registers by a WebSocket is a browser; of phones on other transports
/// those of Linphone do WebRTC's as well (DTLS-SRTP and ICE), and others are not known to.
fn media_of(request: &Message, carrier: Carrier) -> Media {
    let agent = request.fields_of(HeaderName::UserAgent).next().map(|field| field.value);
    match carrier {
        Carrier::WebSocket => Media::WebRtc,
        _ if agent.is_some_and(|agent| agent.starts_with(b"Linphone")) => Media::Both,
        _ => Media::Plain,
    }
}

/// For how long. Who asks for nothing gets the most.
fn granted(
    asked: Option<u32>,
    carrier: Carrier,
    lifetimes: &Lifetimes,
) -> Result<Duration, Rejection> {
    let max = match carrier.is_reliable() {
        true => lifetimes.max_connection,
        false => lifetimes.max_udp,
    };
    let asked = asked.map_or(max, |seconds| Duration::from_secs(seconds.into()));
    if asked.is_zero() || asked >= lifetimes.min {
        return Ok(asked.min(max));
    }
    let min = (HeaderName::MinExpires, lifetimes.min.as_secs().to_string());
    Err(Rejection { header: Some(min), ..Rejection::new(Status::INTERVAL_TOO_BRIEF) })
}

fn path_of(request: &Message) -> Result<String, Rejection> {
    let mut path = String::new();
    for hop in request.path() {
        let hop = hop?;
        if !path.is_empty() {
            path.push_str(", ");
        }
        path.push_str(&format!("<{}>", hop.uri()));
    }
    if path.len() > PATH_MAX {
        return Err(Rejection::with_reason(Status::BAD_REQUEST, "Path Is Too Long"));
    }
    if !path.is_empty() && !request.supports("path") {
        // RFC 3327 §5.3: the phone has to know who is in between.
        let header = Some((HeaderName::Require, "path".to_owned()));
        return Err(Rejection { header, ..Rejection::new(Status::EXTENSION_REQUIRED) });
    }
    Ok(path)
}

/// How long the answer to a REGISTER may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// As long as it becomes.
    Any,
    /// So many bytes of Contacts: who asked may not be at the address the datagram said.
    Bytes(usize),
}

impl Room {
    /// Three times what has come, as QUIC has it (RFC 9000 §8).
    pub fn times_three(request: &Message) -> Room {
        Room::Bytes(2 * request.bytes().len())
    }
}

/// The 200 to a REGISTER: all bindings there are, with what is left of them; those it has set itself
/// first, and others as long as there is room.
pub fn answer(
    request: &Message,
    bound: &[Bound],
    to_tag: &str,
    mark: ViaMark,
    room: Room,
) -> Bytes {
    let mut reply = Reply::new(request, Status::OK).to_tag(to_tag).mark_via(mark);
    let mut sorted: Vec<&Bound> = bound.iter().take(CONTACTS_MAX).collect();
    if sorted.len() > 1 {
        let named: Vec<_> = request.contacts().flatten().filter_map(|c| c.address()).collect();
        let is_own = |bound: &&Bound| {
            !named.iter().any(|contact| bound.binding.is_at(contact.uri().as_str()))
        };
        sorted.sort_by_key(is_own);
    }
    let mut left = match room {
        Room::Any => usize::MAX,
        Room::Bytes(bytes) => bytes,
    };
    for Bound { binding, remaining, .. } in sorted {
        // A phone that is told 0 would take it for gone.
        let seconds = remaining.as_secs_f64().round().max(1.0);
        let mut value = format!("<{}>;expires={seconds}", binding.contact);
        if binding.q < 1000 {
            value.push_str(&format!(";q=0.{:03}", binding.q));
        }
        if let Some(instance) = &binding.instance {
            let escaped = instance.replace('\\', "\\\\").replace('"', "\\\"");
            value.push_str(&format!(";+sip.instance=\"<{escaped}>\""));
        }
        if let Some(reg_id) = binding.reg_id {
            value.push_str(&format!(";reg-id={reg_id}"));
        }
        let Some(rest) = left.checked_sub(value.len()) else { break };
        left = rest;
        reply = reply.header(HeaderName::Contact.as_str(), value);
    }
    let path: Vec<_> = request.values(HeaderName::Path).flatten().collect();
    for hop in path {
        reply = reply.header(HeaderName::Path.as_str(), String::from_utf8_lossy(hop));
    }
    let outbound = bound.iter().any(|bound| bound.binding.reg_id.is_some());
    if outbound && request.supports("outbound") {
        reply = reply.header(HeaderName::Require.as_str(), "outbound");
    }
    reply.header(HeaderName::Supported.as_str(), "path, outbound").build()
}

#[cfg(test)]
mod tests;
