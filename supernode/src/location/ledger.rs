//! What was accepted here: which bindings, and until when. Pure; time is milliseconds since the start.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use base::Sequence;
use p2psip::location::{Aor, Binding, Bound, Known, merge};

use super::statement::{Part, Statement, slot_of};

/// Addresses of record that are remembered: some tens of megabytes. What is above lapses by itself.
const AORS_MAX: usize = 100_000;
/// How often what is over is looked for, in bindings: so its cost is shared by many.
const BETWEEN_SWEEPS: u32 = 4096;

/// What was accepted here.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    people: HashMap<Aor, Person>,
    bindings: usize,
    noted: u32,
}

#[derive(Debug)]
struct Person {
    kept: Vec<Kept>,
    /// While this is the stamp of the person's key, what is kept here is all that counts there.
    sole: Option<NonZeroU64>,
}

/// A binding; some 30 B beside what `p2psip` keeps of it as well.
#[derive(Debug)]
struct Kept {
    sequence: Sequence,
    until_ms: u64,
    /// Until when a statement about several together may have it in; 0 if none has.
    together_ms: u64,
    binding: Arc<Binding>,
}

/// What was said of a binding, for who ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stated {
    pub(super) binding: Arc<Binding>,
    pub(super) sequence: Sequence,
    /// Whether others were said with it.
    pub(super) together: bool,
}

/// A binding that was accepted here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Whose.
    pub aor: Aor,
    /// Where.
    pub binding: Arc<Binding>,
    /// For how long it counts still.
    pub remaining: Duration,
}

impl Ledger {
    /// Something is about to be said of somebody: it is not known what counts, until it is settled.
    pub(super) fn unsettle(&mut self, aor: &Aor) {
        if let Some(person) = self.people.get_mut(aor) {
            person.sole = None;
        }
    }

    /// Something was said here about an address of record.
    pub(super) fn note(
        &mut self,
        aor: &Aor,
        sequence: Sequence,
        said: &Statement,
        life: Duration,
        now_ms: u64,
    ) {
        let after = |seconds: Duration| now_ms.saturating_add(millis(seconds));
        match said {
            Statement::At(binding) => {
                let (binding, until_ms) = (Arc::clone(binding), after(life));
                self.keep(aor, Kept { sequence, until_ms, together_ms: 0, binding }, now_ms);
            }
            Statement::Over(binding) => self.forget(aor, |kept| kept.is_as(binding)),
            Statement::NoneBefore => self.forget(aor, |_| true),
            Statement::Together(parts) => {
                for Part { binding, sooner_s } in parts {
                    let Some(seconds) = sooner_s else {
                        self.forget(aor, |kept| kept.is_as(binding));
                        continue;
                    };
                    let sooner = Duration::from_secs((*seconds).into());
                    let until_ms = after(life.saturating_sub(sooner));
                    let (binding, together_ms) = (Arc::clone(binding), after(life));
                    self.keep(aor, Kept { sequence, until_ms, together_ms, binding }, now_ms);
                }
            }
        }
    }

    fn keep(&mut self, aor: &Aor, mut new: Kept, now_ms: u64) {
        self.noted = self.noted.wrapping_add(1);
        if self.noted.is_multiple_of(BETWEEN_SWEEPS) {
            self.sweep(now_ms);
        }
        if let Some(person) = self.people.get_mut(aor) {
            match person.kept.iter_mut().find(|kept| kept.is_as(&new.binding)) {
                Some(kept) => {
                    new.together_ms = new.together_ms.max(kept.together_ms);
                    if kept.binding == new.binding {
                        // The one that others keep as well.
                        new.binding = Arc::clone(&kept.binding);
                    }
                    *kept = new;
                }
                None => {
                    person.kept.push(new);
                    self.bindings += 1;
                }
            }
        } else if self.people.len() < AORS_MAX {
            self.people.insert(aor.clone(), Person { kept: vec![new], sole: None });
            self.bindings += 1;
        }
    }

    /// All that counts of somebody is known after something was said, as it was found at a stamp of the key:
    /// if it is just what is kept here, it need not be read again while the stamp is the same.
    pub(super) fn settle(&mut self, aor: &Aor, known: &Known, now_ms: u64) {
        let Some(person) = self.people.get_mut(aor) else { return };
        let is_kept = |bound: &Bound| {
            person.live(now_ms).any(|kept| {
                kept.sequence.number() == bound.version && kept.binding == bound.binding
            })
        };
        let is_all = person.live(now_ms).count() == known.bound.len()
            && known.bound.iter().all(is_kept)
            && person.version() == known.version;
        person.sole = known.mark.filter(|_| is_all);
    }

