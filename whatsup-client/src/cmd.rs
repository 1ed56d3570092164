//! The command `whatsup`: each noun's file under `cmd/` has its arguments and does what they say, over
//! [`Net`] alone, so that tests run commands on an overlay in memory.
//!
//! ```text
//! arguments ──Cli──► Command ──cmd/<noun>.rs──► Answer or CommandError ──answer.rs──► streams, exit code
//! ```
//!
//! To add one: a file with `Args` (clap's) and `run(args, &mut Context) -> Result<Answer, CommandError>`, a
//! variant of [`Command`] and its arm in `perform`; `UPDATE_DOCS=1 cargo test -p whatsup-client` writes the
//! reference page.

mod alerts;
mod answer;
mod bar;
mod block;
mod comment;
mod community;
mod connection;
mod context;
mod error;
mod feed;
mod fetch;
mod find;
mod follow;
mod here;
mod home;
mod inbox;
mod login;
mod man;
mod outbox;
mod poll;
mod postbox;
mod posts;
mod profile;
#[cfg(test)]
mod reference;
mod renewal;
mod resolve;
mod say;
mod services;
mod share;
mod shown;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod verify;
mod watch;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::net::Net;
use crate::node_url::NodeUrl;

pub use answer::Answer;
pub use context::{Context, Streams, Surroundings, TerminalKind};
pub use error::CommandError;
pub use home::Home;
pub use table::Table;

/// What an exit code means; scripts rely on it.
const EXIT_STATUS: &str = "\
Exit status: 0 done; 1 nothing there, or the answer is no; 2 wrong usage, or nobody is logged in; 3 a file \
or an output failed on this machine; 4 no super-node answers; 5 the super-node refused; 6 too few replicas \
answered, or there is no room: try again.";

/// What's UP: people, what they share, communities and calls, on the laptops around you
///
/// Everything goes through a super-node near you, and works without the Internet, a server or an account.
#[derive(Debug, Parser)]
#[command(
    name = "whatsup",
    version,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND",
    max_term_width = 100,
    after_help = EXIT_STATUS
)]
pub struct Cli {
    /// What all commands have.
    #[command(flatten)]
    pub global: Global,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that all commands have.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// A super-node, as in http://127.0.0.1:5851; if it fails the next one is asked. May be given several
    /// times, or in WHATSUP_NODE with commas between them
    #[arg(
        long = "node",
        value_name = "URL",
        global = true,
        env = "WHATSUP_NODE",
        hide_env = true,
        value_delimiter = ',',
        default_values_t = [NodeUrl::local()]
    )]
    pub nodes: Vec<NodeUrl>,

    /// Print one JSON object, for programs; a failure is {"error": …}
    #[arg(long, global = true)]
    pub json: bool,

    /// Where your key is kept; else WHATSUP_HOME, else whatsup in your data directory
    #[arg(long, value_name = "DIR", global = true, env = "WHATSUP_HOME", hide_env = true)]
    pub home: Option<PathBuf>,

    /// Read the overlay's passphrase from a file, for a super-node that wants one; else it is taken from
    /// SUPERNODE_PASSPHRASE, if that is set
    #[arg(long, value_name = "FILE", global = true)]
    pub passphrase_file: Option<PathBuf>,
}

/// What `whatsup` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Be somebody: claim a name, or come back
    Login(login::Login),
    /// Be nobody here; your name stays yours
    Logout(login::Logout),
    /// Show who you are
    Whoami,
    /// Say who you are, and see who others are
    #[command(subcommand)]
    Profile(profile::Command),
    /// Find people, what they share, communities and services, by words
    Find(find::Args),
    /// Share a text, a link, an image or any file with everybody, or with a community
    Share(share::Args),
    /// Show what people and communities share whom you follow, the newest first
    Feed(feed::Args),
    /// List what somebody shares, or show one post with what is said about it
    Posts(posts::Args),
    /// Say something about a post, news, an event, a poll
    Comment(comment::Say),
    /// List what is said about a post, news, an event, a poll
    Comments(comment::List),
    /// Fetch a shared file; broken off, it goes on from there
    Fetch(fetch::Args),
    /// Take back a post of yours, with its file, or a comment
    Delete(posts::Delete),
    /// Communities: join, share news and events, moderate
    #[command(subcommand)]
    Community(community::Command),
    /// Polls of communities
    #[command(subcommand)]
    Poll(poll::Command),
    /// Tell what happens in the communities you follow, as it happens
    Alerts(alerts::Args),
    /// Write somebody a message that only they can read
    Say(say::Args),
    /// Fetch your messages, and show what was said
    Inbox(inbox::Args),
    /// Show what you said that nobody has fetched yet
    Outbox(outbox::Args),
    /// Make sure that somebody is who you think, when you meet
    Verify(verify::Args),
    /// Follow people: what they share is in your feed
    Follow(follow::FollowArgs),
    /// Follow people no more
    Unfollow(follow::UnfollowArgs),
    /// See nothing more of somebody: in feeds, searches and messages; on all your devices
    Block(block::Block),
    /// Take a block back
    Unblock(block::Unblock),
    /// List the services there are, or who offers one
    Services(services::Args),
    /// Show who is here, and who can be called
    Who(here::Who),
    /// Be here: others see it while this runs
    Here(here::Here),
    /// See what is shared, said to you, and who is here, as it happens
    Watch(watch::Args),
    /// Call somebody with a telephone program of this machine
    Call(here::Call),
    /// Show where somebody can be called, as in sip:alice
    Resolve(resolve::Args),

    /// Print a script that completes these commands, for the shell to load
    Completions {
        /// The shell to write for
        shell: clap_complete::Shell,
    },
    /// Print the man page, as in `whatsup man | man -l -`
    Man,
}

