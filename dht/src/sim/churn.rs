//! A study of churn: nodes that come and go all the time, and what it does to what is stored.
//!
//! Each departure is a crash that takes the disk with it; a new node with another id comes in its
//! place at once. Sessions are exponential, so that each node is as likely to go at any moment.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use base::limits::REPLICAS;
use base::{Key, NodeId, Place, SecretTag, Ttl};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use super::census::Census;
use super::clients::as_value;
use super::net::Weather;
use super::world::World;
use super::{Plan, log};
use crate::{Dht, PageRequest};

/// How often what is refreshed is put again.
const REFRESH: Duration = Duration::from_secs(60);
/// Between two looks whether a key has all its copies again, and how long that is looked at.
const LOOK: Duration = Duration::from_millis(500);
const REPAIR_MAX: Duration = Duration::from_secs(300);
/// Between two reads of a client.
const READ: Duration = Duration::from_millis(200);

/// What to study.
#[derive(Debug, Clone, Copy)]
pub struct Churn {
    /// Nodes, always so many.
    pub nodes: usize,
    /// Half of all nodes stay for less than this.
    pub median_session: Duration,
    /// For how long.
    pub length: Duration,
    /// Keys that are put again every minute, and as many that never are.
    pub keys: usize,
    /// Clients that read keys from random nodes.
    pub clients: usize,
    /// What the network does meanwhile.
    pub weather: Weather,
}

/// What a study found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ChurnReport {
    /// Nodes that departed, each replaced.
    pub departures: u64,
    /// Reads of keys that are put again, and how many of them found the value.
    pub refreshed_gets: u64,
    /// See [`ChurnReport::refreshed_gets`].
    pub refreshed_right: u64,
    /// Reads of keys that were put once, and how many of them found the value.
    pub once_gets: u64,
    /// See [`ChurnReport::once_gets`].
    pub once_right: u64,
    /// Reads for which the node asked, or those others refer it to, would ask at least one of the three live
    /// nodes closest to the key, of all reads.
    pub lookups_right: u64,
    /// Keys put once, and how many of them no live node holds at the end.
    pub once: u64,
    /// See [`ChurnReport::once`].
    pub once_lost: u64,
    /// Departures after which it was measured how long a key of the departed took to have all its
    /// copies again.
    pub repairs: u64,
    /// How long it took on average, in seconds.
    pub repair_s: f64,
    /// The part of keys put once that three replicas independent of each other lose, when each departs at the
    /// rate of the sessions and all missing copies are made anew in the measured time: see
    /// [`expected_loss`].
    pub expected_loss: f64,
    /// Messages delivered.
    pub messages: u64,
}

/// The part of values lost in `length` by three replicas that depart independently.
///
/// Each departs at the rate λ = ln 2 / median session. Missing copies come back, all together, at the
/// rate μ = 1 / repair time. From three copies to two it goes at 3λ; from there one is left before the
/// repair with the chance 2λ / (2λ + μ), and from there none with λ / (λ + μ). So values are lost at the rate
/// r = 3λ · 2λ/(2λ + μ) · λ/(λ + μ), and 1 − exp(−r · length) of them in the end. That holds where
/// repair takes far less time than a session lasts.
pub fn expected_loss(median_session: Duration, repair: Duration, length: Duration) -> f64 {
    let leave = std::f64::consts::LN_2 / median_session.as_secs_f64();
    if repair.is_zero() {
        return 0.0;
    }
    let mend = 1.0 / repair.as_secs_f64();
    let rate = 3.0 * leave * (2.0 * leave / (2.0 * leave + mend)) * (leave / (leave + mend));
    1.0 - (-rate * length.as_secs_f64()).exp()
}

/// Runs a study with a seed.
///
/// # Panics
/// If the operating system refuses what the runtime needs.
pub fn study(seed: u64, churn: &Churn) -> ChurnReport {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    LocalSet::new().block_on(&runtime, async {
        let _time = log::begin();
        let plan = Plan { nodes: churn.nodes, weather: churn.weather, ..Plan::default() };
        let world = World::new(seed, &plan);
        let study =
            Study { churn: *churn, world, found: RefCell::default(), census: RefCell::default() };
        Rc::new(study).run().await
    })
}

struct Study {
    churn: Churn,
    world: Rc<World>,
    found: RefCell<ChurnReport>,
    /// Who runs; `None` since somebody came or went.
    census: RefCell<Option<Rc<Census>>>,
}

