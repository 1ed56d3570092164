//! baresip without a screen and a sound card: a tone is what it hears, and what it plays goes nowhere. It
//! is driven, and tells what happens, on a TCP port (its module `ctrl_tcp`): JSON in netstrings.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::program::Program;
use crate::checks::within;
use crate::leash::leashed;
use crate::tools::require;

/// Where Debian has its modules.
const MODULES: &str = "/usr/lib/baresip/modules";
/// Until it listens on its control port.
const START_LIMIT: Duration = Duration::from_secs(10);
/// No event is longer.
const EVENT_MAX: usize = 64 * 1024;

/// A running baresip.
#[derive(Debug)]
pub(crate) struct Baresip {
    user: String,
    control: TcpStream,
    unread: Vec<u8>,
    program: Program,
}

/// What one is to be.
#[derive(Debug, Clone)]
pub(crate) struct Agent<'a> {
    pub(crate) user: &'a str,
    pub(crate) node: SocketAddr,
    /// Where it listens for SIP; it takes the next port, too.
    pub(crate) listen: SocketAddr,
    /// Where it is driven.
    pub(crate) control: SocketAddr,
    /// `udp` or `tcp`.
    pub(crate) transport: &'a str,
    pub(crate) password: &'a str,
    /// How long it lets a call ring.
    pub(crate) patience_s: u32,
}

/// An error that names the package, unless it can be run.
pub(crate) fn required() -> Result<()> {
    ensure!(Path::new(MODULES).is_dir(), "install the Debian package baresip-core");
    require("baresip", "baresip-core")
}

