//! The commands of the README and of guides do what is said there.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/support.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod support;

use std::process::Command;

use support::{Node, get, until};

const README: &str = include_str!("../../README.md");
const SERVICES: &str = include_str!("../../docs/guides/services.md");
const NAMES: &str = include_str!("../../docs/guides/names.md");

/// The commands of all `console` blocks, each with what it prints.
fn session(page: &str) -> Vec<(String, Vec<String>)> {
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut session: Vec<(String, Vec<String>)> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match line.strip_prefix("$ ") {
            Some(command) => session.push((command.to_owned(), Vec::new())),
            None => session.last_mut().unwrap().1.push(line.to_owned()),
        }
    }
    session
}

/// What may differ from run to run: digits, fingerprints and passphrases.
fn shape(text: &str) -> String {
    let text: Vec<_> =
        text.split(' ').map(|word| if is_key(word) { "KEY" } else { word }).collect();
    let text = text.join(" ");
    let digits = text.split(|c: char| c.is_ascii_digit() || c == '.');
    digits.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#")
}

/// Whether it is five times four letters or digits, as fingerprints and passphrases are.
fn is_key(word: &str) -> bool {
    let word = word.trim_end_matches([',', ';']);
    let is_part = |part: &str| part.len() == 4 && part.bytes().all(|b| b.is_ascii_alphanumeric());
    word.split('-').count() == 5 && word.split('-').all(is_part)
}

/// Runs the commands at a node of their own, in a folder of their own.
fn prints_what_it_shows(page: &str) {
    let node = Node::ephemeral();
    let folder = tempfile::tempdir().unwrap();
    // It offers telephones as soon as it can.
    let offers = || get(&node.http, "/api/v1/services").contains("P2PSIP").then_some(());
    until(offers, || "it does not offer telephones".to_owned());
    let session = session(page);
    assert!(session.len() >= 4);
    for (command, expected) in session {
        let binary = env!("CARGO_BIN_EXE_supernode");
        let command = command.strip_prefix("target/release/").unwrap_or(&command);
        let arguments = command.strip_prefix("supernode ").unwrap();
        // The option goes behind the command's name, in front of what the shell is to do.
        let (name, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
        let script = format!("{binary} {name} --node {} {rest}", node.http);
        let output =
            Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let printed: Vec<String> = printed.lines().map(shape).collect();
        let expected: Vec<String> = expected.iter().map(|line| shape(line)).collect();
        assert_eq!(printed, expected, "{command}");
    }
}

#[test]
fn the_readmes_session_prints_what_it_shows() {
    prints_what_it_shows(README);
}

#[test]
fn the_sessions_of_services_print_what_they_show() {
    prints_what_it_shows(SERVICES);
}

#[test]
fn the_sessions_of_names_print_what_they_show() {
    prints_what_it_shows(NAMES);
}

#[test]
fn its_ready_line_is_the_one_a_node_prints() {
    let shown = README.lines().find(|line| line.starts_with("ready ")).unwrap();
    let names = |line: &str| -> Vec<String> {
        line.split(' ').map(|part| part.split('=').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&Node::ephemeral().ready), names(shown));
}
