//! Names protected by a phone password, as people have them: whole daemons, the command, and phones that
//! answer challenges.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/phone.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod phone;
#[path = "support/support.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use phone::{Challenge, Phone, status};
use serde_json::Value as Json;
use support::{Node, get, run, until};

/// Daemons that all know each other, and each other's SIP.
fn nodes(count: usize, more: &[&str]) -> Vec<Node> {
    let alone = [&["--ephemeral", "--http", "127.0.0.1:0"], more].concat();
    let mut nodes = vec![Node::start(&alone)];
    while nodes.len() < count {
        let first = nodes[0].p2p.clone();
        nodes.push(Node::start(&[&alone[..], &["--join", &first]].concat()));
    }
    let knows = |node: &Node| {
        let json = |path: &str| -> Json { serde_json::from_str(&get(&node.http, path)).unwrap() };
        let (status, services) = (json("/api/v1/status"), json("/api/v1/services/P2PSIP"));
        let members = services["members"].as_array().map_or(0, Vec::len);
        status["peers"].as_array().unwrap().len() + 1 == count
            && members == count
            && status["phase"] == "serving"
    };
    until(|| nodes.iter().all(knows).then_some(()), || "they do not meet".to_owned());
    nodes
}

/// A person with a key in a file.
struct Person {
    dir: tempfile::TempDir,
    name: &'static str,
}

impl Person {
    fn new(name: &'static str) -> Person {
        Person { dir: tempfile::tempdir().unwrap(), name }
    }

