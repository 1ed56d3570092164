//! The daemon's life: open, serve, say so, and stop in order.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use dht::{Dht, Options, Storage};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::config::{self, Config};
use crate::discovery::{Discovery, Plan};
use crate::services::Services;
use crate::sip::Sip;
use crate::state::AppState;
use crate::{http, phone_page, ready};

/// How long requests under way may go on after the signal to stop. Most take milliseconds.
const DRAIN: Duration = Duration::from_millis(1200);
/// How long, from that signal on, handing over to the others may take: what is not handed over by
/// then, they repair from their own copies.
const LEAVE: Duration = Duration::from_millis(3700);
/// How long closing the store may take; with [`LEAVE`] below the five seconds promised.
const CLOSE: Duration = Duration::from_millis(900);

/// Said when the system gives no random numbers.
const NO_RANDOM: &str = "the system gives no random numbers";

/// Runs a super-node until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, with what to do about it.
pub async fn run(config: Config) -> Result<()> {
    // Before the ready line, so that whoever waits for it can stop us right away.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // The port first: a second node started by mistake then never touches the data.
    let listener =
        http::listen(config.http).map_err(|error| cannot_listen(config.http, &error, "--http"))?;
    let address = listener.local_addr()?;
    let storage = match &config.storage {
        config::Storage::Ephemeral => Storage::Memory,
        config::Storage::Directory(dir) => Storage::Disk(dir.clone()),
    };
    let plan = Plan::new(&config).context(NO_RANDOM)?;
    let (door, passphrase) = match &config.passphrase {
        None => (None, None),
        Some(text) => {
            let passphrase = dht::Passphrase::new(text.as_str().to_owned());
            let door = http::Door::new(text.as_str()).context(NO_RANDOM)?;
            (Some(door), Some(passphrase.context("the passphrase cannot be used")?))
        }
    };
    let (listen, settle) = (config.p2p, plan.settle());
    let dht = Dht::open(Options { storage, listen, settle, passphrase }).await?;
    let services = Services::new(dht.clone()).context(NO_RANDOM)?;
    services.start();
    let sip = Sip::bind(config.sip, config.sip_rate, dht.clone(), services.clone()).await;
    let sip = sip.map_err(|error| cannot_listen(config.sip, &error, "--sip"))?;
    sip.start();
    let (registry, phones, public_metrics) = (services.clone(), sip.clone(), config.public_metrics);
    let state = AppState::new(dht.clone(), registry, phones, &config.name, public_metrics, door);
    let state = Arc::new(state);
    let metrics = Arc::clone(&state.metrics);
    let server = http::Server::start(listener, http::router(state), metrics);
    announce(&dht, address, &sip)?;
    let (id, p2p) = (dht.id(), dht.listening_on());
    let phones = sip.listening_on();
    info!(%id, name = config.name, http = %address, sip = %phones, %p2p, storage = ?config.storage, "serving");
    let discovery = Discovery::start(plan, dht.clone(), sip.listening_on());
    let tidying = tokio::spawn({
        let dht = dht.clone();
        async move { dht.tidy().await }
    });
    tokio::select! {
        _ = terminate.recv() => info!("told to stop by SIGTERM"),
        _ = interrupt.recv() => info!("told to stop by SIGINT"),
    }
    if timeout(LEAVE, leave(&dht, server, discovery, services, sip)).await.is_err() {
        warn!("not everything was handed over in time; the others have copies of it");
    }
    tidying.abort();
    if timeout(CLOSE, dht.close()).await.is_err() {
        warn!("the store was not closed in time; nothing acknowledged is lost");
        // Dropping the node would wait for its disk, and the promise is to be gone by now.
        std::process::exit(0);
    }
    info!("stopped");
    Ok(())
}

/// Stops taking requests, offering services and looking for others; then leaves the overlay.
async fn leave(
    dht: &Dht,
    server: http::Server,
    discovery: Discovery,
    services: Services,
    sip: Sip,
) {
    let drain = async {
        if timeout(DRAIN, server.stop()).await.is_err() {
            warn!("some requests were not finished within {DRAIN:?}");
        }
    };
    let withdraw = async {
        if timeout(DRAIN, services.stop()).await.is_err() {
            warn!("not everything advertised was withdrawn in time; it ends within a minute");
        }
    };
    let phones = async {
        if timeout(DRAIN, sip.stop()).await.is_err() {
            warn!("not every binding was taken back in time; they end within some minutes");
        }
    };
    tokio::join!(drain, withdraw, phones, discovery.stop());
    dht.leave().await;
}

fn cannot_listen(address: SocketAddr, error: &io::Error, option: &str) -> anyhow::Error {
    let guess = match error.kind() {
        io::ErrorKind::AddrInUse if option == "--sip" => {
            "is another super-node running there, or a softphone? "
        }
        io::ErrorKind::AddrInUse => "is another super-node running there? ",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; ",
        _ => "",
    };
    anyhow!("cannot listen on {address} ({error}): {guess}choose another address with {option}")
}

/// Says that the node serves, and where: one line for programs, more for people.
fn announce(dht: &Dht, address: SocketAddr, sip: &Sip) -> Result<()> {
    let mut out = io::stdout();
    let line = ready::ready_line(&dht.id(), address, sip.listening_on(), dht.listening_on());
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .context("cannot write the ready line to standard output")?;
    if io::stderr().is_terminal() {
        eprintln!("{}", ready::join_banner(address));
        eprintln!("{}", phone_page::hint(sip.address()));
    }
    Ok(())
}
