//! A disk that fills up. The disk is a small tmpfs in a mount namespace of its own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::Request;
use crate::checks::{Checks, within};
use crate::http::get;
use crate::node::{ANY_PORT, Data, Node};
use crate::rpc::{Client, Datum, Param, Reply};
use crate::tools::require;
use crate::unshared::rerun;

const DISK: &str = "size=96m";
const DISK_BYTES: usize = 96 * 1024 * 1024;
const VALUE_SIZE: usize = 32 * 1024;
/// Twice what fits.
const PUTS_MAX: usize = 2 * DISK_BYTES / VALUE_SIZE;

const OVER_CAPACITY: i32 = 4;
/// OpenDHT's word for the same.
const OPENDHT_OVER_CAPACITY: Datum = Datum::Int(1);

const REFUSAL_LIMIT: Duration = Duration::from_secs(10);
/// A node may give space back when it starts, for at most 10 s, once it serves.
const ROOM_LIMIT: Duration = Duration::from_secs(20);

/// Runs the drill in a mount namespace.
pub(super) fn run(request: &Request) -> Result<usize> {
    require("mount", "mount")?;
    rerun(["drill", "disk-full"], "m", &request.arguments())
}

/// The drill itself, with `disk` to mount on.
pub(super) fn inside(disk: &Path, _: &Request) -> Result<()> {
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(disk).status();
    let mounted = mount.context("cannot run mount")?;
    ensure!(mounted.success(), "cannot mount a tmpfs");
    let mut drill = Inside {
        data: Data::Dir(disk.join("data")),
        kept: BTreeSet::new(),
        checks: Checks::default(),
    };
    drill.run(disk)?;
    drill.checks.finish().map(|_| ())
}

struct Inside {
    data: Data,
    /// The numbers of the values that were acknowledged and not removed.
    kept: BTreeSet<usize>,
    checks: Checks,
}

impl Inside {
    fn run(&mut self, disk: &Path) -> Result<()> {
        let node = Node::start(&self.data, ANY_PORT)?;
        let filled = self.fill(&node)?;
        println!("  {} values of {} KiB fit", filled, VALUE_SIZE / 1024);
        self.expect_full("full", &node);
        let removed = self.remove_most(&node)?;
        println!("  {removed} of {filled} values could be removed on the full disk");
        self.expect_kept("after removing", &node);

        node.kill9()?;
        let node = Node::start(&self.data, ANY_PORT).context("no start after kill -9 when full")?;
        self.expect_kept("after kill -9", &node);
        node.stop()?;
        let node = Node::start(&self.data, ANY_PORT).context("no start when full")?;
        self.expect_kept("after a stop", &node);
        self.expect_room(&node);

        self.expect_no_harm_from_others(disk, node)
    }

    /// Puts until the node says that there is no room.
    fn fill(&mut self, node: &Node) -> Result<usize> {
        let mut client = Client::connect(node.http())?;
        for number in 0..PUTS_MAX {
            match client.put(&key(number), &value(number))? {
                Reply::Value(_) => self.kept.insert(number),
                Reply::Fault { code: OVER_CAPACITY, text } => {
                    println!("  the disk is full: {text}");
                    return Ok(number);
                }
                Reply::Fault { code, text } => bail!("fault {code} instead of 4: {text}"),
            };
        }
        bail!("{PUTS_MAX} values of {VALUE_SIZE} bytes were put on a disk of {DISK_BYTES} bytes")
    }

