//! Is a body safe to hand to the parser? One pass over its markup, without building anything:
//! the parser recurses as deep as the document does. The client checks replies by it as well.

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, Event};

/// Why a text is not handed to the parser; fit to be shown to whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotSafe(String);

/// How deep values may be nested in arrays and structs.
pub(crate) const NESTING_MAX: usize = 16;

/// Elements that can enclose the innermost value: `methodCall`, `params`, `param`, and for each
/// value in a struct itself, `struct` and `member`; then its type.
const DEPTH_MAX: usize = 3 + 3 * NESTING_MAX + 1;

/// Checks a body and returns it as text.
pub(crate) fn check(body: &[u8]) -> Result<&str, NotSafe> {
    let text = str::from_utf8(body).map_err(|error| {
        parse(format!("the request is not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    // A byte order mark, which some editors leave in templates.
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !is_harmless(text) {
        walk(text)?;
    }
    Ok(text)
}

/// Whether a text is too small to nest deeper than allowed, and declares nothing: so are most
/// calls, and the walk through their markup would take a tenth of their time. What else may be
/// wrong with them the parser finds.
fn is_harmless(text: &str) -> bool {
    // Each element but the innermost has two tags.
    const TAGS_MAX: usize = 2 * NESTING_MAX;
    let bytes = text.as_bytes();
    let tags = bytes.iter().filter(|byte| **byte == b'<').count();
    // Comments, CDATA and document types begin with an exclamation mark.
    let declared = text.strip_prefix("<?").and_then(|rest| rest.split_once("?>"));
    let encoding = declared.is_some_and(|(declaration, _)| declaration.contains("encoding"));
    tags <= TAGS_MAX && !bytes.contains(&b'!') && !encoding
}

/// Checks the markup from its beginning to its end.
pub(crate) fn walk(text: &str) -> Result<(), NotSafe> {
    let mut reader = Reader::from_str(text);
    let (mut depth, mut nesting) = (0, 0);
    loop {
        let at = reader.buffer_position();
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                depth += 1;
                nesting += usize::from(tag.name().as_ref() == "value");
                if nesting > NESTING_MAX || depth > DEPTH_MAX {
                    return Err(too_deep(at));
                }
            }
            // An element without content is one level as well.
            Ok(Event::Empty(tag))
                if nesting + usize::from(tag.name().as_ref() == "value") > NESTING_MAX
                    || depth == DEPTH_MAX =>
            {
                return Err(too_deep(at));
            }
            Ok(Event::End(tag)) => {
                depth = depth.saturating_sub(1);
                nesting -= usize::from(nesting > 0 && tag.name().as_ref() == "value");
            }
            Ok(Event::DocType(_)) => {
                return Err(parse("a document type declaration is not accepted".to_owned()));
            }
            Ok(Event::Decl(declaration)) => check_encoding(&declaration, text)?,
            Ok(Event::Eof) if depth > 0 => {
                return Err(parse("the XML ends before its elements do".to_owned()));
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => return Err(parse(format!("the XML is malformed near byte {at}"))),
        }
    }
    Ok(())
}

fn check_encoding(declaration: &BytesDecl<'_>, text: &str) -> Result<(), NotSafe> {
    let Some(Ok(encoding)) = declaration.encoding() else { return Ok(()) };
    let given = encoding.as_ref();
    let utf8 = ["utf-8", "utf8"].iter().any(|name| name.eq_ignore_ascii_case(given));
    // Some libraries declare whatever their language's default is; as long as only ASCII follows,
    // it reads the same.
    let like_ascii = ["us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252"];
    let ascii = like_ascii.iter().any(|name| name.eq_ignore_ascii_case(given)) && text.is_ascii();
    if utf8 || ascii {
        return Ok(());
    }
    Err(parse("the XML declares an encoding other than UTF-8; send it as UTF-8".to_owned()))
}

fn too_deep(at: u64) -> NotSafe {
    parse(format!("values are nested deeper than {NESTING_MAX} at byte {at}"))
}

fn parse(what: String) -> NotSafe {
    NotSafe(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        check(body.as_bytes()).and_then(walk).unwrap_err().to_string()
    }

    fn nested(levels: usize) -> String {
        let open = "<value><array><data>".repeat(levels);
        format!("{open}<value/>{}", "</data></array></value>".repeat(levels))
    }

    #[test]
    fn what_is_not_text_is_told_from_which_byte_on() {
        let error = check(b"<a>\xff</a>").unwrap_err();
        assert_eq!(error.to_string(), "the request is not UTF-8 from byte 3 on");
    }

    #[test]
    fn values_nest_to_the_limit_and_no_deeper() {
        assert!(check(nested(NESTING_MAX - 1).as_bytes()).is_ok());
        assert!(refused(&nested(NESTING_MAX)).contains("nested deeper than 16"));
        assert!(refused(&nested(1000)).contains("nested deeper than 16"));
        assert!(refused(&"<struct>".repeat(1000)).contains("nested deeper than 16"));
    }

    #[test]
    fn many_values_side_by_side_are_not_nested() {
        assert!(check("<value/>".repeat(1000).as_bytes()).is_ok());
    }

    #[test]
    fn entities_cannot_be_declared() {
        let bomb = "<!DOCTYPE b [<!ENTITY a \"aaaa\">]><methodCall>&a;</methodCall>";
        assert!(refused(bomb).contains("document type declaration"));
    }

    #[test]
    fn other_encodings_are_taken_only_where_they_read_the_same() {
        let declared = |name: &str, text: &str| {
            format!("\n<?xml version='1.0' encoding='{name}'?><a>{text}</a>")
        };
        for good in ["UTF-8", "utf-8", "US-ASCII", "iso-8859-1"] {
            assert!(check(declared(good, "plain").as_bytes()).is_ok(), "{good}");
        }
        assert!(check(declared("UTF-8", "für").as_bytes()).is_ok());
        assert!(refused(&declared("ISO-8859-1", "für")).contains("other than UTF-8"));
        assert!(refused(&declared("UTF-16", "plain")).contains("other than UTF-8"));
        assert!(check(b"<?xml version='1.0'?><a/>").is_ok());
    }

    #[test]
    fn broken_markup_is_told_where() {
        assert!(refused("<a><b></a>").contains("malformed near byte 6"));
        assert!(refused("<a><b>").contains("ends before its elements do"));
        assert!(refused("<a").contains("malformed"));
    }
}