    /// What is known of somebody without reading, at a stamp of the key, if these bindings are among those
    /// that are kept here and are to go on.
    pub(super) fn known(
        &self,
        aor: &Aor,
        again: &[(Arc<Binding>, Duration)],
        stamp: NonZeroU64,
        now_ms: u64,
    ) -> Option<Known> {
        let person = self.people.get(aor).filter(|person| person.sole == Some(stamp))?;
        let goes_on = |(binding, life): &(Arc<Binding>, Duration)| {
            !life.is_zero() && person.live(now_ms).any(|kept| kept.binding == *binding)
        };
        if !again.iter().all(goes_on) {
            return None;
        }
        let bound = person.live(now_ms).map(|kept| Bound {
            binding: Arc::clone(&kept.binding),
            version: kept.sequence.number(),
            remaining: Duration::from_millis(kept.until_ms - now_ms),
        });
        Some(Known { bound: merge(bound, 0), version: person.version(), mark: Some(stamp) })
    }

    fn sweep(&mut self, now_ms: u64) {
        self.people.retain(|_, person| {
            let before = person.kept.len();
            person.kept.retain(|kept| kept.until_ms > now_ms);
            if person.kept.len() < before {
                // What is over may have had the highest version.
                person.sole = None;
            }
            !person.kept.is_empty()
        });
        self.bindings = self.people.values().map(|person| person.kept.len()).sum();
    }

    fn forget(&mut self, aor: &Aor, which: impl Fn(&Kept) -> bool) {
        let Some(person) = self.people.get_mut(aor) else { return };
        let before = person.kept.len();
        person.kept.retain(|kept| !which(kept));
        person.sole = None;
        self.bindings -= before - person.kept.len();
        if person.kept.is_empty() {
            self.people.remove(aor);
        }
    }

    /// A binding was taken back that had this sequence.
    pub(super) fn taken_back(&mut self, aor: &Aor, binding: &Binding, sequence: Sequence) {
        self.forget(aor, |kept| *kept.binding == *binding && kept.sequence <= sequence);
    }

    /// What cannot be reached without this node.
    pub(super) fn bound_to_this_node(&self, now_ms: u64) -> Vec<(Aor, Stated)> {
        let mut bound = Vec::new();
        for (aor, person) in &self.people {
            let here = person.live(now_ms).filter(|kept| !kept.binding.direct);
            bound.extend(here.map(|kept| {
                let (binding, sequence) = (Arc::clone(&kept.binding), kept.sequence);
                let together = kept.together_ms > now_ms;
                (aor.clone(), Stated { binding, sequence, together })
            }));
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
        for (aor, person) in &self.people {
            all.extend(person.live(now_ms).map(|kept| Registration {
                aor: aor.clone(),
                binding: Arc::clone(&kept.binding),
                remaining: Duration::from_millis(kept.until_ms - now_ms),
            }));
        }
        let by = |one: &Registration| (one.aor.clone(), one.binding.contact.clone());
        all.sort_unstable_by_key(by);
        all
    }
}

impl Person {
    fn live(&self, now_ms: u64) -> impl Iterator<Item = &Kept> {
        self.kept.iter().filter(move |kept| kept.until_ms > now_ms)
    }

    /// The highest there is.
    fn version(&self) -> u64 {
        self.kept.iter().map(|kept| kept.sequence.number()).max().unwrap_or_default()
    }
}

impl Kept {
    /// Whether it is the same flow of the same device, or the same Contact.
    fn is_as(&self, binding: &Binding) -> bool {
        *self.binding == *binding || slot_of(&self.binding) == slot_of(binding)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
        let said = Statement::At(Arc::new(samples::binding(contact)));
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
            &Statement::Over(Arc::new(samples::binding("sip:a@h1"))),
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
        let binding = samples::binding("sip:a@h");
        ledger.taken_back(&aor("anna"), &binding, Sequence::new(4));
        assert_eq!(ledger.len(), 1);
        ledger.taken_back(&aor("anna"), &binding, Sequence::new(5));
        assert_eq!(ledger.len(), 0);
    }

    #[test]
    fn only_what_needs_this_node_is_taken_back_with_it() {
        let mut ledger = Ledger::default();
        accept(&mut ledger, "anna", "sip:a@h", 1, 0);
        let flow = |contact: &str| Arc::new(Binding { direct: false, ..samples::binding(contact) });
        let said = Statement::At(flow("sip:b@x.invalid;transport=ws"));
        ledger.note(&aor("bob"), Sequence::new(2), &said, Duration::from_secs(60), 0);
        let expected = |contact: &str, sequence, together| {
            let sequence = Sequence::new(sequence);
            (aor("bob"), Stated { binding: flow(contact), sequence, together })
        };
        let bob = expected("sip:b@x.invalid;transport=ws", 2, false);
        assert_eq!(ledger.bound_to_this_node(1), [bob]);
        assert_eq!(ledger.bound_to_this_node(60_000), []);
        // Of several that were said together one is said alone, while the first statement lasts.
        let part = |contact: &str, sooner_s| Part { binding: flow(contact), sooner_s };
        let parts = vec![
            part("sip:b@x.invalid;transport=ws", None),
            part("sip:b@y.invalid", Some(60)),
            part("sip:b@z.invalid", Some(0)),
        ];
        let (said, life) = (Statement::Together(parts), Duration::from_secs(120));
        ledger.note(&aor("bob"), Sequence::new(3), &said, life, 0);
        let said = Statement::At(flow("sip:b@y.invalid"));
        ledger.note(&aor("bob"), Sequence::new(4), &said, life, 59_000);
        let bob = [expected("sip:b@y.invalid", 4, true), expected("sip:b@z.invalid", 3, true)];
        assert_eq!(ledger.bound_to_this_node(119_999), bob);
        assert_eq!(ledger.bound_to_this_node(120_000), [expected("sip:b@y.invalid", 4, false)]);
    }

