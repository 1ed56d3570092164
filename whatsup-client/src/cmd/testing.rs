//! People at a command line, for tests: each with a home of their own, on one overlay in memory.

use tempfile::TempDir;

use super::{Cli, Home, Streams, Surroundings, run};
use crate::net::Net;
use crate::overlay::Memory;

/// Somebody at a command line.
pub(crate) struct Person {
    pub(crate) net: Net,
    pub(crate) memory: Memory,
    pub(crate) around: Surroundings,
    _folder: TempDir,
}

/// What a command printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Person {
    /// Somebody on an overlay of their own.
    pub(crate) fn new() -> Person {
        Person::on(&Memory::new())
    }

    /// Somebody on this overlay, with another home.
    pub(crate) fn on(memory: &Memory) -> Person {
        let folder = TempDir::new().unwrap();
        let home = Home::new(folder.path().join("home"));
        let around =
            Surroundings { name_passphrase: None, terminal: None, ..Surroundings::new(home) };
        let net = Net::new(memory.clone());
        Person { net, memory: memory.clone(), around, _folder: folder }
    }

    /// At another time, in milliseconds since 1970.
    pub(crate) fn at(mut self, now_ms: u64) -> Person {
        self.around.now_ms = std::sync::Arc::new(move || now_ms);
        self
    }

    /// Runs `whatsup` with these arguments, split at spaces.
    pub(crate) async fn run(&self, line: &str) -> Ran {
        self.run_with(&line.split_whitespace().collect::<Vec<_>>(), "").await
    }

    /// Runs `whatsup` with these arguments and this standard input.
    pub(crate) async fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let arguments = std::iter::once("whatsup").chain(arguments.iter().copied());
        let cli = Cli::read(arguments).unwrap_or_else(|error| panic!("{error}"));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut stdin = stdin.as_bytes();
        let streams = Streams { stdin: &mut stdin, out: &mut out, err: &mut err };
        let code = run(cli, &self.net, &self.around, streams).await;
        Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
    }

    /// Runs a command that has to succeed and gives what it prints for programs.
    pub(crate) async fn json(&self, line: &str) -> serde_json::Value {
        let ran = self.run(&format!("{line} --json")).await;
        assert_eq!((ran.code, &*ran.err), (0, ""), "{line}: {}", ran.out);
        serde_json::from_str(&ran.out).unwrap()
    }
}
