//! What is timed of telephony: a registration, and until a callee rings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::phone::Phone;
use super::text::Heard;

/// How long a phone waits (64·T1, RFC 3261 §17.1.1.2): an overlay's write may take 7 s, when the disk is busy.
const ANSWER_LIMIT: Duration = Duration::from_secs(32);
/// Until a request is sent again (T1, RFC 3261 §17.1.1.1).
const AGAIN: Duration = Duration::from_millis(500);
/// How often a callee looks whether it may stop.
const LOOK: Duration = Duration::from_millis(100);
const EXPIRES_S: u32 = 120;
/// Super-nodes grant 60 s at least.
const REFRESH: Duration = Duration::from_secs(25);

/// Registers, and says how long it took.
pub(crate) fn registration(phone: &mut Phone) -> Result<Duration> {
    let request = phone.registration(EXPIRES_S, &[]);
    let began = Instant::now();
    let status = phone.status(&request, ANSWER_LIMIT)?;
    let took = began.elapsed();
    ensure!(status == 200, "a REGISTER is answered by {status}");
    Ok(took)
}

/// Calls one that is [`Answering`]; how long it took until it rang.
pub(crate) fn rings(phone: &mut Phone, callee: &str) -> Result<Duration> {
    let (node, contact) = (phone.node, phone.contact());
    let request =
        phone.request("INVITE", &format!("sip:{callee}@scope"), &[("Contact", &contact)], "");
    let began = Instant::now();
    let call_id = Heard::new(request.as_bytes(), node).field("Call-ID");
    let of_callee =
        |heard: &Heard| matches!(heard.status(), Some(101..)) && heard.field("Call-ID") == call_id;
    // Sent again when it was lost, as any phone does.
    let mut heard = None;
    while heard.is_none() {
        let waited = began.elapsed();
        ensure!(waited < ANSWER_LIMIT, "an INVITE to {node} does not ring within {waited:?}");
        phone.send(&request)?;
        heard = phone.wait_for("180", AGAIN, of_callee).ok();
    }
    let took = began.elapsed();
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
    let ack = head
        .replace("INVITE", "ACK")
        .replace(&format!("To: <sip:{callee}@scope>"), &format!("To: {to}"));
    phone.send(format!("{ack}\r\nContent-Length: 0\r\n\r\n"))?;
    Ok(took)
}

/// A phone that rings when it is called, and is busy at once.
#[derive(Debug)]
pub(crate) struct Answering {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Phone>>,
}

impl Answering {
    /// From now on. It registers anew now and then.
    pub(crate) fn start(mut phone: Phone) -> Answering {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut registered = Instant::now();
            while !told.load(Ordering::Relaxed) {
                if registered.elapsed() >= REFRESH {
                    // What is answered is heard below, and is no call.
                    let request = phone.registration(EXPIRES_S, &[]);
                    phone.send(&request)?;
                    registered = Instant::now();
                }
                let Some(heard) = phone.hear(Instant::now() + LOOK)? else { continue };
                if heard.method() == Some("INVITE") {
                    for status in ["180 Ringing", "486 Busy Here"] {
                        phone.send_to(heard.reply(status, "b", &[], ""), heard.from)?;
                    }
                }
            }
            Ok(phone)
        });
        Answering { stop, thread }
    }

    /// No longer; the phone.
    pub(crate) fn stop(self) -> Result<Phone> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().ok().context("the callee's thread has failed")?
    }
}
