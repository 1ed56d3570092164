//! Where media has no way, as far as that is sure before anything rings: the call then fails and says why,
//! rather than being answered and silent.
//!
//! Sure is: what is offered is WebRTC's alone and the phone does plain RTP alone, or the other way round;
//! and what is offered is wanted at an address of the caller's own machine (`127.0.0.1`) by a callee who
//! is on another. Families of addresses are not: a phone that registers by IPv6 may well have IPv4. That is
//! sure once it has answered ([`lost`]), and then it is hung up.

use std::net::IpAddr;

use super::target::{Destination, Target};
use crate::location::Media;
use crate::message::{HeaderName, Message, Rejection, Status};
use crate::sdp::Sdp;

/// Leaves out the targets that no media of an offer reaches.
///
/// # Errors
/// [`Rejection`], the answer if there was a target and none is left: 488, with a Warning (RFC 3261
/// §20.43) that says why.
pub fn reachable(
    invite: &Message,
    caller: IpAddr,
    waves: Vec<Vec<Target>>,
) -> Result<Vec<Vec<Target>>, Rejection> {
    // Without an offer in the INVITE (RFC 3264 §4) nothing is known.
    let Some(offer) = Sdp::of(invite).filter(|offer| offer.wanted().next().is_some()) else {
        return Ok(waves);
    };
    let mut wrong = None;
    let mut left: Vec<Vec<Target>> = Vec::with_capacity(waves.len());
    for wave in waves {
        let fit = wave.into_iter().filter(|target| {
            let obstacle = obstacle(&offer, caller, target);
            wrong = obstacle.or(wrong);
            obstacle.is_none()
        });
        let fit: Vec<_> = fit.collect();
        if !fit.is_empty() {
            left.push(fit);
        }
    }
    match wrong {
        Some((code, text)) if left.is_empty() => {
            let warning = format!("{code} scope \"{text}\"");
            Err(Rejection {
                header: Some((HeaderName::Warning, warning)),
                ..Rejection::new(Status::NOT_ACCEPTABLE_HERE)
            })
        }
        _ => Ok(left),
    }
}

/// Whether an answer wants its media where nobody can send it who wants his as offered: one has IPv4 alone
/// and the other IPv6 alone.
pub fn lost(offer: &Message, answer: &Message) -> bool {
    let family = |message| Sdp::of(message).and_then(|sdp| family(&sdp));
    matches!((family(offer), family(answer)), (Some(one), Some(other)) if one != other)
}

/// What is said of that.
pub const LOST: &str = "301 scope \"One phone has IPv4 media only, and the other IPv6\"";

/// Whether all media is wanted at IPv4 addresses, or all at IPv6: not known if there are more addresses, or
/// names, or none (on hold).
fn family(sdp: &Sdp<'_>) -> Option<bool> {
    let mut families = sdp.wanted().map(|stream| {
        let ip = stream.address.filter(|ip| !ip.is_unspecified() && !stream.has_candidates())?;
        Some(ip.to_canonical().is_ipv4())
    });
    let first = families.next()??;
    families.all(|family| family == Some(first)).then_some(first)
}

/// The code of a Warning, and its text.
type Obstacle = (u16, &'static str);

fn obstacle(offer: &Sdp<'_>, caller: IpAddr, target: &Target) -> Option<Obstacle> {
    if target.media == Media::Plain && offer.wanted().all(|stream| stream.is_dtls()) {
        return Some((302, "The call is a browser's, and the phone does plain RTP only"));
    }
    if target.media == Media::WebRtc && offer.wanted().all(|stream| stream.is_plain_rtp()) {
        return Some((302, "The call is in plain RTP, and a browser does WebRTC only"));
    }
    let callee = match target.destination {
        Destination::Flow(flow) => flow.peer.ip(),
        Destination::Hop(_, peer) => peer.ip(),
    };
    let same_machine = callee == caller || caller.is_loopback();
    let at_home = |ip: Option<IpAddr>| ip.is_some_and(|ip| ip.to_canonical().is_loopback());
    let lost = offer.wanted().all(|stream| at_home(stream.address) && !stream.has_candidates());
    // Behind another super-node the callee may be anywhere, this machine included.
    (target.route.is_none() && !same_machine && lost)
        .then_some((301, "The caller's media address is its own machine's"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::flow::Carrier;

    fn offer(address: &str, profile: &str) -> Message {
        let sdp = format!("v=0\r\nc=IN IP4 {address}\r\nm=audio 4000 {profile} 0\r\n");
        let text = format!(
            "INVITE sip:b@scope SIP/2.0\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn target(media: Media) -> Target {
        let destination = Destination::Hop(Carrier::Udp, "192.0.2.8:5060".parse().unwrap());
        Target { destination, media, ..Target::to(destination) }
    }

    fn left(invite: &Message, caller: &str, media: &[Media]) -> Result<usize, String> {
        let waves = media.iter().map(|media| vec![target(*media)]).collect();
        let left = reachable(invite, caller.parse().unwrap(), waves);
        left.map(|waves| waves.len()).map_err(|rejection| {
            assert_eq!(rejection.status, Status::NOT_ACCEPTABLE_HERE);
            rejection.header.unwrap().1[..3].to_owned()
        })
    }

    #[test]
    fn a_browser_s_call_reaches_who_can_take_it() {
        use Media::{Both, Plain, WebRtc};
        let (browser, phone) =
            (offer("192.0.2.7", "UDP/TLS/RTP/SAVPF"), offer("192.0.2.7", "RTP/AVP"));
        assert_eq!(left(&browser, "192.0.2.7", &[Plain]), Err("302".to_owned()));
        assert_eq!(left(&browser, "192.0.2.7", &[Plain, WebRtc, Both]), Ok(2));
        assert_eq!(left(&phone, "192.0.2.7", &[WebRtc]), Err("302".to_owned()));
        assert_eq!(left(&phone, "192.0.2.7", &[Plain, WebRtc, Both]), Ok(2));
        assert_eq!(left(&phone, "192.0.2.7", &[]), Ok(0));
        let silent = Message::parse(Bytes::from("INVITE sip:b@scope SIP/2.0\r\n\r\n")).unwrap();
        assert_eq!(left(&silent, "192.0.2.7", &[WebRtc]), Ok(1));
    }

    #[test]
    fn phones_of_two_families_do_not_hear_each_other() {
        let six = |lines: &str| {
            let sdp = format!("v=0\r\nc=IN IP6 2001:db8::1\r\nm=audio 4 RTP/AVP 0\r\n{lines}");
            let text = format!("SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n{sdp}");
            Message::parse(Bytes::from(text)).unwrap()
        };
        let four = offer("192.0.2.7", "RTP/AVP");
        assert!(lost(&four, &six("")));
        assert!(!lost(&four, &four) && !lost(&six(""), &six("")));
        assert!(!lost(&four, &six("a=candidate:1\r\n")), "it may have more addresses");
        assert!(!lost(&four, &six("m=audio 6 RTP/AVP 0\r\nc=IN IP4 192.0.2.8\r\n")));
        assert!(!lost(&offer("0.0.0.0", "RTP/AVP"), &six("")), "it is on hold");
    }

    #[test]
    fn media_wanted_at_home_is_found_at_home_only() {
        let invite = offer("127.0.0.1", "RTP/AVP");
        assert_eq!(left(&invite, "192.0.2.7", &[Media::Plain]), Err("301".to_owned()));
        assert_eq!(left(&invite, "192.0.2.8", &[Media::Plain]), Ok(1));
        assert_eq!(left(&invite, "127.0.0.1", &[Media::Plain]), Ok(1));
    }
}
