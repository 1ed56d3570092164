//! What the world does to super-nodes: hostile input, a disk that fills up, data directories in a
//! bad state, nodes that die, networks that come and go.

mod data_dir;
mod disk_full;
mod hostile;
mod namespaces;
mod overlay;
mod unshared;

use std::path::Path;

use anyhow::{Context, Result, bail};

/// A drill and what it proves.
pub(crate) struct Drill {
    /// As given on the command line.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// Runs it with a seed and says how many checks passed.
    run: fn(u64) -> Result<usize>,
    /// The half of it that runs in namespaces of its own, if it needs them.
    inside: Option<fn(&Path) -> Result<()>>,
}

/// Every drill there is.
pub(crate) const ALL: [Drill; 5] = [
    Drill {
        name: "hostile",
        about: "bad requests over raw sockets: all answered or ended, nothing lost, memory bounded",
        run: hostile::run,
        inside: None,
    },
    Drill {
        name: "disk-full",
        about: "a disk that fills up: over capacity is said, reads go on, nothing is lost",
        run: disk_full::run,
        inside: Some(disk_full::inside),
    },
    Drill {
        name: "data-dir",
        about: "a port or directory in use, unwritable, corrupt, too new: refused, and untouched",
        run: data_dir::run,
        inside: None,
    },
    Drill {
        name: "overlay",
        about: "three nodes: one killed, then all of them under load; nothing acknowledged is lost",
        run: overlay::run,
        inside: None,
    },
    Drill {
        name: "namespaces",
        about: "three networked machines: found by DNS-SD alone, by --join alone, and one all alone",
        run: namespaces::run,
        inside: Some(namespaces::inside),
    },
];

/// Runs one drill, or all of them; an error names each that failed.
pub(crate) fn run(name: &str, seed: u64) -> Result<()> {
    let chosen: Vec<&Drill> = ALL.iter().filter(|d| name == "all" || name == d.name).collect();
    if chosen.is_empty() {
        let names: Vec<_> = ALL.iter().map(|d| d.name).collect();
        bail!("no drill {name:?}; there are: all, {}", names.join(", "));
    }
    let mut failed = Vec::new();
    for drill in chosen {
        println!("{}: {}", drill.name, drill.about);
        match (drill.run)(seed).with_context(|| drill.name) {
            Ok(passed) => println!("{}: {passed} checks passed\n", drill.name),
            Err(error) => {
                println!("{error:#}\n");
                failed.push(drill.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

/// The half of a drill that runs in namespaces of its own, with a directory.
pub(crate) fn run_inside(name: &str, dir: &Path) -> Result<()> {
    let drill = ALL.iter().find(|drill| drill.name == name);
    let inside = drill.and_then(|drill| drill.inside).context("no drill that runs inside")?;
    unshared::inside(inside, dir)
}
