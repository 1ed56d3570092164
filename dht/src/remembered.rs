//! The super-nodes a node knew when it last ran: it tries them first when it starts again, and
//! until it has heard of them, or waited, it does not believe to be alone.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::warn;

use crate::overlay::view::{Member, View};
use crate::wire::{ADDRESSES_MAX, Contact};

/// File of the data directory: a line for each, its id and its addresses.
const FILE: &str = "peers";
/// Most that are remembered.
const PEERS_MAX: usize = 512;
/// Changes are written together after so long.
const DELAY: Duration = Duration::from_secs(1);

/// Keeps the file up to date; keeps nothing, for a node without a data directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remembered(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    latest: Vec<Contact>,
    writing: Option<JoinHandle<()>>,
}

impl Remembered {
    /// In this data directory.
    pub(crate) fn in_dir(dir: &Path) -> Remembered {
        Remembered(Some(Arc::new(Inner { path: dir.join(FILE), state: Mutex::default() })))
    }

    /// Who was there the last time. What cannot be read is no reason not to start.
    pub(crate) fn load(&self) -> Vec<Contact> {
        let Some(inner) = &self.0 else { return Vec::new() };
        match std::fs::read_to_string(&inner.path) {
            Ok(text) => text.lines().filter_map(parse).take(PEERS_MAX).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                warn!(path = %inner.path.display(), %error, "cannot read who was there last time");
                Vec::new()
            }
        }
    }

    /// Remembers the members of a view, if there are any: one that is alone for a while does not
    /// forget the others.
    pub(crate) fn keep(&self, view: &View) {
        let Some(inner) = &self.0 else { return };
        let others = view.members().iter().skip(1).take(PEERS_MAX);
        let contacts: Vec<Contact> = others.map(Member::contact).collect();
        let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        if contacts.is_empty() || contacts == state.latest {
            return;
        }
        state.latest = contacts;
        if state.writing.as_ref().is_none_or(JoinHandle::is_finished) {
            let inner = Arc::clone(inner);
            state.writing = Some(tokio::spawn(async move {
                tokio::time::sleep(DELAY).await;
                let _ = tokio::task::spawn_blocking(move || inner.write()).await;
            }));
        }
    }

    /// Writes what is not written yet.
    pub(crate) async fn close(&self) {
        let Some(inner) = self.0.clone() else { return };
        let _ = tokio::task::spawn_blocking(move || inner.write()).await;
    }
}

impl Inner {
    fn write(&self) {
        let latest = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.latest.clone()
        };
        if latest.is_empty() {
            return;
        }
        let text: String = latest.iter().map(line).collect();
        if let Err(error) = replace(&self.path, &text) {
            warn!(path = %self.path.display(), %error, "cannot remember who is there");
        }
    }
}

/// A half-written file never stands in the place of a whole one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    std::fs::rename(&beside, path)
}

fn line(contact: &Contact) -> String {
    let addresses: String = contact.addresses.iter().map(|address| format!(" {address}")).collect();
    format!("{}{addresses}\n", contact.id)
}

fn parse(line: &str) -> Option<Contact> {
    let mut words = line.split_whitespace();
    let id = words.next()?.parse().ok()?;
    let addresses = words.filter_map(|word| word.parse::<SocketAddr>().ok());
    Some(Contact { id, addresses: addresses.take(ADDRESSES_MAX).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::view::tests::{member, view};

    #[tokio::test]
    async fn who_was_there_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let remembered = Remembered::in_dir(dir.path());
        assert!(remembered.load().is_empty());
        let me = Arc::clone(view(1).me());
        let with_address = |n| crate::overlay::view::Member {
            addresses: [([10, 0, 0, 1], 5850).into()].into(),
            ..member(n)
        };
        remembered.keep(&View::new(
            Arc::clone(&me),
            (1..5).map(with_address).collect(),
            vec![],
            true,
        ));
        remembered.keep(&View::new(me, Vec::new(), vec![], true));
        remembered.close().await;
        let loaded = Remembered::in_dir(dir.path()).load();
        assert_eq!(loaded.len(), 4);
        assert_eq!(loaded[0].addresses, [([10, 0, 0, 1], 5850).into()]);
    }

    #[test]
    fn lines_that_make_no_sense_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let id = member(1).peer.id;
        let text = format!("nonsense 1.2.3.4:5\n\n{id} nonsense [::1]:7 8.8.8.8\n\u{0}\n");
        std::fs::write(dir.path().join(FILE), text).unwrap();
        let loaded = Remembered::in_dir(dir.path()).load();
        assert_eq!(loaded, [Contact { id, addresses: vec!["[::1]:7".parse().unwrap()] }]);
    }
}
