//! Three super-nodes that share what they hold: what is put at one is read at another, one of them
//! may die at any moment, and all of them may, without anything acknowledged being lost.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::Request;
use super::clients::{Reading, Values, Writers};
use crate::checks::Checks;
use crate::choice::Choice;
use crate::cluster::{Cluster, Shape};

/// What is put once and read again and again.
const VALUES: Values = Values { count: 10_000, size: 100, some_large: true };

const NODES: usize = 3;
/// The one that is killed alone; nobody asks it.
const VICTIM: usize = 2;

/// How long the survivors are watched before and after one is killed.
const BEFORE: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(6);

/// How long the writers work until all nodes are killed: this and up to as much again.
const WRITING: Duration = Duration::from_secs(2);

/// Runs the drill.
pub(super) fn run(request: &Request) -> Result<usize> {
    let seed = request.seed;
    println!("  seed  {seed} (repeat the choices with --seed {seed})");
    let mut choice = Choice::seeded(seed);
    let dir = TempDir::new()?;
    let shape = Shape { nodes: NODES, data: Some(dir.path().to_owned()), base_http: None };
    let mut cluster = Cluster::serving(&shape, &mut choice)?;
    let mut checks = Checks::default();
    share(&cluster, &mut checks)?;
    lose_one(&mut cluster, &mut checks)?;
    cluster.start().context("the node that was killed does not come back")?;
    lose_all(&mut cluster, &mut choice, &mut checks)?;
    cluster.stop()?;
    checks.finish()
}

/// What is put at one is read at the others.
fn share(cluster: &Cluster, checks: &mut Checks) -> Result<()> {
    let http = cluster.http();
    let began = Instant::now();
    VALUES.put_each(&http[..1])?;
    let took = began.elapsed();
    let rate = VALUES.count as f64 / took.as_secs_f64();
    println!(
        "  {} values put at one node in {:.1} s, {rate:.0}/s",
        VALUES.count,
        took.as_secs_f64()
    );
    for (number, server) in http.iter().enumerate().skip(1) {
        let reads = VALUES.read_each(&[*server])?;
        println!("  read at node-{number}: {}", reads.figures());
        checks.record(&format!("all read, equal, at node-{number}"), reads.all_right());
    }
    Ok(())
}

/// One is killed; the others go on as if nothing had happened, if a little slower.
fn lose_one(cluster: &mut Cluster, checks: &mut Checks) -> Result<()> {
    let mut asked = cluster.http();
    asked.remove(VICTIM);
    let reading = Reading::start(VALUES, &asked)?;
    sleep(BEFORE);
    let killed = Instant::now();
    cluster.kill9(VICTIM)?;
    sleep(AFTER);
    let reads = reading.stop()?;
    let first_second = killed + Duration::from_secs(1);
    let phases = [
        ("before the kill", reads.between(None, Some(killed))),
        ("in the first second", reads.between(Some(killed), Some(first_second))),
        ("after it", reads.between(Some(first_second), None)),
    ];
    for (when, reads) in phases {
        println!("  {when}: {}", reads.figures());
        checks
            .record(&format!("one of three killed: only right answers {when}"), reads.all_right());
    }
    for server in asked {
        let reads = VALUES.read_each(&[server])?;
        checks.record("one of three killed: all read at a survivor", reads.all_right());
    }
    Ok(())
}

/// All are killed while clients put and remove, and started again.
fn lose_all(cluster: &mut Cluster, choice: &mut Choice, checks: &mut Checks) -> Result<()> {
    let writers = Writers::start(&cluster.http(), choice)?;
    sleep(WRITING + Duration::from_millis(choice.below(WRITING.as_millis() as u64)));
    writers.expect_busy()?;
    cluster.kill9_all()?;
    let ledger = writers.join()?;
    println!("  all killed: {}", ledger.figures());
    checks.record("no write refused before the kill", ledger.none_refused());
    checks.record("all that was there could be removed", ledger.none_missed());
    let began = Instant::now();
    cluster.start().context("no start after all were killed")?;
    println!("  all serve again after {:.1} s", began.elapsed().as_secs_f64());
    for (number, server) in cluster.http().into_iter().enumerate() {
        let what = format!("every acknowledged put and removal holds, read at node-{number}");
        checks.record(&what, ledger.compare(server));
    }
    let reads = VALUES.read_each(&cluster.http())?;
    ensure!(reads.len() == VALUES.count, "{} of {} were read", reads.len(), VALUES.count);
    checks.record("all that was put before is still there", reads.all_right());
    Ok(())
}
