//! Starts that must fail: soon, with an error that names the thing and says what to do, and
//! without touching what is there.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::Request;
use crate::checks::Checks;
use crate::node::{ANY_PORT, Data, Node};
use crate::rpc::{Client, Datum, Param, Reply};

const REFUSAL_LIMIT: Duration = Duration::from_secs(10);

/// Holds the process id of whoever tried last; there is nothing in it to lose.
const LOCK: &str = "lock";
/// Names the layout of the directory.
const FORMAT: &str = "format";

/// What a used directory holds: keys with one value each.
const USED_KEYS: usize = 200;
const USED_VALUE: [u8; 1000] = [b'v'; 1000];

/// Each file's hash, by its path.
type Picture = BTreeMap<PathBuf, [u8; 32]>;

/// Runs the drill.
pub(super) fn run(_: &Request) -> Result<usize> {
    let mut checks = Checks::default();
    checks.check("a port in use", port_in_use);
    checks.check("a data directory that cannot be made", cannot_be_made);
    checks.check("a data directory that is a file", is_a_file);
    checks.check("entries that are garbage", || corrupt("garbage", |bytes| bytes.fill(b'#')));
    checks.check("entries that are cut off", || {
        corrupt("cut off", |bytes| bytes.truncate(bytes.len() / 2))
    });
    checks.check("entries with a damaged beginning", || {
        corrupt("damaged", |bytes| bytes.iter_mut().take(512).for_each(|byte| *byte ^= 0x55))
    });
    for (first, step) in [(2, 3), (8, 16), (21, 64)] {
        let what = format!("entries with one page in {step} damaged");
        checks.check(&what, || damaged_pages(first, step));
    }
    checks.check("entries that are gone", || {
        refused_by_state("entries", |dir| Ok(fs::remove_file(entries_file(dir)?)?))
    });
    checks.check("a newer data directory", || {
        refused_by_state("format", |dir| {
            let format = fs::read_to_string(dir.join(FORMAT))?;
            Ok(fs::write(dir.join(FORMAT), newer(&format)?)?)
        })
    });
    checks.check("a format that is no format", || {
        refused_by_state("format", |dir| Ok(fs::write(dir.join(FORMAT), "what is this")?))
    });
    checks.check("two super-nodes on one data directory", two_on_one);
    checks.finish()
}

fn port_in_use() -> Result<()> {
    let (temp, dir) = used_directory()?;
    let before = picture(&dir)?;
    let listener = TcpListener::bind(ANY_PORT)?;
    let address = listener.local_addr()?.to_string();
    expect_refusal(&dir, &address, &[&address, "in use"])?;
    ensure!(picture(&dir)? == before, "the data directory was changed");
    drop(temp);
    Ok(())
}

fn cannot_be_made() -> Result<()> {
    // Not a matter of permissions, which do not bind root: nothing can be made below a file.
    let temp = TempDir::new()?;
    let file = temp.path().join("file");
    fs::write(&file, "a file")?;
    let dir = file.join("data");
    expect_refusal(&dir, ANY_PORT, &[&dir.display().to_string()])?;
    ensure!(fs::read(&file)? == b"a file", "the file was changed");
    Ok(())
}

fn is_a_file() -> Result<()> {
    let temp = TempDir::new()?;
    let file = temp.path().join("data");
    fs::write(&file, "a file")?;
    expect_refusal(&file, ANY_PORT, &[&file.display().to_string()])?;
    ensure!(fs::read(&file)? == b"a file", "the file was changed");
    Ok(())
}

fn corrupt(what: &str, damage: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    refused_by_state("entries", |dir| {
        let path = entries_file(dir)?;
        let mut bytes = fs::read(&path)?;
        damage(&mut bytes);
        fs::write(&path, &bytes).with_context(|| format!("cannot write the {what} file"))
    })
}

/// Damage that may show only when a page is read: the node may refuse to start, or serve what it
/// still can, but must not end, nor give a wrong value.
fn damaged_pages(first: usize, step: usize) -> Result<()> {
    const PAGE: usize = 4096;
    let (temp, dir) = used_directory()?;
    let path = entries_file(&dir)?;
    let mut bytes = fs::read(&path)?;
    for page in bytes.chunks_mut(PAGE).skip(first).step_by(step) {
        page.iter_mut().for_each(|byte| *byte ^= 0x55);
    }
    fs::write(&path, &bytes)?;
    let data = Data::Dir(dir.clone());
    let Ok(mut node) = Node::start(&data, ANY_PORT) else {
        return expect_refusal(&dir, ANY_PORT, &[&dir.display().to_string(), "entries"]);
    };
    let (mut right, mut failed) = (0, 0);
    for number in 0..USED_KEYS {
        let key = format!("key {number}");
        match Client::connect(node.http())?.call("scope.get", &[Param::Text(&key)])? {
            Reply::Fault { .. } => failed += 1,
            Reply::Value(values) if values == used_values() => right += 1,
            Reply::Value(values) => bail!("{key} has other values: {values:?}"),
        }
        ensure!(node.is_running()?, "the node has ended; its log ends:\n{}", node.log());
    }
    println!("        {right} keys were read, {failed} answered with a fault");
    drop(temp);
    Ok(())
}

