//! `scope.services`, `scope.lookup`, `scope.advertise`, `scope.withdraw`: the registry's methods.

use base::limits::LIST_ROOM;
use base::list::Placemark;
use base::{Key, Ttl};
use dxr::Value;

use super::params::Params;
use super::scope::DEFAULT_TTL_S;
use super::{Caller, Fault};
use crate::services::ServiceError;

pub(super) async fn services(caller: Caller<'_>) -> Result<Value, Fault> {
    let services = caller.services.services().await?;
    Ok(texts(services.iter().map(|service| service.as_str())))
}

pub(super) async fn lookup(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let service = params.service()?;
    let max = params.optional_max()?;
    let from = match params.optional_bytes()?.filter(|bytes| !bytes.is_empty()) {
        None => None,
        Some(given) => match Placemark::from_bytes(&given) {
            Ok(placemark) => Some(placemark),
            Err(_) => return Err(params.bad("is not one that a listing gave")),
        },
    };
    let found = caller.services.lookup(&service, max.unwrap_or(LIST_ROOM), from).await?;
    let contacts = texts(found.contacts.iter().map(|contact| contact.as_str()));
    let next = found.next.map(Placemark::to_bytes).unwrap_or_default();
    Ok(match max {
        None => contacts,
        Some(_) => Value::Array(vec![contacts, Value::Base64(next)]),
    })
}

pub(super) async fn advertise(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let (service, contact) = (params.service()?, params.contact()?);
    let ttl = params.optional_ttl()?.map_or_else(|| Ttl::from_secs(DEFAULT_TTL_S), Ok)?;
    let value = base::Value::new(contact.as_str().to_owned())?;
    caller.quota.put(caller.source, &Key::of_service(&service), &value, ttl.into())?;
    caller.services.advertise(caller.source, &service, &contact, ttl).await?;
    Ok(Value::Integer(1))
}

pub(super) async fn withdraw(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let (service, contact) = (params.service()?, params.contact()?);
    caller.quota.remove(caller.source)?;
    let was_there = caller.services.withdraw(caller.source, &service, &contact).await?;
    Ok(Value::Integer(was_there.into()))
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    Value::Array(texts.map(|text| Value::String(text.to_owned())).collect())
}

impl From<ServiceError> for Fault {
    fn from(error: ServiceError) -> Fault {
        let text = error.to_string();
        match error {
            ServiceError::Id(base::NotAServiceId::TooLong(_)) | ServiceError::TooLarge(_) => {
                Fault::TooLarge(text)
            }
            ServiceError::Id(_)
            | ServiceError::Contact(_)
            | ServiceError::Confusable { .. }
            | ServiceError::Placemark(_) => Fault::BadParameters(text),
            ServiceError::TooMany { .. } => Fault::OverCapacity(text),
            ServiceError::NotYours => Fault::WrongSecret(text),
            ServiceError::Dht(error) => error.into(),
        }
    }
}
