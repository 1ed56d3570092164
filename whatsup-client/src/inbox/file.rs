//! How an inbox is kept in a file: protobuf, as everything else.

use base::{Name, PublicKey};
use prost::Message as _;

use super::{Conversation, Inbox, Kept, Peer, Said, Standing};
use crate::message::{MessageId, State};
use crate::seal::SealingKey;
use crate::stamp::Stamp;

#[derive(Clone, PartialEq, prost::Message)]
struct InboxFile {
    #[prost(message, repeated, tag = "1")]
    conversations: Vec<ConversationFile>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ConversationFile {
    /// A key; empty for a SIP address.
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(string, tag = "2")]
    sip: String,
    /// 0 a stranger, 1 accepted, 2 refused.
    #[prost(uint32, tag = "3")]
    standing: u32,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<KeptFile>,
    #[prost(message, optional, tag = "5")]
    floor: Option<AtFile>,
    #[prost(message, optional, tag = "6")]
    last: Option<SaidFile>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AtFile {
    #[prost(uint64, tag = "1")]
    stamp_ms: u64,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeptFile {
    #[prost(message, optional, tag = "1")]
    at: Option<AtFile>,
    #[prost(string, tag = "2")]
    text: String,
    /// 0 theirs, 1 waiting, 2 delivered, 3 read, 4 and more: relayed to so many less 4.
    #[prost(uint32, tag = "3")]
    mine: u32,
    #[prost(bool, tag = "4")]
    read: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SaidFile {
    #[prost(message, optional, tag = "1")]
    at: Option<AtFile>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bool, tag = "3")]
    has_name: bool,
    #[prost(bytes = "vec", tag = "4")]
    answers: Vec<u8>,
}

impl Inbox {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let conversations = self.conversations.iter().map(|(peer, held)| ConversationFile {
            key: match peer {
                Peer::Person(key) => key.as_bytes().to_vec(),
                Peer::Sip(_) => Vec::new(),
            },
            sip: match peer {
                Peer::Person(_) => String::new(),
                Peer::Sip(address) => address.clone(),
            },
            standing: match held.standing {
                Standing::Stranger => 0,
                Standing::Accepted => 1,
                Standing::Refused => 2,
            },
            messages: held.messages.iter().map(|(at, kept)| kept_file(*at, kept)).collect(),
            floor: held.floor.map(at_file),
            last: held.last.as_ref().map(|last| SaidFile {
                at: Some(at_file(last.at)),
                name: last.name.to_string(),
                has_name: last.has_name,
                answers: last.answers.as_bytes().to_vec(),
            }),
        });
        InboxFile { conversations: conversations.collect() }.encode_to_vec()
    }

    /// Reads the file's bytes; nothing if they are not such a file's.
    pub fn from_bytes(bytes: &[u8]) -> Option<Inbox> {
        let file = InboxFile::decode(bytes).ok()?;
        let conversations = file.conversations.into_iter().map(conversation);
        Some(Inbox { conversations: conversations.collect::<Option<_>>()? })
    }
}

fn conversation(file: ConversationFile) -> Option<(Peer, Conversation)> {
    let peer = if file.key.is_empty() {
        Peer::Sip(file.sip)
    } else {
        Peer::Person(PublicKey::from_bytes(file.key.try_into().ok()?))
    };
    let standing = match file.standing {
        0 => Standing::Stranger,
        1 => Standing::Accepted,
        2 => Standing::Refused,
        _ => return None,
    };
    let message = |kept: KeptFile| {
        let mine = match kept.mine {
            0 => None,
            1 => Some(State::Waiting),
            2 => Some(State::Delivered),
            3 => Some(State::Read),
            more => Some(State::Relayed(usize::try_from(more - 4).ok()?)),
        };
        Some((at(kept.at.as_ref()?)?, Kept { text: kept.text, mine, read: kept.read }))
    };
    let messages = file.messages.into_iter().map(message).collect::<Option<_>>()?;
    let last = match file.last {
        None => None,
        Some(last) => Some(Said {
            at: at(last.at.as_ref()?)?,
            name: Name::new(&last.name).ok()?,
            has_name: last.has_name,
            answers: SealingKey::from_bytes(&last.answers)?,
        }),
    };
    let floor = match &file.floor {
        None => None,
        Some(floor) => Some(at(floor)?),
    };
    Some((peer, Conversation { last, standing, messages, floor }))
}

fn kept_file(at: (Stamp, MessageId), kept: &Kept) -> KeptFile {
    let mine = match kept.mine {
        None => 0,
        Some(State::Waiting) => 1,
        Some(State::Delivered) => 2,
        Some(State::Read) => 3,
        Some(State::Relayed(replicas)) => u32::try_from(replicas).unwrap_or(0).saturating_add(4),
    };
    KeptFile { at: Some(at_file(at)), text: kept.text.clone(), mine, read: kept.read }
}

fn at_file((stamp, id): (Stamp, MessageId)) -> AtFile {
    AtFile { stamp_ms: stamp.millis(), id: id.as_bytes().to_vec() }
}

fn at(file: &AtFile) -> Option<(Stamp, MessageId)> {
    let id = MessageId::from_bytes(file.id.as_slice().try_into().ok()?);
    Some((Stamp::from_millis(file.stamp_ms), id))
}
