//! A SIP registrar and proxy that knows whom it was told of, until it ends:
//! `cargo run -p p2psip --release --example proxy -- 127.0.0.1:5060 [--record-route] [--no-limit] [--account NAME:PASSWORD]…`

use std::sync::Arc;
use std::time::Duration;

use p2psip::accounts::{Account, MemoryAccounts};
use p2psip::agent::{ECHO, Echo};
use p2psip::location::{Aor, MemoryLocations};
use p2psip::message::Uri;
use p2psip::server::{Config, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::new(([127, 0, 0, 1], 5060).into());
    let (locations, accounts) = (MemoryLocations::new(), MemoryAccounts::new());
    let person = |name: &str| {
        Ok::<_, Box<dyn std::error::Error>>(Aor::of(&Uri::parse(&format!("sip:{name}@scope"))?)?)
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--account" => {
                let said = arguments.next().unwrap_or_default();
                let (name, password) = said.split_once(':').ok_or("NAME:PASSWORD is missing")?;
                accounts.set(person(name)?, Some(Account::new(name, password)));
            }
            "--record-route" => config.record_route_always = true,
            "--no-limit" => config.rates = None,
            address => config.address = address.parse()?,
        }
    }
    let server = Server::bind(config, Arc::new(locations), Arc::new(accounts)).await?;
    server.attach(person(ECHO)?, Arc::new(Echo::default()));
    println!("ready sip={}", server.address());
    tokio::signal::ctrl_c().await?;
    let metrics = server.metrics();
    eprintln!(
        "{} requests, {} registrations, {} branches, {} unsent",
        metrics.requests(),
        metrics.registrations(),
        metrics.forwarded(),
        metrics.unsent()
    );
    server.stop(Duration::from_secs(4)).await;
    Ok(())
}
