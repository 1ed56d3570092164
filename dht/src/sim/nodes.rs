//! The nodes of a simulated run: machines, disks and what runs on them.

use std::sync::Arc;

use base::{NodeId, Place, SigningKey};
use tokio::time::Instant;
use tracing::{Span, info_span};

use super::census::Census;
use super::check::Side;
use super::disk::Disk;
use super::liar::Liar;
use super::machine::Machine;
use super::net::Net;
use crate::handle::{Parts, hello};
use crate::remembered::Remembered;
use crate::wire::Contact;
use crate::{Dht, Options, Phase};

/// Members of a node's neighbourhood that it must know in an overlay too large to know everybody.
const NEIGHBOURS: usize = 8;
/// Up to how many nodes each must know all others.
const ALL_KNOWN: usize = 128;

/// A node, whether it runs or not.
pub(super) struct SimNode {
    pub(super) number: usize,
    pub(super) id: NodeId,
    key: SigningKey,
    /// Where it lies.
    pub(super) place: Place,
    pub(super) machine: Arc<Machine>,
    pub(super) disk: Disk,
    pub(super) dht: Option<Dht>,
    /// Whether it lies.
    pub(super) lies: bool,
    /// Whether its machine sleeps.
    pub(super) asleep: bool,
    /// In which part of the overlay it is.
    pub(super) side: Side,
    /// Whom it knew when it ran last.
    known: Vec<Contact>,
    starts: u64,
}

impl SimNode {
    /// A node on a new machine.
    pub(super) fn new(number: usize, key: SigningKey, disk_seed: u64, began: Instant) -> SimNode {
        let machine = Arc::new(Machine::new(began));
        let id = id_of(&key);
        SimNode {
            number,
            id,
            place: id.place(),
            key,
            disk: Disk::new(disk_seed, Arc::clone(&machine)),
            machine,
            dht: None,
            lies: false,
            asleep: false,
            side: Side::WHOLE,
            known: Vec::new(),
            starts: 0,
        }
    }

    /// Its machine gets a new disk, and it another id, if there is one.
    pub(super) fn lose_disk(&mut self, disk_seed: u64, new_key: Option<SigningKey>) {
        self.disk = Disk::new(disk_seed, Arc::clone(&self.machine));
        if let Some(key) = new_key {
            (self.id, self.key) = (id_of(&key), key);
        }
        self.place = self.id.place();
        self.known = Vec::new();
    }

    /// What its log lines begin with.
    pub(super) fn span(&self) -> Span {
        info_span!("node", n = self.number)
    }

    /// Starts it. The first of all does not look for others.
    pub(super) fn start(&mut self, net: &Net, seed: u64, is_first: bool) {
        let _span = self.span().entered();
        self.starts += 1;
        let machine = Arc::clone(&self.machine);
        let store = self.disk.mount();
        let started = Instant::now();
        let (link, link_events) = net.plug_in(self.id, hello(Arc::clone(&store), seed), started);
        let dht = Dht::assemble(Parts {
            key: self.key.clone(),
            store,
            link,
            link_events,
            remembered: Remembered::default(),
            admission: None,
            known: self.known.clone(),
            settle: if is_first { std::time::Duration::ZERO } else { Options::SETTLE },
            started,
            time_asleep: Arc::new(move || machine.time_asleep()),
            seed,
        });
        let honest = dht.responder();
        let responder = if self.lies { Arc::new(Liar::new(honest, seed)) } else { honest };
        net.serve(&self.id, responder);
        self.dht = Some(dht);
    }

    /// Switches it off. What runs of it still is without a network and a disk from now on.
    pub(super) fn stop(&mut self, net: &Net) {
        let Some(dht) = self.dht.take() else { return };
        self.known = dht.view().members().iter().skip(1).map(|member| member.contact()).collect();
        net.crash(&self.id);
        self.disk.crash();
    }

    /// Whether it knows those closest to it, as it must.
    pub(super) fn knows_neighbours(&self, nodes: &[SimNode], census: &Census) -> bool {
        let Some(dht) = &self.dht else { return true };
        let view = dht.view();
        let near = census.closest(&self.place, NEIGHBOURS + 1);
        near.into_iter().all(|number| view.member(&nodes[number].id).is_some())
    }

    /// How it stands to a place, and what its disk holds there.
    pub(super) fn describe(&self, place: &Place) -> String {
        let state = match &self.dht {
            Some(dht) => {
                let view = dht.view();
                let members = view.members().len();
                let rank = view.rank(place, &view.me().place);
                let complete = view.is_complete(place);
                format!("knows {members}, rank {rank}, complete {complete}")
            }
            None => "down".to_owned(),
        };
        let held = self.disk.holding(place);
        format!("node {} {} {state}: {held:?}", self.number, self.id)
    }
}

/// Why there is no calm: a node that does not know whom it should, or has not what it should.
pub(super) fn unrest(nodes: &[SimNode]) -> Option<String> {
    let census = Census::of(nodes);
    let up = || nodes.iter().filter(|node| node.dht.is_some());
    let count = up().count();
    let is_busy = |node: &&SimNode| {
        node.dht.as_ref().is_some_and(|dht| {
            let view = dht.view();
            let knows_all = view.members().len() == count;
            view.is_filling() || (count <= ALL_KNOWN && !knows_all)
        })
    };
    let honest = || up().filter(|node| !node.lies);
    let busy = honest().find(is_busy).or_else(|| {
        let is_lost = |node: &&SimNode| count > ALL_KNOWN && !node.knows_neighbours(nodes, &census);
        honest().find(is_lost)
    })?;
    let status = busy.dht.as_ref()?.status();
    let phase: Phase = status.phase;
    Some(format!("node {} is {phase:?} and knows {} others", busy.number, status.peers.len()))
}

/// The key of a node.
pub(super) fn node_key(seed: u64, n: u64) -> SigningKey {
    SigningKey::from_bytes(Place::of(format!("{seed}/{n}").as_bytes()).as_bytes())
}

/// The id of a node's key.
pub(super) fn node_id(seed: u64, n: u64) -> NodeId {
    id_of(&node_key(seed, n))
}

fn id_of(key: &SigningKey) -> NodeId {
    NodeId::of(&key.public()).expect("a key's own public half")
}
