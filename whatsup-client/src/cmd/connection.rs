//! By which super-nodes a command reaches the overlay, and what it tells them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::context::Surroundings;
use super::error::CommandError;
use super::home::Home;
use crate::net::Net;
use crate::node_url::NodeUrl;
use crate::overlay::Http;

/// The variable that holds the overlay's passphrase, as for `supernode`.
const PASSPHRASE: &str = "SUPERNODE_PASSPHRASE";
/// What is read of a passphrase's file, in bytes: no passphrase is longer.
const READ_MAX: u64 = 1024;

/// The overlay, by these super-nodes, and what a command has of this process.
///
/// # Errors
/// [`CommandError::File`] for a passphrase that cannot be read; a usage error if there is no home.
pub(super) fn connect(
    nodes: &[NodeUrl],
    passphrase_file: Option<&Path>,
    home: Option<&PathBuf>,
) -> Result<(Net, Surroundings), CommandError> {
    let passphrase = match passphrase_file {
        Some(path) => Some(read(path)?),
        None => {
            let set = std::env::var(PASSPHRASE).ok().filter(|text| !text.is_empty());
            set.map(Zeroizing::new)
        }
    };
    let passphrase = passphrase.as_deref().map(String::as_str);
    let home = home.map_or_else(Home::of_user, |home| Ok(Home::new(home)))?;
    let overlay = Http::new(nodes.to_vec(), passphrase);
    Ok((Net::new(overlay), Surroundings::new(home)))
}

/// A file's one line, without its end.
fn read(path: &Path) -> Result<Zeroizing<String>, CommandError> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(READ_MAX).read_to_string(&mut text));
    read.map_err(|cause| CommandError::File { path: path.to_owned(), cause })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}
