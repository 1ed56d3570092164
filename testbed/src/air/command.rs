//! `testbed air`: a scenario for people and scripts, until it is told to stop.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::laptops::{Laptops, required};
use super::scenario::{Scenario, table};
use super::shipped;
use crate::interrupt::told_to_stop;
use crate::netns::prepare;
use crate::unshared::may_unshare;

/// How often it is looked whether all still run.
const LOOK: Duration = Duration::from_millis(100);

/// What is asked for on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    /// A scenario's file, or the name of one that comes with the testbed.
    #[arg(required_unless_present_any = ["list", "keys"])]
    scenario: Option<PathBuf>,
    /// Show the scenarios there are.
    #[arg(long)]
    list: bool,
    /// Show all keys of a scenario, with their limits.
    #[arg(long)]
    keys: bool,
    /// Decides all that is left to chance, instead of the scenario's.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many super-nodes run on each laptop, instead of what the scenario says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=64))]
    supernodes: Option<u8>,
    /// Stop after this many seconds, not only when told to.
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// Say how the radio is doing so often, not only at the beginning and the end.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
    /// Say it as JSON, one object a line.
    #[arg(long)]
    json: bool,
    /// Keep what is on the air in a pcap file.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Run a command on this laptop when all is up, and end with it, and as it did.
    #[arg(long = "in", value_name = "LAPTOP", requires = "command")]
    on: Option<String>,
    /// That command, after `--`.
    #[arg(last = true, requires = "on")]
    command: Vec<OsString>,
    /// Run in this process's namespaces.
    #[arg(long, hide = true)]
    inside: bool,
}

/// Runs it; how it ended.
pub(crate) fn run(request: &Request) -> Result<ExitCode> {
    if request.list {
        for shipped in shipped::ALL {
            println!("{:12} {}", shipped.name, shipped.about());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if request.keys {
        print!("{}", table());
        return Ok(ExitCode::SUCCESS);
    }
    let mut scenario = load(request)?;
    if let Some(number) = request.supernodes {
        scenario = scenario.with_supernodes(number.into());
    }
    if let Some(on) = &request.on {
        let known = scenario.laptops.iter().any(|laptop| laptop.name == *on);
        let names: Vec<_> = scenario.laptops.iter().map(|laptop| laptop.name.as_str()).collect();
        ensure!(known, "no laptop {on:?}; there are: {}", names.join(", "));
    }
    required(&scenario)?;
    if request.inside { inside(request, scenario) } else { become_inside() }
}

fn load(request: &Request) -> Result<Scenario> {
    let path = request.scenario.as_deref().unwrap_or(Path::new(""));
    match shipped::ALL.iter().find(|shipped| Path::new(shipped.name) == path) {
        Some(shipped) => Ok(Scenario::parse(shipped.text, shipped.name, request.seed)?),
        None => Ok(Scenario::load(path, request.seed)?),
    }
}

/// Becomes this program once more, in namespaces of its own: nothing is left to clean up outside.
pub(crate) fn become_inside() -> Result<ExitCode> {
    let namespaces = may_unshare()?;
    let mut words = std::env::args_os().skip(1);
    let mut command = Command::new("unshare");
    command.arg(namespaces).arg(std::env::current_exe()?);
    // The subcommand comes first; what follows `--` is not ours.
    command.args(words.next()).arg("--inside").args(words);
    Err(command.exec()).context("cannot run unshare")
}

fn inside(request: &Request, scenario: Scenario) -> Result<ExitCode> {
    prepare()?;
    let stop = told_to_stop()?;
    let began = Instant::now();
    let say = |laptops: &Laptops| -> Result<()> {
        let (snapshot, scenario) = (laptops.snapshot()?, laptops.scenario());
        // A command's own output must stay what it is.
        match (request.json, request.on.is_some()) {
            (true, false) => println!("{}", snapshot.json(scenario)),
            (true, true) => eprintln!("{}", snapshot.json(scenario)),
            (false, false) => println!("{}", snapshot.table(scenario)),
            (false, true) => eprintln!("{}", snapshot.table(scenario)),
        }
        Ok(())
    };
    let mut laptops = Laptops::new(scenario, request.record.as_deref())?;
    laptops.start_supernodes(|| {
        ensure!(stop.try_recv().is_err(), "told to stop before all super-nodes served");
        Ok(())
    })?;
    if request.on.is_none() && !request.json {
        announce(&laptops);
    }
    let code = match &request.on {
        Some(on) => {
            let number = laptops.number(on)?;
            let code = command(&mut laptops, number, request, &stop)?;
            if request.json || request.every.is_some() {
                say(&laptops)?;
            }
            code
        }
        None => {
            say(&laptops)?;
            wait(request, began, &stop, &mut laptops, say)?;
            say(&laptops)?;
            ExitCode::SUCCESS
        }
    };
    laptops.stop()?;
    Ok(code)
}

/// Says that all is up, and how to get in.
fn announce(laptops: &Laptops) {
    let scenario = laptops.scenario();
    for (number, laptop) in scenario.laptops.iter().enumerate() {
        let nodes = laptops.supernodes().filter(|(on, _)| *on == number);
        let http: Vec<_> = nodes.map(|(_, node)| node.http().to_string()).collect();
        println!(
            "{} http={} enter with: {}",
            laptop.name,
            http.join(","),
            laptops.entrance(number)
        );
    }
    let supernodes = laptops.supernodes().count();
    let (laptops, seed) = (scenario.laptops.len(), scenario.seed);
    println!("ready laptops={laptops} supernodes={supernodes} seed={seed}");
}

/// Waits for the end.
fn wait(
    request: &Request,
    began: Instant,
    stop: &Receiver<()>,
    laptops: &mut Laptops,
    say: impl Fn(&Laptops) -> Result<()>,
) -> Result<()> {
    let end = request.seconds.map(Duration::from_secs);
    let every = request.every.map(Duration::from_secs);
    let mut next = every;
    while end.is_none_or(|end| began.elapsed() < end) {
        match stop.recv_timeout(LOOK) {
            Ok(()) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("nobody waits for signals any more"),
        }
        if let Err(error) = laptops.check() {
            // Control-C at a terminal comes to all programs, and some end at once.
            return if stop.recv_timeout(LOOK).is_ok() { Ok(()) } else { Err(error) };
        }
        if next.is_some_and(|next| began.elapsed() >= next) {
            say(laptops)?;
            next = every.map(|every| began.elapsed() + every);
        }
    }
    Ok(())
}

/// Runs the command, and ends as it does.
fn command(
    laptops: &mut Laptops,
    number: usize,
    request: &Request,
    stop: &Receiver<()>,
) -> Result<ExitCode> {
    let began = Instant::now();
    let end = request.seconds.map(Duration::from_secs);
    let mut command = laptops.command(number, &request.command);
    let mut child = command.stdin(Stdio::inherit()).spawn().context("cannot start the command")?;
    loop {
        if let Some(status) = child.try_wait()? {
            // A signal has no code; shells say 128 and its number.
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
        }
        let told = stop.recv_timeout(LOOK).is_ok();
        let over = end.is_some_and(|end| began.elapsed() >= end);
        if told || over || laptops.check().is_err() {
            child.kill()?;
            child.wait()?;
            laptops.check()?;
            ensure!(!over, "the command still ran after {} s", request.seconds.unwrap_or(0));
            bail!("told to stop while the command ran");
        }
    }
}
