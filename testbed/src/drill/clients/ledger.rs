//! The book of what clients wrote, what they were told of it, and so what must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};

use crate::rpc::{Client, Datum, Reply};

/// A value under a key.
pub(crate) type Identity = (String, Vec<u8>);

/// What is done to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is put.
    Put,
    /// It is removed.
    Removal,
}

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Its put was acknowledged last.
    There,
    /// Its removal was.
    Gone,
    /// An operation on it was not acknowledged. It may be in force or not, now or when a copy of
    /// it turns up later: nothing written afterwards makes that certain again.
    Unknown,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It was acknowledged.
    Acknowledged,
    /// There was nothing to remove.
    NotThere,
    /// It was answered with a fault.
    Refused,
    /// It was not answered.
    Unanswered,
}

/// What writers have been told, and so what must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    known: BTreeMap<Identity, Known>,
    puts: usize,
    removals: usize,
    not_there: usize,
    unanswered: usize,
    refusals: Vec<String>,
}

/// What of the book does not hold.
#[derive(Debug, Default)]
pub(crate) struct Amiss {
    lost: BTreeSet<String>,
    risen: BTreeSet<String>,
}

impl Ledger {
    /// Notes what a write was answered with.
    pub(crate) fn note(
        &mut self,
        kind: Kind,
        identity: Identity,
        reply: Result<Reply>,
    ) -> Result<Noted> {
        let (noted, known) = match (reply, kind) {
            (Ok(Reply::Value(Datum::Int(1))), Kind::Removal) => (Noted::Acknowledged, Known::Gone),
            (Ok(Reply::Value(Datum::Int(0))), Kind::Removal) => (Noted::NotThere, Known::Unknown),
            (Ok(Reply::Value(Datum::Struct(_))), Kind::Put) => (Noted::Acknowledged, Known::There),
            (Ok(Reply::Value(other)), _) => bail!("{other:?} to a write of {}", identity.0),
            (Ok(Reply::Fault { code, text }), _) => {
                self.refusals.push(format!("fault {code}: {text}"));
                (Noted::Refused, Known::Unknown)
            }
            (Err(_), _) => (Noted::Unanswered, Known::Unknown),
        };
        match (noted, kind) {
            (Noted::Acknowledged, Kind::Put) => self.puts += 1,
            (Noted::Acknowledged, Kind::Removal) => self.removals += 1,
            (Noted::NotThere, _) => {
                // Nothing was done, so what was known still is.
                self.not_there += 1;
                return Ok(noted);
            }
            (Noted::Unanswered, _) => self.unanswered += 1,
            (Noted::Refused, _) => {}
        }
        let before = self.known.entry(identity).or_insert(known);
        if *before != Known::Unknown {
            *before = known;
        }
        Ok(noted)
    }

    /// What is known of a value.
    pub(super) fn known(&self, identity: &Identity) -> Option<Known> {
        self.known.get(identity).copied()
    }

    /// How many values nothing is known of any more.
    pub(super) fn unknown(&self) -> usize {
        self.known.values().filter(|known| **known == Known::Unknown).count()
    }

    /// Takes over what a later one says, and of other values.
    pub(crate) fn extend(&mut self, other: Ledger) {
        self.known.extend(other.known);
        self.puts += other.puts;
        self.removals += other.removals;
        self.not_there += other.not_there;
        self.unanswered += other.unanswered;
        self.refusals.extend(other.refusals);
    }

    /// Counts, in a line.
    pub(crate) fn figures(&self) -> String {
        let mut text = format!(
            "{} puts and {} removals of {} values acknowledged, {} refused, {} unanswered",
            self.puts,
            self.removals,
            self.known.len(),
            self.refusals.len(),
            self.unanswered
        );
        if self.not_there > 0 {
            text.push_str(&format!(", {} not there to be removed", self.not_there));
        }
        if let Some(first) = self.refusals.first() {
            text.push_str(&format!(" (the first with {first})"));
        }
        text
    }

    /// An error if a write was answered with a fault.
    pub(crate) fn none_refused(&self) -> Result<()> {
        match self.refusals.first() {
            None => Ok(()),
            Some(first) => bail!("{} were, the first with {first}", self.refusals.len()),
        }
    }

    /// An error if a value was not there to be removed.
    pub(crate) fn none_missed(&self) -> Result<()> {
        ensure!(self.not_there == 0, "{} were not", self.not_there);
        Ok(())
    }

