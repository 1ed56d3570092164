//! [`Inbox`]: a person's conversations, as her machine keeps them. It decides what becomes of each message that
//! comes; it does nothing itself.
//!
//! ```text
//!              blocked, refused ──► dropped
//! a message ── a stranger's ──────► a request, a few of each ── accepted ──► a conversation
//!              others' ───────────► a conversation
//! ```
//!
//! A stranger is whom the person neither follows nor wrote to. Who is not accepted is not told that anything
//! came. What a conversation shows depends on the messages in it alone, not on the order in which they came.

mod file;

use std::collections::BTreeMap;

use base::{Name, PublicKey};

use crate::message::{MessageId, Receiver, Sender, State};
use crate::seal::SealingKey;
use crate::stamp::Stamp;

/// Most requests of one stranger: who is not answered says no more.
pub const REQUESTS_MAX: usize = 5;
/// Most strangers with requests; those of others stay in the overlay until some were answered, or lapse.
pub const STRANGERS_MAX: usize = 100;
/// Most unread messages of one person; others stay in the overlay until they were read.
pub const UNREAD_MAX: usize = 100;
/// Most conversations: everybody at a large conference that one spoke with.
pub const CONVERSATIONS_MAX: usize = 500;
/// Most messages of a conversation that are kept, the newest.
pub const HISTORY_MAX: usize = 1000;
/// Most bytes of a conversation's texts that are kept.
pub const HISTORY_BYTES_MAX: usize = 128 * 1024;

/// With whom one speaks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// Who has this key.
    Person(PublicKey),
    /// Who says to call from this SIP address. Nothing is encrypted or signed, and nothing can be answered here.
    Sip(String),
}

/// What the person wants of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Standing {
    /// Not decided.
    #[default]
    Stranger,
    /// Their messages are read.
    Accepted,
    /// They are not.
    Refused,
}

/// All conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inbox {
    conversations: BTreeMap<Peer, Conversation>,
}

/// What was said with somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// As of their newest message.
    last: Option<Said>,
    standing: Standing,
    messages: BTreeMap<(Stamp, MessageId), Kept>,
    /// All up to this were here and are not kept any more.
    floor: Option<(Stamp, MessageId)>,
}

/// What somebody's newest message says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    at: (Stamp, MessageId),
    name: Name,
    has_name: bool,
    answers: SealingKey,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What was said; as it came, not yet made harmless for a terminal.
    pub text: String,
    /// Of one's own: how far it came.
    pub mine: Option<State>,
    /// Whether it was seen.
    pub read: bool,
}

/// A text that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// From whom.
    pub from: From,
    /// Which one.
    pub id: MessageId,
    /// When it was said.
    pub stamp: Stamp,
    /// What.
    pub text: String,
}

/// From whom a text came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// Who signed it, and whether they have the name they say.
    Person(Sender, bool),
    /// A SIP address, as it says.
    Sip(String),
}

/// What the person thinks of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regard {
    /// Nothing is decided.
    None,
    /// She follows them.
    Followed,
    /// She blocks them.
    Blocked,
}

/// What becomes of a message in the overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is here: remove it, and tell its sender.
    Delivered,
    /// Remove it, and tell nobody.
    Taken,
    /// There is no room for it now: leave it there.
    Left,
}

impl Inbox {
    /// Takes a message that came; the same again changes nothing.
    pub fn arrived(&mut self, arrival: Arrival, regard: Regard) -> Verdict {
        let Arrival { from, id, stamp, text } = arrival;
        let peer = from.peer();
        let (strangers, all) = (self.strangers().count(), self.conversations.len());
        let held = self.conversations.get(&peer);
        let standing = held.map_or(Standing::Stranger, |held| held.standing);
        if regard == Regard::Blocked || standing == Standing::Refused {
            return Verdict::Taken;
        }
        let accepted = regard == Regard::Followed || standing == Standing::Accepted;
        let taken = match &peer {
            Peer::Person(_) if accepted => Verdict::Delivered,
            _ => Verdict::Taken,
        };
        let at = (stamp, id);
        if held.is_some_and(|held| held.had(at)) {
            return taken;
        }
        let unread = held.map_or(0, Conversation::unread);
        if accepted {
            if unread >= UNREAD_MAX || held.is_none() && all >= CONVERSATIONS_MAX {
                return Verdict::Left;
            }
        } else {
            if unread >= REQUESTS_MAX {
                return Verdict::Taken;
            }
            let is_new = held.is_none_or(|held| held.messages.is_empty());
            if is_new && strangers >= STRANGERS_MAX || held.is_none() && all >= CONVERSATIONS_MAX {
                return Verdict::Left;
            }
        }
        let conversation = self.conversations.entry(peer).or_default();
        if accepted {
            conversation.standing = Standing::Accepted;
        }
        if let From::Person(Sender { name, answers, .. }, has_name) = from
            && conversation.last.as_ref().is_none_or(|last| last.at < at)
        {
            conversation.last = Some(Said { at, name, has_name, answers });
        }
        conversation.keep(at, Kept { text, mine: None, read: false });
        taken
    }

