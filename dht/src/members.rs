//! The task that owns [`Membership`]: tells it what happens, and does what it decides.

use std::sync::Arc;
use std::time::Duration;

use base::NodeId;
use base::limits::REPLICAS;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{Instrument, debug, info, warn};

use crate::fill;
use crate::link::{LinkEvent, Strange};
use crate::node::Node;
use crate::overlay::Peer;
use crate::overlay::membership::{Command, Event, Membership, News};
use crate::remembered::Remembered;
use crate::serve::{probe, question};
use crate::wire::{Reply, Request};

/// Between two looks at the time: fine enough for half-second rules, and nothing to a sleeping CPU.
const TICK: Duration = Duration::from_millis(100);
/// How long a helper may take to ask a third one.
const HELP: Duration = Duration::from_secs(1);

/// Runs until the node is closed.
pub(crate) async fn run(
    node: Arc<Node>,
    mut membership: Membership,
    mut events: mpsc::Receiver<Event>,
    mut link_events: mpsc::Receiver<LinkEvent>,
    remembered: Remembered,
) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut commands = Vec::new();
    loop {
        let event = tokio::select! {
            biased;
            // First, so that no flood of events stops the time.
            _ = ticks.tick() => Event::Tick,
            Some(event) = link_events.recv() => Event::Link(event),
            Some(event) = events.recv() => event,
        };
        membership.handle(event, node.now(), &mut commands);
        for command in commands.drain(..) {
            execute(&node, command, &remembered);
        }
    }
}

fn execute(node: &Arc<Node>, command: Command, remembered: &Remembered) {
    match command {
        Command::Dial(contact) => node.link.dial(contact),
        Command::Exchange(peer) => {
            let node = Arc::clone(node);
            report(&node.clone(), async move {
                let reply = question(&node, &peer, Request::Members, HELP).await;
                let Some(Ok(Reply::Members(contacts))) = reply else {
                    return Some(Event::Exchanged(None));
                };
                Some(Event::Exchanged(Some(contacts)))
            });
        }
        Command::Disconnect(peer) => node.link.disconnect(peer),
        Command::Notify(to, notice) => node.link.notify(to, notice),
        Command::Probe(peer) => {
            let id = peer.id;
            let probe = probe(Arc::clone(node), peer);
            report(node, async move { Some(Event::Probed(id, probe.await)) });
        }
        Command::ProbeFor { helper, target } => report(node, probe_for(node, helper, target)),
        Command::Pull(peer) => {
            let (id, pull) = (peer.id, fill::pull(Arc::clone(node), peer));
            report(node, async move {
                let end = pull.await;
                debug!(peer = %id, ?end, "pulled");
                Some(Event::Pulled(id, end))
            });
        }
        Command::Publish(view) => {
            remembered.keep(&view);
            node.view.store(Arc::new(view));
        }
        Command::Report(news) => tell(node, news),
    }
}

/// Runs something whose end the membership has to know of.
fn report(node: &Arc<Node>, end: impl Future<Output = Option<Event>> + Send + 'static) {
    let events = node.events.clone();
    let told = async move {
        if let Some(event) = end.await {
            // Closed when the node is.
            let _ = events.send(event).await;
        }
    };
    tokio::spawn(told.in_current_span());
}

fn probe_for(
    node: &Arc<Node>,
    helper: Arc<Peer>,
    target: NodeId,
) -> impl Future<Output = Option<Event>> + Send + 'static {
    let node = Arc::clone(node);
    async move {
        let reply = question(&node, &helper, Request::ProbeFor(target), HELP).await;
        matches!(reply, Some(Ok(Reply::Heard))).then_some(Event::Vouched(target))
    }
}

/// Logs and counts what has happened.
fn tell(node: &Node, news: News) {
    match news {
        News::Joined(contact) => {
            info!(peer = %contact.id, addresses = ?contact.addresses, "a super-node joined");
        }
        News::Suspected(peer) => {
            node.meters.suspicions.add(1);
            info!(%peer, "a super-node does not answer; it is asked last from now on");
        }
        News::Recovered(peer) => info!(%peer, "a super-node answers again"),
        News::Gone(peer) => {
            node.meters.departures.add(1);
            let keepers = node.view.load().members().len().min(REPLICAS);
            warn!(%peer, keepers, "a super-node is gone; others keep what it kept from now on");
        }
        News::Left(peer) => {
            node.meters.departures.add(1);
            info!(%peer, "a super-node left");
        }
        News::NothingPulled(peer) => warn!(
            %peer,
            "a super-node says that it holds entries but does not give them; going on without"
        ),
        News::Strange(peer, Strange::Incompatible { theirs }) => warn!(
            %peer,
            theirs,
            ours = crate::link::PROTOCOL,
            "a super-node speaks another version of the protocol; run the same version on both"
        ),
        News::Strange(peer, Strange::Malformed(what)) => {
            node.meters.malformed.add(1);
            warn!(%peer, what, "a super-node sent what makes no sense; its connection is closed");
        }
        News::Strange(peer, Strange::WrongId) => {
            node.meters.malformed.add(1);
            warn!(%peer, "another node answers at the address given for this one");
        }
    }
}