    /// An error unless something was acknowledged.
    pub(crate) fn some_acknowledged(&self) -> Result<()> {
        ensure!(self.puts + self.removals > 0, "{}", self.figures());
        Ok(())
    }

    /// Every key written under, each once.
    pub(crate) fn keys(&self) -> Vec<&String> {
        let mut keys: Vec<&String> = self.known.keys().map(|(key, _)| key).collect();
        keys.dedup();
        keys
    }

    /// Compares what a super-node says with what was acknowledged.
    pub(crate) fn compare(&self, server: SocketAddr) -> Result<()> {
        let mut connection = Client::connect(server)?;
        let mut amiss = Amiss::default();
        for key in self.keys() {
            amiss.extend(self.check(&mut connection, key)?);
        }
        amiss.none()
    }

    /// Compares one key.
    pub(crate) fn check(&self, connection: &mut Client, key: &String) -> Result<Amiss> {
        let held = connection.get(key).with_context(|| format!("cannot get {key}"))?;
        let strange =
            held.iter().find(|value| !self.known.contains_key(&(key.clone(), (*value).clone())));
        ensure!(strange.is_none(), "{key} holds what nobody put there: {strange:?}");
        let mut amiss = Amiss::default();
        for (value, known) in self.of_key(key) {
            match (known, held.contains(value)) {
                (Known::There, false) => amiss.lost.insert(key.clone()),
                (Known::Gone, true) => amiss.risen.insert(key.clone()),
                _ => continue,
            };
        }
        Ok(amiss)
    }

    fn of_key<'a>(&'a self, key: &'a String) -> impl Iterator<Item = (&'a Vec<u8>, Known)> {
        let from = (key.clone(), Vec::new());
        let values = self.known.range(from..).take_while(move |((of, _), _)| of == key);
        values.map(|((_, value), known)| (value, *known))
    }
}

impl Amiss {
    /// Adds what another one says.
    pub(crate) fn extend(&mut self, other: Amiss) {
        self.lost.extend(other.lost);
        self.risen.extend(other.risen);
    }

    /// Whether all holds.
    pub(crate) fn is_none(&self) -> bool {
        self.lost.is_empty() && self.risen.is_empty()
    }

    /// An error that names what does not hold.
    pub(crate) fn none(&self) -> Result<()> {
        let Amiss { lost, risen } = self;
        let first = |keys: &BTreeSet<String>| keys.iter().take(5).cloned().collect::<Vec<_>>();
        ensure!(
            self.is_none(),
            "under {} keys puts are lost ({:?} …), under {} removals are undone ({:?} …)",
            lost.len(),
            first(lost),
            risen.len(),
            first(risen)
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        ("key".to_owned(), b"value".to_vec())
    }

    fn put() -> Result<Reply> {
        Ok(Reply::Value(Datum::Struct(BTreeMap::new())))
    }

    #[test]
    fn what_was_acknowledged_last_is_known() {
        let mut ledger = Ledger::default();
        ledger.note(Kind::Put, identity(), put()).unwrap();
        assert_eq!(ledger.known(&identity()), Some(Known::There));
        let removed = Ok(Reply::Value(Datum::Int(1)));
        assert_eq!(ledger.note(Kind::Removal, identity(), removed).unwrap(), Noted::Acknowledged);
        assert_eq!(ledger.known(&identity()), Some(Known::Gone));
    }

    #[test]
    fn what_was_not_there_changes_nothing() {
        let mut ledger = Ledger::default();
        ledger.note(Kind::Put, identity(), put()).unwrap();
        let nothing = Ok(Reply::Value(Datum::Int(0)));
        assert_eq!(ledger.note(Kind::Removal, identity(), nothing).unwrap(), Noted::NotThere);
        assert_eq!(ledger.known(&identity()), Some(Known::There));
    }

    #[test]
    fn a_write_without_an_answer_leaves_a_value_unknown_for_ever() {
        let mut ledger = Ledger::default();
        let nobody = Err(anyhow::anyhow!("reset"));
        assert_eq!(ledger.note(Kind::Put, identity(), nobody).unwrap(), Noted::Unanswered);
        ledger.note(Kind::Put, identity(), put()).unwrap();
        assert_eq!(ledger.known(&identity()), Some(Known::Unknown));
        assert_eq!(ledger.unknown(), 1);
    }
}
