//! baresip to baresip, each at a super-node of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::{ANSWER_LIMIT, Stage, sip_of};
use crate::cluster::Cluster;
use crate::sip::baresip::{Agent, Baresip};
use crate::sip::capture::Capture;

/// How long voice is counted.
const LISTEN: Duration = Duration::from_secs(2);
/// Packets a second each way: G.711 in pieces of 20 ms makes 50.
const PACKETS_PER_SECOND: f64 = 40.0;
/// How long bob lets a phone ring.
const PATIENCE_S: u32 = 3;

pub(super) fn run(stage: &mut Stage<'_>, cluster: &mut Cluster) -> Result<()> {
    let nodes: Vec<SocketAddr> = (0..3).map(|n| sip_of(cluster, n)).collect::<Result<_>>()?;
    let mut capture = Capture::start()?;
    let mut start = |user: &'static str, node: SocketAddr, transport: &'static str| {
        let (listen, control) = (stage.free()?, stage.free()?);
        let password = "";
        let agent =
            Agent { user, node, listen, control, transport, password, patience_s: PATIENCE_S };
        Baresip::registered(stage.dir, &agent, ANSWER_LIMIT)
    };
    let mut alice = start("alice", nodes[0], "udp")?;
    let mut bob = start("bob", nodes[1], "udp")?;
    let mut carol = start("carol", nodes[2], "udp")?;
    let mut dave = start("dave", nodes[2], "tcp")?;
    let checks = &mut stage.checks;
    // baresip sends a request to whatever host its URI has.
    let to = |user: &str, node: usize| format!("sip:{user}@{}", nodes[node]);
    let to_bob = to("bob", 0);
    checks.check("baresip: two at two super-nodes hear each other; the caller hangs up", || {
        establish(&mut alice, &mut bob, &to_bob)?;
        both_ways(&mut capture)?;
        alice.order("hangup", "")?;
        closed(&mut bob, "")
    });
    checks.check("baresip: the callee hangs up", || {
        establish(&mut alice, &mut bob, &to_bob)?;
        bob.order("hangup", "")?;
        closed(&mut alice, "")
    });
    checks.check("baresip: a call is held and resumed", || {
        establish(&mut alice, &mut bob, &to_bob)?;
        hold(&mut alice, &mut bob, &mut capture)?;
        alice.order("hangup", "")?;
        closed(&mut bob, "")
    });
    checks.check("baresip: a call is cancelled while it rings", || {
        ring(&mut alice, &mut bob, &to_bob)?;
        alice.order("hangup", "")?;
        closed(&mut bob, "")
    });
    checks.check("baresip: a call is declined", || {
        ring(&mut alice, &mut bob, &to_bob)?;
        bob.order("hangup", "")?;
        closed(&mut alice, "486 Rejected")
    });
    checks.check("baresip: who is busy says so", || {
        establish(&mut alice, &mut bob, &to_bob)?;
        carol.order("dial", &to_bob)?;
        closed(&mut carol, "486")?;
        alice.order("hangup", "")?;
        closed(&mut bob, "")
    });
    checks.check("baresip: nobody answers", || {
        ring(&mut alice, &mut bob, &to_bob)?;
        closed(&mut alice, "4")
    });
    checks.check("baresip: nobody has that name", || {
        alice.order("dial", &to("nobody", 0))?;
        closed(&mut alice, "4")
    });
    checks.check("baresip: from UDP to TCP and back", || {
        establish(&mut alice, &mut dave, &to("dave", 0))?;
        both_ways(&mut capture)?;
        dave.order("hangup", "")?;
        closed(&mut alice, "")?;
        establish(&mut dave, &mut alice, &to("alice", 2))?;
        dave.order("hangup", "")?;
        closed(&mut alice, "")
    });
    Ok(())
}

/// Calls, until it rings.
fn ring(caller: &mut Baresip, callee: &mut Baresip, uri: &str) -> Result<()> {
    caller.order("dial", uri)?;
    if let Err(error) = callee.wait_for("CALL_INCOMING", ANSWER_LIMIT) {
        let why = caller.wait_for("CALL_CLOSED", Duration::ZERO);
        return Err(error.context(format!("the caller's call ended: {why:?}")));
    }
    caller.wait_for("CALL_RINGING", ANSWER_LIMIT)?;
    Ok(())
}

/// Calls, until both talk.
pub(super) fn establish(caller: &mut Baresip, callee: &mut Baresip, uri: &str) -> Result<()> {
    ring(caller, callee, uri)?;
    callee.order("accept", "")?;
    caller.wait_for("CALL_ESTABLISHED", ANSWER_LIMIT)?;
    callee.wait_for("CALL_ESTABLISHED", ANSWER_LIMIT)?;
    Ok(())
}

/// Waits for a call's end, with a reason that begins so.
pub(super) fn closed(agent: &mut Baresip, reason: &str) -> Result<()> {
    let why = agent.wait_for("CALL_CLOSED", ANSWER_LIMIT)?;
    ensure!(why.starts_with(reason), "the call ended with {why:?} instead of {reason:?}");
    Ok(())
}

/// Packets of voice a second, by the ports they go between.
fn rates(capture: &mut Capture) -> Result<HashMap<(SocketAddr, SocketAddr), f64>> {
    capture.drain()?;
    let mut counts = HashMap::new();
    for seen in capture.during(LISTEN)?.iter().filter(|seen| seen.is_voice()) {
        *counts.entry((seen.from, seen.to)).or_insert(0.0) += 1.0 / LISTEN.as_secs_f64();
    }
    Ok(counts)
}

/// Voice goes both ways, between the same two ports, and nowhere else.
pub(super) fn both_ways(capture: &mut Capture) -> Result<()> {
    let rates = rates(capture)?;
    let enough = rates.len() == 2 && rates.values().all(|rate| *rate >= PACKETS_PER_SECOND);
    let paired = rates.keys().all(|(from, to)| rates.contains_key(&(*to, *from)));
    ensure!(enough && paired, "voice, packets a second: {rates:?}");
    let told: Vec<_> = rates.values().map(|rate| format!("{rate:.0}")).collect();
    println!("        {} packets of voice a second", told.join(" and "));
    Ok(())
}

/// While it is held, nothing is heard of whoever is held.
fn hold(holder: &mut Baresip, held: &mut Baresip, capture: &mut Capture) -> Result<()> {
    both_ways(capture)?;
    holder.order("hold", "")?;
    held.wait_for("CALL_REMOTE_SDP", ANSWER_LIMIT)?;
    holder.wait_for("CALL_REMOTE_SDP", ANSWER_LIMIT)?;
    let during = rates(capture)?;
    if during.len() > 1 {
        bail!("voice goes both ways while the call is held: {during:?}");
    }
    holder.order("resume", "")?;
    held.wait_for("CALL_REMOTE_SDP", ANSWER_LIMIT)?;
    holder.wait_for("CALL_REMOTE_SDP", ANSWER_LIMIT)?;
    both_ways(capture)
}
