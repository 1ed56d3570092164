//! What a registration weighs: the growth of a super-node by ten thousand people.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::NO_LIMIT;
use crate::bench::Settings;
use crate::bench::report::{Floor, Report};
use crate::node::{ANY_PORT, Data, Launch, Node};
use crate::sip::phone::Phone;
use crate::usage::resident;

/// REGISTERs that are under way at a time.
const AT_ONCE: usize = 50;
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

pub(super) fn measure(report: &mut Report, settings: &Settings) -> Result<()> {
    let people = if settings.quick { 1000 } else { 10_000 };
    let launch = Launch::local(&Data::Ephemeral, ANY_PORT).with("--sip-rate", NO_LIMIT);
    let node = Node::launch(&launch)?;
    let address = node.sip().context("the super-node takes no SIP")?;
    let mut phone = Phone::new("weight", Ipv4Addr::LOCALHOST, address)?;
    // What the first ones bring along is not the others' own.
    register(&mut phone, "early", people / 10)?;
    // Transactions are remembered for 32 s over UDP (timer J), which is not what is weighed.
    std::thread::sleep(FORGOTTEN);
    let before = resident(node.pid())?.now;
    register(&mut phone, "late", people)?;
    std::thread::sleep(FORGOTTEN);
    let grown = resident(node.pid())?.now.saturating_sub(before);
    node.stop()?;
    let each = grown as f64 / people as f64;
    report.add(format!("{people} registrations, each"), each, "B", Floor::AtMost(2000.0));
    Ok(())
}

/// Until transactions are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(34);

/// So many people register from one address, a Contact each.
fn register(phone: &mut Phone, name: &str, people: usize) -> Result<()> {
    let address = phone.address();
    let mut left: Vec<usize> = (0..people).collect();
    while !left.is_empty() {
        let batch = left.split_off(left.len().saturating_sub(AT_ONCE));
        for number in &batch {
            let contact = format!("<sip:{name}{number}@{address};n={number}>");
            let fields = [("Contact", contact.as_str()), ("Expires", "120")];
            let request = phone.request("REGISTER", "sip:scope", &fields, "");
            // Of one phone's requests each is another person's.
            let (own, other) = ("<sip:weight@scope>", format!("<sip:{name}{number}@scope>"));
            phone.send(request.replace(own, &other))?;
        }
        for _ in &batch {
            let granted = phone.wait_for("200", ANSWER_LIMIT, |heard| heard.status().is_some())?;
            ensure!(granted.status() == Some(200), "{}", granted.as_str());
        }
    }
    Ok(())
}
