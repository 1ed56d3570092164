//! The paper's experiment: nine laptops of its grid, with 1 to 8 super-nodes each, on the air; what a put, a
//! get, a registration and a call take.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::counters::{Counters, on_loopback};
use super::paper;
use super::processor::Processor;
use super::progress::Progress;
use crate::air::{Laptops, Scenario};
use crate::checks::within;
use crate::choice::Choice;
use crate::node::Node;
use crate::rpc::Client;
use crate::sip::calls::{Answering, registration, rings};
use crate::sip::phone::Phone;

/// How long super-nodes may take until each knows all others.
const MEETING: Duration = Duration::from_secs(120);
/// Those that know each other still connect, which takes dozens of them longer on a full channel: until they
/// use less than a tenth of it, and for so long at most.
const BUSY_AIR: f64 = 10.0;
const BUSY_MAX: Duration = Duration::from_secs(90);
/// Between two looks.
const LOOK: Duration = Duration::from_secs(3);
/// And then until what they did when they met is done.
const CALM: Duration = Duration::from_secs(8);
/// For how long an overlay that nobody uses is watched.
const IDLE: Duration = Duration::from_secs(10);
/// From one operation's begin to the next one's.
const EVERY: Duration = Duration::from_millis(50);
/// From one call to the next, each of another pair.
const EVERY_CALL: Duration = Duration::from_millis(100);
const VALUE: [u8; 100] = [b'v'; 100];

/// What is measured of each size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Of each kind.
    pub(super) samples: usize,
    pub(super) values: bool,
    pub(super) registrations: bool,
    pub(super) calls: bool,
}

/// What one size came to; times in milliseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    pub(super) supernodes: usize,
    pub(super) puts: Vec<f64>,
    pub(super) gets: Vec<f64>,
    /// Hops of a get, and requests sent for one.
    pub(super) hops: f64,
    pub(super) requests: f64,
    pub(super) registrations: Vec<f64>,
    pub(super) registration_overlay: f64,
    pub(super) calls: Vec<f64>,
    pub(super) calls_overlay: f64,
    /// Of the channel, while nobody asks for anything, in percent.
    pub(super) idle_air: f64,
    /// The busy share of this machine while it measured, in percent.
    pub(super) processor: f64,
}

/// Measures all sizes.
pub(super) fn sweep(
    scenario: &Scenario,
    wanted: Wanted,
    progress: &mut Progress,
    mut go_on: impl FnMut() -> Result<()>,
) -> Result<Vec<Measured>> {
    let mut all = Vec::new();
    for each in paper::PER_LAPTOP {
        let supernodes = each * paper::LAPTOPS;
        progress.step(&format!("{supernodes} super-nodes"));
        let mut laptops = Laptops::new(scenario.clone().with_supernodes(each), None)?;
        laptops.start_supernodes(&mut go_on)?;
        let measured = measure(&laptops, wanted, &mut go_on)
            .with_context(|| format!("{supernodes} super-nodes"))?;
        laptops.check()?;
        laptops.stop()?;
        all.push(measured);
    }
    Ok(all)
}

fn measure(
    laptops: &Laptops,
    wanted: Wanted,
    go_on: &mut impl FnMut() -> Result<()>,
) -> Result<Measured> {
    let nodes: Vec<(usize, &Node)> = laptops.supernodes().collect();
    meet(laptops, go_on)?;
    let mut measured = Measured { supernodes: nodes.len(), ..Measured::default() };
    let mut choice = Choice::seeded(laptops.scenario().seed);
    connect(laptops, go_on)?;
    std::thread::sleep(CALM);
    measured.idle_air = air_used(laptops, IDLE)?;
    let began = Processor::read()?;
    if wanted.values {
        values(laptops, &nodes, wanted.samples, &mut choice, &mut measured, go_on)?;
    }
    if wanted.registrations || wanted.calls {
        telephony(laptops, &nodes, wanted, &mut choice, &mut measured, go_on)?;
    }
    measured.processor = Processor::read()?.percent_since(began);
    Ok(measured)
}

/// Waits until all super-nodes know each other.
pub(super) fn meet(laptops: &Laptops, go_on: &mut impl FnMut() -> Result<()>) -> Result<()> {
    let others = laptops.supernodes().count() - 1;
    for (number, node) in laptops.supernodes() {
        let http = node.http();
        let met = within(MEETING, || {
            go_on()?;
            Ok(laptops.status(number, http).is_ok_and(|status| status.serves_with(others)))
        })?;
        ensure!(met, "a super-node does not know {others} others after {MEETING:?}");
    }
    Ok(())
}

/// Waits until they have connected. What they need for longer than that they need at rest.
fn connect(laptops: &Laptops, go_on: &mut impl FnMut() -> Result<()>) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < BUSY_MAX && air_used(laptops, LOOK)? > BUSY_AIR {
        go_on()?;
    }
    Ok(())
}

