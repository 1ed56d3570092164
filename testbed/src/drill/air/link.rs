//! Single links, and two that share the air.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{laptops, socket};
use crate::air::{Chance, Laptops, Snapshot, Stream};
use crate::checks::within;

/// Of UDP, IPv4 and Ethernet.
const HEADERS: usize = 8 + 20 + 14;
const FLOOD_BYTES: usize = 1472;
/// Far more than the air has room for at the rates measured, 1,468 frames a second at most: a busy
/// machine sleeps longer than a millisecond.
const FLOOD: (u32, usize) = (16, FLOOD_BYTES);

/// How long the air's clock runs while a flood is measured.
const MEASURED: Duration = Duration::from_secs(2);
const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// Two laptops so far apart.
fn pair(metres: u32, radio: &str) -> String {
    format!("[radio]\n{radio}\n[[laptops]]\ncount = 2\nplace.points = [[0, 0], [{metres}, 0]]\n")
}

/// Sends so many datagrams of this size each millisecond while `measured` runs.
fn flooding<T>(
    flows: &[(&UdpSocket, SocketAddr)],
    (burst, bytes): (u32, usize),
    measured: impl FnOnce() -> T,
) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (socket, to) in flows {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    for _ in 0..burst {
                        // A full queue is an error that says so.
                        let _ = socket.send_to(&[0; FLOOD_BYTES][..bytes], to);
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let outcome = measured();
        stop.store(true, Relaxed);
        outcome
    })
}

/// The radio at two moments that are so far apart on its own clock.
fn measure(laptops: &Laptops) -> Result<(Snapshot, Snapshot)> {
    // Until addresses are known and queues are full.
    let full = |snapshot: &Snapshot| snapshot.counts.stations[0].queue_full > 0;
    let began = within(WAIT_LIMIT, || Ok(full(&laptops.snapshot()?)))?;
    ensure!(began, "the flood does not fill the queue");
    let first = laptops.snapshot()?;
    let mut last = first.clone();
    within(WAIT_LIMIT, || {
        last = laptops.snapshot()?;
        Ok(last.at >= first.at + MEASURED)
    })?;
    Ok((first, last))
}

/// Throughput at a distance, with the rate that belongs to it, against the model's.
pub(super) fn throughput(metres: u32, mbps: u32) -> Result<()> {
    let laptops = laptops(&pair(metres, &format!("rate_mbps = {mbps}")), 1, None)?;
    let (from, to) = (socket(&laptops, 0)?, socket(&laptops, 1)?);
    let address = to.local_addr()?;
    let (first, last) = flooding(&[(&from, address)], FLOOD, || measure(&laptops))?;
    let arrived = |snapshot: &Snapshot| snapshot.counts.of_link(0, 1).arrived();
    let frames = (arrived(&last) - arrived(&first)) as f64;
    let seconds = (last.at - first.at).as_secs_f64();
    let phy = &laptops.scenario().radio.phy;
    let rate = phy.rates()[phy.rate_of(mbps * 1000).context("no such rate")?];
    let model = seconds / phy.cycle(rate, FLOOD_BYTES + HEADERS).as_secs_f64();
    let goodput = frames * FLOOD_BYTES as f64 * 8.0 / seconds / 1e6;
    println!(
        "        {goodput:.2} Mb/s, {:.0} frames/s, {:.3} of the model",
        frames / seconds,
        frames / model
    );
    ensure!((0.85..1.05).contains(&(frames / model)), "{frames} frames, the model says {model:.0}");
    let mut got = 0;
    let mut buffer = [0; FLOOD_BYTES + 1];
    while to.recv(&mut buffer).is_ok() {
        got += 1;
    }
    ensure!(got > 0, "the radio says that frames arrived, the laptop has none");
    laptops.stop()
}

/// Two floods in range of each other.
pub(super) fn shared() -> Result<()> {
    let four = "[radio]\nrate_mbps = 12\n[[laptops]]\ncount = 4\n\
                place.grid = { columns = 2, spacing_m = 4 }\n";
    let laptops = laptops(four, 1, None)?;
    let sockets = (0..4).map(|number| socket(&laptops, number)).collect::<Result<Vec<_>>>()?;
    let flows = [(&sockets[0], sockets[1].local_addr()?), (&sockets[2], sockets[3].local_addr()?)];
    let (first, last) = flooding(&flows, FLOOD, || measure(&laptops))?;
    let sent = |from, to| {
        let arrived = |s: &Snapshot| s.counts.of_link(from, to).arrived();
        (arrived(&last) - arrived(&first)) as f64
    };
    let (one, other) = (sent(0, 1), sent(2, 3));
    let share = one / (one + other);
    println!(
        "        {:.0} % and {:.0} % of {}",
        share * 100.0,
        100.0 - share * 100.0,
        one + other
    );
    ensure!((0.35..0.65).contains(&share), "{one} and {other} frames");
    let phy = &laptops.scenario().radio.phy;
    let rate = phy.rates()[phy.rate_of(12_000).context("no such rate")?];
    let seconds = (last.at - first.at).as_secs_f64();
    let alone = seconds / phy.cycle(rate, FLOOD_BYTES + HEADERS).as_secs_f64();
    ensure!(one + other < alone * 1.15, "{} frames, one alone could send {alone}", one + other);
    laptops.stop()
}

