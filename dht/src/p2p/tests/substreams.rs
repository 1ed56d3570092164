//! Streams asked for and taken, without anything said on them.

use std::collections::VecDeque;

use futures::StreamExt;
use libp2p::swarm::{Stream, SwarmEvent};
use libp2p::{PeerId, StreamProtocol, Swarm, SwarmBuilder};

use super::support::PATIENCE;
use crate::p2p::substreams::{OpenError, StreamEvent, Substreams};

const KNOWN: StreamProtocol = StreamProtocol::new("/known/1");
const UNKNOWN: StreamProtocol = StreamProtocol::new("/unknown/1");

struct Peer {
    swarm: Swarm<Substreams<u32>>,
    events: VecDeque<StreamEvent<u32>>,
}

impl Peer {
    fn new() -> Peer {
        let swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_quic()
            .with_behaviour(|_| Substreams::new([KNOWN]))
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
            .build();
        Peer { swarm, events: VecDeque::new() }
    }

    fn id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    fn open(&mut self, peer: PeerId, protocol: StreamProtocol, number: u32) {
        self.swarm.behaviour_mut().open(&peer, protocol, number);
    }

    /// Runs until it listens, or is connected.
    async fn step(&mut self) {
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::Behaviour(event) => self.events.push_back(event),
                SwarmEvent::NewListenAddr { .. } | SwarmEvent::ConnectionEstablished { .. } => {
                    return;
                }
                _ => {}
            }
        }
    }

    /// Runs until there is an event of streams.
    async fn event(&mut self) -> StreamEvent<u32> {
        let event = async {
            loop {
                if let Some(event) = self.events.pop_front() {
                    return event;
                }
                if let SwarmEvent::Behaviour(event) = self.swarm.select_next_some().await {
                    return event;
                }
            }
        };
        tokio::time::timeout(PATIENCE, event).await.expect("an event comes")
    }

    async fn opened(&mut self) -> (u32, Result<Stream, OpenError>) {
        loop {
            if let StreamEvent::Opened(number, result) = self.event().await {
                return (number, result);
            }
        }
    }
}

async fn pair() -> (Peer, Peer) {
    let (mut one, mut other) = (Peer::new(), Peer::new());
    one.swarm.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()).unwrap();
    one.step().await;
    let address = one.swarm.listeners().next().unwrap().clone();
    other.swarm.dial(address).unwrap();
    let connected = async { tokio::join!(one.step(), other.step()) };
    tokio::time::timeout(PATIENCE, connected).await.expect("they connect");
    (one, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_opened_at_once_all_arrive_even_when_nobody_takes_them_at_first() {
    // More than the events that wait for a swarm.
    const STREAMS: u32 = 60;
    let (mut one, mut other) = pair().await;
    for number in 0..STREAMS {
        other.open(one.id(), KNOWN, number);
    }
    // Meanwhile the other side's swarm does not run.
    let mut kept = vec![other.opened().await.1.unwrap()];
    let opening = async {
        for _ in 1..STREAMS {
            kept.push(other.opened().await.1.unwrap());
        }
    };
    let mut taken = Vec::new();
    let taking = async {
        for _ in 0..STREAMS {
            taken.push(one.event().await);
        }
    };
    tokio::join!(opening, taking);
    let is_taken = |event: &StreamEvent<u32>| match event {
        StreamEvent::Accepted(peer, protocol, _) => (*peer, protocol) == (other.id(), &KNOWN),
        StreamEvent::Opened(..) => false,
    };
    assert!(taken.iter().all(is_taken));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protocol_the_other_side_does_not_know_is_an_error() {
    let (mut one, mut other) = pair().await;
    other.open(one.id(), UNKNOWN, 1);
    let one = tokio::spawn(async move { one.event().await });
    let (number, opened) = other.opened().await;
    assert_eq!(number, 1);
    assert!(matches!(opened, Err(OpenError::Unsupported)), "{opened:?}");
    one.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_nobody_or_of_somebody_who_goes_is_answered() {
    let (one, mut other) = pair().await;
    other.open(PeerId::random(), KNOWN, 1);
    let (number, opened) = other.opened().await;
    assert_eq!(number, 1);
    assert!(matches!(opened, Err(OpenError::NotConnected)), "{opened:?}");
    let peer = one.id();
    other.open(peer, KNOWN, 2);
    other.swarm.disconnect_peer_id(peer).unwrap();
    let (number, opened) = other.opened().await;
    assert_eq!(number, 2);
    assert!(opened.is_err());
    other.open(peer, KNOWN, 3);
    assert!(matches!(other.opened().await, (3, Err(OpenError::NotConnected))));
}
