//! What the overlay tells whoever watches ([`Event`]), and what that person wants of it ([`Wish`]).

use serde_json::Value as Json;

use crate::comments::Comment;
use crate::here::Present;
use crate::inbox::{Kept, Peer, Standing};
use crate::keys::ThingId;
use crate::message::MessageId;
use crate::post::Post;
use crate::stamp::Stamp;

/// Something that is so now. Of each kind the newest counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// What all whom the person follows shared last, the newest first.
    Feed(Vec<Shared>),
    /// The conversations, the one with the newest message first.
    Talks(Vec<Talk>),
    /// Who is here, by name; and whether that is all.
    Here(Vec<Present>, bool),
    /// What is said about the thing that is open.
    Comments(ThingId, Vec<Comment>),
    /// Something happened in a community.
    Alert(Alert),
    /// This super-node answers now.
    Node(String),
    /// No super-node answers, or something could not be read; it is tried again.
    Trouble(String),
    /// What was wished is done.
    Done(String),
    /// What was wished is not done.
    Failed(String),
}

/// Something that happened in a community, for people and for programs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alert {
    pub(super) line: String,
    pub(super) json: Json,
}

/// A post, and what the community is called where it was shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) post: Post,
    pub(super) community: Option<String>,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Talk {
    pub(super) peer: Peer,
    /// What it is called, and how its other side is answered.
    pub(super) label: String,
    pub(super) standing: Standing,
    pub(super) unread: usize,
    /// The newest messages, the first first.
    pub(super) messages: Vec<(Stamp, MessageId, Kept)>,
}

/// Something the person wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// To see what is said about this.
    Open(ThingId),
    /// To see nothing of that any more.
    Shut,
    /// To have it known that all of this conversation was seen.
    Seen(Peer),
    /// To say something about a thing.
    Comment(ThingId, String),
    /// To write to somebody, who is called so.
    Say(String, String),
}
