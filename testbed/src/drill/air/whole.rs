//! What stands on the radio.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::laptops;
use super::link::echo;
use crate::air::{Laptops, Scenario};
use crate::checks::within;
use crate::leash::leashed;
use crate::rpc::Client;

/// Until routes over all hops are there: seconds, on a machine that does nothing else.
const ROUTES_LIMIT: Duration = Duration::from_secs(60);
/// Until nine super-nodes have found each other and serve.
const FIND_LIMIT: Duration = Duration::from_secs(60);
const END_LIMIT: Duration = Duration::from_secs(10);

/// Four in a line, each of which hears its neighbours only.
pub(super) fn routed() -> Result<()> {
    let line = "routing = \"babeld\"\n[[laptops]]\ncount = 4\n\
                place.grid = { columns = 4, spacing_m = 33 }\n";
    let laptops = laptops(line, 1, None)?;
    let began = Instant::now();
    let snapshot = laptops.snapshot()?;
    ensure!(!snapshot.links.get(0, 2).heard, "the first hears the third");
    let reached = within(ROUTES_LIMIT, || Ok(echo(&laptops, 0, 3)?.is_some()))?;
    ensure!(reached, "the first does not reach the last within {ROUTES_LIMIT:?}");
    println!("        over three hops after {:.1} s", began.elapsed().as_secs_f64());
    laptops.stop()
}

/// The paper's grid.
pub(super) fn grid() -> Result<()> {
    let text = include_str!("../../../scenarios/grid.toml");
    let mut laptops = Laptops::new(Scenario::parse(text, "grid", None)?, None)?;
    laptops.start_supernodes(|| Ok(()))?;
    let began = Instant::now();
    let nodes: Vec<_> = laptops.supernodes().map(|(on, node)| (on, node.http())).collect();
    let others = nodes.len() - 1;
    ensure!(others == 8, "{others} others");
    for (on, http) in &nodes {
        let mut seen = String::new();
        let left = FIND_LIMIT.saturating_sub(began.elapsed());
        let found = within(left, || {
            let status = laptops.status(*on, *http)?;
            seen = format!("{} peers, phase {:?}", status.peers.len(), status.phase);
            Ok(status.serves_with(others))
        })?;
        ensure!(found, "{http} has {seen} after {FIND_LIMIT:?}");
    }
    println!("        after {:.1} s", began.elapsed().as_secs_f64());
    let ((first, first_http), (last, last_http)) = (nodes[0], nodes[others]);
    laptops.on(first, || Client::connect(first_http)?.put("key", b"put at the first")?.value())?;
    let got = laptops.on(last, || Client::connect(last_http)?.get("key"))?;
    ensure!(got == [b"put at the first"], "{got:?} was got at the last");
    println!("{}", laptops.snapshot()?.table(laptops.scenario()));
    laptops.stop()
}

/// A testbed in full run, killed without a warning.
pub(super) fn killed(dir: &Path) -> Result<()> {
    let file = dir.join("pair.toml");
    std::fs::write(
        &file,
        "name = \"pair\"\nrouting = \"babeld\"\n[[laptops]]\ncount = 2\n\
         place.grid = { columns = 2, spacing_m = 5 }\n",
    )?;
    let mut child = testbed_air(&file)?.stdout(Stdio::piped()).spawn()?;
    let pid = child.id();
    let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
    let (mut line, mut said) = (String::new(), String::new());
    while !line.starts_with("ready ") {
        line.clear();
        ensure!(output.read_line(&mut line)? > 0, "it ended and said {said:?}");
        said.push_str(&line);
    }
    let family = family(pid)?;
    // Two namespaces, two routing daemons, two super-nodes.
    ensure!(family.len() >= 6, "only {} processes run", family.len());
    child.kill()?;
    child.wait()?;
    let gone = within(END_LIMIT, || Ok(!family.iter().any(|path| is_alive(path))))?;
    if !gone {
        let left: Vec<_> = family.iter().filter(|path| is_alive(path)).collect();
        bail!("{END_LIMIT:?} later there still are {left:?}");
    }
    Ok(())
}

/// The processes that a process has started.
fn family(parent: u32) -> Result<Vec<PathBuf>> {
    let mut family = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Ok(stat) = std::fs::read_to_string(path.join("stat")) else { continue };
        // The parent is the second word behind the name, which is in brackets.
        let words = stat.rsplit_once(") ").map(|(_, words)| words.split(' '));
        if words.and_then(|mut words| words.nth(1)).is_some_and(|p| p == parent.to_string()) {
            family.push(path);
        }
    }
    Ok(family)
}

/// Whether a process is there and has not ended.
fn is_alive(path: &Path) -> bool {
    let stat = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, words)| !words.starts_with(['Z', 'X']))
}

/// Files that are no scenarios, on the command line.
pub(super) fn refused(dir: &Path) -> Result<()> {
    let file = dir.join("bad.toml");
    for (text, says) in [
        ("name = \"x\"\nrange = 3\n", "bad.toml:2: unknown field `range`"),
        ("name = \"x\"\n[radio]\nloss = 2\n[[laptops]]\nplace.points = [[0, 0]]\n", "radio.loss"),
    ] {
        std::fs::write(&file, text)?;
        let output = testbed_air(&file)?.output()?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && error.lines().count() == 1, "it said {error:?}");
        ensure!(error.contains(says), "{error:?} does not say {says:?}");
    }
    Ok(())
}

fn testbed_air(file: &Path) -> Result<Command> {
    let mut command = leashed(std::env::current_exe()?);
    command.arg("air").arg(file).stdin(Stdio::null());
    Ok(command)
}
