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
const ANSWER_LIMIT: Duration = Duration::from_secs(32);

pub(super) fn measure(report: &mut Report, settings: &Settings) -> Result<()> {
    let people = if settings.quick { 1000 } else { 10_000 };
    let launch = Launch::local(&Data::Ephemeral, ANY_PORT).with("--sip-rate", NO_LIMIT);
    let node = Node::launch(&launch)?;
    let address = node.sip().context("the super-node takes no SIP")?;
    let mut phone = Phone::new("weight", Ipv4Addr::LOCALHOST, address)?;
    // As many before: what so many REGISTERs at a time need besides is no registration's own, and not
    // given back to the system.
    register(&mut phone, "early", people)?;
    // Transactions are remembered for 32 s over UDP (timer J), which is not what is weighed.
    let forgotten = if settings.quick { Duration::ZERO } else { FORGOTTEN };
    std::thread::sleep(forgotten);
    let before = resident(node.pid())?.now;
    register(&mut phone, "late", people)?;
    std::thread::sleep(forgotten);
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
        let requests = batch.into_iter().map(|number| {
            let contact = format!("<sip:{name}{number}@{address};n={number}>");
            let fields = [("Contact", contact.as_str()), ("Expires", "120")];
            let request = phone.request("REGISTER", "sip:scope", &fields, "");
            // Of one phone's requests each is another person's.
            let (own, other) = ("<sip:weight@scope>", format!("<sip:{name}{number}@scope>"));
            request.replace(own, &other)
        });
        let requests: Vec<String> = requests.collect();
        for granted in phone.ask_all(&requests, ANSWER_LIMIT)? {
            ensure!(granted.status() == Some(200), "{}", granted.as_str());
        }
    }
    Ok(())
}
