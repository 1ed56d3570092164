//! OpenDHT's gateway, for clients written for it. Where its semantics differ from what was, see
//! `docs/decisions/0004-opendht-semantics.md`.

use base::{Key, Secret, SecretTag, Ttl};
use dht::{Dht, DhtError, Found, PageRequest};
use dxr::Value;

use super::params::Params;
use super::scope::{bytes, mark, placemark};
use super::{Caller, Fault};

/// OpenDHT's own limits.
const KEY_MAX: usize = 20;
const VALUE_MAX: usize = 1024;
/// "About 1 KiB of values": what one page holds.
const PAGE_BYTES: usize = 1024;
/// The only hash algorithm there ever was.
const SHA: &str = "SHA";

/// The codes its methods return.
const STORED: i32 = 0;
const OVER_CAPACITY: i32 = 1;
const TRY_AGAIN: i32 = 2;

pub(super) async fn put(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let (key, value) = (params.key(KEY_MAX)?, params.value(VALUE_MAX)?);
    let ttl = clamped_ttl(&mut params)?;
    params.text()?;
    Ok(store(caller, &key, value, SecretTag::NONE, ttl).await)
}

pub(super) async fn put_removable(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let (key, value) = (params.key(KEY_MAX)?, params.value(VALUE_MAX)?);
    hash_algorithm(&mut params)?;
    let tag = SecretTag::from_bytes(params.sha1()?);
    if tag.is_none() {
        // Otherwise the value would be open to all, and its owner believe it is not.
        return Err(params.bad("is all zeros, which is the SHA-1 of no known secret"));
    }
    if tag.is_signed() {
        return Err(params.bad("is all ones, which marks what is signed; choose another secret"));
    }
    let ttl = clamped_ttl(&mut params)?;
    params.text()?;
    Ok(store(caller, &key, value, tag, ttl).await)
}

pub(super) async fn get(dht: &Dht, params: Params) -> Result<Value, Fault> {
    list(dht, params, |found| bytes(&found.value.into_bytes())).await
}

pub(super) async fn get_details(dht: &Dht, params: Params) -> Result<Value, Fault> {
    let row = |found: Found| {
        let left = i32::try_from(found.remaining.as_secs_rounded_up()).unwrap_or(i32::MAX);
        let tag = found.id.tag;
        let (algorithm, hash) =
            if tag.is_none() { ("", Vec::new()) } else { (SHA, tag.as_bytes().to_vec()) };
        Value::Array(vec![
            bytes(&found.value.into_bytes()),
            Value::Integer(left),
            Value::String(algorithm.to_owned()),
            Value::Base64(hash),
        ])
    };
    list(dht, params, row).await
}

pub(super) async fn rm(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let key = params.key(KEY_MAX)?;
    let sha1 = params.sha1()?;
    hash_algorithm(&mut params)?;
    let secret = Secret::new(params.bytes(base::limits::SECRET_MAX)?)?;
    clamped_ttl(&mut params)?;
    params.text()?;
    if caller.quota.remove(caller.source).is_err() {
        return Ok(Value::Integer(OVER_CAPACITY));
    }
    Ok(code(caller.dht.remove_by_sha1(&key, sha1, secret).await))
}

/// Puts a value, if the caller may put as much.
async fn store(
    caller: Caller<'_>,
    key: &Key,
    value: base::Value,
    tag: SecretTag,
    ttl: Ttl,
) -> Value {
    match caller.quota.put(caller.source, key, &value, ttl.into()) {
        Ok(()) => code(caller.put(key, value, tag, ttl).await),
        Err(_) => Value::Integer(OVER_CAPACITY),
    }
}

/// Whether a method of this name returns a code.
pub(super) fn returns_a_code(method: &str) -> bool {
    ["put", "put_removable", "rm"].contains(&method)
}

/// The code for what may go well the next time.
pub(super) fn try_again() -> Value {
    Value::Integer(TRY_AGAIN)
}

async fn list(dht: &Dht, mut params: Params, row: impl Fn(Found) -> Value) -> Result<Value, Fault> {
    let key = params.key(KEY_MAX)?;
    let max = params.optional_max()?.unwrap_or(1);
    let after = placemark(&mut params)?;
    params.text()?;
    let request = PageRequest { after, max_values: max, max_bytes: PAGE_BYTES };
    let page = dht.get(&key, request).await?;
    let rows = page.values.into_iter().map(row).collect();
    Ok(Value::Array(vec![Value::Array(rows), mark(page.next)]))
}

/// What OpenDHT's methods tell of what became of it.
fn code<T>(result: Result<T, DhtError>) -> Value {
    Value::Integer(match result {
        Ok(_) => STORED,
        Err(DhtError::OverCapacity(_) | DhtError::Full(_)) => OVER_CAPACITY,
        Err(DhtError::NoQuorum(_)) => TRY_AGAIN,
        // What no value put without a signature meets.
        Err(DhtError::Forged(_) | DhtError::Superseded(_) | DhtError::Taken(_)) => OVER_CAPACITY,
    })
}

/// A ttl above the longest is taken for the longest, as OpenDHT did.
fn clamped_ttl(params: &mut Params) -> Result<Ttl, Fault> {
    let seconds = params.int()?;
    let longest = i64::try_from(Ttl::MAX.as_secs()).unwrap_or(i64::MAX);
    Ttl::from_secs(seconds.min(longest)).map_err(|_| params.bad("must be at least 1"))
}

fn hash_algorithm(params: &mut Params) -> Result<(), Fault> {
    if params.text()? == SHA { Ok(()) } else { Err(params.bad("must be SHA")) }
}
