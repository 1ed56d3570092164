//! The part of [`Substreams`](super::Substreams) that runs in the task of one connection.
//!
//! That task takes nothing more from the connection while what has happened waits for the swarm's, so
//! that no queue here grows.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::StreamProtocol;
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundUpgrade, ReadyUpgrade};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamUpgradeError, SubstreamProtocol,
};

use super::OpenError;

/// How long the two sides may take to agree on a stream: one message each way, either of them lost
/// on a radio now and then. What is said on it has its own time.
const NEGOTIATION_MAX: Duration = Duration::from_secs(3);

/// A stream is wanted.
#[derive(Debug)]
pub(in crate::p2p) struct Open {
    pub(super) number: u64,
    pub(super) protocol: StreamProtocol,
}

/// What the swarm's task is told.
#[derive(Debug)]
pub(in crate::p2p) enum Happened {
    /// The stream of this number is there, or never will be.
    Opened(u64, Result<Stream, OpenError>),
    /// The other side opened a stream.
    Accepted(StreamProtocol, Stream),
}

/// One connection's.
pub(in crate::p2p) struct StreamHandler {
    protocols: Arc<[StreamProtocol]>,
    wanted: VecDeque<Open>,
    happened: VecDeque<Happened>,
}

impl StreamHandler {
    pub(super) fn new(protocols: Arc<[StreamProtocol]>) -> StreamHandler {
        StreamHandler { protocols, wanted: VecDeque::new(), happened: VecDeque::new() }
    }
}

impl ConnectionHandler for StreamHandler {
    type FromBehaviour = Open;
    type ToBehaviour = Happened;
    type InboundProtocol = AnyOf;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = u64;

    fn listen_protocol(&self) -> SubstreamProtocol<AnyOf> {
        SubstreamProtocol::new(AnyOf(Arc::clone(&self.protocols)), ()).with_timeout(NEGOTIATION_MAX)
    }

    fn on_behaviour_event(&mut self, event: Open) {
        self.wanted.push_back(event);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, AnyOf, ReadyUpgrade<StreamProtocol>, (), u64>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (protocol, stream),
                ..
            }) => self.happened.push_back(Happened::Accepted(protocol, stream)),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: number,
            }) => self.happened.push_back(Happened::Opened(number, Ok(stream))),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: number, error }) => {
                let error = match error {
                    StreamUpgradeError::Timeout => OpenError::TooLate,
                    StreamUpgradeError::NegotiationFailed => OpenError::Unsupported,
                    StreamUpgradeError::Io(error) => OpenError::Io(error),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                self.happened.push_back(Happened::Opened(number, Err(error)));
            }
            _ => {}
        }
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, u64, Happened>> {
        // Whatever fills these comes from the connection's task, which then polls again.
        if let Some(happened) = self.happened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(happened));
        }
        if let Some(Open { number, protocol }) = self.wanted.pop_front() {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), number)
                .with_timeout(NEGOTIATION_MAX);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }
}

/// Takes a stream of any of these protocols as it is.
#[derive(Debug, Clone)]
pub(in crate::p2p) struct AnyOf(Arc<[StreamProtocol]>);

impl UpgradeInfo for AnyOf {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Vec<StreamProtocol> {
        self.0.to_vec()
    }
}

impl InboundUpgrade<Stream> for AnyOf {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<(StreamProtocol, Stream), Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}
