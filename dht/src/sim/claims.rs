//! Many who claim one name at once: with a stable membership, and while nodes come and go and the network
//! is torn. There must be one winner, and all others have to be told who it is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use base::{Claim, Name, PublicKey, Sequence, SigningKey, Ttl};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::sleep;
use tracing::Instrument;

use super::Plan;
use super::check::Wrong;
use super::interruption::{Drawing, Kind};
use super::log;
use super::net::Weather;
use super::nodes::unrest;
use super::outcome::Failure;
use super::world::World;
use crate::{Claimed, Dht, DhtError};

/// Within how long one has to be confirmed where nothing happens.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);
/// How much later than the first the last one claims.
const AT_ONCE_MS: u64 = 200;
/// For how long it is looked whether there is a second one.
const WATCHED: Duration = Duration::from_secs(15);
/// How often somebody asks who has the name.
const READ: Duration = Duration::from_millis(100);
/// How often who does not know yet claims again, in a run with interruptions.
const CLAIM_AGAIN_MS: u64 = 5_000;
/// How long a claim is waited for before that, and at the end.
const PATIENCE: Duration = Duration::from_secs(3);
const LAST_PATIENCE: Duration = Duration::from_secs(20);
/// How long the nodes may take to find each other, and from calm on to agree.
const MEETING: u32 = 1_200;
const AGREEING: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);
/// What is remembered for a failure to tell, in lines.
const HISTORY_MAX: usize = 400;
/// What happens to nodes and network: what loses votes, or lets two sides vote.
const KINDS: [Kind; 6] =
    [Kind::Split, Kind::Crash, Kind::LostDisk, Kind::Outage, Kind::Leave, Kind::Suspend];

/// Who claims a name, and under what.
#[derive(Debug, Clone)]
pub struct Contenders {
    /// Nodes.
    pub nodes: usize,
    /// Claimants, each at any node.
    pub claimants: usize,
    /// How often something happens to nodes and network while they claim; 0 for a stable membership.
    pub interruptions: usize,
    /// What the network does meanwhile.
    pub weather: Weather,
}

/// What a run was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// From the first claim until somebody read that one is confirmed.
    pub after: Duration,
    /// Those who have not the name, and were told who has.
    pub told: usize,
    /// Messages delivered, of the claims and all else.
    pub messages: u64,
}

/// Lets them claim.
///
/// # Errors
/// [`Failure`] when there is no winner or more than one, or somebody is not told.
///
/// # Panics
/// If the operating system refuses what the runtime needs.
pub fn contend(seed: u64, contenders: &Contenders) -> Result<Decided, Box<Failure>> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    LocalSet::new().block_on(&runtime, async {
        let _time = log::begin();
        let plan = Plan {
            nodes: contenders.nodes,
            clients: 0,
            interruptions: contenders.interruptions,
            weather: contenders.weather,
            ..Plan::default()
        };
        Contention::new(World::new(seed, &plan), contenders.claimants).run().await
    })
}

struct Contention {
    world: Rc<World>,
    name: Name,
    keys: Vec<SigningKey>,
    /// Who was ever read as confirmed, and when first.
    confirmed: RefCell<BTreeMap<PublicKey, Duration>>,
    /// What happened to claims, for a failure to tell.
    history: RefCell<Vec<String>>,
}

impl Contention {
    fn new(world: Rc<World>, claimants: usize) -> Rc<Contention> {
        let keys = (0..claimants).map(|_| {
            let mut rng = world.rng.borrow_mut();
            SigningKey::from_bytes(&std::array::from_fn(|_| rng.u8(..)))
        });
        let keys = keys.collect();
        let name = Name::new("alice").expect("a name");
        let (confirmed, history) = (RefCell::default(), RefCell::default());
        Rc::new(Contention { world, name, keys, confirmed, history })
    }

    async fn run(self: Rc<Contention>) -> Result<Decided, Box<Failure>> {
        self.world.populate().await;
        self.await_meeting().await;
        let began = self.world.now();
        let reader = Rc::clone(&self);
        let reader = tokio::task::spawn_local(async move { reader.read_on().await });
        let told = if self.world.plan.interruptions == 0 {
            self.contend_in_calm(began).await
        } else {
            self.contend_in_trouble().await
        };
        self.world.over.set(true);
        let _ = reader.await;
        let after = self.confirmed.borrow().values().min().map_or(Duration::MAX, |at| *at - began);
        let decided = Decided { after, told, messages: self.world.net.trace().0 };
        self.world.outcome_or(decided)
    }

