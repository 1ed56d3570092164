//! Softphones at super-nodes: baresip and JsSIP that call each other, sipp for what goes wrong, crowds and
//! hostile bytes of our own. It runs in a network namespace of its own, whose loopback interface is all
//! there is, so that what goes over the wire can be looked at, and every port is free.

mod browser;
mod crowd;
mod deaths;
mod flood;
mod hostile;
mod passwords;
mod refusals;
mod voice;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::checks::Checks;
use crate::choice::Choice;
use crate::cluster::{Cluster, Shape};
use crate::ports::free_address;
use crate::sip::phone::Phone;
use crate::sip::{baresip, jssip, sipp};
use crate::tools::require;
use crate::unshared::rerun;

/// An answer comes by then, on a busy machine, too.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Super-nodes of most parts: one for each of two people, and one that is neither's.
const NODES: usize = 3;

/// Runs the proof in a namespace.
pub(super) fn run(seed: u64) -> Result<usize> {
    baresip::required()?;
    jssip::required()?;
    sipp::required()?;
    require("ip", "iproute2")?;
    println!("  seed  {seed} (repeat the choices with --seed {seed})");
    rerun(["interop", "sip"], "n", &["--seed".to_owned(), seed.to_string()])
}

/// What all parts have.
struct Stage<'a> {
    dir: &'a Path,
    choice: Choice,
    checks: Checks,
}

/// The proof itself.
pub(super) fn inside(dir: &Path, seed: u64) -> Result<()> {
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    ensure!(up.context("cannot run ip")?.success(), "the loopback interface cannot be had");
    let mut stage = Stage { dir, choice: Choice::seeded(seed), checks: Checks::default() };
    let mut cluster = stage.cluster(NODES)?;
    type Part = fn(&mut Stage<'_>, &mut Cluster) -> Result<()>;
    let parts: [(&str, Part); 7] = [
        ("baresip", voice::run),
        ("JsSIP", browser::run),
        ("passwords", passwords::run),
        ("refusals", refusals::run),
        ("hostile bytes", hostile::run),
        ("floods", flood::run),
        // Last, since not all nodes live on.
        ("deaths", deaths::run),
    ];
    for (name, part) in parts {
        let began = Instant::now();
        part(&mut stage, &mut cluster).context(name)?;
        println!("        {name}: {:.1} s", began.elapsed().as_secs_f64());
    }
    cluster.stop()?;
    let began = Instant::now();
    crowd::run(&mut stage).context("a crowd")?;
    println!("        a crowd: {:.1} s", began.elapsed().as_secs_f64());
    stage.checks.finish().map(|_| ())
}

impl Stage<'_> {
    /// Super-nodes in memory that serve.
    fn cluster(&mut self, nodes: usize) -> Result<Cluster> {
        let shape = Shape { nodes, data: None, base_http: None };
        Cluster::serving(&shape, &mut self.choice)
    }

    /// An address that nobody has.
    fn free(&mut self) -> Result<SocketAddr> {
        free_address(&mut self.choice)
    }
}

/// A loopback address of a caller's own, since limits are by address.
fn loopback(part: u8, number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 1, part, number)
}

/// Where a super-node takes SIP.
fn sip_of(cluster: &Cluster, number: usize) -> Result<SocketAddr> {
    cluster.node(number)?.sip().context("the super-node takes no SIP: sip=- in its ready line")
}

/// Registers a phone with a Contact that leads nowhere: it is reached by the way it came.
fn behind(phone: &mut Phone) -> Result<()> {
    let contact = phone.contact();
    let (user, _) = contact.split_once('@').context("no user")?;
    let contact = format!("{user}@phone.invalid>");
    let fields = [("Contact", contact.as_str()), ("Expires", "120")];
    let request = phone.request("REGISTER", "sip:scope", &fields, "");
    let answer = phone.ask(&request, ANSWER_LIMIT)?;
    ensure!(answer.status() == Some(200), "not registered:\n{}", answer.as_str());
    Ok(())
}
