//! Things that people said, for tests.

use base::{Name, PublicKey, Slot};

use super::event::{Shared, Talk};
use crate::comments::Comment;
use crate::here::Present;
use crate::inbox::{Kept, Peer, Standing};
use crate::keys::ThingId;
use crate::message::{MessageId, State};
use crate::post::Post;
use crate::profile::{Person, Profile};
use crate::stamp::Stamp;

/// Something that stands in texts of whoever wants to trick a terminal.
pub(super) const HOSTILE: &str = "a\u{1b}[2J\u{202e}b\u{9b}31m\u{7}c";

pub(super) fn id(seed: u8) -> ThingId {
    ThingId::from_bytes([seed; 16])
}

pub(super) fn key(seed: u8) -> PublicKey {
    PublicKey::from_bytes([seed; 32])
}

pub(super) fn peer(seed: u8) -> Peer {
    Peer::Person(key(seed))
}

/// At this minute, somebody shares a text.
pub(super) fn shared(seed: u8, by: &str, text: &str) -> Shared {
    let post = Post {
        id: id(seed),
        author: key(seed),
        name: Name::new(by).unwrap(),
        slot: Slot::ZERO,
        stamp: minute(seed),
        text: text.to_owned(),
        long: None,
        link: None,
        file: None,
        community: None,
    };
    Shared { post, community: None }
}

pub(super) fn minute(seed: u8) -> Stamp {
    Stamp::from_millis(u64::from(seed) * 60_000)
}

pub(super) fn theirs(seed: u8, text: &str, read: bool) -> (Stamp, MessageId, Kept) {
    (
        minute(seed),
        MessageId::from_bytes([seed; 16]),
        Kept { text: text.to_owned(), mine: None, read },
    )
}

pub(super) fn mine(seed: u8, text: &str, state: State) -> (Stamp, MessageId, Kept) {
    let kept = Kept { text: text.to_owned(), mine: Some(state), read: true };
    (minute(seed), MessageId::from_bytes([seed; 16]), kept)
}

pub(super) fn talk(seed: u8, label: &str, messages: Vec<(Stamp, MessageId, Kept)>) -> Talk {
    let unread = messages.iter().filter(|(_, _, kept)| !kept.read).count();
    let (peer, label) = (peer(seed), label.to_owned());
    Talk { peer, label, standing: Standing::Accepted, unread, messages }
}

pub(super) fn guest(seed: u8, name: &str, status: &str) -> Present {
    let profile = Profile { full_name: format!("Mx {name}"), ..Profile::default() };
    let person = Person { name: Name::new(name).unwrap(), key: key(seed), profile: Some(profile) };
    Present { person, sessions: 1, status: status.to_owned(), phones: Vec::new() }
}

pub(super) fn comment(seed: u8, by: &str, text: &str) -> Comment {
    Comment {
        id: id(seed),
        author: key(seed),
        name: Some((Name::new(by).unwrap(), true)),
        slot: Slot::ZERO,
        stamp: minute(seed),
        text: text.to_owned(),
        to: None,
    }
}
