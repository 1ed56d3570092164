//! `testbed validate`: is every value where the closest places are? 11 super-nodes in four areas, 200
//! clients; each puts a value of its own, and gets another's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base::limits::REPLICAS;
use base::{Key, NodeId, Place};

use super::paper;
use super::sweep::meet;
use crate::air::Laptops;
use crate::checks::within;
use crate::rpc::Client;

/// How long a put's last copy may take.
const LAST_COPY: Duration = Duration::from_secs(5);
/// Super-nodes say in the overlay what they offer, too, when they start: it is waited until none has held
/// another number of values for so long, at most so long, and looked so often.
const STILL: Duration = Duration::from_secs(5);
const STILL_LIMIT: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(500);

/// What each super-node was found to keep of what the clients put, beside what it ought to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) found: u64,
    pub(super) expected: u64,
}

/// Where all values were found.
#[derive(Debug)]
pub(super) struct Validation {
    pub(super) kept: Vec<Kept>,
    /// Puts whose three holders were other ones than the closest.
    pub(super) misplaced: Vec<String>,
    pub(super) puts: usize,
    /// Gets of another client's value that found it, and it alone.
    pub(super) gets: usize,
}

/// Puts and looks, one value after the other: the super-nodes that hold one value more are its holders.
pub(super) fn validate(
    laptops: &Laptops,
    go_on: &mut impl FnMut() -> Result<()>,
) -> Result<Validation> {
    meet(laptops, go_on)?;
    let nodes: Vec<_> =
        laptops.supernodes().map(|(number, node)| (number, node.http(), node.id())).collect();
    let (supernodes, clients) = paper::VALIDATION;
    ensure!(nodes.len() == supernodes, "{} super-nodes instead of {supernodes}", nodes.len());
    let places: Vec<Place> = nodes.iter().map(|(_, _, id)| place(id)).collect::<Result<_>>()?;
    let mut found = vec![0_u64; nodes.len()];
    let mut expected = vec![0_u64; nodes.len()];
    let mut misplaced = Vec::new();
    let mut doors = Vec::new();
    for client in 0..clients {
        let (number, http, _) = nodes[client % nodes.len()];
        doors.push(laptops.on(number, || Client::connect(http))?);
    }
    let entries = || -> Result<Vec<u64>> {
        let held =
            nodes.iter().map(|(number, http, _)| Ok(laptops.status(*number, *http)?.entries));
        held.collect()
    };
    let mut before = still(entries, go_on)?;
    for (client, door) in doors.iter_mut().enumerate() {
        go_on()?;
        let name = key(client);
        let wanted = closest(&places, &Key::new(name.clone())?.place());
        door.put(&name, value(client).as_bytes())?.value()?;
        let mut after = Vec::new();
        // It was acknowledged with two of its three copies.
        within(LAST_COPY, || {
            after = entries()?;
            let more: u64 = after.iter().zip(&before).map(|(a, b)| a.saturating_sub(*b)).sum();
            Ok(more >= REPLICAS as u64)
        })?;
        let holders: Vec<usize> = (0..nodes.len()).filter(|at| after[*at] > before[*at]).collect();
        holders.iter().for_each(|at| found[*at] += 1);
        wanted.iter().for_each(|at| expected[*at] += 1);
        if holders != wanted {
            misplaced.push(format!("{name}: at {holders:?} instead of {wanted:?}"));
        }
        before = after;
    }
    let mut gets = 0;
    for (client, door) in doors.iter_mut().enumerate() {
        go_on()?;
        let other = (client + clients / 2) % clients;
        gets += usize::from(door.get(&key(other))? == [value(other).into_bytes()]);
    }
    let names: BTreeMap<usize, String> = nodes
        .iter()
        .enumerate()
        .map(|(at, (_, _, id))| {
            (at, id.chars().rev().take(6).collect::<String>().chars().rev().collect())
        })
        .collect();
    let kept =
        names.into_iter().map(|(at, name)| Kept { name, found: found[at], expected: expected[at] });
    Ok(Validation { kept: kept.collect(), misplaced, puts: clients, gets })
}

/// What all hold, once that stays as it is.
fn still(
    entries: impl Fn() -> Result<Vec<u64>>,
    go_on: &mut impl FnMut() -> Result<()>,
) -> Result<Vec<u64>> {
    let began = Instant::now();
    let (mut held, mut since) = (entries()?, began);
    while since.elapsed() < STILL {
        ensure!(
            began.elapsed() < STILL_LIMIT,
            "the super-nodes still change what they hold after {STILL_LIMIT:?}; nobody else may use them"
        );
        go_on()?;
        std::thread::sleep(LOOK);
        let now = entries()?;
        if now != held {
            (held, since) = (now, Instant::now());
        }
    }
    Ok(held)
}

fn key(client: usize) -> String {
    format!("validation {client}")
}

fn value(client: usize) -> String {
    format!("value of client {client}")
}

fn place(id: &str) -> Result<Place> {
    let id: NodeId = id.parse().ok().with_context(|| format!("{id} is no peer id"))?;
    Ok(id.place())
}

/// The three closest places' positions, in their order of position.
fn closest(places: &[Place], to: &Place) -> Vec<usize> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|at| places[*at].distance(to));
    order.truncate(REPLICAS);
    order.sort_unstable();
    order
}
