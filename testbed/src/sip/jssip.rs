//! JsSIP in Node, over a WebSocket: `interop/sip/jssip.cjs`, which takes orders and tells events by lines.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::leash::leashed;
use crate::tools::require;

const SCRIPT: &str = include_str!("../../interop/sip/jssip.cjs");
const PACKAGES: [&str; 2] = ["jssip", "ws"];

/// A running JsSIP.
#[derive(Debug)]
pub(crate) struct JsSip {
    child: Child,
    input: ChildStdin,
    events: Receiver<String>,
}

/// Where its packages are; an error that says what to install, unless they are all there.
pub(crate) fn required() -> Result<PathBuf> {
    require("node", "nodejs")?;
    let own = std::env::current_exe().context("cannot find the testbed's own binary")?;
    // target/release/testbed
    let target = own.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let modules = target.join("tools/npm/node_modules");
    let there = PACKAGES.iter().all(|package| modules.join(package).is_dir());
    ensure!(
        there,
        "JsSIP is missing: npm install --prefix {} {}",
        target.join("tools/npm").display(),
        PACKAGES.join(" ")
    );
    Ok(modules)
}

impl JsSip {
    /// Starts one, and has it register at the super-node that serves HTTP there.
    pub(crate) fn start(dir: &Path, user: &str, http: SocketAddr, password: &str) -> Result<JsSip> {
        let script = dir.join("jssip.cjs");
        std::fs::write(&script, SCRIPT)?;
        let mut command = leashed("node");
        command.env("NODE_PATH", required()?).arg(script);
        command.args([
            format!("ws://{http}/sip"),
            format!("sip:{user}@scope"),
            password.to_owned(),
        ]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start node")?;
        let input = child.stdin.take().context("no standard input")?;
        let output = child.stdout.take().context("no standard output")?;
        // Node waits when it is this far ahead of us.
        let (sender, events) = sync_channel(1000);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(JsSip { child, input, events })
    }

    /// Gives an order.
    pub(crate) fn order(&mut self, order: &str) -> Result<()> {
        writeln!(self.input, "{order}").context("node has ended")
    }

    /// Waits for an event that begins with a word; the rest of it.
    pub(crate) fn wait_for(&mut self, word: &str, limit: Duration) -> Result<String> {
        let (deadline, mut seen) = (Instant::now() + limit, Vec::new());
        while let Ok(line) =
            self.events.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            let (kind, rest) = line.split_once(' ').unwrap_or((&line, ""));
            if kind == word {
                return Ok(rest.to_owned());
            }
            seen.push(line);
        }
        bail!("JsSIP tells no {word:?} within {limit:?}, but {seen:?}")
    }
}

impl Drop for JsSip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
