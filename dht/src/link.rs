//! What carries messages between super-nodes: one trait, over libp2p ([`crate::p2p`]) or simulated
//! ([`crate::sim`]).
//!
//! A link proves who is at the other end, greets it, and keeps a standing channel to it. It decides
//! nothing about the overlay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::NodeId;
use tokio::sync::{mpsc, oneshot};

use crate::overlay::{Peer, Pulse};
use crate::store::Pending;
use crate::wire::{Contact, Hello, Notice, Reply, Request};

/// The protocol's name on the wire, for people.
pub(crate) const PROTOCOL: &str = "/scope/store/1";

/// Carries messages to other super-nodes.
pub(crate) trait Link: Send + Sync + 'static {
    /// Sends a request; what became of it comes through `slot`. Dials first, at the given addresses,
    /// if there is no connection.
    fn request(&self, to: &Arc<Peer>, addresses: &[SocketAddr], request: Request, slot: ReplySlot);

    /// Sends a notice, if there is a connection and it is not too busy; whether it is on its way.
    fn notify(&self, to: NodeId, notice: Notice) -> bool;

    /// Makes a connection; the outcome is a [`LinkEvent`].
    fn dial(&self, to: Contact);

    /// Closes the connections to a super-node.
    fn disconnect(&self, peer: NodeId);

    /// Connects to whoever is at an address, and returns who that is.
    fn join(&self, address: SocketAddr) -> Pending<Result<NodeId, JoinError>>;

    /// Where others can reach this node.
    fn listening_on(&self) -> SocketAddr;

    /// Ends everything, after what was sent has had a moment to leave.
    fn close(&self) -> Pending<()>;
}

/// Why nobody was joined at an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Nobody answered.
    #[error(
        "no super-node answers at {address} ({detail}); is one running there, and is this the address of its --p2p?"
    )]
    Nobody {
        /// The address.
        address: SocketAddr,
        /// What the transports said.
        detail: String,
    },
    /// The node there does not speak a version of the protocol that this one does.
    #[error(
        "the node at {address} speaks {theirs}, this one {ours}; run the same version of supernode on both"
    )]
    Incompatible {
        /// The address.
        address: SocketAddr,
        /// What it speaks.
        theirs: String,
        /// What this node speaks.
        ours: String,
    },
    /// The node there has another passphrase, or only one of the two has one.
    #[error("the super-node at {address} {mismatch}")]
    NotAdmitted {
        /// The address.
        address: SocketAddr,
        /// What does not fit.
        mismatch: PassphraseMismatch,
    },
    /// This node itself is at the address.
    #[error("{address} is this node's own address; give that of another super-node")]
    Myself {
        /// The address.
        address: SocketAddr,
    },
    /// The node is stopping.
    #[error("the node is stopping")]
    Closed,
}

/// Why two nodes are not of one overlay, as one of them sees it. Reads on after the other's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseMismatch {
    /// Each has a passphrase, but not the same.
    #[error("has another passphrase; give both the same one with --passphrase-file")]
    Different,
    /// Only the other one has a passphrase.
    #[error(
        "wants a passphrase, and this node has none; give this one the same with --passphrase-file"
    )]
    OursMissing,
    /// Only this node has a passphrase.
    #[error(
        "has no passphrase, and this node has one; start both with the same --passphrase-file, or both without"
    )]
    TheirsMissing,
    /// Wrong passphrases were tried so often that nobody new is let in for a moment.
    #[error(
        "lets nobody new in for a moment, as too many wrong passphrases came from this address; check the passphrase, wait a minute and try again"
    )]
    TooManyTries,
}

impl PassphraseMismatch {
    /// The same, as the other node sees it.
    pub(crate) fn seen_by_the_other(self) -> PassphraseMismatch {
        match self {
            PassphraseMismatch::OursMissing => PassphraseMismatch::TheirsMissing,
            PassphraseMismatch::TheirsMissing => PassphraseMismatch::OursMissing,
            same => same,
        }
    }
}

