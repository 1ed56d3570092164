//! A million entries: how long a super-node takes to start after kill -9, what it then has in
//! memory, how large its binary is, and what an entry costs the store in memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base::{Key, SecretTag, Ttl, Value};
use dht::{Dht, Options, Storage};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::Settings;
use super::load::{Requests, Until, VALUE_SIZE, drive, key};
use super::report::{Floor, Report};
use crate::node::{ANY_PORT, Data, Node, binary};
use crate::stats::median;
use crate::status::status;
use crate::usage::resident;

/// The floors of the project's plan.
const START_MS: f64 = 2000.0;
const MEMORY_MB: f64 = 300.0;
const BINARY_MB: f64 = 15.0;
const OVERHEAD_B: f64 = 300.0;

/// Puts in flight while the node is filled.
const FILLERS: u64 = 512;
const GETS: u64 = 100_000;
const LOAD_LIMIT: Duration = Duration::from_secs(120);
/// When the node is killed, after the puts began.
const KILL_AFTER: Duration = Duration::from_millis(700);

const MB: f64 = 1e6;

/// Measures all of it.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    let entries = settings.entries();
    let mut report = Report::new("A super-node full of entries of 100 bytes");
    // First, while this process has nothing else in memory.
    let overhead = memory_overhead(entries)?;
    let dir = settings.temp_dir()?;
    let data = dir.path().join("data");
    let filling = Instant::now();
    fill(Storage::Disk(data.clone()), entries)?;
    let filled_in = filling.elapsed();

    let data = Data::Dir(data);
    let mut node = Node::start(&data, ANY_PORT)?;
    let mut starts = Vec::new();
    for round in 0..settings.rounds() {
        let first = entries * 2 + round as u64 * entries;
        node = restart_under_load(node, &data, first)?;
        starts.push(node.started_in().as_secs_f64() * 1000.0);
    }
    let held = status(node.http())?.entries;
    ensure!(held >= entries, "{held} entries are left of {entries}");
    let started = resident(node.pid())?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let gets = Until { requests: GETS, time: LOAD_LIMIT };
    let load = runtime.block_on(drive(node.http(), &Requests::gets(entries)?, gets))?;
    let used = resident(node.pid())?;
    node.stop()?;

    let worst = starts.iter().copied().fold(0.0, f64::max);
    report.add("entries on disk", held as f64, "", Floor::None);
    report.add("time to put them", filled_in.as_secs_f64(), "s", Floor::None);
    let middle = median(&starts).unwrap_or(f64::NAN);
    report.add("start after kill -9, middle", middle, "ms", Floor::None);
    report.add("start after kill -9, slowest", worst, "ms", Floor::AtMost(START_MS));
    report.add("memory after the start", started.now as f64 / MB, "MB", Floor::AtMost(MEMORY_MB));
    report.add("memory at most while starting", started.peak as f64 / MB, "MB", Floor::None);
    let after = "memory after 100,000 random gets";
    report.add(after, used.now as f64 / MB, "MB", Floor::AtMost(MEMORY_MB));
    report.add("memory at most", used.peak as f64 / MB, "MB", Floor::AtMost(MEMORY_MB));
    report.add("random gets", load.rate, "/s", Floor::None);
    let size = std::fs::metadata(binary()?)?.len() as f64 / MB;
    report.add("binary", size, "MB", Floor::AtMost(BINARY_MB));
    let what = "memory store, an entry beside its value";
    report.add(what, overhead, "bytes", Floor::AtMost(OVERHEAD_B));
    Ok(report)
}

/// Kills the node while 16 clients put, and starts it again.
fn restart_under_load(node: Node, data: &Data, first: u64) -> Result<Node> {
    let server = node.http();
    let puts = Requests::puts(first)?;
    let load = std::thread::spawn(move || -> Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let until = Until { requests: u64::MAX, time: LOAD_LIMIT };
        runtime.block_on(drive(server, &puts, until)).map(|_| ())
    });
    std::thread::sleep(KILL_AFTER);
    ensure!(!load.is_finished(), "the load ended before the node was killed");
    node.kill9()?;
    // Its connections broke, which is what it was for.
    let _ = load.join();
    Node::start(data, ANY_PORT).context("no start after kill -9")
}

/// Bytes of memory an entry takes in the memory store beside its value.
fn memory_overhead(entries: u64) -> Result<f64> {
    let before = resident("self")?.now;
    let (runtime, dht) = fill_keeping(Storage::Memory, entries)?;
    let grown = resident("self")?.now.saturating_sub(before);
    runtime.block_on(dht.close());
    Ok(grown as f64 / entries as f64 - VALUE_SIZE as f64)
}

fn fill(storage: Storage, entries: u64) -> Result<()> {
    let (runtime, dht) = fill_keeping(storage, entries)?;
    runtime.block_on(dht.close());
    Ok(())
}

fn fill_keeping(storage: Storage, entries: u64) -> Result<(tokio::runtime::Runtime, Dht)> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let dht = runtime.block_on(async {
        let dht = Dht::open(Options::local(storage)).await?;
        let mut tasks = JoinSet::new();
        for filler in 0..FILLERS {
            tasks.spawn(put_share(dht.clone(), filler, entries));
        }
        while let Some(done) = tasks.join_next().await {
            done.context("a put task ended")??;
        }
        anyhow::Ok(dht)
    })?;
    Ok((runtime, dht))
}

/// Every [`FILLERS`]th entry.
async fn put_share(dht: Dht, filler: u64, entries: u64) -> Result<()> {
    for number in (filler..entries).step_by(FILLERS as usize) {
        let value = Value::new(vec![b'v'; VALUE_SIZE])?;
        dht.put(&Key::new(key(number))?, value, SecretTag::NONE, Ttl::MAX).await?;
    }
    Ok(())
}
