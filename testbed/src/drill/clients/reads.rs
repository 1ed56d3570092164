//! Reads of values that must be there, and whether they were right.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::crew::{CREW, paced, together};
use super::live::{Live, Rover};
use super::values::Values;
use crate::choice::Choice;
use crate::rpc::{Client, Datum, Param, Reply};
use crate::stats::percentile;

const NO_QUORUM: i32 = 5;

/// Readers at a steady pace: so many that one that waits for a slow answer leaves out little of
/// what all together ask meanwhile.
const ROVERS: usize = 40;

/// For how long a super-node that came up counts as a newcomer: about as long as it may take to
/// find the others and what it should keep.
const YOUNG: Duration = Duration::from_secs(5);

/// One read.
#[derive(Debug, Clone)]
struct Read {
    number: usize,
    asked: Instant,
    took: Duration,
    /// How long the super-node had been up that was asked; `None` if from the beginning.
    up: Option<Duration>,
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
    /// The super-node that was asked was killed meanwhile.
    Cut,
    /// Another fault, or no answer.
    Failed(String),
}

/// Reads and what they came to.
#[derive(Debug, Clone)]
pub(crate) struct Reads {
    of: Values,
    reads: Vec<Read>,
}

/// Clients that read until they are told to stop.
pub(crate) struct Reading {
    of: Values,
    stop: Arc<AtomicBool>,
    clients: JoinHandle<Result<Vec<Vec<Read>>>>,
}

impl Values {
    /// Reads each once, at these super-nodes in turns.
    pub(crate) fn read_each(self, servers: &[SocketAddr]) -> Result<Reads> {
        let reads = together(CREW, |client| {
            let mut connection = Client::connect(servers[client % servers.len()])?;
            let numbers = (client..self.count).step_by(CREW);
            Ok(numbers.map(|number| read(&mut connection, self, number)).collect())
        })?;
        Ok(Reads::gather(self, reads))
    }
}

impl Reading {
    /// Begins to read all values again and again, at these super-nodes in turns.
    pub(crate) fn start(of: Values, servers: &[SocketAddr]) -> Result<Reading> {
        ensure!(!servers.is_empty(), "nobody to ask");
        let servers = servers.to_vec();
        Ok(Reading::with(of, CREW, move |client, stop| {
            let mut connection = Client::connect(servers[client % servers.len()])?;
            let numbers = (client..of.count).step_by(CREW).cycle();
            let until_told = numbers.take_while(|_| !stop.load(Ordering::Relaxed));
            Ok(until_told.map(|number| read(&mut connection, of, number)).collect())
        }))
    }

    /// Begins to read values at random and at a steady pace, each of 40 with so much between its reads, at
    /// whichever super-nodes are up.
    pub(crate) fn roving(of: Values, live: &Live, every: Duration, choice: &mut Choice) -> Reading {
        let (live, seed) = (live.clone(), choice.bits());
        Reading::with(of, ROVERS, move |client, stop| {
            let mut rover = Rover::new(&live, Choice::seeded(seed.wrapping_add(client as u64)));
            // Not all in the same moment.
            std::thread::sleep(every * client as u32 / ROVERS as u32);
            paced(every, stop).map(|_| rove(&mut rover, &live, of)).collect()
        })
    }

    fn with(
        of: Values,
        clients: usize,
        work: impl Fn(usize, &AtomicBool) -> Result<Vec<Read>> + Send + Sync + 'static,
    ) -> Reading {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let clients =
            std::thread::spawn(move || together(clients, |client| work(client, &stopped)));
        Reading { of, stop, clients }
    }

    /// Ends it.
    pub(crate) fn stop(self) -> Result<Reads> {
        self.stop.store(true, Ordering::Relaxed);
        let reads = self.clients.join().map_err(|_| anyhow!("the readers panicked"))??;
        Ok(Reads::gather(self.of, reads))
    }
}

impl Reads {
    fn gather(of: Values, reads: Vec<Vec<Read>>) -> Reads {
        Reads { of, reads: reads.into_iter().flatten().collect() }
    }

    fn only(&self, wanted: impl Fn(&Read) -> bool) -> Reads {
        let reads = self.reads.iter().filter(|read| wanted(read)).cloned().collect();
        Reads { of: self.of, reads }
    }

    /// Those asked from one moment on and before another.
    pub(crate) fn between(&self, from: Option<Instant>, until: Option<Instant>) -> Reads {
        self.only(|read| {
            from.is_none_or(|from| read.asked >= from)
                && until.is_none_or(|until| read.asked < until)
        })
    }

    /// Those asked within one of these times.
    pub(crate) fn among(&self, times: impl Iterator<Item = (Instant, Instant)> + Clone) -> Reads {
        self.only(|read| times.clone().any(|(from, until)| (from..until).contains(&read.asked)))
    }

    /// Those of super-nodes that had come up a moment before.
    pub(crate) fn at_newcomers(&self) -> Reads {
        self.only(|read| read.up.is_some_and(|up| up < YOUNG))
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.reads.len()
    }

    /// An error that counts what was not right, and shows the first of it. Whoever is cut off with
    /// its super-node would ask another one.
    pub(crate) fn all_right(&self) -> Result<()> {
        self.none(|outcome| !matches!(outcome, Outcome::Right | Outcome::Cut))
    }

    /// An error if a value was said not to be there, or to be another one: what may never be,
    /// whatever fails.
    pub(crate) fn none_wrong(&self) -> Result<()> {
        self.none(|outcome| matches!(outcome, Outcome::Empty | Outcome::Wrong))
    }

