//! One UDP socket, read by several tasks: whichever core is free takes the next datagram.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::{Inbox, Unsent};
use crate::flow::Flow;
use crate::stun;

/// Larger than any datagram: what is longer than a message may be is known by it.
const DATAGRAM_MAX: usize = 65_536;
/// So many datagrams are read before another task may run.
const AT_ONCE: usize = 32;

/// The socket.
#[derive(Debug, Clone)]
pub struct Udp {
    socket: Arc<UdpSocket>,
    /// It is of both families, and says IPv4 addresses as IPv6.
    maps: bool,
}

impl Udp {
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Udp> {
        Ok(Udp { socket: Arc::new(UdpSocket::bind(address).await?), maps: address.is_ipv6() })
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn send(&self, bytes: &[u8], peer: SocketAddr) -> Result<(), Unsent> {
        let peer = match peer.ip() {
            IpAddr::V4(ip) if self.maps => (ip.to_ipv6_mapped(), peer.port()).into(),
            _ => peer,
        };
        match self.socket.try_send_to(bytes, peer) {
            Ok(_) => Ok(()),
            // Lost, as any datagram may be: it is sent again in time.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(Unsent),
        }
    }

    /// Reads until the task is ended: messages go to the inbox, STUN is answered.
    pub async fn serve(self, inbox: Arc<dyn Inbox>) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            if self.socket.ready(Interest::READABLE).await.is_err() {
                return;
            }
            for _ in 0..AT_ONCE {
                // Errors are of earlier datagrams that nobody took: nothing to do about them.
                let Ok((length, peer)) = self.socket.try_recv_from(&mut buffer) else { break };
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                let datagram = &buffer[..length];
                if stun::is_stun(datagram) {
                    if let Some(answer) = stun::answer(datagram, peer) {
                        let _ = self.send(&answer, peer);
                    }
                } else if peer.port() != 0 {
                    inbox.on_message(Bytes::copy_from_slice(datagram), Flow::udp(peer));
                }
            }
            tokio::task::yield_now().await;
        }
    }
}
