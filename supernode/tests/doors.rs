//! The daemon among those it cannot trust: too many connections, too slow ones, and no passphrase.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/support.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use support::{Node, get, post, run, until, values};

/// A counter of `/metrics`.
fn counted(node: &Node, name: &str) -> u64 {
    let metrics = get(&node.http, "/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

#[test]
fn who_holds_all_the_connections_it_may_loses_the_idlest_and_keeps_nobody_out() {
    let node = Node::ephemeral();
    post(&node.http, "scope.put", &["k", "v"]);
    // A loopback address may have 600.
    let mut silent: Vec<TcpStream> = (0..640).map(|_| support::connect(&node.http)).collect();
    assert_eq!(values(&node.http, "k"), ["v"]);
    let closed = "scope_http_connections_closed_total{reason=\"idle\"} ";
    until(|| (counted(&node, closed) >= 40).then_some(()), || "none was closed".into());
    let mut byte = [0];
    assert!(matches!(silent[0].read(&mut byte), Ok(0) | Err(_)), "the oldest was closed");
    // The youngest still serves.
    let youngest = silent.last_mut().unwrap();
    youngest.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(support::read_reply(youngest).ends_with("ok\n"));
}

#[test]
fn large_bodies_that_do_not_come_take_no_more_memory_than_there_is() {
    let node = Node::ephemeral();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\n\r\n";
    // One source may hold half of 64 MiB: 128 such bodies.
    let mut waiting = Vec::new();
    for _ in 0..140 {
        let mut stream = support::connect(&node.http);
        stream.write_all(head.as_bytes()).unwrap();
        waiting.push(stream);
    }
    let refused = "scope_http_requests_refused_total{reason=\"no memory\"} ";
    until(|| (counted(&node, refused) >= 12).then_some(()), || "none was refused".into());
    // Which they are depends on who is read first.
    let is_told = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let mut begins = [0; 12];
        let told = stream.peek(&mut begins);
        stream.set_nonblocking(false).unwrap();
        told.is_ok() && begins == *b"HTTP/1.1 503"
    };
    let told = || waiting.iter().position(is_told);
    let told = until(told, || "none was told".into());
    let mut answer = String::new();
    waiting[told].read_to_string(&mut answer).unwrap();
    assert!(answer.contains("try again"), "{answer}");
    assert!(answer.to_lowercase().contains("retry-after: 1"), "{answer}");
    post(&node.http, "scope.put", &["k", "a small one is always taken"]);
    drop(waiting);
    let large = "x".repeat(60_000);
    until(
        || post(&node.http, "scope.put", &["k", &large]).contains("replicas").then_some(()),
        || "the memory was not given back".into(),
    );
}

fn write(path: &Path, content: &[u8], mode: u32) -> String {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_passphrase_file_that_will_not_do_is_named_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("passphrase");
    let start =
        |path: &str| run(&["--ephemeral", "--http", "127.0.0.1:0", "--passphrase-file", path]);
    let missing = dir.path().join("missing").to_str().unwrap().to_owned();
    for (path, reason) in [
        (missing, "cannot be read"),
        (write(&file, b"short\n", 0o600), "has 5 bytes; a passphrase has at least 8"),
    ] {
        let ended = start(&path);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        assert!(ended.stderr.contains(&path) && ended.stderr.contains(reason), "{}", ended.stderr);
        assert!(!ended.stderr.contains("short"), "{}", ended.stderr);
    }
    let ended = start(&write(&file, b"\xff\xfe not text at all", 0o600));
    assert!(ended.stderr.contains("is not UTF-8"), "{}", ended.stderr);
}

#[test]
fn with_a_passphrase_this_machines_programs_are_served_and_the_log_never_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(&dir.path().join("passphrase"), b"open sesame, please\n", 0o644);
    let arguments = ["--ephemeral", "--http", "127.0.0.1:0", "--passphrase-file", &file];
    let node = Node::start(&[&arguments[..], &["--log", "debug"]].concat());
    post(&node.http, "scope.put", &["k", "v"]);
    assert_eq!(values(&node.http, "k"), ["v"]);
    let body = "{\"passphrase\": \"open sesame, please\"}";
    let reply = support::exchange(&node.http, &support::request("POST", "/api/v1/session", body));
    assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("\"token\""), "{reply}");
    let log = node.stop("-TERM").stderr;
    assert!(log.contains("other users of this machine may read the passphrase file"), "{log}");
    assert!(!log.contains("sesame"), "{log}");
}
