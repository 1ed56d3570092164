//! Clients that take their time: the node has to end them by a limit of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Case;
use crate::http::{Connection, post};
use crate::rpc::{Client, Param, call};

/// How long a node may put up with a request that does not get on.
const PATIENCE: Duration = Duration::from_secs(40);

/// Values of a long answer, and how often it is asked for: more than any socket's buffers hold.
const LONG_VALUES: u8 = 10;
const LONG_ANSWERS: usize = 40;

/// The case of this file: its parts go on at the same time, for each takes as long as the limit.
pub(super) const CASES: [Case; 1] = [Case {
    what: "bodies, headers, chunks at one byte a second, silence, answers not read",
    run: slow_clients,
}];

fn slow_clients(server: SocketAddr) -> Result<()> {
    let whole = post("/RPC2", call("scope.get", &[Param::Text("k")]).as_bytes());
    let body_at = whole.windows(4).position(|w| w == b"\r\n\r\n").context("no body")? + 4;
    let chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n";
    let spaces = vec![b' '; 100];
    let began = Instant::now();
    let deaf = ask_and_do_not_read(server)?;
    let mut clients = [
        Slow::start("a slow body", server, &whole[..body_at], &whole[body_at..])?,
        Slow::start("a slow header", server, b"", &whole)?,
        Slow::start("a slow chunk", server, chunked, &spaces)?,
        Slow::start("a silent connection", server, b"", b"")?,
    ];
    while began.elapsed() < PATIENCE {
        for client in &mut clients {
            client.step()?;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let mut open: Vec<_> = clients.iter().filter(|client| !client.ended).map(|c| c.what).collect();
    if still_answers(deaf)? {
        open.push("answers not read");
    }
    ensure!(open.is_empty(), "still open after {PATIENCE:?}: {}", open.join(", "));
    Ok(())
}

/// Asks for much and leaves it to the server.
fn ask_and_do_not_read(server: SocketAddr) -> Result<Connection> {
    let mut client = Client::connect(server)?;
    for number in 0..LONG_VALUES {
        client.put("long", &[number; 64 * 1024])?.value()?;
    }
    let request = post("/RPC2", call("scope.get", &[Param::Text("long")]).as_bytes());
    let mut connection = Connection::open(server, PATIENCE * 2)?;
    connection.send(&request.repeat(LONG_ANSWERS))?;
    Ok(connection)
}

/// Reads at last: whether the server has kept everything ready until now.
fn still_answers(mut connection: Connection) -> Result<bool> {
    for _ in 0..LONG_ANSWERS {
        match connection.answer() {
            Ok(Some(answer)) if answer.status == 200 => {}
            Ok(Some(answer)) => bail!("HTTP status {}", answer.status),
            Ok(None) | Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

struct Slow<'a> {
    what: &'static str,
    connection: Connection,
    left: std::slice::Iter<'a, u8>,
    ended: bool,
}

impl<'a> Slow<'a> {
    fn start(
        what: &'static str,
        server: SocketAddr,
        at_once: &[u8],
        slowly: &'a [u8],
    ) -> Result<Slow<'a>> {
        let mut connection = Connection::open(server, PATIENCE * 2)?;
        connection.send(at_once)?;
        Ok(Slow { what, connection, left: slowly.iter(), ended: false })
    }

    /// Sends a byte more, if the server still listens.
    fn step(&mut self) -> Result<()> {
        self.ended = self.ended || self.connection.has_news()?;
        if !self.ended
            && let Some(byte) = self.left.next()
        {
            // The server may have closed just now.
            self.ended = self.connection.send(&[*byte]).is_err();
        }
        Ok(())
    }
}
