//! A name with a phone password: who knows it registers and calls, by software of others; who does not, or
//! brings an answer that was heard elsewhere, does not.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::voice::{both_ways, closed, establish};
use super::{ANSWER_LIMIT, Stage, loopback, sip_of};
use crate::cluster::Cluster;
use crate::node::binary;
use crate::sip::baresip::{Agent, Baresip};
use crate::sip::capture::Capture;
use crate::sip::digest::Challenge;
use crate::sip::jssip::JsSip;
use crate::sip::phone::Phone;
use crate::sip::text::Heard;

/// Whose name is protected.
const USER: &str = "paula";
/// What is well made, and not hers.
const WRONG: &str = "bakotirudolunemisavo";
/// Until a changed password counts at a super-node that knew the old one, and some more: it is five
/// seconds, and each try before is a guess.
const CHANGED_LIMIT: Duration = Duration::from_secs(15);

pub(super) fn run(stage: &mut Stage<'_>, cluster: &mut Cluster) -> Result<()> {
    let nodes: Vec<SocketAddr> = (0..3).map(|n| sip_of(cluster, n)).collect::<Result<_>>()?;
    let owner = Owner { node: cluster.node(0)?.http(), key: stage.dir.join("paula.key") };
    owner.command("claim", &[])?;
    let password = owner.password(&[])?;
    let mut capture = Capture::start()?;
    let mut agent = |user, node, password| {
        let (listen, control) = (stage.free()?, stage.free()?);
        let transport = "udp";
        Ok::<_, anyhow::Error>(Agent {
            user,
            node,
            listen,
            control,
            transport,
            password,
            patience_s: 10,
        })
    };
    let quentin = agent("quentin", nodes[2], "")?;
    let wrong = agent(USER, nodes[0], WRONG)?;
    let right = agent(USER, nodes[1], &password)?;
    let dir = stage.dir;
    let mut quentin = Baresip::registered(dir, &quentin, ANSWER_LIMIT)?;
    let checks = &mut stage.checks;
    // It goes on guessing by itself, and at once.
    checks.check("baresip: with a wrong password it is not registered, but turned away", || {
        Baresip::refused(dir, &wrong, "403 Too Many Wrong Passwords", ANSWER_LIMIT)
    });
    checks.check(
        "baresip: with the password it is, at another super-node; calls go both ways",
        || {
            let mut paula = Baresip::registered(dir, &right, ANSWER_LIMIT)?;
            establish(&mut quentin, &mut paula, &format!("sip:{USER}@{}", nodes[2]))?;
            both_ways(&mut capture)?;
            quentin.order("hangup", "")?;
            closed(&mut paula, "")?;
            establish(&mut paula, &mut quentin, &format!("sip:quentin@{}", nodes[1]))?;
            paula.order("hangup", "")?;
            closed(&mut quentin, "")
        },
    );
    let page = cluster.node(2)?.http();
    checks.check("JsSIP: the password counts over a WebSocket, and a wrong one does not", || {
        JsSip::start(dir, USER, page, &password)?.wait_for("registered", ANSWER_LIMIT)?;
        JsSip::start(dir, USER, page, WRONG)?.wait_for("unregistered", ANSWER_LIMIT)?;
        Ok(())
    });
    checks.check("digest: right, wrong, replayed, and taken to another super-node", || {
        digest(&nodes, &password)
    });
    checks.check("digest: her From is nobody's who does not know the password", || {
        calls(&nodes, &password)
    });
    checks.check("a changed password counts soon everywhere, and the old one no more", || {
        let mut phone = Phone::new(USER, loopback(5, 9), nodes[1])?;
        ensure!(signs_in(&mut phone, &password)? == 200, "not registered");
        let new = owner.password(&["--new"])?;
        ensure!(new != password, "the password is the same");
        let began = Instant::now();
        while signs_in(&mut phone, &new)? != 200 {
            ensure!(began.elapsed() < CHANGED_LIMIT, "not within {CHANGED_LIMIT:?}");
            std::thread::sleep(Duration::from_secs(1));
        }
        ensure!(signs_in(&mut phone, &password)? == 401, "the old one still counts");
        owner.command("phone-password", &["--remove"])?;
        let mut anybody = Phone::new(USER, loopback(5, 10), nodes[0])?;
        // She is still registered elsewhere, and to ask is free.
        let query = anybody.request("REGISTER", "sip:scope", &[], "");
        let status = anybody.status(&query, ANSWER_LIMIT)?;
        ensure!(status == 200, "an open name is answered by {status}");
        Ok(())
    });
    Ok(())
}

/// Who has the name.
struct Owner {
    /// The super-node that is told.
    node: SocketAddr,
    key: PathBuf,
}

