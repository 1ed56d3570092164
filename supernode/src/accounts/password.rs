//! The password itself. It is made of its owner's key and a salt, so that nobody keeps it: the key and the
//! salt are enough to say it again, and to renew what super-nodes know of it. Pure.

use base::{Name, Passphrase, SigningKey};
use zeroize::Zeroizing;

use super::record::Salt;

/// What a password is made of beside the key: a change gives everybody another one.
const CONTEXT: &str = "scope 2026-11 phone password of a name";

/// A password to type into a telephone: twenty small letters, 64.9 bits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PhonePassword(Zeroizing<String>);

impl PhonePassword {
    /// The password of a key, a name and a salt: always the same.
    pub(crate) fn of(key: &SigningKey, name: &Name, salt: &Salt) -> PhonePassword {
        let seed = key.to_bytes();
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&*seed).update(salt).update(name.as_str().as_bytes());
        let words = Passphrase::generate(hasher.finalize().as_bytes());
        // Phones have the dash on another layer of their keyboard; and it tells the two apart.
        let letters = words.as_str().chars().filter(|c| *c != '-');
        PhonePassword(Zeroizing::new(letters.collect()))
    }

    /// Its text, to be shown to its owner.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// It does not end up in logs.
impl std::fmt::Debug for PhonePassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PhonePassword")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_that_of_its_key_name_and_salt_and_easy_to_type() {
        let password = |seed, name, salt| {
            let name = Name::new(name).unwrap();
            PhonePassword::of(&SigningKey::from_bytes(&[seed; 32]), &name, &[salt; 8])
        };
        let one = password(1, "alice", 1);
        assert_eq!(one, password(1, "Alice", 1));
        let others = [password(2, "alice", 1), password(1, "bob", 1), password(1, "alice", 2)];
        assert!(!others.contains(&one));
        assert_eq!(one.as_str().len(), 20);
        assert!(one.as_str().bytes().all(|byte| byte.is_ascii_lowercase()));
        assert_eq!(format!("{one:?}"), "PhonePassword");
    }
}
