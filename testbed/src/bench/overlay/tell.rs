//! What was measured, against the targets of the project's plan.

use super::Round;
use super::cold::Cold;
use super::idle::{Idle, bytes_per_end};
use super::large::Large;
use super::reads::Kind;
use crate::bench::report::{Floor, Report};
use crate::stats::median;

/// One-replica reads and quorum gets against UDP between two processes.
const ONE_P50: f64 = 2.0;
const ONE_RATE: f64 = 0.2;
const QUORUM_P50: f64 = 2.5;
const QUORUM_RATE: f64 = 0.12;
/// Gets a second against OpenDHT's.
const OPENDHT_RATE: f64 = 10.0;
/// A quorum get among many nodes against one among few.
const GROWTH_P50: f64 = 1.8;
/// The same number of messages, but for a hedged request now and then.
const GROWTH_REQUESTS: f64 = 1.05;
/// A durable put may take this many times the second of three commits, and this many times UDP's
/// exchange on top.
const PUT_COMMITS: f64 = 1.5;
const PUT_EXCHANGES: f64 = 2.5;
/// An idle overlay.
const BYTES_PER_END: f64 = 200_000.0;
const IDLE_CORE_PERCENT: f64 = 1.0;
const IDLE_BYTES: f64 = 1000.0;
const IDLE_DATAGRAMS: f64 = 12.0;
/// A newcomer.
const COLD_S: f64 = 3.0;

/// The rounds, each figure the middle one of all rounds.
pub(super) fn rounds(report: &mut Report, rounds: &[Round], [few, many]: [usize; 2]) {
    let middle = |figure: &dyn Fn(&Round) -> Option<f64>| {
        median(&rounds.iter().filter_map(figure).collect::<Vec<_>>())
    };
    let mut add = |what: &str, unit, floor, figure: &dyn Fn(&Round) -> Option<f64>| {
        if let Some(value) = middle(figure) {
            report.add(what, value, unit, floor);
        }
    };
    add("UDP exchange p50", "µs", Floor::None, &|r| Some(r.udp.p50_us));
    add("UDP exchange p99", "µs", Floor::None, &|r| Some(r.udp.p99_us));
    add("UDP exchanges, 64 in flight", "/s", Floor::None, &|r| Some(r.udp.rate));
    type Pick = fn(&Round) -> &Kind;
    let kinds: [(usize, &str, Pick); 4] = [
        (few, "one-replica read", |r| &r.few.one),
        (few, "quorum get", |r| &r.few.quorum),
        (many, "one-replica read", |r| &r.many.one),
        (many, "quorum get", |r| &r.many.quorum),
    ];
    for (nodes, kind, pick) in kinds {
        let mut add = |what: &str, unit, figure: fn(&Kind) -> f64| {
            let what = format!("{nodes} nodes: {kind}{what}");
            add(&what, unit, Floor::None, &|r| Some(figure(pick(r))));
        };
        add(" p50", "µs", |kind| kind.pace.p50_us);
        add(" p99", "µs", |kind| kind.pace.p99_us);
        add("s, 64 in flight", "/s", |kind| kind.pace.rate);
        add(", requests sent", "", |kind| kind.requests);
    }
    for (kind, p50, rate, pick) in [
        ("one-replica read", ONE_P50, ONE_RATE, kinds[2].2),
        ("quorum get", QUORUM_P50, QUORUM_RATE, kinds[3].2),
    ] {
        let what = format!("{many} nodes: {kind} p50 ÷ UDP's");
        add(&what, "×", Floor::AtMost(p50), &|r| Some(pick(r).pace.p50_us / r.udp.p50_us));
        let what = format!("{many} nodes: {kind}s ÷ UDP's, 64 in flight");
        add(&what, "×", Floor::AtLeast(rate), &|r| Some(pick(r).pace.rate / r.udp.rate));
    }
    let (few_quorum, many_quorum) = (kinds[1].2, kinds[3].2);
    let what = format!("quorum get p50, {many} ÷ {few} nodes");
    add(&what, "×", Floor::AtMost(GROWTH_P50), &|r| {
        Some(many_quorum(r).pace.p50_us / few_quorum(r).pace.p50_us)
    });
    let what = format!("quorum get, requests sent, {many} ÷ {few} nodes");
    add(&what, "×", Floor::AtMost(GROWTH_REQUESTS), &|r| {
        Some(many_quorum(r).requests / few_quorum(r).requests)
    });
    let what = format!("OpenDHT, {many} nodes");
    let opendht = |r: &Round| r.opendht.clone();
    add(&format!("{what}: put p50"), "µs", Floor::None, &|r| Some(opendht(r)?.put_p50_us));
    add(&format!("{what}: get p50"), "µs", Floor::None, &|r| Some(opendht(r)?.get_p50_us));
    add(&format!("{what}: get p99"), "µs", Floor::None, &|r| Some(opendht(r)?.get_p99_us));
    let rate = format!("{what}: gets, 64 in flight");
    add(&rate, "/s", Floor::None, &|r| Some(opendht(r)?.gets_per_second));
    let what = format!("{many} nodes: quorum gets ÷ OpenDHT's");
    add(&what, "×", Floor::AtLeast(OPENDHT_RATE), &|r| {
        Some(many_quorum(r).pace.rate / opendht(r)?.gets_per_second)
    });
    add("durable put p50, 3 nodes", "µs", Floor::None, &|r| Some(r.durable.put_p50_us));
    let what = "second of three redb commits p50";
    add(what, "µs", Floor::None, &|r| Some(r.durable.second_p50_us));
    let what = format!("durable put p50 ÷ ({PUT_COMMITS} × commit + {PUT_EXCHANGES} × UDP)");
    add(&what, "×", Floor::AtMost(1.0), &|r| {
        let allowed = PUT_COMMITS * r.durable.second_p50_us + PUT_EXCHANGES * r.udp.p50_us;
        Some(r.durable.put_p50_us / allowed)
    });
    let wrong = |r: &Round| {
        let reads = [&r.few.one, &r.few.quorum, &r.many.one, &r.many.quorum];
        reads.iter().map(|kind| kind.pace.wrong).sum::<u64>() + r.udp.wrong + r.durable.wrong
    };
    let wrong: u64 = rounds.iter().map(wrong).sum();
    report.add("wrong or failed, all rounds", wrong as f64, "", Floor::AtMost(0.0));
}

