//! sipp, which plays one side of any exchange, as a scenario has it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::program::Program;
use crate::leash::leashed;
use crate::tools::require;

/// One REGISTER.
pub(crate) const REGISTER: &str = include_str!("../../interop/sip/register.xml");
/// A call, from the caller's side.
pub(crate) const CALLER: &str = include_str!("../../interop/sip/caller.xml");
/// A call, from the callee's side.
pub(crate) const CALLEE: &str = include_str!("../../interop/sip/callee.xml");

/// A run of sipp to be.
#[derive(Debug, Clone)]
pub(crate) struct Sipp<'a> {
    pub(crate) scenario: &'a str,
    /// Where it listens; with port 0 the system chooses.
    pub(crate) own: SocketAddr,
    /// Whom it sends to; nobody, if it waits.
    pub(crate) peer: Option<SocketAddr>,
    /// How many calls, and how many of them a second.
    pub(crate) calls: u64,
    pub(crate) rate: f64,
    /// `{word}`s in the scenario, and what they stand for.
    pub(crate) words: Vec<(&'a str, String)>,
    /// The users of the calls, one after another: `[field0]`.
    pub(crate) users: Vec<String>,
    /// It ends by then.
    pub(crate) limit: Duration,
}

/// A running sipp.
#[derive(Debug)]
pub(crate) struct Running {
    program: Program,
    statistics: PathBuf,
    errors: PathBuf,
    limit: Duration,
}

/// What became of its calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// How often it had to send something again.
    pub(crate) retransmissions: u64,
}

/// An error that names the package, unless it can be run.
pub(crate) fn required() -> Result<()> {
    require("sipp", "sip-tester")
}

/// Calls it may have under way: it wants fewer than the files a process may have open.
const AT_ONCE: &str = "10000";
/// Bytes the kernel keeps for it: it is busy at times.
const SOCKET_BUFFER: &str = "4194304";
/// Until it has ended and written its figures, once its calls are over.
const END_LIMIT: Duration = Duration::from_secs(10);

impl<'a> Sipp<'a> {
    /// One call by a scenario.
    pub(crate) fn new(scenario: &'a str, ip: impl Into<IpAddr>) -> Sipp<'a> {
        Sipp {
            scenario,
            own: (ip.into(), 0).into(),
            peer: None,
            calls: 1,
            rate: 10.0,
            words: Vec::new(),
            users: Vec::new(),
            limit: Duration::from_secs(20),
        }
    }

    /// Sending to somebody.
    pub(crate) fn to(mut self, peer: SocketAddr) -> Sipp<'a> {
        self.peer = Some(peer);
        self
    }

    /// The call of so many users, one after another.
    pub(crate) fn users(mut self, users: impl IntoIterator<Item = impl Into<String>>) -> Sipp<'a> {
        self.users = users.into_iter().map(Into::into).collect();
        self.calls = self.users.len() as u64;
        self
    }

    /// With a word of the scenario.
    pub(crate) fn word(mut self, word: &'a str, meaning: impl ToString) -> Sipp<'a> {
        self.words.push((word, meaning.to_string()));
        self
    }

    /// Starts it; its files are in a new directory within `dir`.
    pub(crate) fn start(&self, dir: &Path) -> Result<Running> {
        let dir = tempfile::TempDir::new_in(dir)?.keep();
        let scenario = dir.join("scenario.xml");
        let filled = |text: String, (word, meaning): &(&str, String)| {
            text.replace(&format!("{{{word}}}"), meaning)
        };
        std::fs::write(&scenario, self.words.iter().fold(self.scenario.to_owned(), filled))?;
        let (statistics, errors) = (dir.join("statistics.csv"), dir.join("errors"));
        let mut command = leashed("sipp");
        command.current_dir(&dir).arg("-sf").arg(&scenario);
        command.args(self.peer.map(|peer| peer.to_string()));
        command.args(["-i", &self.own.ip().to_string(), "-t", "u1", "-nostdin"]);
        if self.own.port() != 0 {
            command.args(["-p", &self.own.port().to_string()]);
        }
        let (calls, rate) = (self.calls.to_string(), self.rate.to_string());
        command.args(["-m", &calls, "-r", &rate, "-l", AT_ONCE, "-buff_size", SOCKET_BUFFER]);
        command.args(["-trace_stat", "-fd", "1", "-trace_err"]);
        command.arg("-stf").arg(&statistics).arg("-error_file").arg(&errors);
        command.args(["-timeout", &format!("{}s", self.limit.as_secs())]);
        if !self.users.is_empty() {
            let list = self.users.iter().map(|user| format!("{user};\n")).collect::<String>();
            std::fs::write(dir.join("users.csv"), format!("SEQUENTIAL\n{list}"))?;
            command.args(["-inf", "users.csv"]);
        }
        let program = Program::start(command, &dir.join("log"))?;
        Ok(Running { program, statistics, errors, limit: self.limit })
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, dir: &Path) -> Result<Outcome> {
        self.start(dir)?.outcome()
    }

    /// Runs it to its end, which has to be good for all calls.
    pub(crate) fn succeed(&self, dir: &Path) -> Result<Outcome> {
        self.start(dir)?.succeed()
    }
}

impl Running {
    /// Waits for its end. Asked for more than is held, it repeats for another half a minute what nobody
    /// answers: that is not waited for, and what it has by then counts.
    pub(crate) fn outcome(&mut self) -> Result<Outcome> {
        self.program.wait(self.limit + END_LIMIT)?;
        let statistics = std::fs::read_to_string(&self.statistics)
            .with_context(|| format!("sipp left no figures:\n{}", self.program.log()))?;
        parse(&statistics).context("sipp's figures are others than expected")
    }

    /// Waits for its end, which has to be good for all calls.
    pub(crate) fn succeed(&mut self) -> Result<Outcome> {
        if self.program.wait(self.limit + END_LIMIT)?.is_none() {
            bail!("sipp does not end:\n{}", self.program.log());
        }
        let outcome = self.outcome()?;
        if outcome.failed > 0 || outcome.succeeded == 0 {
            let errors = std::fs::read(&self.errors).unwrap_or_default();
            let errors = String::from_utf8_lossy(&errors[..errors.len().min(2000)]).into_owned();
            bail!("sipp: {} failed: {errors}", outcome.failed);
        }
        Ok(outcome)
    }
}

/// The last whole line of what `-trace_stat` writes.
fn parse(statistics: &str) -> Option<Outcome> {
    let (whole, _) = statistics.rsplit_once('\n')?;
    let mut lines = whole.lines();
    let names = lines.next()?.split(';');
    let values = lines.next_back()?.split(';');
    let row: HashMap<&str, &str> = names.zip(values).collect();
    let count = |name: &str| row.get(name)?.parse::<u64>().ok();
    Some(Outcome {
        succeeded: count("SuccessfulCall(C)")?,
        failed: count("FailedCall(C)")?,
        retransmissions: count("Retransmissions(C)")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let text = "ElapsedTime(C);SuccessfulCall(C);FailedCall(C);Retransmissions(C)\n\
                    00:00:01;1;0;0\n00:01:02;70;2;3\n";
        let outcome = Outcome { succeeded: 70, failed: 2, retransmissions: 3 };
        assert_eq!(parse(text), Some(outcome));
        assert_eq!(parse(&format!("{text}00:01:03;7")), Some(outcome), "it was writing");
        assert_eq!(parse("a;b\n"), None);
    }
}
