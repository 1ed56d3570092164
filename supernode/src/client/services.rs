//! The XML-RPC methods of the registry, as a client command calls them.

use base::limits::LIST_ROOM;
use base::{ServiceId, Ttl};
use dxr::Value as Xml;

use crate::services::Contact;

use super::error::{ClientError, NotANode};
use super::http::Server;
use super::rpc::{as_bytes, as_page, bytes, call, int, unexpected};

/// Most providers that are listed, and most pages: a hostile node's listing could go on for ever.
const PROVIDERS_MAX: usize = 100_000;
const PAGES_MAX: usize = 10_000;

/// All services.
pub(super) async fn all(server: &Server) -> Result<Vec<String>, ClientError> {
    let reply = call(server, "scope.services", Vec::new()).await?;
    let services = match reply {
        Xml::Array(values) => values.into_iter().map(as_text).collect(),
        _ => None,
    };
    services.ok_or_else(|| unexpected(&server.node, "what scope.services returns"))
}

/// Who offers a service, `max` at most, each once.
pub(super) async fn lookup(
    server: &Server,
    service: &ServiceId,
    max: Option<u32>,
) -> Result<Vec<String>, ClientError> {
    let max = max.map_or(PROVIDERS_MAX, |max| max as usize);
    let mut contacts: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut placemark = Vec::new();
    for _ in 0..PAGES_MAX {
        let ask = int(max.min(LIST_ROOM) as u64);
        let parameters = vec![text(service.as_str()), ask, bytes(&placemark)];
        let reply = call(server, "scope.lookup", parameters).await?;
        let page = as_page(reply).and_then(|(page, next)| {
            let texts = page.into_iter().map(|contact| String::from_utf8(contact).ok());
            Some((texts.collect::<Option<Vec<String>>>()?, next))
        });
        let (page, next) =
            page.ok_or_else(|| unexpected(&server.node, "what scope.lookup returns"))?;
        contacts.extend(page.into_iter().filter(|contact| seen.insert(contact.clone())));
        contacts.truncate(max);
        if next.is_empty() || contacts.len() >= max {
            return Ok(contacts);
        }
        placemark = next;
    }
    Err(ClientError::NotANode { node: server.node.clone(), what: NotANode::Endless })
}

/// Offers a service.
pub(super) async fn advertise(
    server: &Server,
    service: &ServiceId,
    contact: &Contact,
    ttl: Option<Ttl>,
) -> Result<(), ClientError> {
    let mut parameters = vec![text(service.as_str()), text(contact.as_str())];
    parameters.extend(ttl.map(|ttl| int(ttl.as_secs())));
    match call(server, "scope.advertise", parameters).await? {
        Xml::Integer(1) => Ok(()),
        _ => Err(unexpected(&server.node, "what scope.advertise returns")),
    }
}

/// Offers a service no more; whether it was offered.
pub(super) async fn withdraw(
    server: &Server,
    service: &ServiceId,
    contact: &Contact,
) -> Result<bool, ClientError> {
    let parameters = vec![text(service.as_str()), text(contact.as_str())];
    match call(server, "scope.withdraw", parameters).await? {
        Xml::Integer(1) => Ok(true),
        Xml::Integer(0) => Ok(false),
        _ => Err(unexpected(&server.node, "what scope.withdraw returns")),
    }
}

fn text(text: &str) -> Xml {
    Xml::String(text.to_owned())
}

fn as_text(value: Xml) -> Option<String> {
    String::from_utf8(as_bytes(value)?).ok()
}
