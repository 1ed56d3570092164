//! How long a registration takes, and until the callee rings: phones of our own, one call after another,
//! ten a second, timed at the caller.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::sip::calls::{Answering, registration, rings};
use crate::sip::phone::Phone;
use crate::stats::percentile;

/// From one call to the next: ten a second.
const EVERY: Duration = Duration::from_millis(100);

/// Delays, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Delays {
    registration: Vec<u32>,
    setup: Vec<u32>,
}

impl Delays {
    pub(super) fn extend(&mut self, other: Delays) {
        self.registration.extend(other.registration);
        self.setup.extend(other.setup);
    }

    pub(super) fn registration_ms(&self) -> Result<f64> {
        middle(&self.registration)
    }

    pub(super) fn setup_ms(&self) -> Result<f64> {
        middle(&self.setup)
    }
}

fn middle(delays: &[u32]) -> Result<f64> {
    let us = percentile(&mut delays.to_vec(), 50.0).context("nothing was measured")?;
    Ok(f64::from(us) / 1e3)
}

/// Registers and calls so often: the callee by one super-node, the caller by another.
pub(super) fn delays(callee: SocketAddr, caller: SocketAddr, samples: usize) -> Result<Delays> {
    let mut delays = Delays::default();
    let mut phone = Phone::new("delayed", Ipv4Addr::LOCALHOST, callee)?;
    for _ in 0..samples {
        let took = registration(&mut phone)?;
        delays.registration.push(micros(took));
        sleep(EVERY.saturating_sub(took));
    }
    let answering = Answering::start(phone);
    let mut phone = Phone::new("caller", Ipv4Addr::LOCALHOST, caller)?;
    for _ in 0..samples {
        let began = Instant::now();
        delays.setup.push(micros(rings(&mut phone, "delayed")?));
        sleep(EVERY.saturating_sub(began.elapsed()));
    }
    answering.stop()?;
    Ok(delays)
}

fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
}
