//! Why a client command failed: what in [`ClientError`]'s text, what to do in its advice.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use base::{NameError, NoMemory, NotAServiceId, PassphraseError, TooLarge};

use crate::cli::NodeUrl;
use crate::passphrase::NotAPassphrase;
use crate::services::NotAContact;

/// What `scope.remove` answers when the value is there under other secrets only.
const WRONG_SECRET: i32 = 7;

#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),

    #[error(transparent)]
    Service(#[from] NotAServiceId),

    #[error(transparent)]
    Contact(#[from] NotAContact),

    #[error(transparent)]
    Name(#[from] NameError),

    #[error(transparent)]
    Weak(PassphraseError),

    #[error(transparent)]
    NoMemory(#[from] NoMemory),

    #[error("the system gives no random numbers: {0}")]
    NoRandomness(io::Error),

    #[error("{} cannot be read or written: {cause}", path.display())]
    PersonFile { path: PathBuf, cause: io::Error },

    #[error("{} holds no key: 64 hexadecimal digits are expected", .0.display())]
    NotAKeyFile(PathBuf),

    #[error("{0} is not UTF-8")]
    NotText(String),

    #[error(
        "only who has the name can give it back; say who you are with --name-passphrase-file or --key-file"
    )]
    NobodysName,

    #[error(
        "only who has a name can protect it; say who you are with --name-passphrase-file or --key-file"
    )]
    NobodysPhone,

    #[error("standard output cannot be written: {0}")]
    StandardOutput(io::Error),

    #[error("the secret is empty and would protect nothing")]
    EmptySecret,

    #[error("the secret file {} cannot be read: {cause}", path.display())]
    SecretFile { path: PathBuf, cause: io::Error },

    #[error("the passphrase file {} cannot be read: {cause}", path.display())]
    PassphraseFile { path: PathBuf, cause: io::Error },

    #[error("{origin} {cause}")]
    NotAPassphrase { origin: String, cause: NotAPassphrase },

    #[error("standard input cannot be read: {0}")]
    StandardInput(io::Error),

    #[error("{node} cannot be reached: {cause}")]
    Unreachable { node: NodeUrl, cause: io::Error },

    #[error("{node} did not answer within {} s", after.as_secs())]
    Silent { node: NodeUrl, after: Duration },

    #[error("{node} does not answer as a super-node does: {what}")]
    NotANode { node: NodeUrl, what: NotANode },

    #[error("{node} {}", if *told { "has another passphrase" } else { "wants its passphrase" })]
    WrongPassphrase { node: NodeUrl, told: bool },

    #[error("{node} is busy; nothing was done, try again in some seconds")]
    Busy { node: NodeUrl },

    #[error("the node refused: {message} (fault {code})")]
    Fault { code: i32, message: String },
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotANode {
    #[error("{0}")]
    Http(hyper::Error),
    #[error("HTTP status {0}")]
    Status(hyper::StatusCode),
    #[error("its reply is over {} MiB", max >> 20)]
    TooLong { max: usize },
    #[error("its reply is not XML-RPC")]
    NotXmlRpc,
    #[error("its reply is not {0}")]
    Unexpected(&'static str),
    #[error("its listing does not end")]
    Endless,
}

impl ClientError {
    /// What one can do about it at a command line, unless the text says so already.
    pub(super) fn advice(&self) -> Option<&'static str> {
        match self {
            ClientError::Unreachable { .. } | ClientError::Silent { .. } => {
                Some("is supernode running there?")
            }
            ClientError::NotANode { .. } => Some("name another node with --node URL"),
            ClientError::Fault { code: WRONG_SECRET, message } if message.contains("secret") => {
                Some("give the secret the value was put with: --secret-file FILE")
            }
            ClientError::WrongPassphrase { told: false, .. } => {
                Some("give it with --passphrase-file FILE, or in SUPERNODE_PASSPHRASE")
            }
            _ => None,
        }
    }

    /// The process's exit code: 2 for what was wrong before anything was sent.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            ClientError::TooLarge(_)
            | ClientError::Service(_)
            | ClientError::Contact(_)
            | ClientError::Name(_)
            | ClientError::Weak(_)
            | ClientError::PersonFile { .. }
            | ClientError::NotAKeyFile(_)
            | ClientError::NotText(_)
            | ClientError::NobodysName
            | ClientError::NobodysPhone
            | ClientError::EmptySecret
            | ClientError::SecretFile { .. }
            | ClientError::PassphraseFile { .. }
            | ClientError::NotAPassphrase { .. }
            | ClientError::StandardInput(_) => 2,
            ClientError::NoMemory(_)
            | ClientError::NoRandomness(_)
            | ClientError::StandardOutput(_)
            | ClientError::Unreachable { .. }
            | ClientError::Silent { .. }
            | ClientError::NotANode { .. }
            | ClientError::WrongPassphrase { .. }
            | ClientError::Busy { .. }
            | ClientError::Fault { .. } => 3,
        }
    }
}
