//! Super-nodes that come and go all the time, as laptops do: one after another is killed and
//! replaced, by itself with its disk or by a new one with nothing. Clients read and write at a
//! steady pace all the while. Whatever they were told must hold; how much slower they were served
//! is told.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use tempfile::TempDir;

use super::Request;
use super::clients::{Live, Reading, Reads, Values, Writers};
use crate::checks::Checks;
use crate::choice::Choice;
use crate::cluster::{Cluster, Shape, name};

/// From all of them after the end.
const CHECKED_AT: usize = 3;

/// What a reader has between its reads: 400 a second by all.
const READS: Duration = Duration::from_millis(100);
/// What a writer has between its writes: eight a second by all.
const WRITES: Duration = Duration::from_secs(1);

/// How one run goes.
#[derive(Debug)]
struct Plan {
    nodes: usize,
    values: Values,
    /// How long all is well, to compare with.
    calm: Duration,
    churn: Duration,
    /// From one kill to the next.
    every: Duration,
}

impl Plan {
    fn of(request: &Request) -> Plan {
        let size = &request.size;
        let values = |count| Values { count, size: 1024, some_large: false };
        let long = size.minutes.map(|minutes| Duration::from_secs_f64(minutes.max(0.0) * 60.0));
        Plan {
            nodes: size.nodes.map_or(9, usize::from),
            values: values(size.entries.map_or(2000, |entries| entries as usize)),
            calm: Duration::from_secs(if long.is_some() { 20 } else { 4 }),
            churn: long.unwrap_or(Duration::from_secs(24)),
            every: Duration::from_secs(if long.is_some() { 20 } else { 8 }),
        }
    }
}

/// Runs the drill.
pub(super) fn run(request: &Request) -> Result<usize> {
    let seed = request.seed;
    println!("  seed  {seed} (repeat the choices with --seed {seed})");
    let (plan, mut choice) = (Plan::of(request), Choice::seeded(seed));
    let (values, dir) = (plan.values, TempDir::new()?);
    let shape = Shape { nodes: plan.nodes, data: Some(dir.path().to_owned()), base_http: None };
    let mut cluster = Cluster::serving(&shape, &mut choice)?;
    values.put_each(&cluster.http())?;
    let live = Live::new(&cluster.http());
    let writers = Writers::roving(&live, WRITES, &mut choice);
    let reading = Reading::roving(values, &live, READS, &mut choice);
    sleep(plan.calm);
    let began = Instant::now();
    let kills = churn(&plan, &mut cluster, &live, &mut choice)?;
    let ended = Instant::now();
    let (reads, ledger) = (reading.stop()?, writers.stop()?);
    let mut checks = Checks::default();
    compare(&reads, began, ended, &kills, &mut checks);
    println!("  written: {}", ledger.figures());
    checks.record("clients could write", ledger.some_acknowledged());
    checks.record("all that was there could be removed", ledger.none_missed());
    cluster.settle()?;
    println!("  all serve {:.1} s after the last one came", ended.elapsed().as_secs_f64());
    for (number, node) in cluster.running().take(CHECKED_AT) {
        let node = [node.http()];
        let reads = values.read_each(&node)?;
        println!("  read at node-{number}: {}", reads.figures());
        checks.record(
            &format!("all that was put before is read at node-{number}"),
            reads.all_right(),
        );
        let what = format!("every acknowledged put and removal holds, read at node-{number}");
        checks.record(&what, ledger.compare(node[0]));
    }
    cluster.stop()?;
    checks.finish()
}

/// Kills and replaces one after another, and says when each was killed.
fn churn(
    plan: &Plan,
    cluster: &mut Cluster,
    live: &Live,
    choice: &mut Choice,
) -> Result<Vec<Instant>> {
    /// At least this long one is away.
    const AWAY: Duration = Duration::from_secs(1);
    let began = Instant::now();
    let mut kills = Vec::new();
    while began.elapsed() < plan.churn {
        let victim = choice.below(plan.nodes as u64) as usize;
        live.remove(cluster.node(victim)?.http());
        kills.push(Instant::now());
        cluster.kill9(victim)?;
        // Shorter than others take to miss it, or longer.
        let most = (plan.every / 2).saturating_sub(AWAY).as_millis() as u64;
        let away = AWAY + Duration::from_millis(choice.below(most));
        sleep(away);
        let with_disk = kills.len() % 2 == 1;
        let node = match with_disk {
            true => cluster.restart(victim)?,
            false => cluster.replace(victim, kills.len(), choice)?,
        };
        live.add(node.http());
        let what = if with_disk { "back with its disk" } else { "replaced by a new one" };
        let (victim, away) = (name(victim), away.as_secs_f64());
        println!("  killed {victim}, {what} after {away:.1} s, ready in {:?}", node.started_in());
        let next = began + plan.every * u32::try_from(kills.len()).unwrap_or(u32::MAX);
        sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(kills)
}

/// Tells calm and churn apart.
fn compare(reads: &Reads, began: Instant, ended: Instant, kills: &[Instant], checks: &mut Checks) {
    /// What follows a kill at once.
    const SOON: Duration = Duration::from_secs(2);
    let calm = reads.between(None, Some(began));
    let churn = reads.between(Some(began), Some(ended));
    let soon = churn.among(kills.iter().map(|kill| (*kill, *kill + SOON)));
    println!("  calm: {}", calm.figures());
    println!("  {} killed: {}", kills.len(), churn.figures());
    println!("  of these within {} s of a kill: {}", SOON.as_secs(), soon.figures());
    println!("  of these at newcomers: {}", churn.at_newcomers().figures());
    let ratio = |percent| churn.took_ms(percent) / calm.took_ms(percent);
    println!(
        "  right {:.3} %, p50 {:.2} × calm, p99 {:.2} × calm",
        churn.share_right() * 100.0,
        ratio(50.0),
        ratio(99.0)
    );
    checks.record("calm: all reads are right", calm.all_right());
    checks.record("under churn no read is wrong or empty", churn.none_wrong());
}
