//! Requests whose HTTP is wrong: lengths that lie, methods and paths nobody serves, too much at
//! once. Each has to be answered by a status or a fault, or the connection ended.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Case, KEY, VALUE};
use crate::http::{Answer, Connection, get, post};
use crate::rpc::{Param, call, fault_code, parse};

const LIMIT: Duration = Duration::from_secs(10);

/// The largest request, and one byte more.
const BODY_MAX: usize = 256 * 1024;
const OVER: usize = BODY_MAX + 1;
const TOO_LARGE: i32 = 3;
const PARSE: i32 = 1;

/// Connections at once.
const CROWD: usize = 300;

/// The cases of this file.
pub(super) const CASES: [Case; 14] = [
    Case { what: "a body of more than 256 KiB, declared", run: declared_too_long },
    Case { what: "a body of 10 GB, declared and not sent", run: declared_huge },
    Case { what: "a body of more than 256 KiB, chunked", run: chunked_too_long },
    Case { what: "a body without a length", run: no_length },
    Case { what: "a body of exactly 256 KiB", run: exactly_the_limit },
    Case { what: "a Content-Length that is negative or no number", run: bad_length },
    Case { what: "two Content-Lengths that differ", run: two_lengths },
    Case { what: "a chunk that ends early, and a bad one", run: bad_chunks },
    Case { what: "a body that ends early", run: body_ends_early },
    Case { what: "a header of 1 MiB", run: long_header },
    Case { what: "no HTTP at all", run: no_http },
    Case { what: "a method that is not served", run: wrong_method },
    Case { what: "a path that is not served", run: unknown_path },
    Case { what: "300 connections at once, and requests sent ahead", run: crowd },
];

fn declared_too_long(server: SocketAddr) -> Result<()> {
    too_large(send(server, &post("/RPC2", &vec![b' '; OVER]))?)
}

fn declared_huge(server: SocketAddr) -> Result<()> {
    too_large(send(server, &head("Content-Length: 10000000000\r\n"))?)
}

