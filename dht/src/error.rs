//! What can go wrong, and what to do about it.

use std::path::PathBuf;

/// Why an operation was not done. Nothing was changed, unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DhtError {
    /// A replica has no room: the key or the disk is full. Trying again soon will not help.
    #[error("over capacity: {0}")]
    OverCapacity(String),
    /// The key holds as many values as the put allowed it; another key may have room.
    #[error("over capacity: {0}")]
    Full(String),
    /// It is not what its author signed for this key.
    #[error("forged: {0}")]
    Forged(String),
    /// A replica holds what the same author signed with this sequence, or an older copy of the very same:
    /// sign it with a higher one.
    #[error("superseded: its author signed another with sequence {0}; sign it with a higher one")]
    Superseded(u64),
    /// The name a claim is for has another holder, or is about to.
    #[error("taken: {0}")]
    Taken(String),
    /// Too few replicas answered, or could write, in time. The operation may or may not be in
    /// force; trying again is safe.
    #[error("no quorum: {0}")]
    NoQuorum(String),
}

/// Why a node could not be opened. What is on disk was not changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be made, read or written.
    #[error("cannot use {}: {error}; choose another data directory, or allow this user to write there", path.display())]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The address for other super-nodes cannot be listened on.
    #[error(
        "cannot listen on {address} for other super-nodes, UDP and TCP ({error}); is another super-node running there? choose another address with --p2p"
    )]
    CannotListen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// Another node has the data directory.
    #[error(
        "{} is in use by another super-node{}; stop that one, or give this one a data directory of its own",
        dir.display(),
        holder.as_deref().map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// The process id the other node left, if it can be read.
        holder: Option<String>,
    },
    /// A newer version wrote the data directory.
    #[error(
        "{} has data format {found}; this version reads up to {ours}. Use the version that wrote it, or another data directory",
        dir.display()
    )]
    TooNew {
        /// The data directory.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this version reads.
        ours: u32,
    },
    /// A file of the data directory is damaged.
    #[error(
        "{} is damaged: {detail}. Restore it from a copy, or move it away to start without what it held",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}