    fn expect_full(&mut self, when: &str, node: &Node) {
        self.checks.check(&format!("{when}: scope.put is fault 4"), || {
            match Client::connect(node.http())?.put("one more", &value(0))? {
                Reply::Fault { code: OVER_CAPACITY, .. } => Ok(()),
                other => bail!("{other:?}"),
            }
        });
        self.checks.check(&format!("{when}: OpenDHT's put is 1"), || {
            let (key, value) = (Param::Bytes(b"one more"), Param::Bytes(b"value"));
            let params = [key, value, Param::Int(60), Param::Text("testbed")];
            let got = Client::connect(node.http())?.call("put", &params)?.value()?;
            ensure!(got == OPENDHT_OVER_CAPACITY, "{got:?}");
            Ok(())
        });
        self.checks.check(&format!("{when}: /healthz answers"), || {
            let status = get(node.http(), "/healthz", Duration::from_secs(5))?.status;
            ensure!(status == 200, "HTTP status {status}");
            Ok(())
        });
        self.expect_kept(when, node);
    }

    fn expect_kept(&mut self, when: &str, node: &Node) {
        let kept = &self.kept;
        self.checks.check(&format!("{when}: everything acknowledged is there"), || {
            let mut client = Client::connect(node.http())?;
            for number in kept {
                let values = client.get(&key(*number))?;
                ensure!(values == [value(*number)], "{} is lost", key(*number));
            }
            Ok(())
        });
    }

    /// Removes all but every fourth value; a node without any room left may refuse to.
    fn remove_most(&mut self, node: &Node) -> Result<usize> {
        let mut client = Client::connect(node.http())?;
        let mut removed = 0;
        for number in self.kept.clone().into_iter().filter(|number| number % 4 != 0) {
            match client.remove(&key(number), &value(number))? {
                Reply::Value(Datum::Int(1)) => {
                    self.kept.remove(&number);
                    removed += 1;
                }
                Reply::Fault { code: OVER_CAPACITY, .. } => {}
                other => bail!("{other:?} to scope.remove"),
            }
        }
        Ok(removed)
    }

    fn expect_room(&mut self, node: &Node) {
        self.checks.check("after removing and a restart there is room again", || {
            let mut client = Client::connect(node.http())?;
            let put = || match client.put("room", b"again")? {
                Reply::Value(_) => Ok(true),
                Reply::Fault { code: OVER_CAPACITY, .. } => Ok(false),
                other => bail!("{other:?}"),
            };
            ensure!(within(ROOM_LIMIT, put)?, "none within {ROOM_LIMIT:?}");
            Ok(())
        });
    }

    /// Somebody else takes the last byte.
    fn expect_no_harm_from_others(&mut self, disk: &Path, node: Node) -> Result<()> {
        let filler = disk.join("somebody else's file");
        take_all_space(&filler)?;
        self.expect_full("no byte left", &node);
        node.kill9()?;
        match Node::start(&self.data, ANY_PORT) {
            Ok(node) => {
                self.expect_kept("started with no byte left", &node);
                node.kill9()?;
            }
            Err(_) => self.checks.check("no start with no byte left, and it says why", || {
                let refusal = Node::refused(&self.data, ANY_PORT, REFUSAL_LIMIT)?;
                let log = refusal.log.to_lowercase();
                ensure!(log.contains("space") || log.contains("full"), "{log}");
                Ok(())
            }),
        }
        std::fs::remove_file(&filler)?;
        let node = Node::start(&self.data, ANY_PORT).context("no start after space came back")?;
        self.expect_kept("space came back", &node);
        node.stop()
    }
}

fn take_all_space(path: &Path) -> Result<()> {
    let mut file = File::create(path)?;
    // By the block first and the byte at last.
    for size in [1024 * 1024, 4096, 1] {
        let zeros = vec![0; size];
        for _ in 0..DISK_BYTES / 4096 {
            if file.write_all(&zeros).is_err() {
                break;
            }
        }
    }
    Ok(())
}

fn key(number: usize) -> String {
    format!("value {number}")
}

/// Distinct and not to be compressed by whatever is below.
fn value(number: usize) -> Vec<u8> {
    let mut choice = crate::choice::Choice::seeded(number as u64);
    (0..VALUE_SIZE / 8).flat_map(|_| choice.bits().to_le_bytes()).collect()
}
