//! Claiming a name: signed here, decided by the overlay's replicas, waited for.

use std::time::Duration;

use base::{Claim, Name, Sequence, Ttl};
use tokio::time::{Instant, sleep};

use crate::author::Author;
use crate::claims::Claimant;
use crate::net::Net;
use crate::overlay::{Ask, OverlayError};

/// How long a decision is waited for: some seconds, if all goes well.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(400);

/// How a claim stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The name is the claimant's.
    Confirmed,
    /// It is not decided yet; ask again later who has it.
    Pending,
    /// Somebody else has it, or one that looks like it; it may not be known who.
    Taken(Option<Claimant>),
}

/// Claims the author's name, or renews the claim, and waits until it is decided who has it.
///
/// # Errors
/// The overlay's. Claiming again is safe.
pub async fn claim(net: &Net, author: &Author, ttl: Ttl) -> Result<Outcome, OverlayError> {
    let (name, public) = (author.name(), author.public());
    let before = net.claimants(name, Some(public)).await?;
    let mut claim = Claim::new(name.clone(), Sequence::ZERO);
    if let Some(same) = before.of(&public) {
        claim = Claim { name: name.clone(), ..same.claim.clone() };
    }
    let sequence = author.sequence(before.next);
    let signed = claim
        .sign(author.key(), sequence, ttl)
        .map_err(|error| OverlayError::Refused(error.to_string()))?;
    match net.one(Ask::Claim { name: name.clone(), signed }).await {
        Ok(_) => {}
        Err(OverlayError::Taken(_)) => {
            let now = net.claimants(name, None).await?;
            let mut ahead = now.holder.into_iter().chain(now.others);
            return Ok(Outcome::Taken(ahead.find(|other| other.key != public)));
        }
        Err(error) => return Err(error),
    }
    let heir_of = claim.heir_of();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match net.claimants(name, None).await?.holder {
            Some(holder) if holder.key == public => return Ok(Outcome::Confirmed),
            // It passes from an old key to this one.
            Some(holder) if !heir_of.contains(&holder.key) => {
                return Ok(Outcome::Taken(Some(holder)));
            }
            _ if Instant::now() >= deadline => return Ok(Outcome::Pending),
            _ => sleep(LOOK).await,
        }
    }
}

/// Gives the author's name back; whether it was claimed.
///
/// # Errors
/// The overlay's.
pub async fn withdraw(net: &Net, author: &Author) -> Result<bool, OverlayError> {
    let (name, public) = (author.name(), author.public());
    let before = net.claimants(name, Some(public)).await?;
    if before.of(&public).is_none() {
        return Ok(false);
    }
    let signed = Claim::withdraw(name, author.key(), author.sequence(before.next));
    net.one(Ask::Claim { name: name.clone(), signed }).await?;
    Ok(true)
}

/// At most `max` names like this one that nobody claims: one batch.
///
/// # Errors
/// The overlay's.
pub async fn free_names(net: &Net, like: &Name, max: usize) -> Result<Vec<Name>, OverlayError> {
    let candidates = candidates(like);
    let mut free = Vec::new();
    for (name, claimants) in candidates.iter().zip(net.claimants_of_all(&candidates).await) {
        let claimants = claimants?;
        if claimants.holder.is_none() && claimants.others.is_empty() && free.len() < max {
            free.push(name.clone());
        }
    }
    Ok(free)
}

/// Names somebody might take instead, the best first, no two of which look alike.
fn candidates(like: &Name) -> Vec<Name> {
    // No digit or letter here looks like another, as 1 and l do.
    let endings = ["2", "3", "4", ".k", "-x", "7", ".a", "-m", "22", ".net", "-2", "77", "444"];
    let mut found: Vec<Name> = Vec::new();
    for ending in endings {
        if let Ok(name) = Name::new(&format!("{like}{ending}"))
            && found.iter().all(|other| other.key() != name.key())
        {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use base::SigningKey;

    use super::*;
    use crate::overlay::Memory;

    fn author(name: &str, seed: u8) -> Author {
        let key = SigningKey::from_bytes(&[seed; 32]);
        Author::with_clock(Name::new(name).unwrap(), key, || 1)
    }

    #[tokio::test]
    async fn the_first_has_the_name_renews_it_and_gives_it_back() {
        let net = Net::new(Memory::new());
        let (alice, other) = (author("alice", 1), author("a1ice", 2));
        for _ in 0..2 {
            assert_eq!(claim(&net, &alice, Ttl::MAX).await, Ok(Outcome::Confirmed));
        }
        let Ok(Outcome::Taken(Some(holder))) = claim(&net, &other, Ttl::MAX).await else {
            panic!("it looks like alice");
        };
        assert_eq!(holder.key, alice.public());
        assert_eq!(withdraw(&net, &alice).await, Ok(true));
        assert_eq!(withdraw(&net, &alice).await, Ok(false));
        assert_eq!(claim(&net, &other, Ttl::MAX).await, Ok(Outcome::Confirmed));
    }

    #[tokio::test]
    async fn what_is_suggested_instead_is_free_and_like_the_name() {
        let net = Net::new(Memory::new());
        for (name, seed) in [("alice", 1), ("alice2", 2), ("alice4", 3)] {
            claim(&net, &author(name, seed), Ttl::MAX).await.unwrap();
        }
        let free = free_names(&net, &Name::new("alice").unwrap(), 3).await.unwrap();
        let free: Vec<_> = free.iter().map(Name::as_str).collect();
        assert_eq!(free, ["alice3", "alice.k", "alice-x"]);
        let long = Name::new(&"x".repeat(64)).unwrap();
        assert_eq!(free_names(&net, &long, 3).await, Ok(vec![]), "none is short enough");
        let other = free_names(&net, &Name::new("алиса").unwrap(), 1).await.unwrap();
        assert_eq!(other[0].as_str(), "алиса2");
    }
}
