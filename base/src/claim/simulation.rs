//! Contests among replicas, on seeds: messages are late, lost and out of order, replicas stop and start,
//! parts that never met become one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use fastrand::Rng;

use super::{Admission, Contest, Memory, Standing, Told, standing};
use crate::PublicKey;

/// How often a replica looks whether it is time to ask, and how long it waits for answers.
const TICK_MS: u64 = 50;
const ROUND_MS: u64 = 400;
/// The longest way of a message; a late one comes after the round it belongs to.
const DELAY_MS: u64 = 450;
const REPAIR_MS: u64 = 700;
const REFRESH_MS: u64 = 1_000;

type Round = (usize, u64);

enum Event {
    Put { claimant: usize, node: usize },
    Copy { claimant: usize, node: usize },
    Tick(usize),
    Ask { round: Round, of: usize },
    Answer { round: Round, from: usize, told: Told },
    RoundEnds(Round),
    Repair,
    Refresh(usize),
    Read,
    ReadAsk { read: u64, side: usize, of: usize },
    ReadAnswer { read: u64, from: usize, told: Told },
    ReadEnds { read: u64, side: usize },
}

struct Node {
    contest: Contest,
    up: bool,
    /// Which part of the network it is in.
    side: usize,
}

struct World {
    rng: Rng,
    now: u64,
    sent: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    nodes: Vec<Node>,
    /// The replicas of each part.
    replicas: Vec<Vec<usize>>,
    claimants: Vec<PublicKey>,
    /// In which part each claims.
    sides: Vec<usize>,
    told_who: Vec<Option<PublicKey>>,
    loss: f64,
    answers: BTreeMap<Round, BTreeMap<usize, Told>>,
    reads: BTreeMap<u64, BTreeMap<usize, Told>>,
    confirmed: BTreeSet<PublicKey>,
}

impl World {
    fn new(seed: u64, nodes: usize, replicas: Vec<Vec<usize>>, claimants: usize) -> World {
        let mut rng = Rng::with_seed(seed);
        let claimants: Vec<_> = (0..claimants)
            .map(|_| PublicKey::from_bytes(std::array::from_fn(|_| rng.u8(..))))
            .collect();
        let sides = replicas.len();
        let side_of = |node| replicas.iter().position(|all| all.contains(&node)).unwrap_or(0);
        let nodes = (0..nodes).map(|node| Node {
            contest: Contest::new(Memory::Whole, 0),
            up: true,
            side: side_of(node),
        });
        let mut world = World {
            now: 0,
            sent: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            nodes: nodes.collect(),
            sides: (0..claimants.len()).map(|claimant| claimant % sides).collect(),
            told_who: vec![None; claimants.len()],
            loss: rng.f64() * 0.2,
            answers: BTreeMap::new(),
            reads: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            rng,
            replicas,
            claimants,
        };
        (0..world.nodes.len()).for_each(|node| world.after(TICK_MS, Event::Tick(node)));
        for claimant in 0..world.claimants.len() {
            let when = world.rng.u64(0..2_500);
            world.after(when, Event::Refresh(claimant));
        }
        world.after(0, Event::Repair);
        world.after(0, Event::Read);
        world
    }

    fn after(&mut self, delay: u64, event: Event) {
        self.sent += 1;
        self.queue.push(Reverse((self.now + delay, self.sent)));
        self.events.insert(self.sent, event);
    }

    /// Between machines: late, or lost.
    fn send(&mut self, event: Event) {
        if self.rng.f64() >= self.loss {
            let delay = 1 + if self.rng.u8(0..4) == 0 {
                self.rng.u64(0..DELAY_MS)
            } else {
                self.rng.u64(0..30)
            };
            self.after(delay, event);
        }
    }

    fn run_until(&mut self, end: u64) {
        while let Some(Reverse((at, id))) =
            self.queue.peek().copied().filter(|Reverse((at, _))| *at <= end)
        {
            self.queue.pop();
            self.now = at;
            if let Some(event) = self.events.remove(&id) {
                self.happens(event);
            }
        }
        self.now = end;
    }

    fn replicas_of(&self, node: usize) -> Vec<usize> {
        self.replicas[self.nodes[node].side].clone()
    }

