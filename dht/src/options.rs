//! How a node is opened.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::Passphrase;

/// Where a node keeps its entries and its key.
#[derive(Debug, Clone)]
pub enum Storage {
    /// Nowhere: both are gone when the handle is.
    Memory,
    /// In this data directory.
    Disk(PathBuf),
}

/// How a node is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it keeps what it holds.
    pub storage: Storage,
    /// Where it listens for other super-nodes: UDP (QUIC) and TCP, the same number. Port 0 picks one
    /// that is free for both.
    pub listen: SocketAddr,
    /// How long it looks for others before it believes to be alone: until then writes wait, and
    /// nothing is said not to be there. Zero if nobody is looked for.
    pub settle: Duration,
    /// What all nodes of its overlay have, and nobody else. Without one everybody may join, who has
    /// none either.
    pub passphrase: Option<Passphrase>,
}

impl Options {
    /// Long enough for a multicast question, one lost, and the answer; short enough to be ready
    /// within 3 s.
    pub const SETTLE: Duration = Duration::from_millis(2500);

    /// A node on loopback that looks for nobody: others may still find it.
    pub fn local(storage: Storage) -> Options {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Options { storage, listen, settle: Duration::ZERO, passphrase: None }
    }
}
