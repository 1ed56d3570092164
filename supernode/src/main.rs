//! `supernode`: the daemon, and its client commands.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use supernode::cli::{self, Cli, Command};
use supernode::config::Config;
use supernode::{client, daemon};
use tracing::{error, warn};
use tracing_subscriber::EnvFilter;

/// A call is parsed into many small pieces, and a third of its time went into the system's
/// allocator (`docs/measurements.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code of wrong usage, clap's own.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::from_process();
    let printed = match cli.command {
        None => return run_daemon(cli),
        Some(Command::Client(command)) => return in_runtime(client::run(*command)),
        Some(Command::Completions { shell }) => cli::completions(shell, &mut io::stdout()),
        Some(Command::Man) => cli::man(&mut io::stdout()),
    };
    match printed {
        // A reader that has seen enough, such as `head`, is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(&error),
        _ => ExitCode::SUCCESS,
    }
}

fn run_daemon(cli: Cli) -> ExitCode {
    let (config, warnings) = match Config::load(cli.options) {
        Ok(loaded) => loaded,
        Err(error) => {
            fail(&error);
            return ExitCode::from(WRONG_USAGE);
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&config.log))
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    std::panic::set_hook(Box::new(|panic| error!("{panic}")));
    for warning in warnings {
        warn!("{warning}");
    }
    in_runtime(async {
        match daemon::run(config).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("{error:#}")),
        }
    })
}

fn in_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    /// How long threads that are asked to end may take. One that waits for the system's resolver
    /// cannot be asked, and may take half a minute.
    const THREADS: Duration = Duration::from_millis(100);
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            runtime.shutdown_timeout(THREADS);
            code
        }
        Err(error) => fail(&format!("no threads can be started: {error}")),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