    fn happens(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Put { claimant, node } if self.nodes[node].up => {
                let answer = self.nodes[node].contest.fresh(self.claimants[claimant], &[], now);
                if let Admission::Taken(by) | Admission::Behind(by) = answer {
                    self.told_who[claimant] = Some(by);
                }
            }
            Event::Copy { claimant, node } if self.nodes[node].up => {
                self.nodes[node].contest.copied(self.claimants[claimant], &[], now);
            }
            Event::Tick(node) => {
                self.after(TICK_MS, Event::Tick(node));
                let replicas = self.replicas_of(node);
                let here = &mut self.nodes[node];
                if here.up && replicas.contains(&node) && here.contest.wants_reports(now) {
                    here.contest.asked(now);
                    let round = (node, now);
                    self.answers.insert(round, BTreeMap::new());
                    for of in replicas.into_iter().filter(|of| *of != node) {
                        self.send(Event::Ask { round, of });
                    }
                    self.after(ROUND_MS, Event::RoundEnds(round));
                }
            }
            Event::Ask { round, of } if self.reach(round.0, of) => {
                let told = self.nodes[of].contest.told(now);
                self.send(Event::Answer { round, from: of, told });
            }
            Event::Answer { round, from, told } => {
                if let Some(answers) = self.answers.get_mut(&round) {
                    answers.insert(from, told);
                }
            }
            Event::RoundEnds(round) => {
                let mut answers = self.answers.remove(&round).unwrap_or_default();
                let others: Vec<Option<Told>> = self
                    .replicas_of(round.0)
                    .iter()
                    .filter(|of| **of != round.0)
                    .map(|of| answers.remove(of))
                    .collect();
                // One that has stopped since knows nothing of its round.
                if self.nodes[round.0].up {
                    self.nodes[round.0].contest.reports(now, &others);
                }
            }
            Event::Repair => {
                self.after(REPAIR_MS, Event::Repair);
                for from in 0..self.nodes.len() {
                    for to in self.replicas_of(from) {
                        self.repair(from, to);
                    }
                }
            }
            Event::Refresh(claimant) => {
                self.after(REFRESH_MS, Event::Refresh(claimant));
                for node in self.replicas[self.sides[claimant]].clone() {
                    self.send(Event::Put { claimant, node });
                }
            }
            Event::Read => {
                self.after(200, Event::Read);
                let side = self.rng.usize(0..self.replicas.len());
                self.reads.insert(now, BTreeMap::new());
                for of in self.replicas[side].clone() {
                    self.send(Event::ReadAsk { read: now, side, of });
                }
                self.after(ROUND_MS, Event::ReadEnds { read: now, side });
            }
            Event::ReadAsk { read, side, of }
                if self.nodes[of].up && self.nodes[of].side == side =>
            {
                let told = self.nodes[of].contest.told(now);
                self.send(Event::ReadAnswer { read, from: of, told });
            }
            Event::ReadAnswer { read, from, told } => {
                if let Some(answers) = self.reads.get_mut(&read) {
                    answers.insert(from, told);
                }
            }
            Event::ReadEnds { read, side } => {
                let answers = self.reads.remove(&read).unwrap_or_default();
                let Some(replicas) = self.replicas.get(side).map(Vec::len) else { return };
                let found = standing(&answers.values().collect::<Vec<_>>(), replicas);
                if let Standing::Confirmed(who) = found {
                    self.confirmed.insert(who);
                }
            }
            Event::Put { .. } | Event::Copy { .. } | Event::Ask { .. } | Event::ReadAsk { .. } => {}
        }
    }

    fn repair(&mut self, from: usize, to: usize) {
        if !self.reach(from, to) {
            return;
        }
        for claimant in 0..self.claimants.len() {
            let author = self.claimants[claimant];
            let holds = |node: usize| self.nodes[node].contest.holds(&author);
            if holds(from) && !holds(to) {
                self.send(Event::Copy { claimant, node: to });
            }
        }
    }

    fn reach(&self, from: usize, to: usize) -> bool {
        self.nodes[to].up && self.nodes[from].up && self.nodes[from].side == self.nodes[to].side
    }

    /// A replica stops and starts again, with its contest or without.
    fn restart(&mut self, node: usize, forgets: bool, down_ms: u64) {
        let kept = self.nodes[node].contest.clone();
        self.nodes[node].up = false;
        self.answers.retain(|round, _| round.0 != node);
        self.run_until(self.now + down_ms);
        self.nodes[node].contest = if forgets {
            Contest::new(Memory::Doubtful, self.now)
        } else {
            Contest::resume(&kept.told(self.now - down_ms), self.now)
        };
        self.nodes[node].up = true;
    }

    /// All are in one part from now on, with these replicas; those that were none before begin anew.
    fn meet(&mut self, replicas: Vec<usize>) {
        let before: BTreeSet<usize> = self.replicas.iter().flatten().copied().collect();
        for (at, node) in self.nodes.iter_mut().enumerate() {
            node.side = 0;
            if !before.contains(&at) {
                node.contest = Contest::new(Memory::Doubtful, self.now);
            }
            node.contest.replicas_changed();
        }
        self.sides.fill(0);
        self.told_who.fill(None);
        self.replicas = vec![replicas];
    }

    /// Nothing is lost any more; after a while there is one winner, and all others know who it is.
    fn calms_down(&mut self, seed: u64) {
        self.loss = 0.0;
        self.run_until(self.now + 12_500);
        self.confirmed.clear();
        self.told_who.fill(None);
        self.run_until(self.now + 2_000);
        let winner = *self.confirmed.first().unwrap_or_else(|| panic!("seed {seed}: no winner"));
        assert_eq!(self.confirmed.len(), 1, "seed {seed}: one winner");
        for node in &self.replicas[0] {
            assert_eq!(self.nodes[*node].contest.endorsed(), Some(winner), "seed {seed}");
        }
        for (claimant, told) in self.claimants.iter().zip(&self.told_who) {
            let expected = (*claimant != winner).then_some(winner);
            assert_eq!(*told, expected, "seed {seed}: losers are told by whom");
        }
    }
}

