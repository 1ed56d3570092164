//! How a super-node is started: its options, and where.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::process::Process;
use crate::leash::leashed;

/// Any free port of the loopback interface.
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

/// Where a super-node keeps its entries.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    /// In memory.
    Ephemeral,
    /// In this directory.
    Dir(PathBuf),
}

/// A super-node to be started. Without more it has every option's default.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// What runs it, if it does not run directly.
    through: Vec<OsString>,
    options: Vec<OsString>,
}

impl Launch {
    /// A super-node that keeps its entries there.
    pub(crate) fn new(data: &Data) -> Launch {
        let options = match data {
            Data::Ephemeral => vec!["--ephemeral".into()],
            Data::Dir(dir) => vec!["--data".into(), dir.into()],
        };
        Launch { through: Vec::new(), options }
    }

    /// A super-node that only this machine can reach, that looks for nobody and that nobody finds.
    pub(crate) fn local(data: &Data, http: &str) -> Launch {
        let launch = Launch::new(data).with("--http", http).with("--sip", ANY_PORT);
        launch.with("--p2p", ANY_PORT).without_discovery()
    }

    /// With an option and its value; the last one counts.
    pub(crate) fn with(mut self, option: &str, value: &str) -> Launch {
        if let Some(at) = self.options.iter().position(|known| known == option) {
            self.options.drain(at..at + 2);
        }
        self.options.extend([option.into(), value.into()]);
        self
    }

    /// Joining the super-nodes that listen there, and no others.
    pub(crate) fn joining(mut self, others: impl IntoIterator<Item = SocketAddr>) -> Launch {
        while let Some(at) = self.options.iter().position(|known| known == "--join") {
            self.options.drain(at..at + 2);
        }
        for other in others {
            self.options.extend(["--join".into(), other.to_string().into()]);
        }
        self
    }

    /// Looking for nobody, found by nobody.
    pub(crate) fn without_discovery(mut self) -> Launch {
        self.options.push("--no-discovery".into());
        self
    }

    /// Run by another program, which becomes it.
    pub(crate) fn through(mut self, program: Vec<OsString>) -> Launch {
        self.through = program;
        self
    }

    /// Starts it.
    pub(super) fn spawn(&self) -> Result<Process> {
        let mut words = self.through.iter().cloned().chain([binary()?.into_os_string()]);
        let mut command = leashed(words.next().unwrap_or_default());
        command.args(words).args(&self.options);
        // A setting of whoever runs the testbed must not change what is proved.
        let settings = std::env::vars_os().map(|(name, _)| name);
        for name in settings.filter(|name| name.to_string_lossy().starts_with("SUPERNODE_")) {
            command.env_remove(name);
        }
        Process::spawn(command).context("cannot start the super-node")
    }
}

/// The super-node's binary, built beside the testbed's.
pub(crate) fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the testbed's own binary")?;
    let path = own.parent().unwrap_or(Path::new("/")).join("supernode");
    ensure!(
        path.is_file(),
        "no super-node at {}; build it with `cargo build --release -p supernode`, and run the \
         testbed with `--release` too",
        path.display()
    );
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_named_last_are_joined() {
        let [first, second] = [4711, 4712].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let launch = Launch::new(&Data::Ephemeral).joining([first, first]).joining([second]);
        assert_eq!(launch.options, ["--ephemeral", "--join", "127.0.0.1:4712"]);
    }

    #[test]
    fn an_option_given_again_replaces_the_first() {
        let launch = Launch::local(&Data::Ephemeral, ANY_PORT).with("--p2p", "127.0.0.1:4711");
        let count = launch.options.iter().filter(|option| *option == "--p2p").count();
        assert_eq!(count, 1, "{launch:?}");
        let at = launch.options.iter().position(|option| option == "--p2p").unwrap();
        assert_eq!(launch.options[at + 1], "127.0.0.1:4711");
    }
}
