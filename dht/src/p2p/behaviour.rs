//! What the swarm is made of, and where it listens.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroUsize;
use std::time::Duration;

use libp2p::allow_block_list::BlockedPeers;
use libp2p::core::transport::TransportError;
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{
    PeerId, StreamProtocol, Swarm, SwarmBuilder, allow_block_list, connection_limits, identify,
    kad, noise, quic, tcp, yamux,
};
use libp2p_identity::Keypair;

use super::address;

/// Where the overlay's own frames go.
pub(super) const STORE: StreamProtocol = StreamProtocol::new("/scope/store/1");
/// Where those go that would hold up the others.
pub(super) const BULK: StreamProtocol = StreamProtocol::new("/scope/bulk/1");
/// How peers are learned of.
pub(super) const KAD: StreamProtocol = StreamProtocol::new("/scope/kad/1");
/// What every version of [`STORE`] begins with.
pub(super) const STORE_FAMILY: &str = "/scope/store/";

/// What `libp2p-identify` calls the network.
const NETWORK: &str = "/scope/1";
/// Who is there does not change, and who comes is asked anyway: in effect, once a connection.
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(7 * 24 * 3600);
/// Far more than the routing table of an event with hundreds of super-nodes has in one bucket.
const BUCKET_SIZE: NonZeroUsize = NonZeroUsize::new(128).unwrap();
/// Somebody who waits for a first search sits before a screen.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);
/// 20 peers with a dozen IPv6 addresses each are about this long.
const KAD_PACKET_MAX: usize = 32 * 1024;
/// Keeps the way through a NAT, and 71 idle peers below 12 datagrams/s.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Three keep-alives: noticing death quickly is the failure detector's business.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Within the 5 s a join may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(4);
/// What one peer may have under way unread, so that 400 of them fit into memory: above the 2 MiB a
/// lane holds back there is nothing to win.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// The same of one stream: two of the longest frames.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// Streams a peer may have open at once; `libp2p-kad` has up to 32 of its own.
const CONNECTION_STREAMS: u16 = 64;
/// Whoever has no standing stream by then is no member.
const CONNECTION_IDLE: Duration = Duration::from_secs(10);
/// Connections altogether: the routing table asks for far fewer.
const ESTABLISHED_MAX: u32 = 400;
/// To one peer: one, another of two that dialed each other, and those of its life before a restart.
const PER_PEER_MAX: u32 = 8;
/// Handshakes under way that others began: an event's worth of nodes that start together.
const PENDING_IN_MAX: u32 = 128;
/// And that this node began: see [`super::dials`], which asks for half of them.
const PENDING_OUT_MAX: u32 = 64;
/// Tries to find a port number that is free for UDP and TCP alike.
const PORT_TRIES: usize = 16;

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub(super) refused: allow_block_list::Behaviour<BlockedPeers>,
    identify: identify::Behaviour,
    pub(super) kad: kad::Behaviour<MemoryStore>,
    pub(super) streams: libp2p_stream::Behaviour,
}

/// A swarm that listens nowhere yet.
pub(super) fn swarm(keypair: Keypair) -> io::Result<Swarm<Behaviour>> {
    let builder = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::new().nodelay(true), noise::Config::new, || {
            let mut yamux = yamux::Config::default();
            yamux.set_max_num_streams(usize::from(CONNECTION_STREAMS));
            yamux
        })
        .map_err(io::Error::other)?
        .with_quic_config(quic_config)
        .with_behaviour(behaviour)
        .map_err(io::Error::other)?;
    let builder =
        builder.with_swarm_config(|config| config.with_idle_connection_timeout(CONNECTION_IDLE));
    Ok(builder.with_connection_timeout(HANDSHAKE_TIMEOUT).build())
}

fn quic_config(mut config: quic::Config) -> quic::Config {
    config.handshake_timeout = HANDSHAKE_TIMEOUT;
    config.keep_alive_interval = KEEP_ALIVE;
    config.max_idle_timeout = u32::try_from(IDLE_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    config.max_concurrent_stream_limit = u32::from(CONNECTION_STREAMS);
    config.max_connection_data = CONNECTION_WINDOW;
    config.max_stream_data = STREAM_WINDOW;
    config
}

fn behaviour(keypair: &Keypair) -> Behaviour {
    let id = keypair.public().to_peer_id();
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_established(Some(ESTABLISHED_MAX))
        .with_max_established_per_peer(Some(PER_PEER_MAX))
        .with_max_pending_incoming(Some(PENDING_IN_MAX))
        .with_max_pending_outgoing(Some(PENDING_OUT_MAX));
    let identify = identify::Config::new(NETWORK.to_owned(), keypair.public())
        .with_agent_version(concat!("scope/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_interval(IDENTIFY_INTERVAL)
        .with_push_listen_addr_updates(false)
        .with_cache_size(0);
    Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        refused: allow_block_list::Behaviour::default(),
        identify: identify::Behaviour::new(identify),
        kad: kademlia(id),
        streams: libp2p_stream::Behaviour::new(),
    }
}

/// For learning peers only: what anybody asks it to store it drops.
fn kademlia(id: PeerId) -> kad::Behaviour<MemoryStore> {
    let mut config = kad::Config::new(KAD);
    config
        .set_kbucket_size(BUCKET_SIZE)
        // Who has not been identified as a super-node stays out.
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_periodic_bootstrap_interval(None)
        .set_query_timeout(QUERY_TIMEOUT)
        .set_substreams_timeout(QUERY_TIMEOUT)
        .set_max_packet_size(KAD_PACKET_MAX)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None);
    let nothing = MemoryStoreConfig {
        max_records: 0,
        max_provided_keys: 0,
        max_providers_per_key: 0,
        max_value_bytes: 0,
    };
    let mut kad = kad::Behaviour::with_config(id, MemoryStore::with_config(id, nothing), config);
    kad.set_mode(Some(kad::Mode::Server));
    kad
}

/// Listens for QUIC and TCP at an address; with port 0, at one that is free for both.
pub(super) fn listen(swarm: &mut Swarm<Behaviour>, at: SocketAddr) -> io::Result<SocketAddr> {
    if at.port() != 0 {
        return listen_on(swarm, at);
    }
    let mut outcome = Err(io::Error::from(io::ErrorKind::AddrInUse));
    for _ in 0..PORT_TRIES {
        outcome = free_port(at).and_then(|at| listen_on(swarm, at));
        match &outcome {
            // Somebody else took it in between.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            _ => break,
        }
    }
    outcome
}

fn free_port(at: SocketAddr) -> io::Result<SocketAddr> {
    let udp = UdpSocket::bind(at)?;
    let at = udp.local_addr()?;
    TcpListener::bind(at)?;
    Ok(at)
}

fn listen_on(swarm: &mut Swarm<Behaviour>, at: SocketAddr) -> io::Result<SocketAddr> {
    let quic = swarm.listen_on(address::quic(at)).map_err(from_transport)?;
    if let Err(error) = swarm.listen_on(address::tcp(at)) {
        swarm.remove_listener(quic);
        return Err(from_transport(error));
    }
    Ok(at)
}

fn from_transport(error: TransportError<io::Error>) -> io::Error {
    match error {
        TransportError::Other(error) => error,
        error @ TransportError::MultiaddrNotSupported(_) => io::Error::other(error),
    }
}
