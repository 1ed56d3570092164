//! Names, as the commands `names` and `claim` have them. What a node says of claims is checked here again:
//! each is signed by who it says.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::time::Duration;

use base::{Claim, Name, PublicKey, Sequence, Signed, SigningKey, Succession, Ttl};
use dxr::Value as Xml;
use tokio::time::{Instant, sleep};

use super::error::ClientError;
use super::http::Server;
use super::person::{Person, Source, name, sequence};
use super::phones::{self, Renewal};
use super::rpc::{as_bytes, bytes, call, unexpected};
use crate::cli::ClaimArgs;

/// How long a decision is waited for: some seconds, if all goes well.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(400);
/// What a node answers when somebody else has the name, or a newer claim is there.
const TAKEN: i32 = 7;

/// Somebody who claims a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claimant {
    pub(super) key: PublicKey,
    pub(super) claim: Claim,
    pub(super) held_s: i64,
}

/// Who claims a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claimants {
    pub(super) name: Name,
    pub(super) holder: Option<Claimant>,
    pub(super) others: Vec<Claimant>,
    next: u64,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) name: Name,
    /// The claimant's key; none if none was made, as the name is taken.
    pub(super) key: Option<PublicKey>,
    pub(super) state: State,
    /// For how long it was claimed.
    pub(super) ttl: Ttl,
    /// A passphrase that was made.
    pub(super) passphrase: Option<String>,
    /// What became of the name's phone password.
    pub(super) phone: Renewal,
}

/// How a claim stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Confirmed,
    Pending,
    /// Somebody has the name; nobody knows who if nothing is said of it.
    Lost(Option<Claimant>),
    Withdrawn,
}

/// Who claims a name; `asker` is the key to claim it with next.
pub(super) async fn look_up(
    server: &Server,
    name: &Name,
    asker: Option<&PublicKey>,
) -> Result<Claimants, ClientError> {
    let mut parameters = vec![Xml::String(name.as_str().to_owned())];
    parameters.extend(asker.map(|key| Xml::String(key.to_string())));
    let reply = call(server, "scope.name", parameters).await?;
    read(name, reply).ok_or_else(|| unexpected(&server.node, "what scope.name returns"))
}

fn read(name: &Name, reply: Xml) -> Option<Claimants> {
    let Xml::Struct(mut members) = reply else { return None };
    let Some(Xml::Array(others)) = members.remove("others") else { return None };
    let next = match members.remove("next") {
        Some(Xml::String(next)) => next.parse().ok()?,
        _ => 0,
    };
    let holder = members.remove("holder").map(|holder| claimant(name, holder));
    // What nobody signed is as good as not there.
    let others = others.into_iter().filter_map(|other| claimant(name, other)).collect();
    Some(Claimants { name: name.clone(), holder: holder.flatten(), others, next })
}

fn claimant(name: &Name, told: Xml) -> Option<Claimant> {
    let Xml::Struct(mut members) = told else { return None };
    let place = name.key().place();
    let signed = Signed::from_bytes(as_bytes(members.remove("signed")?)?.into()).ok()?;
    let signed = signed.verify(&place).ok()?;
    let held_s = match members.remove("held_s") {
        Some(Xml::Integer(held)) => held.into(),
        Some(Xml::Long(held)) => held,
        _ => 0,
    };
    Some(Claimant { key: signed.author(), claim: Claim::read(&signed, &place).ok()?, held_s })
}

