//! One client that asks as much as it can, and how long others wait for it: at a super-node alone,
//! at one of three, and, for what the machine itself costs, at one that nobody floods. The same once
//! more with a client that gives way to all else on this machine, as one on another machine would.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::runtime::Builder;

use super::Settings;
use super::load::{Client, Load, Requests, Until, drive};
use super::report::{Floor, Report};
use crate::choice::{Choice, fresh_seed};
use crate::cluster::{Cluster, Shape};
use crate::stats::median;

/// Keys with one value each that are got.
const KEYS: u64 = 1000;
/// To put them.
const FILL_LIMIT: Duration = Duration::from_secs(30);

/// Half of its connections get, half put.
const FLOOD: Client = Client { from: Ipv4Addr::new(127, 0, 0, 2), connections: 32, every: None };
/// 400 gets a second.
const OTHERS: Client = Client {
    from: Ipv4Addr::new(127, 0, 0, 3),
    connections: 4,
    every: Some(Duration::from_millis(10)),
};

/// As much as a thread may give way.
const GIVES_WAY: i32 = 19;

/// The project's own: others wait at most three times as long.
const FLOOR: f64 = 3.0;

/// A super-node that is flooded, what is asked of it, and what the rounds came to.
struct Side {
    cluster: Cluster,
    flood: [Requests; 2],
    /// Whether the flood's client gives way to all else.
    gives_way: bool,
    rounds: Vec<Round>,
}

/// What is flooded: how it is told, how many super-nodes, and whether the client gives way.
const SIDES: [(&str, usize, bool); 4] = [
    ("alone", 1, false),
    ("one of three", 3, false),
    ("alone, the client gives way", 1, true),
    ("one of three, the client gives way", 3, true),
];

struct Round {
    calm: Load,
    flooded: Load,
    /// Of others at a super-node that nobody floods, meanwhile.
    beside: Load,
    flood: [Load; 2],
}

/// Measures.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    let dir = settings.temp_dir()?;
    let mut choice = Choice::seeded(fresh_seed());
    let mut start = |label: &str, nodes, gives_way| -> Result<Side> {
        let data = Some(dir.path().join(label));
        let cluster = Cluster::serving(&Shape { nodes, data, base_http: None }, &mut choice)?;
        fill(cluster.http()[0])?;
        let flood = [Requests::gets(KEYS)?, Requests::puts(KEYS)?];
        Ok(Side { cluster, flood, gives_way, rounds: Vec::new() })
    };
    let beside = start("beside", 1, false)?;
    let quiet = beside.cluster.http()[0];
    let mut sides = Vec::new();
    for (label, nodes, gives_way) in SIDES {
        let mut side = start(label, nodes, gives_way)?;
        for _ in 0..settings.rounds() {
            side.round(quiet, settings.turn()).context(label)?;
        }
        // Not to be there when the next one is measured.
        let Side { cluster, rounds, .. } = side;
        cluster.stop()?;
        sides.push((label, rounds));
    }
    beside.cluster.stop()?;
    let mut report = Report::new(
        "A flood by one client, 64 connections of gets and puts, and others' gets, 400 a second",
    );
    for (label, rounds) in &sides {
        tell(&mut report, label, rounds);
    }
    Ok(report)
}

fn fill(server: SocketAddr) -> Result<()> {
    let until = Until { requests: KEYS, time: FILL_LIMIT };
    let puts = Requests::puts(0)?;
    on_a_thread(async move { drive(server, &puts, until).await })
        .context("cannot fill the node")?;
    Ok(())
}

impl Side {
    fn round(&mut self, quiet: SocketAddr, time: Duration) -> Result<()> {
        let server = self.cluster.http()[0];
        let until = Until { requests: u64::MAX, time };
        let gets = Requests::gets(KEYS)?;
        let others = |server| {
            let gets = gets.clone();
            move || on_a_thread(async move { OTHERS.drive(server, &gets, until).await })
        };
        let calm = others(server)()?;
        let ([get, put], gives_way) = (self.flood.clone(), self.gives_way);
        // The others have a thread of their own, so as not to wait behind the flood before they
        // have asked.
        let (flood, flooded, beside) = std::thread::scope(|scope| {
            let flood = scope.spawn(move || {
                if gives_way {
                    // Of this thread alone, on Linux.
                    rustix::process::nice(GIVES_WAY).context("cannot give way")?;
                }
                on_a_thread(async move {
                    let (gets, puts) =
                        (FLOOD.drive(server, &get, until), FLOOD.drive(server, &put, until));
                    let (gets, puts) = tokio::join!(gets, puts);
                    Ok([gets?, puts?])
                })
            });
            let (flooded, beside) = (scope.spawn(others(server)), scope.spawn(others(quiet)));
            (flood.join(), flooded.join(), beside.join())
        });
        let panicked = |_| anyhow!("a client panicked");
        self.rounds.push(Round {
            calm,
            flooded: flooded.map_err(panicked)??,
            beside: beside.map_err(panicked)??,
            flood: flood.map_err(panicked)??,
        });
        Ok(())
    }
}

/// Runs clients in a runtime of this thread alone.
fn on_a_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn tell(report: &mut Report, label: &str, rounds: &[Round]) {
    let middle = |figure: fn(&Round) -> f64| {
        median(&rounds.iter().map(figure).collect::<Vec<_>>()).unwrap_or(f64::NAN)
    };
    let mut add = |what: &str, figure, unit, floor| {
        report.add(format!("{label}: {what}"), middle(figure), unit, floor);
    };
    add("others' get p50, calm", |r| r.calm.p50_us, "µs", Floor::None);
    add("others' get p50, flooded", |r| r.flooded.p50_us, "µs", Floor::None);
    add("others' get p99, calm", |r| r.calm.p99_us, "µs", Floor::None);
    add("others' get p99, flooded", |r| r.flooded.p99_us, "µs", Floor::None);
    let p50s: fn(&Round) -> f64 = |r| r.flooded.p50_us / r.calm.p50_us;
    add("others' p50, flooded ÷ calm", p50s, "×", Floor::None);
    let ratio: fn(&Round) -> f64 = |r| r.flooded.p99_us / r.calm.p99_us;
    add("others' p99, flooded ÷ calm", ratio, "×", Floor::AtMost(FLOOR));
    let beside: fn(&Round) -> f64 = |r| r.beside.p99_us / r.calm.p99_us;
    add("the same at a node beside that nobody floods", beside, "×", Floor::None);
    let both: fn(&Round) -> f64 = |r| r.flooded.p99_us / r.beside.p99_us;
    add("others' p99, flooded ÷ at the node beside", both, "×", Floor::None);
    add("others' requests refused", |r| r.flooded.refused as f64, "", Floor::AtMost(0.0));
    add("the flood's gets", |r| r.flood[0].rate, "/s", Floor::None);
    add("the flood's puts", |r| r.flood[1].rate, "/s", Floor::None);
    add("the flood's requests refused", |r| refused(r) as f64, "", Floor::None);
}

fn refused(round: &Round) -> u64 {
    round.flood.iter().map(|load| load.refused).sum()
}
