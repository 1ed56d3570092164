//! A real super-node as a child process, torn down whatever happens.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

use crate::checks::within;
use crate::leash::leashed;

/// How long a super-node may take until it serves. The project's own floor is 2 s with a million
/// entries; a busy machine gets more.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// SIGTERM to exit, from the command line's contract.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Any free port of the loopback interface.
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

/// Where a super-node keeps its entries.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    /// In memory.
    Ephemeral,
    /// In this directory.
    Dir(PathBuf),
}

/// A super-node that serves. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    id: String,
    http: SocketAddr,
    started_in: Duration,
    log: NamedTempFile,
    /// Ends with what the node printed after the ready line.
    rest: Option<JoinHandle<String>>,
}

/// A super-node that ended instead of serving.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it wrote to standard error.
    pub(crate) log: String,
}

/// What the ready line says.
#[derive(Debug, PartialEq, Eq)]
struct Ready {
    id: String,
    http: SocketAddr,
}

impl Node {
    /// Starts a super-node and waits until it serves.
    pub(crate) fn start(data: &Data, http: &str) -> Result<Node> {
        let began = Instant::now();
        let mut log = NamedTempFile::new().context("cannot make a file for the node's log")?;
        let mut child = Doomed(Some(spawn(data, http, log.reopen()?)?));
        let (first, rest) = listen(child.stdout()?);
        let line = first.recv_timeout(READY_LIMIT).unwrap_or_default();
        let started_in = began.elapsed();
        let Some(ready) = parse_ready(&line) else {
            bail!("no ready line but {line:?}; its log ends:\n{}", tail(&mut log));
        };
        let child = child.0.take().context("the node is gone")?;
        let Ready { id, http } = ready;
        Ok(Node { child, id, http, started_in, log, rest: Some(rest) })
    }

    /// Starts a super-node that should refuse to serve and end by itself within `limit`.
    pub(crate) fn refused(data: &Data, http: &str, limit: Duration) -> Result<Refusal> {
        let mut log = NamedTempFile::new().context("cannot make a file for the node's log")?;
        let mut child = Doomed(Some(spawn(data, http, log.reopen()?)?));
        let (first, _) = listen(child.stdout()?);
        let Some(process) = child.0.as_mut() else { bail!("the node is gone") };
        let Some(status) = wait(process, limit)? else {
            bail!("still running after {limit:?}; its log ends:\n{}", tail(&mut log));
        };
        let line = first.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        ensure!(line.is_empty(), "it said {line:?} and then ended");
        Ok(Refusal { status, log: tail(&mut log) })
    }

    /// Where it serves HTTP.
    pub(crate) const fn http(&self) -> SocketAddr {
        self.http
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its name in the overlay, as the ready line gives it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// From starting the process to the ready line.
    pub(crate) const fn started_in(&self) -> Duration {
        self.started_in
    }

    /// The end of what it wrote to standard error so far.
    pub(crate) fn log(&mut self) -> String {
        tail(&mut self.log)
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Kills it without a warning and waits until it is gone.
    pub(crate) fn kill9(mut self) -> Result<()> {
        self.child.kill().context("cannot kill the node")?;
        self.child.wait().context("cannot wait for the node")?;
        Ok(())
    }

    /// Asks it to stop; an error unless it exits with 0 within 5 s, having printed one line only.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no process id")?, Signal::TERM).context("cannot signal")?;
        let Some(status) = wait(&mut self.child, STOP_LIMIT)? else {
            bail!("still running {STOP_LIMIT:?} after SIGTERM; its log ends:\n{}", self.log());
        };
        ensure!(status.success(), "{status} after SIGTERM; its log ends:\n{}", self.log());
        let rest = self.rest.take().and_then(|rest| rest.join().ok()).unwrap_or_default();
        ensure!(rest.is_empty(), "more than one line on standard output: {rest:?}");
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail only when it is gone already, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The super-node's binary, built beside the testbed's.
pub(crate) fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the testbed's own binary")?;
    let path = own.parent().unwrap_or(Path::new("/")).join("supernode");
    ensure!(
        path.is_file(),
        "no super-node at {}; build it with `cargo build --release -p supernode`, and run the \
         testbed with `--release` too",
        path.display()
    );
    Ok(path)
}

/// A child that is killed unless it is taken out.
struct Doomed(Option<Child>);

impl Doomed {
    fn stdout(&mut self) -> Result<ChildStdout> {
        self.0.as_mut().and_then(|child| child.stdout.take()).context("no standard output")
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn spawn(data: &Data, http: &str, log: File) -> Result<Child> {
    let mut command = leashed(binary()?);
    match data {
        Data::Ephemeral => command.arg("--ephemeral"),
        Data::Dir(dir) => command.arg("--data").arg(dir),
    };
    // One node on this machine, found by nobody and asking nobody's network.
    command.args(["--http", http, "--p2p", ANY_PORT, "--no-discovery"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    // A setting of whoever runs the testbed must not change what is proved.
    let settings = std::env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|name| name.to_string_lossy().starts_with("SUPERNODE_")) {
        command.env_remove(name);
    }
    command.spawn().context("cannot start the super-node")
}

/// Passes on the first line, then collects the rest until the node closes its output.
fn listen(output: ChildStdout) -> (Receiver<String>, JoinHandle<String>) {
    const OUTPUT_MAX: u64 = 64 * 1024;
    let (sender, first) = sync_channel(1);
    let rest = std::thread::spawn(move || {
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

fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let mut status = None;
    within(limit, || {
        status = child.try_wait().context("cannot wait for the node")?;
        Ok(status.is_some())
    })?;
    Ok(status)
}

/// The last 4 KiB of a log.
fn tail(log: &mut NamedTempFile) -> String {
    const TAIL: u64 = 4096;
    let mut bytes = Vec::new();
    let length = log.seek(SeekFrom::End(0)).unwrap_or(0);
    let read = log
        .seek(SeekFrom::Start(length.saturating_sub(TAIL)))
        .and_then(|_| log.take(TAIL).read_to_end(&mut bytes));
    match read {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(its log cannot be read: {error})"),
    }
}

fn parse_ready(line: &str) -> Option<Ready> {
    let words = line.strip_suffix('\n')?.strip_prefix("ready ")?;
    let field =
        |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    field("sip")?;
    field("p2p")?;
    Some(Ready { id: field("id")?.to_owned(), http: field("http")?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_gives_id_and_address() {
        let ready =
            parse_ready("ready id=12D3x http=127.0.0.1:4711 sip=- p2p=127.0.0.1:4712\n").unwrap();
        assert_eq!(ready.id, "12D3x");
        assert_eq!(ready.http, "127.0.0.1:4711".parse().unwrap());
    }

    #[test]
    fn another_line_is_not_the_ready_line() {
        for line in [
            "",
            "\n",
            "ready\n",
            "ready id=a http=x sip=- p2p=-\n",
            "ready id=a http=127.0.0.1:1\n",
            "ready id=a http=127.0.0.1:1 sip=- p2p=-",
            "error\n",
        ] {
            assert_eq!(parse_ready(line), None, "{line:?}");
        }
    }
}
