//! The promise behind every acknowledgement, kept through kill -9: Python clients put and remove
//! while the node is killed at random moments and started again on the same directory and port;
//! in the end all that was acknowledged is read back. `interop/python_crash.py` is the load and
//! the judge, this file is the hand that kills.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::python::Python;
use crate::checks::Checks;
use crate::choice::Choice;
use crate::node::{Data, Node};
use crate::ports::free_address;

const SCRIPT: &str = include_str!("../../interop/python_crash.py");
const PUTS: u64 = 10_000;
const KILLS: u64 = 20;

/// It takes about half a minute on two cores.
const LIMIT: Duration = Duration::from_secs(240);

/// Puts between two lines of the script are a few milliseconds apart: a kill falls anywhere in
/// between, also into a commit.
const JITTER_MAX_MS: u64 = 15;

/// Runs the drill.
pub(super) fn run(seed: u64) -> Result<usize> {
    println!("  seed  {seed} (repeat the choices with --seed {seed})");
    let mut choice = Choice::seeded(seed);
    let dir = TempDir::new()?;
    let data = Data::Dir(dir.path().join("data"));
    let address = free_address(&mut choice)?.to_string();
    let node = Node::start(&data, &address)?;
    let arguments = [address.clone(), seed.to_string(), PUTS.to_string()];
    let mut python = Python::start(SCRIPT, &arguments)?;
    let deadline = Instant::now() + LIMIT;
    let restart = |node: Node| {
        let id = node.id().to_owned();
        node.kill9()?;
        let node = Node::start(&data, &address).context("no start after kill -9")?;
        ensure!(node.id() == id, "the node has another id after kill -9");
        Ok(node)
    };
    let (node, kills) = load(&mut python, node, &mut choice, deadline, restart)?;
    // Once more, so that what is read back comes from the disk.
    let node = restart(node)?;
    python.tell("verify")?;
    let mut checks = Checks::default();
    checks.check(&format!("killed {kills} times under load"), || {
        if kills == KILLS { Ok(()) } else { bail!("{KILLS} were planned") }
    });
    verify(&mut python, &mut checks, deadline)?;
    python.finish()?;
    node.stop()?;
    checks.finish()
}

/// Kills and restarts the node at the chosen moments until the script has put everything.
fn load(
    python: &mut Python,
    mut node: Node,
    choice: &mut Choice,
    deadline: Instant,
    restart: impl Fn(Node) -> Result<Node>,
) -> Result<(Node, u64)> {
    let mut moments = choice.moments(KILLS, PUTS).into_iter().peekable();
    let mut kills = 0;
    loop {
        let line = python.line(deadline)?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("acked", count) => {
                let acked: u64 = count.parse().context("a bad count from the script")?;
                if moments.next_if(|moment| *moment <= acked).is_some() {
                    sleep(Duration::from_millis(choice.below(JITTER_MAX_MS)));
                    node = restart(node)?;
                    kills += 1;
                }
            }
            ("loaded", _) => return Ok((node, kills)),
            _ => bail!("unexpected line from the script: {line:?}"),
        }
    }
}

fn verify(python: &mut Python, checks: &mut Checks, deadline: Instant) -> Result<()> {
    let mut differences = Vec::new();
    loop {
        let line = python.line(deadline)?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("FAIL", why) => differences.push(why.to_owned()),
            ("counts", counts) => println!("  {counts}"),
            ("done", _) => break,
            _ => bail!("unexpected line from the script: {line:?}"),
        }
    }
    checks.check("everything acknowledged is there, everything removed is gone", || {
        if differences.is_empty() { Ok(()) } else { bail!("{}", differences.join("; ")) }
    });
    Ok(())
}
