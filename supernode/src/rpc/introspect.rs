//! `system.listMethods`, `system.methodSignature`, `system.methodHelp`.

use dxr::Value;

use super::Fault;
use super::params::Params;
use super::table::{METHODS, Method, find};

pub(super) fn list_methods() -> Value {
    Value::Array(METHODS.iter().map(|method| text(method.name)).collect())
}

pub(super) fn method_signature(params: Params) -> Result<Value, Fault> {
    let method = asked_about(params)?;
    Ok(Value::Array(signatures(method).into_iter().map(Value::Array).collect()))
}

pub(super) fn method_help(params: Params) -> Result<Value, Fault> {
    Ok(text(asked_about(params)?.help))
}

/// One signature for each number of parameters the method can be called with.
fn signatures(method: &Method) -> Vec<Vec<Value>> {
    let with = |count: usize| {
        let types = method.params.iter().take(count).map(|(_, kind)| *kind);
        std::iter::once(method.returns).chain(types).map(text).collect()
    };
    (method.required..=method.params.len()).map(with).collect()
}

fn asked_about(mut params: Params) -> Result<&'static Method, Fault> {
    let name = params.text()?;
    find(&name).ok_or_else(|| Fault::unknown_method(&name))
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}
