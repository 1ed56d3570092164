//! Bytes to a typed call, a value or a fault to bytes. `dxr` knows XML-RPC's types; this file
//! keeps what reaches it harmless and what leaves it within bounds.

use dxr::{FaultResponse, MethodCall, MethodResponse, Value};

use super::{Fault, REPLY_MAX, diagnose};
use crate::xml_guard;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// A call, its parameters not yet looked at.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) params: Vec<Value>,
}

/// Reads a request's body.
pub(super) fn decode(body: &[u8]) -> Result<Call, Fault> {
    let text = xml_guard::check(body)?;
    match MethodCall::from_xml(text) {
        Ok(call) => Ok(Call { method: call.name.trim().to_owned(), params: call.params }),
        // dxr says only that it failed, together with the whole text.
        Err(_) => {
            xml_guard::walk(text)?;
            Err(Fault::Parse(diagnose::what_is_wrong(text)))
        }
    }
}

/// The name of the method a body most likely calls, by a look at its beginning: what is no call, or
/// an odd one, has none.
pub(super) fn method_at_a_glance(body: &[u8]) -> Option<&str> {
    /// A declaration, a comment perhaps, and a name.
    const GLANCE: usize = 512;
    const TAG: &str = "<methodName>";
    let beginning = &body[..body.len().min(GLANCE)];
    let text = beginning.utf8_chunks().next()?.valid();
    let (_, name) = text.split_once(TAG)?;
    name.split_once('<').map(|(name, _)| name.trim())
}

/// Writes a reply.
pub(super) fn encode(value: Value) -> Result<String, Fault> {
    let xml = MethodResponse { value }
        .to_xml()
        .map_err(|_| Fault::BadParameters("the reply cannot be written as XML".to_owned()))?;
    if DECLARATION.len() + xml.len() > REPLY_MAX {
        return Err(too_large());
    }
    Ok(format!("{DECLARATION}{xml}"))
}

/// The fault of a reply above its limit.
pub(super) fn too_large() -> Fault {
    Fault::TooLarge(format!(
        "the reply would exceed {REPLY_MAX} bytes; ask for pages with max and placemark"
    ))
}

/// Writes a fault.
pub(super) fn encode_fault(fault: Fault) -> String {
    let (code, text) = (fault.code(), fault.to_string());
    let response = FaultResponse { fault: dxr::Fault::new(code, text) };
    let xml = response.to_xml().expect("a number and a text always make XML");
    format!("{DECLARATION}{xml}")
}
