//! `whatsup login`, `logout` and `whoami`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base::{Name, Passphrase, PublicKey, SigningKey, Ttl, person_key};
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use super::home::Person;
use super::postbox;
use crate::claiming::{self, Outcome};
use crate::claims::Claimant;

/// What is read of a file with a passphrase or a key, in bytes: more is neither.
const READ_MAX: usize = 1024;
/// Free names that are suggested for one that is taken.
const SUGGESTIONS: usize = 3;

/// `whatsup login`.
#[derive(Debug, clap::Args)]
pub struct Login {
    /// The name: 1 to 64 bytes of letters and digits of one script, "-", "_" and "."
    pub name: String,

    /// Take the passphrase of the name from a file, or from standard input for "-": to come back, or from
    /// another device. Else it is taken from SUPERNODE_NAME_PASSPHRASE, if that is set; else one is made and
    /// shown once
    #[arg(long, value_name = "FILE")]
    pub name_passphrase_file: Option<PathBuf>,

    /// Take a key made with `supernode claim --key-file` instead of a passphrase
    #[arg(long, value_name = "FILE", conflicts_with = "name_passphrase_file")]
    pub key_file: Option<PathBuf>,

    /// Make a key without a passphrase: who logs out has lost it, and gives the name back
    #[arg(long, conflicts_with_all = ["name_passphrase_file", "key_file"])]
    pub guest: bool,
}

/// `whatsup logout`.
#[derive(Debug, clap::Args)]
pub struct Logout {
    /// Give the name back, too: anybody may take it
    #[arg(long)]
    pub give_back: bool,
}

/// A key, and how it came to be.
struct Made {
    key: SigningKey,
    passphrase: Option<Passphrase>,
    is_guest: bool,
}

pub(super) async fn login(args: Login, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let name = Name::new(&args.name)?;
    let here = context.home().person()?;
    if let Some(person) = &here
        && person.name != name
    {
        let text = format!("{} is logged in here; log out first: whatsup logout", person.name);
        return Err(CommandError::Usage(text));
    }
    let before = context.net().claimants(&name, None).await?;
    let is_new = before.holder.is_none();
    let made = match here {
        Some(person) => Made { key: person.key, passphrase: None, is_guest: person.is_guest },
        None => match key(&args, &name, is_new, context)? {
            Some(made) => made,
            None => return taken(&name, before.holder, context).await,
        },
    };
    let author = context.author(name.clone(), made.key.clone());
    if let Some(holder) = &before.holder
        && holder.key != author.public()
        && (args.name_passphrase_file.is_some() || args.key_file.is_some())
        && holder.claim.name == name
        && before.of(&author.public()).is_none_or(|own| own.claim.successions.is_empty())
    {
        let json = json!({ "name": name.as_str(), "state": "taken", "holder": claimant(holder) });
        let fingerprint = holder.key.fingerprint();
        let note = format!(
            "{name} is not yours by this key: whoever has it has the fingerprint {fingerprint}, and this \
             makes {}.\nIs the passphrase the right one?",
            author.public().fingerprint()
        );
        return Ok(Answer::nothing(json, note));
    }
    if let Some(passphrase) = &made.passphrase
        && !context.is_json()
    {
        // Before anything depends on it.
        let text = format!("passphrase: {}", passphrase.as_str());
        context.emit(Answer::done(Json::Null, text))?;
    }
    let person = |claimed_until_ms| Person {
        name: name.clone(),
        key: made.key.clone(),
        is_guest: made.is_guest,
        claimed_until_ms,
    };
    let outcome = claiming::claim(context.net(), &author, Ttl::MAX).await?;
    let public = author.public();
    let mut json = json!({
        "name": name.as_str(),
        "key": public.to_string(),
        "fingerprint": public.fingerprint().to_string(),
    });
    if let Some(passphrase) = &made.passphrase {
        json["passphrase"] = passphrase.as_str().into();
    }
    match outcome {
        Outcome::Confirmed => {
            context.home().keep(&person(context.now_ms() + Ttl::MAX.as_secs() * 1000))?;
            json["state"] = "confirmed".into();
            // A profile that says nothing yet: by it the person is found by her name, too.
            postbox::be_reached(context, &author).await?;
            let people = format!("logged in as {name}, fingerprint {}", public.fingerprint());
            let answer = Answer::done(json, people);
            Ok(if made.passphrase.is_some() {
                answer.with_note(
                    "Write the passphrase down: with it you are the same person on any device, and nobody \
                     can give you another.",
                )
            } else {
                answer
            })
        }
        Outcome::Pending => {
            // The next command looks again.
            context.home().keep(&person(0))?;
            json["state"] = "pending".into();
            let note = format!(
                "it is not decided yet whether {name} is yours; ask again in a minute: whatsup whoami"
            );
            Ok(Answer::nothing(json, note))
        }
        Outcome::Taken(holder) => taken(&name, holder, context).await,
    }
}

