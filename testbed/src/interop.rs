//! Foreign clients: programs and request bodies the project did not invent, against a super-node.

mod crash;
mod opendht;
mod python;

use anyhow::{Context, Result, bail};

/// A client and what it proves.
pub(crate) struct Proof {
    /// As given on the command line.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// Runs it with a seed and says how many checks passed.
    run: fn(u64) -> Result<usize>,
}

/// Every client there is.
pub(crate) const ALL: [Proof; 3] = [
    Proof {
        name: "python-xmlrpc",
        about: "Python's xmlrpc.client: every method, limit and fault",
        run: |_| python::run(),
    },
    Proof {
        name: "python-crash",
        about: "16 Python clients put 10,000 values while the node is killed 20 times",
        run: crash::run,
    },
    Proof {
        name: "opendht",
        about: "OpenDHT's request bodies over a raw socket, as in 2004",
        run: |_| opendht::run(),
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