impl Study {
    async fn run(self: Rc<Study>) -> ChurnReport {
        self.world.populate().await;
        self.world.await_calm().await;
        for n in 0..self.churn.keys {
            self.put(&key("once", n)).await;
            self.put(&key("refreshed", n)).await;
        }
        let mut tasks = Vec::new();
        for _ in 0..self.churn.clients {
            let study = Rc::clone(&self);
            tasks.push(tokio::task::spawn_local(async move { study.read_on().await }));
        }
        let study = Rc::clone(&self);
        tasks.push(tokio::task::spawn_local(async move { study.refresh().await }));
        let end = Instant::now() + self.churn.length;
        let departures = self.churn_until(end).await;
        self.world.over.set(true);
        for task in tasks.into_iter().chain(departures) {
            let _ = task.await;
        }
        self.report()
    }

    /// Lets nodes go and others come.
    async fn churn_until(self: &Rc<Study>, end: Instant) -> Vec<tokio::task::JoinHandle<()>> {
        let rate = std::f64::consts::LN_2 / self.churn.median_session.as_secs_f64();
        let mean = 1.0 / (rate * self.churn.nodes as f64);
        let mut repairs = Vec::new();
        loop {
            let pause = -mean * (1.0 - self.world.rng.borrow_mut().f64()).ln();
            let next = Instant::now() + Duration::from_secs_f64(pause);
            if next >= end {
                sleep(end - Instant::now()).await;
                return repairs;
            }
            tokio::time::sleep_until(next).await;
            let n = self.world.random(self.churn.nodes as u64) as usize;
            let bereft = self.a_key_of(n);
            self.replace(n);
            self.found.borrow_mut().departures += 1;
            let study = Rc::clone(self);
            let watch = async move {
                study.world.join(n).await;
                if let Some(key) = bereft {
                    study.time_repair(&key).await;
                }
            };
            repairs.push(tokio::task::spawn_local(watch));
            repairs.retain(|repair| !repair.is_finished());
        }
    }

    /// A node crashes, and another comes in its place.
    fn replace(&self, n: usize) {
        let (seed, key) = (self.world.random(u64::MAX), self.world.fresh_key());
        {
            let mut nodes = self.world.nodes.borrow_mut();
            nodes[n].stop(&self.world.net);
            nodes[n].lose_disk(seed, Some(key));
        }
        self.world.start(n);
        self.census.borrow_mut().take();
    }

    fn census(&self) -> Rc<Census> {
        let new = || Rc::new(Census::of(&self.world.nodes.borrow()));
        Rc::clone(self.census.borrow_mut().get_or_insert_with(new))
    }

    /// A key put once that a node keeps.
    fn a_key_of(&self, n: usize) -> Option<Key> {
        let mut keys = (0..self.churn.keys).map(|n| key("once", n));
        keys.find(|key| self.keepers(&key.place()).contains(&n) && self.copies(key) == REPLICAS)
    }

    /// Waits until all who should keep a key do, and takes note of how long that took.
    async fn time_repair(&self, key: &Key) {
        let began = Instant::now();
        while self.copies(key) < REPLICAS {
            if began.elapsed() >= REPAIR_MAX || self.world.over.get() {
                return;
            }
            sleep(LOOK).await;
        }
        let mut found = self.found.borrow_mut();
        found.repairs += 1;
        found.repair_s += began.elapsed().as_secs_f64();
    }

    /// The live nodes closest to a place: who should keep what lies there.
    fn keepers(&self, place: &Place) -> Vec<usize> {
        self.census().closest(place, REPLICAS)
    }

    /// How many of those that should keep a key do.
    fn copies(&self, key: &Key) -> usize {
        let place = key.place();
        let nodes = self.world.nodes.borrow();
        let keepers = self.keepers(&place).into_iter();
        keepers.filter(|n| !nodes[*n].disk.holding(&place).is_empty()).count()
    }

