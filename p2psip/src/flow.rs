//! Flows: ways to a peer (RFC 5626 §3.1), and the tokens that name them to the outside.

mod token;

use std::net::SocketAddr;

pub use token::{BadToken, Token, TokenKey};

use crate::message::Transport;

/// What carries a flow's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// Datagrams.
    Udp,
    /// A TCP connection.
    Tcp,
    /// A WebSocket (RFC 7118); within TLS or not, whoever accepted it knows.
    WebSocket,
}

impl Carrier {
    /// As it stands in a Via and, in any case, in a URI.
    pub const fn transport(self) -> Transport<'static> {
        match self {
            Carrier::Udp => Transport::Udp,
            Carrier::Tcp => Transport::Tcp,
            Carrier::WebSocket => Transport::Ws,
        }
    }

    /// Whether messages arrive without being sent again.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Carrier::Udp)
    }
}

/// A way to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// What carries it.
    pub carrier: Carrier,
    /// Whom it leads to.
    pub peer: SocketAddr,
    /// Which connection it is, of all this process ever had; 0 for datagrams.
    pub connection: u64,
}

impl Flow {
    /// Datagrams to an address.
    pub const fn udp(peer: SocketAddr) -> Flow {
        Flow { carrier: Carrier::Udp, peer, connection: 0 }
    }
}
