//! The daemon as its users meet it: started as a process, called over HTTP, killed.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/support.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use support::{Node, exchange, get, post, run, values};

#[test]
fn one_ready_line_tells_addresses_that_can_be_dialled() {
    let node = Node::ephemeral();
    let parts: Vec<&str> = node.ready.split_whitespace().collect();
    assert_eq!(parts[0], "ready");
    assert!(parts[1].starts_with("id=12D3Koo"), "{}", node.ready);
    assert_eq!(parts[2], format!("http={}", node.http));
    assert_eq!(parts[3..], [format!("sip={}", node.sip), format!("p2p={}", node.p2p)]);
    let p2p: std::net::SocketAddr = node.p2p.parse().unwrap();
    assert!(p2p.ip().is_loopback() && p2p.port() != 0, "{}", node.ready);
    let status = get(&node.http, "/api/v1/status");
    assert!(status.contains(&format!("\"{}\"", &parts[1][3..])), "the same id: {status}");
}

#[test]
fn a_wildcard_address_is_told_as_one_that_can_be_dialled() {
    let node = Node::start(&["--ephemeral", "--http", "0.0.0.0:0"]);
    assert!(!node.http.starts_with("0.0.0.0"), "{}", node.ready);
}

#[test]
fn sigterm_and_sigint_end_it_with_code_0_and_nothing_more_on_standard_output() {
    for signal in ["-TERM", "-INT"] {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::with_data(dir.path());
        post(&node.http, "scope.put", &["k", "v"]);
        // A connection that idles must not hold it up.
        let _idle = TcpStream::connect(&node.http).unwrap();
        let ended = node.stop(signal);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn what_was_acknowledged_outlives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut id = String::new();
    for round in 0..5 {
        let node = Node::with_data(dir.path());
        let now = node.ready.split_whitespace().nth(1).unwrap().to_owned();
        assert!(round == 0 || now == id, "it comes back as the same node");
        id = now;
        for earlier in 0..round {
            assert_eq!(values(&node.http, &format!("k{earlier}")), [format!("v{earlier}")]);
            assert_eq!(values(&node.http, &format!("gone{earlier}")), [""; 0]);
        }
        post(&node.http, "scope.put", &[&format!("k{round}"), &format!("v{round}")]);
        post(&node.http, "scope.put", &[&format!("gone{round}"), "v"]);
        post(&node.http, "scope.remove", &[&format!("gone{round}"), "v"]);
        node.kill();
    }
}

#[test]
fn both_paths_answer_and_others_say_what_they_take() {
    let node = Node::ephemeral();
    let call = "<methodCall><methodName>system.listMethods</methodName></methodCall>";
    for path in ["/", "/RPC2"] {
        let reply = exchange(&node.http, &support::request("POST", path, call));
        assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("scope.put"), "{reply}");
        assert!(reply.to_lowercase().contains("content-type: text/xml"), "{reply}");
    }
    assert!(exchange(&node.http, &support::request("GET", "/RPC2", "")).contains(" 405 "));
    assert!(exchange(&node.http, &support::request("GET", "/nowhere", "")).contains(" 404 "));
    assert!(get(&node.http, "/").contains("super-node of SCOPE"));
    assert_eq!(get(&node.http, "/healthz"), "ok\n");
    assert!(get(&node.http, "/metrics").contains("scope_store_entries"));
}

#[test]
fn a_page_of_another_site_may_not_call() {
    let node = Node::ephemeral();
    let call = "<methodCall><methodName>system.listMethods</methodName></methodCall>";
    let ask = |origin: &str| {
        let request = support::request("POST", "/", call);
        let request = request.replace("Host: x", &format!("Host: {}\r\n{origin}", node.http));
        exchange(&node.http, &request)
    };
    assert!(ask("Origin: http://evil.example").contains(" 403 "));
    assert!(ask("Origin: null").contains(" 403 "));
    assert!(ask(&format!("Origin: http://{}", node.http)).contains(" 200 "));
    assert!(ask("X-Nothing: 1").contains(" 200 "));
}

#[test]
fn a_connection_serves_many_requests() {
    let node = Node::ephemeral();
    let mut stream = support::connect(&node.http);
    for _ in 0..20 {
        let call = "<methodCall><methodName>system.listMethods</methodName></methodCall>";
        let head =
            format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", call.len());
        stream.write_all(format!("{head}{call}").as_bytes()).unwrap();
        assert!(support::read_reply(&mut stream).contains("scope.remove"));
    }
}