/// Of the channel, in so long, in percent.
fn air_used(laptops: &Laptops, during: Duration) -> Result<f64> {
    let before = laptops.snapshot()?;
    std::thread::sleep(during);
    Ok(laptops.snapshot()?.air_percent_since(&before))
}

/// Puts by one super-node, gets by another, each asked on its own laptop.
fn values(
    laptops: &Laptops,
    nodes: &[(usize, &Node)],
    samples: usize,
    choice: &mut Choice,
    measured: &mut Measured,
    go_on: &mut impl FnMut() -> Result<()>,
) -> Result<()> {
    let mut clients = Vec::new();
    for (number, node) in nodes {
        let http = on_loopback(node.http());
        clients.push(laptops.on(*number, || Client::connect(http))?);
    }
    let key = |sample: usize| format!("figure {sample}");
    for sample in 0..samples {
        go_on()?;
        let client = &mut clients[any(choice, nodes.len())];
        let (took, put) = timed(EVERY, || client.put(&key(sample), &VALUE))?;
        put.value()?;
        measured.puts.push(took);
    }
    let before = Counters::read(laptops)?;
    for sample in 0..samples {
        go_on()?;
        let client = &mut clients[any(choice, nodes.len())];
        let (took, values) = timed(EVERY, || client.get(&key(sample)))?;
        ensure!(values == [VALUE], "{} values instead of the one that was put", values.len());
        measured.gets.push(took);
    }
    let since = Counters::read(laptops)?.since(&before);
    measured.hops = since.mean_hops()?;
    measured.requests = since.total("scope_dht_requests")? / samples as f64;
    Ok(())
}

/// A phone on each laptop registers at a super-node there, and is called by phones on others.
fn telephony(
    laptops: &Laptops,
    nodes: &[(usize, &Node)],
    wanted: Wanted,
    choice: &mut Choice,
    measured: &mut Measured,
    go_on: &mut impl FnMut() -> Result<()>,
) -> Result<()> {
    let mut phones = Vec::new();
    for laptop in 0..paper::LAPTOPS {
        let here: Vec<&(usize, &Node)> =
            nodes.iter().filter(|(number, _)| *number == laptop).collect();
        let (_, node) = here[any(choice, here.len())];
        let sip = node.sip().context("the super-node takes no SIP")?;
        let phone = |user: String| laptops.on(laptop, || Phone::new(&user, sip.ip(), sip));
        phones.push((phone(format!("callee-{laptop}"))?, phone(format!("caller-{laptop}"))?));
    }
    let before = Counters::read(laptops)?;
    // Who is to be called has to be registered, whether that is measured or not.
    let registrations = if wanted.registrations { wanted.samples } else { phones.len() };
    for sample in 0..registrations {
        go_on()?;
        let at = sample % phones.len();
        let took = registration(&mut phones[at].0)?;
        measured.registrations.push(took.as_secs_f64() * 1e3);
        std::thread::sleep(EVERY.saturating_sub(took));
    }
    let since = Counters::read(laptops)?.since(&before);
    measured.registration_overlay = since.mean_ms("scope_sip_registration_overlay_seconds")?;
    if !wanted.calls {
        return Ok(());
    }
    let before = Counters::read(laptops)?;
    let (callees, mut callers): (Vec<Phone>, Vec<Phone>) = phones.into_iter().unzip();
    let answering: Vec<Answering> = callees.into_iter().map(Answering::start).collect();
    for sample in 0..wanted.samples {
        go_on()?;
        let caller = sample % callers.len();
        // Never one on the caller's own laptop.
        let callee = (caller + 1 + any(choice, callers.len() - 1)) % callers.len();
        let began = Instant::now();
        let rang = rings(&mut callers[caller], &format!("callee-{callee}"))?;
        measured.calls.push(rang.as_secs_f64() * 1e3);
        std::thread::sleep(EVERY_CALL.saturating_sub(began.elapsed()));
    }
    answering.into_iter().try_for_each(|phone| phone.stop().map(|_| ()))?;
    let since = Counters::read(laptops)?.since(&before);
    measured.calls_overlay = since.mean_ms("scope_sip_setup_overlay_seconds")?;
    Ok(())
}

/// How long it took, in milliseconds; returns when the next may begin.
fn timed<T>(every: Duration, work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let began = Instant::now();
    let done = work()?;
    let took = began.elapsed();
    std::thread::sleep(every.saturating_sub(took));
    Ok((took.as_secs_f64() * 1e3, done))
}

fn any(choice: &mut Choice, count: usize) -> usize {
    usize::try_from(choice.below(count as u64)).unwrap_or(0)
}
