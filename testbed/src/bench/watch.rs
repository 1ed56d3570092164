//! Watches: how long after a put whoever watches the key has the value, and what leases weigh.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base::{Key, SecretTag, Ttl, Value};
use dht::testnet::Testnet;
use dht::{Cursor, Dht};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::Settings;
use super::report::{Floor, Report};
use crate::stats::percentile;
use crate::usage::resident;

/// A small overlay: every node a replica of every key.
const NODES: usize = 3;
/// Longest wait for one change: far beyond the target.
const PATIENCE: Duration = Duration::from_secs(10);
/// Watches begun at once.
const AT_ONCE: usize = 64;

/// Measures both.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    let (changes, leases) = if settings.quick { (100, 500) } else { (5000, 10_000) };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut report = Report::new("Watches: three nodes on loopback");
    let mut took = runtime.block_on(told_after(changes)).context("changes")?;
    let mut millis =
        |percent| percentile(&mut took, percent).map_or(f64::NAN, |us| us as f64 / 1e3);
    report.add("a watched change arrives, p50", millis(50.0), "ms", Floor::None);
    report.add("a watched change arrives, p99", millis(99.0), "ms", Floor::AtMost(50.0));
    let bytes = runtime.block_on(weigh(leases)).context("leases")?;
    let megabytes = bytes as f64 / NODES as f64 / 1e6;
    report.add(format!("{leases} leases, a node"), megabytes, "MB", Floor::AtMost(20.0));
    report.note(format!(
        "One of the {NODES} nodes watches {leases} keys; each of the three holds that many leases. The \
         weight is the growth of the process that holds all three, divided by three."
    ));
    Ok(report)
}

/// Microseconds from before a put at one node to having the value at another that watches.
async fn told_after(changes: usize) -> Result<Vec<u32>> {
    let testnet = Testnet::start(NODES).await?;
    let (writer, watcher) = (testnet.node(0).clone(), testnet.node(1).clone());
    let key = Key::new("watched")?;
    let mut cursor = watcher.watch(&key, None, PATIENCE).await?.cursor;
    let mut took = Vec::with_capacity(changes);
    for n in 0..changes {
        let waiting = tokio::spawn(next(watcher.clone(), key.clone(), cursor));
        // So that it waits, and does not just read.
        tokio::time::sleep(Duration::from_millis(3)).await;
        let value = Value::new(format!("state {}", n % 2))?;
        let began = Instant::now();
        writer.put(&key, value, SecretTag::NONE, Ttl::from_secs(600)?).await?;
        let (told, at) = waiting.await??;
        ensure!(told != cursor, "told of a change that is none");
        took.push(u32::try_from((at - began).as_micros()).unwrap_or(u32::MAX));
        cursor = told;
    }
    testnet.close().await;
    Ok(took)
}

async fn next(watcher: Dht, key: Key, since: Cursor) -> Result<(Cursor, Instant)> {
    let watched = watcher.watch(&key, Some(since), PATIENCE).await?;
    Ok((watched.cursor, Instant::now()))
}

/// By how many bytes the process grows when one node watches so many keys.
async fn weigh(leases: usize) -> Result<u64> {
    let testnet = Testnet::start(NODES).await?;
    let watcher = testnet.node(1);
    // What the first watches bring along is not the leases' own.
    enter(watcher, "warm", 100).await?;
    let before = resident("self")?.now;
    enter(watcher, "key", leases).await?;
    wait_for_leases(watcher, leases).await?;
    let after = resident("self")?.now;
    testnet.close().await;
    Ok(after.saturating_sub(before))
}

/// Begins to watch; the leases stay for a while.
async fn enter(watcher: &Dht, name: &str, count: usize) -> Result<()> {
    let mut tasks = JoinSet::new();
    for n in 0..count {
        while tasks.len() >= AT_ONCE {
            tasks.join_next().await.context("no task")???;
        }
        let (watcher, key) = (watcher.clone(), Key::new(format!("{name} {n}"))?);
        tasks.spawn(async move { watcher.watch(&key, None, PATIENCE).await.map(drop) });
    }
    while let Some(watched) = tasks.join_next().await {
        watched??;
    }
    Ok(())
}

/// Until all three replicas have granted all leases.
async fn wait_for_leases(watcher: &Dht, leases: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while (watcher.status().leases as usize) < leases * NODES {
        ensure!(Instant::now() < deadline, "{} leases granted", watcher.status().leases);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