fn chunked_too_long(server: SocketAddr) -> Result<()> {
    let mut request = head("Transfer-Encoding: chunked\r\n");
    for _ in 0..OVER / 1024 + 1 {
        request.extend_from_slice(b"400\r\n");
        request.extend_from_slice(&[b' '; 1024]);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    too_large(send(server, &request)?)
}

fn no_length(server: SocketAddr) -> Result<()> {
    // By RFC 9112 a request without a length has no body; 411 asks for the length instead.
    let body = call("scope.get", &[Param::Text(KEY)]);
    let request = format!("POST /RPC2 HTTP/1.0\r\nHost: x\r\nContent-Type: text/xml\r\n\r\n{body}");
    match send(server, request.as_bytes())? {
        Some(answer) if answer.status == 200 => expect_fault(&answer, PARSE),
        answer => expect_status(answer, &[400, 411]),
    }
}

fn exactly_the_limit(server: SocketAddr) -> Result<()> {
    let mut body = call("scope.get", &[Param::Text(KEY)]).into_bytes();
    body.resize(BODY_MAX, b'\n');
    let answer = send(server, &post("/RPC2", &body))?.context("no answer")?;
    ensure!(answer.status == 200, "HTTP status {}", answer.status);
    parse(&answer.body)?.value().map(|_| ())
}

fn bad_length(server: SocketAddr) -> Result<()> {
    for length in ["-1", "x", "", "99999999999999999999999", "0x10", "1 2"] {
        let answer = send(server, &head(&format!("Content-Length: {length}\r\n")))?;
        // A number beyond 64 bits is a large one to some and no number to others.
        expect_status(answer, &[400, 413]).with_context(|| format!("{length:?}"))?;
    }
    Ok(())
}

fn two_lengths(server: SocketAddr) -> Result<()> {
    expect_status(send(server, &head("Content-Length: 5\r\nContent-Length: 6\r\n"))?, &[400])
}

fn bad_chunks(server: SocketAddr) -> Result<()> {
    for chunks in ["5\r\nab", "zz\r\nabc\r\n", "-5\r\nabc\r\n", "fffffffffffffffff\r\nabc\r\n"] {
        let mut connection = Connection::open(server, LIMIT)?;
        let mut request = head("Transfer-Encoding: chunked\r\n");
        request.extend_from_slice(chunks.as_bytes());
        connection.send(&request)?;
        connection.finish_sending()?;
        refused(connection.answer()?).with_context(|| format!("{chunks:?}"))?;
    }
    Ok(())
}

fn body_ends_early(server: SocketAddr) -> Result<()> {
    let mut connection = Connection::open(server, LIMIT)?;
    connection.send(&head("Content-Length: 1000\r\n"))?;
    connection.send(b"<methodCall>")?;
    connection.finish_sending()?;
    refused(connection.answer()?)
}

fn long_header(server: SocketAddr) -> Result<()> {
    let field = format!("X-Long: {}\r\n", "x".repeat(1024 * 1024));
    refused(send(server, &head(&field))?)
}

fn no_http(server: SocketAddr) -> Result<()> {
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\0\0\0\0\r\n\r\n", b"x\r\n\r\n"]
    {
        let mut connection = Connection::open(server, LIMIT)?;
        connection.send(bytes)?;
        connection.finish_sending()?;
        refused(connection.answer()?)?;
    }
    Ok(())
}

fn wrong_method(server: SocketAddr) -> Result<()> {
    let answer = get(server, "/RPC2", LIMIT)?;
    ensure!(answer.status == 405, "HTTP status {} to GET /RPC2", answer.status);
    ensure!(answer.field("allow").is_some(), "405 without Allow");
    for method in ["PUT", "DELETE", "BREW"] {
        let request = format!("{method} /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        expect_status(send(server, request.as_bytes())?, &[405, 501])?;
    }
    Ok(())
}

fn unknown_path(server: SocketAddr) -> Result<()> {
    for path in ["/nothing", "/../../etc/passwd", "/RPC2/x", "/%00", "//"] {
        let answer = get(server, path, LIMIT)?;
        ensure!([400, 404].contains(&answer.status), "HTTP status {} to {path}", answer.status);
    }
    let answer = send(server, &post("/nothing", b""))?;
    expect_status(answer, &[404])
}

fn crowd(server: SocketAddr) -> Result<()> {
    let request = post("/RPC2", call("scope.get", &[Param::Text(KEY)]).as_bytes());
    // Three requests each before the first answer is read.
    let ahead = request.repeat(3);
    let mut connections = Vec::with_capacity(CROWD);
    for _ in 0..CROWD {
        let mut connection = Connection::open(server, LIMIT)?;
        connection.send(&ahead)?;
        connections.push(connection);
    }
    let mut answered = 0;
    for (number, connection) in connections.iter_mut().enumerate() {
        for _ in 0..3 {
            // A node may turn away those that are too many, if it says so.
            let Some(answer) = connection.answer()? else { break };
            match answer.status {
                200 => {
                    let [value] = parse(&answer.body)?.value()?.tuple()?;
                    ensure!(value.bytes()? == VALUE, "a wrong answer on connection {number}");
                    answered += 1;
                }
                503 => break,
                other => bail!("HTTP status {other} on connection {number}"),
            }
        }
    }
    ensure!(answered >= 3 * 200, "only {answered} of {} requests were answered", 3 * CROWD);
    Ok(())
}

/// The head of a POST with more header fields.
fn head(fields: &str) -> Vec<u8> {
    format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n{fields}\r\n").into_bytes()
}

/// Sends a request on a connection of its own and reads what comes back.
fn send(server: SocketAddr, request: &[u8]) -> Result<Option<Answer>> {
    let mut connection = Connection::open(server, LIMIT)?;
    // The server may answer and close before it has read all: what it said counts, not the error.
    let _ = connection.send(request);
    connection.answer()
}

fn expect_status(answer: Option<Answer>, statuses: &[u16]) -> Result<()> {
    let status = answer.context("no answer")?.status;
    ensure!(statuses.contains(&status), "HTTP status {status} instead of {statuses:?}");
    Ok(())
}

fn expect_fault(answer: &Answer, code: i32) -> Result<()> {
    let got = fault_code(&parse(&answer.body)?)?;
    ensure!(got == code, "fault {got} instead of {code}");
    Ok(())
}

/// A fault in XML-RPC or a 413 in HTTP.
fn too_large(answer: Option<Answer>) -> Result<()> {
    match answer {
        Some(answer) if answer.status == 200 => expect_fault(&answer, TOO_LARGE),
        answer => expect_status(answer, &[413]),
    }
}

/// An error in HTTP, a fault, or the end of the connection.
fn refused(answer: Option<Answer>) -> Result<()> {
    match answer {
        None => Ok(()),
        Some(answer) if answer.status == 200 => expect_fault(&answer, PARSE),
        Some(answer) if (400..500).contains(&answer.status) => Ok(()),
        Some(answer) => bail!("HTTP status {}", answer.status),
    }
}
