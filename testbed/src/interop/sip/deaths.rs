//! A super-node dies without a word: of a call that is direct nobody notices, who rings behind it is given
//! up soon, and who was registered there is reached again as soon as it registers elsewhere.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::voice::{both_ways, closed, establish};
use super::{ANSWER_LIMIT, Stage, behind, loopback, sip_of};
use crate::cluster::Cluster;
use crate::sip::baresip::{Agent, Baresip};
use crate::sip::capture::Capture;
use crate::sip::phone::Phone;
use crate::sip::sipp::{CALLEE, CALLER, Sipp};
use crate::sip::text::Heard;

/// Who dies.
const OWNER: usize = 1;
/// Until who called somebody behind a dead super-node knows. Elsewhere it is seconds, but here all
/// super-nodes have one address, and it is only when its place in the service list lapses, after a minute,
/// that the dead one is told from the others. Without any sign it would be three minutes (timer C).
const GIVEN_UP: Duration = Duration::from_secs(75);

pub(super) fn run(stage: &mut Stage<'_>, cluster: &mut Cluster) -> Result<()> {
    let nodes: Vec<SocketAddr> = (0..3).map(|n| sip_of(cluster, n)).collect::<Result<_>>()?;
    let dir = stage.dir;
    let mut capture = Capture::start()?;
    // Two that reach each other directly, and talk.
    let (mut dora, mut doris) =
        (talker(stage, "dora", nodes[OWNER])?, talker(stage, "doris", nodes[0])?);
    establish(&mut doris, &mut dora, &format!("sip:dora@{}", nodes[0]))?;
    // One that is reached by its super-node alone, and rings.
    let mut rosa = Phone::new("rosa", loopback(4, 3), nodes[OWNER])?;
    behind(&mut rosa)?;
    let mut anna = Phone::new("anna", loopback(4, 4), nodes[0])?;
    let (uri, contact) = ("sip:rosa@scope", anna.contact());
    let invite = anna.request("INVITE", uri, &[("Contact", &contact)], "");
    anna.send(&invite)?;
    let heard = rosa.wait_for("INVITE", ANSWER_LIMIT, |heard| heard.method() == Some("INVITE"))?;
    rosa.send(heard.reply("180 Ringing", "r", &[], ""))?;
    anna.wait_for("180", ANSWER_LIMIT, |heard| heard.status() == Some(180))?;
    // And one that only is registered there.
    let mut emil = Phone::new("emil", loopback(4, 5), nodes[OWNER])?;
    behind(&mut emil)?;

    cluster.kill9(OWNER)?;
    let died = Instant::now();
    let checks = &mut stage.checks;
    checks.check("baresip: the owner dies mid-call, and a direct call goes on", || {
        both_ways(&mut capture)?;
        doris.order("hangup", "")?;
        closed(&mut dora, "")
    });
    checks.check("sipp: the owner is dead, and who registers elsewhere is reached at once", || {
        emil.node = nodes[2];
        let at = emil.address();
        behind(&mut emil)?;
        drop(emil);
        let mut callee = Sipp::new(CALLEE, at.ip()).word("ring", 50);
        callee.own = at;
        let mut callee = callee.start(dir)?;
        let caller = Sipp::new(CALLER, loopback(4, 6)).to(nodes[0]).word("domain", "scope");
        caller.word("talk", 50).users(["emil"]).succeed(dir)?;
        callee.succeed()?;
        Ok(())
    });
    checks.check("the owner dies while it rings, and the caller is told", || {
        let final_answer = |heard: &Heard| heard.status().is_some_and(|s| s >= 300);
        let left = GIVEN_UP.saturating_sub(died.elapsed());
        let answer = anna.wait_for("answer", left, final_answer)?;
        let status = answer.status().context("no status")?;
        println!("        {status} after {:.1} s", died.elapsed().as_secs_f64());
        Ok(())
    });
    Ok(())
}

/// A baresip that is registered.
fn talker(stage: &mut Stage<'_>, user: &str, node: SocketAddr) -> Result<Baresip> {
    let (listen, control) = (stage.free()?, stage.free()?);
    let (transport, password) = ("udp", "");
    let agent = Agent { user, node, listen, control, transport, password, patience_s: 30 };
    Baresip::registered(stage.dir, &agent, ANSWER_LIMIT)
}
