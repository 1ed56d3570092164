//! Which signatures were right: a signed entry that is read again, or from a second replica, need not be
//! verified anew.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Entry, ForgedEntry, Place, Signed, Verified, WrongSignature};

/// Entries remembered for certain; up to twice as many are. All that a few thousand people say who
/// meet, in 2 MB. Whoever floods it with others only has signatures verified again.
const REMEMBERED: usize = 16_384;

/// Remembers signed entries whose signature was right, each by a hash of all its bytes and its place. It
/// answers as [`Signed::check`] does, sooner.
#[derive(Debug, Default)]
pub struct SignatureCache(Mutex<Generations>);

/// What was seen since the younger one was full, and what in the time before.
#[derive(Debug, Default)]
struct Generations {
    young: HashSet<blake3::Hash>,
    old: HashSet<blake3::Hash>,
}

impl SignatureCache {
    /// As [`Signed::check`].
    ///
    /// # Errors
    /// [`WrongSignature`] if its author did not sign it for this place.
    pub fn check(&self, signed: &Signed, place: &Place) -> Result<(), WrongSignature> {
        let seen = hash(signed, place);
        if self.lock().contains(&seen) {
            return Ok(());
        }
        // Without the lock: it takes a hundred times as long as all else here.
        signed.check(place)?;
        self.lock().insert(seen);
        Ok(())
    }

    /// As [`Signed::verify`].
    ///
    /// # Errors
    /// As [`SignatureCache::check`].
    pub fn verify(
        &self,
        signed: Signed,
        place: &Place,
    ) -> Result<Verified<Signed>, WrongSignature> {
        self.check(&signed, place)?;
        Ok(Verified::that(signed))
    }

    /// Remembers what was signed here just now: it is right.
    pub fn made(&self, signed: &Signed, place: &Place) {
        let seen = hash(signed, place);
        self.lock().insert(seen);
    }

    /// As [`Entry::check`].
    ///
    /// # Errors
    /// [`ForgedEntry`] when its parts do not belong together.
    pub fn check_entry(&self, entry: &Entry, place: &Place) -> Result<(), ForgedEntry> {
        entry.check_by(|signed| self.check(signed, place))
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn contains(&mut self, seen: &blake3::Hash) -> bool {
        if self.young.contains(seen) {
            return true;
        }
        // Whatever is still asked for stays.
        let found = self.old.remove(seen);
        if found {
            self.insert(*seen);
        }
        found
    }

    fn insert(&mut self, seen: blake3::Hash) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(seen);
    }
}

/// All that a signature is made over, and the signature.
fn hash(signed: &Signed, place: &Place) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    // Of one length: where the place ends the entry begins.
    hasher.update(place.as_bytes()).update(signed.as_bytes());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Kind, Lifetime, Sequence, SigningKey, Slot, State, Ttl};

    fn place(key: &str) -> Place {
        Key::new(key.to_owned()).unwrap().place()
    }

    fn note(body: &[u8]) -> Signed {
        let (key, sequence) = (SigningKey::from_bytes(&[1; 32]), Sequence::new(1));
        Signed::sign(&key, &place("a"), Slot::ZERO, Kind::Plain, sequence, Ttl::MAX, body).unwrap()
    }

    /// The same entry but for one bit, wherever it may be changed and still be read.
    fn forgeries(signed: &Signed) -> impl Iterator<Item = Signed> {
        let bytes = signed.as_bytes().clone();
        (0..bytes.len()).filter_map(move |at| {
            let mut forged = bytes.to_vec();
            forged[at] ^= 1;
            Signed::from_bytes(forged.into()).ok()
        })
    }

    #[test]
    fn what_was_right_is_right_again_and_nothing_like_it_is() {
        let (cache, signed) = (SignatureCache::default(), note(b"body"));
        for _ in 0..2 {
            assert_eq!(cache.check(&signed, &place("a")), Ok(()));
            assert!(cache.verify(signed.clone(), &place("a")).is_ok());
            assert_eq!(cache.check(&signed, &place("b")), Err(WrongSignature), "another place");
            for forged in forgeries(&signed) {
                assert_eq!(cache.check(&forged, &place("a")), Err(WrongSignature), "{forged:?}");
            }
        }
        assert_eq!(cache.lock().young.len(), 1, "what was wrong is not remembered");
    }

    #[test]
    fn what_was_made_here_is_right_where_it_was_made_for() {
        let (cache, signed) = (SignatureCache::default(), note(b"body"));
        cache.made(&signed, &place("a"));
        assert_eq!(cache.lock().young.len(), 1);
        assert_eq!(cache.check(&signed, &place("a")), Ok(()));
        assert_eq!(cache.lock().young.len(), 1, "it was known");
        assert_eq!(cache.check(&signed, &place("b")), Err(WrongSignature));
    }

    #[test]
    fn an_entry_that_does_not_fit_a_known_signature_is_refused() {
        let (cache, place, signed) = (SignatureCache::default(), place("a"), note(b"body"));
        let entry = |life| {
            let state = State::Signed(signed.clone());
            Entry::from_parts(signed.id(), signed.version(), state, life)
        };
        assert_eq!(cache.check_entry(&entry(signed.life()), &place), Ok(()));
        let longer = Lifetime::from_millis(signed.life().as_millis() + 1);
        assert_eq!(cache.check_entry(&entry(longer), &place), Err(ForgedEntry::TtlRaised));
    }

    #[test]
    fn so_many_are_remembered_and_what_is_asked_for_stays() {
        let mut generations = Generations::default();
        let hash = |n: usize| blake3::hash(&n.to_le_bytes());
        for n in 0..10 * REMEMBERED {
            generations.insert(hash(n));
            assert!(generations.contains(&hash(0)), "asked for all along");
            assert!(generations.young.len() + generations.old.len() <= 2 * REMEMBERED);
        }
        assert!(generations.contains(&hash(9 * REMEMBERED)), "one of the last");
        assert!(!generations.contains(&hash(1)), "long ago");
    }
}
