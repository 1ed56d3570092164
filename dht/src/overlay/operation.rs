//! What one operation of a client is to the rest: a state machine that asks members and is told
//! their answers and the time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{NodeId, SignatureCache};

use super::view::View;
use super::{Now, Peer};
use crate::lamport::LamportClock;
use crate::link::Lost;
use crate::meters::Meters;
use crate::wire::{Reply, Request};

/// How long an operation goes on trying: longer than it takes to hold a silent member to be gone,
/// so that the death of one only delays it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(7);
/// Between two attempts of an operation that too few answered.
pub(crate) const RETRY: Duration = Duration::from_millis(200);

/// A request an operation wants to be sent.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) to: Arc<Peer>,
    pub(crate) addresses: Arc<[SocketAddr]>,
    /// Comes back with the answer. `None`: the answer does not matter.
    pub(crate) tag: Option<u32>,
    pub(crate) request: Request,
}

/// What an operation sees of its node.
pub(crate) struct Context<'a> {
    pub(crate) now: Now,
    pub(crate) view: &'a View,
    pub(crate) lamport: &'a LamportClock,
    pub(crate) meters: &'a Meters,
    pub(crate) signatures: &'a SignatureCache,
    /// How long whoever is asked may stay silent before it is suspect.
    pub(crate) unanswered: Duration,
}

/// What an operation wants done.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    pub(crate) asks: Vec<Ask>,
    /// Members that left a question unanswered for too long.
    pub(crate) overdue: Vec<NodeId>,
}

/// An operation under way.
pub(crate) trait Operation {
    /// What comes of it.
    type Output;

    /// It begins.
    fn start(&mut self, context: &Context<'_>, wants: &mut Wants);

    /// The request with this tag was answered, or will not be.
    fn answered(
        &mut self,
        context: &Context<'_>,
        tag: u32,
        reply: Result<Reply, Lost>,
        wants: &mut Wants,
    );

    /// The time it asked for has come.
    fn time_passed(&mut self, context: &Context<'_>, wants: &mut Wants);

    /// When it wants to be told of the time.
    fn wake_at(&self) -> Now;

    /// What came of it, as soon as it is known: then it is over.
    fn outcome(&mut self) -> Option<Self::Output>;
}
