//! Child processes that cannot outlive the testbed.
//!
//! A child is started through this very binary, which asks the kernel to kill it when the thread
//! that started it ends, and then becomes the program. So nothing stays behind, even when the
//! testbed itself is killed with -9. It follows that children are started by the main thread,
//! which lives as long as the testbed does.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// The hidden subcommand behind [`leashed`].
pub(crate) const SUBCOMMAND: &str = "leashed";

/// This binary, also when it was rebuilt since it started.
const SELF: &str = "/proc/self/exe";

/// A command for `program` that dies with the testbed. That there is no such program shows only
/// when it runs: by exit code 1 and a line on standard error.
pub(crate) fn leashed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(SELF);
    command.arg(SUBCOMMAND).arg(getpid().as_raw_nonzero().to_string()).arg(program);
    command
}

/// What the child does first: ties itself to its parent and becomes the program. Returns only
/// when that fails.
pub(crate) fn become_program(parent: i32, program: &[OsString]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot tie the child to us")?;
    // The parent may have died before the kernel was asked.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent) {
        bail!("the testbed has ended");
    }
    let [name, arguments @ ..] = program else { bail!("no program to run") };
    let error = Command::new(name).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run {}", name.display()))
}
