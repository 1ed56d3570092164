//! One super-node in memory and Kamailio, in turns, under the same scenarios of sipp's.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::NO_LIMIT;
use super::setup::{Delays, delays};
use crate::bench::Settings;
use crate::bench::report::{Floor, Report};
use crate::choice::{Choice, fresh_seed};
use crate::node::{ANY_PORT, Data, Launch, Node};
use crate::ports::free_address;
use crate::sip::kamailio::Kamailio;
use crate::sip::sipp::{CALLEE, CALLER, Outcome, REGISTER, Sipp};
use crate::stats::median;
use crate::usage::processor_time_of_all;

/// People who are registered and called.
const USERS: usize = 10_000;
/// What of the load's time may be more than it should take, before a rate is not held any more.
const LATE: f64 = 1.15;

/// Who is measured.
enum Server {
    Scope(Node),
    Kamailio(Kamailio),
}

/// What one load came to.
#[derive(Debug, Clone, Copy)]
struct Load {
    /// Processor time for each thousand, in seconds.
    cpu: f64,
    held: bool,
}

/// What is measured of each.
#[derive(Debug, Default)]
struct Figures {
    register: Vec<f64>,
    call: Vec<f64>,
    registers_held: f64,
    calls_held: f64,
    delays: Delays,
}

pub(super) fn measure(report: &mut Report, settings: &Settings, dir: &Path) -> Result<()> {
    let mut choice = Choice::seeded(fresh_seed());
    let rounds = if settings.quick { 1 } else { 3 };
    let (mut ours, mut theirs) = (Figures::default(), Figures::default());
    for _ in 0..rounds {
        round(&mut theirs, &kamailio(dir, &mut choice)?, settings, dir, &mut choice)?;
        round(&mut ours, &scope()?, settings, dir, &mut choice)?;
    }
    held(&mut theirs, &kamailio(dir, &mut choice)?, settings, dir, &mut choice)?;
    held(&mut ours, &scope()?, settings, dir, &mut choice)?;
    let middle = |values: &[f64]| median(values).context("no figures");
    let (register, their_register) = (middle(&ours.register)?, middle(&theirs.register)?);
    let (call, their_call) = (middle(&ours.call)?, middle(&theirs.call)?);
    let mut add = |what: &str, value, unit, floor| report.add(what, value, unit, floor);
    add("CPU per 1000 REGISTERs", register, "s", Floor::None);
    add("CPU per 1000 REGISTERs, Kamailio", their_register, "s", Floor::None);
    add("CPU of a REGISTER ÷ Kamailio's", register / their_register, "×", Floor::AtMost(1.5));
    add("CPU per 1000 calls", call, "s", Floor::None);
    add("CPU per 1000 calls, Kamailio", their_call, "s", Floor::None);
    add("CPU of a call ÷ Kamailio's", call / their_call, "×", Floor::AtMost(1.5));
    add("REGISTERs held", ours.registers_held, "/s", Floor::None);
    add("REGISTERs held, Kamailio", theirs.registers_held, "/s", Floor::None);
    let ratio = ours.registers_held / theirs.registers_held;
    add("REGISTERs held ÷ Kamailio's", ratio, "×", Floor::AtLeast(0.5));
    add("calls held", ours.calls_held, "/s", Floor::None);
    add("calls held, Kamailio", theirs.calls_held, "/s", Floor::None);
    add("calls held ÷ Kamailio's", ours.calls_held / theirs.calls_held, "×", Floor::AtLeast(0.8));
    add("registration delay, p50", ours.delays.registration_ms()?, "ms", Floor::None);
    add("registration delay, p50, Kamailio", theirs.delays.registration_ms()?, "ms", Floor::None);
    let (setup, their_setup) = (ours.delays.setup_ms()?, theirs.delays.setup_ms()?);
    add("session setup delay, p50", setup, "ms", Floor::None);
    add("session setup delay, p50, Kamailio", their_setup, "ms", Floor::None);
    add("session setup ÷ Kamailio's", setup / their_setup, "×", Floor::AtMost(3.0));
    Ok(())
}

fn scope() -> Result<Server> {
    let launch = Launch::local(&Data::Ephemeral, ANY_PORT).with("--sip-rate", NO_LIMIT);
    Ok(Server::Scope(Node::launch(&launch)?))
}

fn kamailio(dir: &Path, choice: &mut Choice) -> Result<Server> {
    Ok(Server::Kamailio(Kamailio::start(dir, free_address(choice)?)?))
}

