//! Services as programs of daemons' users meet them: over HTTP and by commands.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/support.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod support;

use serde_json::{Value as Json, json};
use support::{Ended, Node, exchange, get, post, request, run, until};

/// Two daemons that know each other.
fn two() -> (Node, Node) {
    let ada = Node::ephemeral();
    let bob = Node::start(&["--ephemeral", "--http", "127.0.0.1:0", "--join", &ada.p2p]);
    let knows = |node: &Node| {
        let status: Json = serde_json::from_str(&get(&node.http, "/api/v1/status")).unwrap();
        status["peers"].as_array().unwrap().len() == 1 && status["phase"] == "serving"
    };
    until(|| (knows(&ada) && knows(&bob)).then_some(()), || "they do not meet".to_owned());
    (ada, bob)
}

fn contacts(node: &Node, service: &str) -> Json {
    let found: Json =
        serde_json::from_str(&get(&node.http, &format!("/api/v1/services/{service}"))).unwrap();
    found["contacts"].clone()
}

/// Runs a command at a node.
fn at(node: &Node, arguments: &[&str]) -> Ended {
    run(&[arguments, &["--node", &node.http]].concat())
}

#[test]
fn what_is_advertised_at_one_is_found_at_the_other_until_that_one_stops() {
    let (ada, bob) = two();
    let reply = post(&ada.http, "scope.advertise", &["CHESS", "169.254.3.1:5061"]);
    assert!(reply.contains("<i4>1</i4>"), "{reply}");
    let offer = request("POST", "/api/v1/services/CHESS", "{\"contact\":\"laptop:5060\"}");
    assert!(exchange(&bob.http, &offer).contains("{\"advertised\":true}"));
    for node in [&ada, &bob] {
        assert_eq!(contacts(node, "CHESS").as_array().unwrap().len(), 2);
        // Each node offers telephones by itself.
        let listed = || (at(node, &["services"]).stdout == "CHESS\nP2PSIP\n").then_some(());
        until(listed, || "not what is offered".to_owned());
    }
    assert_eq!(ada.stop("-TERM").code, Some(0));
    // It withdrew before it left; only the other node's own is there.
    assert_eq!(contacts(&bob, "CHESS"), json!(["laptop:5060"]));
}

#[test]
fn only_where_it_was_advertised_something_is_withdrawn() {
    let (ada, bob) = two();
    assert_eq!(at(&ada, &["advertise", "S", "laptop:1"]).code, Some(0));
    let elsewhere = at(&bob, &["withdraw", "S", "laptop:1"]);
    assert_eq!(elsewhere.code, Some(3));
    assert!(elsewhere.stderr.contains("you did not advertise it"), "{}", elsewhere.stderr);
    assert_eq!(at(&ada, &["withdraw", "S", "laptop:1"]).stdout, "withdrawn\n");
    let again = at(&ada, &["withdraw", "S", "laptop:1", "--json"]);
    assert_eq!((again.stdout.as_str(), again.code), ("{\"withdrawn\":false}\n", Some(1)));
    let nobody = at(&bob, &["services", "S"]);
    assert_eq!((nobody.stderr.as_str(), nobody.code), ("nobody offers S\n", Some(1)));
}

#[test]
fn what_makes_no_sense_is_refused_by_the_commands_and_by_the_page_of_another_site() {
    let node = Node::ephemeral();
    for (arguments, says) in [
        (&["advertise", "", "a:1"][..], "error: the Service-ID is empty"),
        (&["advertise", &"x".repeat(65), "a:1"], "error: the Service-ID has 65 bytes"),
        (&["advertise", "P2P\u{421}IP", "a:1"], "error: the Service-ID mixes letters"),
        (&["advertise", "S", "laptop"], "error: the contact is not HOST:PORT"),
        (&["withdraw", "S", "a:99999"], "error: the contact's port"),
        (&["services", "a b"], "error: the Service-ID has the character U+0020"),
        (&["put", "k", "v", "--service", ""], "error: the Service-ID is empty"),
    ] {
        let ended = at(&node, arguments);
        assert!(ended.code == Some(2) && ended.stderr.starts_with(says), "{}", ended.stderr);
    }
    assert_eq!(at(&node, &["advertise", "COPA", "a:1"]).code, Some(0));
    let alike = at(&node, &["advertise", "\u{421}\u{41e}\u{420}\u{410}", "a:1"]);
    assert_eq!(alike.code, Some(3));
    assert!(alike.stderr.contains("looks like COPA"), "{}", alike.stderr);
    for (method, path) in
        [("POST", "/api/v1/services/S"), ("DELETE", "/api/v1/services/S?contact=a:1")]
    {
        let from = request(method, path, "{\"contact\":\"a:1\"}");
        let from = from.replace("Host: x", "Host: x\r\nOrigin: http://evil.example");
        assert!(exchange(&node.http, &from).contains(" 403 "), "{method}");
    }
}
