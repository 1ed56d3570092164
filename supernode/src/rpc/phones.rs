//! `scope.phone` and `scope.protect`: the phone passwords of names.

use std::collections::BTreeMap;

use base::PublicKey;
use base::limits::VALUE_MAX;
use dxr::Value;

use super::params::Params;
use super::{Caller, Fault};
use crate::accounts::{AccountsError, Record, Salt};

/// Longest hash that is looked at, in bytes: the caller is told which length is right.
const HASH_MAX: usize = 64;

pub(super) async fn phone(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let name = params.name_of_person()?;
    let owner = params.public_key()?;
    let salt = params.optional_bytes()?.filter(|salt| !salt.is_empty());
    let record = match salt {
        None => None,
        Some(salt) => {
            let salt: Result<Salt, _> = salt.as_ref().try_into();
            let salt = salt.map_err(|_| params.bad("must have 8 bytes"))?;
            let (md5, sha256) = (params.bytes(HASH_MAX)?, params.bytes(HASH_MAX)?);
            let record = Record::new(salt, &md5, &sha256);
            Some(record.ok_or_else(|| {
                Fault::BadParameters("an MD5 has 16 bytes, a SHA-256 has 32".to_owned())
            })?)
        }
    };
    let standing = caller.phones.standing(&name, &owner).await?;
    let mut members = BTreeMap::from([
        ("name".to_owned(), Value::String(name.to_string())),
        ("next".to_owned(), Value::String(standing.next.number().to_string())),
    ]);
    if let Some(salt) = standing.salt {
        members.insert("salt".to_owned(), Value::Base64(salt.to_vec()));
    }
    if let Some(record) = record {
        let body = caller.phones.seal(&name, &owner, &record)?;
        members.insert("body".to_owned(), Value::Base64(body));
    }
    Ok(Value::Struct(members))
}

pub(super) async fn protect(caller: Caller<'_>, mut params: Params) -> Result<Value, Fault> {
    let (name, signed) = (params.name_of_person()?, params.bytes(VALUE_MAX)?);
    let allowed = (caller.quota, caller.source);
    let replicas = caller.phones.put(allowed, &name, signed).await?;
    Ok(Value::Integer(i32::try_from(replicas).unwrap_or(i32::MAX)))
}

impl Params {
    /// Somebody's public key, in hexadecimal.
    fn public_key(&mut self) -> Result<PublicKey, Fault> {
        let text = self.text()?;
        text.parse()
            .map_err(|error: base::NotAPublicKey| self.bad(&format!("is not a key: {error}")))
    }
}

impl From<AccountsError> for Fault {
    fn from(error: AccountsError) -> Fault {
        let text = error.to_string();
        match error {
            AccountsError::Malformed(_) | AccountsError::NotARecord(_) => {
                Fault::BadParameters(text)
            }
            AccountsError::NotTheHolder(_) => Fault::WrongSecret(text),
            AccountsError::OverQuota(over) => over.into(),
            AccountsError::NoRandomness => Fault::OverCapacity(text),
            AccountsError::Dht(error) => error.into(),
        }
    }
}
