//! Phone passwords, as the commands `phone-password` and `claim` have them: made here, and known to
//! super-nodes by their hashes only.

use std::ffi::OsString;
use std::io::Read;

use base::{Kind, Name, PublicKey, Signed, SigningKey, Slot, Ttl};
use dxr::Value as Xml;
use p2psip::accounts::Account;

use super::error::ClientError;
use super::http::Server;
use super::person::{Source, name, sequence};
use super::rpc::{as_bytes, bytes, call, unexpected};
use crate::accounts::{self, PhonePassword, Record, Salt};
use crate::cli::PhonePasswordArgs;
use crate::random;

/// What a node answers who is not the holder.
const NOT_THE_HOLDER: i32 = 7;

/// What came of `phone-password`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) name: Name,
    pub(super) done: Done,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Done {
    /// The name has this one, as before or from now on.
    Protected { password: PhonePassword, is_new: bool },
    /// It is open.
    Opened,
    /// It was open.
    WasOpen,
}

/// What a claim does to the phone password of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Renewal {
    /// There is none.
    None,
    /// It lasts as long as the claim.
    Renewed,
    /// It could not be renewed, and why.
    Failed(String),
    /// The name has another key now, and the password was the old one's.
    Lost,
}

/// How a phone password stands, as a node tells.
struct Standing {
    salt: Option<Salt>,
    next: u64,
    body: Option<Vec<u8>>,
}

/// Protects a name by a phone password, or opens it.
pub(super) async fn set(
    server: &Server,
    args: &PhonePasswordArgs,
    variable: Option<OsString>,
    stdin: &mut (impl Read + Send),
) -> Result<Outcome, ClientError> {
    let name = name(&args.name)?;
    let source =
        Source::of(args.key_file.as_deref(), false, args.name_passphrase_file.as_deref(), variable);
    if matches!(source, Source::New) {
        return Err(ClientError::NobodysPhone);
    }
    let key = source.key(&name, stdin)?.key;
    let before = standing(server, &name, &key.public(), None).await?;
    let done = if args.remove {
        if before.salt.is_none() {
            Done::WasOpen
        } else {
            remove(server, &name, &key, &before).await?;
            Done::Opened
        }
    } else {
        let kept = before.salt.filter(|_| !args.new);
        let salt = match kept {
            Some(salt) => salt,
            None => random::bytes().map_err(ClientError::NoRandomness)?,
        };
        let password = PhonePassword::of(&key, &name, &salt);
        put(server, &name, &key, salt, &password).await?;
        Done::Protected { password, is_new: kept.is_none() }
    };
    Ok(Outcome { name, done })
}

/// After a claim: the password of who claimed goes on, the one of who had the name before does not.
pub(super) async fn renew(
    server: &Server,
    name: &Name,
    key: &SigningKey,
    old: Option<&PublicKey>,
) -> Renewal {
    let renewed = async {
        if let Some(salt) = standing(server, name, &key.public(), None).await?.salt {
            let password = PhonePassword::of(key, name, &salt);
            put(server, name, key, salt, &password).await?;
            return Ok(Renewal::Renewed);
        }
        let Some(old) = old else { return Ok(Renewal::None) };
        let had = standing(server, name, old, None).await?.salt.is_some();
        Ok(if had { Renewal::Lost } else { Renewal::None })
    };
    let renewed: Result<Renewal, ClientError> = renewed.await;
    renewed.unwrap_or_else(|error| Renewal::Failed(error.to_string()))
}

/// Before a name is given back: what protects it goes with it.
pub(super) async fn give_back(
    server: &Server,
    name: &Name,
    key: &SigningKey,
) -> Result<(), ClientError> {
    let before = standing(server, name, &key.public(), None).await?;
    if before.salt.is_none() {
        return Ok(());
    }
    match remove(server, name, key, &before).await {
        // Somebody else has the name: what this key said of it counts no more.
        Err(ClientError::Fault { code: NOT_THE_HOLDER, .. }) => Ok(()),
        done => done,
    }
}

async fn put(
    server: &Server,
    name: &Name,
    key: &SigningKey,
    salt: Salt,
    password: &PhonePassword,
) -> Result<(), ClientError> {
    let account = Account::new(name.as_str(), password.as_str());
    let record = Record::of(&account, salt).expect("both hashes of an account just made");
    let told = standing(server, name, &key.public(), Some(&record)).await?;
    let body = told.body.ok_or_else(|| unexpected(&server.node, "what scope.phone returns"))?;
    let place = accounts::key(name).place();
    let sequence = sequence(told.next);
    let signed = Signed::sign(key, &place, Slot::ZERO, Kind::Plain, sequence, Ttl::MAX, &body)?;
    protect(server, name, &signed).await
}

async fn remove(
    server: &Server,
    name: &Name,
    key: &SigningKey,
    before: &Standing,
) -> Result<(), ClientError> {
    let sequence = sequence(before.next);
    let place = accounts::key(name).place();
    let removal = Signed::removal(key, &place, Slot::ZERO, Kind::Plain, sequence);
    protect(server, name, &removal).await
}

async fn protect(server: &Server, name: &Name, signed: &Signed) -> Result<(), ClientError> {
    let parameters = vec![Xml::String(name.as_str().to_owned()), bytes(signed.as_bytes())];
    match call(server, "scope.protect", parameters).await? {
        Xml::Integer(_) => Ok(()),
        _ => Err(unexpected(&server.node, "what scope.protect returns")),
    }
}

/// How the phone password of a name and a key stands; with a record, its bytes to sign.
async fn standing(
    server: &Server,
    name: &Name,
    key: &PublicKey,
    record: Option<&Record>,
) -> Result<Standing, ClientError> {
    let mut parameters = vec![Xml::String(name.as_str().to_owned()), Xml::String(key.to_string())];
    if let Some(record) = record {
        parameters.extend([&record.salt[..], record.md5(), record.sha256()].map(bytes));
    }
    let reply = call(server, "scope.phone", parameters).await?;
    read(reply).ok_or_else(|| unexpected(&server.node, "what scope.phone returns"))
}

fn read(reply: Xml) -> Option<Standing> {
    let Xml::Struct(mut members) = reply else { return None };
    let Some(Xml::String(next)) = members.remove("next") else { return None };
    let salt = match members.remove("salt") {
        None => None,
        Some(salt) => Some(as_bytes(salt)?.try_into().ok()?),
    };
    let body = members.remove("body").map(as_bytes);
    let body = match body {
        None => None,
        Some(body) => Some(body?),
    };
    Some(Standing { salt, next: next.parse().ok()?, body })
}
