//! Daemons that form one overlay, on loopback, as their users meet it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/support.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod support;

use std::net::{TcpListener, UdpSocket};

use serde_json::Value as Json;
use support::{Node, get, post, run, until, values};

/// A daemon that looks for nobody: others join it.
fn first() -> Node {
    Node::ephemeral()
}

fn joining(addresses: &[&str]) -> Node {
    let mut arguments = vec!["--ephemeral", "--http", "127.0.0.1:0"];
    arguments.extend(addresses.iter().flat_map(|address| ["--join", *address]));
    Node::start(&arguments)
}

fn status(node: &Node) -> Json {
    serde_json::from_str(&get(&node.http, "/api/v1/status")).unwrap()
}

fn id(node: &Node) -> String {
    status(node)["id"].as_str().unwrap().to_owned()
}

/// The ids of a node's peers, sorted.
fn peers(node: &Node) -> Vec<String> {
    let status = status(node);
    let peers = status["peers"].as_array().unwrap();
    let mut ids: Vec<_> =
        peers.iter().map(|peer| peer["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// Waits until each of the nodes serves with all the others as its peers.
fn wait_for_company(nodes: &[&Node]) {
    let ids: Vec<String> = nodes.iter().map(|node| id(node)).collect();
    for (node, own) in nodes.iter().zip(&ids) {
        let mut others: Vec<_> = ids.iter().filter(|id| *id != own).cloned().collect();
        others.sort();
        until(
            || (peers(node) == others && status(node)["phase"] == "serving").then_some(()),
            || format!("{} does not serve with {others:?}\n{}", status(node), node.log()),
        );
    }
}

fn wait_for_log(node: &Node, part: &str) {
    until(|| node.log().contains(part).then_some(()), || format!("no {part:?} in\n{}", node.log()));
}

/// Puts, and gives how many copies there were at once.
fn put(node: &Node, key: &str, value: &str) -> u32 {
    let reply = post(&node.http, "scope.put", &[key, value]);
    let count = || reply.split_once("replicas")?.1.split_once("<i4>")?.1.chars().next();
    count().and_then(|digit| digit.to_digit(10)).unwrap_or_else(|| panic!("{reply}"))
}

#[test]
fn two_that_joined_show_each_other_and_share_what_they_hold() {
    let ada = first();
    let bob = joining(&[&ada.p2p]);
    wait_for_company(&[&ada, &bob]);
    for (node, other) in [(&ada, &bob), (&bob, &ada)] {
        let status = status(node);
        assert_eq!(status["replicas"], 2, "{status}");
        let peer = &status["peers"][0];
        assert_eq!(peer["id"], id(other), "{status}");
        assert_eq!(peer["health"], "well", "{status}");
        assert!(peer["silent_ms"].is_u64(), "{status}");
        assert!(peer["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{status}");
    }
    assert_eq!(put(&ada, "from ada", "a"), 2);
    assert_eq!(values(&bob.http, "from ada"), ["a"]);
    assert_eq!(put(&bob, "from bob", "b"), 2);
    assert_eq!(values(&ada.http, "from bob"), ["b"]);
    post(&bob.http, "scope.remove", &["from ada", "a"]);
    assert_eq!(values(&ada.http, "from ada"), [""; 0]);
    wait_for_log(&ada, "joined the overlay: 1 peer");
    wait_for_log(&bob, "joined the overlay: 1 peer");
    let shown = run(&["status", "--node", &bob.http]);
    let tail = id(&ada);
    let tail = &tail[tail.len() - 8..];
    assert!(shown.stdout.contains("peers     1\n"), "{}", shown.stdout);
    assert!(shown.stdout.contains(tail), "{tail} is not in {}", shown.stdout);
    let metrics = get(&bob.http, "/metrics");
    assert!(metrics.contains("scope_dht_peers{health=\"well\"} 1"), "{metrics}");
}

#[test]
fn the_third_learns_of_the_first_from_the_second() {
    let ada = first();
    let bob = joining(&[&ada.p2p]);
    let eve = joining(&[&bob.p2p]);
    wait_for_company(&[&ada, &bob, &eve]);
    for n in 0..20 {
        put(&ada, &format!("k{n}"), &format!("v{n}"));
    }
    for n in 0..20 {
        assert_eq!(values(&eve.http, &format!("k{n}")), [format!("v{n}")]);
    }
    assert_eq!(put(&eve, "k", "v").min(2), 2, "a quorum of 3 at least");
}

#[test]
fn what_was_put_before_anybody_came_is_at_those_who_came() {
    let ada = first();
    for n in 0..20 {
        assert_eq!(put(&ada, &format!("k{n}"), &format!("v{n}")), 1);
    }
    let bob = joining(&[&ada.p2p]);
    wait_for_company(&[&ada, &bob]);
    ada.stop("-TERM");
    for n in 0..20 {
        assert_eq!(values(&bob.http, &format!("k{n}")), [format!("v{n}")]);
    }
}

#[test]
fn one_that_is_stopped_is_no_peer_any_more_and_nothing_is_lost() {
    let ada = first();
    let bob = joining(&[&ada.p2p]);
    let eve = joining(&[&ada.p2p]);
    wait_for_company(&[&ada, &bob, &eve]);
    for n in 0..20 {
        put(&bob, &format!("k{n}"), &format!("v{n}"));
    }
    let ended = bob.stop("-TERM");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    wait_for_company(&[&ada, &eve]);
    for node in [&ada, &eve] {
        for n in 0..20 {
            assert_eq!(values(&node.http, &format!("k{n}")), [format!("v{n}")]);
        }
    }
}

#[test]
fn one_that_was_killed_and_comes_back_is_joined_again() {
    let dir = tempfile::tempdir().unwrap();
    let ada = Node::with_data(dir.path());
    let bob = joining(&[&ada.p2p]);
    wait_for_company(&[&ada, &bob]);
    put(&bob, "k", "v");
    let p2p = ada.p2p.clone();
    ada.kill();
    wait_for_log(&bob, "is alone: ");
    let data = dir.path().to_str().unwrap();
    let ada = Node::start(&["--data", data, "--http", "127.0.0.1:0", "--p2p", &p2p]);
    wait_for_company(&[&ada, &bob]);
    assert_eq!(values(&ada.http, "k"), ["v"]);
}

#[test]
fn a_join_to_nobody_says_so_and_works_when_somebody_comes() {
    // Ports that were free a moment ago.
    let free = || {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        UdpSocket::bind(address).map(|_| address.to_string())
    };
    let nobody = until(|| free().ok(), || "no port is free".into());
    let bob = joining(&[&nobody]);
    wait_for_log(&bob, &format!("is alone: --join {nobody} did not work yet: "));
    assert_eq!(status(&bob)["peers"], Json::Array(vec![]));
    assert_eq!(put(&bob, "k", "v"), 1, "alone it serves all the same");
    let ada = Node::start(&["--ephemeral", "--http", "127.0.0.1:0", "--p2p", &nobody]);
    wait_for_company(&[&ada, &bob]);
    wait_for_log(&bob, "joined the overlay: 1 peer");
    assert_eq!(values(&ada.http, "k"), ["v"]);
}

#[test]
fn a_host_that_cannot_be_resolved_is_a_warning_and_no_end() {
    // Known to be wrong without asking any server.
    let bob = joining(&["[fe80::1%nowhere]:5850"]);
    wait_for_log(&bob, "fe80::1%nowhere cannot be resolved");
    wait_for_log(&bob, "is alone: --join [fe80::1%nowhere]:5850");
    assert_eq!(get(&bob.http, "/healthz"), "ok\n");
    assert_eq!(bob.stop("-TERM").code, Some(0));
}

#[test]
fn a_join_to_itself_says_so() {
    let p2p = Node::ephemeral().p2p.clone();
    let arguments = ["--ephemeral", "--http", "127.0.0.1:0", "--p2p", &p2p, "--join", &p2p];
    let ada = Node::start(&arguments);
    wait_for_log(&ada, "own address");
    assert_eq!(status(&ada)["peers"], Json::Array(vec![]));
}