impl Command {
    /// Whether what the person has in the overlay may be renewed first.
    fn is_somebodys(&self) -> bool {
        !matches!(
            self,
            Command::Login(_) | Command::Logout(_) | Command::Completions { .. } | Command::Man
        )
    }
}

impl Cli {
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

/// The commands and options as clap knows them.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what a command says, over the super-nodes it names, and prints what came of it: the exit code.
pub async fn run_over_http(cli: Cli, streams: Streams<'_>) -> u8 {
    let Global { nodes, json, home, passphrase_file } = &cli.global;
    match connection::connect(nodes, passphrase_file.as_deref(), home.as_ref()) {
        Ok((net, around)) => {
            // For no longer than the overlay is there.
            let Streams { stdin, out, err } = streams;
            run(cli, &net, &around, Streams { stdin, out, err }).await
        }
        Err(error) => context::print(&Err(error), *json, streams),
    }
}

/// Does what a command says and prints what came of it: the exit code.
pub async fn run<'a>(cli: Cli, net: &'a Net, around: &'a Surroundings, streams: Streams<'a>) -> u8 {
    let mut context = Context::new(net, around, cli.global.json, streams);
    let answer = perform(cli.command, &mut context).await;
    context.end(&answer)
}

async fn perform(command: Command, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    if command.is_somebodys() {
        renewal::keep_alive(context).await;
    }
    match command {
        Command::Find(args) => find::run(args, context).await,
        Command::Share(args) => share::run(args, context).await,
        Command::Feed(args) => feed::run(args, context).await,
        Command::Posts(args) => posts::run(args, context).await,
        Command::Comment(args) => comment::say(args, context).await,
        Command::Comments(args) => comment::list(args, context).await,
        Command::Fetch(args) => fetch::run(args, context).await,
        Command::Delete(args) => posts::delete(args, context).await,
        Command::Login(args) => login::login(args, context).await,
        Command::Logout(args) => login::logout(args, context).await,
        Command::Whoami => login::whoami(context).await,
        Command::Profile(command) => profile::run(command, context).await,
        Command::Community(command) => community::run(command, context).await,
        Command::Poll(command) => poll::run(command, context).await,
        Command::Alerts(args) => alerts::run(args, context).await,
        Command::Say(args) => say::run(args, context).await,
        Command::Inbox(args) => inbox::run(args, context).await,
        Command::Outbox(args) => outbox::run(args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Follow(args) => follow::follow(args, context).await,
        Command::Unfollow(args) => follow::unfollow(args, context).await,
        Command::Block(args) => block::block(args, context).await,
        Command::Unblock(args) => block::unblock(args, context).await,
        Command::Services(args) => services::run(args, context).await,
        Command::Who(args) => here::who(args, context).await,
        Command::Here(args) => here::here(args, context).await,
        Command::Watch(args) => watch::run(args, context).await,
        Command::Call(args) => here::call(args, context).await,
        Command::Resolve(args) => resolve::run(args, context).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut self::command(), "whatsup", &mut script);
            page("completions", script)
        }
        Command::Man => page("man", man::page(self::command()).map_err(written)?),
    }
}

/// A text as it is, whatever it is for.
fn page(name: &'static str, text: Vec<u8>) -> Result<Answer, CommandError> {
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut json = serde_json::Map::new();
    json.insert(name.to_owned(), text.clone().into());
    Ok(Answer::done(json.into(), text))
}

fn written(error: io::Error) -> CommandError {
    CommandError::StandardOutput(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn wrong_usage_ends_with_code_2() {
        for line in [
            "whatsup",
            "whatsup what",
            "whatsup services a b",
            "whatsup services --node ftp://x",
            "whatsup resolve",
        ] {
            let error = Cli::read(line.split_whitespace()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        for line in ["whatsup --help", "whatsup services --help", "whatsup --version"] {
            assert_eq!(Cli::read(line.split_whitespace()).unwrap_err().exit_code(), 0, "{line}");
        }
    }

    fn shown(cli: &Cli) -> Vec<String> {
        cli.global.nodes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn several_super_nodes_may_be_named_anywhere() {
        let line = "whatsup --node a services --node b:1";
        let cli = Cli::read(line.split_whitespace()).unwrap();
        // clap keeps what stands last for options of all commands.
        assert_eq!(shown(&cli), ["http://b:1"]);
        let line = "whatsup services --node a --node b:1,c";
        let cli = Cli::read(line.split_whitespace()).unwrap();
        assert_eq!(shown(&cli), ["http://a:5851", "http://b:1", "http://c:5851"]);
    }

    #[tokio::test]
    async fn a_page_and_its_completions_are_printed() {
        let person = testing::Person::new();
        assert!(person.run("man").await.out.contains(".TH whatsup 1"));
        assert!(person.run("completions bash").await.out.contains("services"));
    }
}
