//! This binary run once more in namespaces of its own, so that a proof can mount and connect what
//! it likes: nothing of it is outside, and nothing stays.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::leash::leashed;
use crate::tools::require;

/// Runs a proof's inner half, such as `drill partition`, with new namespaces, given by the letters
/// unshare(1) has for them, a directory for it, and what it is asked for. Says how many checks passed.
pub(crate) fn rerun(proof: [&str; 2], namespaces: &str, arguments: &[String]) -> Result<usize> {
    require("unshare", "util-linux")?;
    let dir = TempDir::new()?;
    let mut command = leashed("unshare");
    command.arg(letters(namespaces)).arg(std::env::current_exe()?);
    command.args(proof).arg("--inside").arg(dir.path()).args(arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start unshare")?;
    let output = child.stdout.take().context("no standard output")?;
    let (mut passed, mut began) = (0, false);
    for line in BufReader::new(output).lines() {
        let line = line?;
        if line == BEGAN {
            began = true;
            continue;
        }
        passed += usize::from(line.starts_with("  ok "));
        println!("{line}");
    }
    let status = child.wait()?;
    if !began {
        bail!(NO_RIGHT);
    }
    ensure!(status.success(), "inside of the namespaces: {status}");
    Ok(passed)
}

const NO_RIGHT: &str = "cannot work in namespaces of its own: it takes either root or user \
     namespaces (sysctl kernel.unprivileged_userns_clone=1)";

/// unshare(1)'s option for these namespaces.
fn letters(namespaces: &str) -> String {
    // Without root a user namespace gives the right to all others.
    let user = if rustix::process::geteuid().is_root() { "" } else { "Ur" };
    format!("-{user}{namespaces}")
}

/// unshare(1)'s option for a new network namespace, or an error if there is no right to have one.
pub(crate) fn may_unshare() -> Result<String> {
    require("unshare", "util-linux")?;
    let letters = letters("n");
    let mut command = Command::new("unshare");
    command.args([&letters, "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    ensure!(command.status().is_ok_and(|status| status.success()), NO_RIGHT);
    Ok(letters)
}

/// What the inner half says first.
const BEGAN: &str = "inside";

/// The inner half's beginning.
pub(crate) fn inside(run: impl FnOnce(&Path) -> Result<()>, dir: &Path) -> Result<()> {
    println!("{BEGAN}");
    run(dir)
}
