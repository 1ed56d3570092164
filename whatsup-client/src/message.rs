//! [`Message`]: what one person says to another, and how it lies in the overlay.
//!
//! ```text
//! inbox/<name>, a list
//!   element, signed by a key made for it alone: Envelope
//!     sealed for the receiver: Signed by the sender, for this receiver: Inner
//!       the envelope's key, what is said, or where the long text is
//! blob/<hash>   a text that is too long for an element, sealed with a key that Inner has
//! ```
//!
//! So the overlay sees that somebody has a message, and neither from whom nor what. Sender and receiver both
//! have the envelope's key, and can remove it. What is signed inside is for one receiver's name and key: it
//! cannot be passed off as said to somebody else.

mod envelope;

use std::fmt;

use base::{Key, Name, PublicKey, Secret, Slot};

use crate::seal::SealingKey;
use crate::stamp::Stamp;

pub use envelope::{Letter, Opened, Posting, letter};

/// Longest text of a message, in bytes: what one value takes, sealed.
pub const TEXT_MAX: usize = 32 * 1024;
/// Most messages of which one receipt speaks.
pub const RECEIPT_MAX: usize = 32;

/// Names one message: 16 random bytes that its sender signs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId([u8; MessageId::LEN]);

/// What one person says to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Which one it is.
    pub id: MessageId,
    /// When it was said.
    pub stamp: Stamp,
    /// What.
    pub content: Content,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text; as it came, not yet made harmless for a terminal.
    Text(String),
    /// A text that is too long to be in the envelope.
    Long(Long),
    /// How far the receiver's messages came.
    Receipt {
        /// So far.
        state: State,
        /// These.
        of: Vec<MessageId>,
    },
}

/// How far a message came. It only ever comes further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It is on the sender's machine only.
    Waiting,
    /// It lies in the receiver's inbox, at so many replicas.
    Relayed(usize),
    /// The receiver's machine has it.
    Delivered,
    /// The receiver has seen it.
    Read,
}

/// Where a long text is, and what opens it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Long {
    /// The hash of the sealed text, which is its key.
    pub hash: blake3::Hash,
    /// Seals it, and removes it.
    pub key: [u8; 32],
}

impl MessageId {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// An id of random bytes.
    pub const fn from_bytes(bytes: [u8; MessageId::LEN]) -> MessageId {
        MessageId(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; MessageId::LEN] {
        &self.0
    }

    const fn slot(self) -> Slot {
        Slot::new(self.0)
    }
}

impl Long {
    /// Makes the secret that removes the sealed text out of its key.
    const REMOVAL: &'static str = "scope 2026-11 removal of a long message";

    /// Under which key it is.
    pub fn place(&self) -> Key {
        crate::keys::blob(&self.hash)
    }

    /// Shown to remove it.
    pub fn secret(&self) -> Secret {
        let bytes = blake3::derive_key(Long::REMOVAL, &self.key);
        Secret::new(bytes.to_vec()).unwrap_or_else(|_| unreachable!("32 bytes are few"))
    }
}

/// Who gets a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The name, and so the inbox.
    pub name: Name,
    /// What is sealed for the receiver.
    pub key: SealingKey,
}

/// Who sent a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Who signed it.
    pub key: PublicKey,
    /// The name they say to have.
    pub name: Name,
    /// What an answer is sealed with.
    pub answers: SealingKey,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

impl fmt::Debug for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Long").field("hash", &self.hash).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
