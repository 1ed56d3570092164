//! Why a command failed: what in [`CommandError`]'s text, what to do in its advice, and the exit codes that
//! scripts rely on.

use std::io;
use std::path::PathBuf;

use base::NameError;

use crate::blob::BlobError;
use crate::comments::CommentError;
use crate::community::{CommunityError, EventError, PollError};
use crate::overlay::OverlayError;
use crate::picture::PictureError;
use crate::posts::PostError;
use crate::private::{self, PrivateError};
use crate::profile::ProfileError;
use crate::profile::photo::PhotoError;
use crate::text::TextError;

/// Nothing is there, or the answer is no.
const NO: u8 = 1;
/// Wrong usage, clap's own code: nothing was sent.
const USAGE: u8 = 2;
/// This machine failed: a file, standard output, randomness.
const MACHINE: u8 = 3;
/// No super-node answers.
const NO_NODE: u8 = 4;
/// The super-node refused.
const REFUSED: u8 = 5;
/// Too few replicas answered, or there is no room: another try may do.
const AGAIN: u8 = 6;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// What the overlay says.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// What a person keeps for herself has no room.
    #[error(transparent)]
    Full(#[from] private::Full),
    /// No name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A text that is not taken.
    #[error(transparent)]
    Text(#[from] TextError),
    /// What a community does not allow, or has not.
    #[error(transparent)]
    Community(CommunityError),
    /// What a person has shared takes all the room there is; says what to delete.
    #[error("{0}")]
    NoRoom(String),
    /// What was named is not there.
    #[error("{0}")]
    Missing(String),
    /// Arguments that make no sense; says what would.
    #[error("{0}")]
    Usage(String),
    /// Nobody is logged in here.
    #[error("nobody is logged in here")]
    NotLoggedIn,
    /// A file that cannot be used.
    #[error("{} cannot be read or written: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Standard input cannot be read.
    #[error("standard input cannot be read: {0}")]
    StandardInput(io::Error),
    /// Standard output cannot be written.
    #[error("standard output cannot be written: {0}")]
    StandardOutput(io::Error),
    /// Something else of this machine's.
    #[error("{0}")]
    Machine(String),
}

impl From<ProfileError> for CommandError {
    fn from(error: ProfileError) -> CommandError {
        match error {
            ProfileError::Overlay(error) => error.into(),
            ProfileError::Text(error) => error.into(),
            other => CommandError::Usage(other.to_string()),
        }
    }
}

impl From<PhotoError> for CommandError {
    fn from(error: PhotoError) -> CommandError {
        match error {
            PhotoError::Profile(error) => error.into(),
            PhotoError::Blob(BlobError::Overlay(error)) => error.into(),
            PhotoError::Picture(error) => CommandError::Usage(error.to_string()),
            PhotoError::Blob(error) => CommandError::Machine(error.to_string()),
        }
    }
}

impl From<CommunityError> for CommandError {
    fn from(error: CommunityError) -> CommandError {
        match error {
            CommunityError::Overlay(error) => error.into(),
            CommunityError::Text(error) => error.into(),
            CommunityError::Event(error) => error.into(),
            CommunityError::Poll(error) => error.into(),
            CommunityError::Draft(error) => CommandError::Usage(error.to_string()),
            CommunityError::Blob(BlobError::Overlay(error)) => error.into(),
            error @ (CommunityError::TooBig(_)
            | CommunityError::TooManyModerators
            | CommunityError::NoSuchOption { .. }) => CommandError::Usage(error.to_string()),
            other => CommandError::Community(other),
        }
    }
}

impl From<BlobError> for CommandError {
    fn from(error: BlobError) -> CommandError {
        match error {
            BlobError::Overlay(error) => error.into(),
            BlobError::Empty | BlobError::TooLarge { .. } => CommandError::Usage(error.to_string()),
            BlobError::Incomplete(_) => CommandError::Missing(error.to_string()),
            BlobError::Read(_) | BlobError::Changed | BlobError::Write { .. } => {
                CommandError::Machine(error.to_string())
            }
        }
    }
}

impl From<PostError> for CommandError {
    fn from(error: PostError) -> CommandError {
        match error {
            PostError::Overlay(error) => error.into(),
            PostError::Blob(error) => error.into(),
            PostError::Draft(_) => CommandError::Usage(error.to_string()),
            PostError::NoSuchPost(_) | PostError::NoSuchPerson(_) => {
                CommandError::Missing(error.to_string())
            }
        }
    }
}

impl From<CommentError> for CommandError {
    fn from(error: CommentError) -> CommandError {
        match error {
            CommentError::Overlay(error) => error.into(),
            CommentError::Text(error) => error.into(),
            CommentError::NotYours(_) => CommandError::Missing(error.to_string()),
        }
    }
}

impl From<PictureError> for CommandError {
    fn from(error: PictureError) -> CommandError {
        CommandError::Usage(error.to_string())
    }
}

impl From<EventError> for CommandError {
    fn from(error: EventError) -> CommandError {
        CommandError::Usage(error.to_string())
    }
}

impl From<PollError> for CommandError {
    fn from(error: PollError) -> CommandError {
        CommandError::Usage(error.to_string())
    }
}

impl From<PrivateError> for CommandError {
    fn from(error: PrivateError) -> CommandError {
        match error {
            PrivateError::Overlay(error) => error.into(),
            PrivateError::Full(error) => error.into(),
        }
    }
}

impl CommandError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            CommandError::Name(_)
            | CommandError::Text(_)
            | CommandError::Usage(_)
            | CommandError::Full(_)
            | CommandError::NotLoggedIn => USAGE,
            CommandError::Community(_) | CommandError::Missing(_) => NO,
            CommandError::NoRoom(_) => AGAIN,
            CommandError::File { .. }
            | CommandError::StandardInput(_)
            | CommandError::StandardOutput(_)
            | CommandError::Machine(_) => MACHINE,
            CommandError::Overlay(error) => match error {
                OverlayError::NoNode(_) => NO_NODE,
                OverlayError::NoQuorum(_)
                | OverlayError::OverCapacity(_)
                | OverlayError::Full
                | OverlayError::Superseded(_) => AGAIN,
                OverlayError::Forged(_)
                | OverlayError::Taken(_)
                | OverlayError::WrongSecret
                | OverlayError::Refused(_)
                | OverlayError::Locked(_) => REFUSED,
            },
        }
    }

    /// What one can do about it at a command line, unless the text says so already.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            CommandError::Community(CommunityError::NoSuch(_)) => {
                Some("`whatsup community list` shows those there are")
            }
            CommandError::NotLoggedIn => Some("log in with: whatsup login NAME"),
            CommandError::Overlay(error) => match error {
                OverlayError::NoNode(_) => {
                    Some("is supernode running there? name another with --node URL")
                }
                OverlayError::NoQuorum(_) => Some("try again in some seconds"),
                OverlayError::Locked(_) => {
                    Some("give it with --passphrase-file FILE, or in SUPERNODE_PASSPHRASE")
                }
                _ => None,
            },
            _ => None,
        }
    }
}
