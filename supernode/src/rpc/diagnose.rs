//! Why a request that is sound XML is no call: looked for only when it has already been refused.

use quick_xml::Reader;
use quick_xml::events::Event;

/// What is wrong, and in which parameter; never what it says.
pub(super) fn what_is_wrong(text: &str) -> String {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<String> = Vec::new();
    let mut parameter = 0;
    let mut content = String::new();
    let mut has_name = false;
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                let name = tag.name().as_ref().to_owned();
                if let Some(problem) = misplaced(&name, open.last()) {
                    return in_parameter(parameter, &problem);
                }
                parameter += usize::from(name == "param");
                has_name |= name == "methodName";
                open.push(name);
                content.clear();
            }
            Ok(Event::Text(part)) => content.push_str(&part),
            Ok(Event::CData(part)) => content.push_str(&part),
            Ok(Event::GeneralRef(name)) => {
                let known = ["lt", "gt", "amp", "quot", "apos"];
                if !name.starts_with('#') && !known.contains(&name.as_ref()) {
                    return in_parameter(parameter, "an entity is used that XML does not have");
                }
                // Whatever it stands for, it is neither a digit nor of the base64 alphabet.
                content.push('&');
            }
            Ok(Event::End(_)) => {
                let problem = open.pop().and_then(|name| malformed(&name, &content));
                if let Some(problem) = problem {
                    return in_parameter(parameter, problem);
                }
                content.clear();
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    if has_name {
        "the request is not an XML-RPC call: a methodCall has a methodName and params".to_owned()
    } else {
        "the request is not an XML-RPC call: it has no methodName".to_owned()
    }
}

fn in_parameter(parameter: usize, problem: &str) -> String {
    if parameter == 0 { problem.to_owned() } else { format!("parameter {parameter}: {problem}") }
}

/// An element where none such may be.
fn misplaced(name: &str, parent: Option<&String>) -> Option<String> {
    const TYPES: [&str; 11] = [
        "i4",
        "int",
        "i8",
        "boolean",
        "string",
        "double",
        "dateTime.iso8601",
        "base64",
        "struct",
        "array",
        "nil",
    ];
    match parent.map(String::as_str) {
        None if name != "methodCall" => {
            Some("the request is not an XML-RPC call: its root is not methodCall".to_owned())
        }
        Some("value") if !TYPES.contains(&name) => {
            Some(format!("a value has a type XML-RPC does not have; it has {}", TYPES.join(", ")))
        }
        _ => None,
    }
}

/// What is wrong with a scalar's text.
fn malformed(name: &str, content: &str) -> Option<&'static str> {
    let text = content.trim();
    match name {
        "i4" | "int" if text.parse::<i32>().is_err() => Some("an int is no 32-bit number"),
        "i8" if text.parse::<i64>().is_err() => Some("an i8 is no 64-bit number"),
        "boolean" if text != "0" && text != "1" => Some("a boolean is neither 0 nor 1"),
        "double" if text.parse::<f64>().is_err() => Some("a double is no number"),
        "base64" if !is_base64(text) => Some("the base64 is malformed"),
        "dateTime.iso8601" => Some("a dateTime.iso8601 is malformed, or not wanted here"),
        _ => None,
    }
}

/// RFC 4648 §4 with padding, white space anywhere.
fn is_base64(text: &str) -> bool {
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digits =
        text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    let padding = text.len() - digits.count();
    text.len().is_multiple_of(4)
        && padding <= 2
        && text.iter().rev().take(padding).all(|&b| b == b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(value: &str) -> String {
        format!(
            "<methodCall><methodName>m</methodName><params><param><value>x</value></param>\
             <param><value>{value}</value></param></params></methodCall>"
        )
    }

    #[test]
    fn the_parameter_and_the_problem_are_named() {
        let cases = [
            ("<int>many</int>", "parameter 2: an int is no 32-bit number"),
            ("<i4>4294967296</i4>", "parameter 2: an int is no 32-bit number"),
            ("<boolean>yes</boolean>", "parameter 2: a boolean is neither 0 nor 1"),
            ("<base64>a</base64>", "parameter 2: the base64 is malformed"),
            ("<base64>ab=c</base64>", "parameter 2: the base64 is malformed"),
            ("&hello;", "parameter 2: an entity is used that XML does not have"),
        ];
        for (value, problem) in cases {
            assert_eq!(what_is_wrong(&call(value)), problem);
        }
        assert!(what_is_wrong(&call("<bytes>a</bytes>")).starts_with("parameter 2: a value has a"));
    }

    #[test]
    fn what_is_no_call_at_all_is_told_so() {
        assert!(what_is_wrong("<html/>").contains("no methodName"));
        assert!(what_is_wrong("<html></html>").contains("root is not methodCall"));
        assert!(what_is_wrong("<methodCall></methodCall>").contains("no methodName"));
        assert!(what_is_wrong("hello").contains("not an XML-RPC call"));
    }

    #[test]
    fn base64_may_be_wrapped() {
        for good in ["", "YQ==", "YWI=", "YWJj", "YW\r\n Jj"] {
            assert!(is_base64(good), "{good:?}");
        }
        for bad in ["Y", "YQ=", "Y===", "YQ==YQ==", "Y&Jj"] {
            assert!(!is_base64(bad), "{bad:?}");
        }
    }
}