    fn none(&self, bad: impl Fn(&Outcome) -> bool) -> Result<()> {
        ensure!(!self.reads.is_empty(), "nothing was read");
        let Some(first) = self.reads.iter().find(|read| bad(&read.outcome)) else {
            return Ok(());
        };
        let Read { number, outcome, took, up, .. } = first;
        let key = self.of.key(*number);
        let up = up.map(|up| format!(", of a node that was up for {up:.1?}")).unwrap_or_default();
        let counts = self.counts();
        Err(anyhow!("{counts}; the first: {key} {outcome:?} after {took:.1?}{up}"))
    }

    /// Which share of those that could be answered was right.
    pub(crate) fn share_right(&self) -> f64 {
        let answerable = self.len() - self.count(|outcome| *outcome == Outcome::Cut);
        self.count(|outcome| *outcome == Outcome::Right) as f64 / answerable as f64
    }

    /// What so many percent did not take longer than, in milliseconds; those whose super-node was
    /// killed left out.
    pub(crate) fn took_ms(&self, percent: f64) -> f64 {
        let micros = |took: Duration| u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let answered = self.reads.iter().filter(|read| read.outcome != Outcome::Cut);
        let mut times: Vec<u32> = answered.map(|read| micros(read.took)).collect();
        f64::from(percentile(&mut times, percent).unwrap_or_default()) / 1000.0
    }

    /// Counts and times, in a line.
    pub(crate) fn figures(&self) -> String {
        let [p50, p99, slowest] = [50.0, 99.0, 100.0].map(|percent| self.took_ms(percent));
        format!("{}; p50 {p50:.2} ms, p99 {p99:.2} ms, slowest {slowest:.0} ms", self.counts())
    }

    fn counts(&self) -> String {
        let empty = self.count(|outcome| *outcome == Outcome::Empty);
        let wrong = self.count(|outcome| *outcome == Outcome::Wrong);
        let no_quorum = self.count(|outcome| *outcome == Outcome::NoQuorum);
        let failed = self.count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let mut text = format!(
            "{} reads, {empty} empty, {wrong} wrong, {no_quorum} without quorum, {failed} failed",
            self.len()
        );
        let cut = self.count(|outcome| *outcome == Outcome::Cut);
        if cut > 0 {
            text.push_str(&format!(", {cut} cut off with their super-node"));
        }
        text
    }

    fn count(&self, wanted: impl Fn(&Outcome) -> bool) -> usize {
        self.reads.iter().filter(|read| wanted(&read.outcome)).count()
    }
}

/// A read of any value at any super-node.
fn rove(rover: &mut Rover, live: &Live, of: Values) -> Result<Read> {
    let number = rover.choice().below(of.count as u64) as usize;
    let server = rover.next()?;
    let (asked, up) = (Instant::now(), server.up());
    let reply = rover.call(server, |connection| get(connection, &of.key(number)));
    let took = asked.elapsed();
    let outcome = match reply {
        Err(_) if !live.has(server) => Outcome::Cut,
        reply => judge(reply, &of.value(number)),
    };
    Ok(Read { number, asked, took, up, outcome })
}

fn read(connection: &mut Client, of: Values, number: usize) -> Read {
    let asked = Instant::now();
    let reply = get(connection, &of.key(number));
    let took = asked.elapsed();
    Read { number, asked, took, up: None, outcome: judge(reply, &of.value(number)) }
}

fn get(connection: &mut Client, key: &str) -> Result<Reply> {
    connection.call("scope.get", &[Param::Text(key)])
}

fn judge(reply: Result<Reply>, value: &[u8]) -> Outcome {
    match reply {
        Ok(Reply::Value(Datum::Array(values))) => match values.as_slice() {
            [] => Outcome::Empty,
            [Datum::Bytes(held)] if held == value => Outcome::Right,
            _ => Outcome::Wrong,
        },
        Ok(Reply::Value(_)) => Outcome::Wrong,
        Ok(Reply::Fault { code: NO_QUORUM, .. }) => Outcome::NoQuorum,
        Ok(Reply::Fault { code, text }) => Outcome::Failed(format!("fault {code}: {text}")),
        Err(error) => Outcome::Failed(format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: Values = Values { count: 10, size: 8, some_large: false };

    fn reads(outcomes: impl IntoIterator<Item = (u64, Outcome)>) -> Reads {
        let began = Instant::now();
        let read = |(ms, outcome)| {
            let asked = began + Duration::from_millis(ms);
            Read { number: 1, asked, took: Duration::from_millis(2), up: None, outcome }
        };
        Reads { of: VALUES, reads: outcomes.into_iter().map(read).collect() }
    }

    #[test]
    fn reads_are_told_apart_by_when_they_were_asked() {
        let reads = reads([(0, Outcome::Right), (5, Outcome::Empty)]);
        let kill = reads.reads[0].asked + Duration::from_millis(3);
        assert!(reads.between(None, Some(kill)).all_right().is_ok());
        let error = reads.between(Some(kill), None).all_right().unwrap_err().to_string();
        assert!(error.starts_with("1 reads, 1 empty, 0 wrong"), "{error}");
    }

    #[test]
    fn no_reads_prove_nothing() {
        assert!(reads([]).all_right().is_err() && reads([]).none_wrong().is_err());
    }

    #[test]
    fn a_read_cut_off_with_its_super_node_is_neither_right_nor_wrong() {
        let reads = reads([(0, Outcome::Right), (1, Outcome::Cut), (2, Outcome::NoQuorum)]);
        assert!(reads.none_wrong().is_ok() && reads.all_right().is_err());
        assert_eq!(reads.share_right(), 0.5);
    }
}
