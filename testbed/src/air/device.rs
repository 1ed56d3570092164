//! A laptop's wireless interface, as its programs see it: a TAP device in its namespace.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use super::frame::address;
use crate::netns::{Namespace, ip};

/// What it is called.
pub(crate) const NAME: &str = "air0";

/// What an Ethernet carries, and what LLC and SNAP leave well below 802.11's 2304 bytes.
const MTU: u16 = 1500;

/// The network all laptops are in.
const PREFIX: u8 = 16;

/// A device. Dropping it takes the interface away.
pub(crate) struct Device(SyncDevice);

/// A laptop's address, by its number.
pub(crate) fn ip_address(station: usize) -> Ipv4Addr {
    let [.., high, low] = (station + 1).to_be_bytes();
    Ipv4Addr::new(10, 77, high, low)
}

/// The network all laptops are in.
pub(crate) fn network() -> String {
    format!("10.77.0.0/{PREFIX}")
}

impl Device {
    /// Makes the interface of a laptop in its namespace.
    pub(crate) fn new(namespace: &Namespace, station: usize) -> Result<Device> {
        let device = namespace.run(|| {
            let device = DeviceBuilder::new().name(NAME).layer(Layer::L2).mtu(MTU);
            let device = device.mac_addr(address(station)).build_sync().context(
                "cannot make a TAP device; /dev/net/tun has to be there (modprobe tun) and to be \
                 open to you (chmod 0666 /dev/net/tun)",
            )?;
            device.set_nonblocking(true).context("cannot set up the TAP device")?;
            Ok(device)
        })?;
        let address = format!("{}/{PREFIX}", ip_address(station));
        ip(Some(namespace), &["address", "add", &address, "broadcast", "+", "dev", NAME])?;
        ip(Some(namespace), &["link", "set", NAME, "up"])?;
        Ok(Device(device))
    }

    /// The next frame that the laptop sends, if there is one.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.0.recv(buffer) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the laptop a frame; false if it takes none.
    pub(crate) fn write(&self, frame: &[u8]) -> bool {
        self.0.send(frame).is_ok()
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Device")
    }
}
