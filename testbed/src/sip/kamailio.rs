//! Kamailio: a SIP server to measure against.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::phone::Phone;
use super::program::Program;
use crate::checks::within;
use crate::leash::leashed;
use crate::tools::require;

const CONFIG: &str = include_str!("../../peers/kamailio.cfg");
/// Until it answers.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Of memory all of its processes share, and of each one's own, in megabytes.
const MEMORY: [&str; 4] = ["-m", "512", "-M", "16"];

/// A running Kamailio.
#[derive(Debug)]
pub(crate) struct Kamailio {
    program: Program,
    address: SocketAddr,
}

/// An error that names the package, unless it can be run.
pub(crate) fn required() -> Result<()> {
    require("unshare", "util-linux")?;
    require("kamailio", "kamailio")
}

impl Kamailio {
    /// Starts one that serves UDP there.
    pub(crate) fn start(dir: &Path, address: SocketAddr) -> Result<Kamailio> {
        let run = dir.join("kamailio");
        std::fs::create_dir_all(&run)?;
        let modules = format!("/usr/lib/{}-linux-gnu/kamailio/modules/", std::env::consts::ARCH);
        let config =
            CONFIG.replace("{listen}", &address.to_string()).replace("{modules}", &modules);
        let path = run.join("kamailio.cfg");
        std::fs::write(&path, config)?;
        // It is several processes, which end with it only if they are in a namespace that it began.
        let mut command = leashed("unshare");
        let user = if rustix::process::geteuid().is_root() { "" } else { "Ur" };
        command.arg(format!("-{user}p")).args(["--fork", "--kill-child", "kamailio"]);
        command.arg("-f").arg(&path).args(MEMORY).arg("-DD").arg("-Y").arg(&run);
        let mut program = Program::start(command, &run.join("log"))?;
        let mut phone = Phone::new("probe", address.ip(), address)?;
        let mut serves = false;
        within(START_LIMIT, || {
            let ended = program.wait(Duration::ZERO)?;
            ensure!(ended.is_none(), "Kamailio has ended:\n{}", program.log());
            let request = phone.registration(60, &[]);
            serves = phone.status(&request, Duration::from_millis(200)).is_ok();
            Ok(serves)
        })?;
        ensure!(serves, "Kamailio does not answer:\n{}", program.log());
        Ok(Kamailio { program, address })
    }

    /// Where it serves.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its first process, which all others come from.
    pub(crate) fn pid(&self) -> u32 {
        self.program.pid()
    }
}
