//! Transactions (RFC 3261 §17 with RFC 6026): a request, its repetitions, and its responses are one
//! thing to whoever uses this.
//!
//! ```text
//!            transport                                      user (registrar, proxy, user agent)
//!   request ───────────► Table::on_request ── New(id) ──────────────► …
//!                             │  Known: a repetition, and what          │
//!                             ▼  to send again          Table::respond ◄┘
//!                        InviteServer, Server
//!
//!  response ───────────► Table::on_response ── Told { id, ack } ────► …
//!                             │                                         │
//!                             ▼                           Table::begin ◄┘
//!                        InviteClient, Client
//!
//!      time ───────────► Table::fire (at Table::next_deadline_ms)
//! ```
//!
//! The four machines know no message, no clock and no socket: each is driven by (event, now), and says
//! what to do ([`Step`]). [`Table`] owns them. All times are milliseconds since any moment, the same for
//! all calls.
//!
//! Not a transaction's business: who sends a 2xx again until its ACK has come (the one who accepted,
//! §13.3.1.4), timer C (the proxy's, §16.6), and 100 (whoever answers later than after 200 ms, §17.2.1).

pub mod client;
pub mod invite_client;
pub mod invite_server;
mod key;
mod machine;
pub mod server;
mod step;
mod store;
mod table;
mod timers;
mod wheel;

use bytes::Bytes;

pub use key::{Key, Keys};
pub use step::{Sending, Step, Telling};
pub use table::Table;
pub use timers::Timers;

use crate::message::Status;

/// What happens to a client's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEvent {
    /// A response has come.
    Response(Status),
    /// Time has gone by.
    Time,
    /// The transport could not send.
    Unsent,
}

/// What happens to a server's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerEvent {
    /// The request has come again.
    Request,
    /// An ACK has come.
    Ack,
    /// The user answers.
    Respond(Status),
    /// Time has gone by.
    Time,
    /// The transport could not send.
    Unsent,
}

/// Names a transaction of one [`Table`], and never another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId {
    index: u32,
    generation: u32,
}

/// How many transactions there may be, and how many bytes may be kept for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Transactions.
    pub transactions: usize,
    /// Bytes of what may have to be sent again.
    pub bytes: usize,
}

impl Default for Limits {
    /// What 4,000 requests a second leave behind within 64·T1, with 500 bytes each.
    fn default() -> Limits {
        Limits { transactions: 131_072, bytes: 64 << 20 }
    }
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output<F> {
    /// Whose it is: [`Table::on_unsent`] wants to know if it cannot be sent.
    pub id: TransactionId,
    /// The message.
    pub bytes: Bytes,
    /// Where.
    pub flow: F,
}

/// What a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnRequest<F> {
    /// A new one, for the user: it answers with something final, or ends it. Nothing else does.
    New(TransactionId),
    /// One that was there before; and what to send again, if anything.
    Known(Option<Output<F>>),
    /// The ACK of a 2xx, for the user: of a transaction, if it is known still.
    Ack(Option<TransactionId>),
    /// A new one for which there is no room: to be answered with 503, and forgotten.
    Full,
}

/// What a response is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnResponse<F> {
    /// One for the user.
    Told {
        /// Of which transaction.
        id: TransactionId,
        /// The ACK to send, if it refuses an INVITE.
        ack: Option<Output<F>>,
        /// The transaction is over.
        over: bool,
    },
    /// One that was there before; and the ACK to send again, if any.
    Known(Option<Output<F>>),
    /// Of no transaction: to be dropped, by proxies too (RFC 6026 §8.9).
    Stray,
}

/// What time has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fired<F> {
    /// To be sent again.
    Send(Output<F>),
    /// No response has come: as if it was a 408.
    NoResponse(TransactionId),
    /// The ACK of a refusal has not come.
    NoAck(TransactionId),
    /// A transaction is over; told after all else of it.
    Over(TransactionId),
}

/// There is no room for another transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are too many transactions, or the branch is in use")]
pub struct Full;
