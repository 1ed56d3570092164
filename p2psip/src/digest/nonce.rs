//! Nonces that need no memory: each says when it was made, and proves that it was made here, for this
//! realm and for who sends from that address.

use std::net::IpAddr;

use super::algorithm::{hex, same_secret, unhex};

/// For so many seconds a nonce is good: a phone registers anew within 60 to 120 s and need not be
/// challenged each time.
pub const NONCE_LIFE_S: u64 = 300;
/// So far ahead a nonce's time may be: clocks of processes that share a key differ.
pub(super) const SKEW_S: u64 = 5;

const TIME: usize = 6;
const SALT: usize = 6;
const PROOF: usize = 16;
const WHOLE: usize = TIME + SALT + PROOF;

/// What nonces are proven with. Nodes that share it accept each other's.
#[derive(Clone)]
pub struct NonceKey([u8; 32]);

/// A nonce that was made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce {
    /// When, in seconds of the clock of who made it.
    pub made_s: u64,
    /// Tells it from all others, as long as salts do.
    pub id: u64,
}

/// Why a nonce is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNonce {
    /// It was made here, and is too old: who uses it knows the password, maybe, and gets another one.
    #[error("the nonce is stale")]
    Stale,
    /// It was not made here, for this realm and that source.
    #[error("the nonce is none of this server's")]
    Foreign,
}

impl NonceKey {
    /// From 32 bytes that nobody can guess.
    pub fn new(key: [u8; 32]) -> NonceKey {
        NonceKey(key)
    }

    /// A nonce for who sends from `source`. The salt has to differ from call to call; it need not be
    /// hard to guess. Its lower 48 bits count.
    pub fn make(&self, realm: &str, source: IpAddr, now_s: u64, salt: u64) -> String {
        let mut whole = [0; WHOLE];
        whole[..TIME].copy_from_slice(&now_s.to_be_bytes()[8 - TIME..]);
        whole[TIME..TIME + SALT].copy_from_slice(&salt.to_be_bytes()[8 - SALT..]);
        let proof = self.proof(&whole[..TIME + SALT], realm, source);
        whole[TIME + SALT..].copy_from_slice(&proof);
        hex(&whole)
    }

    /// Whether a nonce is one made for this realm and who sends from `source`, and still good.
    ///
    /// # Errors
    /// [`BadNonce`]
    pub fn check(
        &self,
        nonce: &str,
        realm: &str,
        source: IpAddr,
        now_s: u64,
    ) -> Result<Nonce, BadNonce> {
        let whole = unhex::<WHOLE>(nonce).ok_or(BadNonce::Foreign)?;
        let (said, proof) = whole.split_at(TIME + SALT);
        if !same_secret(&self.proof(said, realm, source), proof) {
            return Err(BadNonce::Foreign);
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let made_s = number(&said[..TIME]);
        if made_s > now_s + SKEW_S || now_s.saturating_sub(made_s) > NONCE_LIFE_S {
            return Err(BadNonce::Stale);
        }
        // Of a keyed hash every part is as good as a number by chance.
        Ok(Nonce { made_s, id: number(&proof[..8]) })
    }

    fn proof(&self, said: &[u8], realm: &str, source: IpAddr) -> [u8; PROOF] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(said);
        match source.to_canonical() {
            IpAddr::V4(ip) => hasher.update(&ip.to_ipv6_mapped().octets()),
            IpAddr::V6(ip) => hasher.update(&ip.octets()),
        };
        hasher.update(realm.as_bytes());
        let mut proof = [0; PROOF];
        proof.copy_from_slice(&hasher.finalize().as_bytes()[..PROOF]);
        proof
    }
}

impl std::fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NonceKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_source_and_its_time() {
        let (key, here) = (NonceKey::new([7; 32]), "192.0.2.1".parse().unwrap());
        let nonce = key.make("scope", here, 1000, 5);
        let check =
            |key: &NonceKey, nonce: &str, realm, source, now| key.check(nonce, realm, source, now);
        let good = check(&key, &nonce, "scope", here, 1000 + NONCE_LIFE_S).unwrap();
        assert_eq!(good.made_s, 1000);
        assert_eq!(
            check(&key, &nonce, "scope", "::ffff:192.0.2.1".parse().unwrap(), 1000),
            Ok(good)
        );
        assert!(check(&key, &nonce, "scope", here, 1000 - SKEW_S).is_ok());
        for now in [1001 + NONCE_LIFE_S, 999 - SKEW_S] {
            assert_eq!(check(&key, &nonce, "scope", here, now), Err(BadNonce::Stale));
        }
        let (other, there) = (NonceKey::new([8; 32]), "192.0.2.2".parse().unwrap());
        assert_eq!(check(&other, &nonce, "scope", here, 1000), Err(BadNonce::Foreign));
        assert_eq!(check(&key, &nonce, "scope", there, 1000), Err(BadNonce::Foreign));
        assert_eq!(check(&key, &nonce, "other", here, 1000), Err(BadNonce::Foreign));
        for at in 0..nonce.len() {
            let mut forged = nonce.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(check(&key, &forged, "scope", here, 1000), Err(BadNonce::Foreign));
        }
        assert_eq!(check(&key, "", "scope", here, 1000), Err(BadNonce::Foreign));
        assert_ne!(nonce, key.make("scope", here, 1000, 6));
    }
}
