//! The exchange itself, without any stream: SPAKE2, and the proof that both sides came to the same key.
//!
//! Both peer ids go into it, each in its role. A share or proof that is passed on to somebody else, or
//! sent back, therefore fits nothing.

use libp2p::PeerId;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use crate::passphrase::AdmissionKey;

/// A byte for the side, and a point.
pub(super) const SHARE_LEN: usize = 33;
pub(super) const PROOF_LEN: usize = 32;

/// What keeps these keys apart from all others that are ever made of the same.
const CONTEXT: &str = "scope 2026 admission 1: proof that both sides have the passphrase";

pub(super) type Share = [u8; SHARE_LEN];
pub(super) type Proof = [u8; PROOF_LEN];

/// Which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dialler,
    Listener,
}

/// One side that has made its share and awaits the other's.
pub(super) struct Opening {
    role: Role,
    ids: [Vec<u8>; 2],
    share: Share,
    spake2: Spake2<Ed25519Group>,
}

/// What this side proves with, and what the other must.
pub(super) struct Proofs {
    own: Proof,
    theirs: blake3::Hash,
}

impl Opening {
    pub(super) fn new(
        key: &AdmissionKey,
        role: Role,
        dialler: &PeerId,
        listener: &PeerId,
    ) -> Opening {
        let ids = [dialler.to_bytes(), listener.to_bytes()];
        let password = Password::new(key.as_bytes());
        let [dialler, listener] = [Identity::new(&ids[0]), Identity::new(&ids[1])];
        let (spake2, message) = match role {
            Role::Dialler => Spake2::start_a(&password, &dialler, &listener),
            Role::Listener => Spake2::start_b(&password, &dialler, &listener),
        };
        let share = message.try_into().expect("SPAKE2 on this curve gives 33 bytes");
        Opening { role, ids, share, spake2 }
    }

    pub(super) fn share(&self) -> &Share {
        &self.share
    }

    /// `None` if what the other side sent is no share of that side.
    pub(super) fn finish(self, theirs: &Share) -> Option<Proofs> {
        let secret = Zeroizing::new(self.spake2.finish(theirs).ok()?);
        let key = Zeroizing::new(blake3::derive_key(CONTEXT, &secret));
        let (dialled, listened) = match self.role {
            Role::Dialler => (&self.share, theirs),
            Role::Listener => (theirs, &self.share),
        };
        let proof = |role: Role| {
            let mut hasher = blake3::Hasher::new_keyed(&key);
            hasher.update(match role {
                Role::Dialler => b"d",
                Role::Listener => b"l",
            });
            for id in &self.ids {
                // A peer id has at most 42 bytes.
                hasher.update(&id.len().to_le_bytes()).update(id);
            }
            hasher.update(dialled).update(listened).finalize()
        };
        let (dialler, listener) = (proof(Role::Dialler), proof(Role::Listener));
        Some(match self.role {
            Role::Dialler => Proofs { own: *dialler.as_bytes(), theirs: listener },
            Role::Listener => Proofs { own: *listener.as_bytes(), theirs: dialler },
        })
    }
}

impl Proofs {
    pub(super) fn own(&self) -> &Proof {
        &self.own
    }

    /// Whether the other side has the passphrase. Takes as long, whatever is wrong.
    pub(super) fn is_theirs(&self, proof: &Proof) -> bool {
        self.theirs == *proof
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passphrase::test_key;

    struct Met {
        dialler: Option<Proofs>,
        listener: Option<Proofs>,
    }

    fn open(passphrase: &str, role: Role, dialler: PeerId, listener: PeerId) -> Opening {
        Opening::new(&test_key(passphrase), role, &dialler, &listener)
    }

    fn meet(dialler: Opening, listener: Opening) -> Met {
        let (to_listener, to_dialler) = (*dialler.share(), *listener.share());
        Met { dialler: dialler.finish(&to_dialler), listener: listener.finish(&to_listener) }
    }

    fn fits(met: &Met) -> (bool, bool) {
        let (dialler, listener) = (met.dialler.as_ref().unwrap(), met.listener.as_ref().unwrap());
        (dialler.is_theirs(listener.own()), listener.is_theirs(dialler.own()))
    }

    #[test]
    fn the_same_passphrase_is_proven_to_both() {
        let (a, b) = (PeerId::random(), PeerId::random());
        let met = meet(open("same", Role::Dialler, a, b), open("same", Role::Listener, a, b));
        assert_eq!(fits(&met), (true, true));
    }

    #[test]
    fn another_passphrase_is_noticed_by_both() {
        let (a, b) = (PeerId::random(), PeerId::random());
        let met = meet(open("same", Role::Dialler, a, b), open("other", Role::Listener, a, b));
        assert_eq!(fits(&met), (false, false));
    }

    #[test]
    fn what_one_passes_on_between_two_others_fits_neither() {
        let (a, between, b) = (PeerId::random(), PeerId::random(), PeerId::random());
        let dialler = open("same", Role::Dialler, a, between);
        let listener = open("same", Role::Listener, between, b);
        assert_eq!(fits(&meet(dialler, listener)), (false, false));
    }

    #[test]
    fn swapped_ids_fit_nothing() {
        let (a, b) = (PeerId::random(), PeerId::random());
        let met = meet(open("same", Role::Dialler, a, b), open("same", Role::Listener, b, a));
        assert_eq!(fits(&met), (false, false));
    }

    #[test]
    fn ones_own_share_or_proof_sent_back_fits_nothing() {
        let (a, b) = (PeerId::random(), PeerId::random());
        let dialler = open("same", Role::Dialler, a, b);
        let share = *dialler.share();
        assert!(dialler.finish(&share).is_none());
        let met = meet(open("same", Role::Dialler, a, b), open("same", Role::Listener, a, b));
        for proofs in [met.dialler.unwrap(), met.listener.unwrap()] {
            assert!(!proofs.is_theirs(proofs.own()));
        }
    }

    #[test]
    fn a_proof_is_of_no_use_another_time() {
        let (a, b) = (PeerId::random(), PeerId::random());
        let again = || meet(open("same", Role::Dialler, a, b), open("same", Role::Listener, a, b));
        let (first, second) = (again().dialler.unwrap(), again().listener.unwrap());
        assert!(!second.is_theirs(first.own()));
    }

    #[test]
    fn what_is_no_share_is_refused() {
        let (a, b) = (PeerId::random(), PeerId::random());
        for share in [[0; SHARE_LEN], [0xff; SHARE_LEN], [b'A'; SHARE_LEN]] {
            assert!(open("same", Role::Dialler, a, b).finish(&share).is_none(), "{share:?}");
        }
    }
}
