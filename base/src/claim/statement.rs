//! What somebody says who claims a name: the body of a signed entry of kind claim.

use prost::Message;

use crate::public_key::SIGNATURE_LEN;
use crate::{
    Kind, Name, NameError, Place, PublicKey, Sequence, Signed, SigningKey, Slot, TooLarge, Ttl,
    Verified,
};

/// What the old key signs when a name passes to a new one begins with this.
const SUCCESSION_LABEL: &[u8] = b"scope claim succession 1";

/// Most changes of key a claim carries. Each is a signature to check; whoever changes keys more often
/// begins anew with the last ones.
pub const HEIRS_MAX: usize = 8;

/// Longest claim, in bytes: a name, a number and all successions, and some room for fields of later
/// versions.
const CLAIM_MAX: usize = 2048;

/// A claim of a name. Whose it is stands in the entry that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The name, as its claimant spells it. It has the skeleton of the key it lies under.
    pub name: Name,
    /// Entries of the claimant's that have a lower sequence are not to be believed any more.
    pub floor: Sequence,
    /// How the name came to the claimant's key: the oldest key first. Empty if it always had it.
    pub successions: Vec<Succession>,
}

/// An old key's word that another key shall have its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Succession {
    /// The old key.
    pub from: PublicKey,
    signature: [u8; SIGNATURE_LEN],
}

/// What is no claim, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The entry is a plain one, in another slot than zero, or a removal.
    #[error("the signed entry is no claim; claim with kind 1, slot zero and a body")]
    NoClaim,
    /// The body cannot be read, or is too long.
    #[error("the claim cannot be read")]
    Malformed,
    /// The name is none.
    #[error("the claimed name: {0}")]
    Name(#[from] NameError),
    /// The name is not written in its normal form.
    #[error("the claimed name is not normalised; claim '{0}'")]
    NotNormal(Name),
    /// The name belongs under another key.
    #[error("the claimed name belongs under another key; put it under the name's own")]
    Misplaced,
    /// There are too many changes of key.
    #[error("the claim has more than {HEIRS_MAX} changes of key; leave out the oldest")]
    TooManyHeirs,
    /// A change of key was not signed by the old one.
    #[error("a change of key is not signed by the old key; sign the succession with it")]
    Succession,
}

/// The body's protobuf. Fields are only ever added: a reader skips those it does not know.
#[derive(Clone, PartialEq, Message)]
struct ClaimBody {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint64, tag = "2")]
    floor: u64,
    #[prost(message, repeated, tag = "3")]
    successions: Vec<SuccessionBody>,
}

#[derive(Clone, PartialEq, Message)]
struct SuccessionBody {
    #[prost(bytes = "vec", tag = "1")]
    from: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    signature: Vec<u8>,
}

impl Succession {
    /// Signs with the old key that the new one shall have the name. It cannot be taken back.
    pub fn sign(old: &SigningKey, name: &Name, new: &PublicKey) -> Succession {
        let message = succession_message(&name.key().place(), new);
        Succession { from: old.public(), signature: old.sign(&message) }
    }

    fn holds(&self, place: &Place, new: &PublicKey) -> bool {
        self.from.verifies(&succession_message(place, new), &self.signature)
    }
}

fn succession_message(place: &Place, new: &PublicKey) -> Vec<u8> {
    [SUCCESSION_LABEL, place.as_bytes(), new.as_bytes()].concat()
}

impl Claim {
    /// A claim of somebody who never had another key.
    pub const fn new(name: Name, floor: Sequence) -> Claim {
        Claim { name, floor, successions: Vec::new() }
    }

    /// Signs it, to be put under the name's key.
    ///
    /// # Errors
    /// [`TooLarge`] when it has far more successions than [`HEIRS_MAX`].
    pub fn sign(&self, key: &SigningKey, sequence: Sequence, ttl: Ttl) -> Result<Signed, TooLarge> {
        let body = ClaimBody {
            name: self.name.as_str().to_owned(),
            floor: self.floor.number(),
            successions: self.successions.iter().map(SuccessionBody::from).collect(),
        };
        TooLarge::check("claim", body.encoded_len(), CLAIM_MAX)?;
        let place = self.name.key().place();
        Signed::sign(key, &place, Slot::ZERO, Kind::Claim, sequence, ttl, &body.encode_to_vec())
    }

    /// Takes a claimant's claim away again.
    pub fn withdraw(name: &Name, key: &SigningKey, sequence: Sequence) -> Signed {
        Signed::removal(key, &name.key().place(), Slot::ZERO, Kind::Claim, sequence)
    }

    /// Reads a claim that lies at `place`, and checks each change of key.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub fn read(signed: &Verified<Signed>, place: &Place) -> Result<Claim, ClaimError> {
        let is_claim = signed.kind() == Kind::Claim && signed.slot() == Slot::ZERO;
        let body = signed.body().filter(|_| is_claim).ok_or(ClaimError::NoClaim)?;
        if body.len() > CLAIM_MAX {
            return Err(ClaimError::Malformed);
        }
        let body = ClaimBody::decode(body).map_err(|_| ClaimError::Malformed)?;
        let name = Name::new(&body.name)?;
        if name.as_str() != body.name {
            return Err(ClaimError::NotNormal(name));
        }
        if name.key().place() != *place {
            return Err(ClaimError::Misplaced);
        }
        let successions = read_successions(&body.successions, place, signed.author())?;
        Ok(Claim { name, floor: Sequence::new(body.floor), successions })
    }

    /// The keys whose claims yield to this one, the oldest first.
    pub fn heir_of(&self) -> Vec<PublicKey> {
        self.successions.iter().map(|succession| succession.from).collect()
    }
}

