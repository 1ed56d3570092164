//! Foreign clients: programs and request bodies the project did not invent, against a super-node.

mod crash;
mod opendht;
mod python;
mod scripts;
mod sip;

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::unshared;

/// A client and what it proves.
pub(crate) struct Proof {
    /// As given on the command line.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// Runs it with a seed and says how many checks passed.
    run: fn(u64) -> Result<usize>,
    /// The half of it that runs in namespaces of its own, if it needs them.
    inside: Option<fn(&Path, u64) -> Result<()>>,
}

/// Every client there is.
pub(crate) const ALL: [Proof; 5] = [
    Proof {
        name: "python-xmlrpc",
        about: "Python's xmlrpc.client: every method, limit and fault",
        run: |_| python::run(),
        inside: None,
    },
    Proof {
        name: "python-crash",
        about: "16 Python clients put 10,000 values while the node is killed 20 times",
        run: crash::run,
        inside: None,
    },
    Proof {
        name: "opendht",
        about: "OpenDHT's request bodies over a raw socket, as in 2004",
        run: |_| opendht::run(),
        inside: None,
    },
    Proof {
        name: "scripts",
        about: "the latency scripts in Python, as their guide has them",
        run: scripts::run,
        inside: None,
    },
    Proof {
        name: "sip",
        about: "baresip, JsSIP and sipp at several super-nodes: calls, failures, bad input, 200 phones",
        run: sip::run,
        inside: Some(sip::inside),
    },
];

/// Runs one client, or all of them; an error names each that failed.
pub(crate) fn run(name: &str, seed: u64) -> Result<()> {
    let chosen: Vec<&Proof> = ALL.iter().filter(|p| name == "all" || name == p.name).collect();
    if chosen.is_empty() {
        let names: Vec<_> = ALL.iter().map(|p| p.name).collect();
        bail!("no client {name:?}; there are: all, {}", names.join(", "));
    }
    let mut failed = Vec::new();
    for proof in chosen {
        println!("{}: {}", proof.name, proof.about);
        match (proof.run)(seed).with_context(|| proof.name) {
            Ok(passed) => println!("{}: {passed} checks passed\n", proof.name),
            Err(error) => {
                println!("{error:#}\n");
                failed.push(proof.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

/// The half of a proof that runs in namespaces of its own, with a directory.
pub(crate) fn run_inside(name: &str, dir: &Path, seed: u64) -> Result<()> {
    let proof = ALL.iter().find(|proof| proof.name == name);
    let inside = proof.and_then(|proof| proof.inside).context("no proof that runs inside")?;
    unshared::inside(|dir| inside(dir, seed), dir)
}
