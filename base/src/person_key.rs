//! The key of a person who has a name and a passphrase and nothing else, on whatever device.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::{Name, Passphrase, SigningKey};

/// Argon2id's cost (RFC 9106): 64 MiB, 3 passes, 1 lane. That is the RFC's second recommended memory and
/// number of passes (section 4), with one lane instead of four: who tries guesses has as many cores as
/// they like, and a laptop that serves phones makes one key at a time, in some tenths of a second.
/// A change of any number gives everybody another key.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// The salt is this and the name, so that a guess is good for one name only.
const SALT_LABEL: &[u8] = b"scope person key 1 ";

/// The machine has no 64 MiB of memory to spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key cannot be made of the passphrase: it takes 64 MiB of memory; free some and try again"
)]
pub struct NoMemory;

/// The key of a name and a passphrase: always the same. It takes 64 MiB of memory and a good part of a
/// second, so it does not belong into a task that others wait for, and few may run at a time.
///
/// # Errors
/// [`NoMemory`].
pub fn person_key(name: &Name, passphrase: &Passphrase) -> Result<SigningKey, NoMemory> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(SigningKey::LEN));
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|_| NoMemory)?);
    let salt = [SALT_LABEL, name.as_str().as_bytes()].concat();
    let mut seed = Zeroizing::new([0; SigningKey::LEN]);
    argon2.hash_password_into(passphrase.as_bytes(), &salt, &mut *seed).map_err(|_| NoMemory)?;
    Ok(SigningKey::from_bytes(&seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_the_same_key_on_every_device_and_another_for_each_name() {
        let passphrase = Passphrase::generate(&[7; 32]);
        let key = |name: &str| person_key(&Name::new(name).unwrap(), &passphrase).unwrap().public();
        let alice = key("alice");
        assert_eq!(key("Alice"), alice, "the name is normalised");
        assert_ne!(key("a1ice"), alice);
    }
}
