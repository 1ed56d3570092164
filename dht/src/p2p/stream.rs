//! A stream in its task: first greeted on, then served.

use libp2p::PeerId;

use super::admission::Told;
use super::greeting::{Greeted, GreetingError};
use super::peer_link::Kind;
use super::serve::{Ended, Served, Service, serve};

/// Whose stream it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    pub(super) peer: PeerId,
    /// In which session with it.
    pub(super) session: u64,
    pub(super) kind: Kind,
    /// The peer opened it.
    pub(super) inbound: bool,
    /// How often opening it failed before.
    pub(super) failures: u32,
}

/// What became of a stream.
pub(super) enum Outcome {
    /// Greeting is over.
    Greeted(Opened, Result<Greeted, GreetingError>),
    /// Serving is over.
    Ended(Opened, Served, Ended),
    /// A peer, in its session of this number, wants a passphrase that this node does not have.
    Told(PeerId, u64, Told),
}

/// A stream to be served.
pub(super) struct Start(pub(super) Opened, pub(super) Served);

impl Start {
    pub(super) async fn serve(self, service: Service) -> Outcome {
        let Start(opened, mut served) = self;
        let ended = serve(&mut served, service).await;
        Outcome::Ended(opened, served, ended)
    }
}
