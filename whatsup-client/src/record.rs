//! [`Record`]: what somebody signed, read into what it means.

use base::{PublicKey, Sequence, Signed, Slot, Verified};
use prost::Message;

/// What an author said in a slot of a key, its signature verified. `T` is what the key is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<T> {
    /// Who said it.
    pub author: PublicKey,
    /// Which of the author's under its key it is.
    pub slot: Slot,
    /// The highest counts.
    pub sequence: Sequence,
    /// What was said.
    pub body: T,
    /// A hash of all that was signed: tells apart two that one author signed with one sequence.
    pub hash: [u8; 32],
}

impl<T: Message + Default> Record<T> {
    /// Reads what was signed; nothing if it was removed, or is not what the key is for.
    pub fn read(signed: &Verified<Signed>) -> Option<Record<T>> {
        let body = T::decode(signed.body()?).ok()?;
        let (author, slot, sequence) = (signed.author(), signed.slot(), signed.sequence());
        let hash = *blake3::hash(signed.as_bytes()).as_bytes();
        Some(Record { author, slot, sequence, body, hash })
    }
}

/// Of several about one thing, the newest, whatever the order they come in.
pub fn newest<T>(records: impl IntoIterator<Item = Record<T>>) -> Option<Record<T>> {
    records.into_iter().max_by_key(|record| (record.sequence, record.hash))
}
