//! The README's commands do what it says they do.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/support.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod support;

use std::process::Command;

use support::Node;

const README: &str = include_str!("../../README.md");

/// The commands of a `console` block, each with what it prints.
fn session() -> Vec<(String, Vec<String>)> {
    let block = README.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let mut session: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => session.push((command.to_owned(), Vec::new())),
            None => session.last_mut().unwrap().1.push(line.to_owned()),
        }
    }
    session
}

/// What may differ from run to run: digits.
fn shape(text: &str) -> String {
    let digits = text.split(|c: char| c.is_ascii_digit() || c == '.');
    digits.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#")
}

#[test]
fn its_session_prints_what_it_shows() {
    let node = Node::ephemeral();
    let session = session();
    assert!(session.len() >= 4);
    for (command, expected) in session {
        let binary = env!("CARGO_BIN_EXE_supernode");
        let command = command.replace("target/release/supernode", binary);
        let script = format!("{command} --node {}", node.http);
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let printed: Vec<String> = printed.lines().map(shape).collect();
        let expected: Vec<String> = expected.iter().map(|line| shape(line)).collect();
        assert_eq!(printed, expected, "{command}");
    }
}

#[test]
fn its_ready_line_is_the_one_a_node_prints() {
    let shown = README.lines().find(|line| line.starts_with("ready ")).unwrap();
    let names = |line: &str| -> Vec<String> {
        line.split(' ').map(|part| part.split('=').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&Node::ephemeral().ready), names(shown));
}
