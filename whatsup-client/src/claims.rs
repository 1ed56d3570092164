//! Who claims a name, as readers see it: each claim verified, and the holder's only if it is of the very name
//! that was asked for. Who of several has it is what the overlay's replicas decided.

use base::{Claim, Name, PublicKey, Sequence};

use crate::net::{Net, unexpected};
use crate::overlay::{Answer, Ask, NameState, OverlayError};

/// Somebody who claims a name, or one that looks like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// Who.
    pub key: PublicKey,
    /// What was signed.
    pub claim: Claim,
}

/// All who claim a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimants {
    /// Who has it, or has one that looks like it.
    pub holder: Option<Claimant>,
    /// All others, the first in order first.
    pub others: Vec<Claimant>,
    /// The least sequence of the asker's next claim.
    pub next: Sequence,
}

impl Claimants {
    /// Who has exactly this name: nobody, while somebody has one that only looks like it.
    pub fn holder_of(&self, name: &Name) -> Option<&Claimant> {
        self.holder.as_ref().filter(|holder| holder.claim.name == *name)
    }

    /// What this key claims, whether it has the name or not.
    pub fn of(&self, key: &PublicKey) -> Option<&Claimant> {
        self.holder.iter().chain(&self.others).find(|claimant| claimant.key == *key)
    }
}

impl Net {
    /// Who claims a name; `asker` is the key that will claim it next.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn claimants(
        &self,
        name: &Name,
        asker: Option<PublicKey>,
    ) -> Result<Claimants, OverlayError> {
        let state = self.name(name, asker).await?;
        Ok(self.read_claims(name, state))
    }

    /// Who claims each of these names; all are asked at once.
    pub async fn claimants_of_all(&self, names: &[Name]) -> Vec<Result<Claimants, OverlayError>> {
        let asks = names.iter().map(|name| Ask::Name { name: name.clone(), asker: None }).collect();
        let read = |(name, answer): (&Name, Result<Answer, OverlayError>)| match answer? {
            Answer::Name(state) => Ok(self.read_claims(name, state)),
            _ => Err(unexpected()),
        };
        names.iter().zip(self.run(asks).await).map(read).collect()
    }

    /// Whose key each of these names is, as a claim says that is verified; all are asked at once. Nothing for
    /// a name that nobody has.
    pub async fn holders(&self, names: &[Name]) -> Vec<Result<Option<PublicKey>, OverlayError>> {
        let all = self.claimants_of_all(names).await;
        let holder = |(name, claimants): (&Name, Result<Claimants, _>)| {
            Ok(claimants?.holder_of(name).map(|holder| holder.key))
        };
        names.iter().zip(all).map(holder).collect()
    }

    /// What a super-node says of who claims a name: what nobody signed is as good as not there.
    pub fn read_claims(&self, name: &Name, state: NameState) -> Claimants {
        let place = name.key().place();
        let read = |signed| {
            let signed = self.signatures.verify(signed, &place).ok()?;
            let claim = Claim::read(&signed, &place).ok()?;
            Some(Claimant { key: signed.author(), claim })
        };
        Claimants {
            holder: state.holder.and_then(read),
            others: state.others.into_iter().filter_map(read).collect(),
            next: state.next.unwrap_or(Sequence::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use base::{SigningKey, Ttl};

    use super::*;
    use crate::overlay::Memory;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    async fn claim(net: &Net, of: &str, key: &SigningKey) {
        let claim = Claim::new(name(of), Sequence::ZERO);
        let signed = claim.sign(key, Sequence::new(1), Ttl::MAX).unwrap();
        net.one(Ask::Claim { name: name(of), signed }).await.unwrap();
    }

    #[tokio::test]
    async fn a_name_is_its_holders_and_one_that_looks_like_it_is_nobodys() {
        let net = Net::new(Memory::new());
        let key = SigningKey::from_bytes(&[1; 32]);
        claim(&net, "a1ice", &key).await;
        let names = [name("a1ice"), name("alice"), name("bob")];
        let holders: Vec<_> = net.holders(&names).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(holders, [Some(key.public()), None, None]);
        let alike = net.claimants(&name("alice"), Some(key.public())).await.unwrap();
        assert_eq!(alike.holder.as_ref().map(|holder| holder.key), Some(key.public()));
        assert_eq!(alike.holder_of(&name("alice")), None);
        assert_eq!(alike.next, Sequence::new(2));
        assert!(alike.of(&key.public()).is_some());
    }

    #[test]
    fn what_nobody_signed_makes_no_holder() {
        let net = Net::new(Memory::new());
        let key = SigningKey::from_bytes(&[1; 32]);
        let claim = Claim::new(name("bob"), Sequence::ZERO);
        let signed = claim.sign(&key, Sequence::new(1), Ttl::MAX).unwrap();
        let state = NameState { holder: Some(signed.clone()), others: vec![signed], next: None };
        assert_eq!(net.read_claims(&name("alice"), state), Claimants::default());
    }
}
