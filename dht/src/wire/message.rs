//! The messages, as the rest of the crate knows them.

use std::net::SocketAddr;

use base::{Entry, EntryId, NodeId, Place, Report, Version};

use crate::prefix::Prefix;
use crate::store::Digest;

/// What a frame carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    /// Wants an answer with the same id.
    Request(u64, Request),
    /// Answers the request of that id.
    Reply(u64, Reply),
    /// Wants no answer.
    Notice(Notice),
}

/// What one super-node asks another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// Lists entries under a place it keeps.
    Get(Get),
    /// Merges a copy of an entry into what it keeps.
    Apply {
        /// Where the entry's key lies.
        place: Place,
        /// The copy.
        entry: Entry,
        /// Whether the copy only makes replicas alike; then it counts for no quorum, and one more
        /// super-node than the replicas takes it.
        repair: bool,
        /// How many values the place may have, if this is a new one and not a repair.
        room: Option<u32>,
        /// Whether the asker, should it watch the place, need not be told of the change: it knows.
        quiet: bool,
    },
    /// Is it there? And does it know the same members?
    Probe,
    /// Is that one there?
    ProbeFor(NodeId),
    /// Who else is there? Those closest to the asker, or a few of those closest to another place.
    Members {
        /// That place.
        near: Option<Place>,
    },
    /// What are the digests of what it holds in these ranges, and some symbols of their sketches?
    Digests(Vec<RangeQuery>),
    /// Lists the entries it has that the asker should keep and lacks.
    Pull(Pull),
    /// Tell the asker when what is held at these places changes, for this long, in milliseconds; 0 ends
    /// that.
    Watch {
        /// Where.
        places: Vec<Place>,
        /// For how long.
        lease_ms: u32,
    },
    /// Who has the name that is claimed at this place?
    Claims {
        /// Where the name's key lies.
        place: Place,
        /// To be signed with the answer, so that no older one will do.
        nonce: [u8; Report::NONCE_LEN],
    },
}

/// What is asked of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RangeQuery {
    /// The range. Its digest is wanted in any case.
    pub(crate) range: Prefix,
    /// The symbols after so many of its sketch.
    pub(crate) after: usize,
    /// So many of them.
    pub(crate) symbols: usize,
}

impl RangeQuery {
    /// Asks for the digest alone.
    pub(crate) const fn digest(range: Prefix) -> RangeQuery {
        RangeQuery { range, after: 0, symbols: 0 }
    }
}

/// What is held in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RangeAnswer {
    pub(crate) digest: Digest,
    /// Those asked for, or none: there is too much in the range for it, or the other does not know
    /// sketches.
    pub(crate) symbols: Vec<u128>,
}

/// Which entries to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pull {
    /// Where they lie: ranges in order, none of which is within another.
    pub(crate) ranges: Vec<Prefix>,
    /// Only what comes after this one: the last of the part before.
    pub(crate) after: Option<(Place, EntryId)>,
    /// The marks of those the asker has.
    pub(crate) have: Vec<u64>,
    /// The marks of those it wants; none for all.
    pub(crate) want: Vec<u64>,
}

/// Which entries to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Get {
    /// Where the key lies.
    pub(crate) place: Place,
    /// List what comes after this entry.
    pub(crate) after: Option<EntryId>,
    /// List up to this one, it included.
    pub(crate) until: Option<EntryId>,
    /// At most this many entries.
    pub(crate) entries: usize,
    /// Stop before the values exceed this many bytes, but list one.
    pub(crate) bytes: usize,
}

/// What the other answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// To [`Request::Get`].
    Listed(Listing),
    /// To [`Request::Apply`]: the copy, or a newer one of the same version, is in force there.
    Applied,
    /// To [`Request::Apply`]: what is held wins; only a version above this one would win over it.
    Stale(Version),
    /// Others are closer to the place, among them these.
    NotMine(Vec<Contact>),
    /// To a probe: yes, and it knows the members of this digest.
    Alive(u64),
    /// To [`Request::ProbeFor`]: it answered.
    Heard,
    /// To [`Request::ProbeFor`]: it did not answer.
    Silent,
    /// To [`Request::Members`]: those it knows to be well, the closest to the asker first.
    Members {
        /// They.
        contacts: Vec<Contact>,
        /// Whether it knows who is there; else it is looking around itself.
        settled: bool,
        /// Whether there are more members than it can know.
        more: bool,
    },
    /// To [`Request::Digests`], in its order.
    Digests(Vec<RangeAnswer>),
    /// To [`Request::Pull`].
    Pulled(Pulled),
    /// To [`Request::Watch`]: the asker will be told.
    Watching,
    /// To [`Request::Claims`]: not checked yet, as that takes the question.
    Claims(Box<Report>),
    /// It did not do what it was asked to.
    Refused {
        /// Why.
        why: Refusal,
        /// The same for people.
        text: String,
    },
}

impl Reply {
    /// A refusal, its text cut to what a message holds.
    pub(crate) fn refused(why: Refusal, text: &str) -> Reply {
        let end = text.floor_char_boundary(super::TEXT_MAX);
        Reply::Refused { why, text: text[..end].to_owned() }
    }
}

/// Part of the entries under a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listing {
    /// In the order of their ids, tombstones included.
    pub(crate) entries: Vec<Entry>,
    /// Whether the limit, not the range, ended the list.
    pub(crate) more: bool,
    /// Whether the replica has all it should have: a filling one has values, but its silence means
    /// nothing.
    pub(crate) complete: bool,
}

/// Part of what an asker should keep.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pulled {
    /// In the order of place and id.
    pub(crate) entries: Vec<(Place, Entry)>,
    /// Where to go on; `None` when that was all.
    pub(crate) next: Option<(Place, EntryId)>,
}

/// Why a request was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No room; trying again soon will not help.
    OverCapacity,
    /// The place has as many values as the request allows it.
    Full,
    /// The name it is a claim for has another holder, or is about to.
    Taken,
    /// Its disk failed, or it is stopping.
    Failed,
    /// Too much to do, or it does not know the asker yet: try again.
    Later,
    /// The request made no sense to it.
    Malformed,
}

/// What needs no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The first words on every stream.
    Hello(Hello),
    /// The last ones before it closes a connection.
    Bye(Bye),
    /// What somebody believes of a third one; to be looked into, not to be believed.
    Rumour(Rumour),
    /// What is held at these places, which the other watches, has changed.
    Changed(Vec<Place>),
}

/// How a super-node introduces itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hello {
    /// The newest version of the protocol it speaks.
    pub(crate) version: u32,
    /// The oldest one.
    pub(crate) oldest: u32,
    /// Whether it holds entries, so that there may be something to pull.
    pub(crate) holds: bool,
    /// Which start of the node this is: a number that differs from start to start.
    pub(crate) start: u64,
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bye {
    /// The node stops; others keep what it kept from now on.
    Leaving,
    /// It has too many connections, but is there.
    Full,
}

/// What is said of a third one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rumour {
    /// Whom it is about.
    pub(crate) about: NodeId,
    /// Whether it is held to be gone; else only suspected.
    pub(crate) gone: bool,
}

/// A super-node and where it may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contact {
    /// Who; to be proven by the connection to it.
    pub(crate) id: NodeId,
    /// Where; UDP (QUIC) and TCP alike.
    pub(crate) addresses: Vec<SocketAddr>,
}
