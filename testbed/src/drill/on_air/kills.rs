//! The paper's grid, where super-nodes are killed without a warning one after another and come back as new
//! ones with nothing, while clients in the middle read and write, and telephones call each other.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::phones::{Phones, answering, callee, moved, sip};
use super::{meet, started};
use crate::air::{Laptops, Scenario};
use crate::checks::Checks;
use crate::choice::Choice;
use crate::drill::Request;
use crate::drill::clients::{Live, Reading, Values, Writers};

/// Where the clients are, of the grid of three by three.
const MIDDLE: usize = 4;
/// Those at the edges are killed, those at the corners have telephones.
const EDGES: [usize; 4] = [1, 3, 5, 7];
const CORNERS: [usize; 4] = [0, 2, 6, 8];
const VALUES: Values = Values { count: 300, size: 1024, some_large: false };
/// What a reader has between its reads, and a writer between its writes: for one channel of the radio 40
/// and 8 a second are enough.
const READS: Duration = Duration::from_secs(1);
const WRITES: Duration = Duration::from_secs(1);
/// How long all is well, to compare with.
const CALM: Duration = Duration::from_secs(6);
/// How long one is away.
const AWAY: Duration = Duration::from_secs(5);

/// The scenario.
pub(super) fn scenario(seed: u64) -> Result<Scenario> {
    let text = include_str!("../../../scenarios/grid.toml");
    Ok(Scenario::parse(text, "grid", Some(seed))?)
}

/// Runs it.
pub(super) fn run(request: &Request, checks: &mut Checks) -> Result<()> {
    let mut laptops = started(scenario(request.seed)?)?;
    meet(&laptops)?;
    let mut choice = Choice::seeded(request.seed);
    let http: Vec<_> = laptops.supernodes().map(|(_, node)| node.http()).collect();
    laptops.on(MIDDLE, || VALUES.put_each(&http))?;
    let live = Live::new(&http);
    let mut phones = Phones::on(&laptops, &CORNERS)?;
    // Threads begin where they are begun from: on that laptop.
    let (writers, reading) = laptops.on(MIDDLE, || {
        let writers = Writers::roving(&live, WRITES, &mut choice);
        Ok((writers, Reading::roving(VALUES, &live, READS, &mut choice)))
    })?;
    sleep(CALM);
    let began = Instant::now();
    for (turn, victim) in EDGES.into_iter().enumerate() {
        let corner = |at: usize| CORNERS[(turn + at) % CORNERS.len()];
        kill(&mut laptops, &live, &mut phones, victim, [corner(0), corner(1)], checks)?;
    }
    let ended = Instant::now();
    let (reads, ledger) = (reading.stop()?, writers.stop()?);
    let calm = reads.between(None, Some(began));
    let churn = reads.between(Some(began), Some(ended));
    println!("  calm: {}", calm.figures());
    println!("  {} killed: {}", EDGES.len(), churn.figures());
    println!(
        "  right {:.3} %, p50 {:.2} × calm, p99 {:.2} × calm",
        churn.share_right() * 100.0,
        churn.took_ms(50.0) / calm.took_ms(50.0),
        churn.took_ms(99.0) / calm.took_ms(99.0)
    );
    checks.record("calm: all reads are right", calm.all_right());
    checks.record("under churn no read is wrong or empty", churn.none_wrong());
    println!("  written: {}", ledger.figures());
    checks.record("clients could write", ledger.some_acknowledged());
    let at = laptops.supernodes().map(|(on, node)| (on, node.http()));
    for (on, server) in at.filter(|(on, _)| [0, EDGES[3]].contains(on)).collect::<Vec<_>>() {
        let reads = laptops.on(MIDDLE, || VALUES.read_each(&[server]))?;
        checks.record(&format!("all that was put is read at laptop {on}"), reads.all_right());
        let what = format!("every acknowledged put and removal holds at laptop {on}");
        checks.check(&what, || laptops.on(MIDDLE, || ledger.compare(server)));
    }
    phones.unplug()?;
    println!("{}", laptops.snapshot()?.table(laptops.scenario()));
    laptops.stop()
}

/// Kills one, has others call each other, and whoever was at that one; and puts a new one in its place.
fn kill(
    laptops: &mut Laptops,
    live: &Live,
    phones: &mut Phones,
    victim: usize,
    [caller, called]: [usize; 2],
    checks: &mut Checks,
) -> Result<()> {
    let guest = format!("guest-{victim}");
    let there = sip(laptops, victim)?;
    let phone = answering(laptops, victim, &guest, there)?;
    let gone = laptops.supernodes().find(|(on, _)| *on == victim).map(|(_, node)| node.http());
    gone.into_iter().for_each(|http| live.remove(http));
    let killed = Instant::now();
    let elsewhere = sip(laptops, caller)?;
    laptops.kill(victim)?;
    let what = format!("with laptop {victim}'s super-node killed, others call each other");
    checks.check(&what, || phones.reach(caller, &callee(called)).map(|_| ()));
    let what = format!("who registered at it rings as soon as registered elsewhere ({victim})");
    let phone = moved(phone, elsewhere)?;
    checks.check(&what, || phones.reach(called, &guest).map(|_| ()));
    phone.stop()?;
    sleep(AWAY.saturating_sub(killed.elapsed()));
    let node = laptops.replace(victim)?;
    live.add(node);
    meet(laptops)?;
    println!(
        "  laptop {victim} killed, a new one serves with all others after {:.1} s",
        killed.elapsed().as_secs_f64()
    );
    Ok(())
}
