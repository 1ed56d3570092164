//! What a shard wants done, and what comes back of it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::accounts::Account;
use crate::agent::{Agent, Caller, Listener};
use crate::flow::Flow;
use crate::location::{Bound, Known, LocationError};
use crate::message::Message;
use crate::transaction::{Output, TransactionId};

/// Something to do.
pub(crate) enum Todo {
    /// To send; with who has to know if it cannot be.
    Send { id: Option<TransactionId>, flow: Flow, bytes: Bytes },
    /// To ask, for a request.
    Ask(TransactionId, Question),
    /// To give to an agent. An ACK has no transaction.
    Deliver { id: Option<TransactionId>, agent: Arc<dyn Agent>, request: Message, caller: Caller },
    /// To tell to whoever has sent the request.
    Tell { listener: Arc<dyn Listener>, response: Message },
}

impl From<Output<Flow>> for Todo {
    fn from(output: Output<Flow>) -> Todo {
        Todo::Send { id: Some(output.id), flow: output.flow, bytes: output.bytes }
    }
}

/// A question to the services, and what comes of it.
pub(crate) type Question = Pin<Box<dyn Future<Output = Resumed> + Send>>;

/// What a service was asked and says.
pub(crate) type Told<T> = Result<T, LocationError>;

/// What the services have said.
pub(crate) enum Resumed {
    /// Whether a name is protected, and where somebody is; each only if it was asked.
    Known(Told<Option<Account>>, Told<Known>),
    /// What is registered now.
    Registered(Told<Vec<Bound>>),
}

/// Where the responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4): to where it came from, and over
/// UDP to the port its sender says, unless it asks for the one it used. No other address is believed.
pub(crate) fn reply_flow(request: &Message, flow: &Flow) -> Flow {
    match request.top_via() {
        Ok(via) if !flow.carrier.is_reliable() && via.rport().is_none() => {
            Flow::udp(SocketAddr::new(flow.peer.ip(), via.port_or_default()))
        }
        _ => *flow,
    }
}