#[test]
fn a_chunked_body_is_read_like_any_other() {
    let node = Node::ephemeral();
    let call = "<methodCall><methodName>system.listMethods</methodName></methodCall>";
    let (first, second) = call.split_at(20);
    let body = format!("14\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", second.len());
    let head =
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(exchange(&node.http, &format!("{head}{body}")).contains("scope.put"));
}

#[test]
fn a_body_above_the_limit_is_a_fault_however_it_is_framed() {
    let node = Node::ephemeral();
    let large = "x".repeat(300 * 1024);
    let declared = support::request("POST", "/", &large);
    let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let head =
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    for request in [declared, format!("{head}{chunk}")] {
        let reply = exchange(&node.http, &request);
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        assert!(reply.contains("<i4>3</i4>") && reply.contains("262144"), "{reply}");
    }
    // Announced only: refused without waiting for a byte of it.
    let mut stream = support::connect(&node.http);
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    assert!(support::read_reply(&mut stream).contains("<i4>3</i4>"));
    assert_eq!(get(&node.http, "/healthz"), "ok\n");
}

#[test]
fn hostile_requests_are_refused_and_disturb_nobody() {
    let node = Node::ephemeral();
    post(&node.http, "scope.put", &["k", "v"]);
    let nested = "<value><array><data>".repeat(1000);
    let requests = [
        "garbage\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            .to_owned(),
        format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(200_000)),
        support::request("POST", "/", &nested),
        support::request("POST", "/", "<!DOCTYPE a [<!ENTITY b 'c'>]><methodCall/>"),
    ];
    for request in requests {
        let mut stream = support::connect(&node.http);
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        let reply = String::from_utf8_lossy(&reply);
        let told = reply.contains(" 400 ") || reply.contains(" 431 ") || reply.contains("fault");
        assert!(told || reply.is_empty(), "{reply}");
        assert_eq!(values(&node.http, "k"), ["v"]);
    }
}

#[test]
fn a_port_in_use_is_named_and_the_data_not_touched() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let ended = run(&["--http", &address, "--data", data.to_str().unwrap()]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&format!("cannot listen on {address}")), "{}", ended.stderr);
    assert!(ended.stderr.contains("--http"), "{}", ended.stderr);
    assert!(!data.exists());
}

#[test]
fn a_port_for_super_nodes_in_use_is_named() {
    let node = Node::ephemeral();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let arguments = ["--http", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let ended = run(&[&arguments[..], &["--p2p", &node.p2p]].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains(&node.p2p), "{}", ended.stderr);
    assert!(ended.stderr.contains("--p2p"), "{}", ended.stderr);
}

#[test]
fn a_wrong_join_is_named_with_what_to_write() {
    for (value, advice) in [
        ("laptop", "expected a port after the host"),
        ("laptop:0", "expected a port from 1 to 65535"),
        ("http://127.0.0.1:5851", "without http://"),
        ("::1:5850", "in brackets"),
    ] {
        let ended = run(&["--ephemeral", "--http", "127.0.0.1:0", "--join", value]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{value}");
        assert!(ended.stderr.contains("--join"), "{value}: {}", ended.stderr);
        assert!(ended.stderr.contains(advice), "{value}: {}", ended.stderr);
    }
}

#[test]
fn a_node_that_was_told_to_be_alone_says_so_and_serves() {
    let node = Node::ephemeral();
    support::until(
        || node.log().contains("is alone: --no-discovery is set").then_some(()),
        || node.log(),
    );
    post(&node.http, "scope.put", &["k", "v"]);
    assert_eq!(values(&node.http, "k"), ["v"]);
    let ended = node.stop("-TERM");
    assert!(!ended.stderr.contains("WARN"), "it was meant: {}", ended.stderr);
}

#[test]
fn loopback_is_not_searched_and_the_log_says_why() {
    let node = Node::start(&["--ephemeral", "--http", "127.0.0.1:0", "--no-discovery=false"]);
    support::until(
        || node.log().contains("--p2p address is a loopback address").then_some(()),
        || node.log(),
    );
}

#[test]
fn an_unfit_data_directory_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("file"), "").unwrap();
    fs::create_dir(at("newer")).unwrap();
    fs::write(at("newer/format"), "supernode data format 77\n").unwrap();
    Node::with_data(&at("damaged")).stop("-TERM");
    fs::write(at("damaged/entries.redb"), "not a database").unwrap();
    let cases = [
        ("file/data", "choose another data directory"),
        ("newer", "Use the version that wrote it"),
        ("damaged", "entries.redb is damaged"),
    ];
    for (name, advice) in cases {
        let ended = run(&["--http", "127.0.0.1:0", "--data", at(name).to_str().unwrap()]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{name}");
        assert!(ended.stderr.contains(advice), "{name}: {}", ended.stderr);
    }
    assert_eq!(fs::read(at("damaged/entries.redb")).unwrap(), b"not a database");
}

#[test]
fn a_second_daemon_on_one_data_directory_is_refused_and_the_first_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::with_data(dir.path());
    post(&node.http, "scope.put", &["k", "v"]);
    let ended = run(&["--http", "127.0.0.1:0", "--data", dir.path().to_str().unwrap()]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("in use by another super-node"), "{}", ended.stderr);
    assert_eq!(values(&node.http, "k"), ["v"]);
}

