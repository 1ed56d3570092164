//! Rows of the table of entries, as a disk may give them back.

use super::record::{
    ROW_KEY_LEN, Record, encode, expiry_key, id_of, place_of, row_key, split_expiry_key,
};

/// A row key and a record after it: what reads as an entry reads as the same one when it is
/// written again, and costs what its record says.
pub(crate) fn row(bytes: &[u8]) {
    let Some((row, bytes)) = bytes.split_first_chunk::<ROW_KEY_LEN>() else { return };
    assert_eq!(row_key(&place_of(row), id_of(row)), *row);
    let Some(record) = Record::decode(bytes) else { return };
    let deadline = record.deadline;
    assert_eq!(split_expiry_key(&expiry_key(deadline, row)), (deadline, *row));
    let Some(entry) = record.to_entry(id_of(row), 0) else { return };
    assert_eq!((record.is_live(), record.cost()), (entry.is_live(), entry.cost()));
    let mut again = Vec::new();
    encode(&entry, deadline, &mut again);
    let again = Record::decode(&again).and_then(|record| record.to_entry(id_of(row), 0));
    assert_eq!(again.as_ref(), Some(&entry));
}

/// The same of an entry.
#[cfg(test)]
pub(crate) fn bytes(place: &base::Place, entry: &base::Entry, deadline: u64) -> Vec<u8> {
    let mut record = Vec::new();
    encode(entry, deadline, &mut record);
    [&row_key(place, entry.id())[..], &record].concat()
}
