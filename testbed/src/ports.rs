//! Ports a proof may count on.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use anyhow::{Context, Result};

use crate::choice::Choice;

/// A loopback address whose port is free for TCP and UDP, and below those the kernel gives to
/// clients: while a node is down, a client that tries to reach it could otherwise be given the
/// node's own port.
pub(crate) fn free_address(choice: &mut Choice) -> Result<SocketAddr> {
    const TRIES: usize = 50;
    (0..TRIES)
        .map(|_| SocketAddr::from(([127, 0, 0, 1], 20_000 + choice.below(10_000) as u16)))
        .find(|address| TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok())
        .context("no free port between 20000 and 30000")
}