impl Owner {
    /// The phone password.
    fn password(&self, more: &[&str]) -> Result<String> {
        let told = self.command("phone-password", more)?;
        told["password"].as_str().map(str::to_owned).context("no password")
    }

    /// What a command of `supernode` answers.
    fn command(&self, command: &str, more: &[&str]) -> Result<Value> {
        let node = format!("http://{}", self.node);
        let mut process = Command::new(binary()?);
        process.args([command, USER, "--json", "--node", &node, "--key-file"]).arg(&self.key);
        let output = process.args(more).stdin(Stdio::null()).output().context("supernode")?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "supernode {command}: {told}");
        serde_json::from_str(&told).context("no JSON")
    }
}

/// Registers as a phone does, or does not; the status of the last answer.
fn signs_in(phone: &mut Phone, password: &str) -> Result<u16> {
    let asked = phone.registration(60, &[]);
    let challenge = challenged(&phone.ask(&asked, ANSWER_LIMIT)?, 401)?;
    let answer = challenge.answer("REGISTER", "sip:scope", USER, password, 1);
    let request = phone.registration(60, &[("Authorization", &answer)]);
    phone.status(&request, ANSWER_LIMIT)
}

/// The challenge in an answer that has to be one.
fn challenged(answer: &Heard, status: u16) -> Result<Challenge> {
    ensure!(answer.status() == Some(status), "{status} expected:\n{}", answer.as_str());
    Challenge::read(answer)
}

fn digest(nodes: &[SocketAddr], password: &str) -> Result<()> {
    let mut phone = Phone::new(USER, loopback(5, 1), nodes[1])?;
    let register = |phone: &mut Phone, answer: &str| {
        let request = phone.registration(60, &[("Authorization", answer)]);
        phone.ask(&request, ANSWER_LIMIT)
    };
    let asked = phone.registration(60, &[]);
    let challenge = challenged(&phone.ask(&asked, ANSWER_LIMIT)?, 401)?;
    let answer = |password, count| challenge.answer("REGISTER", "sip:scope", USER, password, count);
    challenged(&register(&mut phone, &answer(WRONG, 1))?, 401)?;
    let right = answer(password, 2);
    let registered = register(&mut phone, &right)?;
    ensure!(registered.status() == Some(200), "{}", registered.as_str());
    // The same answer again, by its owner; by somebody who heard it; at another super-node.
    let mut thief = Phone::new(USER, loopback(5, 2), nodes[1])?;
    let mut elsewhere = Phone::new(USER, loopback(5, 3), nodes[0])?;
    for replayer in [&mut phone, &mut thief, &mut elsewhere] {
        let again = challenged(&register(replayer, &right)?, 401)?;
        ensure!(again.is_stale, "a replay is not called stale");
    }
    // The next use is the owner's alone.
    let next = answer(password, 3);
    challenged(&register(&mut thief, &next)?, 401)?;
    let registered = register(&mut phone, &next)?;
    ensure!(registered.status() == Some(200), "{}", registered.as_str());
    Ok(())
}

fn calls(nodes: &[SocketAddr], password: &str) -> Result<()> {
    let mut callee = Phone::new("rita", loopback(5, 4), nodes[2])?;
    callee.register(ANSWER_LIMIT)?;
    let mut caller = Phone::new(USER, loopback(5, 5), nodes[0])?;
    let uri = "sip:rita@scope";
    let bare = caller.request("MESSAGE", uri, &[], "it is me");
    let challenge = challenged(&caller.ask(&bare, ANSWER_LIMIT)?, 407)?;
    let wrong = challenge.answer("MESSAGE", uri, USER, WRONG, 1);
    let wrong = caller.request("MESSAGE", uri, &[("Proxy-Authorization", &wrong)], "it is me");
    challenged(&caller.ask(&wrong, ANSWER_LIMIT)?, 407)?;
    let right = challenge.answer("MESSAGE", uri, USER, password, 2);
    let right = caller.request("MESSAGE", uri, &[("Proxy-Authorization", &right)], "it is her");
    caller.send(&right)?;
    let heard =
        callee.wait_for("MESSAGE", ANSWER_LIMIT, |heard| heard.method() == Some("MESSAGE"))?;
    ensure!(heard.body() == "it is her", "{}", heard.as_str());
    ensure!(heard.field("P-Asserted-Identity").is_some(), "not asserted:\n{}", heard.as_str());
    if heard.field("Scope-Caller").is_some() {
        bail!("marked as unverified:\n{}", heard.as_str());
    }
    callee.send(heard.reply("200 OK", "1", &[], ""))
}
