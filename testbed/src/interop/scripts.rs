//! The latency scripts, run as `docs/guides/experiment.md` says, against three super-nodes.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::checks::Checks;
use crate::choice::Choice;
use crate::cluster::{Cluster, Shape};
use crate::leash::leashed;
use crate::tools::require;

const GUIDE: &str = include_str!("../../../docs/guides/experiment.md");
const SCRIPTS: [(&str, &str); 5] = [
    ("latency.py", include_str!("../../../scripts/latency.py")),
    ("sip_phone.py", include_str!("../../../scripts/sip_phone.py")),
    ("put_get.py", include_str!("../../../scripts/put_get.py")),
    ("registration.py", include_str!("../../../scripts/registration.py")),
    ("session_setup.py", include_str!("../../../scripts/session_setup.py")),
];
/// Of each kind, instead of the guide's 200.
const COUNT: u64 = 20;

/// Runs each command of the guide, with these super-nodes' addresses for those of the guide.
pub(super) fn run(seed: u64) -> Result<usize> {
    require("python3", "python3")?;
    let dir = TempDir::new()?;
    let scripts = dir.path().join("scripts");
    std::fs::create_dir(&scripts)?;
    for (name, text) in SCRIPTS {
        std::fs::write(scripts.join(name), text)?;
    }
    let shape = Shape { nodes: 3, data: None, base_http: None };
    let cluster = Cluster::serving(&shape, &mut Choice::seeded(seed))?;
    let (first, second) = (cluster.node(0)?, cluster.node(1)?);
    let sip = |node: &crate::node::Node| node.sip().context("the super-node takes no SIP");
    let addresses = [
        ("192.0.2.1:5851", first.http()),
        ("192.0.2.2:5851", second.http()),
        ("127.0.0.1:5851", first.http()),
        ("192.0.2.1:5060", sip(first)?),
        ("192.0.2.2:5060", sip(second)?),
        ("127.0.0.1:5060", sip(first)?),
    ];
    let mut checks = Checks::default();
    for command in GUIDE.lines().filter_map(|line| line.strip_prefix("$ python3 ")) {
        let words = addresses
            .iter()
            .fold(command.to_owned(), |words, (told, real)| words.replace(told, &real.to_string()));
        checks.record(command, measure(dir.path(), &words));
    }
    checks.record("a super-node that is not there", fails(dir.path()));
    cluster.stop()?;
    checks.finish()
}

/// A run in which nothing fails, and all that is asked for is timed.
fn measure(dir: &Path, words: &str) -> Result<()> {
    let samples = dir.join("samples.csv");
    let mut command = leashed("python3");
    command.current_dir(dir).args(words.split(' ')).arg("--json");
    command.args(["--count", &COUNT.to_string(), "--interval", "0.01", "--csv"]).arg(&samples);
    let output = command.stdin(Stdio::null()).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {errors}", output.status);
    let told: Value = serde_json::from_slice(&output.stdout)?;
    let series = told["series"].as_array().context("no series")?;
    ensure!(!series.is_empty(), "nothing was measured");
    for row in series {
        ensure!(row["count"] == COUNT && row["failed"] == 0, "{row}");
        let (p50, max) = (row["p50_ms"].as_f64(), row["max_ms"].as_f64());
        ensure!(p50 > Some(0.0) && p50 <= max, "{row}");
    }
    let lines = std::fs::read_to_string(&samples)?.lines().count() as u64;
    ensure!(lines == 1 + COUNT * series.len() as u64, "{lines} lines of samples");
    if words.contains("--metrics") {
        let part = told["overlay"][0]["mean_ms"].as_f64().context("no overlay's part")?;
        ensure!(part > 0.0, "the overlay's part is {part} ms");
    }
    Ok(())
}

/// A run against nobody ends with a reason.
fn fails(dir: &Path) -> Result<()> {
    let mut command = leashed("python3");
    command.current_dir(dir).args(["scripts/put_get.py", "http://127.0.0.1:1"]);
    let output = command.stdin(Stdio::null()).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "it ends with {}", output.status);
    ensure!(errors.contains("http://127.0.0.1:1: ") && !errors.contains("Traceback"), "{errors}");
    Ok(())
}