/// What a link tells its node.
#[derive(Debug, Clone)]
pub(crate) enum LinkEvent {
    /// A super-node is connected, its id proven, and has said hello.
    Connected {
        /// Who, and where it may be reached.
        contact: Contact,
        /// What it said.
        hello: Hello,
        /// When it is heard.
        pulse: Pulse,
    },
    /// The last connection to it is gone.
    Disconnected(NodeId),
    /// It could not be reached.
    DialFailed(NodeId),
    /// Somebody says there is one.
    Learned(Contact),
    /// The link has asked around for others and learned all it will for now.
    Searched,
    /// A notice came.
    Notice(NodeId, Notice),
    /// A super-node does what it must not, or cannot be understood: for people to see.
    Strange(NodeId, Strange),
}

/// What is wrong with another super-node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Strange {
    /// It speaks no version of the protocol that this one does.
    Incompatible {
        /// What it speaks.
        theirs: String,
    },
    /// It sent something that is no frame, or a reply that does not fit its request.
    Malformed(String),
    /// Another id than its own was claimed for its address.
    WrongId,
    /// It is not of this overlay.
    NotAdmitted(PassphraseMismatch),
}

/// Who answers requests that come over a link.
pub(crate) trait Responder: Send + Sync + 'static {
    /// Answers a request; at once, if that takes no disk.
    fn respond(&self, from: NodeId, request: Request) -> Response;
}

/// An answer, now or later.
pub(crate) enum Response {
    /// It is here.
    Now(Reply),
    /// It takes a while.
    Later(Pending<Reply>),
}

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// There is no connection, or it broke.
    Connection,
    /// More waits for this peer than may: it is slow, or gone.
    Busy,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Whom it was sent to.
    pub(crate) from: Arc<Peer>,
    /// The asker's mark on it.
    pub(crate) tag: u32,
    /// The reply, if there was one.
    pub(crate) reply: Result<Reply, Lost>,
    /// From asking to this.
    pub(crate) took: Duration,
}

/// Where the one answer to a request goes. Dropped without one, it says [`Lost::Connection`].
#[derive(Debug)]
pub(crate) struct ReplySlot {
    to: Asker,
    from: Arc<Peer>,
    tag: u32,
    asked: tokio::time::Instant,
}

/// Who waits for an answer.
#[derive(Debug)]
enum Asker {
    /// One that asks many.
    Operation(mpsc::Sender<Answer>),
    /// One that asks once.
    Question(oneshot::Sender<Answer>),
    /// Nobody, or it has been answered.
    Nobody,
}

impl ReplySlot {
    /// A slot whose answer goes to `to`, which must have room for it.
    pub(crate) fn new(to: mpsc::Sender<Answer>, from: Arc<Peer>, tag: u32) -> ReplySlot {
        ReplySlot::of(Asker::Operation(to), from, tag)
    }

    /// A slot for the answer to one question, and where it comes out.
    pub(crate) fn once(from: Arc<Peer>) -> (ReplySlot, oneshot::Receiver<Answer>) {
        let (to, answer) = oneshot::channel();
        (ReplySlot::of(Asker::Question(to), from, 0), answer)
    }

    /// A slot for an answer that does not matter.
    pub(crate) fn nobody(from: Arc<Peer>) -> ReplySlot {
        ReplySlot::of(Asker::Nobody, from, 0)
    }

    fn of(to: Asker, from: Arc<Peer>, tag: u32) -> ReplySlot {
        ReplySlot { to, from, tag, asked: tokio::time::Instant::now() }
    }

    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match &self.to {
            Asker::Operation(to) => to.is_closed(),
            Asker::Question(to) => to.is_closed(),
            Asker::Nobody => true,
        }
    }

    /// Since when the answer is awaited.
    pub(crate) fn asked(&self) -> tokio::time::Instant {
        self.asked
    }

    /// Gives the answer.
    pub(crate) fn answer(mut self, reply: Result<Reply, Lost>) {
        self.send(reply);
    }

    fn send(&mut self, reply: Result<Reply, Lost>) {
        let to = std::mem::replace(&mut self.to, Asker::Nobody);
        let answer = |reply| {
            let took = self.asked.elapsed();
            Answer { from: Arc::clone(&self.from), tag: self.tag, reply, took }
        };
        // Whoever asked may be gone.
        match to {
            Asker::Operation(to) => drop(to.try_send(answer(reply))),
            Asker::Question(to) => drop(to.send(answer(reply))),
            Asker::Nobody => {}
        }
    }
}

impl Drop for ReplySlot {
    fn drop(&mut self) {
        self.send(Err(Lost::Connection));
    }
}
