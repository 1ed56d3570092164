//! What clients may be told: a register for each value, written by one client, read by all.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::Key;

/// What is known of one value under one key.
#[derive(Debug, Clone, Copy, Default)]
struct Register {
    /// What the last operation made it, if that was acknowledged.
    present: Option<bool>,
    /// Whether an operation under way may change it at any moment.
    changing: bool,
    /// Whether a put, or a removal, was not acknowledged: it may come into force at any time later.
    maybe_put: bool,
    maybe_removed: bool,
    /// Counts operations: a read that saw it change under way says nothing.
    changes: u64,
}

/// What all values should be.
#[derive(Debug, Default)]
pub(super) struct Truth {
    registers: Mutex<BTreeMap<(String, String), Register>>,
}

/// What a reader takes note of before it reads.
pub(super) type Before = BTreeMap<String, u64>;

/// What an operation does to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Put,
    Remove,
}

impl Truth {
    fn registers(&self) -> MutexGuard<'_, BTreeMap<(String, String), Register>> {
        self.registers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An operation begins.
    pub(super) fn begin(&self, key: &str, value: &str) {
        let mut registers = self.registers();
        let register = registers.entry((key.to_owned(), value.to_owned())).or_default();
        register.changing = true;
        register.changes += 1;
    }

    /// It was acknowledged.
    pub(super) fn done(&self, key: &str, value: &str, change: Change) {
        self.end(key, value, |register| register.present = Some(change == Change::Put));
    }

    /// It was not: it may or may not be in force, now or later.
    pub(super) fn unknown(&self, key: &str, value: &str, change: Change) {
        self.end(key, value, |register| {
            register.present = None;
            match change {
                Change::Put => register.maybe_put = true,
                Change::Remove => register.maybe_removed = true,
            }
        });
    }

    fn end(&self, key: &str, value: &str, change: impl FnOnce(&mut Register)) {
        let mut registers = self.registers();
        let register = registers.entry((key.to_owned(), value.to_owned())).or_default();
        register.changing = false;
        register.changes += 1;
        change(register);
    }

    /// Whether a removal may say that there is no such value.
    pub(super) fn may_be_absent(&self, key: &str, value: &str) -> bool {
        let registers = self.registers();
        let register = registers.get(&(key.to_owned(), value.to_owned()));
        register.is_none_or(|r| r.present != Some(true) || r.maybe_removed)
    }

    /// The state of a key's values before a read.
    pub(super) fn before(&self, key: &str) -> Before {
        let registers = self.registers();
        let of_key = registers.iter().filter(|((k, _), _)| k == key);
        of_key.map(|((_, value), register)| (value.clone(), register.changes)).collect()
    }

    /// Checks what a read said. How many values it was sure of.
    pub(super) fn check(
        &self,
        key: &str,
        before: &Before,
        listed: &[String],
    ) -> Result<u64, String> {
        let registers = self.registers();
        let mut sure = 0;
        for ((_, value), register) in registers.iter().filter(|((k, _), _)| k == key) {
            if register.changing || before.get(value) != Some(&register.changes) {
                continue;
            }
            let is_listed = listed.contains(value);
            match register.present {
                Some(true) if !register.maybe_removed => {
                    sure += 1;
                    if !is_listed {
                        return Err(format!(
                            "{value:?} under {key:?} was acknowledged and is lost"
                        ));
                    }
                }
                Some(false) if !register.maybe_put => {
                    sure += 1;
                    if is_listed {
                        return Err(format!("{value:?} under {key:?} was removed and came back"));
                    }
                }
                _ => {}
            }
        }
        let known = |value: &&String| registers.contains_key(&(key.to_owned(), (*value).clone()));
        match listed.iter().find(|value| !known(value)) {
            Some(value) => Err(format!("{value:?} under {key:?} was never put")),
            None => Ok(sure),
        }
    }

    /// All keys.
    pub(super) fn keys(&self) -> Vec<Key> {
        let registers = self.registers();
        let mut keys: Vec<String> = registers.keys().map(|(key, _)| key.clone()).collect();
        keys.dedup();
        keys.into_iter().filter_map(|key| Key::new(key).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_must_be_there_and_what_was_removed_not() {
        let truth = Truth::default();
        truth.begin("k", "v");
        truth.done("k", "v", Change::Put);
        let before = truth.before("k");
        assert_eq!(truth.check("k", &before, &["v".into()]), Ok(1));
        assert!(truth.check("k", &before, &[]).unwrap_err().contains("lost"));
        truth.begin("k", "v");
        assert_eq!(truth.check("k", &before, &[]), Ok(0), "it is being changed");
        truth.done("k", "v", Change::Remove);
        assert_eq!(truth.check("k", &before, &["v".into()]), Ok(0), "it changed meanwhile");
        let before = truth.before("k");
        assert!(truth.check("k", &before, &["v".into()]).unwrap_err().contains("came back"));
        assert!(truth.check("k", &before, &["w".into()]).unwrap_err().contains("never put"));
    }

    #[test]
    fn what_was_not_acknowledged_may_come_into_force_at_any_time() {
        let truth = Truth::default();
        truth.begin("k", "v");
        truth.unknown("k", "v", Change::Put);
        truth.begin("k", "v");
        truth.done("k", "v", Change::Remove);
        let before = truth.before("k");
        assert_eq!(truth.check("k", &before, &["v".into()]), Ok(0));
        assert_eq!(truth.check("k", &before, &[]), Ok(0));
    }
}
