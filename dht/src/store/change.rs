//! One transaction on the file: which rows change, and every count that has to change with them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Instant;

use base::{Entry, Place, PublicKey, Signed, Version};
use redb::{ReadableTable, Table, WriteTransaction};

use super::capacity;
use super::database::{AUTHORS, ENTRIES, EXPIRY, META, NOTES};
use super::digest_index::RowChange;
use super::queue::{ApplyOperation, NoteOperation};
use super::record::{
    EXPIRY_KEY_LEN, ExpiryKey, ROW_KEY_LEN, Record, RowKey, encode, expiry_key, id_of, place_of,
    row_key, row_range, split_expiry_key,
};
use super::rules::{Decision, Usage, author_bytes, author_cost, decide};
use super::shared::Shared;
use super::{ALL_IDS, Applied, NoRoom, Note, StoreError, Totals};

/// Most rows one sweep deletes, so that it holds up no group for long.
pub(super) const SWEEP_MAX: usize = 2048;
/// Keys whose usage is remembered between groups.
const USAGE_CACHE_MAX: usize = 4096;

/// What the disk has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Everything,
    Removals,
    Nothing,
}

/// One transaction and what changes with it.
pub(super) struct Change<'w> {
    transaction: WriteTransaction,
    state: Changing<'w>,
}

/// The counts and what is needed to keep them.
pub(super) struct Changing<'w> {
    totals: Totals,
    usage: &'w mut HashMap<Place, Usage>,
    /// The record being written; kept to be allocated once.
    record: Vec<u8>,
    changed: bool,
    /// What the digests have to follow.
    rows: Vec<RowChange>,
}

/// The tables of rows.
pub(super) struct Tables<'t> {
    entries: Table<'t, &'static [u8; ROW_KEY_LEN], &'static [u8]>,
    expiry: Table<'t, &'static [u8; EXPIRY_KEY_LEN], ()>,
    authors: Table<'t, &'static [u8; PublicKey::LEN], u64>,
}

/// The row an arriving copy would replace.
struct HeldRow {
    deadline: u64,
    cost: usize,
    live: bool,
    version: Version,
    entry: Option<Entry>,
}

impl HeldRow {
    fn goes(&self, row: &RowKey) -> RowChange {
        RowChange { row: *row, version: self.version, live: self.live, came: false }
    }
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Tables<'t>, redb::Error> {
        let entries = transaction.open_table(ENTRIES)?;
        let expiry = transaction.open_table(EXPIRY)?;
        let authors = transaction.open_table(AUTHORS)?;
        Ok(Tables { entries, expiry, authors })
    }

    /// What an author's entries take.
    fn used_by(&self, author: &PublicKey) -> Result<u64, redb::Error> {
        Ok(self.authors.get(author.as_bytes())?.map_or(0, |used| used.value()))
    }

    fn set_used_by(&mut self, author: &PublicKey, used: u64) -> Result<(), redb::Error> {
        match used {
            0 => self.authors.remove(author.as_bytes())?,
            used => self.authors.insert(author.as_bytes(), used)?,
        };
        Ok(())
    }

    fn held(&self, row: &RowKey, now: u64) -> Result<Option<HeldRow>, redb::Error> {
        let Some(bytes) = self.entries.get(row)? else { return Ok(None) };
        Ok(Record::decode(bytes.value()).map(|record| HeldRow {
            deadline: record.deadline,
            cost: record.cost(),
            live: record.is_live(),
            version: record.version,
            entry: record.to_entry(id_of(row), now),
        }))
    }
}

