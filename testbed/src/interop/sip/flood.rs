//! Floods: whoever asks for too much is told when to come again, and nobody else notices.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{ANSWER_LIMIT, Stage, behind, loopback, sip_of};
use crate::cluster::Cluster;
use crate::sip::capture::{Capture, Seen};
use crate::sip::phone::Phone;
use crate::sip::sipp::{CALLEE, CALLER, Sipp};

const SCENARIO: &str = include_str!("../../../interop/sip/flood.xml");
/// Registrations, and how many a second: many times what one port may ask for, and not so many that the
/// kernel drops others' datagrams with them while this machine is busy: sipp does not get over each loss.
const REGISTERS: u64 = 1000;
const RATE: f64 = 500.0;
/// Calls that go on meanwhile.
const CALLS: u64 = 10;
/// INVITEs to one person, and how many are sent at once.
const INVITES: usize = 2000;
const BURST: usize = 50;
const BREATH: Duration = Duration::from_millis(10);

pub(super) fn run(stage: &mut Stage<'_>, cluster: &mut Cluster) -> Result<()> {
    let node = sip_of(cluster, 0)?;
    let dir = stage.dir;
    let mut phone = Phone::new("ursula", loopback(3, 1), node)?;
    behind(&mut phone)?;
    // From now on it is sipp that is there.
    let listen = phone.address();
    drop(phone);
    let checks = &mut stage.checks;
    checks.check("sipp: a flood of REGISTERs gets 503 with Retry-After, and calls go on", || {
        let mut capture = Capture::start()?;
        let mut flood = Sipp::new(SCENARIO, loopback(3, 2)).to(node).word("domain", "scope");
        (flood.calls, flood.rate) = (REGISTERS, RATE);
        let mut flood = flood.start(dir)?;
        let mut callee = Sipp::new(CALLEE, loopback(3, 1)).word("ring", 50);
        (callee.own, callee.calls) = (listen, CALLS);
        let mut callee = callee.start(dir)?;
        let mut caller = Sipp::new(CALLER, loopback(3, 3)).to(node).word("domain", "scope");
        caller = caller.word("talk", 50).users(["ursula"]);
        caller.calls = CALLS;
        caller.succeed(dir)?;
        callee.succeed()?;
        flood.succeed()?;
        let refused = count(&mut capture, |seen| {
            seen.to.ip() == loopback(3, 2)
                && says(seen, "SIP/2.0 503")
                && says(seen, "Retry-After:")
        })?;
        println!("        {refused} of {REGISTERS} were refused");
        ensure!(refused > 0, "none was refused");
        Ok(())
    });
    checks.check("a flood of INVITEs ends with 503, and others are served", || {
        let mut capture = Capture::start()?;
        let mut flooder = Phone::new("flooder", loopback(3, 4), node)?;
        let own = flooder.contact();
        for number in 0..INVITES {
            let invite = flooder.request("INVITE", "sip:nobody@scope", &[("Contact", &own)], "");
            flooder.send(invite)?;
            if number % BURST == 0 {
                // Else most of them would not even fit into the socket's buffer.
                std::thread::sleep(BREATH);
            }
        }
        let mut other = Phone::new("other", loopback(3, 5), node)?;
        other.register(ANSWER_LIMIT)?;
        let refused = count(&mut capture, |seen| {
            seen.to == flooder.address() && says(seen, "SIP/2.0 503") && says(seen, "Retry-After:")
        })?;
        ensure!(refused > 0, "none was refused");
        Ok(())
    });
    Ok(())
}

/// How many of what was seen, until nothing more comes.
fn count(capture: &mut Capture, wanted: impl Fn(&Seen) -> bool) -> Result<usize> {
    let all = capture.during(Duration::from_millis(200))?;
    Ok(all.iter().filter(|seen| wanted(seen)).count())
}

fn says(seen: &Seen, text: &str) -> bool {
    seen.payload.windows(text.len()).any(|part| part == text.as_bytes())
}
