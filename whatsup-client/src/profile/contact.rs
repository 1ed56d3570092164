//! Ways to reach somebody, as links of few kinds: what a browser or a telephone does with one can be
//! foreseen.

use crate::link::{LinkError, link};
use crate::text;

/// Longest contact, in bytes.
pub const CONTACT_MAX: usize = 400;

/// What is no way to be reached, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// A link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A kind of link that is not taken.
    #[error(
        "{0:?} is no contact: give an address as https://…, mailto:a@example.org, sip:a@scope or tel:+49…"
    )]
    Kind(String),
    /// The address of a known kind is none.
    #[error("{shown:?} is not what a {kind} contact looks like: {expected}")]
    Malformed {
        /// `mailto`, `sip` or `tel`.
        kind: &'static str,
        /// What was given.
        shown: String,
        /// What one looks like.
        expected: &'static str,
    },
}

/// A way to be reached in its one form: a link of `https`, `http`, `mailto`, `sip`, `sips` or `tel`, without
/// parameters that would do more than reach somebody. An e-mail address or a telephone number alone is made
/// one. Given again, it stays as it is.
///
/// # Errors
/// [`ContactError`] says what to change.
pub fn contact(given: &str) -> Result<String, ContactError> {
    let given = given.trim();
    let shown = || text::shortened(&text::shown(given), 60).into_owned();
    if given.len() > CONTACT_MAX {
        return Err(LinkError::TooLong { len: given.len() }.into());
    }
    let (scheme, rest) = match given.split_once(':') {
        Some((scheme, rest)) if scheme.bytes().all(|b| b.is_ascii_alphabetic()) => {
            (scheme.to_ascii_lowercase(), rest)
        }
        Some(_) => return Err(ContactError::Kind(shown())),
        None if given.contains('@') => ("mailto".to_owned(), given),
        None if number(given).is_some() => ("tel".to_owned(), given),
        None => return Err(ContactError::Kind(shown())),
    };
    let wrong = |kind, expected| ContactError::Malformed { kind, shown: shown(), expected };
    match &*scheme {
        "http" | "https" => Ok(link(given)?),
        "mailto" => match mailbox(rest, false) {
            Some(mailbox) => Ok(format!("mailto:{mailbox}")),
            None => Err(wrong("mailto", "one address, as in mailto:ada@example.org")),
        },
        "sip" | "sips" => match mailbox(rest, true) {
            Some(address) => Ok(format!("{scheme}:{address}")),
            None => Err(wrong("sip", "a user and a host, as in sip:ada@scope")),
        },
        "tel" => match number(rest) {
            Some(number) => Ok(format!("tel:{number}")),
            None => Err(wrong("tel", "a number, as in tel:+49-228-123456")),
        },
        _ => Err(ContactError::Kind(shown())),
    }
}

/// `user@host`, its host in small letters, with a port if it may have one. What quotes, escapes, or adds
/// headers or parameters is refused, as nobody sees what that does.
fn mailbox(text: &str, with_port: bool) -> Option<String> {
    let (user, host) = text.rsplit_once('@')?;
    let is_user = |c: char| c.is_alphanumeric() || (c.is_ascii() && "._-+~=".contains(c));
    if user.is_empty() || !user.chars().all(is_user) {
        return None;
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if with_port => (name, Some(port.parse::<u16>().ok()?)),
        _ => (host, None),
    };
    let is_host = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(is_host) {
        return None;
    }
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{user}@{}{port}", name.to_lowercase()))
}

/// A telephone number (RFC 3966): digits, and `+` first; `-` between them. Spaces, dots and brackets, which
/// people write, become dashes or vanish.
fn number(text: &str) -> Option<String> {
    let mut number = String::new();
    for c in text.trim().chars() {
        match c {
            '+' if number.is_empty() => number.push('+'),
            '0'..='9' => number.push(c),
            '-' | '.' | ' ' | '/' | '(' | ')' => {
                if number.ends_with(|c: char| c.is_ascii_digit()) {
                    number.push('-');
                }
            }
            _ => return None,
        }
    }
    let number = number.trim_end_matches('-').to_owned();
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    (2..=20).contains(&digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write_becomes_a_link_of_few_kinds() {
        for (given, kept) in [
            (" ada@Example.org ", "mailto:ada@example.org"),
            ("MAILTO:ada+x@example.org", "mailto:ada+x@example.org"),
            ("+49 (228) 12.34-56", "tel:+49-228-12-34-56"),
            ("tel:110", "tel:110"),
            ("sip:alice@scope", "sip:alice@scope"),
            ("sips:zoë@192.0.2.1:5061", "sips:zoë@192.0.2.1:5061"),
            ("https://example.org/~ada", "https://example.org/~ada"),
        ] {
            assert_eq!(contact(given), Ok(kept.to_owned()), "{given}");
            assert_eq!(contact(kept), Ok(kept.to_owned()), "{kept}: stays");
        }
    }

    #[test]
    fn what_would_do_more_than_reach_somebody_is_refused() {
        for given in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "mailto:a@b?bcc=all@example.org",
            "mailto:a@b,c@d",
            "mailto:\"a b\"@c",
            "sip:alice@scope;method=MESSAGE",
            "sip:alice@scope?Replaces=x",
            "sip:alice",
            "tel:*31#",
            "tel:+",
            "tel:12;phone-context=x",
            "https://user@host/",
            "ada",
            "",
            "a\u{202e}@b.c",
            "mailto:a\r\nBcc:x@y",
        ] {
            assert!(contact(given).is_err(), "{given}");
        }
        let error = contact("javascript:alert(1)").unwrap_err().to_string();
        assert!(error.contains("sip:a@scope"), "{error}");
    }

    proptest! {
        #[test]
        fn a_contact_is_its_own_one_form_and_begins_a_line_nowhere(given in any::<String>(),
            scheme in "(mailto:|tel:|sip:|https://|)", rest in "[a-z0-9@.+\\-/?#:; ,\"\\n]{0,30}") {
            for text in [given, format!("{scheme}{rest}")] {
                if let Ok(kept) = contact(&text) {
                    prop_assert_eq!(contact(&kept), Ok(kept.clone()));
                    prop_assert!(!kept.contains(char::is_whitespace));
                    prop_assert!(!kept.contains(char::is_control));
                }
            }
        }
    }
}