impl<'w> Change<'w> {
    /// Begins, with the counts as they are.
    pub(super) fn begin(
        database: &redb::Database,
        totals: Totals,
        usage: &'w mut HashMap<Place, Usage>,
    ) -> Result<Change<'w>, redb::Error> {
        let mut transaction = database.begin_write()?;
        // Opening after kill -9 then takes a millisecond instead of reading the whole file.
        transaction.set_quick_repair(true);
        if usage.len() > USAGE_CACHE_MAX {
            usage.clear();
        }
        let state =
            Changing { totals, usage, record: Vec::new(), changed: false, rows: Vec::new() };
        Ok(Change { transaction, state })
    }

    /// Works on the tables.
    pub(super) fn with_tables<T>(
        &mut self,
        work: impl FnOnce(&mut Changing<'w>, &mut Tables<'_>) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        let mut tables = Tables::open(&self.transaction)?;
        work(&mut self.state, &mut tables)
    }

    /// Keeps notes.
    pub(super) fn notes(&mut self, notes: &[NoteOperation], now: u64) -> Result<(), redb::Error> {
        let mut table = self.transaction.open_table(NOTES)?;
        for operation in notes {
            let row = Note::to_row(&operation.note, now);
            table.insert(operation.place.as_bytes(), row.as_slice())?;
        }
        self.state.changed = true;
        Ok(())
    }

    /// Forgets notes whose time is over.
    pub(super) fn sweep_notes(&mut self, now: u64) -> Result<(), redb::Error> {
        let mut table = self.transaction.open_table(NOTES)?;
        let mut outdated = false;
        for row in table.iter()? {
            outdated |= Note::is_outdated(row?.1.value(), now);
        }
        if outdated {
            table.retain(|_, row| !Note::is_outdated(row, now))?;
            self.state.changed = true;
        }
        Ok(())
    }

    /// Commits even if nothing changed, for the sake of the timeline's mark.
    pub(super) fn keep_mark(&mut self) {
        self.state.changed = true;
    }

    /// Commits, if anything changed, and publishes the counts.
    pub(super) fn finish(self, shared: &Shared, operations: usize) -> Result<Totals, redb::Error> {
        let Change { transaction, state } = self;
        if !state.changed {
            transaction.abort()?;
            return Ok(state.totals);
        }
        let started = Instant::now();
        {
            let mark = shared.timeline.mark(shared.clock.read());
            let mut meta = transaction.open_table(META)?;
            meta.insert("mark", mark.to_bytes().as_slice())?;
            meta.insert("totals", state.totals.to_bytes().as_slice())?;
        }
        transaction.commit()?;
        shared.digests().commit(&state.rows);
        let counters = &shared.counters;
        counters.set(state.totals);
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        counters.commits.fetch_add(1, Ordering::Relaxed);
        counters.committed_operations.fetch_add(operations as u64, Ordering::Relaxed);
        counters.commit_micros.fetch_add(micros, Ordering::Relaxed);
        Ok(state.totals)
    }
}