    /// Nothing happens: one is confirmed soon, and never another.
    async fn contend_in_calm(self: &Rc<Contention>, began: Duration) -> usize {
        let claims = (0..self.keys.len()).map(|n| {
            let contention = Rc::clone(self);
            tokio::task::spawn_local(async move {
                sleep(Duration::from_millis(contention.world.random(AT_ONCE_MS))).await;
                contention.claim(n, 1, WATCHED).await
            })
        });
        let claims: Vec<_> = claims.collect();
        sleep(WATCHED).await;
        let mut outcomes = Vec::new();
        for claim in claims {
            outcomes.push(claim.await.expect("a claimant ends"));
        }
        let (confirmed, first) = {
            let confirmed = self.confirmed.borrow();
            (confirmed.len(), confirmed.first_key_value().map(|(key, at)| (*key, *at)))
        };
        let Some((winner, at)) = first else {
            self.fail(format!("nobody is confirmed after {WATCHED:?}"));
            return 0;
        };
        if confirmed > 1 {
            self.fail(format!("{confirmed} were confirmed"));
        }
        if at - began > CONFIRMED_WITHIN + Duration::from_millis(AT_ONCE_MS) {
            self.fail(format!("only after {:?} somebody was confirmed", at - began));
        }
        self.check_told(&winner, &outcomes)
    }

    /// Nodes come and go and the network is torn while they claim: afterwards there is one winner.
    async fn contend_in_trouble(self: &Rc<Contention>) -> usize {
        let rounds = self.world.plan.interruptions;
        let mut claims = Vec::new();
        for round in 0..rounds {
            for n in (0..self.keys.len()).filter(|n| n % rounds == round) {
                let contention = Rc::clone(self);
                let wait = Duration::from_millis(self.world.random(20_000));
                claims.push(tokio::task::spawn_local(async move {
                    sleep(wait).await;
                    contention.claim_on(n).await;
                }));
            }
            let interruption = {
                let mut rng = self.world.rng.borrow_mut();
                let kind = if round == 0 { KINDS[0] } else { KINDS[rng.usize(..KINDS.len())] };
                Drawing { rng: &mut rng, nodes: self.world.plan.nodes }.draw(kind)
            };
            let line = format!("{:.3} s: {interruption}", self.world.now().as_secs_f64());
            self.world.interruptions.borrow_mut().push(line);
            self.world.undergo(interruption).await;
            sleep(Duration::from_millis(self.world.random(20_000))).await;
        }
        self.world.over.set(true);
        for claim in claims {
            let _ = claim.await;
        }
        self.world.await_calm().await;
        sleep(AGREEING).await;
        let Some(winner) = self.agreed().await else { return 0 };
        let mut outcomes = Vec::new();
        for n in 0..self.keys.len() {
            outcomes.push(self.claim(n, u64::from(u32::MAX), LAST_PATIENCE).await);
        }
        self.check_told(&winner, &outcomes)
    }

    /// Claims again and again, at any node.
    async fn claim_on(&self, n: usize) {
        let mut sequence = 0;
        while !self.world.over.get() {
            sequence += 1;
            let outcome = self.claim(n, sequence, PATIENCE).await;
            let line = format!("{:.3} s: {n} {outcome:.60}", self.world.now().as_secs_f64());
            self.remember(line);
            sleep(Duration::from_millis(self.world.random(CLAIM_AGAIN_MS))).await;
        }
    }

    /// What a failure tells; the first of it, if there is much.
    fn remember(&self, line: String) {
        let mut history = self.history.borrow_mut();
        if history.len() < HISTORY_MAX {
            history.push(line);
        }
    }

    async fn claim(&self, n: usize, sequence: u64, patience: Duration) -> Outcome {
        let claim = Claim::new(self.name.clone(), Sequence::ZERO);
        for _ in 0..20 {
            let Some((dht, span)) = self.any_node() else {
                sleep(LOOK).await;
                continue;
            };
            let claiming =
                dht.claim(&self.keys[n], &claim, Sequence::new(sequence), Ttl::MAX, patience);
            let claimed = claiming.instrument(span).await;
            // What a node says after it was switched off nobody hears.
            if self.is_up(&dht) {
                return Outcome(claimed);
            }
        }
        Outcome(Ok(Claimed::Pending))
    }

    /// Whom all nodes hold to be the holder; a failure if not all do.
    async fn agreed(&self) -> Option<PublicKey> {
        let mut winner = None;
        for (number, dht) in self.all_nodes() {
            let holder = match dht.holder(&self.name).await {
                Ok(status) => status.holder.map(|holder| holder.key),
                Err(error) => {
                    self.fail(format!("node {number} cannot tell: {error}"));
                    return None;
                }
            };
            let Some(holder) = holder else {
                self.fail(format!("to node {number} nobody has the name"));
                return None;
            };
            if *winner.get_or_insert(holder) != holder {
                self.fail(format!("to node {number} another has the name than elsewhere"));
                return None;
            }
        }
        winner
    }

