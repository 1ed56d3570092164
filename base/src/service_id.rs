//! The name of a service: of a virtual overlay with keys of its own.

use std::fmt;
use std::str::FromStr;

use unicode_security::confusable_detection::skeleton;
use unicode_security::{GeneralSecurityProfile, MixedScript};

use crate::limits::SERVICE_ID_MAX;

/// A service's name, `P2PSIP` for one: 1 to [`SERVICE_ID_MAX`] bytes of UTF-8, compared byte by byte,
/// so that case matters. It is of one script (UTS 39, section 5.1), and of characters one can see:
/// printable ASCII, and those UTS 39 allows in identifiers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(String);

/// Why a text names no service. Fit to be shown to whoever gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAServiceId {
    /// There is none.
    #[error("the Service-ID is empty; give one like P2PSIP")]
    Empty,
    /// It is too long.
    #[error("the Service-ID has {0} bytes; the limit is {SERVICE_ID_MAX}")]
    TooLong(usize),
    /// It is no text.
    #[error("the Service-ID is not UTF-8")]
    NotUtf8,
    /// It has a character that cannot be seen, or is for other things than names.
    #[error(
        "the Service-ID has the character U+{:04X}; take letters, digits and ASCII punctuation, without spaces",
        u32::from(*.0)
    )]
    Character(char),
    /// Its letters are of several scripts.
    #[error("the Service-ID mixes letters of several scripts; keep to one")]
    MixedScripts,
}

impl ServiceId {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NotAServiceId`], saying what is wrong with it.
    pub fn new(text: impl Into<String>) -> Result<ServiceId, NotAServiceId> {
        let text = text.into();
        if text.is_empty() {
            return Err(NotAServiceId::Empty);
        }
        if text.len() > SERVICE_ID_MAX {
            return Err(NotAServiceId::TooLong(text.len()));
        }
        let allowed = |c: &char| c.is_ascii_graphic() || (!c.is_ascii() && c.identifier_allowed());
        if let Some(other) = text.chars().find(|c| !allowed(c)) {
            return Err(NotAServiceId::Character(other));
        }
        if !text.as_str().is_single_script() {
            return Err(NotAServiceId::MixedScripts);
        }
        Ok(ServiceId(text))
    }

    /// Checks bytes that ought to be a name.
    ///
    /// # Errors
    /// [`NotAServiceId`], saying what is wrong with them.
    pub fn from_bytes(bytes: &[u8]) -> Result<ServiceId, NotAServiceId> {
        // Not even looked at beyond the limit.
        if bytes.len() > SERVICE_ID_MAX {
            return Err(NotAServiceId::TooLong(bytes.len()));
        }
        ServiceId::new(str::from_utf8(bytes).map_err(|_| NotAServiceId::NotUtf8)?)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it looks like (UTS 39, section 4): two names with one skeleton cannot be told apart by eye.
    /// Only for comparing.
    pub fn skeleton(&self) -> String {
        skeleton(&self.0).collect()
    }

    /// Whether the other is another service, and looks the same.
    pub fn is_confusable_with(&self, other: &ServiceId) -> bool {
        self != other && self.skeleton() == other.skeleton()
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ServiceId {
    type Err = NotAServiceId;

    fn from_str(text: &str) -> Result<ServiceId, NotAServiceId> {
        ServiceId::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ServiceId {
        ServiceId::new(text).unwrap()
    }

    #[test]
    fn names_of_any_one_script_are_services() {
        for text in ["P2PSIP", "WHATSUP", "a", "chess/blitz+5", "Größe", "шахматы", "将棋", "شطرنج"]
        {
            assert_eq!(id(text).as_str(), text);
        }
        assert_eq!(id(&"x".repeat(64)).as_str().len(), 64);
        assert_ne!(id("P2PSIP"), id("p2psip"), "case matters");
    }

    #[test]
    fn what_is_no_name_is_told_what_is_wrong_with_it() {
        for (text, error) in [
            ("", NotAServiceId::Empty),
            (&"x".repeat(65), NotAServiceId::TooLong(65)),
            (&"ж".repeat(33), NotAServiceId::TooLong(66)),
            ("P2P SIP", NotAServiceId::Character(' ')),
            ("P2P\u{a0}SIP", NotAServiceId::Character('\u{a0}')),
            ("P2P\nSIP", NotAServiceId::Character('\n')),
            ("P2P\u{200b}SIP", NotAServiceId::Character('\u{200b}')),
            ("P2P\u{202e}SIP", NotAServiceId::Character('\u{202e}')),
            ("\u{1f4de}", NotAServiceId::Character('\u{1f4de}')),
            ("P2P\u{421}IP", NotAServiceId::MixedScripts),
        ] {
            assert_eq!(ServiceId::new(text), Err(error), "{text:?}");
        }
        assert_eq!(ServiceId::from_bytes(b"P2P\xff"), Err(NotAServiceId::NotUtf8));
        assert_eq!(ServiceId::from_bytes(&[0xff; 65]), Err(NotAServiceId::TooLong(65)));
        let text = NotAServiceId::Character('\u{202e}').to_string();
        assert!(text.contains("U+202E"), "{text}");
    }

    #[test]
    fn names_that_look_the_same_are_found_out() {
        assert!(id("COPA").is_confusable_with(&id("\u{421}\u{41e}\u{420}\u{410}")));
        assert!(id("P2PSIP").is_confusable_with(&id("P2PSlP")));
        assert!(!id("P2PSIP").is_confusable_with(&id("P2PSIP")));
        assert!(!id("P2PSIP").is_confusable_with(&id("p2psip")));
    }
}
