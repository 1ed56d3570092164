//! A simulated run: nodes that come and go, clients that use them, and what they may be told.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use base::Key;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};
use tracing::{Instrument, info};

use super::Plan;
use super::check::{Side, Truth, Wrong};
use super::log;
use super::net::Net;
use super::nodes::{SimNode, node_key, unrest};
use super::outcome::{Failure, Outcome};
use crate::Dht;

/// How long all nodes may take, when nothing disturbs them, until they hold what they should: some
/// lost messages and the waits after each.
const CALM: Duration = Duration::from_secs(180);
/// Between two looks for calm.
const LOOK: Duration = Duration::from_millis(250);
/// How often a key is read again that two nodes read differently.
const RE_READS: u32 = 4;
/// How often it is looked for agreement: while another repair takes place.
const LOOKS: u32 = 240;
/// Copies that everything surely there has when calm is back.
const COPIES: usize = 2;
/// How long replicas take at most, once there is calm, until they agree.
const REPAIR: Duration = Duration::from_secs(60);

/// Runs a plan with a seed.
///
/// # Errors
/// [`Failure`] when a client was told what must not be.
///
/// # Panics
/// If the operating system refuses what the runtime needs.
pub fn run(seed: u64, plan: &Plan) -> Result<Outcome, Box<Failure>> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    LocalSet::new().block_on(&runtime, async {
        let _time = log::begin();
        World::new(seed, plan).run().await
    })
}

/// All there is in a run.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) plan: Plan,
    pub(super) net: Net,
    pub(super) nodes: RefCell<Vec<SimNode>>,
    pub(super) truth: Truth,
    pub(super) rng: RefCell<fastrand::Rng>,
    pub(super) outcome: RefCell<Outcome>,
    /// Whether the clients may stop.
    pub(super) over: Cell<bool>,
    /// Whether nothing happens but that time passes.
    pub(super) at_leisure: Cell<bool>,
    pub(super) interruptions: RefCell<Vec<String>>,
    began: Instant,
    /// How many ids were given to nodes.
    ids: Cell<u64>,
    failure: RefCell<Option<Box<Failure>>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.net.dismantle();
    }
}