/// Overlays that have nothing to do.
pub(super) fn idle(report: &mut Report, [few, many]: [Idle; 2], sizes: [usize; 2]) {
    let what = format!("memory per end of a connection, from {} to {} nodes", sizes[0], sizes[1]);
    let kilobytes = bytes_per_end(few, many) / 1000.0;
    report.add(what, kilobytes, "kB", Floor::AtMost(BYTES_PER_END / 1000.0));
    for (nodes, idle) in sizes.iter().zip([few, many]) {
        // The targets are stated for the larger one.
        let target = |value| if *nodes == sizes[1] { Floor::AtMost(value) } else { Floor::None };
        let what = format!("{nodes} nodes, idle, a node:");
        let percent = idle.cores * 100.0;
        report.add(format!("{what} share of a core"), percent, "%", target(IDLE_CORE_PERCENT));
        report.add(
            format!("{what} sent"),
            idle.bytes / 1000.0,
            "kB/s",
            target(IDLE_BYTES / 1000.0),
        );
        let datagrams = target(IDLE_DATAGRAMS);
        report.add(format!("{what} datagrams sent"), idle.datagrams, "/s", datagrams);
        if !idle.is_complete() {
            report.note(format!("The idle overlay of {nodes} nodes was not fully connected."));
        }
    }
}

/// Newcomers.
pub(super) fn cold(report: &mut Report, cold: &Cold, nodes: usize) {
    let middle = median(&cold.took_s).unwrap_or(f64::NAN);
    let worst = cold.took_s.iter().copied().fold(0.0, f64::max);
    let what = format!("newcomer to {nodes} nodes, until its answers are right");
    report.add(format!("{what}, middle"), middle, "s", Floor::None);
    report.add(format!("{what}, slowest"), worst, "s", Floor::AtMost(COLD_S));
    let what = "wrong answers of newcomers before that";
    report.add(what, cold.wrong as f64, "", Floor::AtMost(0.0));
}

/// Small values beside large ones.
pub(super) fn large(report: &mut Report, large: &Large) {
    let Large { alone, beside, large_rate } = large;
    report.add("one-replica read p50, to 3 peers", alone.p50_us, "µs", Floor::None);
    report.add("one-replica read p99, to 3 peers", alone.p99_us, "µs", Floor::None);
    let what = "the same while 64 KiB values are read";
    report.add(format!("{what}, p50"), beside.p50_us, "µs", Floor::None);
    report.add(format!("{what}, p99"), beside.p99_us, "µs", Floor::None);
    report.add("64 KiB values read meanwhile", *large_rate, "/s", Floor::None);
    let what = "small read beside large ones ÷ alone";
    report.add(format!("{what}, p50"), beside.p50_us / alone.p50_us, "×", Floor::None);
    report.add(format!("{what}, p99"), beside.p99_us / alone.p99_us, "×", Floor::None);
    let wrong = (alone.wrong + beside.wrong) as f64;
    report.add("wrong or failed beside large ones", wrong, "", Floor::AtMost(0.0));
}
