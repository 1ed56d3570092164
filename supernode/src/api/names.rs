//! Names, as JSON has them.

use base::{Name, PublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dht::Claimant;
use serde::{Deserialize, Serialize};

use super::field;
use crate::names::{self, NamesError};
use crate::rpc::Fault;
use crate::source::Source;
use crate::state::AppState;

/// The answer of `GET /api/v1/names/NAME`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Looked {
    /// The name, normalised.
    pub name: String,
    /// Who has it, confirmed; nothing while nobody has.
    pub holder: Option<Claiming>,
    /// All others that claim it, the first in order first: losers, if there is a holder.
    pub others: Vec<Claiming>,
    /// The least sequence of the asker's next claim, if `?key=` named the asker's key.
    pub next: Option<u64>,
}

/// Somebody who claims a name.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Claiming {
    /// The name as the claimant spells it.
    pub name: String,
    /// The name with four digits of the key: how a loser is shown.
    pub tagged: String,
    /// The claimant's public key, in hexadecimal.
    pub key: String,
    /// What people compare of it: 80 bits.
    pub fingerprint: String,
    /// For how many seconds the name has been claimed by it.
    pub held_s: u64,
    /// The claim in its canonical bytes, in base64: anybody can check them.
    pub signed: String,
}

/// What `POST /api/v1/names/NAME` is asked.
#[derive(Debug, Deserialize)]
pub struct Claim {
    /// The canonical bytes of a claim, or of its withdrawal, in base64.
    pub signed: String,
}

/// The answer of `POST /api/v1/names/NAME`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Put {
    /// Copies on disk.
    pub replicas: usize,
}

impl From<&Claimant> for Claiming {
    fn from(claimant: &Claimant) -> Claiming {
        Claiming {
            name: claimant.claim.name.to_string(),
            tagged: claimant.tagged(),
            key: claimant.key.to_string(),
            fingerprint: claimant.key.fingerprint().to_string(),
            held_s: claimant.held.as_secs(),
            signed: BASE64_STANDARD.encode(claimant.signed.as_bytes()),
        }
    }
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
    Ok(Looked {
        name: looked.name.to_string(),
        holder: looked.status.holder.as_ref().map(Claiming::from),
        others: looked.status.others.iter().map(Claiming::from).collect(),
        next: looked.next.map(|next| next.number()),
    })
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