/// Brings a used directory into a state that has to be refused, naming the directory and `thing`.
fn refused_by_state(thing: &str, spoil: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (temp, dir) = used_directory()?;
    spoil(&dir)?;
    let before = picture(&dir)?;
    expect_refusal(&dir, ANY_PORT, &[&dir.display().to_string(), thing])?;
    let after = picture(&dir)?;
    ensure!(after == before, "the data directory was changed: {}", difference(&before, &after));
    drop(temp);
    Ok(())
}

fn two_on_one() -> Result<()> {
    let temp = TempDir::new()?;
    let dir = temp.path().join("data");
    let first = Node::start(&Data::Dir(dir.clone()), ANY_PORT)?;
    let mut client = Client::connect(first.http())?;
    client.put("key", b"value")?.value()?;
    let pid = first.pid().to_string();
    // The first one goes on writing, what it offers among it: what must hold is what it was given.
    expect_refusal(&dir, ANY_PORT, &[&dir.display().to_string(), "in use", &pid])?;
    ensure!(client.get("key")? == [b"value"], "the first node lost its value");
    client.put("key", b"another")?.value()?;
    drop(client);
    first.stop()
}

/// A directory that a node has put a value into and left.
fn used_directory() -> Result<(TempDir, PathBuf)> {
    let temp = TempDir::new()?;
    let dir = temp.path().join("data");
    let node = Node::start(&Data::Dir(dir.clone()), ANY_PORT)?;
    let mut client = Client::connect(node.http())?;
    for number in 0..USED_KEYS {
        client.put(&format!("key {number}"), &USED_VALUE)?.value()?;
    }
    drop(client);
    node.stop()?;
    Ok((temp, dir))
}

/// What a key of a used directory has.
fn used_values() -> Datum {
    Datum::Array(vec![Datum::Bytes(USED_VALUE.to_vec())])
}

fn expect_refusal(dir: &Path, http: &str, says: &[&str]) -> Result<()> {
    let refusal = Node::refused(&Data::Dir(dir.to_owned()), http, REFUSAL_LIMIT)?;
    // Neither a signal, nor a panic that nobody caught.
    ensure!(refusal.status.code() == Some(1), "{}: {}", refusal.status, refusal.log);
    let log = refusal.log.to_lowercase();
    for word in says {
        ensure!(log.contains(&word.to_lowercase()), "{word:?} is not in: {}", refusal.log);
    }
    println!("        {}", refusal.log.trim().lines().last().unwrap_or_default());
    Ok(())
}

/// The file with the entries: the largest one.
fn entries_file(dir: &Path) -> Result<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        files.push((entry.metadata()?.len(), entry.path()));
    }
    files.into_iter().max().map(|(_, path)| path).context("the data directory is empty")
}

fn newer(format: &str) -> Result<String> {
    let digits = format.trim_end();
    let stem = digits.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let number: u32 = digits[stem.len()..].parse().context("no number in the format file")?;
    Ok(format!("{stem}{}\n", number + 1))
}

fn picture(dir: &Path) -> Result<Picture> {
    let mut picture = Picture::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name != LOCK) {
                let hash = Sha256::digest(fs::read(&path)?).into();
                picture.insert(path, hash);
            }
        }
        if picture.len() > 1000 {
            bail!("a data directory of more than 1000 files");
        }
    }
    Ok(picture)
}

fn difference(before: &Picture, after: &Picture) -> String {
    let all: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = all.into_iter().filter(|path| before.get(*path) != after.get(*path));
    changed.map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_the_format_is_raised() {
        assert_eq!(newer("supernode data format 9\n").unwrap(), "supernode data format 10\n");
        assert!(newer("none").is_err());
    }

    #[test]
    fn a_picture_shows_what_changed_but_for_the_lock() {
        let temp = TempDir::new().unwrap();
        fs::write(temp.path().join("lock"), "1").unwrap();
        fs::write(temp.path().join("entries"), "a").unwrap();
        let before = picture(temp.path()).unwrap();
        fs::write(temp.path().join("lock"), "2").unwrap();
        assert_eq!(picture(temp.path()).unwrap(), before);
        fs::write(temp.path().join("entries"), "b").unwrap();
        let after = picture(temp.path()).unwrap();
        assert!(difference(&before, &after).ends_with("entries"));
    }
}
