//! `scope.put`, `scope.get`, `scope.remove`: the overlay's own methods.

use std::collections::BTreeMap;
use std::time::Instant;

use base::limits::{KEY_MAX, VALUE_MAX};
use base::{EntryId, Secret, SecretTag, Ttl};
use bytes::Bytes;
use dht::{Dht, PageRequest, Removal};
use dxr::Value;

use super::params::Params;
use super::{Caller, Fault, codec};

/// Bytes of values in one reply: with base64's third more and the markup of 1,024 values it stays
/// below [`super::REPLY_MAX`].
pub(super) const PAGE_BYTES: usize = 700 * 1024;

/// How long a value lives whose ttl is not given: a day, as long as an event's day.
pub const DEFAULT_TTL_S: i64 = 86_400;

pub(super) async fn put(
    caller: Caller<'_>,
    mut params: Params,
    started: Instant,
) -> Result<Value, Fault> {
    let (key, value) = (params.key(KEY_MAX)?, params.value(VALUE_MAX)?);
    let tag = params.optional_secret()?.as_ref().map_or(SecretTag::NONE, Secret::tag);
    let ttl = params.optional_ttl()?.map_or_else(|| Ttl::from_secs(DEFAULT_TTL_S), Ok)?;
    let key = params.in_service(key)?;
    caller.quota.put(caller.source, &key, &value, ttl.into())?;
    let receipt = caller.put(&key, value, tag, ttl).await?;
    let replicas = i32::try_from(receipt.replicas).unwrap_or(i32::MAX);
    // Whole microseconds: more digits are noise.
    let latency = (started.elapsed().as_secs_f64() * 1e6).round().max(1.0) / 1e3;
    Ok(Value::Struct(BTreeMap::from([
        ("replicas".to_owned(), Value::Integer(replicas)),
        ("latency_ms".to_owned(), Value::Double(latency)),
    ])))
}

pub(super) async fn get(dht: &Dht, mut params: Params) -> Result<Value, Fault> {
    let key = params.key(KEY_MAX)?;
    let max = params.optional_max()?;
    let after = placemark(&mut params)?;
    let key = params.in_service(key)?;
    let request =
        PageRequest { after, max_values: max.unwrap_or(usize::MAX), max_bytes: PAGE_BYTES };
    let page = dht.get(&key, request).await?;
    let values = page.values.into_iter().map(|found| bytes(&found.value.into_bytes())).collect();
    match (max, page.next) {
        (Some(_), next) => Ok(Value::Array(vec![Value::Array(values), mark(next)])),
        (None, None) => Ok(Value::Array(values)),
        (None, Some(_)) => Err(codec::too_large()),
    }
}

pub(super) async fn remove(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let (key, value) = (params.key(KEY_MAX)?, params.value(VALUE_MAX)?);
    let secret = params.optional_secret()?;
    // Checked, although the removal is remembered longer than any ttl.
    params.optional_ttl()?;
    let key = params.in_service(key)?;
    caller.quota.remove(caller.source)?;
    match caller.dht.remove(&key, &value, secret).await? {
        Removal::Removed => Ok(Value::Integer(1)),
        Removal::NotFound => Ok(Value::Integer(0)),
        Removal::WrongSecret => Err(Fault::WrongSecret(
            "the value is there, but was put with another secret, or with none".to_owned(),
        )),
    }
}

/// Where a listing goes on; empty and not given mean from the beginning.
pub(super) fn placemark(params: &mut Params) -> Result<Option<EntryId>, Fault> {
    let Some(given) = params.optional_bytes()?.filter(|bytes| !bytes.is_empty()) else {
        return Ok(None);
    };
    match given.as_ref().try_into() {
        Ok(id) => Ok(Some(EntryId::from_bytes(id))),
        Err(_) => Err(params.bad("is not one that a listing gave")),
    }
}

/// The placemark of the last entry given; empty at the end.
pub(super) fn mark(next: Option<EntryId>) -> Value {
    Value::Base64(next.map(|id| id.to_bytes().to_vec()).unwrap_or_default())
}

/// Bytes as replies carry them.
pub(super) fn bytes(bytes: &Bytes) -> Value {
    Value::Base64(bytes.to_vec())
}
