//! One request that is served, and its branches.

use std::time::Instant;

use crate::flow::Flow;
use crate::location::Aor;
use crate::message::{Message, Method, ViaMark};
use crate::proxy::{Fork, Pop, Target};
use crate::registrar::Wish;
use crate::transaction::TransactionId;

/// A request that is served.
pub(super) struct Call {
    pub(super) request: Message,
    /// What it came by.
    pub(super) flow: Flow,
    pub(super) mark: ViaMark,
    pub(super) pop: Pop,
    pub(super) stage: Stage,
    pub(super) identity: Identity,
    /// It was answered by this node itself.
    pub(super) own: bool,
    /// Something was answered before what ends it.
    pub(super) tried: bool,
    pub(super) began: Instant,
    pub(super) fork: Option<Fork>,
    pub(super) branches: Vec<Option<Sent>>,
    /// Why there is no way for media, if an answer has shown that.
    pub(super) warning: Option<&'static str>,
    pub(super) ringing_ms: Option<u64>,
    pub(super) heard: bool,
}

/// What is to be done with a request once it is known who asks and where who is asked is.
pub(super) enum Stage {
    /// Nothing.
    Done,
    /// To register; granted, it is bound. With whether a password was given.
    Register(Box<Wish>, bool),
    /// To reach a person.
    Person(Aor),
    /// To pass on.
    On(Box<Target>),
    /// To give to an agent.
    Agent(std::sync::Arc<dyn crate::agent::Agent>),
}

/// Who asks, as far as that matters to who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// It is no matter: the request belongs to a dialog, or is this node's own.
    Aside,
    /// Another super-node has found out.
    Neighbour,
    /// Nobody has proved anything: the name is open, or none of ours.
    Open,
    /// By a registration on the same flow, or by a password just given.
    Verified {
        /// Whether the request holds the proof, which is nobody else's business.
        by_password: bool,
    },
}

/// A branch that was begun.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) id: TransactionId,
    pub(super) flow: Flow,
    pub(super) branch: String,
}

impl Call {
    pub(super) fn new(request: Message, flow: Flow, mark: ViaMark) -> Call {
        Call {
            request,
            flow,
            mark,
            pop: Pop { first: 0, last: false },
            stage: Stage::Done,
            identity: Identity::Aside,
            own: false,
            tried: false,
            began: Instant::now(),
            fork: None,
            branches: Vec::new(),
            warning: None,
            ringing_ms: None,
            heard: false,
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        self.own || self.fork.as_ref().is_some_and(Fork::is_answered)
    }

    pub(super) fn is_invite(&self) -> bool {
        self.request.method() == Some(Method::Invite)
    }

    /// Whether it may begin a dialog, or belongs to none.
    pub(super) fn is_initial(&self) -> bool {
        self.request.to().is_ok_and(|to| to.tag().is_none())
    }

    /// Whether nothing more can come of it but what its transactions do alone.
    pub(super) fn is_over(&self) -> bool {
        // More 2xx may come of an INVITE.
        self.own || self.fork.as_ref().is_some_and(|fork| fork.is_over() && !self.is_invite())
    }
}
