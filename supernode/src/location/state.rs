//! What is under an address of record's key, and what of it counts. Pure.

use std::sync::Arc;
use std::time::Duration;

use base::{PublicKey, Sequence, Signed, Verified, WrongSignature};
use dht::Found;
use p2psip::location::{Binding, Bound, Cursor, Known, merge};

use super::statement::{Part, Statement};

/// No statement has a higher sequence: each change adds one, so that only somebody who does harm comes
/// here, and there has to be room above whatever counts.
const SEQUENCE_MAX: u64 = 1 << 48;

/// A sequence above a version.
pub(super) fn after(version: u64) -> Sequence {
    Sequence::new(version.saturating_add(1).min(SEQUENCE_MAX))
}

/// What is known after one more was said than what was known before.
pub(super) fn and(
    known: Known,
    said: &Statement,
    sequence: Sequence,
    remaining: Duration,
) -> Known {
    let mut state = State { said: known.bound, top: known.version, ..State::default() };
    state.add(said, sequence, remaining, false);
    Known { mark: known.mark, ..state.known() }
}

/// What super-nodes have said about an address of record, as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Every binding that was made or ended; of one that was ended nothing remains.
    said: Vec<Bound>,
    /// Before it nothing counts.
    floor: u64,
    /// The highest sequence there is.
    top: u64,
    /// What one super-node has there.
    own: Vec<Own>,
}

/// A binding that a super-node itself keeps there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) sequence: Sequence,
    pub(super) binding: Arc<Binding>,
    /// Whether others are said with it.
    pub(super) together: bool,
}

impl State {
    /// What was found under a key, seen by `me`; `verify` says what was signed for it. What was not, or
    /// says nothing about a location, is as if it were not there.
    pub(super) fn of(
        found: &[Found],
        me: &PublicKey,
        verify: impl Fn(Signed) -> Result<Verified<Signed>, WrongSignature>,
    ) -> State {
        let mut state = State::default();
        for found in found {
            // A signed entry's bytes may be put as a value by anybody, long after it was over.
            if !found.id.tag.is_signed() {
                continue;
            }
            let Ok(signed) = Signed::from_bytes(found.value.clone().into_bytes()) else { continue };
            let Ok(signed) = verify(signed) else { continue };
            let Some(Ok(said)) = signed.body().map(|body| Statement::from_bytes(&body)) else {
                continue;
            };
            let sequence = signed.sequence();
            let is_in_place = signed.slot() == said.slot() && signed.id() == found.id;
            if !is_in_place || sequence.number() > SEQUENCE_MAX {
                continue;
            }
            let is_mine = signed.author() == *me;
            state.add(&said, sequence, found.remaining.into(), is_mine);
        }
        state
    }

    fn add(&mut self, said: &Statement, sequence: Sequence, remaining: Duration, is_mine: bool) {
        let version = sequence.number();
        self.top = self.top.max(version);
        let mut add = |binding: &Arc<Binding>, remaining: Duration, together| {
            let binding = Arc::clone(binding);
            if is_mine && !remaining.is_zero() {
                self.own.push(Own { sequence, binding: Arc::clone(&binding), together });
            }
            self.said.push(Bound { binding, version, remaining });
        };
        match said {
            Statement::NoneBefore => self.floor = self.floor.max(version),
            Statement::Over(binding) => add(binding, Duration::ZERO, false),
            Statement::At(binding) => add(binding, remaining, false),
            Statement::Together(parts) => {
                for Part { binding, sooner_s } in parts {
                    let sooner = sooner_s.map(|seconds| Duration::from_secs(seconds.into()));
                    let left = sooner.map_or(Duration::ZERO, |by| remaining.saturating_sub(by));
                    add(binding, left, true);
                }
            }
        }
    }

    /// The bindings that count, and above which version something new has to be.
    pub(super) fn known(&self) -> Known {
        Known { bound: self.bound(), version: self.top, mark: None }
    }

    /// The bindings that count.
    pub(super) fn bound(&self) -> Vec<Bound> {
        merge(self.said.iter().cloned(), self.floor)
    }

    /// Names the bindings that count: not by how often each was refreshed.
    pub(super) fn cursor(&self) -> Cursor {
        let mut counting: Vec<Vec<u8>> =
            self.bound().into_iter().map(|bound| Statement::At(bound.binding).to_bytes()).collect();
        counting.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        for bytes in &counting {
            hasher.update(&(bytes.len() as u64).to_be_bytes()).update(bytes);
        }
        let mut cursor = [0; 16];
        cursor.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Cursor(u128::from_be_bytes(cursor))
    }

    /// What this super-node has there.
    pub(super) fn own(&self) -> &[Own] {
        &self.own
    }
}

#[cfg(test)]
mod tests {
    use base::{Key, Kind, Lifetime, Place, SigningKey, Slot, Ttl, Value};

    use super::super::samples;
    use super::*;

    fn place() -> Place {
        Key::new("anna").unwrap().place()
    }

    fn me() -> SigningKey {
        SigningKey::from_bytes(&[1; 32])
    }

    fn signed(by: &SigningKey, at: &Place, slot: Slot, sequence: u64, body: &[u8]) -> Found {
        let (sequence, ttl) = (Sequence::new(sequence), Ttl::from_secs(60).unwrap());
        let signed = Signed::sign(by, at, slot, Kind::Plain, sequence, ttl, body).unwrap();
        let remaining = Lifetime::from_millis(60_000);
        Found { id: signed.id(), value: signed.to_value(), remaining }
    }

