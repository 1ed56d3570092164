//! The link as its node holds it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::NodeId;
use libp2p_identity::Keypair;
use tokio::sync::{mpsc, oneshot, watch};

use super::behaviour;
use super::command::{COMMANDS_MAX, Command};
use super::driver::{Driver, Parts};
use super::patience::Patience;
use super::peer_link::PeerLinks;
use crate::link::{JoinError, Link, LinkEvent, Lost, ReplySlot};
use crate::overlay::Peer;
use crate::passphrase::AdmissionKey;
use crate::store::Pending;
use crate::wire::{Contact, Hello, Notice, Request};

/// How long joining may take: more than a handshake and a greeting do.
const JOIN_MAX: Duration = Duration::from_secs(5);
/// The driver needs a second at most; a caller does not hang if something keeps it.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// What a link is made with.
pub(crate) struct P2pConfig {
    /// Who this node is.
    pub(crate) keypair: Keypair,
    /// Where it listens, for UDP and TCP; port 0 for any.
    pub(crate) listen: SocketAddr,
    /// What it says first on every stream.
    pub(crate) hello: Arc<dyn Fn() -> Hello + Send + Sync>,
    /// The origin of the time that a [`crate::overlay::Pulse`] shows.
    pub(crate) started: tokio::time::Instant,
    /// What others must prove to have, if anything.
    pub(crate) admission: Option<AdmissionKey>,
    /// How long it lets others leave things half done.
    pub(crate) patience: Patience,
}

/// The link over libp2p. Dropped, it ends as if closed, but without a word to anybody.
pub(crate) struct P2pLink {
    links: Arc<PeerLinks>,
    commands: mpsc::Sender<Command>,
    listening_on: SocketAddr,
    events: mpsc::Sender<LinkEvent>,
    /// True when it is over: then nobody waits for anybody.
    closing: watch::Sender<bool>,
}

impl P2pLink {
    /// Listens. Nothing happens until the driver runs.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(crate) async fn bind(
        config: P2pConfig,
        events: mpsc::Sender<LinkEvent>,
    ) -> Result<(Arc<P2pLink>, Driver), std::io::Error> {
        let mut swarm = behaviour::swarm(config.keypair, config.admission)?;
        let listening_on = behaviour::listen(&mut swarm, config.listen)?;
        let (commands, for_driver) = mpsc::channel(COMMANDS_MAX);
        let (closing, closing_seen) = watch::channel(false);
        let links = Arc::new(PeerLinks::new(commands.clone()));
        let driver = Driver::new(Parts {
            swarm,
            links: Arc::clone(&links),
            commands: for_driver,
            events: events.clone(),
            closing: closing_seen,
            hello: config.hello,
            started: config.started,
            patience: config.patience,
        });
        let link = P2pLink { links, commands, listening_on, events, closing };
        Ok((Arc::new(link), driver))
    }
}

#[cfg(test)]
impl P2pLink {
    /// How many requests wait for a peer's reply.
    pub(super) fn waiting(&self, peer: NodeId) -> usize {
        self.links.get(&peer.peer_id()).map_or(0, |link| link.waiting.len())
    }
}

impl Link for P2pLink {
    fn request(&self, to: &Arc<Peer>, addresses: &[SocketAddr], request: Request, slot: ReplySlot) {
        let peer = to.id.peer_id();
        let Some((link, new)) = self.links.get_or_create(peer) else {
            return slot.answer(Err(Lost::Connection));
        };
        link.ask(request, slot);
        if new {
            let contact = Contact { id: to.id, addresses: addresses.to_vec() };
            if self.commands.try_send(Command::Reach(contact)).is_err()
                && let Some(link) = self.links.remove(&peer)
            {
                link.close();
            }
        }
    }

    fn notify(&self, to: NodeId, notice: Notice) -> bool {
        self.links.get(&to.peer_id()).is_some_and(|link| link.notify(notice))
    }

    fn dial(&self, to: Contact) {
        let id = to.id;
        if self.commands.try_send(Command::Dial(to)).is_err() {
            let _ = self.events.try_send(LinkEvent::DialFailed(id));
        }
    }

    fn disconnect(&self, peer: NodeId) {
        if let Err(mpsc::error::TrySendError::Full(command)) =
            self.commands.try_send(Command::Disconnect(peer.peer_id()))
        {
            // This one must not be lost: nobody would say it again.
            let commands = self.commands.clone();
            tokio::spawn(async move { commands.send(command).await });
        }
    }

    fn join(&self, address: SocketAddr) -> Pending<Result<NodeId, JoinError>> {
        let commands = self.commands.clone();
        Box::pin(async move {
            let (joiner, joined) = oneshot::channel();
            commands.send(Command::Join(address, joiner)).await.map_err(|_| JoinError::Closed)?;
            let joined = tokio::time::timeout(JOIN_MAX, joined).await;
            joined.map_or_else(
                |_| Err(JoinError::Nobody { address, detail: "no answer in time".to_owned() }),
                |joined| joined.unwrap_or(Err(JoinError::Closed)),
            )
        })
    }

    fn listening_on(&self) -> SocketAddr {
        self.listening_on
    }

    fn close(&self) -> Pending<()> {
        self.closing.send_replace(true);
        let commands = self.commands.clone();
        Box::pin(async move {
            let (closer, closed) = oneshot::channel();
            let close = async {
                if commands.send(Command::Close(closer)).await.is_ok() {
                    let _ = closed.await;
                }
            };
            let _ = tokio::time::timeout(CLOSE_MAX, close).await;
        })
    }
}
