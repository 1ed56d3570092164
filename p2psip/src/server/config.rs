//! What a server is to be.

use std::net::{IpAddr, SocketAddr};

use super::limits::Rates;
use crate::registrar::Lifetimes;
use crate::transaction::{Limits, Timers};

/// What a server is to be.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen, UDP and TCP; port 0 finds a free one. `[::]` takes IPv4 and IPv6.
    pub address: SocketAddr,
    /// What others call this machine, one address of each family at most; needed if `address` is every
    /// address. The first one is what other super-nodes are told.
    pub advertised: Vec<IpAddr>,
    /// How long registrations last.
    pub lifetimes: Lifetimes,
    /// Of transactions.
    pub timers: Timers,
    /// Of all transactions.
    pub limits: Limits,
    /// How many new requests others than super-nodes may send; any number without.
    pub rates: Option<Rates>,
    /// Stays on the way of every call.
    pub record_route_always: bool,
}

impl Config {
    /// The usual one, at an address.
    pub fn new(address: SocketAddr) -> Config {
        Config {
            address,
            advertised: Vec::new(),
            lifetimes: Lifetimes::default(),
            timers: Timers::default(),
            limits: Limits::default(),
            rates: Some(Rates::default()),
            record_route_always: false,
        }
    }
}