impl World {
    pub(super) fn new(seed: u64, plan: &Plan) -> Rc<World> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let net = Net::new(rng.u64(..), plan.weather);
        Rc::new(World {
            seed,
            plan: plan.clone(),
            net,
            nodes: RefCell::default(),
            truth: Truth::new(),
            rng: RefCell::new(rng),
            outcome: RefCell::default(),
            over: Cell::new(false),
            at_leisure: Cell::new(false),
            interruptions: RefCell::default(),
            began: Instant::now(),
            ids: Cell::new(0),
            failure: RefCell::default(),
        })
    }

    async fn run(self: Rc<World>) -> Result<Outcome, Box<Failure>> {
        self.populate().await;
        self.await_calm().await;
        let clients = (0..self.plan.clients).map(|n| {
            let world = Rc::clone(&self);
            tokio::task::spawn_local(async move { world.client(n).await })
        });
        let clients: Vec<_> = clients.collect();
        self.interrupt().await;
        self.over.set(true);
        for client in clients {
            let _ = client.await;
        }
        self.await_calm().await;
        self.check_everywhere().await;
        let (messages, trace) = self.net.trace();
        let seconds = self.now().as_secs();
        let outcome = Outcome { messages, trace, seconds, ..*self.outcome.borrow() };
        self.outcome_or(outcome)
    }

    /// What a run came to, unless something went wrong.
    pub(super) fn outcome_or<T>(&self, outcome: T) -> Result<T, Box<Failure>> {
        self.failure.borrow_mut().take().map_or(Ok(outcome), Err)
    }

    pub(super) fn random(&self, below: u64) -> u64 {
        self.rng.borrow_mut().u64(..below)
    }

    /// Since the run's start.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    pub(super) fn fail(&self, what: String) {
        self.fail_about(None, Wrong { what, history: Vec::new() });
    }

    /// Takes note of the first thing that went wrong.
    pub(super) fn fail_about(&self, key: Option<&Key>, wrong: Wrong) {
        let holdings = key.map(|key| self.holdings(key)).unwrap_or_default();
        let interruptions = self.interruptions.borrow().clone();
        let Wrong { what, history } = wrong;
        let (seed, at) = (self.seed, self.now());
        let failure = Failure { seed, at, what, interruptions, history, holdings };
        self.failure.borrow_mut().get_or_insert_with(|| Box::new(failure));
    }

    /// Who keeps a key, and has what, the closest first.
    fn holdings(&self, key: &Key) -> Vec<String> {
        let place = key.place();
        let nodes = self.nodes.borrow();
        let mut near: Vec<&SimNode> = nodes.iter().collect();
        near.sort_by_cached_key(|node| node.place.distance(&place));
        near.iter().map(|node| node.describe(&place)).collect()
    }

    pub(super) fn fresh_key(&self) -> base::SigningKey {
        let n = self.ids.get();
        self.ids.set(n + 1);
        node_key(self.seed, n)
    }

    /// Starts all nodes; each joins one that is there.
    pub(super) async fn populate(&self) {
        for n in 0..self.plan.nodes {
            let mut node = SimNode::new(n, self.fresh_key(), self.random(u64::MAX), self.began);
            node.lies = n >= self.plan.nodes - self.plan.liars.min(self.plan.nodes - 1);
            self.nodes.borrow_mut().push(node);
            let seed = self.random(u64::MAX);
            self.nodes.borrow_mut()[n].start(&self.net, seed, n == 0);
            self.join(n).await;
        }
    }

    pub(super) fn start(&self, n: usize) {
        let seed = self.random(u64::MAX);
        self.nodes.borrow_mut()[n].start(&self.net, seed, false);
    }

    /// Joins through any node that is up.
    pub(super) async fn join(&self, n: usize) {
        for _ in 0..20 {
            let (dht, others, span) = {
                let nodes = self.nodes.borrow();
                let up =
                    nodes.iter().filter(|other| other.dht.is_some() && other.id != nodes[n].id);
                let others = up.map(|other| other.id).collect::<Vec<_>>();
                (nodes[n].dht.clone(), others, nodes[n].span())
            };
            let (Some(dht), false) = (dht, others.is_empty()) else { return };
            let other = others[self.random(others.len() as u64) as usize];
            let Some(address) = self.net.address(&other) else { return };
            if dht.join(address).instrument(span).await.is_ok() {
                return;
            }
        }
    }

    /// Waits until all nodes know each other and hold what they should, and compares what they hold.
    pub(super) async fn await_calm(&self) {
        let deadline = Instant::now() + CALM;
        loop {
            let unrest = unrest(&self.nodes.borrow());
            let Some(why) = unrest else { break };
            if Instant::now() >= deadline || self.has_failed() {
                self.fail(format!("no calm: {why}"));
                return;
            }
            sleep(LOOK).await;
        }
        info!("calm");
        let began = self.now();
        self.await_agreement().await;
        self.nodes.borrow_mut().iter_mut().for_each(|node| node.side = Side::WHOLE);
        self.truth.calm(began);
        self.check_copies();
    }

    /// Waits until replicas have had the time to compare what they hold; when no client changes it any
    /// more they must hold the same.
    async fn await_agreement(&self) {
        self.at_leisure.set(true);
        sleep(REPAIR).await;
        self.at_leisure.set(false);
        if !self.over.get() {
            return;
        }
        for key in self.truth.keys() {
            let mut looks = 0;
            // What expires does so within the time of a message here and there.
            while self.held_by_replicas(&key).windows(2).any(|pair| pair[0] != pair[1]) {
                if looks == LOOKS {
                    let what = format!("the replicas of {key:?} do not hold the same after calm");
                    self.fail_about(Some(&key), Wrong { what, history: Vec::new() });
                    return;
                }
                looks += 1;
                sleep(LOOK).await;
            }
        }
    }

    /// What each true and honest replica of a key holds, but for lifetimes.
    fn held_by_replicas(&self, key: &Key) -> Vec<Vec<(base::EntryId, base::Version, bool)>> {
        let place = key.place();
        let nodes = self.nodes.borrow();
        let mut up: Vec<&SimNode> = nodes.iter().filter(|node| node.dht.is_some()).collect();
        up.sort_by_cached_key(|node| node.place.distance(&place));
        up.truncate(base::limits::REPLICAS);
        up.retain(|node| !node.lies);
        let entry = |entry: &base::Entry| (entry.id(), entry.version(), entry.is_live());
        up.iter().map(|node| node.disk.holding(&place).iter().map(entry).collect()).collect()
    }

    /// Whether what was acknowledged is with two that keep it: of those that say so some may lie.
    pub(super) fn is_kept(&self, place: &base::Place, id: base::EntryId, live: bool) -> bool {
        if self.plan.liars == 0 {
            return true;
        }
        let nodes = self.nodes.borrow();
        let honest = nodes.iter().filter(|node| !node.lies);
        let held = honest.flat_map(|node| node.disk.holding(place)).filter(|e| e.id() == id);
        let held: Vec<(base::Version, bool)> = held.map(|e| (e.version(), e.is_live())).collect();
        // Some may have an older copy still.
        let newest = held.iter().map(|(version, _)| *version).max();
        held.iter().filter(|(version, is)| Some(*version) == newest && *is == live).count()
            >= COPIES
    }

    /// What surely is there is at enough of those that keep it.
    fn check_copies(&self) {
        for key in self.truth.keys() {
            let text = String::from_utf8_lossy(key.as_bytes()).into_owned();
            let there = self.truth.surely_there(&text, self.now());
            if there.is_empty() {
                continue;
            }
            let held = self.held_by_replicas(&key);
            for value in there {
                let id =
                    base::EntryId::of(&super::clients::as_value(&value), base::SecretTag::NONE);
                let has =
                    |held: &&Vec<_>| held.iter().any(|(other, _, live)| *other == id && *live);
                let copies = held.iter().filter(has).count();
                if copies < COPIES.min(held.len()) {
                    let what = format!("{value:?} under {text:?} has {copies} copies after calm");
                    let history = self.truth.history(&text, &value);
                    self.fail_about(Some(&key), Wrong { what, history });
                    return;
                }
            }
        }
    }

    /// After calm every node reads what was acknowledged, and all read the same.
    async fn check_everywhere(&self) {
        let nodes: Vec<(usize, Dht)> = {
            let nodes = self.nodes.borrow();
            let honest = nodes.iter().filter(|node| !node.lies);
            honest.filter_map(|node| Some((node.number, node.dht.clone()?))).collect()
        };
        for key in self.truth.keys() {
            let mut first: Option<Vec<String>> = None;
            for (number, dht) in &nodes {
                if self.has_failed() {
                    return;
                }
                let Some(listed) = self.read(*number, dht, &key).await else {
                    let what = format!("{key:?} cannot be read at node {number} after calm");
                    self.fail_about(Some(&key), Wrong { what, history: Vec::new() });
                    return;
                };
                let first = first.get_or_insert_with(|| listed.clone());
                let mut listed = listed;
                let mut looks = 0;
                // What expired in between is no difference: soon both read it so.
                while *first != listed && looks < RE_READS {
                    looks += 1;
                    sleep(LOOK).await;
                    *first = self.read(nodes[0].0, &nodes[0].1, &key).await.unwrap_or_default();
                    listed = self.read(*number, dht, &key).await.unwrap_or_default();
                }
                if *first != listed {
                    let what = format!(
                        "{key:?} is read as {listed:?} at node {number}, as {first:?} elsewhere"
                    );
                    let text = String::from_utf8_lossy(key.as_bytes()).into_owned();
                    let differ = listed.iter().filter(|value| !first.contains(value));
                    let differ = differ.chain(first.iter().filter(|v| !listed.contains(v)));
                    let history = differ.flat_map(|value| self.truth.history(&text, value));
                    let history = history.collect();
                    self.fail_about(Some(&key), Wrong { what, history });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_run_stays_when_it_is_over() {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.unwrap();
        let net = LocalSet::new().block_on(&runtime, async {
            let world = World::new(1, &Plan { nodes: 3, ..Plan::default() });
            world.populate().await;
            world.await_calm().await;
            world.net.clone()
        });
        drop(runtime);
        assert_eq!(net.known_by(), 1);
    }
}
