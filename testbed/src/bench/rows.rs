//! The database by itself: rows as large as the store makes them, with the store's durability.

use std::path::Path;

use anyhow::Result;
use redb::{Database, Durability, TableDefinition};

use super::load::VALUE_SIZE;
use crate::choice::Choice;

/// What the store makes of an entry: place, value hash and secret tag name a row; version,
/// deadline and kind stand before the value.
const ROW_KEY: usize = 32 + 40 + 20;
const ROW_VALUE: usize = 8 + 8 + 1 + VALUE_SIZE;
const TABLE: TableDefinition<&[u8; ROW_KEY], &[u8]> = TableDefinition::new("entries");

/// A database and the rows that come next.
pub(super) struct Rows {
    database: Database,
    choice: Choice,
}

impl Rows {
    /// A new database.
    pub(super) fn create(path: &Path, seed: u64) -> Result<Rows> {
        Ok(Rows { database: Database::create(path)?, choice: Choice::seeded(seed) })
    }

    /// Writes this many rows in one durable transaction.
    pub(super) fn commit(&mut self, count: usize) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_quick_repair(true);
        {
            let mut table = transaction.open_table(TABLE)?;
            for _ in 0..count {
                table.insert(&random_key(&mut self.choice), [b'v'; ROW_VALUE].as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// Places are hashes: rows come in no order.
fn random_key(choice: &mut Choice) -> [u8; ROW_KEY] {
    let mut key = [0; ROW_KEY];
    for part in key.chunks_mut(8) {
        part.copy_from_slice(&choice.bits().to_le_bytes()[..part.len()]);
    }
    key
}
