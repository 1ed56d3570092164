//! Puts that a quorum has on disk, against what a quorum of disks takes by itself: the second of
//! three commits that begin together. All are on the same disk, in turns.

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base::{Key, SecretTag, Ttl, Value};

use super::net::{Keeping, Net, SMALL};
use super::pace::{micros, nanos, one_by_one};
use crate::bench::load::key as key_of;
use crate::bench::rows::Rows;
use crate::stats::percentile;

/// Replicas of a key.
const REPLICAS: usize = 3;

/// The two sides.
#[derive(Debug, Clone, Default)]
pub(super) struct Durable {
    /// A put's median, in microseconds.
    pub(super) put_p50_us: f64,
    /// The median of the second of three commits.
    pub(super) second_p50_us: f64,
    /// Puts that failed.
    pub(super) wrong: u64,
}

/// Measures both sides on new files in `dir`, half the turn each.
pub(super) async fn measure(dir: &Path, turn: Duration) -> Result<Durable> {
    let net = Net::start(REPLICAS, Keeping::OnDisk(dir.join("nodes"))).await?;
    let node = net.own().clone();
    let put = move |number| {
        let node = node.clone();
        async move {
            let Ok(value) = Value::new(vec![b'v'; SMALL]) else { return false };
            let Ok(key) = Key::new(key_of(number)) else { return false };
            node.put(&key, value, SecretTag::NONE, Ttl::MAX).await.is_ok()
        }
    };
    let puts = one_by_one(turn / 2, put).await?;
    net.close().await;
    let second_p50_us = second_of_three(dir, turn / 2)?;
    Ok(Durable { put_p50_us: puts.p50_us, second_p50_us, wrong: puts.wrong })
}

/// The median time until the second of three databases, each with a thread, has committed one row.
fn second_of_three(dir: &Path, time: Duration) -> Result<f64> {
    let (done, commits) = sync_channel::<Result<Instant>>(REPLICAS);
    let mut starts = Vec::new();
    for number in 0..REPLICAS {
        let mut rows = Rows::create(&dir.join(format!("{number}.redb")), number as u64)?;
        let (start, started) = sync_channel::<()>(1);
        let done = done.clone();
        starts.push(start);
        std::thread::spawn(move || {
            while started.recv().is_ok() {
                if done.send(rows.commit(1).map(|()| Instant::now())).is_err() {
                    break;
                }
            }
        });
    }
    drop(done);
    let began = Instant::now();
    let mut times = Vec::new();
    while began.elapsed() < time {
        let together = Instant::now();
        starts.iter().try_for_each(|start| start.send(())).context("a database's thread ended")?;
        let mut ends = Vec::new();
        for _ in 0..REPLICAS {
            ends.push(commits.recv().context("a database's thread ended")??);
        }
        ends.sort_unstable();
        times.push(nanos(ends[1] - together));
    }
    Ok(micros(percentile(&mut times, 50.0)))
}
