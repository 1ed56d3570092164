//! What carries messages: one UDP socket and connections, TCP's or WebSockets'. What comes in goes to an
//! [`Inbox`]; what goes out never waits: a queue that is full is a flow that failed.

pub mod connection;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

pub use udp::Udp;

use crate::flow::{Carrier, Flow};
use connection::Connections;

/// Takes what comes in. It decides quickly, and never blocks.
pub trait Inbox: Send + Sync + 'static {
    /// A message has come.
    fn on_message(&self, bytes: Bytes, flow: Flow);

    /// A connection has ended: nothing will come or go by its flow.
    fn on_closed(&self, flow: Flow);
}

/// A message could not be sent: its flow is gone, or does not take more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the flow is gone, or takes no more")]
pub struct Unsent;

/// All ways out.
#[derive(Debug)]
pub struct Transports {
    udp: Udp,
    connections: Arc<Connections>,
}

impl Transports {
    /// Binds UDP and TCP to the same number; port 0 finds one that both have.
    ///
    /// # Errors
    /// If an address is in use, or not this machine's.
    pub async fn bind(address: SocketAddr) -> io::Result<(Transports, tokio::net::TcpListener)> {
        let mut left = if address.port() == 0 { PORT_TRIES } else { 1 };
        loop {
            left -= 1;
            let listener = tokio::net::TcpListener::bind(address).await?;
            match Udp::bind(listener.local_addr()?).await {
                Ok(udp) => {
                    let connections = Arc::new(Connections::default());
                    return Ok((Transports { udp, connections }, listener));
                }
                Err(error) if left == 0 => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// The UDP socket.
    pub fn udp(&self) -> &Udp {
        &self.udp
    }

    /// The connections.
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// A flow to an address, opened if there is none.
    ///
    /// # Errors
    /// [`Unsent`], if there are too many connections, or nothing leads there.
    pub fn flow_to(
        &self,
        carrier: Carrier,
        peer: SocketAddr,
        inbox: &Arc<dyn Inbox>,
    ) -> Result<Flow, Unsent> {
        match carrier {
            Carrier::Udp => Ok(Flow::udp(peer)),
            Carrier::Tcp => self.connections.to(peer, inbox),
            Carrier::WebSocket => Err(Unsent),
        }
    }

    /// Sends a message by a flow.
    ///
    /// # Errors
    /// [`Unsent`]
    pub fn send(&self, flow: &Flow, bytes: Bytes) -> Result<(), Unsent> {
        match flow.carrier {
            Carrier::Udp => self.udp.send(&bytes, flow.peer),
            Carrier::Tcp | Carrier::WebSocket => self.connections.send(flow.connection, bytes),
        }
    }
}

/// A port that TCP has free UDP has, too, but for bad luck.
const PORT_TRIES: u32 = 16;
