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

/// The first of `count` ports in a row that are free for TCP on loopback, in the same range.
pub(crate) fn free_range(choice: &mut Choice, count: usize) -> Result<u16> {
    const TRIES: usize = 50;
    let count = u16::try_from(count)?;
    let is_free = |port: u16| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).is_ok();
    (0..TRIES)
        .map(|_| 20_000 + choice.below(u64::from(10_000 - count)) as u16)
        .find(|first| (0..count).all(|n| is_free(first + n)))
        .with_context(|| format!("no {count} free ports in a row between 20000 and 30000"))
}
