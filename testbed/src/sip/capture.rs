//! What goes over the wire: IP datagrams as the kernel delivers them, by an `AF_PACKET` socket, which is
//! what tcpdump(8) reads. To be used in a network namespace of one's own, where nobody else sends.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, eth, recv, socket_with, sockopt,
};

/// Room for what comes while nobody reads: some seconds of several calls.
const BUFFER: usize = 8 << 20;
/// No datagram on loopback is longer.
const DATAGRAM_MAX: usize = 65_536;
/// UDP's number (RFC 768).
const UDP: u8 = 17;

/// Sees all UDP over IPv4 that is delivered in this network namespace, once each.
#[derive(Debug)]
pub(crate) struct Capture {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// A datagram that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) payload: Vec<u8>,
}

impl Seen {
    /// Whether it looks like RTP of version 2 (RFC 3550 §5.1) with the payload type of G.711's PCMU or
    /// PCMA (RFC 3551), which is neither SIP nor RTCP.
    pub(crate) fn is_voice(&self) -> bool {
        matches!(self.payload.as_slice(), [first, second, ..]
            if first >> 6 == 2 && matches!(second & 0x7f, 0 | 8) && self.payload.len() > 12)
    }
}

impl Capture {
    /// Begins to look.
    pub(crate) fn start() -> Result<Capture> {
        let family = AddressFamily::PACKET;
        // Of one protocol alone, so that what is sent and what is received is not seen twice.
        let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(eth::IP));
        let socket = socket.context("cannot capture: it takes a network namespace of its own")?;
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER);
        Ok(Capture { socket, buffer: vec![0; DATAGRAM_MAX] })
    }

    /// The next datagram, if one comes until then.
    pub(crate) fn next(&mut self, deadline: Instant) -> Result<Option<Seen>> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).unwrap_or_default();
            let mut ready = [PollFd::new(&self.socket, PollFlags::IN)];
            if poll(&mut ready, Some(&timeout))? == 0 {
                return Ok(None);
            }
            let (length, _) = recv(&self.socket, &mut *self.buffer, RecvFlags::DONTWAIT)?;
            if let Some(seen) = parse(&self.buffer[..length]) {
                return Ok(Some(seen));
            }
        }
    }

    /// All that has come so far.
    pub(crate) fn drain(&mut self) -> Result<Vec<Seen>> {
        self.during(Duration::ZERO)
    }

    /// All that has come so far and comes within a time.
    pub(crate) fn during(&mut self, time: Duration) -> Result<Vec<Seen>> {
        let (deadline, mut all) = (Instant::now() + time, Vec::new());
        while let Some(seen) = self.next(deadline)? {
            all.push(seen);
        }
        Ok(all)
    }
}

/// A UDP datagram within an IPv4 packet (RFC 791 §3.1).
fn parse(packet: &[u8]) -> Option<Seen> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    if packet.first()? >> 4 != 4 || *packet.get(9)? != UDP {
        return None;
    }
    let address = |at: usize| -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
        Some(bytes.into())
    };
    let port = |at: usize| -> Option<u16> {
        let bytes: [u8; 2] = packet.get(header + at..header + at + 2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    };
    let from = SocketAddr::from((address(12)?, port(0)?));
    let to = SocketAddr::from((address(16)?, port(2)?));
    let length = usize::from(port(4)?);
    let payload = packet.get(header + 8..header + length)?.to_vec();
    Some(Seen { from, to, payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_taken_out_of_its_packet() {
        let mut packet = vec![0x45, 0, 0, 42, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2];
        packet.extend([0x13, 0xc4, 0x13, 0xc5, 0, 22, 0, 0]);
        packet.extend([0x80, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        let seen = parse(&packet).unwrap();
        assert_eq!(seen.from, "127.0.0.1:5060".parse().unwrap());
        assert_eq!(seen.to, "127.0.0.2:5061".parse().unwrap());
        assert!(seen.is_voice());
        assert_eq!(parse(&packet[..30]), None);
        packet[9] = 6;
        assert_eq!(parse(&packet), None);
    }
}