    /// How many were told that they lost, and by whom; a failure if not all others were.
    fn check_told(&self, winner: &PublicKey, outcomes: &[Outcome]) -> usize {
        let mut told = 0;
        for (n, outcome) in outcomes.iter().enumerate() {
            let is_right = match &outcome.0 {
                Ok(Claimed::Confirmed(holder)) => {
                    holder.key == *winner && self.keys[n].public() == *winner
                }
                Ok(Claimed::Lost(holder)) => {
                    told += 1;
                    holder.key == *winner && self.keys[n].public() != *winner
                }
                Ok(Claimed::Pending) | Err(_) => false,
            };
            if !is_right {
                self.fail(format!(
                    "claimant {n} (~{}) is told {outcome}, and ~{} has the name",
                    self.keys[n].public().fingerprint().tag(),
                    winner.fingerprint().tag()
                ));
                break;
            }
        }
        told
    }

    async fn read_on(&self) {
        while !self.world.over.get() {
            sleep(READ).await;
            let Some((dht, span)) = self.any_node() else { continue };
            let status = dht.holder(&self.name).instrument(span).await;
            if let Ok(holder) = status.map(|status| status.holder)
                && let Some(holder) = holder
                && self.is_up(&dht)
            {
                let now = self.world.now();
                let before = self.confirmed.borrow_mut().insert(holder.key, now);
                if let Some(before) = before {
                    self.confirmed.borrow_mut().insert(holder.key, before);
                }
            }
        }
    }

    async fn await_meeting(&self) {
        for _ in 0..MEETING {
            if unrest(&self.world.nodes.borrow()).is_none() {
                return;
            }
            sleep(LOOK).await;
        }
        self.fail("the nodes do not find each other".to_owned());
    }

    fn any_node(&self) -> Option<(Dht, tracing::Span)> {
        let n = self.world.random(self.world.plan.nodes as u64) as usize;
        let nodes = self.world.nodes.borrow();
        if nodes[n].asleep {
            return None;
        }
        Some((nodes[n].dht.clone()?, nodes[n].span()))
    }

    fn all_nodes(&self) -> Vec<(usize, Dht)> {
        let nodes = self.world.nodes.borrow();
        nodes.iter().filter_map(|node| Some((node.number, node.dht.clone()?))).collect()
    }

    fn is_up(&self, dht: &Dht) -> bool {
        let nodes = self.world.nodes.borrow();
        nodes.iter().filter_map(|node| node.dht.as_ref()).any(|up| up.is_same(dht))
    }

    /// Takes note of the first thing that is wrong, with what the replicas tell.
    fn fail(&self, what: String) {
        let place = self.name.key().place();
        let nodes = self.world.nodes.borrow();
        let tells = nodes.iter().filter_map(|node| {
            let dht = node.dht.as_ref()?;
            let view = dht.view();
            let rank = view.rank(&place, &view.me().place);
            (rank < 4).then(|| format!("node {} (rank {rank}): {}", node.number, dht.tells(&place)))
        });
        let mut history = self.history.borrow().clone();
        history.extend(tells);
        drop(nodes);
        self.world.fail_about(None, Wrong { what, history });
    }
}

/// What a claimant is told.
struct Outcome(Result<Claimed, DhtError>);

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.0 {
            Ok(Claimed::Confirmed(_)) => "that it has the name".to_owned(),
            Ok(Claimed::Pending) => "nothing yet".to_owned(),
            Ok(Claimed::Lost(by)) => format!("that {} has the name", by.tagged()),
            Err(error) => error.to_string(),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(seed: u64, contenders: &Contenders) -> Decided {
        contend(seed, contenders).unwrap_or_else(|failure| panic!("{failure}"))
    }

    #[test]
    fn of_many_who_claim_a_name_at_once_one_has_it_and_all_others_are_told() {
        let contenders = Contenders {
            nodes: 8,
            claimants: 20,
            interruptions: 0,
            weather: Plan::default().weather,
        };
        for seed in 0..2 {
            assert_eq!(holds(seed, &contenders).told, 19);
        }
    }

    #[test]
    fn after_a_split_there_is_one_winner_everywhere() {
        let contenders = Contenders {
            nodes: 8,
            claimants: 6,
            interruptions: 2,
            weather: Plan::default().weather,
        };
        for seed in 0..2 {
            assert_eq!(holds(seed, &contenders).told, 5);
        }
    }
}
