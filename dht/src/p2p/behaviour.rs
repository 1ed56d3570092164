//! What the swarm is made of, and where it listens.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroUsize;
use std::time::Duration;

use libp2p::allow_block_list::BlockedPeers;
use libp2p::core::transport::TransportError;
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::swarm::{self, NetworkBehaviour};
use libp2p::{PeerId, StreamProtocol, Swarm, allow_block_list, identify, kad};
use libp2p_identity::Keypair;

use super::admission::{ADMISSION, Admission};
use super::limits::Limits;
use super::stream::Opened;
use super::substreams::Substreams;
use super::{address, transport};
use crate::passphrase::AdmissionKey;

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
/// Whoever has no standing stream by then is no member.
const CONNECTION_IDLE: Duration = Duration::from_secs(10);
/// Events of one connection that wait for the swarm's task: the streams a peer may open, and as many
/// others. Then the connection's task waits, and takes nothing more from the connection.
const EVENTS_MAX: usize = 16;
/// Streams of one connection whose protocol is not agreed on yet; the others wait in the muxer.
const NEGOTIATING_MAX: usize = 32;
/// Tries to find a port number that is free for UDP and TCP alike.
const PORT_TRIES: usize = 16;

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: Limits,
    pub(super) refused: allow_block_list::Behaviour<BlockedPeers>,
    identify: identify::Behaviour,
    pub(super) kad: kad::Behaviour<MemoryStore>,
    pub(super) streams: Substreams<Opened>,
}

/// A swarm that listens nowhere yet.
pub(super) fn swarm(
    keypair: Keypair,
    admission: Option<AdmissionKey>,
) -> io::Result<Swarm<Behaviour>> {
    let id = keypair.public().to_peer_id();
    let behaviour = behaviour(&keypair, admission.is_some());
    let admission = admission.map(|key| Admission::new(id, key));
    let transport = transport::transport(&keypair, admission)?;
    let config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(CONNECTION_IDLE)
        .with_per_connection_event_buffer_size(EVENTS_MAX)
        .with_max_negotiating_inbound_streams(NEGOTIATING_MAX);
    Ok(Swarm::new(transport, behaviour, id, config))
}

fn behaviour(keypair: &Keypair, is_private: bool) -> Behaviour {
    // Who has a passphrase proves it before all this.
    let admission = (!is_private).then_some(ADMISSION);
    let protocols = [STORE, BULK].into_iter().chain(admission);
    let id = keypair.public().to_peer_id();
    let identify = identify::Config::new(NETWORK.to_owned(), keypair.public())
        .with_agent_version(concat!("scope/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_interval(IDENTIFY_INTERVAL)
        .with_push_listen_addr_updates(false)
        .with_cache_size(0);
    Behaviour {
        limits: Limits::default(),
        refused: allow_block_list::Behaviour::default(),
        identify: identify::Behaviour::new(identify),
        kad: kademlia(id),
        streams: Substreams::new(protocols),
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
