//! `scope.name` and `scope.claim`: who has a name.

use std::collections::BTreeMap;

use base::{NameError, PublicKey};
use dht::Claimant;
use dxr::Value;

use super::params::Params;
use super::{Caller, Fault};
use crate::names::{self, NamesError};

pub(super) async fn name(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let name = params.name_of_person()?;
    let asker: Option<PublicKey> =
        match params.optional_bytes()?.filter(|key| !key.is_empty()) {
            None => None,
            Some(key) => Some(std::str::from_utf8(&key).unwrap_or_default().parse().map_err(
                |error: base::NotAPublicKey| params.bad(&format!("is not a key: {error}")),
            )?),
        };
    let looked = names::look_up(caller.dht, name, asker).await?;
    let mut members = BTreeMap::from([
        ("name".to_owned(), text(looked.name.as_str())),
        ("others".to_owned(), Value::Array(looked.status.others.iter().map(claimant).collect())),
    ]);
    if let Some(holder) = &looked.status.holder {
        members.insert("holder".to_owned(), claimant(holder));
    }
    if let Some(next) = looked.next {
        members.insert("next".to_owned(), Value::String(next.number().to_string()));
    }
    Ok(Value::Struct(members))
}

pub(super) async fn claim(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let (name, signed) = (params.name_of_person()?, params.bytes(base::limits::VALUE_MAX)?);
    let allowed = (caller.quota, caller.source);
    let replicas = names::put_claim(caller.dht, allowed, &name, signed).await?;
    Ok(Value::Integer(i32::try_from(replicas).unwrap_or(i32::MAX)))
}

fn claimant(claimant: &Claimant) -> Value {
    let held_s = i32::try_from(claimant.held.as_secs()).unwrap_or(i32::MAX);
    let members = [
        ("name", text(claimant.claim.name.as_str())),
        ("tagged", Value::String(claimant.tagged())),
        ("key", Value::String(claimant.key.to_string())),
        ("fingerprint", Value::String(claimant.key.fingerprint().to_string())),
        ("held_s", Value::Integer(held_s)),
        ("signed", Value::Base64(claimant.signed.as_bytes().to_vec())),
    ];
    Value::Struct(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

impl From<NamesError> for Fault {
    fn from(error: NamesError) -> Fault {
        let text = error.to_string();
        match error {
            NamesError::Name(NameError::TooLong { .. }) => Fault::TooLarge(text),
            NamesError::Name(_) | NamesError::Key(_) | NamesError::Claim(_) => {
                Fault::BadParameters(text)
            }
            NamesError::OverQuota(over) => over.into(),
            NamesError::Dht(error) => error.into(),
        }
    }
}