impl Server {
    fn address(&self) -> Result<SocketAddr> {
        match self {
            Server::Scope(node) => node.sip().context("the super-node takes no SIP"),
            Server::Kamailio(kamailio) => Ok(kamailio.address()),
        }
    }

    fn pid(&self) -> u32 {
        match self {
            Server::Scope(node) => node.pid(),
            Server::Kamailio(kamailio) => kamailio.pid(),
        }
    }
}

/// Loads that anybody holds: what they cost, and how long one waits.
fn round(
    figures: &mut Figures,
    server: &Server,
    settings: &Settings,
    dir: &Path,
    choice: &mut Choice,
) -> Result<()> {
    let (registers, calls) = if settings.quick { (2000, 200) } else { (8000, 1000) };
    let time = settings.turn();
    let listen = free_address(choice)?;
    // The first time everybody is new; a refresh is what a phone mostly sends.
    register(server, registers, time, listen, dir)?;
    figures.register.push(register(server, registers, time, listen, dir)?.cpu);
    figures.call.push(call(server, calls, time, listen, dir)?.cpu);
    let samples = if settings.quick { 20 } else { 100 };
    figures.delays.extend(delays(server.address()?, server.address()?, samples)?);
    Ok(())
}

/// The highest of some rates that is held.
fn held(
    figures: &mut Figures,
    server: &Server,
    settings: &Settings,
    dir: &Path,
    choice: &mut Choice,
) -> Result<()> {
    let (registers, calls): (&[u64], &[u64]) = match settings.quick {
        true => (&[4000], &[400]),
        false => (
            &[5000, 10_000, 15_000, 20_000, 25_000, 30_000],
            &[500, 1000, 1500, 2000, 2500, 3000, 3500],
        ),
    };
    let listen = free_address(choice)?;
    let time = settings.turn();
    for rate in registers {
        if !register(server, *rate, time, listen, dir)?.held {
            break;
        }
        figures.registers_held = *rate as f64;
    }
    for rate in calls {
        if !call(server, *rate, time, listen, dir)?.held {
            break;
        }
        figures.calls_held = *rate as f64;
    }
    Ok(())
}

fn users() -> impl Iterator<Item = String> {
    (0..USERS).map(|number| format!("user{number}"))
}

/// REGISTERs at a rate, from elsewhere than the Contact says.
fn register(
    server: &Server,
    rate: u64,
    time: Duration,
    contact: SocketAddr,
    dir: &Path,
) -> Result<Load> {
    let mut sipp = Sipp::new(REGISTER, Ipv4Addr::LOCALHOST).to(server.address()?);
    sipp = sipp.word("domain", "scope").word("contact", contact).users(users());
    load(server, rate, time, || sipp_at(&mut sipp, rate, time).run(dir))
}

/// Calls at a rate, to those who have registered.
fn call(
    server: &Server,
    rate: u64,
    time: Duration,
    listen: SocketAddr,
    dir: &Path,
) -> Result<Load> {
    let mut callee = Sipp::new(CALLEE, listen.ip()).word("ring", 50);
    (callee.own, callee.limit) = (listen, time + Duration::from_secs(30));
    callee.calls = u64::MAX >> 1;
    let callee = callee.start(dir)?;
    let mut sipp = Sipp::new(CALLER, Ipv4Addr::LOCALHOST).to(server.address()?);
    sipp = sipp.word("domain", "scope").word("talk", 100).users(users());
    let load = load(server, rate, time, || sipp_at(&mut sipp, rate, time).run(dir));
    drop(callee);
    load
}

fn sipp_at<'a, 'b>(sipp: &'b mut Sipp<'a>, rate: u64, time: Duration) -> &'b Sipp<'a> {
    sipp.rate = rate as f64;
    sipp.calls = (rate as f64 * time.as_secs_f64()) as u64;
    // A server that holds it is done long before.
    sipp.limit = time + Duration::from_secs(8);
    sipp
}

fn load(
    server: &Server,
    rate: u64,
    time: Duration,
    run: impl FnOnce() -> Result<Outcome>,
) -> Result<Load> {
    let before = processor_time_of_all(server.pid())?;
    let began = Instant::now();
    let outcome = run()?;
    let took = began.elapsed();
    let used = processor_time_of_all(server.pid())? - before;
    let wanted = rate as f64 * time.as_secs_f64();
    let done = outcome.succeeded as f64;
    let whole = outcome.failed == 0 && done >= wanted.floor() && outcome.retransmissions == 0;
    let in_time = took.as_secs_f64() <= time.as_secs_f64() * LATE + 1.0;
    Ok(Load { cpu: used.as_secs_f64() / done.max(1.0) * 1000.0, held: whole && in_time })
}
