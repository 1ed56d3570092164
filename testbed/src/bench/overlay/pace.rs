//! How fast something is: one after another, and many at once.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::stats::percentile;

/// As the targets are stated.
const IN_FLIGHT: usize = 64;

/// What one side of a comparison came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    /// The median of one after another, in microseconds.
    pub(super) p50_us: f64,
    /// All but the slowest hundredth of those.
    pub(super) p99_us: f64,
    /// Done a second with 64 in flight.
    pub(super) rate: f64,
    /// Those that failed or gave a wrong answer; they count nowhere else.
    pub(super) wrong: u64,
}

/// How long one after another took.
#[derive(Debug, Clone, Default)]
pub(super) struct Sequence {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) done: u64,
    pub(super) wrong: u64,
}

/// Does `operation`, numbered from 0 on, one after another for a while. It says whether the outcome
/// was right.
pub(super) async fn one_by_one<Op, Done>(time: Duration, operation: Op) -> Result<Sequence>
where
    Op: Fn(u64) -> Done + Send + 'static,
    Done: Future<Output = bool> + Send,
{
    // As a task, for that is how a daemon would do it: what drives the runtime wakes more slowly.
    let working = tokio::spawn(async move {
        let began = Instant::now();
        let (mut times, mut wrong) = (Vec::new(), 0);
        for number in 0.. {
            let asked = Instant::now();
            if asked - began >= time {
                break;
            }
            match operation(number).await {
                true => times.push(nanos(asked.elapsed())),
                false => wrong += 1,
            }
        }
        (times, wrong)
    });
    let (mut times, wrong) = working.await.context("what was measured panicked")?;
    let mut at = |percent| micros(percentile(&mut times, percent));
    let (p50_us, p99_us) = (at(50.0), at(99.0));
    Ok(Sequence { p50_us, p99_us, done: times.len() as u64 + wrong, wrong })
}

/// Does `operation` with 64 in flight for a while; how many were right a second, and how many were
/// wrong.
pub(super) async fn at_once<Op, Done>(time: Duration, operation: Op) -> Result<(f64, u64)>
where
    Op: Fn(u64) -> Done + Clone + Send + 'static,
    Done: Future<Output = bool> + Send,
{
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (operation, next) = (operation.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            let (mut right, mut wrong) = (0_u64, 0_u64);
            while began.elapsed() < time {
                match operation(next.fetch_add(1, Ordering::Relaxed)).await {
                    true => right += 1,
                    false => wrong += 1,
                }
            }
            (right, wrong)
        });
    }
    let (mut right, mut wrong) = (0, 0);
    while let Some(counts) = tasks.join_next().await {
        let counts = counts.context("what was measured panicked")?;
        right += counts.0;
        wrong += counts.1;
    }
    Ok((right as f64 / began.elapsed().as_secs_f64(), wrong))
}

/// Both, half the time each.
pub(super) async fn pace<Op, Done>(time: Duration, operation: Op) -> Result<Pace>
where
    Op: Fn(u64) -> Done + Clone + Send + 'static,
    Done: Future<Output = bool> + Send,
{
    let Sequence { p50_us, p99_us, wrong, .. } = one_by_one(time / 2, operation.clone()).await?;
    let (rate, more) = at_once(time / 2, operation).await?;
    Ok(Pace { p50_us, p99_us, rate, wrong: wrong + more })
}

/// Nanoseconds, up to 4 s.
pub(super) fn nanos(took: Duration) -> u32 {
    u32::try_from(took.as_nanos()).unwrap_or(u32::MAX)
}

/// Microseconds of what [`nanos`] gave.
pub(super) fn micros(nanos: Option<u32>) -> f64 {
    nanos.map_or(f64::NAN, |nanos| f64::from(nanos) / 1000.0)
}
