//! What happens to super-nodes anywhere, on the emulated radio: two halls that part and meet again, nodes
//! that are killed and replaced; and telephones all the while.

mod halls;
mod kills;
mod phones;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Request;
use crate::air::{Laptops, Scenario, required};
use crate::checks::{Checks, within};
use crate::netns::prepare;
use crate::unshared::rerun;

/// Until all that are up serve together: they start on the few cores of one machine, and meet on one channel.
const SERVE_LIMIT: Duration = Duration::from_secs(60);

/// Runs the halls in namespaces.
pub(super) fn run_halls(request: &Request) -> Result<usize> {
    run("air-halls", halls::scenario, request)
}

/// The halls.
pub(super) fn inside_halls(_dir: &Path, request: &Request) -> Result<()> {
    inside(halls::run, request)
}

/// Runs the kills in namespaces.
pub(super) fn run_kills(request: &Request) -> Result<usize> {
    run("air-kills", kills::scenario, request)
}

/// The kills.
pub(super) fn inside_kills(_dir: &Path, request: &Request) -> Result<()> {
    inside(kills::run, request)
}

fn run(name: &str, scenario: fn(u64) -> Result<Scenario>, request: &Request) -> Result<usize> {
    required(&scenario(request.seed)?)?;
    rerun(["drill", name], "n", &request.arguments())
}

fn inside(drill: fn(&Request, &mut Checks) -> Result<()>, request: &Request) -> Result<()> {
    prepare()?;
    let mut checks = Checks::default();
    drill(request, &mut checks)?;
    checks.finish().map(|_| ())
}

/// The laptops of a scenario, a super-node on each.
fn started(scenario: Scenario) -> Result<Laptops> {
    let mut laptops = Laptops::new(scenario.with_supernodes(1), None)?;
    laptops.start_supernodes(|| Ok(()))?;
    Ok(laptops)
}

/// Waits until all serve together.
fn meet(laptops: &Laptops) -> Result<()> {
    let began = Instant::now();
    let others = laptops.supernodes().count() - 1;
    for (on, node) in laptops.supernodes() {
        let mut seen = String::new();
        let left = SERVE_LIMIT.saturating_sub(began.elapsed());
        let serves = within(left, || {
            let status = laptops.status(on, node.http())?;
            seen = format!("{} peers, phase {:?}", status.peers.len(), status.phase);
            Ok(status.serves_with(others))
        })?;
        ensure!(serves, "{} has {seen} instead of {others} after {SERVE_LIMIT:?}", node.http());
    }
    Ok(())
}
