//! The digests of what the file holds: made from it after a start, some rows at a time, and kept in
//! step with every commit from then on.
//!
//! They are not kept on disk: there they would cost every commit more pages than the entries
//! themselves, and making them anew takes about a second for a million entries.

use base::Version;
use redb::{Database, ReadableDatabase};

use super::database::ENTRIES;
use super::digest::{Digest, Digests, Fingerprint, Sketched};
use super::record::{ROW_KEY_LEN, Record, RowKey, id_of, place_of};
use crate::prefix::Prefix;

/// Rows read at a time: about a millisecond, for which the operations that come meanwhile wait.
const PART: usize = 1024;

/// A row of the file that came or went with a commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowChange {
    pub(super) row: RowKey,
    pub(super) version: Version,
    pub(super) live: bool,
    pub(super) came: bool,
}

/// The digests, and how far they were made. Only the thread that writes the file changes it, so that
/// nothing is committed between reading some rows and counting them.
#[derive(Debug, Default)]
pub(super) struct DigestIndex {
    digests: Digests,
    /// The highest version, of entries nobody signed, of the rows read.
    newest: Version,
    made: Made,
}

/// How far the rows of the file have been read.
#[derive(Debug, Default)]
enum Made {
    #[default]
    Nothing,
    /// To this row.
    To(RowKey),
    Everything,
}

impl DigestIndex {
    /// The digest of a range, once all are made.
    pub(super) fn of(&self, prefix: &Prefix) -> Option<Digest> {
        matches!(self.made, Made::Everything).then(|| self.digests.of(prefix))
    }

    /// The digest and the sketch of a range, once all are made and if its sketch is kept.
    pub(super) fn sketch(&self, prefix: &Prefix, symbols: usize) -> Option<Sketched> {
        if !self.is_made() {
            return None;
        }
        self.digests.sketch(prefix, symbols)
    }

    /// Whether nothing is left to be read.
    pub(super) fn is_made(&self) -> bool {
        matches!(self.made, Made::Everything)
    }

    /// The highest version, of entries nobody signed, of the rows read so far.
    pub(super) fn newest(&self) -> Version {
        self.newest
    }

    /// Takes note of what a commit changed. Rows that were not read yet will be as they are then.
    pub(super) fn commit(&mut self, changes: &[RowChange]) {
        for change in changes {
            let is_made = match &self.made {
                Made::Nothing => false,
                Made::To(last) => change.row <= *last,
                Made::Everything => true,
            };
            if is_made {
                let fingerprint = fingerprint(&change.row, change.version, change.live);
                let place = place_of(&change.row);
                if change.came {
                    self.digests.add(&place, fingerprint);
                } else {
                    self.digests.subtract(&place, fingerprint);
                }
            }
        }
    }

    /// Reads some more rows.
    pub(super) fn make_more(&mut self, database: &Database) -> Result<(), redb::Error> {
        let table = database.begin_read()?.open_table(ENTRIES)?;
        let after = match &self.made {
            Made::Nothing => std::ops::Bound::Unbounded,
            Made::To(last) => std::ops::Bound::Excluded(last),
            Made::Everything => return Ok(()),
        };
        let end = std::ops::Bound::Unbounded::<&[u8; ROW_KEY_LEN]>;
        let rows = table.range::<&RowKey>((after, end))?;
        let (mut count, mut last, mut newest) = (0, None, self.newest);
        // Nothing is counted of a part that cannot be read to its end.
        let mut part = Vec::with_capacity(PART);
        for row in rows.take(PART) {
            let (key, record) = row?;
            count += 1;
            last = Some(*key.value());
            if let Some(record) = Record::decode(record.value()) {
                part.push((*key.value(), record.version, record.is_live()));
                newest = newest.max(record.lamport().unwrap_or(Version::ZERO));
            }
        }
        self.newest = newest;
        for (row, version, live) in part {
            self.digests.add(&place_of(&row), fingerprint(&row, version, live));
        }
        self.made = match last {
            Some(last) if count == PART => Made::To(last),
            _ => Made::Everything,
        };
        Ok(())
    }
}

/// The fingerprint of the entry of a row.
pub(super) fn fingerprint(row: &RowKey, version: Version, live: bool) -> Fingerprint {
    Fingerprint::new(&place_of(row), id_of(row), version, live)
}
