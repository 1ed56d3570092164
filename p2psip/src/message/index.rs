//! Finding the header fields of a message, once and in one pass. Nothing is copied; values are looked
//! at when somebody asks.

use super::grammar::{is_token, trim};
use super::name::HeaderName;

/// A message's header fields; a request of a phone has some 15, and what passed five proxies some 30.
/// More is no call, but an attempt to make readers search.
pub const FIELDS_MAX: usize = 256;

/// Room for the fields of most messages, so that the index grows seldom.
const FIELDS_USUAL: usize = 24;

/// A part of a message. No message is longer than 65,535 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Span {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    /// That `start` and `end` fit is the business of the limit of a message.
    pub(crate) fn new(start: usize, end: usize) -> Span {
        let fit = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        Span { start: fit(start), end: fit(end) }
    }
}

/// Where a header field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: HeaderName,
    /// Of the name; the line begins there.
    pub(crate) line: u16,
    pub(crate) name_end: u16,
    /// Of the value, without white space around it.
    pub(crate) value: Span,
    /// After its last line's end.
    pub(crate) end: u16,
}

/// What is wrong with the structure of a message that can be answered nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The start line has more white space than two spaces.
    #[error("Malformed Start Line")]
    StartLine,
    /// A line is no header field.
    #[error("Malformed Header Line")]
    HeaderLine,
    /// A carriage return stands alone: the next element might take it for the end of a line, and see
    /// other headers than this one does.
    #[error("Stray Carriage Return")]
    StrayReturn,
    /// There are more header fields than [`FIELDS_MAX`].
    #[error("Too Many Header Fields")]
    TooManyFields,
    /// No empty line ends the header.
    #[error("Header Without End")]
    NoEnd,
    /// Content-Length is no number, or is there more than once.
    #[error("Bad Content-Length")]
    ContentLength,
    /// The body has fewer bytes than Content-Length says.
    #[error("Body Shorter Than Content-Length")]
    ShortBody,
}

/// The header fields, and where the body begins.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) entries: Vec<Entry>,
    pub(crate) body: usize,
    pub(crate) defect: Option<Defect>,
}

/// Indexes what follows the start line, which ends before `at`.
pub(crate) fn index(bytes: &[u8], mut at: usize) -> Index {
    let mut entries = Vec::with_capacity(FIELDS_USUAL);
    let mut defect = None;
    loop {
        let Some(end) = field_end(bytes, at) else {
            defect = defect.or(Some(Defect::NoEnd));
            return Index { entries, body: bytes.len(), defect };
        };
        if matches!(&bytes[at..end], b"\r\n" | b"\n") {
            return Index { entries, body: end, defect };
        }
        if entries.len() == FIELDS_MAX {
            let defect = Some(Defect::TooManyFields);
            return Index { entries, body: bytes.len(), defect };
        }
        match entry(bytes, at, end) {
            Ok(entry) => entries.push(entry),
            Err(wrong) => defect = defect.or(Some(wrong)),
        }
        at = end;
    }
}

/// After the line, and those that continue it, that begins at `at`.
pub(crate) fn field_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at + memchr::memchr(b'\n', bytes.get(at..)?)? + 1;
    let empty = end - at <= 2 && matches!(&bytes[at..end], b"\r\n" | b"\n");
    while !empty && matches!(bytes.get(end), Some(b' ' | b'\t')) {
        end += memchr::memchr(b'\n', &bytes[end..])? + 1;
    }
    Some(end)
}

/// A field's name and its value without the white space around it.
pub(crate) fn name_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    is_token(name).then(|| (name, trim(&line[colon + 1..])))
}

fn entry(bytes: &[u8], at: usize, end: usize) -> Result<Entry, Defect> {
    let line = &bytes[at..end];
    let (name, value) = name_and_value(line).ok_or(Defect::HeaderLine)?;
    let mut rest = line;
    while let Some(found) = memchr::memchr(b'\r', rest) {
        rest = &rest[found + 1..];
        if rest.first() != Some(&b'\n') {
            return Err(Defect::StrayReturn);
        }
    }
    // An empty value lies at the end of its line.
    let from = at + (value.as_ptr() as usize - line.as_ptr() as usize).min(line.len());
    let value = Span::new(from, from + value.len());
    let (line, end) = (Span::new(at, at + name.len()), Span::new(end, end).end);
    Ok(Entry { name: HeaderName::of(name), line: line.start, name_end: line.end, value, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(header: &str) -> (Vec<(String, String)>, Option<Defect>) {
        let bytes = header.as_bytes();
        let index = index(bytes, 0);
        let text = |part: &[u8]| String::from_utf8(part.to_vec()).unwrap();
        let fields = index.entries.iter().map(|entry| {
            let name = Span { start: entry.line, end: entry.name_end };
            (text(name.of(bytes)), text(entry.value.of(bytes)))
        });
        (fields.collect(), index.defect)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn lines_are_fields_with_or_without_white_space_and_folds() {
        let header = "a:1\r\nB \t: 2 \r\nc:\r\n\t3\r\n  4\r\nd:\r\ne:: \r\nf: 1\n\r\nbody: x";
        let expected =
            [("a", "1"), ("B", "2"), ("c", "3\r\n  4"), ("d", ""), ("e", ":"), ("f", "1")];
        assert_eq!(fields(header), (pairs(&expected), None));
        assert_eq!(&header[index(header.as_bytes(), 0).body..], "body: x");
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_found() {
        for (header, found, defect) in [
            ("a:1\r\nnothing\r\nb:2\r\n\r\n", vec![("a", "1"), ("b", "2")], Defect::HeaderLine),
            (" a:1\r\nb:2\r\n\r\n", vec![("b", "2")], Defect::HeaderLine),
            ("a b:1\r\n\r\n", vec![], Defect::HeaderLine),
            (":1\r\n\r\n", vec![], Defect::HeaderLine),
            ("a:1\rb:2\r\n\r\n", vec![], Defect::StrayReturn),
            ("a:1\r\nb:2", vec![("a", "1")], Defect::NoEnd),
            ("", vec![], Defect::NoEnd),
        ] {
            assert_eq!(fields(header), (pairs(&found), Some(defect)), "{header:?}");
        }
        let many = "a:1\r\n".repeat(FIELDS_MAX + 1) + "\r\n";
        assert_eq!(fields(&many).1, Some(Defect::TooManyFields));
        let enough = "a:1\r\n".repeat(FIELDS_MAX) + "\r\n";
        assert_eq!(fields(&enough).1, None);
    }
}
