//! What was accepted here: which bindings, and until when. Pure; time is milliseconds since the start.

use std::collections::HashMap;
use std::time::Duration;

use base::{Sequence, Slot};
use p2psip::location::{Aor, Binding};

use super::statement::Statement;

/// Addresses of record that are remembered: some tens of megabytes. What is above lapses by itself.
const AORS_MAX: usize = 100_000;
/// How often what is over is looked for, in bindings: so its cost is shared by many.
const BETWEEN_SWEEPS: u32 = 4096;

/// What was accepted here.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    kept: HashMap<Aor, Vec<Kept>>,
    bindings: usize,
    noted: u32,
}

#[derive(Debug)]
struct Kept {
    slot: Slot,
    sequence: Sequence,
    until_ms: u64,
    binding: Binding,
}

/// A binding that was accepted here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Whose.
    pub aor: Aor,
    /// Where.
    pub binding: Binding,
    /// For how long it counts still.
    pub remaining: Duration,
}

impl Ledger {
    /// Something was said here about an address of record.
    pub(super) fn note(
        &mut self,
        aor: &Aor,
        sequence: Sequence,
        said: &Statement,
        life: Duration,
        now_ms: u64,
    ) {
        let slot = said.slot();
        match said {
            Statement::NoneBefore => self.forget(aor, |_| true),
            Statement::Over(_) => self.forget(aor, |kept| kept.slot == slot),
            Statement::At(binding) => {
                let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
                let until_ms = now_ms.saturating_add(life);
                let new = Kept { slot, sequence, until_ms, binding: binding.clone() };
                self.keep(aor, new, now_ms);
            }
        }
    }

    fn keep(&mut self, aor: &Aor, new: Kept, now_ms: u64) {
        self.noted = self.noted.wrapping_add(1);
        if self.noted.is_multiple_of(BETWEEN_SWEEPS) {
            self.sweep(now_ms);
        }
        if let Some(bindings) = self.kept.get_mut(aor) {
            match bindings.iter_mut().find(|kept| kept.slot == new.slot) {
                Some(kept) => *kept = new,
                None => {
                    bindings.push(new);
                    self.bindings += 1;
                }
            }
        } else if self.kept.len() < AORS_MAX {
            self.kept.insert(aor.clone(), vec![new]);
            self.bindings += 1;
        }
    }

    fn sweep(&mut self, now_ms: u64) {
        self.kept.retain(|_, bindings| {
            bindings.retain(|kept| kept.until_ms > now_ms);
            !bindings.is_empty()
        });
        self.bindings = self.kept.values().map(Vec::len).sum();
    }

    fn forget(&mut self, aor: &Aor, which: impl Fn(&Kept) -> bool) {
        let Some(bindings) = self.kept.get_mut(aor) else { return };
        let before = bindings.len();
        bindings.retain(|kept| !which(kept));
        self.bindings -= before - bindings.len();
        if bindings.is_empty() {
            self.kept.remove(aor);
        }
    }

    /// A binding was taken back that had this sequence.
    pub(super) fn taken_back(&mut self, aor: &Aor, slot: Slot, sequence: Sequence) {
        self.forget(aor, |kept| kept.slot == slot && kept.sequence <= sequence);
    }

    /// What cannot be reached without this node.
    pub(super) fn bound_to_this_node(&self, now_ms: u64) -> Vec<(Aor, Slot, Sequence)> {
        let mut bound = Vec::new();
        for (aor, bindings) in &self.kept {
            let here = bindings.iter().filter(|kept| !kept.binding.direct);
            let live = here.filter(|kept| kept.until_ms > now_ms);
            bound.extend(live.map(|kept| (aor.clone(), kept.slot, kept.sequence)));
        }
        bound
    }

    /// How many bindings there are, counting some that are over.
    pub(super) fn len(&self) -> usize {
        self.bindings
    }

    /// All that are not over, by address of record.
    pub(super) fn registrations(&self, now_ms: u64) -> Vec<Registration> {
        let mut all: Vec<Registration> = Vec::with_capacity(self.bindings);
        for (aor, bindings) in &self.kept {
            for kept in bindings.iter().filter(|kept| kept.until_ms > now_ms) {
                let remaining = Duration::from_millis(kept.until_ms - now_ms);
                all.push(Registration {
                    aor: aor.clone(),
                    binding: kept.binding.clone(),
                    remaining,
                });
            }
        }
        let by = |one: &Registration| (one.aor.clone(), one.binding.contact.clone());
        all.sort_unstable_by_key(by);
        all
    }
}

#[cfg(test)]
mod tests {
    use p2psip::message::Uri;

    use super::super::samples;
    use super::*;

    fn aor(user: &str) -> Aor {
        Aor::of(&Uri::parse(&format!("sip:{user}@scope")).unwrap()).unwrap()
    }

    fn accept(ledger: &mut Ledger, user: &str, contact: &str, sequence: u64, now_ms: u64) {
        let said = Statement::At(samples::binding(contact));
        ledger.note(&aor(user), Sequence::new(sequence), &said, Duration::from_secs(60), now_ms);
    }

    #[test]
    fn a_refresh_is_one_binding_and_what_is_over_is_none() {
        let mut ledger = Ledger::default();
        accept(&mut ledger, "anna", "sip:a@h1", 1, 0);
        accept(&mut ledger, "anna", "sip:a@h1", 2, 30_000);
        accept(&mut ledger, "bob", "sip:b@h", 1, 0);
        assert_eq!(ledger.len(), 2);
        let names = |ledger: &Ledger, now_ms| {
            let all = ledger.registrations(now_ms);
            all.into_iter().map(|one| one.aor.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(&ledger, 59_999), ["anna", "bob"]);
        assert_eq!(names(&ledger, 60_000), ["anna"]);
        ledger.note(
            &aor("anna"),
            Sequence::new(3),
            &Statement::Over(samples::binding("sip:a@h1")),
            Duration::ZERO,
            61_000,
        );
        assert_eq!(ledger.len(), 1);
        ledger.sweep(60_000);
        assert_eq!(ledger.len(), 0);
    }

    #[test]
    fn what_was_refreshed_since_is_not_taken_for_taken_back() {
        let mut ledger = Ledger::default();
        accept(&mut ledger, "anna", "sip:a@h", 5, 0);
        let slot = Statement::At(samples::binding("sip:a@h")).slot();
        ledger.taken_back(&aor("anna"), slot, Sequence::new(4));
        assert_eq!(ledger.len(), 1);
        ledger.taken_back(&aor("anna"), slot, Sequence::new(5));
        assert_eq!(ledger.len(), 0);
    }

    #[test]
    fn only_what_needs_this_node_is_taken_back_with_it() {
        let mut ledger = Ledger::default();
        accept(&mut ledger, "anna", "sip:a@h", 1, 0);
        let flow = Binding { direct: false, ..samples::binding("sip:b@x.invalid;transport=ws") };
        let said = Statement::At(flow);
        ledger.note(&aor("bob"), Sequence::new(2), &said, Duration::from_secs(60), 0);
        let expected = (aor("bob"), said.slot(), Sequence::new(2));
        assert_eq!(ledger.bound_to_this_node(1), [expected]);
        assert_eq!(ledger.bound_to_this_node(60_000), []);
    }
}
