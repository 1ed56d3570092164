//! Well-framed requests with bad bodies: each has to be answered by a fault.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Case;
use crate::http::{Connection, post};
use crate::rpc::{Param, Reply, call, fault_code, parse};

const LIMIT: Duration = Duration::from_secs(10);

/// Faults: a body that is no call, wrong parameters, too large or too deep, unknown method.
const PARSE: i32 = 1;
const PARAMETERS: i32 = 2;
const TOO_LARGE: i32 = 3;
const UNKNOWN: i32 = 6;

/// The cases of this file.
pub(super) const CASES: [Case; 14] = [
    Case { what: "malformed XML", run: malformed },
    Case { what: "XML that is no call", run: no_call },
    Case { what: "binary garbage", run: garbage },
    Case { what: "invalid UTF-8", run: invalid_utf8 },
    Case { what: "a NUL byte and other letters XML forbids", run: forbidden_letters },
    Case { what: "bad base64", run: bad_base64 },
    Case { what: "bad numbers", run: bad_numbers },
    Case { what: "wrong types", run: wrong_types },
    Case { what: "an entity bomb", run: entity_bomb },
    Case { what: "an external entity", run: external_entity },
    Case { what: "1,000 nested arrays", run: nested_arrays },
    Case { what: "50,000 open tags", run: open_tags },
    Case { what: "200 parameters and 10,000 members", run: many_parts },
    Case { what: "an endless method name", run: long_method },
];

fn malformed(server: SocketAddr) -> Result<()> {
    let good = call("scope.get", &[Param::Text("k")]);
    let cut = &good[..good.len() / 2];
    for body in [cut, "<", "<methodCall><a></b></methodCall>", "<methodCall", "&&&", "]]>"] {
        expect(server, body.as_bytes(), &[PARSE]).with_context(|| format!("{body:?}"))?;
    }
    Ok(())
}

fn no_call(server: SocketAddr) -> Result<()> {
    for body in ["", " \n", "<html></html>", "{\"method\": \"scope.get\"}", "<methodCall/>"] {
        expect(server, body.as_bytes(), &[PARSE]).with_context(|| format!("{body:?}"))?;
    }
    Ok(())
}

