//! Two people who meet compare their keys: by six words that both see, or by a code that one shows and the
//! other reads. From then on a changed key is noticed.

use std::fmt;

use base::{Name, PublicKey};

use crate::private::Kept;

/// Words that are compared.
pub const WORDS: usize = 6;
/// A word is two syllables of a consonant and a vowel that are hard to take for one another, as those of
/// passphrases are: 8,100 words, 12.98 bits. Six are 77.9 bits.
const CONSONANTS: &[u8; 18] = b"bdfghjklmnprstvwyz";
const VOWELS: &[u8; 5] = b"aeiou";
const WORDS_IN_ALL: u16 = 8_100;
/// The largest multiple of that which two bytes hold: what is drawn from there on is drawn again.
const FAIR_BELOW: u16 = 64_800;
/// Hashes one after the other that the words take: some ten milliseconds here. Who wants to stand between two
/// people looks for two keys, one for each of them, that make the same words; that takes 2^39 tries, and
/// so 2^56 hashes.
const ROUNDS: u32 = 1 << 17;

const CONTEXT: &str = "scope 2026-11 words of two keys";
/// A code begins with it.
const SCHEME: &str = "scope-key:";

/// How sure one is that a key is somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Nobody compared it.
    Unverified,
    /// It is the one that was compared.
    Verified,
    /// Another key was compared: somebody else has the name now, or she has lost her key.
    Changed,
}

/// What one shows to have one's key read: a name and a key, as text for a QR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The name.
    pub name: Name,
    /// The key.
    pub key: PublicKey,
}

/// What is no code, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no code of a key; one begins with {SCHEME} and is shown by: whatsup verify NAME")]
pub struct NotACode;

/// How sure one is of whoever has this name, by what one keeps.
pub fn trust(kept: &Kept, name: &Name, key: &PublicKey) -> Trust {
    match kept.verified(name) {
        None => Trust::Unverified,
        Some(verified) if verified == *key => Trust::Verified,
        Some(_) => Trust::Changed,
    }
}

/// The words of two keys: the same whichever is one's own. It takes a while, on purpose.
pub fn words(one: &PublicKey, other: &PublicKey) -> [String; WORDS] {
    let (low, high) = if one < other { (one, other) } else { (other, one) };
    let keys = [*low.as_bytes(), *high.as_bytes()].concat();
    let mut hash = blake3::derive_key(CONTEXT, &keys);
    for _ in 0..ROUNDS {
        hash = *blake3::hash(&hash).as_bytes();
    }
    let mut stream = blake3::Hasher::new_derive_key(CONTEXT).update(&hash).finalize_xof();
    std::array::from_fn(|_| {
        loop {
            let mut drawn = [0; 2];
            stream.fill(&mut drawn);
            let number = u16::from_be_bytes(drawn);
            if number < FAIR_BELOW {
                return word(number % WORDS_IN_ALL);
            }
        }
    })
}

fn word(number: u16) -> String {
    let mut rest = usize::from(number);
    let mut word = String::with_capacity(4);
    for _ in 0..2 {
        for letters in [&CONSONANTS[..], &VOWELS[..]] {
            word.push(char::from(letters[rest % letters.len()]));
            rest /= letters.len();
        }
    }
    word
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.key, self.name)
    }
}

impl std::str::FromStr for Code {
    type Err = NotACode;

    fn from_str(text: &str) -> Result<Code, NotACode> {
        let rest = text.trim().strip_prefix(SCHEME).ok_or(NotACode)?;
        let (key, name) = rest.split_once('/').ok_or(NotACode)?;
        let (key, name) = (key.parse().ok(), Name::new(name).ok());
        Ok(Code { key: key.ok_or(NotACode)?, name: name.ok_or(NotACode)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> PublicKey {
        base::SigningKey::from_bytes(&[seed; 32]).public()
    }

    #[test]
    fn both_see_the_same_words_and_others_see_others() {
        let ours = words(&key(1), &key(2));
        assert_eq!(words(&key(2), &key(1)), ours);
        let others = words(&key(1), &key(3));
        assert!(ours.iter().zip(&others).any(|(one, other)| one != other));
        assert!(ours.iter().all(|word| word.len() == 4));
        // They are the same in every version, or old and new ones could not be compared.
        assert_eq!(ours.join(" "), "pago pomi riwo wami nato vora");
        assert!(f64::from(WORDS_IN_ALL).log2() * WORDS as f64 > 77.0);
        let mut all: Vec<String> = (0..WORDS_IN_ALL).map(word).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), usize::from(WORDS_IN_ALL));
    }

    #[test]
    fn a_code_reads_back_and_nothing_else_does() {
        let code = Code { name: Name::new("zoë").unwrap(), key: key(1) };
        assert_eq!(format!(" {code}\n").parse(), Ok(code.clone()));
        let text = code.to_string();
        for wrong in ["", "scope-key:", "alice", &text[..60], &text.replace("zoë", ".x")] {
            assert_eq!(wrong.parse::<Code>(), Err(NotACode), "{wrong}");
        }
    }
}
