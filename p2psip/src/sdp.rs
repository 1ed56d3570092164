//! Session descriptions (RFC 8866), as far as it has to be known whether media finds a way. They are read,
//! never changed.

use std::net::IpAddr;

use crate::message::Message;

/// More streams than any phone offers: of more nothing is known.
const STREAMS_MAX: usize = 32;

/// A description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sdp<'a> {
    /// Its streams, in their order.
    pub streams: Vec<Stream<'a>>,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream<'a> {
    /// `audio`, `video` and others.
    pub kind: &'a str,
    /// Where it is wanted; 0 if it is not.
    pub port: u16,
    /// The profile, such as `RTP/AVP`.
    pub profile: &'a str,
    /// The payload types, as they were written.
    pub formats: &'a str,
    /// Where it is wanted, if that is an address: the stream's own, or the whole description's.
    pub address: Option<IpAddr>,
    /// Its attributes, without `a=`.
    pub attributes: Vec<&'a str>,
    direction: Option<&'a str>,
}

impl<'a> Sdp<'a> {
    /// The description a message brings: none if it brings another body, or nothing that can be read.
    pub fn of(message: &'a Message) -> Option<Sdp<'a>> {
        let kind = message.content_type().ok()??;
        let kind = kind.split(';').next()?.trim();
        let is_sdp = kind.eq_ignore_ascii_case("application/sdp");
        is_sdp.then(|| std::str::from_utf8(message.body()).ok()).flatten().and_then(Sdp::parse)
    }

    /// Reads one.
    pub fn parse(text: &'a str) -> Option<Sdp<'a>> {
        let mut lines = text.lines();
        if lines.next()? != "v=0" {
            return None;
        }
        let (mut address, mut direction) = (None, None);
        let mut streams: Vec<Stream<'a>> = Vec::new();
        for line in lines {
            let Some((kind, value)) = line.split_once('=') else { continue };
            match (kind, streams.last_mut()) {
                ("m", _) => streams.push(Stream::parse(value, address, direction)?),
                ("c", None) => address = connection(value),
                ("c", Some(stream)) => stream.address = connection(value),
                ("a", None) => direction = Some(value).filter(|v| is_direction(v)).or(direction),
                ("a", Some(stream)) => stream.attributes.push(value),
                _ => {}
            }
        }
        (streams.len() <= STREAMS_MAX).then_some(Sdp { streams })
    }

    /// The streams that are wanted.
    pub fn wanted(&self) -> impl Iterator<Item = &Stream<'a>> {
        self.streams.iter().filter(|stream| stream.port != 0)
    }
}

impl<'a> Stream<'a> {
    fn parse(
        value: &'a str,
        address: Option<IpAddr>,
        direction: Option<&'a str>,
    ) -> Option<Stream<'a>> {
        let (kind, rest) = value.split_once(' ')?;
        let (port, rest) = rest.split_once(' ')?;
        let (profile, formats) = rest.split_once(' ').unwrap_or((rest, ""));
        let port = port.split('/').next()?.parse().ok()?;
        Some(Stream { kind, port, profile, formats, address, attributes: Vec::new(), direction })
    }

    /// `sendrecv` (also if nothing is said), `sendonly`, `recvonly` or `inactive`.
    pub fn direction(&self) -> &'a str {
        let own = self.attributes.iter().copied().rfind(|value| is_direction(value));
        own.or(self.direction).unwrap_or("sendrecv")
    }

    /// Whether it is WebRTC's: keys come by DTLS, so that who knows nothing of it hears nothing
    /// (RFC 5764 §8, RFC 8841).
    pub fn is_dtls(&self) -> bool {
        let profile = self.profile.to_ascii_uppercase();
        profile.contains("/TLS/") || profile.contains("/DTLS/")
    }

    /// Whether it is RTP without DTLS.
    pub fn is_plain_rtp(&self) -> bool {
        self.profile.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("RTP/"))
    }

    /// Whether more addresses are said than the one (RFC 8839).
    pub fn has_candidates(&self) -> bool {
        self.attributes.iter().any(|a| a.starts_with("candidate:") || a.starts_with("ice-ufrag:"))
    }
}

fn is_direction(value: &str) -> bool {
    matches!(value, "sendrecv" | "sendonly" | "recvonly" | "inactive")
}

/// `IN IP4 192.0.2.1`, or a name, of which nothing is known.
fn connection(value: &str) -> Option<IpAddr> {
    let address = value.split_ascii_whitespace().nth(2)?;
    address.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_read_with_what_holds_for_all() {
        let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
            a=sendonly\r\nm=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n\
            m=video 4002/2 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP6 2001:db8::1\r\na=candidate:1\r\n\
            a=recvonly\r\nm=image 0 udptl t38\r\nc=IN IP4 name.local\r\n";
        let sdp = Sdp::parse(text).unwrap();
        let [audio, video, image] = sdp.streams.as_slice() else { panic!() };
        assert_eq!((audio.kind, audio.port, audio.formats), ("audio", 4000, "0 8"));
        assert_eq!((audio.address, audio.direction()), ("192.0.2.1".parse().ok(), "sendonly"));
        assert!(audio.is_plain_rtp() && !audio.is_dtls() && !audio.has_candidates());
        assert_eq!((video.address, video.direction()), ("2001:db8::1".parse().ok(), "recvonly"));
        assert!(video.is_dtls() && !video.is_plain_rtp() && video.has_candidates());
        assert_eq!((image.address, image.port), (None, 0));
        assert_eq!(sdp.wanted().count(), 2);
    }

    #[test]
    fn what_is_no_description_is_none() {
        for text in ["", "v=1\r\n", "v=0\r\nm=audio\r\n", "v=0\r\nm=audio x RTP/AVP 0\r\n"] {
            assert_eq!(Sdp::parse(text), None, "{text}");
        }
    }
}
