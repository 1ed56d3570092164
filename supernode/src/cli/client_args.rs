//! The arguments of the commands that speak to a running super-node.

use std::ffi::OsString;
use std::path::PathBuf;

use base::Ttl;
use clap::{Args, Subcommand};

use super::ttl;
use whatsup::node_url::NodeUrl;

/// A request to a running super-node.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Put a value under a key, beside the values that are there
    Put(PutArgs),
    /// Print the values under a key
    Get(GetArgs),
    /// Remove one value from under a key
    Rm(RmArgs),
    /// List the services there are, or who offers one
    Services(ServicesArgs),
    /// Offer a service at a contact, for as long as the super-node runs
    Advertise(AdvertiseArgs),
    /// Offer a service at a contact no more
    Withdraw(WithdrawArgs),
    /// Show who has a name, and who else claims it or one that looks like it
    Names(NamesArgs),
    /// Claim a name, so that what is said in it can be believed, and wait until that is decided
    Claim(Box<ClaimArgs>),
    /// Protect a name by a password for softphones, and print what to type into them; print it again
    PhonePassword(PhonePasswordArgs),
    /// List who is registered at a super-node by SIP; on its own machine only
    Registrations(RegistrationsArgs),
    /// Show how a super-node is doing
    Status(StatusArgs),
}

/// Which node is asked, and for whom the answer is.
#[derive(Debug, Args)]
pub struct Connection {
    /// The super-node: a URL, or a host with or without a port
    #[arg(long, value_name = "URL", default_value_t = NodeUrl::local())]
    pub node: NodeUrl,

    /// Read the overlay's passphrase from a file, for a node on another machine that wants one; else
    /// it is taken from the variable SUPERNODE_PASSPHRASE, if that is set
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,

    /// Print one JSON object, for programs; a failure is {"error": …}
    #[arg(long)]
    pub json: bool,
}

/// The secret that protects a value against removal by others.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct SecretArgs {
    /// What removing the value takes; everyone on this machine can read it in the process list,
    /// and it may stay in the shell's history: prefer --secret-file
    #[arg(long, value_name = "SECRET")]
    pub secret: Option<OsString>,

    /// Read the secret from a file, without the line break at its end
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

/// `supernode put`.
#[derive(Debug, Args)]
pub struct PutArgs {
    /// Any text of at most 1024 bytes
    pub key: OsString,

    /// At most 65536 bytes; "-" reads them from standard input
    pub value: OsString,

    /// How long the value is kept, from 1s to 7d: seconds, or a number with s, m, h or d; the node
    /// decides when it is not given
    #[arg(long, value_parser = ttl::parse)]
    pub ttl: Option<Ttl>,

    /// The service it is a key of, as in P2PSIP; of none when it is not given
    #[arg(long, value_name = "ID")]
    pub service: Option<OsString>,

    /// What protects the value.
    #[command(flatten)]
    pub secret: SecretArgs,

    /// Where it goes.
    #[command(flatten)]
    pub to: Connection,
}

/// `supernode get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// The key the values were put under
    pub key: OsString,

    /// At most so many values; all of them when it is not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max: Option<u32>,

    /// The service it is a key of, as in P2PSIP; of none when it is not given
    #[arg(long, value_name = "ID")]
    pub service: Option<OsString>,

    /// Write the values' bytes one after the other and nothing else
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,

    /// Where they are asked for.
    #[command(flatten)]
    pub from: Connection,
}

/// `supernode rm`.
#[derive(Debug, Args)]
pub struct RmArgs {
    /// The key the value was put under
    pub key: OsString,

    /// The value, byte for byte; "-" reads it from standard input
    pub value: OsString,

    /// The service it is a key of, as in P2PSIP; of none when it is not given
    #[arg(long, value_name = "ID")]
    pub service: Option<OsString>,

    /// What the value was put with.
    #[command(flatten)]
    pub secret: SecretArgs,

    /// Where it is removed.
    #[command(flatten)]
    pub at: Connection,
}

/// `supernode registrations`.
#[derive(Debug, Args)]
pub struct RegistrationsArgs {
    /// Who is asked.
    #[command(flatten)]
    pub at: Connection,
}

/// `supernode services`.
#[derive(Debug, Args)]
pub struct ServicesArgs {
    /// The service whose providers are listed; without it the services are
    pub service: Option<OsString>,

    /// At most so many providers; all of them when it is not given
    #[arg(long, value_name = "N", requires = "service", value_parser = clap::value_parser!(u32).range(1..))]
    pub max: Option<u32>,

