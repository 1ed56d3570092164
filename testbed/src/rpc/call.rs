//! Bodies of calls.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A parameter of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Param<'a> {
    /// `<int>`
    Int(i64),
    /// `<base64>`
    Bytes(&'a [u8]),
    /// `<string>`
    Text(&'a str),
}

/// The body of a call of `method`.
pub(crate) fn call(method: &str, params: &[Param<'_>]) -> String {
    let params: String = params
        .iter()
        .map(|param| match param {
            Param::Int(n) => format!("<param><value><int>{n}</int></value></param>"),
            Param::Bytes(bytes) => {
                let text = STANDARD.encode(bytes);
                format!("<param><value><base64>{text}</base64></value></param>")
            }
            Param::Text(text) => {
                let text = quick_xml::escape::escape(*text);
                format!("<param><value><string>{text}</string></value></param>")
            }
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName>\
         <params>{params}</params></methodCall>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_holds_its_parameters_in_order() {
        let body = call("m", &[Param::Text("a<b"), Param::Bytes(b"xyz"), Param::Int(-3)]);
        assert_eq!(
            body,
            "<?xml version=\"1.0\"?><methodCall><methodName>m</methodName><params>\
             <param><value><string>a&lt;b</string></value></param>\
             <param><value><base64>eHl6</base64></value></param>\
             <param><value><int>-3</int></value></param></params></methodCall>"
        );
    }
}
