//! The emulated radio, held against what its scenario says: throughput, loss, delay, and the seed's
//! decisions on real frames; then what stands on it: routing over several hops, an overlay of nine, and
//! that nothing stays when it is killed.
//!
//! Nothing is compared with the machine's own time, which a busy machine makes longer; what is compared
//! with the air's clock is a share.

mod guide;
mod link;
mod whole;

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::Request;
use crate::air::{Laptops, Scenario, ip_address};
use crate::checks::Checks;
use crate::netns::prepare;
use crate::tools::require;
use crate::unshared::rerun;

/// Runs the drill in a namespace.
pub(super) fn run(request: &Request) -> Result<usize> {
    require("ip", "iproute2")?;
    require("nsenter", "util-linux")?;
    require("/usr/sbin/babeld", "babeld")?;
    rerun(["drill", "air"], "n", &request.arguments())
}

/// The drill itself.
pub(super) fn inside(dir: &Path, request: &Request) -> Result<()> {
    prepare()?;
    let mut checks = Checks::default();
    for (metres, mbps) in [(5, 6), (5, 24), (20, 12)] {
        let what = format!("a flood over {metres} m at {mbps} Mb/s is as fast as the model says");
        checks.check(&what, || link::throughput(metres, mbps));
    }
    checks.check("of two floods each has its share of the air", link::shared);
    checks.check("twelve pairs out of each other's range have an air each", link::crowd);
    checks.check("which frames are lost is what the seed says, and so many as the curve", || {
        link::loss(request.seed, dir)
    });
    checks.check("a delay is kept", link::delay);
    checks.check("who walks away is not heard any more", link::walk);
    checks.check("laptops beyond each other's range reach each other by babeld", whole::routed);
    checks.check("nine super-nodes find each other; a put on one is read on another", whole::grid);
    checks.check("a killed testbed leaves nothing", || whole::killed(dir));
    checks.check("bad scenarios are refused in one line", || whole::refused(dir));
    checks.check("the guide's commands print what it shows", || guide::run(dir));
    checks.finish().map(|_| ())
}

/// Laptops without super-nodes, from the text of a scenario after its name.
fn laptops(text: &str, seed: u64, record: Option<&Path>) -> Result<Laptops> {
    let scenario = Scenario::parse(&format!("name = \"drill\"\n{text}"), "drill", Some(seed))?;
    let laptops = Laptops::new(scenario.with_supernodes(0), record)?;
    for number in 0..laptops.scenario().laptops.len() {
        if laptops.scenario().routes() {
            continue;
        }
        // It announces itself by multicast when it likes; then frames could not be counted.
        laptops.on(number, || {
            let setting = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
            if Path::new(setting).exists() {
                std::fs::write(setting, "1")?;
            }
            Ok(())
        })?;
    }
    Ok(laptops)
}

/// A socket on a laptop, that waits for a moment only.
fn socket(laptops: &Laptops, number: usize) -> Result<UdpSocket> {
    const PATIENCE: Duration = Duration::from_millis(200);
    let socket = laptops.on(number, || Ok(UdpSocket::bind((ip_address(number), 0))?))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}
