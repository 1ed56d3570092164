//! The one thread that changes the file: groups of operations, one commit each, and the upkeep.
//!
//! While a commit waits for the disk the next operations gather in the queue, so the more there is
//! to do the cheaper each gets. Replies go out only when the commit is on disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::Place;
use redb::{ReadableDatabase, ReadableTable};
use tracing::{error, info, warn};

use super::change::{Change, Room, SWEEP_MAX};
use super::compact::{compact, length_at_most};
use super::data_dir::DataDir;
use super::database::EXPIRY;
use super::queue::{ApplyOperation, NoteOperation, Operation};
use super::record::split_expiry_key;
use super::rules::Usage;
use super::shared::Shared;
use super::{Applied, NoRoom, StoreError, Totals};
use crate::OpenError;

/// Most operations of one commit: beyond it a commit gets no cheaper, only later.
const GROUP_MAX: usize = 512;
/// How often expired rows are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often the timeline's mark is kept when nothing else is written: what is lost to a wall
/// clock that was set between it and a crash.
pub(crate) const MARK_EVERY: Duration = Duration::from_secs(300);
/// How often notes are looked through for outdated ones: some thousands of small rows.
const NOTES_EVERY: Duration = Duration::from_secs(3600);
/// Longest wait for more operations to join a group.
const COMPANY_MAX: Duration = Duration::from_micros(300);
/// Free disk below which no value is taken: room for `redb` to commit in, for removals, and for
/// the rest of what runs on somebody's laptop.
const DISK_RESERVE: u64 = 32 * 1024 * 1024;
/// Free disk below which nothing is written at all.
const DISK_LAST_RESERVE: u64 = 4 * 1024 * 1024;

/// The state of the writing thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    dir: DataDir,
    totals: Totals,
    /// What keys use of their quotas; exact, since nobody else writes.
    usage: HashMap<Place, Usage>,
    last_group: usize,
    last_commit: Duration,
    last_mark: Instant,
    next_notes: Instant,
    failed: bool,
}

