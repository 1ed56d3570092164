//! `testbed cluster`: a cluster for people and scripts, until it is told to stop.

use std::path::PathBuf;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Cluster, Shape, name};
use crate::choice::{Choice, fresh_seed};
use crate::interrupt::told_to_stop;

/// What is asked for on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    /// How many super-nodes.
    #[arg(short, long, value_name = "N")]
    nodes: usize,
    /// The first one's HTTP port, the others' following; without it, free ones.
    #[arg(long, value_name = "PORT")]
    base_http: Option<u16>,
    /// Keep everything in memory; this is the default.
    #[arg(long, conflicts_with = "data")]
    ephemeral: bool,
    /// Keep each one's data in a directory of its own in here, and start with what is there.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Stop after this many seconds, not only when told to.
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
}

/// Starts the cluster, says so, and waits for the end.
pub(crate) fn run(request: Request) -> Result<()> {
    let Request { nodes, base_http, ephemeral: _, data, seconds } = request;
    if let Some(dir) = &data {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let stop = told_to_stop()?;
    let shape = Shape { nodes, data, base_http };
    let mut cluster = Cluster::new(&shape, &mut Choice::seeded(fresh_seed()))?;
    cluster.launch()?;
    for (number, node) in cluster.running() {
        println!("{} http={} p2p={}", name(number), node.http(), node.p2p());
    }
    cluster.wait_until_serving(|| {
        ensure!(stop.try_recv().is_err(), "told to stop before all nodes served");
        Ok(())
    })?;
    println!("ready nodes={nodes}");
    let limit = seconds.map_or(Duration::MAX, Duration::from_secs);
    match stop.recv_timeout(limit) {
        Ok(()) | Err(RecvTimeoutError::Timeout) => cluster.stop(),
        Err(RecvTimeoutError::Disconnected) => bail!("nobody waits for signals any more"),
    }
}
