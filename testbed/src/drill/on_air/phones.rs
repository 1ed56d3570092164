//! Telephones on laptops: each is registered at the super-node there, and rings when it is called.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::air::{Laptops, ip_address};
use crate::sip::calls::{Answering, registration, rings};
use crate::sip::phone::Phone;

/// How long one tries to reach somebody whose super-node has just gone, or has just been met.
const REACH_LIMIT: Duration = Duration::from_secs(60);
/// Between two calls of one who tries.
const AGAIN: Duration = Duration::from_secs(1);

/// Some telephones.
pub(super) struct Phones {
    callers: Vec<(usize, Phone)>,
    answering: Vec<Answering>,
}

impl Phones {
    /// One on each of these laptops, at the super-node it has.
    pub(super) fn on(laptops: &Laptops, numbers: &[usize]) -> Result<Phones> {
        let mut phones = Phones { callers: Vec::new(), answering: Vec::new() };
        for number in numbers {
            let (number, node) = (*number, sip(laptops, *number)?);
            phones.answering.push(answering(laptops, number, &callee(number), node)?);
            let user = format!("caller-{number}");
            let caller = laptops.on(number, || Phone::new(&user, ip_address(number), node))?;
            phones.callers.push((number, caller));
        }
        Ok(phones)
    }

    /// Calls from one laptop somebody by name; how long it took until it rang.
    pub(super) fn call(&mut self, from: usize, user: &str) -> Result<Duration> {
        let caller = self.callers.iter_mut().find(|(number, _)| *number == from);
        let (_, caller) = caller.context("no telephone there")?;
        rings(caller, user)
    }

    /// The same until it rings, as people do; how long all of it took.
    pub(super) fn reach(&mut self, from: usize, user: &str) -> Result<Duration> {
        let began = Instant::now();
        loop {
            match self.call(from, user) {
                Ok(_) => return Ok(began.elapsed()),
                Err(error) if began.elapsed() > REACH_LIMIT => {
                    return Err(error.context(format!("not within {REACH_LIMIT:?}")));
                }
                Err(_) => std::thread::sleep(AGAIN),
            }
        }
    }

    /// Nobody answers any more.
    pub(super) fn unplug(self) -> Result<()> {
        self.answering.into_iter().try_for_each(|phone| phone.stop().map(|_| ()))
    }
}

/// A telephone on a laptop that is registered at a super-node and rings when it is called.
pub(super) fn answering(
    laptops: &Laptops,
    on: usize,
    user: &str,
    node: SocketAddr,
) -> Result<Answering> {
    let phone = laptops.on(on, || Phone::new(user, ip_address(on), node))?;
    registered(phone, node)
}

/// The same telephone, from now on at another super-node.
pub(super) fn moved(phone: Answering, node: SocketAddr) -> Result<Answering> {
    registered(phone.stop()?, node)
}

fn registered(mut phone: Phone, node: SocketAddr) -> Result<Answering> {
    phone.node = node;
    registration(&mut phone).context("cannot register")?;
    Ok(Answering::start(phone))
}

/// Who is on a laptop.
pub(super) fn callee(number: usize) -> String {
    format!("callee-{number}")
}

/// Where the super-node of a laptop takes SIP.
pub(super) fn sip(laptops: &Laptops, number: usize) -> Result<SocketAddr> {
    let node = laptops.supernodes().find(|(on, _)| *on == number);
    node.and_then(|(_, node)| node.sip()).context("no super-node there takes SIP")
}
