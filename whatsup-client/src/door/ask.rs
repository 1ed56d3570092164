//! What a super-node is asked, and the one place where that is checked.

use base::{EntryId, Key, PublicKey, Secret, SecretTag, ServiceId, Signed, Ttl, Value};
use serde::{Deserialize, Serialize};

use super::{Base64, Refusal};
use crate::overlay;

/// How long a value lives whose ttl is not given, in seconds: a day.
pub const DEFAULT_TTL_S: i64 = 86_400;

/// One thing to do: an object with one field, which says what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// List values under a key; answered by `page`.
    Get(Get),
    /// Put a value; answered by `put`.
    Put(PutValue),
    /// Put what an author signed, or the removal the author signed; answered by `put`.
    PutSigned(PutSigned),
    /// Remove a value that was put without a signature; answered by `removed`.
    Remove(Remove),
    /// Who has a name; answered by `name`.
    Name(Name),
    /// Claim a name, or give it back; answered by `put`. Whether the claimant has the name is decided some
    /// two seconds later.
    Claim(Claim),
    /// Where somebody is registered by SIP; answered by `located`.
    Locate(Locate),
    /// All services; answered by `services`.
    Services(Services),
    /// Some that offer a service; answered by `providers`.
    Lookup(Lookup),
}

/// Which values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The key, at most 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Base64>,
    /// The key, as the UTF-8 of this text; instead of `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_text: Option<String>,
    /// The service whose key it is, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Only values after this one: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Base64>,
    /// At most so many, at least 1. There may be fewer, and `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// Whether one replica's word is enough, as for what the reader can check to be the right one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_one: bool,
}

/// A value to put.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PutValue {
    /// The key, at most 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Base64>,
    /// The key, as the UTF-8 of this text; instead of `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_text: Option<String>,
    /// The service whose key it is, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The value, at most 65,536 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Base64>,
    /// The value, as the UTF-8 of this text; instead of `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_text: Option<String>,
    /// The secret that removing it takes, at most 40 bytes; none if not given, or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Base64>,
    /// The secret, as the UTF-8 of this text; instead of `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_text: Option<String>,
    /// The tag of a secret, its SHA-1, 20 bytes; instead of the secret. The tag of what is signed is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Base64>,
    /// For how long, in seconds, from 1 to 604,800; a day if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Only if the key has fewer values than this, or this one; else it is `full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<u64>,
}

/// What an author signed for a key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PutSigned {
    /// The key, at most 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Base64>,
    /// The key, as the UTF-8 of this text; instead of `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_text: Option<String>,
    /// The service whose key it is, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The canonical bytes of a signed entry, or of its removal. No claim: that is `claim`'s.
    pub signed: Base64,
    /// Only if the key has fewer values than this, or its author has one in this slot; else it is `full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<u64>,
}

/// A value to remove.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// The key, at most 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Base64>,
    /// The key, as the UTF-8 of this text; instead of `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_text: Option<String>,
    /// The service whose key it is, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Base64>,
    /// The value, as the UTF-8 of this text; instead of `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_text: Option<String>,
    /// The secret it was put with; none if not given, or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Base64>,
    /// The secret, as the UTF-8 of this text; instead of `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_text: Option<String>,
}

/// A name to look up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// The name.
    pub name: String,
    /// The asker's public key, in hexadecimal, to learn the least sequence of its next claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A name to claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The name.
    pub name: String,
    /// The canonical bytes of a claim, or of its withdrawal.
    pub signed: Base64,
}

/// Somebody to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Locate {
    /// The user of the address: `alice` of `sip:alice@scope`, in any case.
    pub user: String,
}

/// Nothing more to say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Services {}

/// A service to look up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The Service-ID.
    pub service: String,
}

