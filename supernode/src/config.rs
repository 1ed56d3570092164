//! The daemon's configuration: one [`Config`] out of four layers.
//!
//! ```text
//! command line  >  environment  >  TOML file  >  defaults
//!    Options         Options        Options       Config::resolve
//! ```
//!
//! Each layer is read into the same [`Options`], whose fields are the only list of options there
//! is; [`Config::resolve`] takes each from the first layer that sets it. It is pure, and
//! [`Config::load`] hands it the process's environment, the host's name and the file.

mod error;
mod join_address;
mod layer;
mod options;
mod protection;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use error::{ConfigError, Warning};
pub use join_address::{JoinAddress, NotAnAddress};
use layer::Origin;
pub use options::{
    DEFAULT_HTTP, DEFAULT_LOG, DEFAULT_P2P, DEFAULT_SIP, DEFAULT_SIP_RATE, HTTP_PORT, Options,
    P2P_PORT, SIP_PORT, variable,
};
#[cfg(test)]
pub(crate) use reference::assert_page;

use crate::passphrase::{Passphrase, PassphraseFile};

/// What the daemon runs with: every option, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The name people see, 1 to 63 bytes. Default: the host name, or `supernode` without one.
    pub name: String,
    /// Where the identity and everything stored are kept. Default: a directory of the user's.
    pub storage: Storage,
    /// Where HTTP and XML-RPC are served; port 0 picks a free one. Default: [`DEFAULT_HTTP`].
    pub http: SocketAddr,
    /// Where telephones reach this one; port 0 picks a free one. Default: [`DEFAULT_SIP`].
    pub sip: SocketAddr,
    /// How many SIP requests a second one address may send; 0 is any number.
    pub sip_rate: u32,
    /// Where other super-nodes reach this one; port 0 picks a free one. Default: [`DEFAULT_P2P`].
    pub p2p: SocketAddr,
    /// Super-nodes to join. Default: none.
    pub join: Vec<JoinAddress>,
    /// Whether to look for super-nodes on the networks this machine is in. Default: yes.
    pub discovery: bool,
    /// What those must know who want in. Default: nothing, everybody may.
    pub passphrase: Option<Passphrase>,
    /// Whether `/metrics` answers other machines too. Default: this one only.
    pub public_metrics: bool,
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`. Default: [`DEFAULT_LOG`].
    pub log: String,
}

/// Where a super-node keeps its identity and what it stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In a directory, which may not exist yet. A relative one counts from the working directory.
    Directory(PathBuf),
    /// In memory, until the process ends.
    Ephemeral,
}

/// What a configuration depends on besides the command line and the file.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The environment variables, each at most once.
    pub variables: Vec<(OsString, OsString)>,
    /// What the machine calls itself, if it does.
    pub host_name: Option<String>,
}

/// The files a configuration may name.
pub trait Files {
    /// The text of a configuration file.
    ///
    /// # Errors
    /// The system's.
    fn configuration(&self, path: &Path) -> io::Result<String>;

    /// A passphrase's file.
    ///
    /// # Errors
    /// The system's.
    fn passphrase(&self, path: &Path) -> io::Result<PassphraseFile>;
}

/// Those of this machine.
struct Disk;

impl Files for Disk {
    fn configuration(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn passphrase(&self, path: &Path) -> io::Result<PassphraseFile> {
        PassphraseFile::read(path)
    }
}

impl Config {
    /// The configuration of this process, given its command line; with what is to be logged about
    /// it once there is a log.
    ///
    /// # Errors
    /// [`ConfigError`], fit to be shown as it is.
    pub fn load(arguments: Options) -> Result<(Config, Vec<Warning>), ConfigError> {
        let surroundings = Surroundings {
            variables: std::env::vars_os().collect(),
            host_name: rustix::system::uname().nodename().to_str().ok().map(str::to_owned),
        };
        Config::resolve(arguments, &surroundings, &Disk)
    }

    /// The configuration that a command line, surroundings and files make.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong.
    pub fn resolve(
        arguments: Options,
        surroundings: &Surroundings,
        files: &impl Files,
    ) -> Result<(Config, Vec<Warning>), ConfigError> {
        let (environment, mut warnings) = layer::environment(&surroundings.variables)?;
        let mut layers = vec![(Origin::CommandLine, arguments), (Origin::Environment, environment)];
        if let Some(path) = first(&layers, |options| options.config.clone()) {
            let text = files
                .configuration(&path)
                .map_err(|cause| ConfigError::Unreadable { path: path.clone(), cause })?;
            let options = layer::file(&path, &text)?;
            layers.push((Origin::File(path), options));
        }
        let passphrase = protection::passphrase(&layers, surroundings, files, &mut warnings)?;
        let config = Config {
            name: first(&layers, |options| options.name.clone())
                .unwrap_or_else(|| default_name(surroundings)),
            storage: storage(&layers, surroundings)?,
            http: first(&layers, |options| options.http).unwrap_or(DEFAULT_HTTP),
            sip: first(&layers, |options| options.sip).unwrap_or(DEFAULT_SIP),
            sip_rate: first(&layers, |options| options.sip_rate).unwrap_or(DEFAULT_SIP_RATE),
            p2p: first(&layers, |options| options.p2p).unwrap_or(DEFAULT_P2P),
            join: first(&layers, |options| options.join.clone()).unwrap_or_default(),
            discovery: first(&layers, |options| options.no_discovery) != Some(true),
            passphrase,
            public_metrics: first(&layers, |options| options.public_metrics).unwrap_or(false),
            log: first(&layers, |options| options.log.clone())
                .unwrap_or_else(|| DEFAULT_LOG.into()),
        };
        Ok((config, warnings))
    }
}

/// An option from the first layer that sets it.
fn first<T>(layers: &[(Origin, Options)], option: impl Fn(&Options) -> Option<T>) -> Option<T> {
    layers.iter().find_map(|(_, options)| option(options))
}

/// `data` and `ephemeral` are one choice, so the first layer that makes it decides; making it both
/// ways in one layer is a contradiction.
fn storage(
    layers: &[(Origin, Options)],
    surroundings: &Surroundings,
) -> Result<Storage, ConfigError> {
    let ephemeral = first(layers, |options| options.ephemeral) == Some(true);
    for (origin, options) in layers {
        match &options.data {
            Some(_) if ephemeral && options.ephemeral == Some(true) => {
                let (data, ephemeral) = (origin.name("data"), origin.name("ephemeral"));
                return Err(ConfigError::TwoStores { data, ephemeral });
            }
            Some(data) => return Ok(Storage::Directory(data.clone())),
            None if ephemeral && options.ephemeral == Some(true) => return Ok(Storage::Ephemeral),
            None => {}
        }
    }
    default_data(surroundings).map(Storage::Directory).ok_or(ConfigError::NoHome)
}

/// The host name without its domain, if it can be a super-node's name.
fn default_name(surroundings: &Surroundings) -> String {
    let host = surroundings.host_name.as_deref().unwrap_or_default();
    let label = host.split('.').next().unwrap_or_default();
    if options::is_name(label) { label.into() } else { "supernode".into() }
}

/// The user's directory for data, as the XDG Base Directory Specification has it: a relative path
/// in `XDG_DATA_HOME` is to be ignored.
fn default_data(surroundings: &Surroundings) -> Option<PathBuf> {
    let variable = |name: &str| {
        let found =
            surroundings.variables.iter().find(|(variable, _)| variable == OsStr::new(name));
        found.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    let share = variable("XDG_DATA_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/share")));
    share.map(|share| share.join("supernode"))
}
