//! How a node is opened.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

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
    /// What those share who may join the overlay; without one it is open to everybody.
    pub passphrase: Option<Passphrase>,
}

/// What those share who may join an overlay. It is compared byte by byte.
#[derive(Clone)]
pub struct Passphrase(String);

/// A text that cannot be a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a passphrase has between 8 and 1024 bytes")]
pub struct PassphraseError;

impl Passphrase {
    /// A passphrase of this text.
    ///
    /// # Errors
    /// When it has fewer than 8 bytes or more than 1,024.
    pub fn new(text: String) -> Result<Passphrase, PassphraseError> {
        if (8..=1024).contains(&text.len()) { Ok(Passphrase(text)) } else { Err(PassphraseError) }
    }
}

/// Shows its length at most: it ends up in logs.
impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Passphrase({} bytes)", self.0.len())
    }
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
