//! Replies, read into values that keep their XML-RPC type: a proof of compatibility has to tell
//! `<int>` from `<i8>` and `<string>` from `<base64>`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::Event;

/// Deeper than any reply of the daemon.
const DEPTH_MAX: usize = 64;

/// A value with its type on the wire.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Datum {
    /// `<int>` or `<i4>`, which the specification makes the same.
    Int(i32),
    /// `<i8>`, which old clients do not know.
    Wide(i64),
    /// `<boolean>`
    Bool(bool),
    /// `<double>`
    Double(f64),
    /// `<string>`, or no type at all.
    Text(String),
    /// `<base64>`
    Bytes(Vec<u8>),
    /// `<array>`
    Array(Vec<Datum>),
    /// `<struct>`
    Struct(BTreeMap<String, Datum>),
    /// `<nil/>`, which old clients do not know.
    Nil,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// Its result.
    Value(Datum),
    /// A fault.
    Fault {
        /// Which.
        code: i32,
        /// What was wrong, for people.
        text: String,
    },
}

impl Reply {
    /// The result; a fault is an error.
    pub(crate) fn value(self) -> Result<Datum> {
        match self {
            Reply::Value(value) => Ok(value),
            Reply::Fault { code, text } => bail!("fault {code}: {text}"),
        }
    }
}

/// The fault's code, or an error that shows the reply.
pub(crate) fn fault_code(reply: &Reply) -> Result<i32> {
    match reply {
        Reply::Fault { code, .. } => Ok(*code),
        Reply::Value(value) => bail!("a result instead of a fault: {value:?}"),
    }
}

impl Datum {
    /// The elements of an array.
    pub(crate) fn array(self) -> Result<Vec<Datum>> {
        match self {
            Datum::Array(elements) => Ok(elements),
            other => bail!("{other:?} is not an array"),
        }
    }

    /// The bytes of a base64.
    pub(crate) fn bytes(self) -> Result<Vec<u8>> {
        match self {
            Datum::Bytes(bytes) => Ok(bytes),
            other => bail!("{other:?} is not a base64"),
        }
    }

    /// An array of exactly `N` elements.
    pub(crate) fn tuple<const N: usize>(self) -> Result<[Datum; N]> {
        let elements = self.array()?;
        let count = elements.len();
        elements.try_into().ok().with_context(|| format!("{count} elements instead of {N}"))
    }
}

/// Reads the body of a reply.
pub(crate) fn parse(body: &[u8]) -> Result<Reply> {
    let body = std::str::from_utf8(body).context("the reply is not UTF-8")?;
    let root = read_tree(body)?;
    ensure!(root.name == "methodResponse", "<{}> instead of <methodResponse>", root.name);
    let inner = root.only_child()?;
    match inner.name.as_str() {
        "params" => Ok(Reply::Value(read_value(inner.only_child_named("param")?.only_child()?)?)),
        "fault" => read_fault(read_value(inner.only_child()?)?),
        other => bail!("<{other}> in a reply"),
    }
}

fn read_fault(value: Datum) -> Result<Reply> {
    let Datum::Struct(mut members) = value else { bail!("a fault that is not a struct") };
    match (members.remove("faultCode"), members.remove("faultString")) {
        (Some(Datum::Int(code)), Some(Datum::Text(text))) => Ok(Reply::Fault { code, text }),
        _ => bail!("a fault without an int faultCode and a string faultString"),
    }
}

fn read_value(value: &Element) -> Result<Datum> {
    ensure!(value.name == "value", "<{}> instead of <value>", value.name);
    let Ok(typed) = value.only_child() else {
        ensure!(value.children.is_empty(), "a value with {} types", value.children.len());
        return Ok(Datum::Text(value.text.clone()));
    };
    let text = typed.text.trim();
    Ok(match typed.name.as_str() {
        "int" | "i4" => Datum::Int(text.parse().context("a bad int")?),
        "i8" => Datum::Wide(text.parse().context("a bad i8")?),
        "double" => Datum::Double(text.parse().context("a bad double")?),
        "boolean" => Datum::Bool(match text {
            "0" => false,
            "1" => true,
            _ => bail!("a bad boolean {text:?}"),
        }),
        "string" => Datum::Text(typed.text.clone()),
        "base64" => {
            let packed: String = text.split_ascii_whitespace().collect();
            Datum::Bytes(STANDARD.decode(packed).context("a bad base64")?)
        }
        "array" => {
            let data = typed.only_child_named("data")?;
            Datum::Array(data.children.iter().map(read_value).collect::<Result<_>>()?)
        }
        "struct" => Datum::Struct(typed.children.iter().map(read_member).collect::<Result<_>>()?),
        "nil" => Datum::Nil,
        other => bail!("unknown type <{other}>"),
    })
}

fn read_member(member: &Element) -> Result<(String, Datum)> {
    ensure!(member.name == "member", "<{}> in a struct", member.name);
    match member.children.as_slice() {
        [name, value] if name.name == "name" => Ok((name.text.clone(), read_value(value)?)),
        _ => bail!("a member that is not a name and a value"),
    }
}

