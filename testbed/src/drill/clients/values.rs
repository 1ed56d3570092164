//! The values that are put once and read again and again.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};

use super::crew::{CREW, together};
use crate::choice::Choice;
use crate::rpc::{Client, Datum, Reply};

/// One in a hundred may be too large for the stream that small ones take.
const LARGE: usize = 20 * 1024;
const LARGE_EVERY: usize = 100;

/// An acknowledged value is on this many disks of three.
const QUORUM: i32 = 2;

/// So many values, each under a key of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values {
    /// How many there are.
    pub(crate) count: usize,
    /// Bytes of each.
    pub(crate) size: usize,
    /// Whether one in a hundred has 20 KiB instead.
    pub(crate) some_large: bool,
}

impl Values {
    /// Keeps apart what is written later.
    pub(crate) fn key(self, number: usize) -> String {
        format!("value {number}")
    }

    /// Distinct, whatever the number.
    pub(crate) fn value(self, number: usize) -> Vec<u8> {
        let large = self.some_large && number.is_multiple_of(LARGE_EVERY);
        let size = if large { LARGE } else { self.size };
        let mut choice = Choice::seeded(number as u64);
        let mut bytes: Vec<u8> =
            (0..size.div_ceil(8)).flat_map(|_| choice.bits().to_le_bytes()).collect();
        bytes.truncate(size);
        bytes
    }

    /// Puts all of them, at these super-nodes in turns.
    pub(crate) fn put_each(self, servers: &[SocketAddr]) -> Result<()> {
        together(CREW, |client| {
            let mut connection = Client::connect(servers[client % servers.len()])?;
            for number in (client..self.count).step_by(CREW) {
                let key = self.key(number);
                let reply = connection.put(&key, &self.value(number));
                let copies = copies(reply?).with_context(|| key.clone())?;
                ensure!(copies >= QUORUM, "{key} is on {copies} disks only");
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// How many copies an acknowledged put has.
fn copies(reply: Reply) -> Result<i32> {
    let Datum::Struct(members) = reply.value()? else { bail!("the reply to a put is no struct") };
    match members.get("replicas") {
        Some(Datum::Int(copies)) => Ok(*copies),
        other => bail!("replicas are {other:?}"),
    }
}