    /// Whether a node that looks for a place comes to one that should keep it, as all of them see the
    /// overlay now: it asks those it would ask, and those they name.
    fn reaches(&self, from: &Dht, place: &Place) -> bool {
        let keepers: BTreeSet<NodeId> = {
            let nodes = self.world.nodes.borrow();
            self.keepers(place).into_iter().map(|n| nodes[n].id).collect()
        };
        let view = from.view();
        let mut asked: BTreeSet<NodeId> = BTreeSet::new();
        let mut next: Vec<NodeId> = view.to_ask(place).iter().map(|m| m.peer.id).collect();
        while !next.is_empty() {
            if next.iter().any(|id| keepers.contains(id)) {
                return true;
            }
            asked.extend(&next);
            let nodes = self.world.nodes.borrow();
            let up = next.iter().filter_map(|id| nodes.iter().find(|node| node.id == *id));
            let named = up.filter_map(|node| node.dht.as_ref()).flat_map(|dht| {
                let view = dht.view();
                // Whoever holds itself to be one of the three answers, and names nobody.
                if view.keeps(place, REPLICAS) { Vec::new() } else { view.closer(place) }
            });
            let named: BTreeSet<NodeId> = named.map(|contact| contact.id).collect();
            next = named.difference(&asked).copied().collect();
        }
        false
    }

    fn any_node(&self) -> Option<(Dht, tracing::Span)> {
        let n = self.world.random(self.churn.nodes as u64) as usize;
        let nodes = self.world.nodes.borrow();
        Some((nodes[n].dht.clone()?, nodes[n].span()))
    }

    async fn put(&self, key: &Key) {
        let Some((dht, span)) = self.any_node() else { return };
        let put = dht.put(key, as_value("value"), SecretTag::NONE, Ttl::MAX);
        // One that was not acknowledged is found missing later.
        let _ = put.instrument(span).await;
    }

    async fn refresh(&self) {
        while !self.world.over.get() {
            let pause = REFRESH / u32::try_from(self.churn.keys.max(1)).unwrap_or(u32::MAX);
            for n in 0..self.churn.keys {
                sleep(pause).await;
                if self.world.over.get() {
                    return;
                }
                self.put(&key("refreshed", n)).await;
            }
        }
    }

    async fn read_on(&self) {
        while !self.world.over.get() {
            sleep(READ).await;
            let once = self.world.random(2) == 0;
            let n = self.world.random(self.churn.keys as u64) as usize;
            let key = key(if once { "once" } else { "refreshed" }, n);
            let Some((dht, span)) = self.any_node() else { continue };
            let reaches = self.reaches(&dht, &key.place());
            let page = dht.get(&key, PageRequest::ALL).instrument(span).await;
            // What a node says after it was switched off nobody hears.
            if !self.is_up(&dht) {
                continue;
            }
            let right = page.is_ok_and(|page| !page.values.is_empty());
            let mut found = self.found.borrow_mut();
            found.lookups_right += u64::from(reaches);
            if once {
                found.once_gets += 1;
                found.once_right += u64::from(right);
            } else {
                found.refreshed_gets += 1;
                found.refreshed_right += u64::from(right);
            }
        }
    }

    fn is_up(&self, dht: &Dht) -> bool {
        let nodes = self.world.nodes.borrow();
        nodes.iter().filter_map(|node| node.dht.as_ref()).any(|up| up.is_same(dht))
    }

    fn report(&self) -> ChurnReport {
        let mut report = *self.found.borrow();
        report.once = self.churn.keys as u64;
        let nodes = self.world.nodes.borrow();
        let is_lost = |n: &usize| {
            let place = key("once", *n).place();
            nodes.iter().all(|node| node.disk.holding(&place).is_empty())
        };
        report.once_lost = (0..self.churn.keys).filter(is_lost).count() as u64;
        report.repair_s /= report.repairs.max(1) as f64;
        let repair = Duration::from_secs_f64(report.repair_s);
        report.expected_loss = expected_loss(self.churn.median_session, repair, self.churn.length);
        report.messages = self.world.net.trace().0;
        report
    }
}

fn key(set: &str, n: usize) -> Key {
    Key::new(format!("{set} {n}")).expect("short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_replicas_lose_little_when_repair_is_fast() {
        let hour = Duration::from_secs(3600);
        let loss = |repair| expected_loss(hour, Duration::from_secs(repair), hour);
        assert_eq!(loss(0), 0.0);
        assert!(loss(10) < 1e-4 && loss(10) < loss(100) && loss(100) < 0.02, "{}", loss(100));
    }

    #[test]
    fn what_is_put_again_is_found_in_spite_of_churn() {
        let churn = Churn {
            nodes: 12,
            median_session: Duration::from_secs(600),
            length: Duration::from_secs(120),
            keys: 10,
            clients: 2,
            weather: Plan::default().weather,
        };
        let report = study(1, &churn);
        assert!(report.departures > 0 && report.refreshed_gets > 50, "{report:?}");
        assert!(report.refreshed_right * 10 > report.refreshed_gets * 9, "{report:?}");
    }
}
