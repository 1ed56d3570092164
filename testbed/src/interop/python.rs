//! Python's own XML-RPC client. The checks are in Python, `interop/python_xmlrpc.py`; they print
//! a line each, `ok what` or `FAIL what: why`, and `done` at the end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use tempfile::TempDir;

use crate::checks::{Checks, within};
use crate::leash::leashed;
use crate::node::{ANY_PORT, Data, Node};

const SCRIPT: &str = include_str!("../../interop/python_xmlrpc.py");

/// All checks together take a few seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// A script that has said all it has to say is about to end.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Runs the checks against a super-node in memory and one on disk.
pub(super) fn run() -> Result<usize> {
    let dir = TempDir::new()?;
    let disk = Data::Dir(dir.path().join("data"));
    Ok(run_against(&Data::Ephemeral, "memory")? + run_against(&disk, "disk")?)
}

fn run_against(data: &Data, label: &str) -> Result<usize> {
    let node = Node::start(data, ANY_PORT)?;
    let mut python = Python::start(SCRIPT, &[node.http().to_string()])?;
    let deadline = Instant::now() + LIMIT;
    let mut checks = Checks::default();
    loop {
        let line = python.line(deadline)?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("ok", what) => checks.record(&format!("{label}: {what}"), Ok(())),
            ("FAIL", told) => {
                let (what, why) = told.split_once(": ").unwrap_or((told, ""));
                checks.record(&format!("{label}: {what}"), Err(anyhow!("{why}")));
            }
            ("done", _) => break,
            _ => bail!("unexpected line from the script: {line:?}"),
        }
    }
    python.finish()?;
    node.stop()?;
    checks.finish()
}

/// A Python program that prints lines.
pub(super) struct Python {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Holds the script; goes with the program.
    _dir: TempDir,
}

impl Python {
    /// Starts a script with arguments. A missing Python is an error that names its package.
    pub(super) fn start(script: &str, arguments: &[String]) -> Result<Python> {
        require_python()?;
        let dir = TempDir::new()?;
        let path = dir.path().join("script.py");
        std::fs::write(&path, script)?;
        let mut child = command(&path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start python3")?;
        let output = child.stdout.take().context("no standard output")?;
        let input = child.stdin.take();
        Ok(Python { child, input, lines: pass_on(output), _dir: dir })
    }

    /// The next line it prints; an error at its end or after the deadline.
    pub(super) fn line(&mut self, deadline: Instant) -> Result<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).context("the script ended early or takes too long")
    }

    /// Sends it a line.
    pub(super) fn tell(&mut self, line: &str) -> Result<()> {
        use std::io::Write;
        writeln!(self.input.as_ref().context("no standard input")?, "{line}")?;
        Ok(())
    }

    /// Waits for its end; an error unless it is a good one.
    pub(super) fn finish(mut self) -> Result<()> {
        drop(self.input.take());
        let mut status = None;
        within(END_LIMIT, || {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        })?;
        let status = status.context("python3 does not end")?;
        ensure!(status.success(), "python3: {status}");
        Ok(())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(script: &Path) -> std::process::Command {
    let mut command = leashed("python3");
    // Isolated: the user's modules and variables must not change what is proved.
    command.args(["-I", "-u"]).arg(script);
    command
}

fn require_python() -> Result<()> {
    let found = std::process::Command::new("python3")
        .args(["-I", "-c", "import xmlrpc.client"])
        .stderr(Stdio::null())
        .status();
    ensure!(
        found.is_ok_and(|status| status.success()),
        "python3 with the module xmlrpc.client is missing: install the Debian package python3"
    );
    Ok(())
}

fn pass_on(output: ChildStdout) -> Receiver<String> {
    // The script waits when it is this far ahead of us.
    const AHEAD_MAX: usize = 1000;
    let (sender, lines) = sync_channel(AHEAD_MAX);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
