//! What a replica tells about the claims of a name, and signs.
//!
//! ```text
//! settled 1 │ endorsed: 0, or 1 and author 32 │ number of claims 1 │ claims: author 32, held ms 8
//! ```
//!
//! Numbers are big-endian. The signature is over a label, the place, the asker's nonce, the replica's
//! Ed25519 key, and these bytes; a report is these bytes and the signature.

use crate::public_key::SIGNATURE_LEN;
use crate::{NodeId, Place, PublicKey, SigningKey};

/// What is signed begins with this.
const LABEL: &[u8] = b"scope claim report 1";

const HELD_LEN: usize = PublicKey::LEN + 8;

/// What a replica says about the claims at one place. From another replica only [`Report::verify`] makes
/// one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// Whether it has consulted the others since it became a replica here, or they changed.
    pub(crate) settled: bool,
    /// Whom it endorses.
    pub(crate) endorsed: Option<PublicKey>,
    /// The first claims it holds, at most [`Told::HELD_MAX`], and for how long.
    pub(crate) held: Vec<Held>,
}

/// For how long a replica has held a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Whose claim.
    pub author: PublicKey,
    /// For how long, in milliseconds, refreshed or not.
    pub held_ms: u64,
}

/// A signed answer to who holds a name, not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    told: Told,
    signature: [u8; SIGNATURE_LEN],
}

/// A report that is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The bytes are no report's.
    #[error("the report of a replica cannot be read")]
    Malformed,
    /// The replica's id does not hold an Ed25519 key.
    #[error("the replica's id holds no Ed25519 key; a report cannot be checked")]
    NoKey,
    /// The replica did not sign this for this question.
    #[error("the report is not signed by the replica for this question")]
    Signature,
}

impl Told {
    /// Most claims that are named.
    pub const HELD_MAX: usize = 64;

    /// Whom the replica endorses.
    pub const fn endorsed(&self) -> Option<PublicKey> {
        self.endorsed
    }

    /// The claims it holds.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// Whether it has consulted the others.
    pub const fn is_settled(&self) -> bool {
        self.settled
    }

    /// The same, endorsing somebody else: what a replica may tell while its own last word is not on disk.
    #[must_use]
    pub fn endorsing(self, endorsed: Option<PublicKey>) -> Told {
        Told { endorsed, ..self }
    }

    /// The same so many milliseconds later, if nothing else happened.
    #[must_use]
    pub fn later(mut self, ms: u64) -> Told {
        for held in &mut self.held {
            held.held_ms = held.held_ms.saturating_add(ms);
        }
        self
    }

    /// What is signed, and what a replica keeps.
    pub fn to_bytes(&self) -> Vec<u8> {
        let held = &self.held[..self.held.len().min(Told::HELD_MAX)];
        let mut bytes = vec![u8::from(self.settled), u8::from(self.endorsed.is_some())];
        bytes.extend(self.endorsed.iter().flat_map(PublicKey::as_bytes));
        bytes.push(u8::try_from(held.len()).unwrap_or(u8::MAX));
        for held in held {
            bytes.extend(held.author.as_bytes());
            bytes.extend(held.held_ms.to_be_bytes());
        }
        bytes
    }

    /// Reads what was kept; `None` of what is not the encoding of anything.
    pub fn from_bytes(bytes: &[u8]) -> Option<Told> {
        let (settled, rest) = flag(bytes)?;
        let (endorses, mut rest) = flag(rest)?;
        let mut endorsed = None;
        if endorses {
            let (author, after) = rest.split_first_chunk()?;
            (endorsed, rest) = (Some(PublicKey::from_bytes(*author)), after);
        }
        let (count, rest) = rest.split_first()?;
        let count = usize::from(*count);
        if count > Told::HELD_MAX || rest.len() != count * HELD_LEN {
            return None;
        }
        let held: Option<Vec<Held>> = rest
            .chunks_exact(HELD_LEN)
            .map(|held| {
                let (author, held_ms) = held.split_first_chunk()?;
                let held_ms = u64::from_be_bytes(held_ms.try_into().ok()?);
                Some(Held { author: PublicKey::from_bytes(*author), held_ms })
            })
            .collect();
        let held = held?;
        let twice = |at: usize| held[..at].iter().any(|other| other.author == held[at].author);
        (!(0..held.len()).any(twice)).then_some(Told { settled, endorsed, held })
    }
}

