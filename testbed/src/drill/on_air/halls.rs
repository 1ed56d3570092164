//! Two halls: eight laptops together, four of whom walk out of range and come back. Both halls write under
//! the same keys meanwhile; when they meet, everything has to be found in both.

use std::net::SocketAddr;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::phones::{Phones, callee};
use super::{meet, started};
use crate::air::{Laptops, Scenario};
use crate::checks::{Checks, within};
use crate::drill::Request;
use crate::drill::clients::Ledger;
use crate::drill::partition::{Crew, Work, find};

/// How many laptops stay, and how many leave.
const EACH: usize = 4;
/// When they set out, leaving time to start on a busy machine, and when they turn back.
const LEAVE_S: u64 = 60;
const RETURN_S: u64 = 110;
/// From one hall to the other it takes so long.
const WALK_S: u64 = 8;
/// Until the halls list each other again after they have met.
const MEET_LIMIT: Duration = Duration::from_secs(120);
/// What each hall writes while it is on its own: the pace of people, not of programs.
const WORK: Work = Work { time: Duration::from_secs(15), puts: 120, removals: 30 };

/// The scenario.
pub(super) fn scenario(seed: u64) -> Result<Scenario> {
    let (gone, back) = (LEAVE_S + WALK_S, RETURN_S + WALK_S);
    let text = format!(
        "name = \"drill\"\nrouting = \"babeld\"\n[radio]\nrange_m = 30\n\
         [[laptops]]\nname = \"stay\"\ncount = {EACH}\n\
         move.group = {{ radius_m = 6, path = [[0, 0, 0]] }}\n\
         [[laptops]]\nname = \"leave\"\ncount = {EACH}\nmove.group = {{ radius_m = 6, path = \
         [[{LEAVE_S}, 10, 0], [{gone}, 150, 0], [{RETURN_S}, 150, 0], [{back}, 10, 0]] }}\n"
    );
    Ok(Scenario::parse(&text, "drill", Some(seed))?)
}

/// One hall: whose clients sit at its first laptop.
struct Hall {
    crew: Crew,
    desk: usize,
    ids: Vec<String>,
}

/// Runs it.
pub(super) fn run(request: &Request, checks: &mut Checks) -> Result<()> {
    let radio = Instant::now();
    let laptops = started(scenario(request.seed)?)?;
    meet(&laptops)?;
    println!("  {} laptops serve together after {:.1} s", 2 * EACH, radio.elapsed().as_secs_f64());
    let halls = [hall(&laptops, "stay", 0), hall(&laptops, "leave", EACH)];
    let mut ledger = Ledger::default();
    for hall in &halls {
        ledger.extend(laptops.on(hall.desk, || hall.crew.prepare(WORK))?);
    }
    ledger.none_refused()?;
    let desks = [0, 1, EACH, EACH + 1];
    let mut phones = Phones::on(&laptops, &desks)?;
    checks.check(
        "together, a telephone in each hall rings when it is called from the other",
        || {
            phones.call(0, &callee(EACH + 1))?;
            phones.call(EACH, &callee(1)).map(|_| ())
        },
    );
    let late = radio.elapsed().as_secs() >= LEAVE_S;
    ensure!(!late, "they were to leave after {LEAVE_S} s and were not ready; this machine is busy");
    let limit = Duration::from_secs(RETURN_S).saturating_sub(radio.elapsed());
    let parted = within(limit, || Ok(!linked(&laptops, &halls)?))?;
    ensure!(parted, "the halls still list each other after {RETURN_S} s");
    println!("  apart {:.1} s after they set out", radio.elapsed().as_secs_f64() - LEAVE_S as f64);
    apart(&laptops, &halls, &mut ledger, checks)?;
    checks.check("apart, a telephone rings in either hall", || {
        phones.reach(0, &callee(1))?;
        phones.reach(EACH, &callee(EACH + 1)).map(|_| ())
    });
    let met = within(MEET_LIMIT, || linked(&laptops, &halls))?;
    ensure!(met, "the halls do not list each other again");
    let met = Instant::now();
    let since = radio.elapsed().as_secs_f64() - (RETURN_S + WALK_S) as f64;
    println!("  contact {since:.1} s after they were back");
    for hall in &halls {
        let found = laptops.on(hall.desk, || find(&[&hall.crew], &ledger, met))?;
        let name = hall.crew.name;
        match found {
            Some(took) => {
                println!(
                    "  all found by those who {name} {:.1} s after contact",
                    took.as_secs_f64()
                )
            }
            None => println!("  not all found by those who {name}"),
        }
    }
    meet(&laptops)?;
    println!("  all serve together {:.1} s after contact", met.elapsed().as_secs_f64());
    for hall in &halls {
        let servers = [hall.crew.http[0], hall.crew.http[EACH - 1]];
        for (which, server) in ["first", "last"].into_iter().zip(servers) {
            let name = hall.crew.name;
            let what = format!("nothing lost, nothing risen, at the {which} of those who {name}");
            checks.check(&what, || laptops.on(hall.desk, || ledger.compare(server)));
        }
    }
    checks.check("together again, a telephone in each hall rings for the other", || {
        phones.reach(0, &callee(EACH + 1))?;
        phones.reach(EACH, &callee(1)).map(|_| ())
    });
    phones.unplug()?;
    println!("{}", laptops.snapshot()?.table(laptops.scenario()));
    laptops.stop()
}

fn hall(laptops: &Laptops, name: &'static str, first: usize) -> Hall {
    let nodes = || laptops.supernodes().filter(move |(on, _)| (first..first + EACH).contains(on));
    let http: Vec<SocketAddr> = nodes().map(|(_, node)| node.http()).collect();
    let ids = nodes().map(|(_, node)| node.id().to_owned()).collect();
    Hall { crew: Crew { name, http }, desk: first, ids }
}

/// Whether any super-node lists one of the other hall.
fn linked(laptops: &Laptops, halls: &[Hall; 2]) -> Result<bool> {
    let [stay, leave] = halls;
    for (on, node) in laptops.supernodes() {
        let theirs = if on < EACH { &leave.ids } else { &stay.ids };
        if laptops.status(on, node.http())?.peers.iter().any(|peer| theirs.contains(peer)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Both halls write at the same time.
fn apart(
    laptops: &Laptops,
    halls: &[Hall; 2],
    ledger: &mut Ledger,
    checks: &mut Checks,
) -> Result<()> {
    // A thread begins where it is begun from: on that laptop.
    let ledgers = std::thread::scope(|scope| {
        let mut works = Vec::new();
        for Hall { crew, desk, .. } in halls {
            works.push(laptops.on(*desk, || Ok(scope.spawn(move || crew.work(WORK))))?);
        }
        let outcome = |work: ScopedJoinHandle<'_, Result<Ledger>>| {
            work.join().ok().context("a hall's clients have failed")?
        };
        works.into_iter().map(outcome).collect::<Result<Vec<Ledger>>>()
    })?;
    for (hall, worked) in halls.iter().zip(ledgers) {
        let name = hall.crew.name;
        println!("  those who {name}, apart: {}", worked.figures());
        checks.record(&format!("those who {name} could write"), worked.some_acknowledged());
        let what = format!("apart, those who {name} find what they were told is stored");
        checks.check(&what, || laptops.on(hall.desk, || worked.compare(hall.crew.http[0])));
        ledger.extend(worked);
    }
    Ok(())
}