fn three() -> Vec<Vec<usize>> {
    vec![vec![0, 1, 2]]
}

#[test]
fn with_stable_replicas_there_is_never_a_second_confirmed_claim() {
    for seed in 0..250 {
        let claimants = 2 + seed as usize % 7;
        let mut world = World::new(seed, 3, three(), claimants);
        world.run_until(8_000);
        assert!(world.confirmed.len() <= 1, "seed {seed}: {:?}", world.confirmed);
        let before = world.confirmed.first().copied();
        world.calms_down(seed);
        assert!(before.is_none() || world.confirmed.first().copied() == before, "seed {seed}");
    }
}

#[test]
fn fifty_at_once_have_one_winner_within_five_seconds() {
    for seed in 0..20 {
        let mut world = World::new(seed, 3, three(), 50);
        world.loss = 0.0;
        world.run_until(5_000);
        assert_eq!(world.confirmed.len(), 1, "seed {seed}");
        world.run_until(8_000);
        assert_eq!(world.confirmed.len(), 1, "seed {seed}");
    }
}

#[test]
fn replicas_that_stop_and_keep_what_they_said_confirm_no_second_claim() {
    for seed in 1_000..1_120 {
        let mut world = World::new(seed, 3, three(), 2 + seed as usize % 4);
        for _ in 0..4 {
            let pause = world.rng.u64(200..2_000);
            world.run_until(world.now + pause);
            let (node, down) = (world.rng.usize(0..3), world.rng.u64(50..1_500));
            world.restart(node, false, down);
        }
        assert!(world.confirmed.len() <= 1, "seed {seed}: {:?}", world.confirmed);
        let before = world.confirmed.first().copied();
        world.calms_down(seed);
        assert!(before.is_none() || world.confirmed.first().copied() == before, "seed {seed}");
    }
}

#[test]
fn one_replica_at_a_time_may_forget_once_all_agree() {
    for seed in 2_000..2_060 {
        let mut world = World::new(seed, 3, three(), 3);
        world.loss = 0.0;
        world.run_until(6_000);
        let winner = world.confirmed.clone();
        assert_eq!(winner.len(), 1, "seed {seed}");
        for node in 0..3 {
            let agree = |world: &World| {
                let first = world.nodes[0].contest.endorsed();
                first.is_some() && world.nodes.iter().all(|node| node.contest.endorsed() == first)
            };
            for _ in 0..100 {
                if !agree(&world) {
                    world.run_until(world.now + 100);
                }
            }
            assert!(agree(&world), "seed {seed}");
            let down = world.rng.u64(50..1_000);
            world.restart(node, true, down);
        }
        world.calms_down(seed);
        assert_eq!(world.confirmed, winner, "seed {seed}");
    }
}

#[test]
fn parts_that_meet_have_one_winner() {
    for seed in 3_000..3_120 {
        let parts = [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]];
        let parts = parts[..2 + seed as usize % 2].to_vec();
        let mut world = World::new(seed, 9, parts, 4);
        let apart = world.rng.u64(1_000..12_000);
        world.run_until(apart);
        let mut all: Vec<usize> = (0..9).collect();
        world.rng.shuffle(&mut all);
        // Whoever stores entries of the place gives them to those who are to keep them now.
        let met = all[..3].to_vec();
        world.meet(met);
        world.calms_down(seed);
    }
}
