//! Network namespaces: machines on this machine.

use std::ffi::OsString;
use std::fs::{File, read_link};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::checks::within;
use crate::leash::leashed;

const START_LIMIT: Duration = Duration::from_secs(5);

/// A network namespace that lives as long as the process in it, which ends with the testbed.
#[derive(Debug)]
pub(crate) struct Namespace(Child);

/// Makes sure that this process's network namespace is its own, and has a loopback interface.
pub(crate) fn prepare() -> Result<()> {
    let others = read_link("/proc/1/ns/net").ok();
    ensure!(others != read_link("/proc/self/ns/net").ok(), "this is the machine's own network");
    ip(None, &["link", "set", "lo", "up"])
}

impl Namespace {
    /// A new one, for so long at most: a number of seconds, or `infinity`.
    pub(crate) fn new(life_s: &str) -> Result<Namespace> {
        let mut command = leashed("unshare");
        command.args(["-n", "sleep", life_s]).stdin(Stdio::null()).stdout(Stdio::null());
        let namespace = Namespace(command.spawn().context("cannot start unshare")?);
        let ours = read_link("/proc/self/ns/net")?;
        let path = namespace.path();
        let apart =
            within(START_LIMIT, || Ok(read_link(&path).is_ok_and(|theirs| theirs != ours)))?;
        ensure!(apart, "no new network namespace within {START_LIMIT:?}");
        ip(Some(&namespace), &["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// What runs a program in it.
    pub(crate) fn enter(&self) -> Vec<OsString> {
        ["nsenter", "-t", &self.pid(), "-n", "--"].map(OsString::from).into()
    }

    /// The process that keeps it.
    pub(crate) fn pid(&self) -> String {
        self.0.id().to_string()
    }

    /// Runs some code in it: sockets and devices that it opens are of this namespace and stay so.
    /// It must start no programs: they would end with its thread.
    pub(crate) fn run<T: Send>(&self, code: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let file = File::open(self.path()).context("the namespace has ended")?;
        std::thread::scope(|scope| {
            // A thread of its own: the namespace is the thread's, and there is no way back.
            let thread = scope.spawn(move || {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .context("cannot enter the namespace")?;
                code()
            });
            let outcome = thread.join();
            outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.pid())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `ip`, in a namespace or here.
pub(crate) fn ip(namespace: Option<&Namespace>, arguments: &[&str]) -> Result<()> {
    let mut words = namespace.map(Namespace::enter).unwrap_or_default();
    words.push("ip".into());
    words.extend(arguments.iter().map(OsString::from));
    let output = Command::new(&words[0]).args(&words[1..]).output().context("cannot run ip")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), error.trim());
    Ok(())
}
