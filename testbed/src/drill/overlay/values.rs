//! The values that are put once and read again and again.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};

use super::crew::{CREW, together};
use crate::choice::Choice;
use crate::rpc::{Client, Datum, Reply};

/// How many there are.
pub(super) const VALUES: usize = 10_000;

/// Most are small; one in a hundred is too large for the stream that small ones take.
const SMALL: usize = 100;
const LARGE: usize = 20 * 1024;
const LARGE_EVERY: usize = 100;

/// An acknowledged value is on this many disks of three.
const QUORUM: i32 = 2;

/// Keeps apart what is written later.
pub(super) fn key(number: usize) -> String {
    format!("value {number}")
}

/// Distinct, whatever the number.
pub(super) fn value(number: usize) -> Vec<u8> {
    let size = if number.is_multiple_of(LARGE_EVERY) { LARGE } else { SMALL };
    let mut choice = Choice::seeded(number as u64);
    let mut bytes: Vec<u8> =
        (0..size.div_ceil(8)).flat_map(|_| choice.bits().to_le_bytes()).collect();
    bytes.truncate(size);
    bytes
}

/// Puts all of them at one super-node.
pub(super) fn put_each(server: SocketAddr) -> Result<()> {
    together(|client| {
        let mut connection = Client::connect(server)?;
        for number in (client..VALUES).step_by(CREW) {
            let reply = connection.put(&key(number), &value(number));
            let copies = copies(reply?).with_context(|| key(number))?;
            ensure!(copies >= QUORUM, "{} is on {copies} disks only", key(number));
        }
        Ok(())
    })?;
    Ok(())
}

/// How many copies an acknowledged put has.
fn copies(reply: Reply) -> Result<i32> {
    let Datum::Struct(members) = reply.value()? else { bail!("the reply to a put is no struct") };
    match members.get("replicas") {
        Some(Datum::Int(copies)) => Ok(*copies),
        other => bail!("replicas are {other:?}"),
    }
}