    fn said(by: &SigningKey, statement: &Statement, sequence: u64) -> Found {
        signed(by, &place(), statement.slot(), sequence, &statement.to_bytes())
    }

    fn at(contact: &str) -> Statement {
        Statement::At(Arc::new(samples::binding(contact)))
    }

    fn of(found: &[Found]) -> State {
        State::of(found, &me().public(), |signed| signed.verify(&place()))
    }

    fn contacts(found: &[Found]) -> Vec<String> {
        let state = of(found);
        state.bound().into_iter().map(|bound| bound.binding.contact.clone().into()).collect()
    }

    #[test]
    fn the_newest_that_was_said_counts_whoever_said_it() {
        let other = SigningKey::from_bytes(&[2; 32]);
        let phone = |contact: &str, token: &str| {
            Arc::new(Binding {
                instance: Some("urn:uuid:1".into()),
                token: token.into(),
                ..samples::binding(contact)
            })
        };
        let old = said(&me(), &Statement::At(phone("sip:a@192.0.2.7", "t1")), 4);
        let new = said(&other, &Statement::At(phone("sip:a@192.0.2.8", "t2")), 5);
        let found = [old, new];
        assert_eq!(contacts(&found), ["sip:a@192.0.2.8"]);
        let state = of(&found);
        assert_eq!(after(state.known().version), Sequence::new(6));
        assert_eq!(state.own().len(), 1);
        assert_eq!(state.own()[0].sequence, Sequence::new(4));
        let over = said(&other, &Statement::Over(phone("sip:a@192.0.2.8", "t2")), 6);
        assert!(contacts(&[found[0].clone(), over]).is_empty());
    }

    #[test]
    fn what_was_cleared_does_not_count_and_what_came_later_does() {
        let found = [
            said(&me(), &at("sip:a@h1"), 3),
            said(&me(), &Statement::NoneBefore, 4),
            said(&me(), &at("sip:a@h2"), 5),
        ];
        assert_eq!(contacts(&found), ["sip:a@h2"]);
    }

    #[test]
    fn several_that_were_said_together_count_each_for_its_time_until_something_newer_is_said() {
        let part = |contact: &str, sooner_s| Part {
            binding: Arc::new(samples::binding(contact)),
            sooner_s,
        };
        let parts = vec![
            part("sip:a@h1", Some(0)),
            part("sip:a@h2", Some(20)),
            part("sip:a@h3", Some(60)),
            part("sip:a@h4", None),
        ];
        let before = said(&me(), &at("sip:a@h4"), 1);
        let together = said(&me(), &Statement::Together(parts), 2);
        let state = of(&[before.clone(), together.clone()]);
        let mut left: Vec<(String, u64)> = state
            .bound()
            .iter()
            .map(|bound| (bound.binding.contact.to_string(), bound.remaining.as_secs()))
            .collect();
        left.sort_unstable();
        assert_eq!(left, [("sip:a@h1".to_owned(), 60), ("sip:a@h2".to_owned(), 40)]);
        assert_eq!(state.known().version, 2);
        let own: Vec<bool> = state.own().iter().map(|own| own.together).collect();
        assert_eq!(own, [false, true, true]);
        // One of them alone, and another's end, of no newer version than what it ends.
        let other = SigningKey::from_bytes(&[2; 32]);
        let over = Statement::Together(vec![part("sip:a@h1", None)]);
        let found = [before, together, said(&me(), &over, 2), said(&other, &at("sip:a@h2"), 3)];
        assert_eq!(contacts(&found), ["sip:a@h2"]);
    }

    #[test]
    fn what_is_forged_misplaced_or_garbage_is_as_if_it_were_not_there() {
        let good = said(&me(), &at("sip:a@h"), 1);
        let statement = at("sip:evil@h");
        let (slot, bytes) = (statement.slot(), statement.to_bytes());
        let elsewhere = Key::new("bob").unwrap().place();
        let mut tampered = said(&me(), &statement, 2);
        let mut changed = tampered.value.as_bytes().to_vec();
        changed[100] ^= 1;
        tampered.value = Value::new(changed).unwrap();
        let mut replayed = said(&me(), &statement, 9);
        replayed.id = base::EntryId::of(&replayed.value, base::SecretTag::NONE);
        let bad = [
            signed(&me(), &elsewhere, slot, 2, &bytes),
            signed(&me(), &place(), Slot::ZERO, 3, &bytes),
            signed(&me(), &place(), slot, SEQUENCE_MAX + 1, &bytes),
            signed(&me(), &place(), slot, 4, b"garbage"),
            signed(&me(), &place(), slot, 5, &vec![1; Signed::BODY_MAX]),
            tampered,
            replayed,
        ];
        for bad in bad {
            let found = [good.clone(), bad];
            assert_eq!(contacts(&found), ["sip:a@h"]);
            let state = of(&found);
            assert_eq!(after(state.known().version), Sequence::new(2));
        }
    }

    #[test]
    fn a_cursor_is_that_of_the_bindings_not_of_their_refreshes() {
        let cursor = |found: &[Found]| of(found).cursor();
        let (one, again) = (said(&me(), &at("sip:a@h"), 1), said(&me(), &at("sip:a@h"), 2));
        let two = said(&me(), &at("sip:b@h"), 3);
        assert_eq!(cursor(std::slice::from_ref(&one)), cursor(std::slice::from_ref(&again)));
        assert_ne!(cursor(std::slice::from_ref(&one)), cursor(&[one.clone(), two.clone()]));
        assert_eq!(cursor(&[one.clone(), two.clone()]), cursor(&[two, one]));
        assert_ne!(cursor(&[]), cursor(&[again]));
    }
}
