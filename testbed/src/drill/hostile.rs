//! Bad input over raw sockets. After each piece of it the node must still give back a value put at
//! the start, and must not have grown beyond [`GROWTH_MAX`].

mod body;
mod framing;
mod slow;

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};

use super::Request;
use crate::checks::Checks;
use crate::node::{ANY_PORT, Data, Node};
use crate::rpc::Client;
use crate::usage::resident;

/// How much resident memory a node may gain over the whole drill. A request is at most 256 KiB and
/// a reply 1 MiB; the worst case here is 300 connections at once.
const GROWTH_MAX: u64 = 64 * 1024 * 1024;

const KEY: &str = "survivor";
const VALUE: &[u8] = b"still here";

/// A piece of bad input and what has to come of it.
struct Case {
    what: &'static str,
    run: fn(SocketAddr) -> Result<()>,
}

/// Runs the drill.
pub(super) fn run(_: &Request) -> Result<usize> {
    let dir = tempfile::tempdir()?;
    let mut node = Node::start(&Data::Dir(dir.path().join("data")), ANY_PORT)?;
    let mut client = Client::connect(node.http())?;
    client.put(KEY, VALUE)?.value()?;
    drop(client);
    let before = resident(node.pid())?.now;
    let mut checks = Checks::default();
    for case in body::CASES.iter().chain(&framing::CASES).chain(&slow::CASES) {
        checks.check(case.what, || {
            (case.run)(node.http())?;
            survived(&mut node, before).context("afterwards")
        });
        if !node.is_running()? {
            println!("  the node is gone; its log ends:\n{}", node.log());
            break;
        }
    }
    let after = resident(node.pid())?;
    println!(
        "  memory: {} KiB before, {} KiB after, {} KiB at most",
        before / 1024,
        after.now / 1024,
        after.peak / 1024
    );
    node.stop()?;
    checks.finish()
}

fn survived(node: &mut Node, before: u64) -> Result<()> {
    ensure!(node.is_running()?, "the node has ended");
    let values = Client::connect(node.http())?.get(KEY)?;
    ensure!(values == [VALUE], "the value put at the start is gone");
    let growth = resident(node.pid())?.now.saturating_sub(before);
    ensure!(growth <= GROWTH_MAX, "grew by {growth} bytes; at most {GROWTH_MAX} were expected");
    Ok(())
}
