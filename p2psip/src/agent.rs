//! User agents that live in this process: whoever implements [`Agent`] is given the requests of a person,
//! or of a method, and answers them; and sends requests of its own.
//!
//! ```text
//!   server ── Asked ──► Agent::on_request ── Asked::answer ──► Outlet::respond ──► the transaction
//!                            │
//!                            └── Line::send ──► Outlet::request ──► … ──► Listener::on_response
//! ```
//!
//! What makes a [`Dialog`] of requests and responses is pure; an agent owns as many as it wants.

mod dialog;
mod echo;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

pub use dialog::Dialog;
pub use echo::{ECHO, Echo};

use crate::location::Aor;
use crate::message::{Message, Method, Reply, RequestBuilder, Status};
use crate::proxy::Destination;
use crate::transaction::TransactionId;

/// Serves requests. It decides quickly, and never blocks: what takes time is a task of its own.
pub trait Agent: Send + Sync + 'static {
    /// A request has come: a new one, an ACK of a 2xx or a CANCEL, of which the last two need no answer.
    /// One that is dropped without a final response is answered with 500.
    fn on_request(&self, asked: Asked);
}

/// Is told what became of a request.
pub trait Listener: Send + Sync + 'static {
    /// A response has come; what stands for none (408, 503) was made here. A 2xx to an INVITE has to be
    /// acknowledged by whoever is told.
    fn on_response(&self, response: Message);
}

/// The way from agents to the server.
pub trait Outlet: Send + Sync + 'static {
    /// Answers a request.
    fn respond(&self, to: (usize, TransactionId), status: Status, bytes: Bytes);

    /// Sends a request without a Via: to where it says, or as one says.
    fn request(
        &self,
        request: Message,
        destination: Option<Destination>,
        listener: Arc<dyn Listener>,
    );

    /// What a peer is to call this node.
    fn here(&self, peer: SocketAddr) -> SocketAddr;
}

/// Who asks, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Where the request came from: a phone, or another super-node.
    pub source: SocketAddr,
    /// The person of the overlay From names.
    pub aor: Option<Aor>,
    /// Whether a password has proved it, here or at the super-node it came from.
    pub verified: bool,
    /// The Route by which requests of the dialog come back on the flow this one came by, whatever its
    /// Contact says: a browser has no other way.
    pub route: String,
}

/// A request that is to be answered.
pub struct Asked {
    request: Message,
    caller: Caller,
    line: Line,
    /// Of which shard, and which transaction. An ACK and a CANCEL have none.
    transaction: Option<(usize, TransactionId)>,
    answered: AtomicBool,
}

impl Asked {
    /// A request, and the way its answers go.
    pub fn new(
        request: Message,
        caller: Caller,
        outlet: Arc<dyn Outlet>,
        (shard, transaction): (usize, Option<TransactionId>),
    ) -> Asked {
        let transaction = transaction.map(|id| (shard, id));
        Asked { request, caller, line: Line(outlet), transaction, answered: AtomicBool::new(false) }
    }

    /// What is asked.
    pub fn request(&self) -> &Message {
        &self.request
    }

    /// Its method.
    pub fn method(&self) -> Method<'_> {
        self.request.method().unwrap_or(Method::Other(""))
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The way to send requests.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// The beginning of a response.
    pub fn reply(&self, status: Status) -> Reply<'_> {
        let reply = Reply::new(&self.request, status);
        match self.request.top_via() {
            Ok(via) => reply.mark_via(via.mark(self.caller.source)),
            Err(_) => reply,
        }
    }

    /// Answers; with something provisional or, to an INVITE, a 2xx as often as wanted.
    pub fn answer(&self, status: Status, response: Bytes) {
        let Some(transaction) = self.transaction else { return };
        if status.is_final() {
            self.answered.store(true, Ordering::Relaxed);
        }
        self.line.0.respond(transaction, status, response);
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.transaction.is_some() && !self.answered.load(Ordering::Relaxed) {
            let status = Status::SERVER_INTERNAL_ERROR;
            let response = self.reply(status).to_tag("none").build();
            self.answer(status, response);
        }
    }
}

/// The way to send requests.
#[derive(Clone)]
pub struct Line(Arc<dyn Outlet>);

impl Line {
    /// What a peer is to call this node.
    pub fn here(&self, peer: SocketAddr) -> SocketAddr {
        self.0.here(peer)
    }

    /// Sends a request of a dialog, which says itself where to.
    pub fn send(&self, request: RequestBuilder, listener: Arc<dyn Listener>) {
        if let Ok(request) = Message::parse(request.build()) {
            self.0.request(request, None, listener);
        }
    }

    /// Sends a request to a person of the overlay, by way of this node.
    pub fn send_to_person(&self, request: Bytes, peer: SocketAddr, listener: Arc<dyn Listener>) {
        let here = Destination::Hop(crate::flow::Carrier::Udp, self.here(peer));
        if let Ok(request) = Message::parse(request) {
            self.0.request(request, Some(here), listener);
        }
    }
}

/// Cares for no response.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Listener for Nobody {
    fn on_response(&self, _: Message) {}
}