/// Each has to hold for the key after it, and the last for the author.
fn read_successions(
    bodies: &[SuccessionBody],
    place: &Place,
    author: PublicKey,
) -> Result<Vec<Succession>, ClaimError> {
    if bodies.len() > HEIRS_MAX {
        return Err(ClaimError::TooManyHeirs);
    }
    let read = |body: &SuccessionBody| {
        let from = body.from.as_slice().try_into().ok().map(PublicKey::from_bytes)?;
        Some(Succession { from, signature: body.signature.as_slice().try_into().ok()? })
    };
    let successions: Option<Vec<Succession>> = bodies.iter().map(read).collect();
    let successions = successions.ok_or(ClaimError::Malformed)?;
    let heirs = successions.iter().skip(1).map(|next| next.from).chain([author]);
    if successions.iter().zip(heirs).all(|(one, heir)| one.holds(place, &heir)) {
        Ok(successions)
    } else {
        Err(ClaimError::Succession)
    }
}

impl From<&Succession> for SuccessionBody {
    fn from(succession: &Succession) -> SuccessionBody {
        SuccessionBody {
            from: succession.from.as_bytes().to_vec(),
            signature: succession.signature.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn alice() -> Name {
        Name::new("alice").unwrap()
    }

    fn read(claim: &Claim, by: &SigningKey) -> Result<Claim, ClaimError> {
        let place = claim.name.key().place();
        let signed = claim.sign(by, Sequence::new(1), Ttl::MAX).unwrap();
        Claim::read(&signed.verify(&place).unwrap(), &place)
    }

    fn read_body(kind: Kind, slot: Slot, body: &[u8]) -> Result<Claim, ClaimError> {
        let place = alice().key().place();
        let (sequence, ttl) = (Sequence::ZERO, Ttl::MAX);
        let signed = Signed::sign(&key(1), &place, slot, kind, sequence, ttl, body).unwrap();
        Claim::read(&signed.verify(&place).unwrap(), &place)
    }

    #[test]
    fn a_claim_reads_back() {
        let claim = Claim::new(alice(), Sequence::new(7));
        assert_eq!(read(&claim, &key(1)), Ok(claim));
    }

    #[test]
    fn a_name_passes_from_key_to_key_by_the_old_ones_word() {
        let passed = |from, to| Succession::sign(&key(from), &alice(), &key(to).public());
        let claim = |successions| Claim { name: alice(), floor: Sequence::ZERO, successions };
        let good = claim(vec![passed(1, 2), passed(2, 3)]);
        assert_eq!(read(&good, &key(3)).unwrap().heir_of(), [key(1).public(), key(2).public()]);
        for bad in [vec![passed(1, 2)], vec![passed(1, 3), passed(2, 3)]] {
            assert_eq!(read(&claim(bad), &key(3)), Err(ClaimError::Succession));
        }
        let other_name = Succession::sign(&key(1), &Name::new("bob").unwrap(), &key(3).public());
        assert_eq!(read(&claim(vec![other_name]), &key(3)), Err(ClaimError::Succession));
        let many = claim(vec![passed(1, 1); HEIRS_MAX + 1]);
        assert_eq!(read(&many, &key(1)), Err(ClaimError::TooManyHeirs));
    }

    #[test]
    fn what_is_no_claim_is_told_apart() {
        let body =
            |name: &str| ClaimBody { name: name.to_owned(), ..Default::default() }.encode_to_vec();
        let claim = |body: &[u8]| read_body(Kind::Claim, Slot::ZERO, body);
        assert!(claim(&body("alice")).is_ok());
        assert_eq!(claim(&body("a1ice")).unwrap().name.as_str(), "a1ice", "it looks alike");
        assert_eq!(claim(&body("bob")), Err(ClaimError::Misplaced));
        assert_eq!(claim(&body("Alice")), Err(ClaimError::NotNormal(alice())));
        assert_eq!(claim(&body("al ice")), Err(ClaimError::Name(NameError::Forbidden(' '))));
        assert_eq!(claim(b"\x0a\xff"), Err(ClaimError::Malformed));
        assert_eq!(claim(&[0x7a, 0].repeat(CLAIM_MAX)), Err(ClaimError::Malformed), "too long");
        assert_eq!(read_body(Kind::Plain, Slot::ZERO, &body("alice")), Err(ClaimError::NoClaim));
        let slot = Slot::new([1; 16]);
        assert_eq!(read_body(Kind::Claim, slot, &body("alice")), Err(ClaimError::NoClaim));
        let later = [&body("alice")[..], &[0x7a, 1, 9]].concat();
        assert!(claim(&later).is_ok(), "fields of later versions are skipped");
    }
}