    fn key_file(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    fn run(&self, command: &str, node: &Node, more: &[&str]) -> (Json, u8) {
        let file = self.key_file();
        let file = file.to_str().unwrap();
        let arguments = [command, self.name, "--key-file", file, "--node", &node.http, "--json"];
        let ended = run(&[&arguments[..], more].concat());
        let json = serde_json::from_str(&ended.stdout);
        let json = json.unwrap_or_else(|_| panic!("{}{}", ended.stdout, ended.stderr));
        (json, u8::try_from(ended.code.unwrap()).unwrap())
    }

    fn claim(&self, node: &Node) -> Json {
        let (json, code) = self.run("claim", node, &[]);
        assert_eq!((code, &json["state"]), (0, &"confirmed".into()), "{json}");
        json
    }

    /// Makes, or shows, the phone password.
    fn password(&self, node: &Node, more: &[&str]) -> String {
        let (json, code) = self.run("phone-password", node, more);
        assert_eq!((code, &json["protected"]), (0, &true.into()), "{json}");
        json["password"].as_str().unwrap().to_owned()
    }
}

/// Registers with a password, as phones do: ask, be challenged, answer.
fn sign_in(phone: &mut Phone, user: &str, password: &str) -> (u16, Challenge) {
    let challenge = Challenge::read(&phone.register(user, 60));
    let answer = challenge.answer("REGISTER", "sip:scope", user, password, 1);
    (status(&phone.register_with(user, 60, &answer)), challenge)
}

/// The next request of a method: others are acknowledgements, or come a second time on a slow machine.
fn next(phone: &mut Phone, method: &str) -> String {
    loop {
        let message = phone.receive();
        if message.starts_with(method) {
            return message;
        }
    }
}

#[test]
fn a_password_set_at_one_node_is_asked_for_at_every_other_and_nothing_else_opens_the_name() {
    protected_everywhere(&nodes(3, &[]));
}

#[test]
fn it_is_the_same_where_records_are_sealed_under_a_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("passphrase");
    write_private(&file, "five words that nobody guesses\n");
    protected_everywhere(&nodes(3, &["--passphrase-file", file.to_str().unwrap()]));
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn protected_everywhere(nodes: &[Node]) {
    let anna = Person::new("anna");
    anna.claim(&nodes[0]);
    let password = anna.password(&nodes[0], &[]);
    assert_eq!(anna.password(&nodes[1], &[]), password, "it can be said again, anywhere");
    let mut phone = Phone::at(&nodes[2].sip);
    let asked = phone.register("anna", 60);
    assert_eq!(status(&asked), 401, "{asked}");
    let (wrong, challenge) = sign_in(&mut phone, "anna", "bakotirudolunemisavo");
    assert_eq!(wrong, 401);
    // The same nonce is good for the right answer, once for each count.
    let right = challenge.answer("REGISTER", "sip:scope", "anna", &password, 2);
    let registered = phone.register_with("anna", 60, &right);
    assert_eq!(status(&registered), 200, "{registered}");
    let replayed = phone.register_with("anna", 60, &right);
    assert_eq!(status(&replayed), 401, "{replayed}");
    assert!(replayed.contains("stale=true"), "{replayed}");
    // Somebody who heard it brings it to another super-node.
    let mut thief = Phone::at(&nodes[1].sip);
    let elsewhere = thief.register_with("anna", 60, &right);
    assert_eq!(status(&elsewhere), 401, "{elsewhere}");
    // A nonce that nobody gave, with an answer made with the password.
    let made_up = Challenge { nonce: "00".repeat(30), ..challenge };
    let made_up = made_up.answer("REGISTER", "sip:scope", "anna", &password, 1);
    assert_eq!(status(&thief.register_with("anna", 60, &made_up)), 401);
    // Her From is hers, from everywhere but the flow she has registered by.
    let mut bob = Phone::at(&nodes[0].sip);
    assert_eq!(status(&bob.register("bob", 60)), 200, "an open name works as before");
    thief.send("INVITE", "sip:bob@scope", "anna", "");
    let refused = thief.receive_final();
    assert_eq!(status(&refused), 407, "{refused}");
    // Who knows the password may call from elsewhere.
    let right = Challenge::read(&refused).answer("INVITE", "sip:bob@scope", "anna", &password, 1);
    thief.send_with("INVITE", "sip:bob@scope", "anna", "", &right);
    let invite = next(&mut bob, "INVITE");
    assert!(invite.contains("P-Asserted-Identity: <sip:anna@scope>"), "{invite}");
    bob.answer(&invite, "486 Busy Here");
    assert_eq!(status(&thief.receive_final()), 486);
    phone.send("MESSAGE", "sip:bob@scope", "anna", "it is me");
    let heard = next(&mut bob, "MESSAGE");
    assert!(heard.ends_with("it is me"), "{heard}");
    assert!(!heard.to_lowercase().contains("scope-caller: unverified"), "{heard}");
    bob.answer(&heard, "200 OK");
    assert_eq!(status(&phone.receive_final()), 200);
    // Who is open is marked so.
    bob.send("MESSAGE", "sip:anna@scope", "bob", "it is me, too");
    let heard = next(&mut phone, "MESSAGE");
    assert!(heard.to_lowercase().contains("scope-caller: unverified"), "{heard}");
    phone.answer(&heard, "200 OK");
    assert_eq!(status(&bob.receive_final()), 200);
}

#[test]
fn a_changed_password_counts_soon_everywhere_and_an_opened_name_is_open() {
    let nodes = nodes(3, &[]);
    let anna = Person::new("anna");
    anna.claim(&nodes[0]);
    let old = anna.password(&nodes[0], &[]);
    let mut phone = Phone::at(&nodes[2].sip);
    assert_eq!(sign_in(&mut phone, "anna", &old).0, 200);
    let new = anna.password(&nodes[1], &["--new"]);
    assert_ne!(new, old);
    assert_eq!(sign_in(&mut Phone::at(&nodes[0].sip), "anna", &new).0, 200, "where nobody asked");
    // The super-node that knows the old one forgets it within five seconds. Each try is a guess until
    // then, and guesses are few.
    while sign_in(&mut phone, "anna", &new).0 != 200 {
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(sign_in(&mut phone, "anna", &old).0, 401);
    // Claiming again keeps it.
    assert_eq!(anna.claim(&nodes[2])["phone_password"], "renewed");
    assert_eq!(anna.password(&nodes[0], &[]), new);
    let (opened, code) = anna.run("phone-password", &nodes[2], &["--remove"]);
    assert_eq!((code, &opened["removed"]), (0, &true.into()), "{opened}");
    assert_eq!(status(&phone.register("anna", 60)), 200, "at the node that was told, at once");
    let (opened, code) = anna.run("phone-password", &nodes[2], &["--remove"]);
    assert_eq!((code, &opened["removed"]), (1, &false.into()), "{opened}");
    // A password never comes back.
    assert_ne!(anna.password(&nodes[0], &[]), new);
}

#[test]
fn only_who_has_a_name_protects_it_and_nobody_reads_what_protects_it() {
    let node = Node::ephemeral();
    let (anna, thief) = (Person::new("anna"), Person::new("anna"));
    let nobodys = run(&["phone-password", "anna", "--node", &node.http]);
    assert_eq!(nobodys.code, Some(2));
    assert!(nobodys.stderr.contains("--name-passphrase-file or --key-file"), "{}", nobodys.stderr);
    anna.claim(&node);
    let password = anna.password(&node, &[]);
    std::fs::write(thief.key_file(), "07".repeat(32)).unwrap();
    let (refused, code) = thief.run("phone-password", &node, &[]);
    assert_eq!((code, &refused["error"]["code"]), (3, &7.into()), "{refused}");
    let key = ["password/anna", "--service", "P2PSIP", "--node", &node.http];
    for command in [&["get"][..], &["put"], &["rm"]] {
        let value: &[&str] = if command == ["get"] { &[] } else { &["v"] };
        let refused = run(&[command, &key[..1], value, &key[1..]].concat());
        assert_eq!(refused.code, Some(3), "{command:?}");
        assert!(refused.stderr.contains("may not be P2PSIP"), "{}", refused.stderr);
    }
    // What people are shown.
    let file = anna.key_file();
    let shown = ["phone-password", "anna", "--key-file", file.to_str().unwrap()];
    let shown = run(&[&shown[..], &["--node", &node.http]].concat());
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "anna is protected as before; type into a softphone",
            "user name  anna",
            &format!("password   {password}")
        ]
    );
    // A name that is given back is open.
    let (withdrawn, code) = anna.run("claim", &node, &["--withdraw"]);
    assert_eq!((code, &withdrawn["state"]), (0, &"withdrawn".into()), "{withdrawn}");
    let mut phone = Phone::at(&node.sip);
    assert_eq!(status(&phone.register("anna", 60)), 200);
    assert!(!node.stop("-TERM").stderr.contains(&password));
}
