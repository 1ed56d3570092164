//! Streams of the overlay's own protocols: opened when asked for, and handed over when the other side
//! opened them. What is said on them is nothing to `libp2p`.
//!
//! Every request to open gets one answer, also when its connection breaks. What the other side opens
//! waits until the swarm's task comes to it, and none is dropped: dozens of nodes that start together
//! open as many streams at once. Those that have been agreed on wait among the connection's events
//! ([`EVENTS_MAX`](super::behaviour)), the others in the muxer, which has a limit of its own
//! ([`CONNECTION_STREAMS`](super::transport)).

mod handler;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, Stream, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use self::handler::{Happened, Open, StreamHandler};

/// What has become of streams. `I` is what the asker gave to know one by.
#[derive(Debug)]
pub(super) enum StreamEvent<I> {
    /// One that was asked for is there, or never will be.
    Opened(I, Result<Stream, OpenError>),
    /// The other side opened one.
    Accepted(PeerId, StreamProtocol, Stream),
}

/// Why a stream is not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// There is no connection, or it broke.
    #[error("there is no connection")]
    NotConnected,
    /// The other side does not know the protocol.
    #[error("it does not know the protocol")]
    Unsupported,
    /// The other side did not answer.
    #[error("it did not answer in time")]
    TooLate,
    /// The connection broke, or the other side closed the stream.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The behaviour.
pub(super) struct Substreams<I> {
    protocols: Arc<[StreamProtocol]>,
    /// Each peer's connections, the oldest first.
    connections: HashMap<PeerId, Vec<ConnectionId>>,
    /// What was asked for, and of which connection.
    asked: HashMap<u64, (ConnectionId, I)>,
    last: u64,
    outbox: VecDeque<ToSwarm<StreamEvent<I>, Open>>,
}

impl<I> Substreams<I> {
    /// Streams of these protocols are taken.
    pub(super) fn new(protocols: impl IntoIterator<Item = StreamProtocol>) -> Substreams<I> {
        Substreams {
            protocols: protocols.into_iter().collect(),
            connections: HashMap::new(),
            asked: HashMap::new(),
            last: 0,
            outbox: VecDeque::new(),
        }
    }

    /// Asks for a stream to a connected peer, by the newest connection: an older one may lead to a
    /// process that is no more.
    pub(super) fn open(&mut self, peer: &PeerId, protocol: StreamProtocol, info: I) {
        let Some(connection) = self.connections.get(peer).and_then(|them| them.last()) else {
            return self.answer(info, Err(OpenError::NotConnected));
        };
        self.last += 1;
        self.asked.insert(self.last, (*connection, info));
        self.outbox.push_back(ToSwarm::NotifyHandler {
            peer_id: *peer,
            handler: NotifyHandler::One(*connection),
            event: Open { number: self.last, protocol },
        });
    }

    fn answer(&mut self, info: I, result: Result<Stream, OpenError>) {
        self.outbox.push_back(ToSwarm::GenerateEvent(StreamEvent::Opened(info, result)));
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        if let Some(connections) = self.connections.get_mut(&peer) {
            connections.retain(|other| *other != connection);
            if connections.is_empty() {
                self.connections.remove(&peer);
            }
        }
        let lost: Vec<_> =
            self.asked.extract_if(|_, (asked, _)| *asked == connection).map(|(_, it)| it).collect();
        for (_, info) in lost {
            self.answer(info, Err(OpenError::NotConnected));
        }
    }
}

impl<I: Send + 'static> NetworkBehaviour for Substreams<I> {
    type ConnectionHandler = StreamHandler;
    type ToSwarm = StreamEvent<I>;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(StreamHandler::new(Arc::clone(&self.protocols)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(StreamHandler::new(Arc::clone(&self.protocols)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                ..
            }) => self.connections.entry(peer_id).or_default().push(connection_id),
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.on_closed(peer_id, connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Happened::Opened(number, result) => {
                if let Some((_, info)) = self.asked.remove(&number) {
                    self.answer(info, result);
                }
            }
            Happened::Accepted(protocol, stream) => {
                let event = StreamEvent::Accepted(peer, protocol, stream);
                self.outbox.push_back(ToSwarm::GenerateEvent(event));
            }
        }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // Whatever fills it comes from the swarm, or from who polls the swarm next.
        self.outbox.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
