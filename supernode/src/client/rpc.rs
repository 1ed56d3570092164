//! The three XML-RPC methods a client command calls. Bytes go as base64, since a key, a value or a
//! secret can be any; a reply may hold base64 or strings.

use base::limits::{BYTES_PER_KEY_MAX, ENTRIES_PER_KEY_MAX};
use base::{Key, Secret, Ttl, Value};
use dxr::{FaultResponse, MethodCall, MethodResponse, Value as Xml};

use crate::cli::NodeUrl;
use crate::xml_guard;

use super::error::{ClientError, NotANode};
use super::http::{self, Server};

/// Stores a value. How many copies were on disk when the node answered, and after how many
/// milliseconds it did.
pub(super) async fn put(
    server: &Server,
    key: &Key,
    value: &Value,
    secret: Option<Secret>,
    ttl: Option<Ttl>,
) -> Result<(i64, f64), ClientError> {
    let mut parameters = vec![bytes(key.as_bytes()), bytes(value.as_bytes())];
    if secret.is_some() || ttl.is_some() || key.service().is_some() {
        parameters.push(secret_or_none(secret));
    }
    if ttl.is_some() || key.service().is_some() {
        parameters.push(ttl.map_or(Xml::Nil, |ttl| int(ttl.as_secs())));
    }
    parameters.extend(service_of(key));
    let reply = call(server, "scope.put", parameters).await?;
    let stored = match &reply {
        Xml::Struct(members) => members
            .get("replicas")
            .and_then(as_int)
            .zip(members.get("latency_ms").and_then(as_double)),
        _ => None,
    };
    stored.ok_or_else(|| unexpected(&server.node, "what scope.put returns"))
}

/// The values under a key, `max` of them at most. A listing comes in pages; a placemark says where
/// the next one starts, and an empty one that there is none.
pub(super) async fn get(
    server: &Server,
    key: &Key,
    max: Option<u32>,
) -> Result<Vec<Vec<u8>>, ClientError> {
    let max = max.map_or(usize::MAX, |max| max as usize);
    let mut values: Vec<Vec<u8>> = Vec::new();
    let mut placemark = Vec::new();
    loop {
        let ask = (max - values.len()).min(ENTRIES_PER_KEY_MAX) as u64;
        let mut parameters = vec![bytes(key.as_bytes()), int(ask), bytes(&placemark)];
        parameters.extend(service_of(key));
        let reply = call(server, "scope.get", parameters).await?;
        let (page, next) =
            as_page(reply).ok_or_else(|| unexpected(&server.node, "what scope.get returns"))?;
        let empty = page.is_empty();
        values.extend(page);
        values.truncate(max);
        if next.is_empty() || values.len() == max {
            return Ok(values);
        }
        // The key may change while it is listed, so it can seem to hold more than it may.
        let total: usize = values.iter().map(Vec::len).sum();
        if empty || values.len() > 2 * ENTRIES_PER_KEY_MAX || total > 2 * BYTES_PER_KEY_MAX {
            return Err(ClientError::NotANode {
                node: server.node.clone(),
                what: NotANode::Endless,
            });
        }
        placemark = next;
    }
}

/// Removes a value; whether it was there.
pub(super) async fn remove(
    server: &Server,
    key: &Key,
    value: &Value,
    secret: Option<Secret>,
) -> Result<bool, ClientError> {
    let mut parameters = vec![bytes(key.as_bytes()), bytes(value.as_bytes())];
    if secret.is_some() || key.service().is_some() {
        parameters.push(secret_or_none(secret));
    }
    if let Some(service) = service_of(key) {
        parameters.extend([Xml::Nil, service]);
    }
    match call(server, "scope.remove", parameters).await? {
        Xml::Integer(1) => Ok(true),
        Xml::Integer(0) => Ok(false),
        _ => Err(unexpected(&server.node, "what scope.remove returns")),
    }
}

pub(super) async fn call(
    server: &Server,
    method: &str,
    params: Vec<Xml>,
) -> Result<Xml, ClientError> {
    let not_xml_rpc =
        || ClientError::NotANode { node: server.node.clone(), what: NotANode::NotXmlRpc };
    let call = MethodCall { name: method.into(), params }.to_xml().map_err(|_| not_xml_rpc())?;
    let call = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{call}");
    let reply = http::post(server, call).await?;
    let reply = xml_guard::check(&reply).map_err(|_| not_xml_rpc())?;
    if let Ok(response) = MethodResponse::from_xml(reply) {
        return Ok(response.value);
    }
    let fault = FaultResponse::from_xml(reply).map_err(|_| not_xml_rpc())?.fault;
    Err(ClientError::Fault { code: fault.code(), message: fault.string().into() })
}

/// The service a key is of, as the last parameter.
fn service_of(key: &Key) -> Option<Xml> {
    key.service().map(|service| Xml::String(service.to_string()))
}

/// An empty secret stands for none where a later parameter follows.
fn secret_or_none(secret: Option<Secret>) -> Xml {
    bytes(secret.as_ref().map_or(&[], Secret::as_bytes))
}

pub(super) fn bytes(bytes: &[u8]) -> Xml {
    Xml::Base64(bytes.to_vec())
}

/// Counts and ttls are far below 2^31.
pub(super) fn int(number: u64) -> Xml {
    Xml::Integer(i32::try_from(number).unwrap_or(i32::MAX))
}

fn as_int(value: &Xml) -> Option<i64> {
    match value {
        Xml::Integer(number) => Some((*number).into()),
        Xml::Long(number) => Some(*number),
        _ => None,
    }
}

fn as_double(value: &Xml) -> Option<f64> {
    match value {
        Xml::Double(number) => Some(*number),
        Xml::Integer(number) => Some((*number).into()),
        _ => None,
    }
}

pub(super) fn as_bytes(value: Xml) -> Option<Vec<u8>> {
    match value {
        Xml::Base64(bytes) => Some(bytes),
        Xml::String(text) => Some(text.into_bytes()),
        _ => None,
    }
}

/// `[values, placemark]`.
pub(super) fn as_page(reply: Xml) -> Option<(Vec<Vec<u8>>, Vec<u8>)> {
    let Xml::Array(parts) = reply else { return None };
    let [Xml::Array(values), placemark] = <[Xml; 2]>::try_from(parts).ok()? else { return None };
    let values = values.into_iter().map(as_bytes).collect::<Option<Vec<_>>>()?;
    Some((values, as_bytes(placemark)?))
}

pub(super) fn unexpected(node: &NodeUrl, what: &'static str) -> ClientError {
    ClientError::NotANode { node: node.clone(), what: NotANode::Unexpected(what) }
}
