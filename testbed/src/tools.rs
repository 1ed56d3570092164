//! Programs of other people.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// An error that names the Debian package unless the program can be run.
pub(crate) fn require(program: &str, package: &str) -> Result<()> {
    let mut command = Command::new(program);
    // What it answers is no matter.
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    ensure!(command.status().is_ok(), "cannot run {program}: install the Debian package {package}");
    Ok(())
}
