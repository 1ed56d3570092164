//! Bytes no phone sends: garbage, the empty and the huge, half a message for ever. Whatever comes, nothing
//! ends, nobody is flooded with answers, and others are served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{ANSWER_LIMIT, Stage, loopback, sip_of};
use crate::cluster::Cluster;
use crate::sip::phone::Phone;

/// Datagrams of garbage.
const GARBAGE: usize = 500;
/// A message that has begun has to be there by then, and some more.
const HEADER_LIMIT: Duration = Duration::from_secs(20);
/// Bytes that come back for one that was sent, at most, to an address that proved nothing.
const AMPLIFICATION_MAX: usize = 2;

pub(super) fn run(stage: &mut Stage<'_>, cluster: &mut Cluster) -> Result<()> {
    let node = sip_of(cluster, 0)?;
    let mut asker = Phone::new("asker", loopback(2, 1), node)?;
    // Both take their time, and pass it together.
    let (endless, silent) = (endless_header(node)?, TcpStream::connect(node)?);
    let choice = &mut stage.choice;
    let garbage: Vec<Vec<u8>> = (0..GARBAGE)
        .map(|_| (0..choice.below(1400)).map(|_| choice.bits() as u8).collect())
        .collect();
    let checks = &mut stage.checks;
    checks.check("garbage, empty and huge datagrams are nothing to a super-node", || {
        let phone = Phone::new("garbage", loopback(2, 2), node)?;
        for datagram in &garbage {
            phone.send(datagram)?;
        }
        phone.send([])?;
        phone.send(vec![b'x'; 65_000])?;
        phone.send(format!("INVITE sip:a@scope SIP/2.0\r\nVia: {}\r\n\r\n", "x".repeat(60_000)))?;
        phone.send("\r\n\r\n")?;
        answers(&mut asker, node)
    });
    checks.check("what is half right is refused or dropped, and never answered at length", || {
        let mut phone = Phone::new("half", loopback(2, 3), node)?;
        let whole = phone.request("INVITE", "sip:nobody@scope", &[("Contact", "<sip:a@h>")], "");
        for cut in (20..whole.len()).step_by(7) {
            phone.send(&whole[..cut])?;
        }
        let quiet = Duration::from_millis(300);
        while let Some(answer) = phone.hear(Instant::now() + quiet)? {
            let (sent, came) = (whole.len(), answer.as_str().len());
            ensure!(came <= sent * AMPLIFICATION_MAX, "{came} bytes to {sent}");
        }
        answers(&mut asker, node)
    });
    checks.check("a TCP peer that never ends a header is parted from, others are not", || {
        let mut keeper = silent;
        parted(endless)?;
        // Whoever has begun nothing may stay.
        keeper.write_all(b"\r\n\r\n")?;
        keeper.set_read_timeout(Some(ANSWER_LIMIT))?;
        let mut pong = [0; 2];
        keeper.read_exact(&mut pong).context("no pong (RFC 5626 §4.4.1)")?;
        ensure!(&pong == b"\r\n", "{pong:?} is no pong");
        answers(&mut asker, node)
    });
    let alive = cluster.running().count();
    checks.check("all super-nodes are alive", || {
        ensure!(alive == super::NODES, "{alive} are");
        Ok(())
    });
    Ok(())
}

/// It serves.
fn answers(asker: &mut Phone, node: SocketAddr) -> Result<()> {
    let request = asker.request("OPTIONS", &format!("sip:{node}"), &[], "");
    let status = asker.status(&request, ANSWER_LIMIT)?;
    ensure!(status == 200, "OPTIONS is answered by {status}");
    Ok(())
}

/// A connection on which a header has begun.
fn endless_header(node: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(node)?;
    stream.write_all(b"OPTIONS sip:scope SIP/2.0\r\nSubject: ")?;
    Ok(stream)
}

/// Goes on with a header, byte by byte, until the other side has had enough.
fn parted(mut stream: TcpStream) -> Result<()> {
    let deadline = Instant::now() + HEADER_LIMIT;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    while Instant::now() < deadline {
        if stream.write_all(b"x").is_err() {
            return Ok(());
        }
        match stream.read(&mut [0; 64]) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(()),
            Ok(_) | Err(_) => {}
        }
    }
    bail!("still connected after {HEADER_LIMIT:?}")
}
