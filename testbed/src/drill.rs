//! What the world does to a super-node: hostile input, a disk that fills up, data directories in a
//! bad state.

mod data_dir;
mod disk_full;
mod hostile;

use anyhow::{Context, Result, bail};

pub(crate) use disk_full::inside as inside_of_small_disk;

/// A drill and what it proves.
pub(crate) struct Drill {
    /// As given on the command line.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// Runs it and says how many checks passed.
    run: fn() -> Result<usize>,
}

/// Every drill there is.
pub(crate) const ALL: [Drill; 3] = [
    Drill {
        name: "hostile",
        about: "bad requests over raw sockets: all answered or ended, nothing lost, memory bounded",
        run: hostile::run,
    },
    Drill {
        name: "disk-full",
        about: "a disk that fills up: over capacity is said, reads go on, nothing is lost",
        run: disk_full::run,
    },
    Drill {
        name: "data-dir",
        about: "a port or directory in use, unwritable, corrupt, too new: refused, and untouched",
        run: data_dir::run,
    },
];

/// Runs one drill, or all of them; an error names each that failed.
pub(crate) fn run(name: &str) -> Result<()> {
    let chosen: Vec<&Drill> = ALL.iter().filter(|d| name == "all" || name == d.name).collect();
    if chosen.is_empty() {
        let names: Vec<_> = ALL.iter().map(|d| d.name).collect();
        bail!("no drill {name:?}; there are: all, {}", names.join(", "));
    }
    let mut failed = Vec::new();
    for drill in chosen {
        println!("{}: {}", drill.name, drill.about);
        match (drill.run)().with_context(|| drill.name) {
            Ok(passed) => println!("{}: {passed} checks passed\n", drill.name),
            Err(error) => {
                println!("{error:#}\n");
                failed.push(drill.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}
