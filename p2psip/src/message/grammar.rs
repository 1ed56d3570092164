//! What all values have in common (RFC 3261 §25.1): characters, white space, tokens, quoted strings,
//! lists separated by commas. Knows no header.

use std::borrow::Cow;

/// Why a value is not what it has to be. Never repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

const TOKEN: u8 = 1;
const VALUE: u8 = 2;

/// What each byte may be part of, looked up for every byte that comes.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        let token = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        // More than the grammar has: branches and tags with `/`, `=` and `@` are about.
        let value = byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'<' | b'>');
        table[byte as usize] = (if token { TOKEN } else { 0 }) | (if value { VALUE } else { 0 });
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & TOKEN != 0
}

fn is_value_byte(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & VALUE != 0
}

/// White space within a value, of which a line's fold is a part: the index of headers lets no other
/// line end pass.
pub(crate) fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    let from = bytes.iter().position(|byte| !is_lws(*byte)).unwrap_or(bytes.len());
    &bytes[from..]
}

pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = trim_start(bytes);
    let to = bytes.iter().rposition(|byte| !is_lws(*byte)).map_or(0, |last| last + 1);
    &bytes[..to]
}

/// The bytes of `bytes` as long as `is`, and the rest.
fn split_while(bytes: &[u8], is: fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| !is(*byte)).unwrap_or(bytes.len()))
}

/// The token at the beginning, maybe empty, and the rest.
pub(crate) fn token(bytes: &[u8]) -> (&[u8], &[u8]) {
    split_while(bytes, is_token_byte)
}

/// A parameter's value that is not quoted, maybe empty, and the rest.
pub(crate) fn plain_value(bytes: &[u8]) -> (&[u8], &[u8]) {
    split_while(bytes, is_value_byte)
}

/// The quoted string at the beginning, with its quotes, and the rest.
pub(crate) fn quoted(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if bytes[at - 1] == b'"' {
            return Ok(bytes.split_at(at));
        }
        // Whatever it is, it is only a character.
        at += 1;
    }
    Err(Malformed("a quoted string does not end"))
}

/// What a value means that may be a quoted string: without its quotes and backslashes.
pub(crate) fn unquote(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return Cow::Borrowed(value);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        out.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    Cow::Owned(out)
}

/// As text: all but display names, reasons and what nobody reads has to be UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("it is not UTF-8"))
}

/// A number in decimal digits; one too large for 64 bits is the largest.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        bytes.iter().fold(0_u64, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        }),
    )
}

/// The elements of a list separated by commas, outside of quotes and angle brackets, without the white
/// space around them.
#[derive(Debug, Clone)]
pub(crate) struct List<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> List<'a> {
    pub(crate) fn new(value: &'a [u8]) -> List<'a> {
        List { rest: Some(value) }
    }

    /// The elements from one on and up to another, with what is between them. What is no element
    /// belongs to the last one.
    pub(crate) fn part(value: &'a [u8], from: usize, to: usize) -> &'a [u8] {
        let mut list = List::new(value);
        list.by_ref().take(from).for_each(drop);
        let Some(part) = list.rest else { return &[] };
        list.by_ref().take(to - from).for_each(drop);
        // What is left begins after a comma.
        let left = list.rest.map_or(0, |rest| rest.len() + 1);
        trim(&part[..part.len() - left])
    }
}

impl<'a> Iterator for List<'a> {
    type Item = Result<&'a [u8], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let all = self.rest.take()?;
        let mut rest = all;
        while let Some(found) = memchr::memchr3(b'"', b',', b'<', rest) {
            rest = match rest[found] {
                b',' => {
                    self.rest = Some(&rest[found + 1..]);
                    return Some(Ok(trim(&all[..all.len() - rest.len() + found])));
                }
                b'"' => match quoted(&rest[found..]) {
                    Ok((_, after)) => after,
                    Err(error) => return Some(Err(error)),
                },
                // Within brackets is a URI, in which a quote is no quote.
                _ => match memchr::memchr(b'>', &rest[found..]) {
                    Some(close) => &rest[found + close + 1..],
                    None => &[],
                },
            };
        }
        Some(Ok(trim(all)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_split_only_outside_of_quotes_and_brackets() {
        for (value, expected) in [
            ("a, b ,\r\n c", vec!["a", "b", "c"]),
            (r#""a,\"b" <sip:x,y@z>, d"#, vec![r#""a,\"b" <sip:x,y@z>"#, "d"]),
            (r#"<sip:"@z>,d"#, vec![r#"<sip:"@z>"#, "d"]),
            ("", vec![""]),
            (",", vec!["", ""]),
        ] {
            let list: Result<Vec<_>, _> = List::new(value.as_bytes()).collect();
            let expected: Vec<_> = expected.iter().map(|element| element.as_bytes()).collect();
            assert_eq!(list.unwrap(), expected, "{value}");
        }
        assert!(List::new(b"\"a, b").any(|element| element.is_err()));
    }

    #[test]
    fn a_part_of_a_list_is_as_it_was() {
        let value = b" a ,b,\r\n \"c,\" , \"d";
        for (from, to, part) in [
            (0, 4, "a ,b,\r\n \"c,\" , \"d"),
            (0, 1, "a"),
            (1, 3, "b,\r\n \"c,\""),
            (2, 4, "\"c,\" , \"d"),
            (3, 4, "\"d"),
            (4, 4, ""),
        ] {
            assert_eq!(List::part(value, from, to), part.as_bytes(), "{from} {to}");
        }
    }

    #[test]
    fn a_quoted_string_ends_at_its_quote() {
        assert_eq!(quoted(br#""a\"\\" x"#), Ok((br#""a\"\\""#.as_slice(), b" x".as_slice())));
        assert!(quoted(br#""a\""#).is_err());
        assert!(quoted(br#"""#).is_err());
        assert!(quoted(br#""\"#).is_err());
        assert_eq!(unquote(r#""a\"\\b""#), r#"a"\b"#);
        assert_eq!(unquote("plain"), "plain");
        assert_eq!(unquote("\""), "\"");
    }

    #[test]
    fn numbers_saturate() {
        assert_eq!(number(b"0070"), Some(70));
        assert_eq!(number(b"99999999999999999999999"), Some(u64::MAX));
        for wrong in [b"".as_slice(), b"-1", b"1 ", b"0x1"] {
            assert_eq!(number(wrong), None);
        }
    }
}