    /// Keeps what the person says to somebody, who is accepted by that: which of their messages to tell them
    /// that they came.
    pub fn said(
        &mut self,
        to: PublicKey,
        receiver: &Receiver,
        at: (Stamp, MessageId),
        text: &str,
    ) -> Vec<MessageId> {
        let peer = Peer::Person(to);
        let news = self.accept(&peer);
        let conversation = self.conversations.entry(peer).or_default();
        conversation.standing = Standing::Accepted;
        // Until they say something themselves.
        conversation.last.get_or_insert_with(|| Said {
            at: (Stamp::default(), MessageId::from_bytes([0; MessageId::LEN])),
            name: receiver.name.clone(),
            has_name: true,
            answers: receiver.key,
        });
        if !conversation.had(at) {
            let mine = Some(State::Waiting);
            conversation.keep(at, Kept { text: text.to_owned(), mine, read: true });
        }
        news
    }

    /// Accepts somebody: which of their messages to tell them that they came.
    pub fn accept(&mut self, peer: &Peer) -> Vec<MessageId> {
        let Some(conversation) = self.conversations.get_mut(peer) else { return Vec::new() };
        let before = std::mem::replace(&mut conversation.standing, Standing::Accepted);
        let is_new = before != Standing::Accepted && matches!(peer, Peer::Person(_));
        conversation.theirs().filter(|_| is_new).map(|((_, id), _)| *id).collect()
    }

    /// Refuses somebody: what they said is gone, and what they will say is dropped.
    pub fn refuse(&mut self, peer: &Peer) {
        if let Some(conversation) = self.conversations.get_mut(peer) {
            conversation.standing = Standing::Refused;
            conversation.messages.clear();
        }
    }

    /// The person has seen all that somebody said: which of it was new, to tell them.
    pub fn read(&mut self, peer: &Peer) -> Vec<MessageId> {
        let Some(conversation) = self.conversations.get_mut(peer) else { return Vec::new() };
        let told = conversation.standing == Standing::Accepted && matches!(peer, Peer::Person(_));
        let mut news = Vec::new();
        for ((_, id), kept) in &mut conversation.messages {
            if kept.mine.is_none() && !std::mem::replace(&mut kept.read, true) && told {
                news.push(*id);
            }
        }
        news
    }

    /// Something that the person said to somebody came so far; it never goes back.
    pub fn progressed(&mut self, to: &PublicKey, id: MessageId, state: State) {
        let conversation = self.conversations.get_mut(&Peer::Person(*to));
        let messages = conversation.into_iter().flat_map(|held| held.messages.iter_mut());
        for ((_, of), kept) in messages {
            if let Some(mine) = kept.mine.as_mut().filter(|_| *of == id) {
                *mine = state.max(*mine);
            }
        }
    }

    /// All conversations but refused ones, the one with the newest message first.
    pub fn conversations(&self) -> Vec<(&Peer, &Conversation)> {
        let mut all: Vec<_> = self
            .conversations
            .iter()
            .filter(|(_, held)| held.standing != Standing::Refused && !held.messages.is_empty())
            .collect();
        all.sort_by_key(|(peer, held)| {
            (std::cmp::Reverse(held.messages.keys().next_back().copied()), *peer)
        });
        all
    }

    /// What was said with somebody.
    pub fn with(&self, peer: &Peer) -> Option<&Conversation> {
        self.conversations.get(peer)
    }

    fn strangers(&self) -> impl Iterator<Item = &Conversation> {
        let is_one =
            |held: &&Conversation| held.standing == Standing::Stranger && !held.messages.is_empty();
        self.conversations.values().filter(is_one)
    }
}

impl Conversation {
    /// What was said, the first first: when, which, what.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = (Stamp, MessageId, &Kept)> {
        self.messages.iter().map(|((stamp, id), kept)| (*stamp, *id, kept))
    }

    /// How many of their messages were not seen.
    pub fn unread(&self) -> usize {
        self.theirs().filter(|(_, kept)| !kept.read).count()
    }

    /// What the person wants of them.
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// The name they said to have in their newest message, and whether they had it when it came.
    pub fn name(&self) -> Option<(&Name, bool)> {
        self.last.as_ref().map(|last| (&last.name, last.has_name))
    }

    /// What an answer is sealed with, as they said last.
    pub fn answers(&self) -> Option<SealingKey> {
        self.last.as_ref().map(|last| last.answers)
    }

    /// The newest stamp of all that was said.
    pub fn newest(&self) -> Option<Stamp> {
        self.messages.keys().next_back().map(|(stamp, _)| *stamp)
    }

    fn theirs(&self) -> impl Iterator<Item = (&(Stamp, MessageId), &Kept)> {
        self.messages.iter().filter(|(_, kept)| kept.mine.is_none())
    }

    fn had(&self, at: (Stamp, MessageId)) -> bool {
        self.messages.contains_key(&at) || self.floor.is_some_and(|floor| at <= floor)
    }

    fn keep(&mut self, at: (Stamp, MessageId), kept: Kept) {
        self.messages.insert(at, kept);
        let mut bytes: usize = self.messages.values().map(|kept| kept.text.len()).sum();
        // The newest stays, however long it is.
        while self.messages.len() > HISTORY_MAX
            || bytes > HISTORY_BYTES_MAX && self.messages.len() > 1
        {
            let Some((oldest, kept)) = self.messages.pop_first() else { return };
            bytes -= kept.text.len();
            self.floor = self.floor.max(Some(oldest));
        }
    }
}

impl From {
    /// In whose conversation it is.
    pub fn peer(&self) -> Peer {
        match self {
            From::Person(sender, _) => Peer::Person(sender.key),
            From::Sip(address) => Peer::Sip(address.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