impl Changing<'_> {
    /// Merges one copy: the outer error is the file's, the inner the asker's.
    pub(super) fn apply(
        &mut self,
        tables: &mut Tables<'_>,
        operation: &ApplyOperation,
        now: u64,
        (room, capacity): (Room, u64),
    ) -> Result<Result<Applied, StoreError>, redb::Error> {
        let (place, arriving) = (operation.place, &operation.entry);
        if room == Room::Nothing || (room == Room::Removals && arriving.is_live()) {
            return Ok(Err(StoreError::OverCapacity(NoRoom::Disk)));
        }
        let row = row_key(&place, arriving.id());
        let mut usage = self.usage(tables, &place)?;
        let mut held = tables.held(&row, now)?;
        if let Some(expired) = held.take_if(|held| held.deadline <= now) {
            self.delete(tables, &row, &expired)?;
            usage = self.usage(tables, &place)?;
        }
        let held_entry = held.as_ref().and_then(|held| held.entry.as_ref());
        match decide(arriving, held_entry, usage, operation.bounds.values) {
            Ok(Decision::Write(applied)) => {
                let mut author = None;
                if let Some(by) = arriving.as_signed().map(Signed::author) {
                    let (used, most) = (tables.used_by(&by)?, operation.bounds.author);
                    match author_bytes(arriving, held_entry, used, most) {
                        Ok(after) => author = Some((by, after)),
                        Err(full) => return Ok(Err(StoreError::OverCapacity(full))),
                    }
                }
                if arriving.is_live()
                    && let Err(full) = self.check_room(arriving, capacity)
                {
                    return Ok(Err(StoreError::OverCapacity(full)));
                }
                if let Some((by, after)) = author {
                    tables.set_used_by(&by, after)?;
                }
                let life = arriving.remaining().as_millis();
                self.write(tables, &row, held.as_ref(), arriving, now.saturating_add(life))?;
                Ok(Ok(applied))
            }
            Ok(Decision::Shorten(life, applied)) => {
                if let Some(entry) = held_entry {
                    let deadline = now.saturating_add(life.as_millis());
                    self.write(tables, &row, held.as_ref(), entry, deadline)?;
                }
                Ok(Ok(applied))
            }
            Ok(Decision::Leave(applied)) => Ok(Ok(applied)),
            Err(refused) => Ok(Err(refused)),
        }
    }

    fn write(
        &mut self,
        tables: &mut Tables<'_>,
        row: &RowKey,
        held: Option<&HeldRow>,
        entry: &Entry,
        deadline: u64,
    ) -> Result<(), redb::Error> {
        encode(entry, deadline, &mut self.record);
        tables.entries.insert(row, self.record.as_slice())?;
        if let Some(held) = held {
            tables.expiry.remove(&expiry_key(held.deadline, row))?;
        }
        tables.expiry.insert(&expiry_key(deadline, row), ())?;
        let new = (entry.cost(), entry.is_live());
        self.count(place_of(row), held.map(|held| (held.cost, held.live)), Some(new));
        self.rows.extend(held.map(|held| held.goes(row)));
        let live = entry.is_live();
        self.rows.push(RowChange { row: *row, version: entry.version(), live, came: true });
        Ok(())
    }

    fn delete(
        &mut self,
        tables: &mut Tables<'_>,
        row: &RowKey,
        held: &HeldRow,
    ) -> Result<(), redb::Error> {
        tables.entries.remove(row)?;
        tables.expiry.remove(&expiry_key(held.deadline, row))?;
        if let Some(entry) = held.entry.as_ref()
            && let Some(author) = entry.as_signed().map(Signed::author)
        {
            let left = tables.used_by(&author)?.saturating_sub(author_cost(entry));
            tables.set_used_by(&author, left)?;
        }
        self.count(place_of(row), Some((held.cost, held.live)), None);
        self.rows.push(held.goes(row));
        Ok(())
    }

    /// Deletes expired rows, oldest first; how many were due.
    pub(super) fn sweep(
        &mut self,
        tables: &mut Tables<'_>,
        now: u64,
    ) -> Result<usize, redb::Error> {
        let last = expiry_key(now, &[0xff; ROW_KEY_LEN]);
        let due: Vec<_> = tables
            .expiry
            .range::<&ExpiryKey>(..=&last)?
            .take(SWEEP_MAX)
            .map(|row| row.map(|(key, _)| split_expiry_key(key.value())))
            .collect::<Result<_, _>>()?;
        for (deadline, row) in &due {
            match tables.held(row, now)? {
                Some(held) if held.deadline == *deadline => self.delete(tables, row, &held)?,
                // Nothing leaves such a row behind; should one exist, it must not be met for ever.
                _ => drop(tables.expiry.remove(&expiry_key(*deadline, row))?),
            }
        }
        Ok(due.len())
    }

    /// What a key uses; read from the file the first time it is asked for.
    fn usage(&mut self, tables: &Tables<'_>, place: &Place) -> Result<Usage, redb::Error> {
        if let Some(usage) = self.usage.get(place) {
            return Ok(*usage);
        }
        let mut usage = Usage::default();
        let (from, to) = row_range(place, ALL_IDS);
        for row in tables.entries.range::<&RowKey>((from.as_ref(), to.as_ref()))? {
            let row = row?.1;
            let record = Record::decode(row.value());
            usage.replace(None, Some(record.map_or((0, false), |r| (r.cost(), r.is_live()))));
        }
        self.usage.insert(*place, usage);
        Ok(usage)
    }

    fn check_room(&self, arriving: &Entry, capacity: u64) -> Result<(), NoRoom> {
        let (used, bytes) = (self.totals.used(), arriving.cost());
        capacity::check(capacity, used, bytes, arriving.remaining(), NoRoom::Share)
    }

    /// Keeps all counts in step with a row that changed: what it cost and whether it was live.
    fn count(&mut self, place: Place, old: Option<(usize, bool)>, new: Option<(usize, bool)>) {
        self.changed = true;
        if let Some(usage) = self.usage.get_mut(&place) {
            usage.replace(old, new);
        }
        for (row, sign) in [(new, 1i64), (old, -1)] {
            let Some((cost, live)) = row else { continue };
            let counter = if live { &mut self.totals.live } else { &mut self.totals.tombstones };
            *counter = counter.saturating_add_signed(sign);
            let cost = i64::try_from(cost).unwrap_or(i64::MAX);
            self.totals.bytes = self.totals.bytes.saturating_add_signed(sign * cost);
        }
    }
}
