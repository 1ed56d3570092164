//! A peer that speaks libp2p and, beyond that, only what a test has it say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::NodeId;
use futures::{AsyncWriteExt, StreamExt};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder, identify};
use libp2p_identity::Keypair;
use tokio::sync::{mpsc, oneshot, watch};

use super::support::{Node, PATIENCE, hello, hello_frame};
use crate::p2p::substreams::{OpenError, StreamEvent, Substreams};

#[derive(NetworkBehaviour)]
struct RawBehaviour {
    identify: identify::Behaviour,
    streams: Substreams<oneshot::Sender<Result<Stream, OpenError>>>,
}

/// What a raw peer is told to do.
enum RawCommand {
    Dial(Multiaddr),
    Open(PeerId, StreamProtocol, oneshot::Sender<Result<Stream, OpenError>>),
}

/// A peer that speaks libp2p and, beyond that, only what a test has it say.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) id: NodeId,
    pub(super) address: SocketAddr,
    /// Whether anybody is connected to it.
    connected: watch::Receiver<bool>,
    /// Whether anybody has said to it what it is.
    identified: Arc<AtomicBool>,
    commands: mpsc::Sender<RawCommand>,
}

impl Raw {
    /// A peer that knows these protocols, and says hello on their streams, and nothing more.
    pub(super) async fn start(protocols: &[&'static str]) -> Raw {
        let keypair = Keypair::generate_ed25519();
        let id = keypair.public().to_peer_id();
        let mut swarm = raw_swarm(keypair, protocols);
        swarm.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break crate::p2p::address::socket(&address).unwrap().0;
            }
        };
        let (commands, to_do) = mpsc::channel(8);
        let (tell, connected) = watch::channel(false);
        let identified = Arc::new(AtomicBool::new(false));
        tokio::spawn(run_raw(swarm, to_do, tell, Arc::clone(&identified)));
        Raw { id: NodeId::from(id), address, connected, identified, commands }
    }

    pub(super) async fn dial(&mut self, node: &Node) {
        self.tell(RawCommand::Dial(crate::p2p::address::quic(node.address()))).await;
        self.until_connected(true).await;
    }

    /// Whether somebody has said to it by identify what it is.
    pub(super) fn was_told_anything(&self) -> bool {
        self.identified.load(Ordering::SeqCst)
    }

    pub(super) async fn until_connected(&mut self, connected: bool) {
        let changed = self.connected.wait_for(|is| *is == connected);
        tokio::time::timeout(PATIENCE, changed).await.expect("it changes").unwrap();
    }

    /// Opens a stream to a node.
    pub(super) async fn open(
        &self,
        to: NodeId,
        protocol: &'static str,
    ) -> Result<Stream, OpenError> {
        let (opener, opened) = oneshot::channel();
        let protocol = StreamProtocol::new(protocol);
        self.tell(RawCommand::Open(to.peer_id(), protocol, opener)).await;
        tokio::time::timeout(PATIENCE, opened).await.expect("it ends").unwrap()
    }

    /// Opens a stream to a node and says these bytes.
    pub(super) async fn say(&self, to: &Node, protocol: &'static str, bytes: &[u8]) -> Stream {
        let mut stream = self.open(to.id, protocol).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
        stream
    }

    async fn tell(&self, command: RawCommand) {
        assert!(self.commands.send(command).await.is_ok());
    }
}

async fn run_raw(
    mut swarm: Swarm<RawBehaviour>,
    mut to_do: mpsc::Receiver<RawCommand>,
    connected: watch::Sender<bool>,
    identified: Arc<AtomicBool>,
) {
    loop {
        tokio::select! {
            command = to_do.recv() => match command {
                Some(RawCommand::Dial(address)) => swarm.dial(address).unwrap(),
                Some(RawCommand::Open(peer, protocol, opener)) => {
                    swarm.behaviour_mut().streams.open(&peer, protocol, opener);
                }
                None => return,
            },
            event = swarm.select_next_some() => {
                match event {
                    SwarmEvent::Behaviour(RawBehaviourEvent::Identify(
                        identify::Event::Received { .. },
                    )) => identified.store(true, Ordering::SeqCst),
                    SwarmEvent::Behaviour(RawBehaviourEvent::Streams(event)) => match event {
                        StreamEvent::Opened(opener, result) => _ = opener.send(result),
                        StreamEvent::Accepted(_, _, stream) => _ = tokio::spawn(say_hello(stream)),
                    },
                    _ => {}
                }
                let now = swarm.connected_peers().next().is_some();
                connected.send_if_modified(|is| std::mem::replace(is, now) != now);
            }
        }
    }
}

/// And nothing more; nor does it read.
async fn say_hello(mut stream: Stream) {
    let _ = stream.write_all(&hello_frame(hello(1))).await;
    let _ = stream.flush().await;
    std::future::pending().await
}

fn raw_swarm(keypair: Keypair, protocols: &[&'static str]) -> Swarm<RawBehaviour> {
    let protocols = protocols.iter().map(|name| StreamProtocol::new(name));
    SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_quic()
        .with_behaviour(|keypair| RawBehaviour {
            identify: identify::Behaviour::new(identify::Config::new(
                "/raw/1".to_owned(),
                keypair.public(),
            )),
            streams: Substreams::new(protocols),
        })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build()
}