impl Ask {
    /// What is asked, checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(self) -> Result<overlay::Ask, Refusal> {
        Ok(match self {
            Ask::Get(get) => overlay::Ask::Get(get.read()?),
            Ask::Put(put) => put.read()?,
            Ask::PutSigned(put) => put.read()?,
            Ask::Remove(remove) => remove.read()?,
            Ask::Name(Name { name, key }) => {
                let asker = key.map(|key| key.parse::<PublicKey>()).transpose();
                let asker = asker.map_err(|error| Refusal::bad(format!("key: {error}")))?;
                overlay::Ask::Name { name: person(&name)?, asker }
            }
            Ask::Claim(Claim { name, signed: bytes }) => {
                overlay::Ask::Claim { name: person(&name)?, signed: signed(bytes)? }
            }
            Ask::Locate(Locate { user }) => overlay::Ask::Locate { user },
            Ask::Services(Services {}) => overlay::Ask::Services,
            Ask::Lookup(Lookup { service }) => overlay::Ask::Lookup { service },
        })
    }
}

impl Get {
    /// What is asked, checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(self) -> Result<overlay::Get, Refusal> {
        let key = key(self.key, self.key_text, self.service.as_deref())?;
        let after = self.after.map(|given| entry_id("after", &given)).transpose()?;
        if self.max == Some(0) {
            return Err(Refusal::bad("max must be at least 1"));
        }
        let max = self.max.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
        Ok(overlay::Get { key, after, max, from_one: self.from_one })
    }
}

impl PutValue {
    /// What is asked, checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(self) -> Result<overlay::Ask, Refusal> {
        let key = key(self.key, self.key_text, self.service.as_deref())?;
        let value = value(self.value, self.value_text)?;
        let secret = secret(self.secret, self.secret_text)?;
        let tag = match (secret, self.tag) {
            (Some(_), Some(_)) => return Err(Refusal::bad("give the secret or its tag, not both")),
            (secret, None) => secret.as_ref().map_or(SecretTag::NONE, Secret::tag),
            (None, Some(Base64(tag))) => {
                let tag = tag.as_ref().try_into();
                let tag = tag.map_err(|_| Refusal::bad("tag must be a SHA-1, of 20 bytes"))?;
                SecretTag::from_bytes(tag)
            }
        };
        if tag.is_signed() {
            return Err(Refusal::bad(
                "tag: this one is kept for signed entries; those are put_signed",
            ));
        }
        let ttl = Ttl::from_secs(self.ttl.unwrap_or(DEFAULT_TTL_S));
        let ttl = ttl.map_err(|error| Refusal::bad(error.to_string()))?;
        Ok(overlay::Ask::Put { key, value, tag, ttl, room: self.room.map(room) })
    }
}

impl PutSigned {
    fn read(self) -> Result<overlay::Ask, Refusal> {
        let key = key(self.key, self.key_text, self.service.as_deref())?;
        let signed = signed(self.signed)?;
        if signed.kind() == base::Kind::Claim {
            return Err(Refusal::bad("signed: it is a claim of a name; put it by claim"));
        }
        Ok(overlay::Ask::PutSigned { key, signed, room: self.room.map(room) })
    }
}

impl Remove {
    /// What is asked, checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(self) -> Result<overlay::Ask, Refusal> {
        let key = key(self.key, self.key_text, self.service.as_deref())?;
        let value = value(self.value, self.value_text)?;
        let secret = secret(self.secret, self.secret_text)?;
        Ok(overlay::Ask::Remove { key, value, secret })
    }
}

impl From<&overlay::Ask> for Ask {
    fn from(ask: &overlay::Ask) -> Ask {
        match ask {
            overlay::Ask::Get(get) => Ask::Get(Get::from(get)),
            overlay::Ask::Put { key, value, tag, ttl, room } => Ask::Put(PutValue {
                key: Some(Base64::copy(key.as_bytes())),
                service: service_of(key),
                value: Some(Base64(value.clone().into_bytes())),
                tag: (!tag.is_none()).then(|| Base64::copy(tag.as_bytes())),
                ttl: Some(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)),
                room: room.map(|room| room as u64),
                ..PutValue::default()
            }),
            overlay::Ask::PutSigned { key, signed, room } => Ask::PutSigned(PutSigned {
                key: Some(Base64::copy(key.as_bytes())),
                service: service_of(key),
                signed: Base64(signed.as_bytes().clone()),
                room: room.map(|room| room as u64),
                ..PutSigned::default()
            }),
            overlay::Ask::Remove { key, value, secret } => Ask::Remove(Remove {
                key: Some(Base64::copy(key.as_bytes())),
                service: service_of(key),
                value: Some(Base64(value.clone().into_bytes())),
                secret: secret.as_ref().map(|secret| Base64::copy(secret.as_bytes())),
                ..Remove::default()
            }),
            overlay::Ask::Name { name, asker } => Ask::Name(Name {
                name: name.as_str().to_owned(),
                key: asker.map(|asker| asker.to_string()),
            }),
            overlay::Ask::Claim { name, signed } => Ask::Claim(Claim {
                name: name.as_str().to_owned(),
                signed: Base64(signed.as_bytes().clone()),
            }),
            overlay::Ask::Locate { user } => Ask::Locate(Locate { user: user.clone() }),
            overlay::Ask::Services => Ask::Services(Services {}),
            overlay::Ask::Lookup { service } => Ask::Lookup(Lookup { service: service.clone() }),
        }
    }
}

