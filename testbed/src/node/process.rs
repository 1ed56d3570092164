//! A child process that prints lines and keeps a log, torn down whatever happens.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

use crate::checks::within;

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    began: Instant,
    log: NamedTempFile,
    first: Receiver<String>,
    /// Ends with what the program printed after the first line.
    rest: Option<JoinHandle<String>>,
}

impl Process {
    /// Starts a program, its standard error in a file.
    pub(super) fn spawn(mut command: Command) -> Result<Process> {
        let began = Instant::now();
        let log = NamedTempFile::new().context("cannot make a file for the log")?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.reopen()?);
        let mut child = command.spawn().context("cannot start the program")?;
        let output = child.stdout.take();
        let (first, rest) = listen(output);
        Ok(Process { child, began, log, first, rest: Some(rest) })
    }

    /// The first line it prints, once; empty if there is none within `limit` of its start.
    pub(super) fn first_line(&self, limit: Duration) -> String {
        let left = limit.saturating_sub(self.began.elapsed());
        self.first.recv_timeout(left).unwrap_or_default()
    }

    /// What it printed after the first line, once it has ended.
    pub(super) fn rest(&mut self) -> String {
        self.rest.take().and_then(|rest| rest.join().ok()).unwrap_or_default()
    }

    /// Since it was started.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last 4 KiB of what it wrote to standard error so far.
    pub(super) fn log(&mut self) -> String {
        const TAIL: u64 = 4096;
        let mut bytes = Vec::new();
        let log = &mut self.log;
        let length = log.seek(SeekFrom::End(0)).unwrap_or(0);
        let read = log
            .seek(SeekFrom::Start(length.saturating_sub(TAIL)))
            .and_then(|_| log.take(TAIL).read_to_end(&mut bytes));
        match read {
            Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("(its log cannot be read: {error})"),
        }
    }

    pub(super) fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no process id")?, Signal::TERM).context("cannot signal")
    }

    /// Kills it without a warning; it may not be gone yet.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.child.kill().context("cannot kill the program")
    }

    /// How it ended, if it does within `limit`.
    pub(super) fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let mut status = None;
        within(limit, || {
            status = self.child.try_wait().context("cannot wait for the program")?;
            Ok(status.is_some())
        })?;
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it is gone already, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes on the first line, then collects the rest until the program closes its output.
fn listen(output: Option<ChildStdout>) -> (Receiver<String>, JoinHandle<String>) {
    const OUTPUT_MAX: u64 = 64 * 1024;
    let (sender, first) = sync_channel(1);
    let rest = std::thread::spawn(move || {
        let Some(output) = output else { return String::new() };
        let mut reader = BufReader::new(output).take(OUTPUT_MAX);
        let (mut line, mut rest) = (String::new(), String::new());
        // What cannot be read is as good as not said: the line then is not the ready line.
        let _ = reader.read_line(&mut line);
        let _ = sender.send(line);
        let _ = reader.read_to_string(&mut rest);
        rest
    });
    (first, rest)
}
