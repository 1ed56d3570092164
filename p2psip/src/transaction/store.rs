//! Where transactions are: found by key and by id, bounded in number and in the bytes kept for them.
//! When it is full, those go first that only answer repetitions, the oldest first: a repetition that
//! comes nevertheless is then served a second time, which is better than serving nobody.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use bytes::Bytes;

use super::key::Key;
use super::machine::Machine;
use super::{Limits, TransactionId};

#[derive(Debug)]
pub(super) struct Store<F> {
    limits: Limits,
    slots: Vec<Slot<F>>,
    free: Vec<u32>,
    index: HashMap<Key, u32, BuildHasherDefault<Itself>>,
    kept: usize,
    /// Those that only answer repetitions, in the order in which they came to that; and some that are
    /// over.
    echoes: VecDeque<TransactionId>,
}

#[derive(Debug)]
struct Slot<F> {
    generation: u32,
    entry: Option<Entry<F>>,
}

#[derive(Debug)]
pub(super) struct Entry<F> {
    pub(super) key: Key,
    pub(super) machine: Machine,
    pub(super) reliable: bool,
    /// What may be sent again, or is needed for an ACK or a CANCEL.
    pub(super) kept: Bytes,
    pub(super) flow: F,
    /// The call of the wheel that counts; others it may have there are of the past.
    pub(super) armed_ms: Option<u64>,
}

impl<F> Store<F> {
    pub(super) fn new(limits: Limits) -> Store<F> {
        Store {
            limits,
            slots: Vec::new(),
            free: Vec::new(),
            index: HashMap::default(),
            kept: 0,
            echoes: VecDeque::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The bytes that are kept.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    pub(super) fn find(&self, key: Key) -> Option<TransactionId> {
        self.id_at(*self.index.get(&key)?)
    }

    pub(super) fn id_at(&self, index: u32) -> Option<TransactionId> {
        let slot = self.slots.get(index as usize).filter(|slot| slot.entry.is_some())?;
        Some(TransactionId { index, generation: slot.generation })
    }

    pub(super) fn get(&self, id: TransactionId) -> Option<&Entry<F>> {
        let slot = self.slots.get(id.index as usize)?;
        slot.entry.as_ref().filter(|_| slot.generation == id.generation)
    }

    pub(super) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Entry<F>> {
        let slot = self.slots.get_mut(id.index as usize)?;
        slot.entry.as_mut().filter(|_| slot.generation == id.generation)
    }

    /// All there are.
    pub(super) fn ids(&self) -> Vec<TransactionId> {
        self.index.values().filter_map(|index| self.id_at(*index)).collect()
    }

    /// Adds one, unless there is no room, or its key is in use.
    pub(super) fn insert(&mut self, entry: Entry<F>) -> Option<TransactionId> {
        if self.index.contains_key(&entry.key) || !self.make_room(entry.kept.len()) {
            return None;
        }
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(Slot { generation: 0, entry: None });
                u32::try_from(self.slots.len() - 1).ok()?
            }
        };
        self.kept += entry.kept.len();
        self.index.insert(entry.key, index);
        self.slots[index as usize].entry = Some(entry);
        self.id_at(index)
    }

    fn make_room(&mut self, bytes: usize) -> bool {
        while self.index.len() >= self.limits.transactions || self.kept + bytes > self.limits.bytes
        {
            let Some(oldest) = self.echoes.pop_front() else { return false };
            self.remove(oldest);
        }
        true
    }

    pub(super) fn remove(&mut self, id: TransactionId) {
        if self.get(id).is_none() {
            return;
        }
        let slot = &mut self.slots[id.index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        if let Some(entry) = slot.entry.take() {
            self.kept -= entry.kept.len();
            self.index.remove(&entry.key);
            self.free.push(id.index);
        }
        while self.echoes.front().is_some_and(|oldest| self.get(*oldest).is_none()) {
            self.echoes.pop_front();
        }
    }

    /// It only answers repetitions from now on.
    pub(super) fn is_echo(&mut self, id: TransactionId) {
        // Those that were ended before their time are somewhere in between.
        if self.echoes.len() > self.limits.transactions {
            let mut echoes = std::mem::take(&mut self.echoes);
            echoes.retain(|echo| self.get(*echo).is_some());
            self.echoes = echoes;
        }
        self.echoes.push_back(id);
    }

    /// Keeps what was sent, if it may have to be sent again.
    pub(super) fn keep(&mut self, id: TransactionId, bytes: &Bytes) {
        let Some(entry) = self.get_mut(id) else { return };
        let wanted = !entry.reliable && entry.machine.may_repeat();
        let new = if wanted { bytes.clone() } else { Bytes::new() };
        let added = new.len();
        let removed = std::mem::replace(&mut entry.kept, new).len();
        self.kept = self.kept + added - removed;
    }

    /// Lets go of what will not be sent again.
    pub(super) fn let_go(&mut self, id: TransactionId) {
        if self.get(id).is_some_and(|entry| !entry.machine.may_repeat()) {
            self.keep(id, &Bytes::new());
        }
    }
}

/// Keys are spread as evenly as can be, and nobody outside can choose them: they need no hash.
#[derive(Debug, Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            self.0 = chunk.iter().fold(self.0, |sum, byte| sum.rotate_left(8) ^ u64::from(*byte));
        }
    }

    fn write_u128(&mut self, key: u128) {
        // Which half does not matter.
        self.0 = u64::try_from(key >> 64).unwrap_or(0);
    }
}
