//! What people write, made harmless: the one place where control characters, bidirectional overrides and
//! the like are refused on their way in, and made visible on their way out. All text that comes from the
//! overlay is somebody's and may be meant to trick whoever reads it.

use std::borrow::Cow;

/// What stands for a character that is not shown.
const INSTEAD: char = char::REPLACEMENT_CHARACTER;

/// A text that is not taken, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is nothing but space.
    #[error("the {0} is empty; write something")]
    Empty(&'static str),
    /// It is longer than it may be.
    #[error("the {what} has {len} bytes; the limit is {max}")]
    TooLong {
        /// What it was to be.
        what: &'static str,
        /// Its length, in bytes.
        len: usize,
        /// The longest, in bytes.
        max: usize,
    },
    /// It has a character that is not seen and changes what is, or what a terminal does.
    #[error("the {what} has the character U+{character:04X}, which cannot be seen; leave it out")]
    Unseen {
        /// What it was to be.
        what: &'static str,
        /// The character's number.
        character: u32,
    },
}

/// A text of one line that somebody typed: space at its ends taken off, at most `max` bytes, not empty.
///
/// # Errors
/// [`TextError`] says what to change.
pub fn line(typed: &str, what: &'static str, max: usize) -> Result<String, TextError> {
    check(typed.trim(), what, max, |_| false)
}

/// A text of any number of lines that somebody typed. Line ends become `\n`; tabs stay.
///
/// # Errors
/// [`TextError`] says what to change.
pub fn lines(typed: &str, what: &'static str, max: usize) -> Result<String, TextError> {
    let typed = typed.replace("\r\n", "\n");
    check(typed.trim(), what, max, |c| matches!(c, '\n' | '\t'))
}

/// Somebody's text as one line that is safe to show: what cannot be seen is replaced by `�`, and breaks by
/// spaces.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let shown = |c| match c {
        '\n' | '\t' => ' ',
        c if is_unseen(c) => INSTEAD,
        c => c,
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Somebody's text that is safe to show, its lines kept.
pub fn shown_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| shown(line.trim_end_matches('\r'))).collect();
    lines.join("\n")
}

/// At most so many bytes of a text, cut between characters, with `…` if something was cut.
pub fn shortened(text: &str, max: usize) -> Cow<'_, str> {
    const SIGN: char = '…';
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(max.saturating_sub(SIGN.len_utf8()));
    Cow::Owned(format!("{}{SIGN}", text[..end].trim_end()))
}

fn check(
    text: &str,
    what: &'static str,
    max: usize,
    also: impl Fn(char) -> bool,
) -> Result<String, TextError> {
    if text.is_empty() {
        return Err(TextError::Empty(what));
    }
    if text.len() > max {
        return Err(TextError::TooLong { what, len: text.len(), max });
    }
    match text.chars().find(|c| is_unseen(*c) && !also(*c)) {
        Some(c) => Err(TextError::Unseen { what, character: u32::from(c) }),
        None => Ok(text.to_owned()),
    }
}

/// Whether a character is not seen and yet does something: moves a terminal's cursor, ends a line, turns
/// the writing direction of what comes after (UTS 9, section 2: embeddings, overrides, isolates), or
/// annotates. Joiners and direction marks stay: several scripts and many emoji need them.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_seen_is_refused_on_the_way_in_and_replaced_on_the_way_out() {
        for hostile in ["a\u{1b}[2Jb", "a\u{202e}b", "a\u{2066}b", "a\u{9b}b", "a\u{2028}b"] {
            let error = line(hostile, "name", 100).unwrap_err().to_string();
            assert!(error.starts_with("the name has the character U+"), "{error}");
            assert!(shown(hostile).starts_with("a\u{fffd}"), "{hostile:?}");
        }
        assert_eq!(shown("one\ntwo\tthree"), "one two three");
        assert_eq!(shown_lines("one\r\ntwo\u{7}"), "one\ntwo\u{fffd}");
    }

    #[test]
    fn words_of_all_scripts_and_emoji_are_taken_as_they_are() {
        for text in ["Zoë", "山田 花子", "עדה", "می‌خواهم", "👩‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]
        {
            assert_eq!(line(&format!(" {text}\n"), "name", 100), Ok(text.to_owned()));
            assert_eq!(shown(text), text);
        }
        assert_eq!(lines("a\r\n\tb\n", "text", 100), Ok("a\n\tb".to_owned()));
    }

    #[test]
    fn too_long_and_empty_are_said_with_the_limit() {
        assert_eq!(line(" \n", "name", 3), Err(TextError::Empty("name")));
        let error = line("four", "name", 3).unwrap_err();
        assert_eq!(error.to_string(), "the name has 4 bytes; the limit is 3");
        assert_eq!(shortened("héllo wörld", 8), "héll…");
        assert_eq!(shortened("hello", 5), "hello");
    }

    proptest! {
        #[test]
        fn what_is_shown_has_nothing_unseen_and_is_shown_again_as_it_is(text in any::<String>()) {
            let once = shown(&text).into_owned();
            prop_assert!(!once.chars().any(is_unseen));
            prop_assert_eq!(shown(&once), once.as_str());
            prop_assert!(!shown_lines(&text).chars().any(|c| c != '\n' && is_unseen(c)));
        }

        #[test]
        fn what_is_shortened_is_not_too_long(text in any::<String>(), max in 3usize..40) {
            prop_assert!(shortened(&text, max).len() <= max);
        }
    }
}