/// A name that somebody has: said kindly, with others that are free.
async fn taken(
    name: &Name,
    holder: Option<Claimant>,
    context: &Context<'_>,
) -> Result<Answer, CommandError> {
    let free = claiming::free_names(context.net(), name, SUGGESTIONS).await?;
    let free: Vec<&str> = free.iter().map(Name::as_str).collect();
    let json = json!({
        "name": name.as_str(),
        "state": "taken",
        "holder": holder.as_ref().map(claimant),
        "free": free,
    });
    let mut note = match &holder {
        Some(holder) if holder.claim.name != *name => {
            format!("{name} looks like {}, which somebody has already.", holder.claim.name)
        }
        Some(holder) => format!(
            "{name} is taken already, by somebody with the fingerprint {}.\nIf that is you, say so with its \
             passphrase: whatsup login {name} --name-passphrase-file FILE",
            holder.key.fingerprint()
        ),
        None => format!("{name} is taken already."),
    };
    if !free.is_empty() {
        note.push_str(&format!("\nThese are free: {}", free.join(", ")));
    }
    Ok(Answer::nothing(json, note))
}

pub(super) async fn logout(
    args: Logout,
    context: &mut Context<'_>,
) -> Result<Answer, CommandError> {
    let Some(person) = context.home().person()? else {
        return Ok(Answer::nothing(json!({ "logged_out": null }), "nobody is logged in here"));
    };
    let give_back = args.give_back || person.is_guest;
    let name = person.name.clone();
    if give_back {
        let author = context.author(person.name, person.key);
        claiming::withdraw(context.net(), &author).await?;
    }
    context.home().forget()?;
    let json = json!({ "logged_out": name.as_str(), "given_back": give_back });
    let people = match give_back {
        true => format!("logged out; {name} is given back"),
        false => {
            format!("logged out; {name} stays yours for a week, and your passphrase gets you in")
        }
    };
    Ok(Answer::done(json, people))
}

pub(super) async fn whoami(context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let Some(mut person) = context.home().person()? else {
        return Ok(Answer::nothing(json!({ "name": null }), "nobody is logged in here"));
    };
    let (name, public) = (person.name.clone(), person.key.public());
    let now = context.net().claimants(&name, None).await?;
    let state = match &now.holder {
        Some(holder) if holder.key == public => "confirmed",
        Some(_) => "taken",
        None if now.of(&public).is_some() => "pending",
        None => "lapsed",
    };
    let json = json!({
        "name": name.as_str(),
        "key": public.to_string(),
        "fingerprint": public.fingerprint().to_string(),
        "guest": person.is_guest,
        "state": state,
    });
    let people = format!("{name}, fingerprint {}", public.fingerprint());
    let answer = Answer::done(json.clone(), people);
    Ok(match state {
        "confirmed" => answer,
        "pending" => answer.with_note("it is not decided yet whether the name is yours"),
        "taken" => Answer::nothing(
            json,
            format_args!(
                "{name} is somebody else's now; choose another: whatsup logout, whatsup login NAME"
            ),
        ),
        _ => {
            person.claimed_until_ms = 0;
            context.home().keep(&person)?;
            answer.with_note(format_args!(
                "nobody claims {name} now; claim it again: whatsup login {name}"
            ))
        }
    })
}

/// The key of whoever logs in; none if it would have to be made and the name is somebody's.
fn key(
    args: &Login,
    name: &Name,
    is_new: bool,
    context: &mut Context<'_>,
) -> Result<Option<Made>, CommandError> {
    let of = |key| Ok(Some(Made { key, passphrase: None, is_guest: false }));
    let made = |text: &str| {
        let passphrase = Passphrase::typed(text, name, is_new)
            .map_err(|error| CommandError::Usage(error.to_string()))?;
        person_key(name, &passphrase).map_err(|error| CommandError::Machine(error.to_string()))
    };
    if let Some(path) = &args.key_file {
        let text = read(path)?;
        let seed: PublicKey = text.trim().parse().map_err(|_| {
            let path = path.display();
            CommandError::Usage(format!("{path} holds no key: 64 hexadecimal digits are expected"))
        })?;
        return of(SigningKey::from_bytes(seed.as_bytes()));
    }
    if let Some(path) = &args.name_passphrase_file {
        let text = if path.as_os_str() == "-" {
            let bytes = Zeroizing::new(context.read_stdin(READ_MAX)?);
            Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
        } else {
            read(path)?
        };
        return of(made(&text)?);
    }
    if let Some(text) = context.name_passphrase() {
        return of(made(&text)?);
    }
    if !is_new {
        return Ok(None);
    }
    let entropy = Zeroizing::new(context.random::<32>()?);
    if args.guest {
        let key = SigningKey::from_bytes(&entropy);
        return Ok(Some(Made { key, passphrase: None, is_guest: true }));
    }
    let passphrase = Passphrase::generate(&entropy);
    let key = made(passphrase.as_str())?;
    Ok(Some(Made { key, passphrase: Some(passphrase), is_guest: false }))
}

fn read(path: &Path) -> Result<Zeroizing<String>, CommandError> {
    let mut text = Zeroizing::new(String::new());
    let max = u64::try_from(READ_MAX).unwrap_or(u64::MAX);
    let read = File::open(path).and_then(|file| file.take(max).read_to_string(&mut text));
    read.map_err(|cause| CommandError::File { path: path.to_owned(), cause })?;
    Ok(text)
}

fn claimant(claimant: &Claimant) -> Json {
    json!({
        "name": claimant.claim.name.as_str(),
        "key": claimant.key.to_string(),
        "fingerprint": claimant.key.fingerprint().to_string(),
    })
}

#[cfg(test)]
mod tests;
