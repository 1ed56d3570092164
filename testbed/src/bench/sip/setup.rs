//! How long a registration takes, and until the callee rings: phones of our own, one call after another,
//! ten a second, timed at the caller.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::sip::phone::Phone;
use crate::sip::text::Heard;
use crate::stats::percentile;

/// From one call to the next: ten a second.
const EVERY: Duration = Duration::from_millis(100);
/// How long a phone waits (64·T1, RFC 3261 §17.1.1.2): an overlay's write may take 7 s, when the disk is busy.
const ANSWER_LIMIT: Duration = Duration::from_secs(32);
/// Until a request is sent again (T1, RFC 3261 §17.1.1.1).
const AGAIN: Duration = Duration::from_millis(500);

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
        let request = phone.registration(120, &[]);
        let began = Instant::now();
        let status = phone.status(&request, ANSWER_LIMIT)?;
        delays.registration.push(micros(began));
        ensure!(status == 200, "a REGISTER is answered by {status}");
        sleep(EVERY.saturating_sub(began.elapsed()));
    }
    let answering = Answering::start(phone);
    let mut phone = Phone::new("caller", Ipv4Addr::LOCALHOST, caller)?;
    for _ in 0..samples {
        let contact = phone.contact();
        let request = phone.request("INVITE", "sip:delayed@scope", &[("Contact", &contact)], "");
        let began = Instant::now();
        let call_id = Heard::new(request.as_bytes(), caller).field("Call-ID");
        let of_callee = |heard: &Heard| {
            matches!(heard.status(), Some(101..)) && heard.field("Call-ID") == call_id
        };
        // Sent again when it was lost, as any phone does.
        let mut heard = None;
        while heard.is_none() {
            let waited = began.elapsed();
            ensure!(waited < ANSWER_LIMIT, "an INVITE to {caller} does not ring within {waited:?}");
            phone.send(&request)?;
            heard = phone.wait_for("180", AGAIN, of_callee).ok();
        }
        delays.setup.push(micros(began));
        // What the callee says first may come second, since both servers read one socket on several
        // cores; and a 180 that its 486 has overtaken is not passed on any more.
        let last = match heard {
            Some(heard) if heard.status() != Some(180) => heard,
            _ => phone.wait_for("486", ANSWER_LIMIT, of_callee)?,
        };
        ensure!(last.status() == Some(486), "an INVITE is answered by\n{}", last.as_str());
        // Who is refused acknowledges it to the one that refused (RFC 3261 §17.1.1.3).
        let to = last.field("To").context("no To")?;
        let head = request.split("\r\nContact").next().unwrap_or_default();
        let ack =
            head.replace("INVITE", "ACK").replace("To: <sip:delayed@scope>", &format!("To: {to}"));
        phone.send(format!("{ack}\r\nContent-Length: 0\r\n\r\n"))?;
        sleep(EVERY.saturating_sub(began.elapsed()));
    }
    answering.stop()?;
    Ok(delays)
}

fn micros(began: Instant) -> u32 {
    u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// A phone that rings when it is called, and is busy at once.
struct Answering {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Answering {
    fn start(phone: Phone) -> Answering {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let Some(heard) = phone.hear(Instant::now() + EVERY)? else { continue };
                if heard.method() == Some("INVITE") {
                    for status in ["180 Ringing", "486 Busy Here"] {
                        phone.send_to(heard.reply(status, "b", &[], ""), heard.from)?;
                    }
                }
            }
            Ok(())
        });
        Answering { stop, thread }
    }

    fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().ok().context("the callee's thread has failed")?
    }
}
