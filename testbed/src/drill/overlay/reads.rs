//! Reads of values that must be there, and whether they were right.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::crew::{CREW, together};
use super::values::{VALUES, key, value};
use crate::rpc::{Client, Datum, Param, Reply};
use crate::stats::percentile;

const NO_QUORUM: i32 = 5;

/// One read.
#[derive(Debug, Clone)]
struct Read {
    number: usize,
    asked: Instant,
    took: Duration,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Right,
    /// The key is said to hold nothing.
    Empty,
    /// It is said to hold something else.
    Wrong,
    NoQuorum,
    /// Another fault, or no answer.
    Failed(String),
}

/// Reads and what they came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Reads(Vec<Read>);

/// Clients that read until they are told to stop.
pub(super) struct Reading {
    stop: Arc<AtomicBool>,
    clients: JoinHandle<Result<Vec<Vec<Read>>>>,
}

/// Reads every value once, at these super-nodes in turns.
pub(super) fn read_each(servers: &[SocketAddr]) -> Result<Reads> {
    let reads = together(|client| {
        let mut connection = Client::connect(servers[client % servers.len()])?;
        Ok((client..VALUES).step_by(CREW).map(|number| read(&mut connection, number)).collect())
    })?;
    Ok(Reads(reads.into_iter().flat_map(|reads: Vec<Read>| reads).collect()))
}

impl Reading {
    /// Begins to read all values again and again, at these super-nodes in turns.
    pub(super) fn start(servers: &[SocketAddr]) -> Result<Reading> {
        ensure!(!servers.is_empty(), "nobody to ask");
        let (servers, stop) = (servers.to_vec(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let clients = std::thread::spawn(move || {
            together(|client| {
                let mut connection = Client::connect(servers[client % servers.len()])?;
                let numbers = (client..VALUES).step_by(CREW).cycle();
                let until_told = numbers.take_while(|_| !stopped.load(Ordering::Relaxed));
                Ok(until_told.map(|number| read(&mut connection, number)).collect())
            })
        });
        Ok(Reading { stop, clients })
    }

    /// Ends it.
    pub(super) fn stop(self) -> Result<Reads> {
        self.stop.store(true, Ordering::Relaxed);
        let reads = self.clients.join().map_err(|_| anyhow!("the readers panicked"))??;
        Ok(Reads(reads.into_iter().flatten().collect()))
    }
}

impl Reads {
    /// Those asked from one moment on and before another.
    pub(super) fn between(&self, from: Option<Instant>, until: Option<Instant>) -> Reads {
        let within = |read: &&Read| {
            from.is_none_or(|from| read.asked >= from)
                && until.is_none_or(|until| read.asked < until)
        };
        Reads(self.0.iter().filter(within).cloned().collect())
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// An error that counts what was not right, and shows the first of it.
    pub(super) fn all_right(&self) -> Result<()> {
        ensure!(!self.0.is_empty(), "nothing was read");
        let Some(first) = self.0.iter().find(|read| read.outcome != Outcome::Right) else {
            return Ok(());
        };
        let Read { number, outcome, took, .. } = first;
        Err(anyhow!("{}; the first: {} {outcome:?} after {took:?}", self.counts(), key(*number)))
    }

    /// Counts and times, in a line.
    pub(super) fn figures(&self) -> String {
        let micros = |took: Duration| u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let mut times: Vec<u32> = self.0.iter().map(|read| micros(read.took)).collect();
        let mut at =
            |percent| f64::from(percentile(&mut times, percent).unwrap_or_default()) / 1000.0;
        let times = (at(50.0), at(99.0), at(100.0));
        format!(
            "{}; p50 {:.2} ms, p99 {:.2} ms, slowest {:.0} ms",
            self.counts(),
            times.0,
            times.1,
            times.2
        )
    }

    fn counts(&self) -> String {
        let count =
            |wanted: fn(&Outcome) -> bool| self.0.iter().filter(|r| wanted(&r.outcome)).count();
        let empty = count(|outcome| *outcome == Outcome::Empty);
        let wrong = count(|outcome| *outcome == Outcome::Wrong);
        let no_quorum = count(|outcome| *outcome == Outcome::NoQuorum);
        let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
        format!(
            "{} reads, {empty} empty, {wrong} wrong, {no_quorum} without quorum, {failed} failed",
            self.len()
        )
    }
}

fn read(connection: &mut Client, number: usize) -> Read {
    let asked = Instant::now();
    let outcome = match connection.call("scope.get", &[Param::Text(&key(number))]) {
        Ok(Reply::Value(Datum::Array(values))) if values.is_empty() => Outcome::Empty,
        Ok(Reply::Value(Datum::Array(values))) if values == [Datum::Bytes(value(number))] => {
            Outcome::Right
        }
        Ok(Reply::Value(_)) => Outcome::Wrong,
        Ok(Reply::Fault { code: NO_QUORUM, .. }) => Outcome::NoQuorum,
        Ok(Reply::Fault { code, text }) => Outcome::Failed(format!("fault {code}: {text}")),
        Err(error) => Outcome::Failed(format!("{error:#}")),
    };
    Read { number, asked, took: asked.elapsed(), outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_told_apart_by_when_they_were_asked() {
        let began = Instant::now();
        let at = |ms, outcome| {
            let asked = began + Duration::from_millis(ms);
            Read { number: 1, asked, took: Duration::from_millis(2), outcome }
        };
        let reads = Reads(vec![at(0, Outcome::Right), at(5, Outcome::Empty)]);
        let kill = began + Duration::from_millis(3);
        assert!(reads.between(None, Some(kill)).all_right().is_ok());
        let error = reads.between(Some(kill), None).all_right().unwrap_err().to_string();
        assert!(error.starts_with("1 reads, 1 empty, 0 wrong"), "{error}");
        assert!(Reads::default().all_right().is_err(), "no reads prove nothing");
    }
}
