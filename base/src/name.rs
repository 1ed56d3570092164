//! What people call themselves: names that look the same everywhere, and where they are claimed.

use std::fmt;

use precis_core::profile::PrecisFastInvocation;
use precis_profiles::UsernameCaseMapped;
use unicode_script::{Script, UnicodeScript};
use unicode_security::{GeneralSecurityProfile, MixedScript};

use crate::{Key, PublicKey};

/// Longest name, in bytes of UTF-8, normalised: a user part that fits any SIP header, and a file's name
/// on any system.
pub const NAME_MAX: usize = 64;

/// What is looked at of what somebody typed, in bytes. Normalising makes a name shorter by half at most.
const INPUT_MAX: usize = 2 * NAME_MAX;

/// Under this and the skeleton lie all claims of the names that look like one name.
const KEY_PREFIX: &str = "name/";

/// The ASCII characters beside letters and digits. What SIP's user part, a URL's path, a shell, XML or
/// the tags of losers give a meaning to is not among them.
const PUNCTUATION: [char; 3] = ['-', '_', '.'];

/// A name, normalised: PRECIS' `UsernameCaseMapped` (RFC 8265, section 3.3), of characters that UTS 39
/// allows in identifiers (section 3.1) and of a single script (section 5.1); of ASCII, letters, digits
/// and `-`, `_`, `.`, these not first or last. At most [`NAME_MAX`] bytes.
///
/// Two that normalise alike are the same name. Two that only look alike are two names, claimed under
/// one key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    text: String,
    key: Key,
}

/// Why something is no name, and what to do. Fit to be shown to who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing.
    #[error("the name is empty; choose one of 1 to {NAME_MAX} bytes")]
    Empty,
    /// It is no text.
    #[error("the name is not UTF-8; send it as UTF-8")]
    NotUtf8,
    /// It is longer than [`NAME_MAX`].
    #[error("the name has {len} bytes; the limit is {NAME_MAX}")]
    TooLong {
        /// Its length, in bytes.
        len: usize,
    },
    /// A character that no name may have.
    #[error("a name may not have the character {}; use letters, digits, '-', '_' and '.'", shown(*.0))]
    Forbidden(char),
    /// A character that may stand inside a name only.
    #[error("a name may not begin or end with {}; put a letter or digit there", shown(*.0))]
    AtTheEdge(char),
    /// Characters of scripts that are not written together: one may pass for another.
    #[error("the name mixes {first} and {second} letters; use letters of one script")]
    MixedScripts {
        /// The first character's script.
        first: &'static str,
        /// That of one it does not go with.
        second: &'static str,
    },
    /// Left-to-right and right-to-left characters in an order that shows differently from how it is read
    /// (RFC 5893).
    #[error(
        "the name mixes writing directions so that it would show in another order; use one direction"
    )]
    Direction,
    /// Normalising fails, for a reason not listed here.
    #[error("the name cannot be normalised; use letters and digits of one script")]
    NotNormal,
}

impl Name {
    /// A name from what somebody typed.
    ///
    /// # Errors
    /// [`NameError`] says what to change.
    pub fn new(typed: &str) -> Result<Name, NameError> {
        if typed.is_empty() {
            return Err(NameError::Empty);
        }
        if typed.len() > INPUT_MAX {
            return Err(NameError::TooLong { len: typed.len() });
        }
        let text = UsernameCaseMapped::enforce(typed).map_err(|error| refused(typed, &error))?;
        if text.len() > NAME_MAX {
            return Err(NameError::TooLong { len: text.len() });
        }
        if let Some(other) = text.chars().find(|c| !is_allowed(*c)) {
            return Err(NameError::Forbidden(other));
        }
        let mut edges = text.chars().next().into_iter().chain(text.chars().next_back());
        if let Some(edge) = edges.find(|c| PUNCTUATION.contains(c)) {
            return Err(NameError::AtTheEdge(edge));
        }
        if !(&*text).is_single_script() {
            return Err(mixed_scripts(&text));
        }
        let key = Key::new(format!("{KEY_PREFIX}{}", skeleton(&text)));
        let key = key.map_err(|_| NameError::TooLong { len: text.len() })?;
        Ok(Name { text: text.into_owned(), key })
    }

    /// A name from bytes that should be UTF-8.
    ///
    /// # Errors
    /// As [`Name::new`], and [`NameError::NotUtf8`].
    pub fn from_bytes(typed: &[u8]) -> Result<Name, NameError> {
        Name::new(std::str::from_utf8(typed).map_err(|_| NameError::NotUtf8)?)
    }

    /// The name, normalised.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the name looks like: the same for two names that one may take for one another (UTS 39,
    /// section 4), upper and lower case aside. Not to be shown to anybody.
    pub fn skeleton(&self) -> &str {
        std::str::from_utf8(&self.key.as_bytes()[KEY_PREFIX.len()..]).unwrap_or_default()
    }

    /// Where the name is claimed, together with all that look like it.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// How one dials the name with a keypad or keyboard that has only ASCII: `rene` for `rené`. None if
    /// it is ASCII itself, or has no such form. Somebody else may have the alias as a name, and is meant
    /// by it then.
    pub fn ascii_alias(&self) -> Option<Name> {
        if self.text.is_ascii() {
            return None;
        }
        let ascii = deunicode::deunicode_with_tofu(&self.text, "?");
        Name::new(&ascii.split_whitespace().collect::<String>()).ok()
    }

    /// How somebody is shown who claims the name and does not have it: `alice~4f2a`.
    pub fn with_tag(&self, author: &PublicKey) -> String {
        format!("{self}~{}", author.fingerprint().tag())
    }
}

/// What characters look like, each by the one that stands for all that look like it. Prototypes may be
/// capital letters (`O` for `0`), so it is done again when those are small.
fn skeleton(text: &str) -> String {
    let once: String = unicode_security::skeleton(text).collect();
    unicode_security::skeleton(&once.to_lowercase()).collect()
}

fn is_allowed(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || PUNCTUATION.contains(&character);
    }
    character.identifier_allowed()
}

fn refused(typed: &str, error: &precis_core::Error) -> NameError {
    match error {
        precis_core::Error::BadCodepoint(bad) => {
            NameError::Forbidden(char::from_u32(bad.cp).unwrap_or(char::REPLACEMENT_CHARACTER))
        }
        // Of what PRECIS has to say without naming a character, only direction is left.
        precis_core::Error::Invalid if !typed.is_ascii() => NameError::Direction,
        _ => NameError::NotNormal,
    }
}

/// Names the scripts of two characters that do not go together.
fn mixed_scripts(text: &str) -> NameError {
    let scripts = || {
        text.chars()
            .map(|c| c.script())
            .filter(|s| !matches!(s, Script::Common | Script::Inherited))
    };
    let first = scripts().next().unwrap_or(Script::Common);
    let second = scripts().find(|script| *script != first).unwrap_or(Script::Common);
    NameError::MixedScripts { first: first.full_name(), second: second.full_name() }
}

/// A character as an error shows it: by its number, if it cannot be seen.
fn shown(character: char) -> String {
    if character.is_control()
        || character.is_whitespace()
        || !character.identifier_allowed() && !character.is_ascii()
    {
        return format!("U+{:04X}", u32::from(character));
    }
    format!("'{character}'")
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({})", self.text)
    }
}

#[cfg(test)]
mod tests;