impl From<&overlay::Get> for Get {
    fn from(get: &overlay::Get) -> Get {
        Get {
            key: Some(Base64::copy(get.key.as_bytes())),
            key_text: None,
            service: service_of(&get.key),
            after: get.after.map(|after| Base64::copy(&after.to_bytes())),
            max: (get.max != usize::MAX).then_some(get.max.max(1) as u64),
            from_one: get.from_one,
        }
    }
}

pub(super) fn service_of(key: &Key) -> Option<String> {
    key.service().map(ToString::to_string)
}

/// A key, given in one of two ways, in a service or in none.
pub(super) fn key(
    bytes: Option<Base64>,
    text: Option<String>,
    service: Option<&str>,
) -> Result<Key, Refusal> {
    let bytes = one_of("key", bytes, text)?.ok_or_else(|| Refusal::bad("key is missing"))?;
    let key = match service {
        None => Key::new(bytes.0),
        Some(service) => {
            let service = ServiceId::new(service);
            let service = service.map_err(|error| Refusal::bad(format!("service: {error}")))?;
            Key::in_service(&service, bytes.0)
        }
    };
    key.map_err(|error| Refusal::too_large(error.to_string()))
}

fn value(bytes: Option<Base64>, text: Option<String>) -> Result<Value, Refusal> {
    let bytes = one_of("value", bytes, text)?.ok_or_else(|| Refusal::bad("value is missing"))?;
    Value::new(bytes.0).map_err(|error| Refusal::too_large(error.to_string()))
}

/// A secret; not given and empty are none.
fn secret(bytes: Option<Base64>, text: Option<String>) -> Result<Option<Secret>, Refusal> {
    let Some(Base64(bytes)) = one_of("secret", bytes, text)?.filter(|bytes| !bytes.0.is_empty())
    else {
        return Ok(None);
    };
    Secret::new(bytes).map(Some).map_err(|error| Refusal::too_large(error.to_string()))
}

fn one_of(
    what: &str,
    bytes: Option<Base64>,
    text: Option<String>,
) -> Result<Option<Base64>, Refusal> {
    match (bytes, text) {
        (Some(_), Some(_)) => Err(Refusal::bad(format!("give {what} or {what}_text, not both"))),
        (Some(bytes), None) => Ok(Some(bytes)),
        (None, text) => Ok(text.map(|text| Base64(text.into()))),
    }
}

pub(super) fn entry_id(what: &str, given: &Base64) -> Result<EntryId, Refusal> {
    let id = given.0.as_ref().try_into();
    let id = id.map_err(|_| Refusal::bad(format!("{what} is not one that a page gave")))?;
    Ok(EntryId::from_bytes(id))
}

fn person(name: &str) -> Result<base::Name, Refusal> {
    base::Name::new(name).map_err(|error| match error {
        base::NameError::TooLong { .. } => Refusal::too_large(error.to_string()),
        _ => Refusal::bad(error.to_string()),
    })
}

fn signed(bytes: Base64) -> Result<Signed, Refusal> {
    Signed::from_bytes(bytes.0)
        .map_err(|error| Refusal::bad(format!("signed cannot be read: {error}")))
}

fn room(room: u64) -> usize {
    usize::try_from(room).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