/// Many pairs that do not hear each other, with short frames: how many the radio's thread moves.
pub(super) fn crowd() -> Result<()> {
    const PAIRS: usize = 12;
    /// Of 106 bytes the air of a pair takes 5,400 a second at 54 Mb/s.
    const SHORT: (u32, usize) = (8, 64);
    let points = (0..PAIRS).map(|pair| format!("[{0}, 0], [{0}, 5]", pair * 1000));
    let points = points.collect::<Vec<_>>().join(", ");
    let text = format!("[[laptops]]\ncount = {}\nplace.points = [{points}]\n", 2 * PAIRS);
    let laptops = laptops(&text, 1, None)?;
    let sockets = (0..2 * PAIRS).map(|number| socket(&laptops, number));
    let sockets = sockets.collect::<Result<Vec<_>>>()?;
    let flow = |pair: &[UdpSocket]| Ok((pair[0].try_clone()?, pair[1].local_addr()?));
    let flows = sockets.chunks(2).map(flow).collect::<Result<Vec<_>>>()?;
    let flows: Vec<_> = flows.iter().map(|(socket, to)| (socket, *to)).collect();
    let (first, last) = flooding(&flows, SHORT, || -> Result<_> {
        let first = laptops.snapshot()?;
        let mut last = first.clone();
        within(WAIT_LIMIT, || {
            last = laptops.snapshot()?;
            Ok(last.at >= first.at + MEASURED)
        })?;
        Ok((first, last))
    })?;
    let frames = (last.lateness.delivered - first.lateness.delivered) as f64;
    let processor = (last.processor - first.processor).as_secs_f64();
    println!(
        "        {:.0} frames/s; a processor would move {:.0}",
        frames / (last.at - first.at).as_secs_f64(),
        frames / processor
    );
    for pair in 0..PAIRS {
        let arrived = last.counts.of_link(2 * pair, 2 * pair + 1).arrived();
        ensure!(arrived > 0, "nothing arrived at pair {pair}");
    }
    laptops.stop()
}

/// Broadcasts over a bad link: the very frames that the seed lets through arrive, and are recorded.
pub(super) fn loss(seed: u64, dir: &Path) -> Result<()> {
    const FRAMES: u64 = 400;
    const BYTES: usize = 900;
    const BATCH: u64 = 20;
    const ATTEMPTS: u64 = 5;
    let file = dir.join("air.pcap");
    let laptops = laptops(&pair(41, "range_m = 40"), seed, Some(&file))?;
    let (from, to) = (socket(&laptops, 0)?, laptops.on(1, || Ok(UdpSocket::bind("0.0.0.0:0")?))?);
    to.set_read_timeout(Some(Duration::from_millis(100)))?;
    from.set_broadcast(true)?;
    let address = SocketAddr::from(([10, 77, 255, 255], to.local_addr()?.port()));
    let sent = || -> Result<u64> { Ok(laptops.snapshot()?.counts.of_link(0, 1).frames) };
    let attempt = || -> Result<(u64, BTreeSet<u64>)> {
        let before = sent()?;
        let mut got = BTreeSet::new();
        for batch in 0..FRAMES / BATCH {
            for number in (batch * BATCH..).take(BATCH as usize) {
                let mut datagram = [0; BYTES];
                datagram[..8].copy_from_slice(&number.to_be_bytes());
                from.send_to(&datagram, address)?;
            }
            let gone = within(WAIT_LIMIT, || Ok(sent()? >= before + (batch + 1) * BATCH))?;
            ensure!(gone, "not all are sent");
            got.extend(numbers(&to)?);
        }
        Ok((before, got))
    };
    let mut attempts = 1;
    let (mut before, mut got) = attempt()?;
    // The laptop says something of its own now and then, a multicast group it is in: that is a frame, too.
    while sent()? != before + FRAMES {
        ensure!(attempts < ATTEMPTS, "other frames came between, {attempts} times");
        attempts += 1;
        (before, got) = attempt()?;
    }
    let snapshot = laptops.snapshot()?;
    let phy = &laptops.scenario().radio.phy;
    let margin = snapshot.links.get(0, 1).margin_db;
    let curve = phy.loss(margin, phy.rates()[0], BYTES + HEADERS);
    let chance = Chance::seeded(laptops.scenario().seed);
    let arrives = |number: &u64| chance.draw(Stream::Link(0, 1), before + number) >= curve;
    let said: BTreeSet<u64> = (0..FRAMES).filter(arrives).collect();
    let lost = 1.0 - got.len() as f64 / FRAMES as f64;
    println!("        {:.1} % lost, the curve says {:.1} %", lost * 100.0, curve * 100.0);
    ensure!(
        got == said,
        "{} frames differ from what the seed says",
        got.symmetric_difference(&said).count()
    );
    ensure!((lost - curve).abs() < 0.08, "lost {lost}, not {curve}");
    let seed = laptops.scenario().seed;
    laptops.stop()?;
    let file = std::fs::read(&file)?;
    let recorded = records(&file)?.filter(|(length, _)| *length == BYTES + HEADERS).count();
    let sent = FRAMES * attempts;
    ensure!(recorded as u64 == sent, "{recorded} of {sent} frames are recorded, seed {seed}");
    let times: Vec<u64> = records(&file)?.map(|(_, at)| at).collect();
    ensure!(times.is_sorted(), "the record goes back in time");
    Ok(())
}

