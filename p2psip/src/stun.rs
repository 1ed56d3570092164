//! STUN on the SIP port (RFC 8489; RFC 5626 §3.5.2): a phone that asks is told where it is seen, and by
//! asking keeps its NAT's door open. A Binding request is answered, and nothing else; no answer is much
//! longer than what it answers.

use std::net::{IpAddr, SocketAddr};

/// The length of a header.
const HEADER: usize = 20;
/// What tells STUN from all else (§5).
const MAGIC_COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// Attributes below have to be understood (§14).
const OPTIONAL: u16 = 0x8000;
/// Those that have to be understood, and say nothing that a bare Binding heeds: addresses, and
/// credentials, which nobody asked for.
const KNOWN: [u16; 11] =
    [0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E, 0x0020];
/// Of so many attributes that are not understood it is said: no error is then longer than twice the
/// shortest request that causes it.
const UNKNOWN_MAX: usize = 4;

/// Whether a datagram is STUN's. SIP's begin with a letter, or with a line end if it is a keep-alive,
/// and neither has the cookie where STUN has it.
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] & 0xC0 == 0 && datagram[4..8] == MAGIC_COOKIE
}

/// The answer to a datagram that came from `source`, if it is a sound Binding request.
pub fn answer(datagram: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    if !is_stun(datagram) || word(datagram, 0)? != BINDING_REQUEST {
        return None;
    }
    let (header, attributes) = datagram.split_at(HEADER);
    if usize::from(word(header, 2)?) != attributes.len() || attributes.len() % 4 != 0 {
        return None;
    }
    let unknown = unknown(attributes)?;
    let transaction = header.get(8..HEADER)?;
    if unknown.is_empty() {
        Some(packet(BINDING_SUCCESS, transaction, &[mapped(source, transaction)]))
    } else {
        // 420, without a reason phrase.
        let error = attribute(ERROR_CODE, &[0, 0, 4, 20]);
        let types: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        let types = attribute(UNKNOWN_ATTRIBUTES, &types);
        Some(packet(BINDING_ERROR, transaction, &[error, types]))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// The attributes that have to be understood and are not; `None` if they are no attributes.
fn unknown(mut attributes: &[u8]) -> Option<Vec<u16>> {
    let mut unknown = Vec::new();
    while !attributes.is_empty() {
        let (kind, length) = (word(attributes, 0)?, usize::from(word(attributes, 2)?));
        attributes = attributes.get(4 + length.next_multiple_of(4)..)?;
        if kind < OPTIONAL && !KNOWN.contains(&kind) && unknown.len() < UNKNOWN_MAX {
            unknown.push(kind);
        }
    }
    Some(unknown)
}

/// XOR-MAPPED-ADDRESS (§14.2).
fn mapped(source: SocketAddr, transaction: &[u8]) -> Vec<u8> {
    let port = source.port() ^ u16::from_be_bytes([MAGIC_COOKIE[0], MAGIC_COOKIE[1]]);
    let (family, address) = match source.ip().to_canonical() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let mask = MAGIC_COOKIE.iter().chain(transaction);
    let mut value = vec![0, family];
    value.extend(port.to_be_bytes());
    value.extend(address.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    attribute(XOR_MAPPED_ADDRESS, &value)
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + value.len().next_multiple_of(4));
    out.extend(kind.to_be_bytes());
    out.extend(length(value.len()));
    out.extend(value);
    out.resize(4 + value.len().next_multiple_of(4), 0);
    out
}

fn packet(kind: u16, transaction: &[u8], attributes: &[Vec<u8>]) -> Vec<u8> {
    let body: usize = attributes.iter().map(Vec::len).sum();
    let mut out = Vec::with_capacity(HEADER + body);
    out.extend(kind.to_be_bytes());
    out.extend(length(body));
    out.extend(MAGIC_COOKIE);
    out.extend(transaction);
    attributes.iter().for_each(|attribute| out.extend(attribute));
    out
}

/// Nothing written here is long.
fn length(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of RFC 5769 §2: the samples' transaction.
    const TRANSACTION: [u8; 12] =
        [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request(attributes: &[Vec<u8>]) -> Vec<u8> {
        packet(BINDING_REQUEST, &TRANSACTION, attributes)
    }

    #[test]
    fn who_asks_is_told_its_address() {
        for (source, mapped) in [
            // The mapped addresses of RFC 5769 §2.2 and §2.3.
            ("192.0.2.1:32853", vec![0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]),
            (
                "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
                vec![
                    0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
                    0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
                ],
            ),
        ] {
            let answer = answer(&request(&[]), source.parse().unwrap()).unwrap();
            let attribute = attribute(XOR_MAPPED_ADDRESS, &mapped);
            assert_eq!(answer, packet(BINDING_SUCCESS, &TRANSACTION, &[attribute]), "{source}");
        }
        let mapped = answer(&request(&[]), "[::ffff:192.0.2.1]:32853".parse().unwrap());
        assert_eq!(mapped, answer(&request(&[]), "192.0.2.1:32853".parse().unwrap()));
    }

    #[test]
    fn what_has_to_be_understood_and_is_not_is_named() {
        let source = "192.0.2.1:5060".parse().unwrap();
        let with = |kinds: &[u16]| {
            let attributes: Vec<_> = kinds.iter().map(|kind| attribute(*kind, b"abc")).collect();
            answer(&request(&attributes), source).unwrap()
        };
        assert_eq!(with(&[0x8022, 0x0006, 0x8028])[..2], [0x01, 0x01]);
        let refused = with(&[0x0003, 0x8022, 0x7fff]);
        let error = attribute(ERROR_CODE, &[0, 0, 4, 20]);
        let named = attribute(UNKNOWN_ATTRIBUTES, &[0x00, 0x03, 0x7f, 0xff]);
        assert_eq!(refused, packet(BINDING_ERROR, &TRANSACTION, &[error, named]));
        let many: Vec<u16> = (0x100..0x200).collect();
        assert!(with(&many).len() < 50);
    }

    #[test]
    fn nothing_else_is_answered() {
        let source = "192.0.2.1:5060".parse().unwrap();
        let good = request(&[]);
        let mut indication = good.clone();
        indication[1] = 0x11;
        let mut other = good.clone();
        other[1] = 0x03;
        let mut no_cookie = good.clone();
        no_cookie[4] = 0;
        let mut long = good.clone();
        long.push(0);
        let mut lying = good.clone();
        lying[3] = 4;
        let mut cut = request(&[attribute(0x0006, b"abcd")]);
        cut[23] = 5;
        let success = answer(&good, source).unwrap();
        let short = good[..19].to_vec();
        for wrong in [indication, other, no_cookie, long, lying, cut, success, short, vec![]] {
            assert_eq!(answer(&wrong, source), None, "{wrong:?}");
        }
        assert!(!is_stun(b"OPTIONS sip:a SIP/2.0\r\n\r\n"));
        assert!(!is_stun(b"\r\n\r\n"));
    }
}
