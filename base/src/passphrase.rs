//! What a person remembers: five made-up words, or words of their own that are hard to guess.

use std::fmt;

use zeroize::Zeroizing;

use crate::Name;

/// Words of a passphrase that is made here.
const WORDS: usize = 5;

/// A word is two syllables of a consonant and a vowel that most languages have and that are hard to take
/// for one another: 18 × 5 × 18 × 5 = 8,100 words, 12.98 bits. Five are 64.9 bits.
const CONSONANTS: &[u8; 18] = b"bdfghjklmnprstvwyz";
const VOWELS: &[u8; 5] = b"aeiou";
const WORDS_IN_ALL: u16 = 8_100;

/// The largest multiple of the number of words that two bytes hold: numbers from there on are drawn
/// again, or some words would come more often.
const FAIR_BELOW: u16 = 64_800;

/// How many guesses a passphrase of one's own has to take, as a power of ten: 2^40. Each guess costs
/// 64 MiB and some tenths of a second; at a fifth, that is 7,000 years of one core.
const GUESSES_LOG10_MIN: f64 = 12.0;

/// Longest passphrase, in bytes.
const PASSPHRASE_MAX: usize = 256;

/// What is looked at to guess how hard it is to guess, in characters: what comes after only makes it
/// harder, and looking takes long.
const LOOKED_AT: usize = 64;

/// Separates the words drawn from all other uses of the entropy.
const DRAW_CONTEXT: &str = "scope 2026-11 passphrase words";

/// A passphrase strong enough to make a key of. It is wiped from memory when it is dropped, and not shown
/// in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

/// A passphrase that is not good enough, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Guessing it takes too few guesses.
    #[error(
        "the passphrase is too easy to guess: about {guesses_bits} bits, and 40 are needed; use five words that have nothing to do with each other, or let one be made"
    )]
    Weak {
        /// The logarithm to base two of how many guesses it may take.
        guesses_bits: u32,
    },
    /// It is longer than 256 bytes.
    #[error("the passphrase has {0} bytes; the limit is {PASSPHRASE_MAX}")]
    TooLong(usize),
}

impl Passphrase {
    /// A new one of five words, `bako-tiru-dolu-nemi-savo`, 64.9 bits, drawn from 32 bytes that nobody
    /// can guess.
    pub fn generate(entropy: &[u8; 32]) -> Passphrase {
        let mut stream =
            blake3::Hasher::new_derive_key(DRAW_CONTEXT).update(entropy).finalize_xof();
        let mut text = Zeroizing::new(String::with_capacity(WORDS * 5));
        while text.len() < WORDS * 5 - 1 {
            let mut drawn = [0; 2];
            stream.fill(&mut drawn);
            let number = u16::from_be_bytes(drawn);
            if number < FAIR_BELOW {
                if !text.is_empty() {
                    text.push('-');
                }
                push_word(&mut text, number % WORDS_IN_ALL);
            }
        }
        Passphrase(text)
    }

    /// One somebody typed, for this name. Spaces around and between words count as single dashes, and
    /// capital letters as small ones, so that one that was read aloud works. `new` is whether a key is
    /// to be made of it for the first time: then weak ones are refused.
    ///
    /// # Errors
    /// [`PassphraseError`] says what to do.
    pub fn typed(text: &str, name: &Name, new: bool) -> Result<Passphrase, PassphraseError> {
        if text.len() > PASSPHRASE_MAX {
            return Err(PassphraseError::TooLong(text.len()));
        }
        let mut normal = Zeroizing::new(String::with_capacity(2 * text.len()));
        for word in text.split_whitespace() {
            if !normal.is_empty() {
                normal.push('-');
            }
            word.chars().flat_map(char::to_lowercase).for_each(|c| normal.push(c));
        }
        if new && !is_generated(&normal) {
            check_strength(&normal, name)?;
        }
        Ok(Passphrase(normal))
    }

    /// Its text, to be shown to its owner once.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// `number` is below [`WORDS_IN_ALL`].
fn push_word(text: &mut String, number: u16) {
    let mut rest = usize::from(number);
    for _ in 0..2 {
        text.push(char::from(CONSONANTS[rest % CONSONANTS.len()]));
        rest /= CONSONANTS.len();
        text.push(char::from(VOWELS[rest % VOWELS.len()]));
        rest /= VOWELS.len();
    }
}

/// Whether it is such as are made here: their strength is known.
fn is_generated(text: &str) -> bool {
    let is_word = |word: &str| {
        word.len() == 4
            && word.bytes().enumerate().all(|(at, byte)| {
                if at % 2 == 0 { CONSONANTS.contains(&byte) } else { VOWELS.contains(&byte) }
            })
    };
    let mut words: Vec<&str> = text.split('-').collect();
    let all = words.len();
    words.sort_unstable();
    words.dedup();
    all == WORDS && words.len() == WORDS && words.iter().all(|word| is_word(word))
}

fn check_strength(text: &str, name: &Name) -> Result<(), PassphraseError> {
    let looked_at: Zeroizing<String> = Zeroizing::new(text.chars().take(LOOKED_AT).collect());
    let guesses_log10 = zxcvbn::zxcvbn(&looked_at, &[name.as_str(), "scope"]).guesses_log10();
    if guesses_log10 >= GUESSES_LOG10_MIN {
        return Ok(());
    }
    // Between 0 and 40: the cast only rounds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let guesses_bits = (guesses_log10.max(0.0) * std::f64::consts::LOG2_10) as u32;
    Err(PassphraseError::Weak { guesses_bits })
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Result<Passphrase, PassphraseError> {
        Passphrase::typed(text, &Name::new("alice").unwrap(), true)
    }

    #[test]
    fn five_words_are_made_of_entropy_and_can_be_typed_back() {
        for seed in 0..200 {
            let made = Passphrase::generate(&[seed; 32]);
            assert_eq!(made.as_str().len(), 24);
            assert_eq!(Passphrase::generate(&[seed; 32]), made);
            assert_eq!(typed(&made.as_str().to_uppercase().replace('-', "  ")), Ok(made.clone()));
            assert_ne!(Passphrase::generate(&[seed ^ 255; 32]), made);
        }
        assert_eq!(format!("{:?}", Passphrase::generate(&[1; 32])), "Passphrase");
    }

    #[test]
    fn each_number_is_another_word() {
        let mut words: Vec<String> = (0..WORDS_IN_ALL)
            .map(|number| {
                let mut word = String::new();
                push_word(&mut word, number);
                word
            })
            .collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), usize::from(WORDS_IN_ALL));
        let bits = f64::from(WORDS_IN_ALL).log2() * WORDS as f64;
        assert!(bits > 64.0, "{bits}");
    }

    #[test]
    fn weak_ones_are_refused_where_a_key_is_new() {
        for weak in [
            "",
            "a",
            "password",
            "alice2026",
            "qwertyuiop",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "bako-bako-bako-bako-bako",
            "correcthorse",
        ] {
            assert!(matches!(typed(weak), Err(PassphraseError::Weak { .. })), "{weak}");
        }
        for strong in ["correct horse battery staple umbrella", "Tr0ub4dor&3-vezmo!kilq"] {
            assert!(typed(strong).is_ok(), "{strong}");
        }
        assert!(Passphrase::typed("a", &Name::new("alice").unwrap(), false).is_ok());
        assert_eq!(typed(&"ab".repeat(200)), Err(PassphraseError::TooLong(400)));
    }
}