impl Writer {
    /// Starts the thread. The data directory is complete from then on, and stays locked until the
    /// thread ends.
    pub(super) fn start(shared: Arc<Shared>, dir: DataDir) -> Result<JoinHandle<()>, OpenError> {
        dir.mark_complete()?;
        let path = dir.path().to_owned();
        let totals = shared.counters.totals();
        let writer = Writer {
            shared,
            dir,
            totals,
            usage: HashMap::new(),
            last_group: 0,
            last_commit: Duration::ZERO,
            last_mark: Instant::now(),
            next_notes: Instant::now(),
            failed: false,
        };
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| OpenError::Unusable { path, error })
    }

    fn run(mut self) {
        let mut waiting = Vec::new();
        let mut next_sweep = Instant::now();
        loop {
            let patience = match self.make_digests() {
                true => next_sweep.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            self.shared.queue.take(patience, &mut waiting);
            self.wait_for_company(&mut waiting);
            let mut group = Vec::new();
            let mut notes = Vec::new();
            let mut asked_to_tidy = Vec::new();
            let mut asked_to_close = None;
            for operation in waiting.drain(..) {
                match operation {
                    Operation::Apply(operation) => group.push(operation),
                    Operation::Note(operation) => notes.push(operation),
                    Operation::Tidy(reply) => asked_to_tidy.push(reply),
                    Operation::Close(reply) => asked_to_close = Some(reply),
                }
            }
            self.last_group = group.len();
            while !group.is_empty() {
                let rest = group.split_off(group.len().min(GROUP_MAX));
                self.commit_group(group);
                group = rest;
            }
            if !notes.is_empty() {
                self.keep_notes(notes);
            }
            if Instant::now() >= next_sweep {
                let more = self.keep_up();
                next_sweep = Instant::now() + if more { Duration::ZERO } else { SWEEP_EVERY };
            }
            for reply in asked_to_tidy {
                self.tidy();
                let _ = reply.send(());
            }
            if let Some(reply) = asked_to_close {
                self.close();
                let _ = reply.send(());
                return;
            }
        }
    }

    /// Reads some more of what the digests are made of; whether all is read, or cannot be for now.
    fn make_digests(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        if self.failed || shared.digests().is_made() {
            return true;
        }
        match shared.file.with(|database| shared.digests().make_more(database)) {
            Ok(()) => {
                let digests = shared.digests();
                shared.counters.set_newest(digests.newest());
                digests.is_made()
            }
            Err(error) => {
                self.recover(&error);
                true
            }
        }
    }

    /// Those whose operations were just committed are about to ask again: without a short wait the
    /// first of them would be committed alone, and all others a whole commit later.
    fn wait_for_company(&self, waiting: &mut Vec<Operation>) {
        if self.last_group > 1 && !waiting.is_empty() && waiting.len() < self.last_group {
            std::thread::sleep((self.last_commit / 8).min(COMPANY_MAX));
            self.shared.queue.take(Duration::ZERO, waiting);
        }
    }

    fn commit_group(&mut self, group: Vec<ApplyOperation>) {
        if self.failed && !self.reopen() {
            let why = StoreError::Failed("its file cannot be opened again; see the log".to_owned());
            for operation in group {
                let _ = operation.reply.send(Err(why.clone()));
            }
            return;
        }
        let started = Instant::now();
        match self.try_group(&group) {
            Ok(answers) => {
                self.last_commit = started.elapsed();
                for (operation, answer) in group.into_iter().zip(answers) {
                    let _ = operation.reply.send(answer);
                }
            }
            Err(error) => {
                let answer = self.recover(&error);
                for operation in group {
                    let _ = operation.reply.send(Err(answer.clone()));
                }
            }
        }
    }

    /// Does a group in one transaction; on an error nothing of it was done.
    fn try_group(
        &mut self,
        group: &[ApplyOperation],
    ) -> Result<Vec<Result<Applied, StoreError>>, redb::Error> {
        let shared = Arc::clone(&self.shared);
        let room = (self.disk_room(), shared.capacity);
        let now = shared.now();
        shared.file.with(|database| {
            let mut answers = Vec::with_capacity(group.len());
            let mut change = Change::begin(database, self.totals, &mut self.usage)?;
            change.with_tables(|state, tables| {
                for operation in group {
                    answers.push(state.apply(tables, operation, now, room)?);
                }
                Ok(())
            })?;
            self.totals = change.finish(&shared, group.len())?;
            self.last_mark = Instant::now();
            Ok(answers)
        })
    }

    /// Keeps notes, all in one transaction.
    fn keep_notes(&mut self, notes: Vec<NoteOperation>) {
        let kept = if self.failed && !self.reopen() {
            Err(StoreError::Failed("its file cannot be opened again; see the log".to_owned()))
        } else if self.disk_room() == Room::Nothing {
            Err(StoreError::OverCapacity(NoRoom::Disk))
        } else {
            self.try_notes(&notes).map_err(|error| self.recover(&error))
        };
        for operation in notes {
            let _ = operation.reply.send(kept.clone());
        }
    }

    fn try_notes(&mut self, notes: &[NoteOperation]) -> Result<(), redb::Error> {
        let shared = Arc::clone(&self.shared);
        let now = shared.now();
        shared.file.with(|database| {
            let mut change = Change::begin(database, self.totals, &mut self.usage)?;
            change.notes(notes, now)?;
            if Instant::now() >= self.next_notes {
                change.sweep_notes(now)?;
                self.next_notes = Instant::now() + NOTES_EVERY;
            }
            change.finish(&shared, 0).map(|_| ())
        })
    }

    /// Deletes what has expired; whether there is more to delete.
    fn keep_up(&mut self) -> bool {
        match self.try_sweep() {
            Ok(more) => more,
            Err(error) => {
                self.recover(&error);
                false
            }
        }
    }

    fn try_sweep(&mut self) -> Result<bool, redb::Error> {
        if self.failed {
            self.reopen();
            return Ok(false);
        }
        if self.disk_room() == Room::Nothing {
            return Ok(false);
        }
        let shared = Arc::clone(&self.shared);
        let now = shared.now();
        let is_due = shared.file.with(|database| {
            let expiry = database.begin_read()?.open_table(EXPIRY)?;
            let first = expiry.first()?;
            Ok(first.is_some_and(|(key, _)| split_expiry_key(key.value()).0 <= now))
        })?;
        if !is_due && self.last_mark.elapsed() < MARK_EVERY {
            return Ok(false);
        }
        shared.file.with(|database| {
            let mut change = Change::begin(database, self.totals, &mut self.usage)?;
            let swept = change.with_tables(|state, tables| state.sweep(tables, now))?;
            change.keep_mark();
            self.totals = change.finish(&shared, 0)?;
            self.last_mark = Instant::now();
            Ok(swept == SWEEP_MAX)
        })
    }

    fn tidy(&mut self) {
        // The copy must fit beside what is there, also when the disk is too full for values.
        let copy = length_at_most(self.totals).saturating_add(DISK_LAST_RESERVE);
        if self.failed || self.disk_free() < copy {
            return;
        }
        let queue = &self.shared.queue;
        match compact(&self.shared.file, self.totals, || queue.is_closed()) {
            Ok(Some(done)) => info!(
                before_bytes = done.before,
                after_bytes = done.after,
                millis = u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
                "compacted the store"
            ),
            Ok(None) => {}
            Err(error) => {
                warn!(%error, "the store was not compacted");
                // Whatever file has the name now is the one to go on with.
                self.reopen();
            }
        }
    }

    fn close(&mut self) {
        if !self.failed
            && let Err(error) = self.keep_mark()
        {
            warn!(%error, "the store's clock was not kept at close");
        }
        self.shared.file.close();
    }

    /// Keeps the mark of this moment, so that a start after a reboot counts from here.
    fn keep_mark(&mut self) -> Result<(), redb::Error> {
        let shared = Arc::clone(&self.shared);
        shared.file.with(|database| {
            let mut change = Change::begin(database, self.totals, &mut self.usage)?;
            change.keep_mark();
            change.finish(&shared, 0).map(|_| ())
        })
    }

    /// What the disk still has room for.
    fn disk_room(&self) -> Room {
        match self.disk_free() {
            free if free < DISK_LAST_RESERVE => Room::Nothing,
            free if free < DISK_RESERVE => Room::Removals,
            _ => Room::Everything,
        }
    }

    /// Bytes the disk has free. Not to be told is no reason to refuse: a write will tell.
    fn disk_free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.dir.path());
        stat.map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// After an error: forget what was not committed, open the file again, and say what to tell.
    fn recover(&mut self, error: &redb::Error) -> StoreError {
        let answer = match error {
            redb::Error::Io(io) if is_full(io) => StoreError::OverCapacity(NoRoom::Disk),
            error => StoreError::Failed(error.to_string()),
        };
        error!(%error, "a group of operations was not committed");
        self.usage.clear();
        self.reopen();
        answer
    }

    fn reopen(&mut self) -> bool {
        self.failed = match self.shared.file.reopen() {
            Ok(()) => false,
            Err(error) => {
                let file = self.shared.file.path().display();
                error!(%error, %file, "the store's file cannot be opened again");
                true
            }
        };
        !self.failed
    }
}

impl Drop for Writer {
    /// However the thread ends, nobody may wait for it.
    fn drop(&mut self) {
        self.shared.queue.shut();
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
