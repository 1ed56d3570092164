//! Names, as JSON has them.

use base::{Name, PublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use whatsup::door::{Looked, Put};

use super::{door, field};
use crate::names::{self, NamesError};
use crate::rpc::Fault;
use crate::source::Source;
use crate::state::AppState;

/// What `POST /api/v1/names/NAME` is asked.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SignedClaim"))]
pub struct Claim {
    /// The canonical bytes of a claim, or of its withdrawal, in base64.
    pub signed: String,
}

/// Who has a name.
///
/// # Errors
/// What is wrong with the request, and the overlay's.
pub async fn look_up(state: &AppState, name: &str, query: &str) -> Result<Looked, Fault> {
    let name = Name::new(name).map_err(NamesError::from)?;
    let key = field(query, "key").map(|key| key.parse::<PublicKey>());
    let key = key.transpose().map_err(NamesError::from)?;
    let looked = names::look_up(&state.dht, name, key).await?;
    Ok(door::looked_up(&looked))
}

/// Puts a claim, or its withdrawal.
///
/// # Errors
/// What is wrong with the request, that the name is taken, what the source may not, and the overlay's.
pub async fn claim(
    state: &AppState,
    source: Source,
    name: &str,
    claim: &Claim,
) -> Result<Put, Fault> {
    let name = Name::new(name).map_err(NamesError::from)?;
    let signed = BASE64_STANDARD.decode(&claim.signed);
    let signed =
        signed.map_err(|_| Fault::BadParameters("signed is not base64 (RFC 4648)".to_owned()))?;
    let replicas =
        names::put_claim(&state.dht, (&state.quota, source), &name, signed.into()).await?;
    Ok(Put { replicas })
}
