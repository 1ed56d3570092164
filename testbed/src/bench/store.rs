//! Durable puts through the handle against the database's own rate: the same number of records of
//! the same size in flight, each side on a new file of the same disk, in turns.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base::{Key, SecretTag, Ttl, Value};
use dht::{Dht, Options, Storage};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::Settings;
use super::load::VALUE_SIZE;
use super::report::{Floor, Report};
use super::rows::Rows;
use crate::stats::median;

/// Puts in flight, and records in one of the database's own transactions.
const IN_FLIGHT: usize = 64;

/// The floor of the project's plan.
const FLOOR: f64 = 0.5;

/// Measures both sides.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let (mut ours, mut raw, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..settings.rounds() {
        let dir = settings.temp_dir()?;
        let put = runtime.block_on(through_the_handle(&dir.path().join("dht"), settings.turn()))?;
        let own = raw_rate(&dir.path().join("raw.redb"), settings.turn())?;
        ours.push(put);
        raw.push(own);
        ratios.push(put / own);
    }
    let middle = |values: &[f64]| median(values).unwrap_or(f64::NAN);
    let mut report = Report::new("Durable puts of 100-byte values, 64 in flight");
    report.add("through dht::Dht", middle(&ours), "/s", Floor::None);
    report.add("redb itself, batches of 64", middle(&raw), "/s", Floor::None);
    report.add("dht ÷ redb", middle(&ratios), "×", Floor::AtLeast(FLOOR));
    Ok(report)
}

async fn through_the_handle(dir: &Path, turn: Duration) -> Result<f64> {
    let dht = Dht::open(Options::local(Storage::Disk(dir.to_owned()))).await?;
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        tasks.spawn(put_until(dht.clone(), Arc::clone(&next), began + turn));
    }
    let mut done = 0;
    while let Some(puts) = tasks.join_next().await {
        done += puts.context("a put task ended")??;
    }
    let rate = done as f64 / began.elapsed().as_secs_f64();
    dht.close().await;
    Ok(rate)
}

async fn put_until(dht: Dht, next: Arc<AtomicU64>, deadline: Instant) -> Result<u64> {
    let value = Value::new(vec![b'v'; VALUE_SIZE])?;
    let mut done = 0;
    while Instant::now() < deadline {
        let key = Key::new(super::load::key(next.fetch_add(1, Ordering::Relaxed)))?;
        dht.put(&key, value.clone(), SecretTag::NONE, Ttl::MAX).await?;
        done += 1;
    }
    Ok(done)
}

fn raw_rate(path: &Path, turn: Duration) -> Result<f64> {
    let mut rows = Rows::create(path, 1)?;
    let began = Instant::now();
    let mut done = 0;
    while began.elapsed() < turn {
        rows.commit(IN_FLIGHT)?;
        done += IN_FLIGHT;
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}