fn flag(bytes: &[u8]) -> Option<(bool, &[u8])> {
    let (flag, rest) = bytes.split_first()?;
    (*flag <= 1).then_some((*flag == 1, rest))
}

impl Report {
    /// Length of the nonce an asker chooses, so that no old report answers it, in bytes.
    pub const NONCE_LEN: usize = 16;

    /// Longest report, in bytes.
    pub const LEN_MAX: usize = 2 + PublicKey::LEN + 1 + Told::HELD_MAX * HELD_LEN + SIGNATURE_LEN;

    /// Signs what this node tells, with the Ed25519 key of its id.
    pub fn sign(
        node: &SigningKey,
        place: &Place,
        nonce: &[u8; Report::NONCE_LEN],
        told: Told,
    ) -> Report {
        let signature = node.sign(&message(place, nonce, &node.public(), &told.to_bytes()));
        Report { told, signature }
    }

    /// What is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.told.to_bytes()[..], &self.signature].concat()
    }

    /// Reads what was sent; there is one encoding of each report.
    ///
    /// # Errors
    /// [`ReportError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Report, ReportError> {
        let (told, signature) = bytes.split_last_chunk().ok_or(ReportError::Malformed)?;
        let told = Told::from_bytes(told).ok_or(ReportError::Malformed)?;
        Ok(Report { told, signature: *signature })
    }

    /// What the replica tells, if it was `replica` that signed it as an answer to this question.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn verify(
        self,
        place: &Place,
        nonce: &[u8; Report::NONCE_LEN],
        replica: &NodeId,
    ) -> Result<Told, ReportError> {
        let key = replica.public_key().ok_or(ReportError::NoKey)?;
        if key.verifies(&message(place, nonce, &key, &self.told.to_bytes()), &self.signature) {
            Ok(self.told)
        } else {
            Err(ReportError::Signature)
        }
    }
}

fn message(
    place: &Place,
    nonce: &[u8; Report::NONCE_LEN],
    replica: &PublicKey,
    told: &[u8],
) -> Vec<u8> {
    [LABEL, place.as_bytes(), nonce, replica.as_bytes(), told].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(claims: u8) -> Told {
        let held =
            |seed| Held { author: PublicKey::from_bytes([seed; 32]), held_ms: u64::from(seed) };
        let endorsed = (claims > 0).then(|| PublicKey::from_bytes([0; 32]));
        Told { settled: claims > 1, endorsed, held: (0..claims).map(held).collect() }
    }

    #[test]
    fn a_report_reads_back_and_holds_for_its_question_only() {
        let node = SigningKey::from_bytes(&[1; 32]);
        let id = NodeId::of(&node.public()).unwrap();
        let other = NodeId::of(&SigningKey::from_bytes(&[2; 32]).public()).unwrap();
        let (here, there) = (Place::of(b"here"), Place::of(b"there"));
        for claims in [0, 1, 2, 64] {
            let report = Report::sign(&node, &here, &[7; 16], told(claims));
            assert!(report.to_bytes().len() <= Report::LEN_MAX);
            let read = Report::from_bytes(&report.to_bytes()).unwrap();
            assert_eq!(read.clone().verify(&here, &[7; 16], &id), Ok(told(claims)));
            for (place, nonce, replica) in [(there, 7, id), (here, 8, id), (here, 7, other)] {
                let refused = read.clone().verify(&place, &[nonce; 16], &replica);
                assert_eq!(refused, Err(ReportError::Signature));
            }
        }
    }

    #[test]
    fn bytes_that_are_no_report_are_refused() {
        let node = SigningKey::from_bytes(&[1; 32]);
        let good = Report::sign(&node, &Place::of(b"here"), &[7; 16], told(2)).to_bytes();
        for len in 0..good.len() {
            assert_eq!(Report::from_bytes(&good[..len]), Err(ReportError::Malformed), "{len}");
        }
        let mut twice = told(2);
        twice.held[1] = twice.held[0];
        let twice = Report::sign(&node, &Place::of(b"here"), &[7; 16], twice).to_bytes();
        assert_eq!(Report::from_bytes(&twice), Err(ReportError::Malformed));
        let odd = [&[2], &good[1..]].concat();
        assert_eq!(Report::from_bytes(&odd), Err(ReportError::Malformed));
    }
}
