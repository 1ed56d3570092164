//! Services: what a lookup costs, in gets and time, and how full the keys of a long list of providers
//! become.

use std::collections::HashSet;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base::limits::LIST_ROOM;
use base::list::{Element, Placemark, Seat};
use base::{Key, Secret, SecretTag, ServiceId, Ttl, Value};
use dht::testnet::Testnet;
use dht::{Dht, Found, List, PageRequest};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::Settings;
use super::report::{Floor, Report};
use crate::stats::percentile;

/// A large event, each of whose super-nodes offers the service.
const NODES: usize = 72;
/// Nodes among which very many providers are listed.
const FEW: usize = 4;
/// Puts under way at a time.
const AT_ONCE: usize = 64;
/// Providers that a lookup asks for.
const HANDFUL: usize = 16;

/// Measures both.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    let (nodes, providers) = if settings.quick { (12, 1000) } else { (NODES, 10_000) };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut report =
        Report::new("Services: lookups of providers, nodes in one process on loopback");
    runtime.block_on(event(&mut report, nodes)).context("a large overlay")?;
    runtime.block_on(crowd(&mut report, providers)).context("very many providers")?;
    report.note(
        "Each provider is a value of its own, guarded by its own secret, as `scope.advertise` puts it. A get \
         is one `Dht::get`, whatever it asks of replicas.",
    );
    Ok(report)
}

/// Each node offers the service once, and each looks it up.
async fn event(report: &mut Report, nodes: usize) -> Result<()> {
    let testnet = Testnet::builder(nodes).thread_per_node(true).start().await?;
    fill(&testnet, nodes).await?;
    let (mut gets, mut took) = (0, Vec::new());
    for node in testnet.nodes() {
        let began = Instant::now();
        let (page, cost) = look(node, None, HANDFUL).await?;
        took.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        ensure!(page.len() == HANDFUL.min(nodes), "{} providers found", page.len());
        gets = gets.max(cost);
    }
    let all = everyone(testnet.node(nodes / 2)).await?.0;
    ensure!(all == nodes, "{all} of {nodes} providers found");
    report.add(format!("{nodes} nodes: a lookup"), gets as f64, "gets", Floor::AtMost(2.0));
    let millis = percentile(&mut took, 50.0).map_or(f64::NAN, |us| us as f64 / 1e3);
    report.add(format!("{nodes} nodes: a lookup, p50"), millis, "ms", Floor::None);
    testnet.close().await;
    Ok(())
}

/// Many more providers than a key holds.
async fn crowd(report: &mut Report, providers: usize) -> Result<()> {
    let testnet = Testnet::builder(FEW).thread_per_node(true).start().await?;
    let began = Instant::now();
    let seats = fill(&testnet, providers).await?;
    let rate = providers as f64 / began.elapsed().as_secs_f64();
    let fullest = fullest(testnet.node(0), &seats).await?;
    let (page, first) = look(testnet.node(1), None, HANDFUL).await?;
    ensure!(page.len() == HANDFUL, "{} providers found", page.len());
    let (all, gets) = everyone(testnet.node(2)).await?;
    ensure!(all == providers, "{all} of {providers} providers found");
    let deepest = seats.iter().map(|(_, seat)| seat.depth).max().unwrap_or(0);
    let mut add = |what: &str, figure, unit, floor| {
        report.add(format!("{providers} providers: {what}"), figure, unit, floor);
    };
    add("most values of a key", fullest as f64, "", Floor::AtMost(LIST_ROOM as f64));
    add("the first page", first as f64, "gets", Floor::AtMost(4.0));
    add("all of them", gets as f64, "gets", Floor::None);
    add("steps to the deepest", deepest as f64, "", Floor::None);
    add("advertised", rate, "/s", Floor::None);
    testnet.close().await;
    Ok(())
}

/// Where providers are: each one's element and seat.
type Seats = Vec<(Element, Seat)>;

/// Lists so many providers, from all nodes in turn.
async fn fill(testnet: &Testnet, providers: usize) -> Result<Seats> {
    let (mut seats, mut putting): (Seats, JoinSet<Result<_>>) = Default::default();
    for n in 0..providers {
        if putting.len() >= AT_ONCE {
            seats.push(putting.join_next().await.context("no task")???);
        }
        let list = list(testnet.node(n % testnet.len()))?;
        putting.spawn(async move {
            let element = Element::new(contact(n)?, tag(n)?, Ttl::from_secs(3600)?)?;
            let seat = list.put(&element, None).await?;
            Ok((element, seat))
        });
    }
    while let Some(put) = putting.join_next().await {
        seats.push(put??);
    }
    Ok(seats)
}

/// The most values a key of the list has.
async fn fullest(node: &Dht, seats: &Seats) -> Result<usize> {
    let tree = list(node)?.tree().clone();
    let mut keys = HashSet::new();
    for (element, seat) in seats {
        for depth in 0..=seat.depth {
            let path = element.way().first(depth);
            keys.insert(tree.node(&path));
            keys.insert(tree.children(&path));
        }
    }
    let mut fullest = 0;
    for key in keys {
        fullest = fullest.max(node.get(&key, PageRequest::ALL).await?.values.len());
    }
    Ok(fullest)
}

/// One page, where the next begins, and how many gets that took the node.
async fn part(
    node: &Dht,
    from: Option<Placemark>,
    max: usize,
) -> Result<(Vec<Found>, Option<Placemark>, u64)> {
    let before = node.meters().gets.get();
    let page = list(node)?.page(from, max).await?;
    Ok((page.items, page.next, node.meters().gets.get() - before))
}

async fn look(node: &Dht, from: Option<Placemark>, max: usize) -> Result<(Vec<Found>, u64)> {
    let (found, _, gets) = part(node, from, max).await?;
    Ok((found, gets))
}

/// How many providers there are, and how many gets it took to count them.
async fn everyone(node: &Dht) -> Result<(usize, u64)> {
    let (mut all, mut from, mut gets) = (HashSet::new(), None, 0);
    loop {
        let (found, next, cost) = part(node, from, LIST_ROOM).await?;
        all.extend(found.into_iter().map(|found| found.value));
        gets += cost;
        if next.is_none() {
            return Ok((all.len(), gets));
        }
        from = next;
    }
}

fn list(node: &Dht) -> Result<List> {
    Ok(node.list(Key::of_service(&ServiceId::new("P2PSIP")?)))
}

fn contact(n: usize) -> Result<Value> {
    Ok(Value::new(format!("10.{}.{}.1:5061", n / 256, n % 256))?)
}

fn tag(n: usize) -> Result<SecretTag> {
    Ok(Secret::new(format!("secret {n}"))?.tag())
}
