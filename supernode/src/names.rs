//! Names, as programs ask for them: who has one, and claims that were signed elsewhere. A person's key
//! never comes here: whoever claims a name signs the claim where the key is.

use base::{
    Key, Lifetime, MalformedSigned, Name, NameError, NotAPublicKey, PublicKey, Sequence, Signed,
    Slot, Value,
};
use bytes::Bytes;
use dht::{Dht, DhtError, NameStatus};

use crate::quota::{OverQuota, Quota};
use crate::source::Source;

/// Who has a name, and what the asker may claim it with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The name that was asked for.
    pub name: Name,
    /// Who claims it, or one that looks like it.
    pub status: NameStatus,
    /// The least sequence the asker's next claim may have, if it named its key.
    pub next: Option<Sequence>,
}

/// Why nothing came of it, and what to do. Fit to be shown to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// That is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// That is no key.
    #[error(transparent)]
    Key(#[from] NotAPublicKey),
    /// That was not signed by anybody.
    #[error("the claim cannot be read: {0}")]
    Claim(#[from] MalformedSigned),
    /// The source puts too much.
    #[error("the quota of this address is used up")]
    OverQuota(OverQuota),
    /// The overlay did not do it.
    #[error(transparent)]
    Dht(#[from] DhtError),
}

/// Who has a name.
///
/// # Errors
/// The overlay's.
pub async fn look_up(
    dht: &Dht,
    name: Name,
    asker: Option<PublicKey>,
) -> Result<Looked, NamesError> {
    let status = dht.holder(&name).await?;
    let next = match asker {
        None => None,
        Some(asker) => {
            let least = Sequence::ZERO;
            Some(dht.next_sequence(name.key(), &asker, Slot::ZERO, least).await?)
        }
    };
    Ok(Looked { name, status, next })
}

/// Puts a claim of a name, or the withdrawal of one, in its canonical bytes; how many copies are on disk.
///
/// # Errors
/// [`NamesError`]: what is wrong with it, that the name is taken, or the overlay's.
pub async fn put_claim(
    dht: &Dht,
    (quota, source): (&Quota, Source),
    name: &Name,
    signed: Bytes,
) -> Result<usize, NamesError> {
    let signed = Signed::from_bytes(signed)?;
    take(quota, source, name.key(), &signed.to_value(), signed.life())?;
    Ok(dht.put_claim(name, signed).await?.replicas)
}

fn take(
    quota: &Quota,
    source: Source,
    key: &Key,
    value: &Value,
    life: Lifetime,
) -> Result<(), NamesError> {
    quota.put(source, key, value, life).map_err(NamesError::OverQuota)
}
