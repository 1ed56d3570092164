//! An evening of What's UP: people who come, found communities, follow each other, share, ask and vote, at
//! super-nodes that die, or whose network falls into two halves in the middle of it. When it is over, what
//! every one of them sees has to be what a plain model in memory says, in the same order.
//!
//! ```text
//! script (of a seed) ─► people, over overlay::Http ─► super-nodes
//!                  └──► model ──────────── compare ◄──── what they read
//! ```

mod compare;
mod halls;
mod kills;
mod model;
mod people;
mod script;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::Request;
use crate::checks::Checks;
use crate::choice::Choice;
use crate::cluster::{Cluster, Shape};
use crate::netns::prepare;
use crate::ports::free_range;
use crate::tools::require;
use crate::unshared::rerun;
use halls::Halls;
use kills::Kills;
use people::Party;
use script::{Script, Size};

/// As many super-nodes as the paper's validation has.
const NODES: usize = 11;
/// What a short evening is, and of each person's number how much.
const PEOPLE: usize = 16;
const POSTS: usize = 60;
const PEOPLE_PER_COMMUNITY: usize = 10;
const POSTS_PER_VOTE: usize = 6;
/// From one kill to the next, and how long the halls are apart, if not said.
const KILL_EVERY: Duration = Duration::from_secs(4);
const APART: Duration = Duration::from_secs(12);
/// How long somebody tries what does not work, beside the time the halls are apart.
const PATIENCE: Duration = Duration::from_secs(60);

impl Size {
    fn of(request: &Request) -> Size {
        let people = request.size.people.map_or(PEOPLE, |people| people as usize);
        let posts = request.size.posts.map_or(POSTS, |posts| posts as usize);
        Size {
            people,
            posts,
            communities: people.div_ceil(PEOPLE_PER_COMMUNITY),
            votes: posts.div_ceil(POSTS_PER_VOTE),
        }
    }
}

/// Everybody at super-nodes on this machine, of which one is killed now and then.
pub(super) fn run(request: &Request) -> Result<usize> {
    let mut choice = Choice::seeded(request.seed);
    println!("  seed  {} (repeat the choices with --seed {0})", request.seed);
    let dir = TempDir::new()?;
    let base = free_range(&mut choice, NODES)?;
    let data = Some(dir.path().to_owned());
    let shape = Shape { nodes: NODES, data, base_http: Some(base) };
    let cluster = Cluster::serving(&shape, &mut choice)?;
    let http = cluster.http();
    let every = request.size.seconds.map_or(KILL_EVERY, |s| Duration::from_secs(s.into()));
    let (runtime, mut checks) = (Runtime::new()?, Checks::default());
    let script = Script::new(request.seed, Size::of(request));
    let party = Party::new(script, &[http.clone(), http], PATIENCE)?;
    let mut evening = Evening { party, runtime, began: Instant::now() };
    evening.arrive(&mut checks)?;
    let kills = Kills::start(cluster, choice, every);
    let spent = evening.spend(&mut checks);
    let (mut cluster, killed) = kills.stop()?;
    spent?;
    println!("  {killed} super-nodes were killed meanwhile, and started again");
    evening.compare(&mut checks)?;
    // How they stop is another drill's.
    cluster.kill9_all()?;
    checks.finish()
}

/// Everybody in two halls, whose network falls apart and becomes one again.
pub(super) fn run_apart(request: &Request) -> Result<usize> {
    require("ip", "iproute2")?;
    require("nsenter", "util-linux")?;
    rerun(["drill", "evening-apart"], "nm", &request.arguments())
}

/// That, in namespaces.
pub(super) fn inside(dir: &Path, request: &Request) -> Result<()> {
    prepare()?;
    let apart = request.size.seconds.map_or(APART, |s| Duration::from_secs(s.into()));
    let mut halls = Halls::open(NODES, dir)?;
    let (runtime, mut checks) = (Runtime::new()?, Checks::default());
    let script = Script::new(request.seed, Size::of(request));
    let party = Party::new(script, &halls.http(), apart + PATIENCE)?;
    let mut evening = Evening { party, runtime, began: Instant::now() };
    evening.arrive(&mut checks)?;
    halls.cable().cut()?;
    evening.say("the halls are apart");
    // What a half has no copy of, its people have to wait for.
    std::thread::scope(|scope| {
        let cable = halls.cable();
        let mended = scope.spawn(move || {
            std::thread::sleep(apart);
            cable.mend()
        });
        let spent = evening.spend(&mut checks);
        mended.join().map_err(|_| anyhow!("the thread that mends panicked"))??;
        spent
    })?;
    evening.say("the halls are joined again");
    halls.meet()?;
    evening.compare(&mut checks)?;
    halls.close()?;
    checks.finish().map(|_| ())
}

/// One that goes on.
struct Evening {
    party: Party,
    runtime: Runtime,
    began: Instant,
}

impl Evening {
    fn say(&self, what: &str) {
        println!("  {:6.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// Names, profiles, communities, and who is where.
    fn arrive(&mut self, checks: &mut Checks) -> Result<()> {
        let arrived = self.runtime.block_on(self.party.arrive()).context("they arrive");
        let people = self.party.script.guests.len();
        self.say(&format!(
            "{people} people are there, in {} communities",
            self.party.script.founders.len()
        ));
        checks
            .record("everybody has the name they asked for, and is where they want to be", arrived);
        Ok(())
    }

    /// Everything that is said, asked and voted.
    fn spend(&mut self, checks: &mut Checks) -> Result<()> {
        let spent = self.runtime.block_on(self.party.spend()).context("they share and vote");
        self.say(&format!(
            "{} posts were shared and {} votes given; {} had to be tried again",
            self.party.script.said.len(),
            self.party.script.votes.len(),
            self.party.tried_again()
        ));
        checks.record("all of it was accepted", spent);
        Ok(())
    }

    /// What they see, beside the model.
    fn compare(&mut self, checks: &mut Checks) -> Result<()> {
        for (what, outcome) in self.runtime.block_on(compare::all(&self.party)) {
            checks.record(&what, outcome);
        }
        self.say("all was compared");
        Ok(())
    }
}
