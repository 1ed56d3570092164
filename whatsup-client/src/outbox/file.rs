//! How an outbox is kept in a file.

use base::list::Seat;
use base::{Name, PublicKey};
use prost::Message as _;

use super::{Outbox, Pending, Relayed};
use crate::message::{Content, Message, MessageId, Receiver, State};
use crate::seal::SealingKey;
use crate::stamp::Stamp;

#[derive(Clone, PartialEq, prost::Message)]
struct OutboxFile {
    #[prost(message, repeated, tag = "1")]
    pending: Vec<PendingFile>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PendingFile {
    #[prost(bytes = "vec", tag = "1")]
    to: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    id: Vec<u8>,
    #[prost(uint64, tag = "5")]
    stamp_ms: u64,
    #[prost(string, tag = "6")]
    text: String,
    /// Of a receipt: 1 delivered, 2 read.
    #[prost(uint32, tag = "7")]
    receipt: u32,
    #[prost(bytes = "vec", repeated, tag = "8")]
    of: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "9")]
    seed: Vec<u8>,
    #[prost(message, optional, tag = "10")]
    relayed: Option<RelayedFile>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RelayedFile {
    #[prost(uint64, tag = "1")]
    replicas: u64,
    #[prost(uint64, tag = "2")]
    depth: u64,
    #[prost(uint64, tag = "3")]
    enrolled_until_ms: u64,
    #[prost(uint64, tag = "4")]
    until_ms: u64,
}

impl Outbox {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        OutboxFile { pending: self.pending.values().map(pending_file).collect() }.encode_to_vec()
    }

    /// Reads the file's bytes; nothing if they are not such a file's.
    pub fn from_bytes(bytes: &[u8]) -> Option<Outbox> {
        let file = OutboxFile::decode(bytes).ok()?;
        let pending = file.pending.into_iter().map(|file| {
            let pending = pending(file)?;
            Some((pending.message.id, pending))
        });
        Some(Outbox { pending: pending.collect::<Option<_>>()? })
    }
}

fn pending_file(pending: &Pending) -> PendingFile {
    let mut file = PendingFile {
        to: pending.to.as_bytes().to_vec(),
        name: pending.receiver.name.to_string(),
        key: pending.receiver.key.as_bytes().to_vec(),
        id: pending.message.id.as_bytes().to_vec(),
        stamp_ms: pending.message.stamp.millis(),
        seed: pending.seed.to_vec(),
        relayed: pending.relayed.map(|relayed| RelayedFile {
            replicas: relayed.replicas as u64,
            depth: relayed.seat.depth as u64,
            enrolled_until_ms: relayed.seat.enrolled_until_ms,
            until_ms: relayed.until_ms,
        }),
        ..PendingFile::default()
    };
    match &pending.message.content {
        Content::Text(text) => file.text.clone_from(text),
        Content::Receipt { state, of } => {
            file.receipt = if *state == State::Read { 2 } else { 1 };
            file.of = of.iter().map(|id| id.as_bytes().to_vec()).collect();
        }
        // Nobody has one to send: a text becomes one when it is sealed.
        Content::Long(_) => {}
    }
    file
}

fn pending(file: PendingFile) -> Option<Pending> {
    let id = |bytes: &[u8]| Some(MessageId::from_bytes(bytes.try_into().ok()?));
    let of = || file.of.iter().map(|bytes| id(bytes)).collect::<Option<Vec<_>>>();
    let content = match file.receipt {
        0 => Content::Text(file.text),
        1 => Content::Receipt { state: State::Delivered, of: of()? },
        2 => Content::Receipt { state: State::Read, of: of()? },
        _ => return None,
    };
    let relayed = match file.relayed {
        None => None,
        Some(relayed) => Some(Relayed {
            replicas: usize::try_from(relayed.replicas).ok()?,
            seat: Seat {
                depth: usize::try_from(relayed.depth).ok()?,
                enrolled_until_ms: relayed.enrolled_until_ms,
            },
            until_ms: relayed.until_ms,
        }),
    };
    let stamp = Stamp::from_millis(file.stamp_ms);
    Some(Pending {
        to: PublicKey::from_bytes(file.to.try_into().ok()?),
        receiver: Receiver {
            name: Name::new(&file.name).ok()?,
            key: SealingKey::from_bytes(&file.key)?,
        },
        message: Message { id: id(&file.id)?, stamp, content },
        seed: file.seed.try_into().ok()?,
        relayed,
    })
}
