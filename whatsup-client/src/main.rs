//! `whatsup`: people, what they share, communities and calls, at a command line. All of it is in
//! [`whatsup::cmd`].

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use whatsup::cmd::{self, Cli, Streams};

fn main() -> ExitCode {
    /// How long a thread that cannot be asked to end, as one that waits for the system's resolver, may keep
    /// the process from ending.
    const THREADS: Duration = Duration::from_millis(100);
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no threads can be started: {error}");
            return ExitCode::from(3);
        }
    };
    let (mut stdin, mut out, mut err) = (io::stdin(), io::stdout(), io::stderr());
    let streams = Streams { stdin: &mut stdin, out: &mut out, err: &mut err };
    let code = runtime.block_on(cmd::run_over_http(cli, streams));
    runtime.shutdown_timeout(THREADS);
    ExitCode::from(code)
}