    fn stamp(n: u64) -> NonZeroU64 {
        NonZeroU64::new(n).unwrap()
    }

    /// Known after a REGISTER of these, as read at a stamp.
    fn settle(ledger: &mut Ledger, found: &[(&str, u64)], version: u64, mark: Option<NonZeroU64>) {
        let bound = |(contact, version): &(&str, u64)| Bound {
            binding: Arc::new(samples::binding(contact)),
            version: *version,
            remaining: Duration::from_secs(60),
        };
        let bound = found.iter().map(bound).collect();
        ledger.settle(&aor("anna"), &Known { bound, version, mark }, 0);
    }

    fn refresh(ledger: &Ledger, contact: &str, at: u64, now_ms: u64) -> Option<Known> {
        let again = [(Arc::new(samples::binding(contact)), Duration::from_secs(60))];
        ledger.known(&aor("anna"), &again, stamp(at), now_ms)
    }

    #[test]
    fn what_was_all_there_is_need_not_be_read_while_nobody_else_speaks() {
        let mut ledger = Ledger::default();
        accept(&mut ledger, "anna", "sip:a@h1", 4, 0);
        assert_eq!(refresh(&ledger, "sip:a@h1", 7, 0), None, "it was not read");
        settle(&mut ledger, &[("sip:a@h1", 4)], 4, Some(stamp(7)));
        let known = refresh(&ledger, "sip:a@h1", 7, 1000).unwrap();
        assert_eq!((known.version, known.mark), (4, Some(stamp(7))));
        assert_eq!(known.bound[0].remaining, Duration::from_secs(59));
        assert_eq!(refresh(&ledger, "sip:a@h1", 8, 0), None, "somebody else spoke");
        assert_eq!(refresh(&ledger, "sip:a@h2", 7, 0), None, "it is no refresh");
        assert_eq!(refresh(&ledger, "sip:a@h1", 7, 60_000), None, "it is over");
        let end = [(Arc::new(samples::binding("sip:a@h1")), Duration::ZERO)];
        assert_eq!(ledger.known(&aor("anna"), &end, stamp(7), 0), None, "it is an end");
        ledger.unsettle(&aor("anna"));
        assert_eq!(refresh(&ledger, "sip:a@h1", 7, 0), None, "something is being said");
    }

    #[test]
    fn what_others_have_said_as_well_is_read_again() {
        let mut ledger = Ledger::default();
        accept(&mut ledger, "anna", "sip:a@h1", 4, 0);
        for (found, version, mark) in [
            (&[("sip:a@h1", 4)][..], 4, None),
            (&[("sip:a@h1", 4)], 5, Some(stamp(7))),
            (&[("sip:a@h1", 3)], 4, Some(stamp(7))),
            (&[("sip:a@h1", 4), ("sip:a@h2", 4)], 4, Some(stamp(7))),
            (&[("sip:a@h2", 4)], 4, Some(stamp(7))),
            (&[], 4, Some(stamp(7))),
        ] {
            settle(&mut ledger, found, version, mark);
            assert_eq!(refresh(&ledger, "sip:a@h1", 7, 0), None, "{found:?} {version}");
        }
        accept(&mut ledger, "anna", "sip:a@h2", 5, 0);
        settle(&mut ledger, &[("sip:a@h2", 5), ("sip:a@h1", 4)], 5, Some(stamp(7)));
        assert_eq!(refresh(&ledger, "sip:a@h1", 7, 0).unwrap().bound.len(), 2);
        ledger.taken_back(&aor("anna"), &samples::binding("sip:a@h2"), Sequence::new(5));
        assert_eq!(refresh(&ledger, "sip:a@h1", 7, 0), None);
    }

    #[test]
    fn a_refresh_keeps_the_binding_that_is_shared() {
        let mut ledger = Ledger::default();
        let first = Arc::new(samples::binding("sip:a@h"));
        let minute = Duration::from_secs(60);
        let (one, two) = (Sequence::new(1), Sequence::new(2));
        ledger.note(&aor("anna"), one, &Statement::At(Arc::clone(&first)), minute, 0);
        let again = Statement::At(Arc::new(samples::binding("sip:a@h")));
        ledger.note(&aor("anna"), two, &again, minute, 0);
        assert!(Arc::ptr_eq(&ledger.registrations(0)[0].binding, &first));
    }
}