#[test]
fn a_file_that_can_grow_no_more_answers_over_capacity_and_goes_on_reading() {
    let dir = tempfile::tempdir().unwrap();
    // The shell's limit on file sizes stands for a full disk: writes fail, and nothing else.
    let node = Node::limited_to_kib(dir.path(), 6 * 1024);
    let value = "x".repeat(50_000);
    let refused = (0..400).position(|n| {
        post(&node.http, "scope.put", &[&format!("k{n}"), &value]).contains("<i4>4</i4>")
    });
    let stored = refused.expect("it never filled");
    assert!(stored > 10, "only {stored} were stored");
    for _ in 0..3 {
        assert!(post(&node.http, "scope.put", &["more", &value]).contains("<i4>4</i4>"));
        for n in 0..stored {
            assert_eq!(values(&node.http, &format!("k{n}")).len(), 1, "k{n}");
        }
    }
    node.kill();
    let node = Node::with_data(dir.path());
    for n in 0..stored {
        assert_eq!(values(&node.http, &format!("k{n}")), [value.as_str()], "after a restart: k{n}");
    }
    let again = post(&node.http, "scope.put", &["more", &value]);
    assert!(again.contains("replicas"), "there is room again: {again}");
}

#[test]
fn unknown_configuration_is_named_with_the_nearest_known() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("supernode.toml");
    fs::write(&file, "nmae = 'box'\n").unwrap();
    let ended = run(&["--config", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("nmae") && ended.stderr.contains("name"), "{}", ended.stderr);
    let ended = run(&["--htpp", "127.0.0.1:0"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--http"), "{}", ended.stderr);
}

#[test]
fn people_put_get_and_remove_from_the_command_line() {
    let node = Node::ephemeral();
    let cli = |arguments: &[&str]| run(&[arguments, &["--node", &node.http]].concat());
    let put = cli(&["put", "k", "a value", "--secret", "s", "--ttl", "1h"]);
    assert!(put.stdout.starts_with("stored: 1 copy"), "{} {}", put.stdout, put.stderr);
    assert_eq!(cli(&["get", "k"]).stdout, "a value\n");
    assert_eq!(cli(&["rm", "k", "a value"]).code, Some(3), "the wrong secret is a fault");
    assert_eq!(cli(&["rm", "k", "a value", "--secret", "s"]).code, Some(0));
    assert_eq!(cli(&["get", "k"]).code, Some(1), "nothing there");
    assert!(cli(&["status", "--json"]).stdout.contains("\"entries\""));
    let wrong = run(&["status", "--node", "127.0.0.1:1"]);
    assert_eq!(wrong.code, Some(3));
    assert!(wrong.stderr.contains("127.0.0.1:1"), "{}", wrong.stderr);
}

#[test]
fn a_slow_body_is_ended_by_the_node() {
    let node = Node::ephemeral();
    let mut stream = support::connect(&node.http);
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n<meth").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.contains(" 408 ") && reply.contains("within 10 s"), "{reply}");
}
