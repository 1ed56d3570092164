//! The registry of services, as JSON has it.

use base::limits::LIST_ROOM;
use base::list::Placemark;
use base::{Key, ServiceId, Ttl, Value};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::field;
use crate::rpc::{DEFAULT_TTL_S, Fault};
use crate::services::{Contact, ServiceError};
use crate::source::Source;
use crate::state::AppState;

/// The answer of `GET /api/v1/services`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ServiceList"))]
pub struct All {
    /// The Service-IDs, by name.
    pub services: Vec<String>,
}

/// Which part of a service's providers is asked for.
#[derive(Debug, Default)]
pub struct Part {
    /// At most so many.
    pub max: Option<usize>,
    /// What the part before ended with.
    pub placemark: Option<String>,
}

/// The answer of `GET /api/v1/services/ID`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Providers {
    /// The Service-ID.
    pub service: String,
    /// Who offers it: `HOST:PORT`, each once.
    pub contacts: Vec<String>,
    /// For the next part; nothing when that is all.
    pub placemark: Option<String>,
    /// All who offer it as of some seconds ago, up to 1024, if this node does too.
    pub members: Option<Vec<String>>,
}

/// What `POST /api/v1/services/ID` is asked.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Offer {
    /// Where it is offered.
    pub contact: String,
    /// For how long, in seconds; a day if not given.
    pub ttl: Option<i64>,
}

impl Part {
    /// What a URL's query asks for; other fields mean nothing.
    ///
    /// # Errors
    /// A number that is none.
    pub fn of_query(query: &str) -> Result<Part, Fault> {
        let max = field(query, "max").map(|max| max.parse());
        let max = max.transpose().map_err(|_| bad("max must be a number"))?;
        if max == Some(0) {
            return Err(bad("max must be at least 1"));
        }
        Ok(Part { max, placemark: field(query, "placemark") })
    }
}

/// The answer of `POST /api/v1/services/ID`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Advertised {
    /// True.
    pub advertised: bool,
}

/// The answer of `DELETE /api/v1/services/ID`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Withdrawn {
    /// Whether it was offered there.
    pub withdrawn: bool,
}

/// Lists all services.
///
/// # Errors
/// The overlay's.
pub async fn all(state: &AppState) -> Result<All, Fault> {
    let services = state.services.services().await?;
    Ok(All { services: services.iter().map(ToString::to_string).collect() })
}

/// Lists who offers a service.
///
/// # Errors
/// What is wrong with the request, and the overlay's.
pub async fn providers(state: &AppState, id: &str, part: &Part) -> Result<Providers, Fault> {
    let service = service(id)?;
    let from = match part.placemark.as_deref().filter(|given| !given.is_empty()) {
        None => None,
        Some(given) => {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(given).unwrap_or_default();
            Some(Placemark::from_bytes(&bytes).map_err(ServiceError::from)?)
        }
    };
    let found = state.services.lookup(&service, part.max.unwrap_or(LIST_ROOM), from).await?;
    let members = state.services.members(&service);
    Ok(Providers {
        service: service.to_string(),
        contacts: found.contacts.iter().map(ToString::to_string).collect(),
        placemark: found.next.map(|next| BASE64_URL_SAFE_NO_PAD.encode(next.to_bytes())),
        members: members.map(|members| members.iter().map(ToString::to_string).collect()),
    })
}

/// Offers a service.
///
/// # Errors
/// What is wrong with the request, what the source may not, and the overlay's.
pub async fn advertise(
    state: &AppState,
    source: Source,
    id: &str,
    offer: &Offer,
) -> Result<Advertised, Fault> {
    let (service, contact) = (service(id)?, contact(&offer.contact)?);
    let ttl = Ttl::from_secs(offer.ttl.unwrap_or(DEFAULT_TTL_S))?;
    let value = Value::new(contact.as_str().to_owned())?;
    state.quota.put(source, &Key::of_service(&service), &value, ttl.into())?;
    state.services.advertise(source, &service, &contact, ttl).await?;
    Ok(Advertised { advertised: true })
}

/// Offers a service no more; `query` is the URL's, and names the contact.
///
/// # Errors
/// What is wrong with the request, what the source may not, and the overlay's.
pub async fn withdraw(
    state: &AppState,
    source: Source,
    id: &str,
    query: &str,
) -> Result<Withdrawn, Fault> {
    let given = field(query, "contact");
    let given = given.ok_or_else(|| bad("expected ?contact=HOST:PORT, percent-encoded"))?;
    let (service, contact) = (service(id)?, contact(&given)?);
    state.quota.remove(source)?;
    let withdrawn = state.services.withdraw(source, &service, &contact).await?;
    Ok(Withdrawn { withdrawn })
}

fn bad(what: &str) -> Fault {
    Fault::BadParameters(what.to_owned())
}

fn service(id: &str) -> Result<ServiceId, Fault> {
    Ok(ServiceId::new(id).map_err(ServiceError::from)?)
}

fn contact(text: &str) -> Result<Contact, Fault> {
    Ok(text.parse::<Contact>().map_err(ServiceError::from)?)
}
