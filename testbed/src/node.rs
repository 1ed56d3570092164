//! A real super-node as a child process, torn down whatever happens.

mod launch;
mod process;

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

pub(crate) use launch::{ANY_PORT, Data, Launch, binary};
use process::Process;

/// How long a super-node may take until it serves. The project's own floor is 2 s with a million
/// entries; a busy machine gets more.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// SIGTERM to exit, from the command line's contract.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A super-node that was started and has not said yet that it serves. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Starting(Process);

/// A super-node that serves. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Node {
    process: Process,
    id: String,
    http: SocketAddr,
    sip: Option<SocketAddr>,
    p2p: SocketAddr,
    started_in: Duration,
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
    sip: Option<SocketAddr>,
    p2p: SocketAddr,
}

impl Starting {
    /// Starts a super-node.
    pub(crate) fn new(launch: &Launch) -> Result<Starting> {
        launch.spawn().map(Starting)
    }

    /// Waits until it serves.
    pub(crate) fn ready(self) -> Result<Node> {
        self.ready_within(READY_LIMIT)
    }

    /// Waits until it serves, at most until `limit` after its start.
    pub(crate) fn ready_within(mut self, limit: Duration) -> Result<Node> {
        let line = self.0.first_line(limit);
        let started_in = self.0.age();
        let Some(Ready { id, http, sip, p2p }) = parse_ready(&line) else {
            bail!("no ready line but {line:?}; its log ends:\n{}", self.0.log());
        };
        Ok(Node { process: self.0, id, http, sip, p2p, started_in })
    }
}

impl Node {
    /// Starts a super-node that is alone and waits until it serves.
    pub(crate) fn start(data: &Data, http: &str) -> Result<Node> {
        Node::launch(&Launch::local(data, http))
    }

    /// Starts a super-node and waits until it serves.
    pub(crate) fn launch(launch: &Launch) -> Result<Node> {
        Starting::new(launch)?.ready()
    }

    /// Starts a super-node that should refuse to serve and end by itself within `limit`.
    pub(crate) fn refused(data: &Data, http: &str, limit: Duration) -> Result<Refusal> {
        let mut process = Starting::new(&Launch::local(data, http))?.0;
        let Some(status) = process.wait(limit)? else {
            bail!("still running after {limit:?}; its log ends:\n{}", process.log());
        };
        let line = process.first_line(limit + Duration::from_secs(1));
        ensure!(line.is_empty(), "it said {line:?} and then ended");
        Ok(Refusal { status, log: process.log() })
    }

    /// Where it serves HTTP.
    pub(crate) const fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where it takes SIP, if it does.
    pub(crate) const fn sip(&self) -> Option<SocketAddr> {
        self.sip
    }

    /// Where other super-nodes reach it.
    pub(crate) const fn p2p(&self) -> SocketAddr {
        self.p2p
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
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
        self.process.log()
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        self.process.is_running()
    }

    /// Kills it without a warning and waits until it is gone.
    pub(crate) fn kill9(self) -> Result<()> {
        Node::kill9_all([self])
    }

    /// Kills them all in the same moment, without a warning, and waits until they are gone.
    pub(crate) fn kill9_all(nodes: impl IntoIterator<Item = Node>) -> Result<()> {
        let mut nodes: Vec<Node> = nodes.into_iter().collect();
        nodes.iter_mut().try_for_each(|node| node.process.kill())?;
        // Dropping a process waits for its end.
        Ok(())
    }

    /// Asks it to stop; an error unless it exits with 0 within 5 s, having printed one line only.
    pub(crate) fn stop(self) -> Result<()> {
        Node::stop_all([self])
    }

    /// Asks them all to stop in the same moment; an error unless each does as in [`Node::stop`].
    pub(crate) fn stop_all(nodes: impl IntoIterator<Item = Node>) -> Result<()> {
        let mut nodes: Vec<Node> = nodes.into_iter().collect();
        nodes.iter().try_for_each(|node| node.process.terminate())?;
        nodes.iter_mut().try_for_each(Node::expect_end)
    }

    fn expect_end(&mut self) -> Result<()> {
        let process = &mut self.process;
        let Some(status) = process.wait(STOP_LIMIT)? else {
            bail!("still running {STOP_LIMIT:?} after SIGTERM; its log ends:\n{}", process.log());
        };
        ensure!(status.success(), "{status} after SIGTERM; its log ends:\n{}", process.log());
        let rest = process.rest();
        ensure!(rest.is_empty(), "more than one line on standard output: {rest:?}");
        Ok(())
    }
}

fn parse_ready(line: &str) -> Option<Ready> {
    let words = line.strip_suffix('\n')?.strip_prefix("ready ")?;
    let field =
        |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let address = |name| field(name)?.parse().ok();
    let sip = match field("sip")? {
        "-" => None,
        sip => Some(sip.parse().ok()?),
    };
    Some(Ready { id: field("id")?.to_owned(), http: address("http")?, sip, p2p: address("p2p")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_gives_id_and_addresses() {
        let line = "ready id=12D3x http=127.0.0.1:4711 sip=- p2p=127.0.0.1:4712\n";
        let ready = parse_ready(line).unwrap();
        assert_eq!((ready.id.as_str(), ready.sip), ("12D3x", None));
        let line = line.replace("sip=-", "sip=127.0.0.1:4713");
        assert_eq!(parse_ready(&line).unwrap().sip, Some("127.0.0.1:4713".parse().unwrap()));
        assert_eq!(ready.http, "127.0.0.1:4711".parse().unwrap());
        assert_eq!(ready.p2p, "127.0.0.1:4712".parse().unwrap());
    }

    #[test]
    fn another_line_is_not_the_ready_line() {
        for line in [
            "",
            "\n",
            "ready\n",
            "ready id=a http=x sip=- p2p=127.0.0.1:2\n",
            "ready id=a http=127.0.0.1:1 sip=- p2p=-\n",
            "ready id=a http=127.0.0.1:1 p2p=127.0.0.1:2\n",
            "ready id=a http=127.0.0.1:1\n",
            "ready id=a http=127.0.0.1:1 sip=x p2p=127.0.0.1:2\n",
            "ready id=a http=127.0.0.1:1 sip=- p2p=127.0.0.1:2",
            "error\n",
        ] {
            assert_eq!(parse_ready(line), None, "{line:?}");
        }
    }
}
