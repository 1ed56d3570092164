//! Machines made of network namespaces, on a bridge in the namespace this process is in.

use std::ffi::OsString;
use std::fs::read_link;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::checks::within;
use crate::leash::leashed;

const BRIDGE: &str = "bridge";
const PREFIX: &str = "24";
/// The bridge's own address, so that this process can talk to the machines.
const OWN: u8 = 254;

/// A machine's life is bounded even if all else fails.
const LIFE_S: &str = "600";
const START_LIMIT: Duration = Duration::from_secs(5);

/// The bridge.
#[derive(Debug)]
pub(super) struct Lan(());

/// A machine: a network namespace that lives as long as the process in it.
#[derive(Debug)]
pub(super) struct Host {
    process: Child,
    address: IpAddr,
    /// The bridge's end of its cable.
    port: Option<String>,
}

impl Lan {
    /// Makes the bridge. This process must be in a network namespace of its own.
    pub(super) fn new() -> Result<Lan> {
        let others = read_link("/proc/1/ns/net").ok();
        ensure!(others != read_link("/proc/self/ns/net").ok(), "this is the machine's own network");
        ip(None, &["link", "set", "lo", "up"])?;
        // Snooping would hold back multicast from whoever has not asked for it in a way it knows.
        ip(None, &["link", "add", BRIDGE, "type", "bridge", "mcast_snooping", "0"])?;
        ip(None, &["address", "add", &with_prefix(address(OWN)), "dev", BRIDGE])?;
        ip(None, &["link", "set", BRIDGE, "up"])?;
        Ok(Lan(()))
    }

    /// A machine on the bridge; its address ends with its number.
    pub(super) fn connected_host(&self, number: u8) -> Result<Host> {
        let mut host = Host::new(address(number))?;
        let (port, pid) = (format!("port{number}"), host.pid());
        ip(None, &["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
        ip(None, &["link", "set", &port, "master", BRIDGE, "up"])?;
        host.port = Some(port);
        let address = with_prefix(host.address);
        ip(Some(&host), &["address", "add", &address, "broadcast", "+", "dev", "eth0"])?;
        ip(Some(&host), &["link", "set", "eth0", "up"])?;
        Ok(host)
    }

    /// A machine with nothing but loopback.
    pub(super) fn lone_host(&self) -> Result<Host> {
        Host::new(Ipv4Addr::LOCALHOST.into())
    }
}

impl Host {
    fn new(address: IpAddr) -> Result<Host> {
        let mut command = leashed("unshare");
        command.args(["-n", "sleep", LIFE_S]).stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().context("cannot start unshare")?;
        let host = Host { process, address, port: None };
        let (ours, path) =
            (read_link("/proc/self/ns/net")?, format!("/proc/{}/ns/net", host.pid()));
        let apart =
            within(START_LIMIT, || Ok(read_link(&path).is_ok_and(|theirs| theirs != ours)))?;
        ensure!(apart, "no new network namespace within {START_LIMIT:?}");
        ip(Some(&host), &["link", "set", "lo", "up"])?;
        Ok(host)
    }

    /// Its address; loopback's if it is on no bridge.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// What runs a program on it.
    pub(super) fn enter(&self) -> Vec<OsString> {
        ["nsenter", "-t", &self.pid(), "-n", "--"].map(OsString::from).into()
    }

    fn pid(&self) -> String {
        self.process.id().to_string()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The kernel would take the cable away too, but in its own time, and the next machine may
        // want the same port. All of it fails only when it is gone already.
        if let Some(port) = &self.port {
            let _ = ip(None, &["link", "delete", port]);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs `ip`, on a machine or here.
fn ip(host: Option<&Host>, arguments: &[&str]) -> Result<()> {
    let mut words = host.map(Host::enter).unwrap_or_default();
    words.push("ip".into());
    words.extend(arguments.iter().map(OsString::from));
    let output = Command::new(&words[0]).args(&words[1..]).output().context("cannot run ip")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), error.trim());
    Ok(())
}

fn address(number: u8) -> IpAddr {
    Ipv4Addr::new(10, 77, 0, number).into()
}

fn with_prefix(address: IpAddr) -> String {
    format!("{address}/{PREFIX}")
}
