//! How a connection is made: QUIC, or TCP with Noise and Yamux; then, where there is a passphrase,
//! [admission](super::admission). What comes out of here the swarm's behaviours see.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::upgrade::Version;
use libp2p::{PeerId, Transport, noise, quic, tcp, yamux};
use libp2p_identity::Keypair;

use super::admission::Admission;

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

/// Connections to proven peers.
pub(super) type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// Both ways to connect, and who is let in by them.
pub(super) fn transport(
    keypair: &Keypair,
    admission: Option<Arc<Admission>>,
) -> io::Result<Connections> {
    let carriers = carriers(keypair)?;
    let Some(admission) = admission else {
        return Ok(TransportTimeout::new(carriers, HANDSHAKE_TIMEOUT).boxed());
    };
    let admitted = carriers
        .and_then(move |(peer, muxer), endpoint| async move {
            admission.admit(peer, muxer, endpoint).await.map_err(io::Error::other)
        })
        .map_err(|either| either.into_inner());
    Ok(TransportTimeout::new(admitted.boxed(), HANDSHAKE_TIMEOUT).boxed())
}

/// QUIC and TCP, open to everybody.
fn carriers(keypair: &Keypair) -> io::Result<Connections> {
    let quic = quic::tokio::Transport::new(quic_config(quic::Config::new(keypair)))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let noise = noise::Config::new(keypair).map_err(io::Error::other)?;
    let tcp = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux_config())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    Ok(quic.or_transport(tcp).map(|either, _| either.into_inner()).boxed())
}

fn yamux_config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(usize::from(CONNECTION_STREAMS));
    config
}

fn quic_config(mut config: quic::Config) -> quic::Config {
    config.handshake_timeout = HANDSHAKE_TIMEOUT;
    config.keep_alive_interval = KEEP_ALIVE;
    config.max_idle_timeout = u32::try_from(IDLE_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    config.max_concurrent_stream_limit = u32::from(CONNECTION_STREAMS);
    config.max_connection_data = CONNECTION_WINDOW;
    config.max_stream_data = STREAM_WINDOW;
    // Looking for it takes each side four datagrams of up to 1452 bytes a connection: of all that one costs
    // on a radio a third, for datagrams that are a sixth longer and that only bulk ever fills.
    config.disable_path_mtu_discovery()
}