#[derive(Debug, Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn only_child(&self) -> Result<&Element> {
        match self.children.as_slice() {
            [child] => Ok(child),
            other => bail!("<{}> holds {} elements instead of one", self.name, other.len()),
        }
    }

    fn only_child_named(&self, name: &str) -> Result<&Element> {
        let child = self.only_child()?;
        ensure!(child.name == name, "<{}> instead of <{name}>", child.name);
        Ok(child)
    }
}

fn read_tree(text: &str) -> Result<Element> {
    let mut reader = Reader::from_str(text);
    // The bottom element holds the root.
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().context("malformed XML")?;
        let Some(top) = open.last_mut() else { bail!("an end without a start") };
        match event {
            Event::Start(start) => {
                ensure!(open.len() <= DEPTH_MAX, "nested deeper than {DEPTH_MAX}");
                open.push(Element { name: start.name().as_ref().to_owned(), ..Element::default() });
            }
            Event::Empty(start) => {
                let name = start.name().as_ref().to_owned();
                top.children.push(Element { name, ..Element::default() });
            }
            Event::End(_) => {
                let closed = open.pop().context("an end without a start")?;
                open.last_mut().context("an end without a start")?.children.push(closed);
            }
            Event::Text(part) => top.text.push_str(&part.xml_content(XmlVersion::default())),
            Event::CData(part) => top.text.push_str(&part.xml_content(XmlVersion::default())),
            Event::GeneralRef(part) => match part.resolve_char_ref()? {
                Some(letter) => top.text.push(letter),
                None => top.text.push_str(
                    quick_xml::escape::resolve_predefined_entity(part.as_ref())
                        .context("an unknown entity")?,
                ),
            },
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => bail!("a DOCTYPE in a reply"),
        }
    }
    let [mut bottom] = <[Element; 1]>::try_from(open).ok().context("the reply ends too early")?;
    ensure!(bottom.children.len() == 1, "not exactly one root element");
    bottom.children.pop().context("no root element")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(inner: &str) -> Result<Reply> {
        let head = "<?xml version='1.0'?>\n<methodResponse><params><param><value>";
        parse(format!("{head}{inner}</value></param></params></methodResponse>").as_bytes())
    }

    fn value(inner: &str) -> Datum {
        reply(inner).unwrap().value().unwrap()
    }

    #[test]
    fn types_are_told_apart() {
        assert_eq!(value("<int>-5</int>"), Datum::Int(-5));
        assert_eq!(value("<i4>5</i4>"), Datum::Int(5));
        assert_eq!(value("<i8>5</i8>"), Datum::Wide(5));
        assert_eq!(value("<double>1.5</double>"), Datum::Double(1.5));
        assert_eq!(value("<boolean>1</boolean>"), Datum::Bool(true));
        assert_eq!(value("<nil/>"), Datum::Nil);
        assert_eq!(value("<string> a&lt;&#233;</string>"), Datum::Text(" a<é".into()));
        assert_eq!(value("bare"), Datum::Text("bare".into()));
        assert_eq!(value("<string/>"), Datum::Text(String::new()));
    }

    #[test]
    fn wrapped_base64_is_one_value() {
        assert_eq!(value("<base64>\neHl\n6\n</base64>"), Datum::Bytes(b"xyz".into()));
        assert_eq!(value("<base64></base64>"), Datum::Bytes(Vec::new()));
        assert!(reply("<base64>e</base64>").is_err());
    }

    #[test]
    fn arrays_and_structs_nest() {
        let got = value(
            "<array><data><value><array><data/></array></value><value>\
             <struct><member><name>n</name><value><int>1</int></value></member></struct>\
             </value></data></array>",
        );
        let inner = Datum::Struct(BTreeMap::from([("n".into(), Datum::Int(1))]));
        assert_eq!(got, Datum::Array(vec![Datum::Array(vec![]), inner]));
    }

    #[test]
    fn a_fault_gives_its_code_and_text() {
        let got = parse(
            b"<methodResponse><fault><value><struct>\
              <member><name>faultCode</name><value><int>7</int></value></member>\
              <member><name>faultString</name><value><string>no</string></value></member>\
              </struct></value></fault></methodResponse>",
        )
        .unwrap();
        assert_eq!(got, Reply::Fault { code: 7, text: "no".into() });
        assert_eq!(fault_code(&got).unwrap(), 7);
        assert!(got.value().is_err());
    }

    #[test]
    fn broken_replies_are_errors() {
        for broken in [
            "",
            "<methodResponse>",
            "<methodCall></methodCall>",
            "<methodResponse><params/></methodResponse>",
            "<methodResponse></params></methodResponse>",
        ] {
            assert!(parse(broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(reply("<int>3000000000</int>").is_err());
        assert!(reply("<int>1</int><int>2</int>").is_err());
        assert!(reply("<thing/>").is_err());
    }
}
