//! Programs of other people.

use std::process::{Command, Stdio};

use anyhow::Result;

/// A program that is not installed.
#[derive(Debug)]
pub(crate) struct Missing {
    program: String,
    package: String,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Missing { program, package } = self;
        write!(f, "cannot run {program}: install the Debian package {package}")
    }
}

impl std::error::Error for Missing {}

/// [`Missing`], which names the Debian package, unless the program can be run.
pub(crate) fn require(program: &str, package: &str) -> Result<()> {
    let mut command = Command::new(program);
    // What it answers is no matter.
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(_) => Ok(()),
        Err(_) => Err(Missing { program: program.into(), package: package.into() }.into()),
    }
}
