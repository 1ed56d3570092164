//! A network that falls into two halves and becomes one again, as when a cable between two rooms
//! is pulled. Each half goes on by itself, puts under the same keys as the other and removes what
//! was there before; when they meet, everything has to be found from both, nothing be lost and
//! nothing removed come back.

mod crew;
mod half;

use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Request;
use super::clients::{CREW, Ledger, together};
use super::lan::{Cable, Lan, Side};
use crate::checks::{Checks, within};
use crate::netns::prepare;
use crate::rpc::Client;
use crate::tools::require;
use crate::unshared::rerun;
pub(super) use crew::{Crew, Work};
use half::Half;

/// Until all serve together; dozens of daemons start on the few cores of one machine.
const SERVE_LIMIT: Duration = Duration::from_secs(60);
/// Until each half has noticed that the other one is gone.
const PART_LIMIT: Duration = Duration::from_secs(60);
/// Until the halves have met, and until all is found from both: far more than it should take.
const MEET_LIMIT: Duration = Duration::from_secs(120);
const FIND_LIMIT: Duration = Duration::from_secs(60);

/// Runs the drill in namespaces.
pub(super) fn run(request: &Request) -> Result<usize> {
    require("ip", "iproute2")?;
    require("nsenter", "util-linux")?;
    rerun(["drill", "partition"], "nm", &request.arguments())
}

/// The drill itself, with a directory for data.
pub(super) fn inside(dir: &Path, request: &Request) -> Result<()> {
    let size = &request.size;
    let nodes = size.nodes.unwrap_or(12) / 2;
    let work = Work {
        time: Duration::from_secs(u64::from(size.seconds.unwrap_or(12))),
        puts: size.puts.unwrap_or(150) as usize,
        removals: size.removals.unwrap_or(30) as usize,
    };
    let began = Instant::now();
    prepare()?;
    let (left, right) = (Lan::new(Side::Left)?, Lan::new(Side::Right)?);
    let cable = Cable::between(&left, &right)?;
    let mut halves =
        [Half::start("left", &left, nodes, dir)?, Half::start("right", &right, nodes, dir)?];
    meet(&mut halves, nodes)?;
    println!("  {} nodes serve together after {:.1} s", 2 * nodes, began.elapsed().as_secs_f64());
    let mut checks = Checks::default();
    let mut ledger = before(&halves, work)?;
    cable.cut()?;
    for one in apart(&halves, work, &mut checks)? {
        ledger.extend(one);
    }
    part(&halves)?;
    cable.mend()?;
    let mended = Instant::now();
    contact(&halves)?;
    let met = Instant::now();
    println!("  contact {:.1} s after the cable was mended", (met - mended).as_secs_f64());
    match find(&[&halves[0].crew, &halves[1].crew], &ledger, met)? {
        Some(took) => {
            println!("  all found from both halves {:.1} s after contact", took.as_secs_f64())
        }
        None => println!("  not all found from both halves {FIND_LIMIT:?} after contact"),
    }
    meet(&mut halves, nodes)?;
    println!("  all serve together {:.1} s after contact", met.elapsed().as_secs_f64());
    for half in &halves {
        let Crew { name, http } = &half.crew;
        for (which, server) in [("first", http[0]), ("last", http[http.len() - 1])] {
            let what = format!("nothing lost, nothing risen, at the {which} node on the {name}");
            checks.record(&what, ledger.compare(server));
        }
    }
    halves.into_iter().try_for_each(Half::stop)?;
    checks.finish().map(|_| ())
}

/// Waits until all serve together.
fn meet(halves: &mut [Half; 2], nodes: u8) -> Result<()> {
    let others = usize::from(nodes) * 2 - 1;
    let deadline = Instant::now() + SERVE_LIMIT;
    halves.iter_mut().try_for_each(|half| half.wait_for(others, deadline))
}

/// Puts what is there when the network falls apart, and each half will remove some of.
fn before(halves: &[Half; 2], work: Work) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    for half in halves {
        ledger.extend(half.crew.prepare(work)?);
    }
    ledger.none_refused()?;
    Ok(ledger)
}

/// Both halves work while they are apart.
fn apart(halves: &[Half; 2], work: Work, checks: &mut Checks) -> Result<Vec<Ledger>> {
    let began = Instant::now();
    let crews = [&halves[0].crew, &halves[1].crew];
    let ledgers = together(crews.len(), |number| crews[number].work(work))?;
    sleep(work.time.saturating_sub(began.elapsed()));
    for (crew, ledger) in crews.into_iter().zip(&ledgers) {
        println!("  {}, in {} s apart: {}", crew.name, work.time.as_secs(), ledger.figures());
        let name = crew.name;
        checks.record(&format!("clients on the {name} could write"), ledger.some_acknowledged());
        let what = format!("apart, the {name} finds what it acknowledged");
        checks.record(&what, ledger.compare(crew.http[0]));
    }
    Ok(ledgers)
}

/// Waits until no half believes the other one to be there.
fn part(halves: &[Half; 2]) -> Result<()> {
    let parted = within(PART_LIMIT, || Ok(!linked(halves)?))?;
    ensure!(parted, "the halves still list each other after {PART_LIMIT:?}");
    Ok(())
}

/// Waits until a node lists one of the other half again.
fn contact(halves: &[Half; 2]) -> Result<()> {
    let met = within(MEET_LIMIT, || linked(halves))?;
    ensure!(met, "no node lists one of the other half {MEET_LIMIT:?} after the cable was mended");
    Ok(())
}

/// Whether any node lists one of the other half.
fn linked(halves: &[Half; 2]) -> Result<bool> {
    let [left, right] = halves;
    Ok(left.lists_any_of(right)? || right.lists_any_of(left)?)
}

/// How long after `met` everything was found by all crews, each asking all its nodes in turns; `None` if
/// it takes too long.
pub(super) fn find(crews: &[&Crew], ledger: &Ledger, met: Instant) -> Result<Option<Duration>> {
    let mut pending: Vec<(SocketAddr, &String)> = Vec::new();
    for crew in crews {
        pending.extend(crew.http.iter().copied().cycle().zip(ledger.keys()));
    }
    while !pending.is_empty() {
        if met.elapsed() > FIND_LIMIT {
            return Ok(None);
        }
        let open = &pending;
        let left = together(CREW, |client| {
            let mut open: Vec<_> = open.iter().skip(client).step_by(CREW).copied().collect();
            // Those of one node by one connection.
            open.sort_unstable();
            let mut left = Vec::new();
            for of_one in open.chunk_by(|a, b| a.0 == b.0) {
                let mut connection = Client::connect(of_one[0].0)?;
                for (server, key) in of_one {
                    let found = ledger.check(&mut connection, key);
                    // No quorum is no answer yet.
                    if !found.is_ok_and(|amiss| amiss.is_none()) {
                        left.push((*server, *key));
                    }
                }
            }
            Ok(left)
        });
        pending = left.context("cannot look for what was put")?.into_iter().flatten().collect();
    }
    Ok(Some(met.elapsed()))
}