impl Baresip {
    /// Starts one; its files are in a directory that is its own.
    pub(crate) fn start(dir: &Path, agent: &Agent<'_>) -> Result<Baresip> {
        let dir = dir.join(agent.user);
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join("config"), config(agent))?;
        let Agent { user, node, transport, password, .. } = agent;
        let account =
            format!("<sip:{user}@{node};transport={transport}>;auth_pass={password};regint=60\n");
        std::fs::write(dir.join("accounts"), account)?;
        std::fs::write(dir.join("contacts"), "")?;
        let mut command = leashed("baresip");
        command.arg("-f").arg(&dir);
        let mut program = Program::start(command, &dir.join("log"))?;
        let mut control = None;
        within(START_LIMIT, || {
            ensure!(program.wait(Duration::ZERO)?.is_none(), "baresip: {}", program.log());
            control = TcpStream::connect(agent.control).ok();
            Ok(control.is_some())
        })?;
        let control = control.context("baresip does not listen on its control port")?;
        Ok(Baresip { user: (*user).to_owned(), control, unread: Vec::new(), program })
    }

    /// Starts one and waits until it is registered.
    pub(crate) fn registered(dir: &Path, agent: &Agent<'_>, limit: Duration) -> Result<Baresip> {
        let mut baresip = Baresip::start(dir, agent)?;
        let deadline = Instant::now() + limit;
        // It may have been registered before there was anybody to tell.
        while Instant::now() < deadline {
            let told = baresip.command("reginfo", "")?;
            if told["data"].as_str().is_some_and(|data| data.contains("OK")) {
                return Ok(baresip);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("{} is not registered within {limit:?}:\n{}", agent.user, baresip.program.log())
    }

    /// Starts one whose registration is refused, with this status, and ends it.
    pub(crate) fn refused(
        dir: &Path,
        agent: &Agent<'_>,
        status: &str,
        limit: Duration,
    ) -> Result<()> {
        let mut baresip = Baresip::start(dir, agent)?;
        let told = within(limit, || {
            let told = baresip.command("reginfo", "")?;
            let is_in = told["data"].as_str().is_some_and(|data| data.contains("OK"));
            ensure!(!is_in, "{} is registered", agent.user);
            Ok(baresip.program.log().contains(status))
        })?;
        ensure!(told, "not refused by {status}, but:\n{}", baresip.program.log());
        Ok(())
    }

    /// Gives a command; what it says to it. Events until then are forgotten.
    pub(crate) fn command(&mut self, command: &str, parameters: &str) -> Result<Value> {
        let text =
            json!({ "command": command, "params": parameters, "token": command }).to_string();
        write!(self.control, "{}:{text},", text.len()).context("baresip has ended")?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let event = self.next(deadline)?;
            let event = event.with_context(|| format!("no answer of baresip to {command}"))?;
            if event["response"] == true && event["token"] == *command {
                return Ok(event);
            }
        }
    }

    /// Gives a command, and waits for an event.
    pub(crate) fn order(&mut self, command: &str, parameters: &str) -> Result<()> {
        let text = json!({ "command": command, "params": parameters }).to_string();
        write!(self.control, "{}:{text},", text.len()).context("baresip has ended")
    }

    /// Waits for an event; its parameter.
    pub(crate) fn wait_for(&mut self, event: &str, limit: Duration) -> Result<String> {
        let (deadline, mut seen) = (Instant::now() + limit, Vec::new());
        while let Some(told) = self.next(deadline)? {
            let kind = told["type"].as_str().unwrap_or_default();
            let parameter = told["param"].as_str().unwrap_or_default();
            if kind == event {
                return Ok(parameter.to_owned());
            }
            if told["event"] == true {
                seen.push(format!("{kind} {parameter}"));
            }
        }
        let (user, log) = (&self.user, self.program.log());
        bail!("{user}: no {event} within {limit:?}, but {seen:?}; it printed:\n{log}")
    }

    /// The next thing it tells, if it does until then.
    fn next(&mut self, deadline: Instant) -> Result<Option<Value>> {
        loop {
            if let Some((event, length)) = netstring(&self.unread)? {
                let event = serde_json::from_slice(event).context("baresip tells no JSON")?;
                self.unread.drain(..length);
                return Ok(Some(event));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.control.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            let mut part = [0; 4096];
            match self.control.read(&mut part) {
                Ok(0) => bail!("baresip has ended:\n{}", self.program.log()),
                Ok(length) => self.unread.extend_from_slice(&part[..length]),
                Err(_) if left.is_zero() => return Ok(None),
                Err(_) => {}
            }
        }
    }
}

/// The first whole netstring, and how long it is with its frame.
fn netstring(bytes: &[u8]) -> Result<Option<(&[u8], usize)>> {
    let Some(colon) = bytes.iter().position(|byte| *byte == b':') else { return Ok(None) };
    let length = std::str::from_utf8(&bytes[..colon]).ok().and_then(|digits| digits.parse().ok());
    let length: usize = length.filter(|n| *n <= EVENT_MAX).context("baresip tells no netstring")?;
    let whole = bytes.get(colon + 1..colon + 1 + length);
    // The comma at its end has to be there, too.
    Ok(whole.map(|text| (text, colon + 2 + length)).filter(|(_, end)| *end <= bytes.len()))
}

fn config(agent: &Agent<'_>) -> String {
    let Agent { listen, control, patience_s, .. } = agent;
    let ip = listen.ip();
    let mut config = format!(
        "sip_listen {listen}\nnet_interface {ip}\ncall_local_timeout {patience_s}\ncall_max_calls 1\n\
         audio_source ausine,440\nausrc_srate 48000\nausrc_channels 2\naudio_player aubridge,nulla\n\
         audio_alert aubridge,nullalerta\nmodule_path {MODULES}\nctrl_tcp_listen {control}\n"
    );
    let kinds = [
        ("module", &["stdio", "g711", "ausine", "aubridge"][..]),
        ("module_tmp", &["uuid", "account"]),
        ("module_app", &["menu", "contact", "debug_cmd", "ctrl_tcp"]),
    ];
    for (kind, modules) in kinds {
        for module in modules {
            config.push_str(&format!("{kind} {module}.so\n"));
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netstrings_are_taken_one_by_one() {
        assert_eq!(netstring(b"2:{},3:abc,").unwrap(), Some((&b"{}"[..], 5)));
        for part in [&b""[..], b"2", b"2:", b"2:{", b"2:{}"] {
            assert_eq!(netstring(part).unwrap(), None);
        }
        assert!(netstring(b"x:{},").is_err());
        assert!(netstring(b"99999999:{},").is_err());
    }
}
