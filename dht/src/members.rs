//! The task that owns [`Membership`]: tells it what happens, and does what it decides.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::NodeId;
use base::limits::REPLICAS;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{Instrument, debug, info, warn};

use crate::link::{LinkEvent, Strange};
use crate::node::Node;
use crate::overlay::Peer;
use crate::overlay::membership::{Acquaintance, Command, Event, Membership, News};
use crate::pace::{Limit, Pace};
use crate::remembered::Remembered;
use crate::repair::repair;
use crate::serve::question;
use crate::wire::{Notice, Reply, Request};

/// Between two looks at the time: fine enough for half-second rules, and nothing to a sleeping CPU.
const TICK: Duration = Duration::from_millis(100);
/// Events of the link taken together: when dozens start at once there are many.
const TOGETHER: usize = 64;
/// So long an answer that is late is waited for: from how late it is follows how long to wait for others.
const LATE: Duration = Duration::from_secs(10);
/// How long a helper may take to ask a third one.
const HELP: Duration = Duration::from_secs(1);

/// Warnings of others that do wrong: whoever does so often, under one id or many, must not fill the
/// log.
const WARNINGS: Limit = Limit { burst: 20, pause: Duration::from_secs(5) };

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
    let mut together = Vec::new();
    let mut warnings = Pace::new(WARNINGS, Instant::now());
    loop {
        tokio::select! {
            biased;
            // First, so that no flood of events stops the time.
            _ = ticks.tick() => {
                if node.wakes() {
                    info!("this machine slept; looking around for what happened meanwhile");
                    membership.handle(Event::Awoke, node.now(), &mut commands);
                    node.claims.woke();
                    node.watches.woke();
                }
                membership.handle(Event::Tick, node.now(), &mut commands);
            }
            1.. = link_events.recv_many(&mut together, TOGETHER) => {
                for event in together.drain(..) {
                    if let LinkEvent::Notice(from, Notice::Changed(places)) = &event {
                        node.watches.changed(from, places);
                    } else {
                        membership.handle(Event::Link(event), node.now(), &mut commands);
                    }
                }
            }
            Some(event) = events.recv() => membership.handle(event, node.now(), &mut commands),
        }
        membership.settle_up(node.now(), &mut commands);
        for command in commands.drain(..) {
            execute(&node, command, &remembered, &mut warnings);
        }
    }
}

fn execute(node: &Arc<Node>, command: Command, remembered: &Remembered, warnings: &mut Pace) {
    match command {
        Command::Dial(contact) => node.link.dial(contact),
        Command::Exchange(peer, near) => {
            let node = Arc::clone(node);
            report(&node.clone(), async move {
                let reply = question(&node, &peer, Request::Members { near }, HELP).await;
                let answer = match reply {
                    Some(Ok(Reply::Members { contacts, settled, more })) => {
                        Some(Acquaintance { contacts, settled, more })
                    }
                    _ => None,
                };
                Some(Event::Exchanged { from: peer.id, near, answer })
            });
        }
        Command::Disconnect(peer) => node.link.disconnect(peer),
        // One that is not sent is no loss: what it says others find out.
        Command::Notify(to, notice) => drop(node.link.notify(to, notice)),
        Command::Probe(peer) => drop(tokio::spawn(look(Arc::clone(node), peer).in_current_span())),
        Command::ProbeFor { helper, target } => report(node, probe_for(node, helper, target)),
        Command::Repair { from, scope, departed, turn } => {
            let (id, repair) = (from.id, repair(Arc::clone(node), from, scope, (departed, turn)));
            report(node, async move {
                let end = repair.await;
                debug!(peer = %id, ?scope, ?end, "repaired");
                Some(Event::Pulled(id, end))
            });
        }
        Command::Await(unanswered) => {
            let millis = u64::try_from(unanswered.as_millis()).unwrap_or(u64::MAX);
            node.unanswered.store(millis, Ordering::Relaxed);
        }
        Command::Publish(view) => {
            remembered.keep(&view);
            if view.members().len() > 1 {
                node.watches.stamps.in_company();
            }
            node.view.store(Arc::new(view));
        }
        Command::Report(News::Strange(peer, strange)) => {
            warn_of(node, peer, &strange, warnings.take(Instant::now()));
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

/// Asks a member whether it is there. An answer that comes late tells how long answers take.
async fn look(node: Arc<Node>, peer: Arc<Peer>) {
    let (from, asked) = (peer.id, Instant::now());
    let mut answer = pin!(question(&node, &peer, Request::Probe, LATE));
    let (answer, told) = match timeout(node.unanswered(), &mut answer).await {
        Ok(answer) => (answer, false),
        Err(_) => {
            let _ = node.events.send(Event::Silent(from)).await;
            (answer.await, true)
        }
    };
    let event = match answer {
        Some(Ok(Reply::Alive(digest))) => Event::Alive { from, digest, took: asked.elapsed() },
        _ if told => return,
        _ => Event::Silent(from),
    };
    // Closed when the node is.
    let _ = node.events.send(event).await;
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
        // Told of by `warn_of`.
        News::Strange(..) => {}
    }
}

/// Counts and logs what others do wrong; only for who looks closely if it has been logged often.
fn warn_of(node: &Node, peer: NodeId, strange: &Strange, loudly: bool) {
    if matches!(strange, Strange::Malformed(_) | Strange::WrongId) {
        node.meters.malformed.add(1);
    }
    if !loudly {
        debug!(%peer, ?strange, "a super-node does wrong; not warned of, as others are");
        return;
    }
    match strange {
        Strange::Incompatible { theirs } => warn!(
            %peer,
            theirs,
            ours = crate::link::PROTOCOL,
            "a super-node speaks another version of the protocol; run the same version on both"
        ),
        Strange::Malformed(what) => {
            warn!(%peer, what, "a super-node sent what makes no sense; its connection is closed");
        }
        Strange::NotAdmitted(mismatch) => {
            warn!(%peer, "not of this overlay: the super-node {mismatch}");
        }
        Strange::WrongId => warn!(%peer, "another node answers at the address given for this one"),
    }
}
