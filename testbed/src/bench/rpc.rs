//! XML-RPC against the same server's `/healthz`: what parsing, the store and the reply cost on top
//! of HTTP.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Builder;

use super::Settings;
use super::load::{Load, Requests, Until, drive};
use super::report::{Floor, Report};
use crate::node::{ANY_PORT, Data, Node};
use crate::stats::median;
use crate::usage::processor_time;

/// Keys with one value each that are got.
const KEYS: u64 = 1000;

/// The floors of the project's plan, against `/healthz`.
const GET_FLOOR: f64 = 0.5;
const MEMORY_PUT_FLOOR: f64 = 0.6;

/// Half a minute of rounds of one kind, at most.
const PREPARE_LIMIT: Duration = Duration::from_secs(30);

/// A super-node, and what its rounds came to.
struct Side {
    label: &'static str,
    node: Node,
    put_floor: Floor,
    puts: Requests,
    rounds: Vec<Round>,
}

struct Round {
    healthz: Turn,
    get: Turn,
    put: Turn,
}

/// One kind of request for a while.
struct Turn {
    load: Load,
    /// The server's processor time for one request, in microseconds.
    cpu_us: f64,
}

/// Measures a super-node in memory and one on disk.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    // One thread: the load must leave the processor to the server.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let dir = settings.temp_dir()?;
    let disk = Data::Dir(dir.path().join("data"));
    let mut sides = [
        Side::start("memory", &Data::Ephemeral, Floor::AtLeast(MEMORY_PUT_FLOOR))?,
        Side::start("disk", &disk, Floor::None)?,
    ];
    for side in &sides {
        let fill = Until { requests: KEYS, time: PREPARE_LIMIT };
        let puts = Requests::puts(0)?;
        runtime.block_on(drive(side.node.http(), &puts, fill)).context("cannot fill the node")?;
    }
    for _ in 0..settings.rounds() {
        for side in &mut sides {
            let round = runtime.block_on(one_round(&side.node, &side.puts, settings.turn()));
            side.rounds.push(round.with_context(|| side.label)?);
        }
    }
    let mut report =
        Report::new("XML-RPC against /healthz, 16 keep-alive connections, 100-byte values");
    for side in sides {
        side.tell(&mut report);
        side.node.stop()?;
    }
    Ok(report)
}

async fn one_round(node: &Node, puts: &Requests, time: Duration) -> Result<Round> {
    Ok(Round {
        healthz: one_turn(node, &Requests::healthz(), time).await?,
        get: one_turn(node, &Requests::gets(KEYS)?, time).await?,
        put: one_turn(node, puts, time).await?,
    })
}

async fn one_turn(node: &Node, requests: &Requests, time: Duration) -> Result<Turn> {
    let before = processor_time(node.pid())?;
    let until = Until { requests: u64::MAX, time };
    let load = drive(node.http(), requests, until).await?;
    let used = processor_time(node.pid())?.saturating_sub(before);
    let cpu_us = used.as_secs_f64() * 1e6 / load.requests as f64;
    Ok(Turn { load, cpu_us })
}

impl Side {
    fn start(label: &'static str, data: &Data, put_floor: Floor) -> Result<Side> {
        let node = Node::start(data, ANY_PORT)?;
        let puts = Requests::puts(KEYS)?;
        Ok(Side { label, node, put_floor, puts, rounds: Vec::new() })
    }

    fn tell(&self, report: &mut Report) {
        let label = self.label;
        let middle = |figure: fn(&Round) -> f64| {
            let all: Vec<f64> = self.rounds.iter().map(figure).collect();
            median(&all).unwrap_or(f64::NAN)
        };
        let mut add = |what: &str, figure, unit, floor| {
            report.add(format!("{label}: {what}"), middle(figure), unit, floor);
        };
        add("/healthz", |r| r.healthz.load.rate, "/s", Floor::None);
        add("scope.get", |r| r.get.load.rate, "/s", Floor::None);
        add("scope.put", |r| r.put.load.rate, "/s", Floor::None);
        let get_floor = Floor::AtLeast(GET_FLOOR);
        add("get ÷ healthz", |r| r.get.load.rate / r.healthz.load.rate, "×", get_floor);
        add("put ÷ healthz", |r| r.put.load.rate / r.healthz.load.rate, "×", self.put_floor);
        add("/healthz p50", |r| r.healthz.load.p50_us, "µs", Floor::None);
        add("get p50", |r| r.get.load.p50_us, "µs", Floor::None);
        add("get p99", |r| r.get.load.p99_us, "µs", Floor::None);
        add("put p50", |r| r.put.load.p50_us, "µs", Floor::None);
        add("put p99", |r| r.put.load.p99_us, "µs", Floor::None);
        add("/healthz, server's CPU", |r| r.healthz.cpu_us, "µs", Floor::None);
        add("get, server's CPU", |r| r.get.cpu_us, "µs", Floor::None);
        add("put, server's CPU", |r| r.put.cpu_us, "µs", Floor::None);
    }
}