/// The numbers of datagrams that have come.
fn numbers(socket: &UdpSocket) -> Result<Vec<u64>> {
    let (mut numbers, mut buffer) = (Vec::new(), [0; 2000]);
    loop {
        match socket.recv(&mut buffer) {
            Ok(_) => {
                let number = buffer.first_chunk().context("too short")?;
                numbers.push(u64::from_be_bytes(*number));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(numbers),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The length and time, in nanoseconds, of each frame in a pcap file.
fn records(file: &[u8]) -> Result<impl Iterator<Item = (usize, u64)> + '_> {
    let mut rest = file.get(24..).context("no pcap file")?;
    Ok(std::iter::from_fn(move || {
        let (head, more) = rest.split_at_checked(16)?;
        let word = |at: usize| {
            head.get(at..at + 4).and_then(|w| w.first_chunk()).map(|w| u32::from_le_bytes(*w))
        };
        let length = word(8)? as usize;
        rest = more.get(length..)?;
        Some((length, u64::from(word(0)?) * 1_000_000_000 + u64::from(word(4)?)))
    }))
}

/// An echo over two laptops with a delay is not faster than it can be.
pub(super) fn delay() -> Result<()> {
    let laptops = laptops(&pair(5, "delay_ms = 30"), 1, None)?;
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        fastest = fastest.min(echo(&laptops, 0, 1)?.context("no answer")?);
    }
    println!("        there and back in {:.1} ms", fastest.as_secs_f64() * 1e3);
    ensure!(fastest >= Duration::from_millis(60), "twice 30 ms were only {fastest:?}");
    laptops.stop()
}

/// A datagram from one laptop to another and back, if it gets there; how long that took.
pub(super) fn echo(laptops: &Laptops, from: usize, to: usize) -> Result<Option<Duration>> {
    let (asks, answers) = (socket(laptops, from)?, socket(laptops, to)?);
    let address = answers.local_addr()?;
    let began = Instant::now();
    // It may be that there is no way there.
    if asks.send_to(b"echo", address).is_err() {
        return Ok(None);
    }
    let mut buffer = [0; 16];
    let Ok((length, back)) = answers.recv_from(&mut buffer) else { return Ok(None) };
    if answers.send_to(&buffer[..length], back).is_err() || asks.recv(&mut buffer).is_err() {
        return Ok(None);
    }
    Ok(Some(began.elapsed()))
}

/// One of two laptops goes out of range.
pub(super) fn walk() -> Result<()> {
    let text = "[[laptops]]\nname = \"stays\"\nplace.points = [[0, 0]]\n\
                [[laptops]]\nname = \"goes\"\n\
                move.group = { radius_m = 1, path = [[2, 5, 0], [5, 500, 0]] }\n";
    let laptops = laptops(text, 1, None)?;
    let heard =
        |laptops: &Laptops| -> Result<bool> { Ok(laptops.snapshot()?.links.get(0, 1).heard) };
    if laptops.snapshot()?.at < Duration::from_secs(2) && echo(&laptops, 0, 1)?.is_none() {
        // A machine that was too slow for it has shown nothing.
        ensure!(laptops.snapshot()?.at > Duration::from_secs(2), "no answer over 5 m");
    }
    if !within(WAIT_LIMIT, || Ok(!heard(&laptops)?))? {
        bail!("still heard at {}", laptops.snapshot()?.places[1]);
    }
    ensure!(echo(&laptops, 0, 1)?.is_none(), "an answer from out of range");
    laptops.stop()
}
