//! The command line: the daemon's options, the client commands and what is made from both, the
//! completions, the man page and the reference.
//!
//! Nothing is decided here. The daemon's options go on to [`crate::config`], a client command to
//! [`crate::client`]. Arguments are parsed into types that cannot be wrong ([`NodeUrl`], [`base::Ttl`]);
//! keys, values and secrets are checked later, since an error of clap's repeats what was typed.

mod client_args;
mod man;
#[cfg(test)]
mod reference;
mod ttl;

use std::ffi::OsString;
use std::io;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Options, variable};

pub use client_args::{
    AdvertiseArgs, ClaimArgs, ClientCommand, Connection, GetArgs, NamesArgs, PhonePasswordArgs,
    PutArgs, RegistrationsArgs, RmArgs, SecretArgs, ServicesArgs, StatusArgs, WithdrawArgs,
};
pub use whatsup::node_url::{NodeUrl, NotANode};

/// What a client command's exit code means; scripts rely on it.
const EXIT_STATUS: &str = "\
Exit status: of the daemon, 0 stopped when told to, 1 could not start, 2 wrong usage or \
configuration; of the commands, 0 done, 1 nothing there (get: no value, rm: no such value, services: \
none, withdraw: not offered, registrations: nobody, names: nobody claims it, claim: taken or not decided, \
phone-password --remove: none was there), 2 wrong \
usage, 3 the node answered with a fault, could not be reached, or its answer could not be printed.";

/// A super-node of SCOPE: it keeps, for everybody near it, what people put
///
/// Without a command it runs the daemon: it serves until SIGTERM or SIGINT and prints one line to
/// standard output once it is ready. The commands are clients of a running super-node.
#[derive(Debug, Parser)]
#[command(
    name = "supernode",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND",
    max_term_width = 100,
    after_help = EXIT_STATUS
)]
pub struct Cli {
    /// What was asked of the daemon; all unset when there is a command.
    #[command(flatten)]
    pub options: Options,

    /// What to do instead of running the daemon.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What `supernode` does instead of running the daemon.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A client's request to a running super-node.
    #[command(flatten)]
    Client(Box<ClientCommand>),

    /// Print a script that completes these commands, for the shell to load
    Completions {
        /// The shell to write for
        shell: clap_complete::Shell,
    },

    /// Print the man page, as in `supernode man | man -l -`
    Man,
}

impl Cli {
    /// Reads the process's arguments. Prints help, the version or what is wrong with them, and ends
    /// the process, where clap does: with code 0 or, for wrong usage, 2.
    pub fn from_process() -> Cli {
        Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads arguments, the program's name being the first.
    ///
    /// # Errors
    /// clap's, to be printed with [`clap::Error::exit`]; `--help` and `--version` are among them.
    pub fn read<T: Into<OsString> + Clone>(
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Cli, clap::Error> {
        Cli::from_arg_matches(&command().try_get_matches_from(arguments)?)
    }
}

/// The commands and options as clap knows them, each daemon option's help naming its variable.
///
/// clap's own `env` is not used: it would read the variables for the client commands too, and take
/// an empty one for a value.
pub fn command() -> clap::Command {
    Cli::command().mut_args(|arg| {
        let (Some(long), Some(help)) = (arg.get_long(), arg.get_help()) else { return arg };
        let help = format!("{help} [env: {}]", variable(long));
        match long {
            // Only here: in the environment or a file `ephemeral` may be false beside `data`.
            "ephemeral" => arg.conflicts_with("data").help(help),
            _ => arg.help(help),
        }
    })
}

/// Writes the script that completes the commands in `shell`.
///
/// # Errors
/// Those of the writer.
pub fn completions(shell: clap_complete::Shell, to: &mut impl io::Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "supernode", &mut script);
    to.write_all(&script)
}

/// Writes the man page, the commands included, in roff.
///
/// # Errors
/// Those of the writer.
pub fn man(to: &mut impl io::Write) -> io::Result<()> {
    to.write_all(&man::page(command())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(line.split_whitespace())
    }

    #[test]
    fn the_definitions_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn without_a_command_the_daemon_runs() {
        let cli = read("supernode --name box --http 127.0.0.1:0 --ephemeral").unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.options.name.as_deref(), Some("box"));
        assert_eq!(cli.options.ephemeral, Some(true));
        assert_eq!(cli.options.public_metrics, None);
    }

    #[test]
    fn wrong_usage_ends_with_code_2() {
        for line in [
            "supernode --http 5851",
            "supernode --http localhost:5851",
            "supernode --ephemeral=perhaps",
            "supernode --data x --ephemeral",
            "supernode --name box put k v",
            "supernode put k",
            "supernode put k v --ttl 0",
            "supernode put k v --secret a --secret-file b",
            "supernode get k --max 0",
            "supernode get k --raw --json",
            "supernode services --max 3",
            "supernode advertise P2PSIP",
            "supernode advertise P2PSIP a:1 --ttl 0",
            "supernode names",
            "supernode claim",
            "supernode claim alice --ttl 8d",
            "supernode claim alice --key-file a --name-passphrase-file b",
            "supernode phone-password",
            "supernode phone-password alice --new --remove",
            "supernode claim alice --withdraw --old-key-file a",
            "supernode status --node https://localhost",
            "supernode completions cmd.exe",
            "supernode fly",
        ] {
            assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_dash_is_a_value_and_names_standard_input() {
        let Some(Command::Client(command)) = read("supernode put k - --ttl 10m").unwrap().command
        else {
            panic!("not a client command");
        };
        let ClientCommand::Put(put) = *command else { panic!("not a put") };
        assert_eq!(put.value, "-");
        assert_eq!(put.ttl.map(base::Ttl::as_secs), Some(600));
        assert_eq!(put.to.node.to_string(), "http://127.0.0.1:5851");
    }

    #[test]
    fn help_names_each_daemon_options_variable_and_no_others() {
        let help = command().render_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains("[env: SUPERNODE_PUBLIC_METRICS]"), "{help}");
        assert!(!help.contains("SUPERNODE_HELP"), "{help}");
        let put = command().find_subcommand_mut("put").unwrap().render_long_help().to_string();
        assert!(!put.contains("[env:"), "{put}");
    }

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        use clap::ValueEnum;
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            completions(*shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for word in ["status", "secret-file", "public-metrics"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
