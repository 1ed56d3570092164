//! The commands of the guide print what it shows.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::leash::leashed;

const GUIDE: &str = include_str!("../../../../docs/guides/air.md");

/// Runs them in a directory.
pub(super) fn run(dir: &Path) -> Result<()> {
    let testbed = std::env::current_exe().context("cannot find the testbed's own binary")?;
    let session = session(GUIDE);
    ensure!(session.len() >= 6, "the guide has only {} commands", session.len());
    for (command, expected) in session {
        if let Some(file) = command.strip_prefix("cat ") {
            // What is shown of a file is the file.
            std::fs::write(dir.join(file), expected.join("\n"))?;
            continue;
        }
        let script = command.replace("target/release/testbed", &testbed.display().to_string());
        let mut shell: Command = leashed("sh");
        let output = shell.args(["-c", &script]).current_dir(dir).output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let printed: Vec<_> = printed.lines().map(shape).collect();
        let shown: Vec<_> = expected.iter().map(|line| shape(line)).collect();
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(printed == shown, "{command} printed {printed:?}, not {shown:?}; {error}");
    }
    Ok(())
}

/// The commands of all `console` blocks, each with what it prints.
fn session(page: &str) -> Vec<(String, Vec<String>)> {
    let blocks = page.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut session: Vec<(String, Vec<String>)> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ "), session.last_mut()) {
            (Some(command), _) => session.push((command.to_owned(), Vec::new())),
            (None, Some((_, printed))) => printed.push(line.to_owned()),
            (None, None) => {}
        }
    }
    session
}

/// Without spaces at the end, and each number being any number.
fn shape(line: &str) -> String {
    let parts = line.trim_end().split(|c: char| c.is_ascii_digit());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_what_they_print() {
        let page = "x\n```console\n$ a b\none\ntwo\n$ c\n```\n```sh\n$ d\n```\n";
        let lines = vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(session(page), [("a b".to_owned(), lines), ("c".to_owned(), Vec::new())]);
        assert_eq!(shape("10 of 200  "), shape("7 of 31"));
    }
}
