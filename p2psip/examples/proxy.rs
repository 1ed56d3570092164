//! A SIP registrar and proxy that knows whom it was told of, until it ends:
//! `cargo run -p p2psip --release --example proxy -- 127.0.0.1:5060 [--record-route] [--no-limit]`

use std::sync::Arc;
use std::time::Duration;

use p2psip::accounts::MemoryAccounts;
use p2psip::agent::{ECHO, Echo};
use p2psip::location::{Aor, MemoryLocations};
use p2psip::message::Uri;
use p2psip::server::{Config, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::new(([127, 0, 0, 1], 5060).into());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--record-route" => config.record_route_always = true,
            "--no-limit" => config.rates = None,
            address => config.address = address.parse()?,
        }
    }
    let (locations, accounts) = (MemoryLocations::new(), MemoryAccounts::new());
    let server = Server::bind(config, Arc::new(locations), Arc::new(accounts)).await?;
    let echo = Aor::of(&Uri::parse(&format!("sip:{ECHO}@scope"))?)?;
    server.attach(echo, Arc::new(Echo::default()));
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
