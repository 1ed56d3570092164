//! Many phones at many super-nodes: each is reached from wherever the other is.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};

use super::{ANSWER_LIMIT, Stage, sip_of};
use crate::sip::phone::Phone;
use crate::sip::text::Heard;

const NODES: usize = 11;
const PHONES: usize = 200;
/// Pairs that talk.
const PAIRS: usize = 200;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let cluster = stage.cluster(NODES)?;
    let mut phones = Vec::with_capacity(PHONES);
    for number in 0..PHONES {
        let ip = Ipv4Addr::new(127, 2, (number / 250) as u8, (number % 250 + 1) as u8);
        phones.push(Phone::new(&user(number), ip, sip_of(&cluster, number % NODES)?)?);
    }
    let choice = &mut stage.choice;
    // Each pair at two different super-nodes, or nothing would be shown.
    let mut pairs = Vec::with_capacity(PAIRS);
    while pairs.len() < PAIRS {
        let [from, to] = [(); 2].map(|()| choice.below(PHONES as u64) as usize);
        if from % NODES != to % NODES {
            pairs.push((from, to));
        }
    }
    let what = format!("{PHONES} phones register at {NODES} super-nodes");
    stage.checks.check(&what, || {
        for phone in &mut phones {
            phone.register(ANSWER_LIMIT)?;
        }
        Ok(())
    });
    let what =
        format!("{PAIRS} pairs at different super-nodes reach each other, by MESSAGE and INVITE");
    stage.checks.check(&what, || {
        for (number, (from, to)) in pairs.iter().enumerate() {
            let [caller, callee] = phones.get_disjoint_mut([*from, *to]).context("a pair")?;
            let reached = match number % 2 {
                0 => message(caller, callee, *to),
                _ => invite(caller, callee, *to),
            };
            reached.with_context(|| format!("{} to {}", user(*from), user(*to)))?;
        }
        Ok(())
    });
    cluster.stop()
}

fn user(number: usize) -> String {
    format!("phone{number}")
}

fn message(from: &mut Phone, to: &mut Phone, number: usize) -> Result<()> {
    let uri = format!("sip:{}@{}", user(number), from.node);
    let request = from.request("MESSAGE", &uri, &[("Content-Type", "text/plain")], "hello");
    from.send(&request)?;
    let heard = to.wait_for("MESSAGE", ANSWER_LIMIT, |heard| heard.method() == Some("MESSAGE"))?;
    ensure!(heard.body() == "hello", "{}", heard.as_str());
    to.send_to(heard.reply("200 OK", "m", &[], ""), heard.from)?;
    let own = |answer: &Heard| {
        answer.status() == Some(200) && answer.field("Call-ID") == heard.field("Call-ID")
    };
    from.wait_for("200", ANSWER_LIMIT, own)?;
    Ok(())
}

/// Rings, and is declined, which ends it without a dialog.
fn invite(from: &mut Phone, to: &mut Phone, number: usize) -> Result<()> {
    let (uri, contact) = (format!("sip:{}@scope", user(number)), from.contact());
    let request = from.request("INVITE", &uri, &[("Contact", &contact)], "");
    from.send(&request)?;
    let heard = to.wait_for("INVITE", ANSWER_LIMIT, |heard| heard.method() == Some("INVITE"))?;
    to.send_to(heard.reply("180 Ringing", "i", &[], ""), heard.from)?;
    let own = |status: u16| {
        let call_id = heard.field("Call-ID");
        move |answer: &Heard| answer.status() == Some(status) && answer.field("Call-ID") == call_id
    };
    from.wait_for("180", ANSWER_LIMIT, own(180))?;
    to.send_to(heard.reply("603 Decline", "i", &[], ""), heard.from)?;
    to.wait_for("ACK", ANSWER_LIMIT, |heard| heard.method() == Some("ACK"))?;
    from.wait_for("603", ANSWER_LIMIT, own(603))?;
    Ok(())
}
