//! Machines made of network namespaces, on bridges in the namespace this process is in.
//!
//! All are in one subnet, as on one cable. Each side has its own half of the addresses, and a
//! bridge; this process is on each side with an address of that side, so that it reaches both
//! whether or not they are joined.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;

use crate::netns::{Namespace, ip};

/// Of a machine's address: all others are on the same cable.
const PREFIX: &str = "24";
/// Of this process's way to a side.
const SIDE_PREFIX: &str = "25";
/// This process's own address, of the numbers on a side.
const OWN: u8 = 126;

/// A machine's life is bounded even if all else fails.
const LIFE_S: &str = "1200";

/// One of two networks that may be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A bridge.
#[derive(Debug)]
pub(super) struct Lan {
    side: Side,
}

/// A cable between the two bridges.
#[derive(Debug)]
pub(super) struct Cable(());

/// A machine.
#[derive(Debug)]
pub(super) struct Host {
    namespace: Namespace,
    address: IpAddr,
    /// The bridge's end of its cable.
    port: Option<String>,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Left => "left",
            Side::Right => "right",
        }
    }

    /// The hardware address of its bridge.
    fn bridge(self) -> &'static str {
        match self {
            Side::Left => "02:00:00:00:00:01",
            Side::Right => "02:00:00:00:00:02",
        }
    }

    /// A machine's address, by its number on this side.
    fn address(self, number: u8) -> IpAddr {
        let first = match self {
            Side::Left => 0,
            Side::Right => 128,
        };
        Ipv4Addr::new(10, 77, 0, first + number).into()
    }
}

impl Lan {
    /// Makes the bridge of a side.
    pub(super) fn new(side: Side) -> Result<Lan> {
        let (name, own) = (side.name(), side.address(OWN).to_string());
        // Snooping would hold back multicast from whoever has not asked for it in a way it knows.
        let kind = ["address", side.bridge(), "type", "bridge", "mcast_snooping", "0"];
        ip(None, &[&["link", "add", name], &kind[..]].concat())?;
        ip(None, &["address", "add", &own, "dev", name])?;
        ip(None, &["link", "set", name, "up"])?;
        let reached = format!("{}/{SIDE_PREFIX}", side.address(0));
        ip(None, &["route", "add", &reached, "dev", name, "src", &own])?;
        Ok(Lan { side })
    }

    /// A machine on the bridge, by its number.
    pub(super) fn connected_host(&self, number: u8) -> Result<Host> {
        let mut host = Host::new(self.side.address(number))?;
        let (name, pid) = (self.side.name(), host.namespace.pid());
        let port = format!("{name}{number}");
        ip(None, &["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
        ip(None, &["link", "set", &port, "master", name, "up"])?;
        host.port = Some(port);
        let address = format!("{}/{PREFIX}", host.address);
        ip(Some(&host.namespace), &["address", "add", &address, "broadcast", "+", "dev", "eth0"])?;
        ip(Some(&host.namespace), &["link", "set", "eth0", "up"])?;
        // Asked who has this process's address, both bridges would answer; who believed the other
        // one would lose this process when the sides are parted.
        let (own, bridge) = (self.side.address(OWN).to_string(), self.side.bridge());
        let entry = ["neigh", "add", &own, "lladdr", bridge, "dev", "eth0", "nud", "permanent"];
        ip(Some(&host.namespace), &entry)?;
        Ok(host)
    }

    /// A machine with nothing but loopback.
    pub(super) fn lone_host(&self) -> Result<Host> {
        Host::new(Ipv4Addr::LOCALHOST.into())
    }
}

impl Cable {
    /// Joins the two sides.
    pub(super) fn between(left: &Lan, right: &Lan) -> Result<Cable> {
        let ends = ["cable-l", "cable-r"];
        ip(None, &["link", "add", ends[0], "type", "veth", "peer", "name", ends[1]])?;
        for (end, lan) in ends.into_iter().zip([left, right]) {
            ip(None, &["link", "set", end, "master", lan.side.name(), "up"])?;
        }
        Ok(Cable(()))
    }

    /// Parts the sides, as when the cable is pulled: nobody is told.
    pub(super) fn cut(&self) -> Result<()> {
        ip(None, &["link", "set", "cable-l", "down"])
    }

    /// Joins them again.
    pub(super) fn mend(&self) -> Result<()> {
        ip(None, &["link", "set", "cable-l", "up"])
    }
}

impl Host {
    fn new(address: IpAddr) -> Result<Host> {
        Ok(Host { namespace: Namespace::new(LIFE_S)?, address, port: None })
    }

    /// Its address; loopback's if it is on no bridge.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// What runs a program on it.
    pub(super) fn enter(&self) -> Vec<OsString> {
        self.namespace.enter()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The kernel would take the cable away too, but in its own time, and the next machine may
        // want the same port. All of it fails only when it is gone already.
        if let Some(port) = &self.port {
            let _ = ip(None, &["link", "delete", port]);
        }
    }
}