fn garbage(server: SocketAddr) -> Result<()> {
    let bytes: Vec<u8> =
        (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    expect(server, &bytes, &[PARSE])
}

fn invalid_utf8(server: SocketAddr) -> Result<()> {
    let mut body = call("scope.get", &[Param::Text("key")]).into_bytes();
    let at = body.windows(3).position(|window| window == b"key").context("no key")?;
    body[at..at + 3].copy_from_slice(b"\xff\xfe\x80");
    expect(server, &body, &[PARSE])
}

fn forbidden_letters(server: SocketAddr) -> Result<()> {
    // Either is right: to refuse what XML 1.0 forbids, or to take it for a byte of the key.
    for letter in ["\0", "\x01", "&#0;", "&#x1;", "&#xFFFFFFFF;", "&#xD800;"] {
        let body = get_of(&format!("<string>a{letter}b</string>"));
        let reply = exchange(server, body.as_bytes())?;
        if let Reply::Fault { code, .. } = reply {
            ensure!([PARSE, PARAMETERS].contains(&code), "fault {code} for {letter:?}");
        }
    }
    Ok(())
}

fn bad_base64(server: SocketAddr) -> Result<()> {
    for text in ["a", "a===", "!!!!", "YWJj=YWJj", "<b/>"] {
        let body = get_of(&format!("<base64>{text}</base64>"));
        expect(server, body.as_bytes(), &[PARSE, PARAMETERS]).with_context(|| text.to_owned())?;
    }
    Ok(())
}

fn bad_numbers(server: SocketAddr) -> Result<()> {
    for text in ["", "x", "1.5", "99999999999999999999", "0x10", "--1", "1e3"] {
        let body = call("scope.get", &[Param::Text("k"), Param::Int(10)])
            .replace("<int>10</int>", &format!("<int>{text}</int>"));
        expect(server, body.as_bytes(), &[PARSE, PARAMETERS]).with_context(|| text.to_owned())?;
    }
    for max in [0, -1, i64::from(i32::MIN)] {
        let body = call("scope.get", &[Param::Text("k"), Param::Int(max)]);
        expect(server, body.as_bytes(), &[PARAMETERS]).with_context(|| format!("max {max}"))?;
    }
    Ok(())
}

fn wrong_types(server: SocketAddr) -> Result<()> {
    for typed in [
        "<int>1</int>",
        "<double>1.5</double>",
        "<boolean>1</boolean>",
        "<dateTime.iso8601>19980717T14:08:55</dateTime.iso8601>",
        "<array><data></data></array>",
        "<struct></struct>",
        "<nil/>",
    ] {
        expect(server, get_of(typed).as_bytes(), &[PARAMETERS])
            .with_context(|| typed.to_owned())?;
    }
    expect(server, get_of("<strange>1</strange>").as_bytes(), &[PARSE, PARAMETERS])
}

fn entity_bomb(server: SocketAddr) -> Result<()> {
    let mut entities = String::from("<!ENTITY a0 \"ha\">");
    for level in 1..30 {
        let below = format!("&a{};", level - 1).repeat(10);
        entities.push_str(&format!("<!ENTITY a{level} \"{below}\">"));
    }
    let body = get_of("<string>&a29;</string>")
        .replace("<methodCall>", &format!("<!DOCTYPE methodCall [{entities}]><methodCall>"));
    expect(server, body.as_bytes(), &[PARSE])
}

fn external_entity(server: SocketAddr) -> Result<()> {
    let body = get_of("<string>&file;</string>").replace(
        "<methodCall>",
        "<!DOCTYPE methodCall [<!ENTITY file SYSTEM \"file:///etc/passwd\">]><methodCall>",
    );
    expect(server, body.as_bytes(), &[PARSE])
}

fn nested_arrays(server: SocketAddr) -> Result<()> {
    let (open, close) = ("<array><data><value>", "</value></data></array>");
    let body = get_of(&format!("{}{}", open.repeat(1000), close.repeat(1000)));
    expect(server, body.as_bytes(), &[PARSE, TOO_LARGE])?;
    // Not closed: a parser that recurses finds out only at the bottom.
    let body = get_of(&open.repeat(10_000));
    expect(server, body.as_bytes(), &[PARSE, TOO_LARGE])
}

fn open_tags(server: SocketAddr) -> Result<()> {
    expect(server, "<a>".repeat(50_000).as_bytes(), &[PARSE, TOO_LARGE])
}

fn many_parts(server: SocketAddr) -> Result<()> {
    let body = call("scope.get", &[Param::Text("k"); 200]);
    expect(server, body.as_bytes(), &[PARSE, PARAMETERS])?;
    let members = "<member><name>a</name><value/></member>".repeat(5_000);
    let body = get_of(&format!("<struct>{members}</struct>"));
    expect(server, body.as_bytes(), &[PARSE, PARAMETERS])
}

fn long_method(server: SocketAddr) -> Result<()> {
    expect(server, call(&"m".repeat(200_000), &[]).as_bytes(), &[PARSE, UNKNOWN])
}

fn get_of(typed: &str) -> String {
    call("scope.get", &[Param::Text("")]).replace("<string></string>", typed)
}

fn exchange(server: SocketAddr, body: &[u8]) -> Result<Reply> {
    let mut connection = Connection::open(server, LIMIT)?;
    connection.send(&post("/RPC2", body))?;
    let answer = connection.answer()?.context("no answer")?;
    ensure!(answer.status == 200, "HTTP status {}", answer.status);
    parse(&answer.body)
}

fn expect(server: SocketAddr, body: &[u8], codes: &[i32]) -> Result<()> {
    let code = fault_code(&exchange(server, body)?)?;
    ensure!(codes.contains(&code), "fault {code} instead of {codes:?}");
    Ok(())
}
