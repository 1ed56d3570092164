//! Lines no wider than there is room, by what a terminal shows.

use ratatui::text::Line;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::text;

/// Columns before an indented line.
const INDENT: &str = "  ";

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The end of a text that fits into so many columns.
pub(super) fn end(text: &str, columns: usize) -> &str {
    let mut from = 0;
    while text[from..].width() > columns {
        from += text[from..].chars().next().map_or(1, char::len_utf8);
    }
    &text[from..]
}

/// Somebody's text, made harmless, in lines of at most so many columns; none of nothing.
pub(super) fn lines(text: &str, columns: usize) -> Vec<Line<'static>> {
    if text.is_empty() {
        return Vec::new();
    }
    let safe = text::shown_lines(text);
    safe.split('\n').flat_map(|line| wrapped(line, columns)).map(Line::from).collect()
}

/// As [`lines`], each behind two columns: whoever writes several cannot make one look like another's.
pub(super) fn indented(text: &str, columns: usize) -> Vec<Line<'static>> {
    let safe = text::shown_lines(text);
    let lines =
        safe.split('\n').flat_map(|line| wrapped(line, columns.saturating_sub(INDENT.len())));
    lines.map(|line| Line::from(format!("{INDENT}{line}"))).collect()
}

/// One line in lines of at most so many columns: broken at spaces, and within a word that is wider.
pub(super) fn wrapped(line: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let (mut lines, mut current, mut used) = (Vec::new(), String::new(), 0);
    for word in line.split_inclusive(' ') {
        // What is at a line's end may hang over it, if it is a space.
        let wide = word.trim_end_matches(' ').width();
        if used > 0 && used + wide > columns {
            lines.push(std::mem::take(&mut current).trim_end().to_owned());
            used = 0;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if used + wide > columns && used > 0 {
                if c == ' ' {
                    continue;
                }
                lines.push(std::mem::take(&mut current).trim_end().to_owned());
                used = 0;
            }
            current.push(c);
            used += wide;
        }
    }
    lines.push(current.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_break_at_spaces_and_within_words_that_are_too_wide() {
        assert_eq!(wrapped("coffee in hall three", 9), ["coffee in", "hall", "three"]);
        assert_eq!(wrapped("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrapped("山田花子", 5), ["山田", "花子"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!((end("hello", 3), end("山田", 3), end("", 0)), ("llo", "田", ""));
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_there_is_room_and_no_letter_is_lost(
            text in "[a-zé山 ]{0,60}", columns in 2usize..20,
        ) {
            let lines = wrapped(&text, columns);
            prop_assert!(lines.iter().all(|line| line.width() <= columns), "{lines:?}");
            let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
