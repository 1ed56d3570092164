//! What the swarm's task is asked to do.

use std::net::SocketAddr;

use base::NodeId;
use libp2p::PeerId;
use tokio::sync::oneshot;

use crate::link::JoinError;
use crate::wire::Contact;

/// Commands that may wait for the swarm's task: a few for each of hundreds of peers.
pub(super) const COMMANDS_MAX: usize = 1024;

/// What the swarm's task is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Connect.
    Dial(Contact),
    /// Connect: somebody waits for a reply.
    Reach(Contact),
    /// Connect to whoever is there.
    Join(SocketAddr, oneshot::Sender<Result<NodeId, JoinError>>),
    /// Close the connections to a peer.
    Disconnect(PeerId),
    /// Open the stream for long frames: some wait.
    OpenBulk(PeerId),
    /// End.
    Close(oneshot::Sender<()>),
}