/// Claims a name, or gives it back, and waits until it is decided who has it. A passphrase that is made is
/// shown to `early` before anything depends on it.
pub(super) async fn claim(
    server: &Server,
    args: &ClaimArgs,
    variable: Option<OsString>,
    stdin: &mut (impl Read + Send),
    early: &mut (dyn Write + Send),
) -> Result<Outcome, ClientError> {
    let name = name(&args.name)?;
    let source = source(args, variable);
    if matches!(source, Source::New) && !args.withdraw {
        // A passphrase that would be of no use is not made.
        let before = look_up(server, &name, None).await?;
        if let Some(holder) = before.holder {
            let state = State::Lost(Some(holder));
            let (ttl, phone) = (Ttl::MAX, Renewal::None);
            return Ok(Outcome { name, key: None, state, ttl, passphrase: None, phone });
        }
    }
    if matches!(source, Source::New) && args.withdraw {
        return Err(ClientError::NobodysName);
    }
    let Person { key, made } = source.key(&name, stdin)?;
    let old = old_source(args).map(|old| old.key(&name, stdin)).transpose()?;
    if let Some(made) = &made
        && !args.at.json
    {
        let written = writeln!(early, "passphrase: {}", made.as_str()).and_then(|()| early.flush());
        written.map_err(ClientError::StandardOutput)?;
    }
    let public = key.public();
    let before = look_up(server, &name, Some(&public)).await?;
    let sequence = sequence(before.next);
    let ttl = args.ttl.unwrap_or(Ttl::MAX);
    let signed = if args.withdraw {
        Claim::withdraw(&name, &key, sequence)
    } else {
        claim_of(&before, &key, old.as_ref().map(|old| &old.key)).sign(&key, sequence, ttl)?
    };
    let outcome = |state| Outcome {
        name: name.clone(),
        key: Some(public),
        state,
        ttl,
        passphrase: made.as_ref().map(|made| made.as_str().to_owned()),
        phone: Renewal::None,
    };
    if args.withdraw {
        // Only who has a name can say anything of its phone.
        phones::give_back(server, &name, &key).await?;
    }
    let parameters = vec![Xml::String(name.as_str().to_owned()), bytes(signed.as_bytes())];
    match call(server, "scope.claim", parameters).await {
        Ok(Xml::Integer(_)) => {}
        Ok(_) => return Err(unexpected(&server.node, "what scope.claim returns")),
        Err(ClientError::Fault { code: TAKEN, message }) => {
            let now = look_up(server, &name, None).await?;
            let mut ahead = now.holder.into_iter().chain(now.others);
            return match ahead.find(|other| other.key != public) {
                Some(ahead) if !args.withdraw => Ok(outcome(State::Lost(Some(ahead)))),
                _ => Err(ClientError::Fault { code: TAKEN, message }),
            };
        }
        Err(error) => return Err(error),
    }
    if args.withdraw {
        return Ok(outcome(State::Withdrawn));
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = look_up(server, &name, None).await?;
        let passed_on = |from: &PublicKey| {
            now.others.iter().any(|o| o.key == public && o.claim.heir_of().contains(from))
        };
        match now.holder.clone() {
            Some(holder) if holder.key == public => {
                let old = old.as_ref().map(|old| old.key.public());
                let phone = phones::renew(server, &name, &key, old.as_ref()).await;
                return Ok(Outcome { phone, ..outcome(State::Confirmed) });
            }
            Some(holder) if !passed_on(&holder.key) => {
                return Ok(outcome(State::Lost(Some(holder))));
            }
            _ if Instant::now() >= deadline => return Ok(outcome(State::Pending)),
            _ => sleep(LOOK).await,
        }
    }
}

/// A claim like the one before, if there is one, or passed on by an old key.
fn claim_of(before: &Claimants, key: &SigningKey, old: Option<&SigningKey>) -> Claim {
    let mut all = before.holder.iter().chain(&before.others);
    let same = all.find(|claimant| claimant.key == key.public());
    let mut claim = same.map_or_else(
        || Claim::new(before.name.clone(), Sequence::ZERO),
        |same| Claim { name: before.name.clone(), ..same.claim.clone() },
    );
    if let Some(old) = old {
        claim.successions = vec![Succession::sign(old, &before.name, &key.public())];
    }
    claim
}

fn source(args: &ClaimArgs, variable: Option<OsString>) -> Source<'_> {
    let (key_file, passphrase_file) = (&args.key_file, &args.name_passphrase_file);
    Source::of(key_file.as_deref(), !args.withdraw, passphrase_file.as_deref(), variable)
}

fn old_source(args: &ClaimArgs) -> Option<Source<'_>> {
    match (&args.old_key_file, &args.old_passphrase_file) {
        (Some(path), _) => Some(Source::KeyFile { path, may_be_made: false }),
        (None, Some(path)) => Some(Source::PassphraseFile(path)),
        (None, None) => None,
    }
}
