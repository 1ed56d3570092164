//! Telephones as daemons' users meet them: whole nodes on loopback, and phones that are sockets here.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/phone.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod phone;
#[path = "support/support.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod support;

use phone::{Phone, status};
use serde_json::Value as Json;
use support::{Node, exchange, get, request, run, until};

/// Daemons that all know each other, and each other's SIP.
fn nodes(count: usize) -> Vec<Node> {
    let mut nodes = vec![Node::ephemeral()];
    while nodes.len() < count {
        let first = nodes[0].p2p.clone();
        nodes.push(Node::start(&["--ephemeral", "--http", "127.0.0.1:0", "--join", &first]));
    }
    let knows = |node: &Node| {
        let status: Json = serde_json::from_str(&get(&node.http, "/api/v1/status")).unwrap();
        let others = status["peers"].as_array().unwrap().len();
        let services: Json =
            serde_json::from_str(&get(&node.http, "/api/v1/services/P2PSIP")).unwrap();
        let members = services["members"].as_array().map_or(0, Vec::len);
        others + 1 == count && members == count && status["phase"] == "serving"
    };
    until(|| nodes.iter().all(knows).then_some(()), || "they do not meet".to_owned());
    nodes
}

#[test]
fn who_registers_at_one_is_reached_by_way_of_any() {
    let nodes = nodes(3);
    let mut anna = Phone::at(&nodes[0].sip);
    let mut bob = Phone::at(&nodes[2].sip);
    assert_eq!(status(&anna.register("anna", 60)), 200);
    assert_eq!(status(&bob.register("bob", 60)), 200);
    bob.send("MESSAGE", "sip:anna@scope", "bob", "hello, hall 3");
    let message = anna.receive();
    assert!(message.starts_with("MESSAGE ") && message.ends_with("hello, hall 3"), "{message}");
    anna.answer(&message, "200 OK");
    assert_eq!(status(&bob.receive()), 200);
    // By the address of a super-node that is neither's, too.
    // His node takes the other's address for the overlay's a moment after it is in the service list.
    let known = || {
        bob.send("MESSAGE", &format!("sip:nobody@{}", nodes[1].sip), "bob", "are you there?");
        (status(&bob.receive()) == 480).then_some(())
    };
    until(known, || "the third super-node's address is not the overlay's".to_owned());
    bob.send("INVITE", &format!("sip:anna@{}", nodes[1].sip), "bob", "");
    let invite = anna.receive();
    assert!(invite.starts_with("INVITE "), "{invite}");
    assert!(!invite.contains("Record-Route"), "both are direct: {invite}");
    anna.answer(&invite, "486 Busy Here");
    assert_eq!(status(&bob.receive_final()), 486);
}

#[test]
fn nobody_is_there_who_did_not_come_or_has_gone() {
    let nodes = nodes(2);
    let mut anna = Phone::at(&nodes[0].sip);
    let mut bob = Phone::at(&nodes[1].sip);
    bob.send("MESSAGE", "sip:anna@scope", "bob", "are you there?");
    assert_eq!(status(&bob.receive()), 480);
    assert_eq!(status(&anna.register("anna", 60)), 200);
    assert_eq!(status(&anna.register("anna", 0)), 200);
    bob.send("MESSAGE", "sip:anna@scope", "bob", "are you there?");
    assert_eq!(status(&bob.receive()), 480);
    bob.send("MESSAGE", "sip:anna@elsewhere.example", "bob", "are you there?");
    assert!([403, 404].contains(&status(&bob.receive())));
}

#[test]
fn a_phone_whose_super_node_dies_is_reached_again_as_soon_as_it_registers_elsewhere() {
    let mut nodes = nodes(4);
    let mut anna = Phone::behind_a_flow(&nodes[3].sip);
    let mut bob = Phone::at(&nodes[0].sip);
    assert_eq!(status(&anna.register("anna", 60)), 200);
    bob.send("MESSAGE", "sip:anna@scope", "bob", "one");
    let message = anna.receive();
    anna.answer(&message, "200 OK");
    assert_eq!(status(&bob.receive()), 200);
    nodes.pop().unwrap().kill();
    anna.goes_to(&nodes[1].sip);
    // While the others find out that one is gone, a write may find no quorum: the phone tries again.
    until(
        || (status(&anna.register("anna", 60)) == 200).then_some(()),
        || "not registered".to_owned(),
    );
    bob.send("MESSAGE", "sip:anna@scope", "bob", "two");
    let message = anna.receive();
    assert!(message.ends_with("two"), "{message}");
    anna.answer(&message, "200 OK");
    assert_eq!(status(&bob.receive()), 200);
}

#[test]
fn a_web_page_speaks_sip_by_a_web_socket() {
    let nodes = nodes(2);
    let mut anna = Phone::by_web_socket(&nodes[0].http);
    let mut bob = Phone::at(&nodes[1].sip);
    assert_eq!(status(&anna.register("anna", 60)), 200);
    bob.send("MESSAGE", "sip:anna@scope", "bob", "hello, browser");
    let message = anna.receive();
    assert!(message.ends_with("hello, browser"), "{message}");
    anna.answer(&message, "200 OK");
    assert_eq!(status(&bob.receive()), 200);
    let ended = nodes.into_iter().next().unwrap().stop("-TERM");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn whoever_runs_a_node_sees_who_is_registered_there() {
    let nodes = nodes(1);
    let list = |json: bool| {
        let format: &[&str] = if json { &["--json"] } else { &[] };
        run(&[&["registrations", "--node", &nodes[0].http], format].concat())
    };
    let nobody = list(false);
    assert_eq!((nobody.code, nobody.stderr.as_str()), (Some(1), "nobody is registered here\n"));
    let mut anna = Phone::at(&nodes[0].sip);
    assert_eq!(status(&anna.register("anna", 60)), 200);
    let line = list(false).stdout;
    assert!(line.starts_with("anna  sip:anna@127.0.0.1:") && line.ends_with(" direct\n"), "{line}");
    let json: Json = serde_json::from_str(&list(true).stdout).unwrap();
    let one = &json["registrations"][0];
    assert_eq!((&one["user"], &one["instance"]), (&"anna".into(), &"urn:uuid:anna".into()));
    let counted = get(&nodes[0].http, "/metrics");
    assert!(counted.contains("scope_sip_registrations_total 1\n"), "{counted}");
    assert!(counted.contains("scope_sip_registration_overlay_seconds_count 1\n"), "{counted}");
}

#[test]
fn the_page_says_what_to_type_and_the_keys_of_phones_are_closed_to_programs() {
    let node = Node::ephemeral();
    let page = get(&node.http, "/phone?user=Anna");
    assert!(page.contains("<code>anna</code>") && page.contains("<svg"), "{page}");
    assert!(page.contains(&format!("<code>{}</code>", node.sip)), "{page}");
    let xml = get(&node.http, "/phone/linphone.xml?user=anna");
    assert!(xml.contains(&format!(">sip:anna@{}<", node.sip)), "{xml}");
    let wrong = exchange(&node.http, &request("GET", "/phone/linphone.xml?user=%3Cb%3E", ""));
    assert!(wrong.starts_with("HTTP/1.1 400 "), "{wrong}");
    let refused = run(&["get", "location/anna", "--service", "P2PSIP", "--node", &node.http]);
    assert_eq!(refused.code, Some(3));
    assert!(refused.stderr.contains("may not be P2PSIP"), "{}", refused.stderr);
}
