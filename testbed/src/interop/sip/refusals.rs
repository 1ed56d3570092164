//! What a super-node does not do for anybody: relay to elsewhere, believe a token it did not make, answer
//! to an address it was not asked from. Each is a scenario of sipp's.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use super::{ANSWER_LIMIT, Stage, behind, loopback, sip_of};
use crate::checks::Checks;
use crate::cluster::Cluster;
use crate::sip::capture::Capture;
use crate::sip::phone::Phone;
use crate::sip::sipp::Sipp;

const SCENARIO: &str = include_str!("../../../interop/sip/refused.xml");
/// Where an INVITE comes from, if nothing else is said.
const OWN_VIA: &str = "[local_ip]:[local_port]";
const OWN_FROM: &str = "sip:caller@scope";

pub(super) fn run(stage: &mut Stage<'_>, cluster: &mut Cluster) -> Result<()> {
    let node = sip_of(cluster, 0)?;
    let dir = stage.dir;
    let refused = |uri: &str, via: &str, from: &str, more: &str, status: u16| {
        let sipp = Sipp::new(SCENARIO, loopback(1, 1)).to(node).word("uri", uri).word("via", via);
        let sipp = sipp.word("from", from).word("more", more).word("status", status);
        sipp.succeed(dir).map(|_| ())
    };
    let checks = &mut stage.checks;
    checks.check("sipp: a foreign domain is not relayed to", || {
        refused("sip:bob@elsewhere.example", OWN_VIA, OWN_FROM, "Subject: relay", 403)?;
        refused("sip:bob@192.0.2.1:5060", OWN_VIA, OWN_FROM, "Subject: relay", 403)
    });
    checks.check("sipp: a Route to elsewhere is not followed", || {
        let route = "Route: <sip:192.0.2.1:5060;lr>";
        refused("sip:bob@elsewhere.example", OWN_VIA, OWN_FROM, route, 403)
    });
    checks.check("sipp: a forged flow token is refused", || {
        for token in ["00", "deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef", "anna"] {
            let route = format!("Route: <sip:{token}@{node};lr>");
            refused("sip:bob@192.0.2.1", OWN_VIA, OWN_FROM, &route, 403)?;
        }
        Ok(())
    });
    checks.check("sipp: a spoofed From from elsewhere opens no relay", || {
        refused("sip:b@elsewhere.example", OWN_VIA, "sip:root@elsewhere.example", "Subject: x", 403)
    });
    let spoofed = spoofed_via(stage, node);
    let tokens = stolen_tokens(node);
    let checks: &mut Checks = &mut stage.checks;
    checks.record("a spoofed Via draws no packet to the address in it", spoofed);
    checks.record("the tokens of one call's Record-Route open no relay", tokens);
    Ok(())
}

/// The Via names a victim: the answer goes to whoever asked, and says so.
fn spoofed_via(stage: &mut Stage<'_>, node: SocketAddr) -> Result<()> {
    let mut phone = Phone::new("spoofer", loopback(1, 2), node)?;
    let victim = SocketAddr::from((loopback(1, 3), stage.free()?.port()));
    let request = phone.request("OPTIONS", &format!("sip:{node}"), &[], "");
    let spoofed = request.replace(&format!("UDP {}", phone.address()), &format!("UDP {victim}"));
    let mut capture = Capture::start()?;
    let answer = phone.ask(&spoofed, ANSWER_LIMIT)?;
    ensure!(answer.status() == Some(200), "{}", answer.as_str());
    let received = format!("received={}", phone.address().ip());
    ensure!(answer.as_str().contains(&received), "not marked: {}", answer.as_str());
    // Without rport the answer goes to the port of the Via (RFC 3261 §18.2.2), never to its host.
    let sent = spoofed.replace(";rport", "").replace("z9hG4bK", "z9hG4bKx");
    phone.send(sent)?;
    // Something that is answered after what was sent before.
    let after = phone.request("OPTIONS", &format!("sip:{node}"), &[], "");
    phone.ask(&after, ANSWER_LIMIT)?;
    let hit = capture.drain()?.into_iter().find(|seen| seen.to.ip() == victim.ip());
    ensure!(hit.is_none(), "the victim got {hit:?}");
    Ok(())
}

/// Mallory sees the Record-Route of a call of hers, and uses its tokens to send elsewhere: one that names
/// a flow leads to that flow's end and to nobody else, one that names a dialog is that dialog's.
fn stolen_tokens(node: SocketAddr) -> Result<()> {
    let mut callee = Phone::new("mona", loopback(1, 4), node)?;
    behind(&mut callee)?;
    let mut mallory = Phone::new("mallory", loopback(1, 5), node)?;
    let own = mallory.contact();
    let invite = mallory.request("INVITE", "sip:mona@scope", &[("Contact", &own)], "");
    mallory.send(&invite)?;
    let heard =
        callee.wait_for("INVITE", ANSWER_LIMIT, |heard| heard.method() == Some("INVITE"))?;
    callee.send(heard.reply("486 Busy Here", "1", &[], ""))?;
    mallory.wait_for("486", ANSWER_LIMIT, |heard| heard.status() == Some(486))?;
    let routes: Vec<String> = heard.fields("Record-Route").map(str::to_owned).collect();
    ensure!(!routes.is_empty(), "a call by a flow has no Record-Route");
    let mut capture = Capture::start()?;
    let (address, victim) = (loopback(1, 6), format!("sip:victim@{}", loopback(1, 6)));
    for route in routes.iter().flat_map(|route| route.split(", ")) {
        for method in ["MESSAGE", "INVITE"] {
            let request = mallory.request(method, &victim, &[("Route", route)], "");
            mallory.send(&request)?;
        }
    }
    let after = mallory.request("OPTIONS", &format!("sip:{node}"), &[], "");
    mallory.ask(&after, ANSWER_LIMIT)?;
    let hit = capture.drain()?.into_iter().find(|seen| seen.to.ip() == address);
    ensure!(hit.is_none(), "the victim got {hit:?}");
    Ok(())
}