    /// Where it is asked.
    #[command(flatten)]
    pub from: Connection,
}

/// `supernode advertise`.
#[derive(Debug, Args)]
pub struct AdvertiseArgs {
    /// The service: 1 to 64 bytes of letters, digits and ASCII punctuation
    pub service: OsString,

    /// Where it is offered: HOST:PORT, as in 192.0.2.1:5061
    pub contact: OsString,

    /// For how long, from 1s to 7d: seconds, or a number with s, m, h or d; the node decides when it
    /// is not given
    #[arg(long, value_parser = ttl::parse)]
    pub ttl: Option<Ttl>,

    /// Who keeps it.
    #[command(flatten)]
    pub at: Connection,
}

/// `supernode withdraw`.
#[derive(Debug, Args)]
pub struct WithdrawArgs {
    /// The service
    pub service: OsString,

    /// Where it was offered
    pub contact: OsString,

    /// Who kept it.
    #[command(flatten)]
    pub at: Connection,
}

/// `supernode names`.
#[derive(Debug, Args)]
pub struct NamesArgs {
    /// The name
    pub name: OsString,

    /// Where it is asked.
    #[command(flatten)]
    pub from: Connection,
}

/// `supernode claim`.
#[derive(Debug, Args)]
pub struct ClaimArgs {
    /// The name: 1 to 64 bytes of letters and digits of one script, "-", "_" and "."
    pub name: OsString,

    /// How long the claim lives, from 1s to 7d; claim again before that to keep the name [default: 7d]
    #[arg(long, value_parser = ttl::parse)]
    pub ttl: Option<Ttl>,

    /// Take the passphrase of the name from a file, or from standard input for "-"; else it is taken
    /// from the variable SUPERNODE_NAME_PASSPHRASE, if that is set; else one is made and printed once
    #[arg(long, value_name = "FILE")]
    pub name_passphrase_file: Option<PathBuf>,

    /// Take a random key from this file instead of one made of a passphrase; a new one is made if there
    /// is no such file
    #[arg(long, value_name = "FILE", conflicts_with = "name_passphrase_file")]
    pub key_file: Option<PathBuf>,

    /// Take the name over from the key that the passphrase in this file makes
    #[arg(long, value_name = "FILE", conflicts_with = "withdraw")]
    pub old_passphrase_file: Option<PathBuf>,

    /// Take the name over from the key in this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["withdraw", "old_passphrase_file"])]
    pub old_key_file: Option<PathBuf>,

    /// Give the name back
    #[arg(long)]
    pub withdraw: bool,

    /// Where it is claimed.
    #[command(flatten)]
    pub at: Connection,
}

/// `supernode phone-password`.
#[derive(Debug, Args)]
pub struct PhonePasswordArgs {
    /// A name you have claimed
    pub name: OsString,

    /// Take the passphrase of the name from a file, or from standard input for "-"; else it is taken
    /// from the variable SUPERNODE_NAME_PASSPHRASE, if that is set
    #[arg(long, value_name = "FILE")]
    pub name_passphrase_file: Option<PathBuf>,

    /// Take the name's key from this file instead of a passphrase
    #[arg(long, value_name = "FILE", conflicts_with = "name_passphrase_file")]
    pub key_file: Option<PathBuf>,

    /// Make another password, in place of the one there is
    #[arg(long)]
    pub new: bool,

    /// Open the name: anybody may telephone under it again
    #[arg(long, conflicts_with = "new")]
    pub remove: bool,

    /// Where it is said.
    #[command(flatten)]
    pub at: Connection,
}

/// `supernode status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Who is asked.
    #[command(flatten)]
    pub of: Connection,
}

impl ClientCommand {
    /// Which node is asked, and for whom the answer is.
    pub fn connection(&self) -> &Connection {
        match self {
            ClientCommand::Put(put) => &put.to,
            ClientCommand::Get(get) => &get.from,
            ClientCommand::Rm(rm) => &rm.at,
            ClientCommand::Services(services) => &services.from,
            ClientCommand::Advertise(advertise) => &advertise.at,
            ClientCommand::Withdraw(withdraw) => &withdraw.at,
            ClientCommand::Names(names) => &names.from,
            ClientCommand::Claim(claim) => &claim.at,
            ClientCommand::PhonePassword(password) => &password.at,
            ClientCommand::Registrations(registrations) => &registrations.at,
            ClientCommand::Status(status) => &status.of,
        }
    }
}
