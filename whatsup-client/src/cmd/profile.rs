//! `whatsup profile`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use base::Name;
use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use super::verify;
use crate::picture;
use crate::profile::photo::{self, PhotoError};
use crate::profile::{self, Person, Profile, vcard};
use crate::text;
use crate::upkeep::PARTS;
use crate::verify::{Trust, trust};

/// What of somebody who leaves may still be there, said whenever everything is removed.
const REMAINS: &str = "\
Copies may remain: at laptops that are switched off or out of reach, until they come back and hear of the \
removal, or for a week at most; with whoever saved or copied something; in others' lists and answers that \
name you. A telephone that is registered by your name stays so until it unregisters or its registration ends.";

/// `whatsup profile`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show who somebody says to be; yourself when no name is given
    Show {
        /// The names
        names: Vec<String>,
    },
    /// Say who you are; what is not given stays as it is
    Edit(Box<Edit>),
    /// Write somebody's photo into a file
    Photo {
        /// Whose; yours when it is not given
        name: Option<String>,
        /// The file; one that is there is not replaced
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Print a profile as a vCard 4.0, for any address book
    Export {
        /// Whose; yours when it is not given
        name: Option<String>,
    },
    /// Take your profile from a vCard
    Import {
        /// The file; "-" is standard input
        file: PathBuf,
    },
    /// Remove your profile
    Delete {
        /// Remove everything of yours: name, profile, posts, messages, memberships, lists
        #[arg(long)]
        everything: bool,
        /// Do not ask; --everything needs it
        #[arg(long, requires = "everything")]
        yes: bool,
    },
}

/// `whatsup profile edit`.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Edit {
    /// As it is written on your badge; "" removes it, as for all texts here
    #[arg(long, value_name = "TEXT")]
    full_name: Option<String>,
    /// Where you work or belong
    #[arg(long, value_name = "TEXT")]
    company: Option<String>,
    /// What you do there
    #[arg(long, value_name = "TEXT")]
    job: Option<String>,
    /// What else there is to say
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
    /// What you like to talk about; may be given several times, and replaces what there was
    #[arg(long = "interest", value_name = "TEXT")]
    interests: Option<Vec<String>>,
    /// A way to be reached: https://…, mailto:…, sip:… or tel:…; may be given several times, and replaces
    /// what there was
    #[arg(long = "contact", value_name = "LINK")]
    contacts: Option<Vec<String>>,
    /// Your photo: a JPEG, PNG, GIF or WebP image, which is made small, and without what is not seen in it;
    /// "" removes it
    #[arg(long, value_name = "FILE")]
    photo: Option<OsString>,
}

pub(super) async fn run(
    command: Command,
    context: &mut Context<'_>,
) -> Result<Answer, CommandError> {
    match command {
        Command::Show { names } => show(names, context).await,
        Command::Edit(edit) => {
            let me = context.me()?;
            let photo = edit.photo.clone();
            let mut told = profile::edit(context.net(), &me, |told| edit.apply(told)).await?;
            if let Some(file) = photo {
                told = match file.is_empty() {
                    true => photo::remove(context.net(), &me).await?,
                    false => {
                        let image = read(Path::new(&file), picture::INPUT_MAX)?;
                        photo::set(context.net(), &me, image.into()).await?
                    }
                };
            }
            Ok(Answer::done(as_json(&told), lines(&told)))
        }
        Command::Photo { name, to } => {
            let name = name.map_or_else(|| Ok(context.me()?.name().clone()), |name| of(&name))?;
            let Some(person) = profile::read_of(context.net(), &name).await? else {
                return Ok(nobody(&name));
            };
            let said = person.profile.unwrap_or_default();
            let json = |file: Option<&Path>| json!({ "name": name.as_str(), "file": file.map(|file| file.display().to_string()) });
            let Some(jpeg) = photo::fetch(context.net(), &said).await.map_err(PhotoError::from)?
            else {
                return Ok(Answer::nothing(json(None), format_args!("{name} has no photo")));
            };
            let file = File::options().write(true).create_new(true).open(&to);
            let written = file.and_then(|mut file| file.write_all(&jpeg));
            written.map_err(|cause| CommandError::File { path: to.clone(), cause })?;
            Ok(Answer::done(json(Some(&to)), to.display()))
        }
        Command::Export { name } => {
            let name = name.map_or_else(|| Ok(context.me()?.name().clone()), |name| of(&name))?;
            let Some(person) = profile::read_of(context.net(), &name).await? else {
                return Ok(nobody(&name));
            };
            let card = vcard::export(&name, &person.profile.unwrap_or_default());
            Ok(Answer::done(json!({ "vcard": card }), card))
        }
        Command::Import { file } => import(&file, context).await,
        Command::Delete { everything: false, .. } => {
            let found = profile::delete(context.net(), &context.me()?).await?;
            let json = json!({ "removed": found });
            Ok(match found {
                true => Answer::done(json, "removed"),
                false => Answer::nothing(json, "you have no profile"),
            })
        }
        Command::Delete { everything: true, yes } => delete_everything(yes, context).await,
    }
}

impl Edit {
    fn apply(self, profile: &mut Profile) {
        let Edit { full_name, company, job, about, interests, contacts, photo: _ } = self;
        let not_empty = |all: Vec<String>| all.into_iter().filter(|one| !one.is_empty()).collect();
        if let Some(full_name) = full_name {
            profile.full_name = full_name;
        }
        if let Some(company) = company {
            profile.company = company;
        }
        if let Some(job) = job {
            profile.job = job;
        }
        if let Some(about) = about {
            profile.about = about;
        }
        if let Some(interests) = interests {
            profile.interests = not_empty(interests);
        }
        if let Some(contacts) = contacts {
            profile.contacts = not_empty(contacts);
        }
    }
}

async fn show(names: Vec<String>, context: &Context<'_>) -> Result<Answer, CommandError> {
    let mut names: Vec<Name> = names.iter().map(|name| of(name)).collect::<Result<_, _>>()?;
    if names.is_empty() {
        names.push(context.me()?.name().clone());
    }
    let mut found = Vec::new();
    let mut people = String::new();
    let mut missing = Vec::new();
    let mut warnings = Vec::new();
    let kept = context.kept().await?;
    for (name, person) in names.iter().zip(profile::read(context.net(), &names).await) {
        match person? {
            Some(person) => {
                if !people.is_empty() {
                    people.push('\n');
                }
                let trust = trust(&kept, &person.name, &person.key);
                warnings.extend(verify::warning(trust, name));
                people.push_str(&person_lines(&person, trust));
                found.push(person_as_json(&person, trust));
            }
            None => missing.push(name.as_str()),
        }
    }
    let json = json!({ "people": found, "missing": missing });
    let note = format!("nobody has the name {}", missing.join(", "));
    let answer = match (&found[..], &missing[..]) {
        ([], _) => Answer::nothing(json, note),
        (_, []) => Answer::done(json, people),
        _ => Answer::done(json, people).with_note(note),
    };
    Ok(warnings.iter().fold(answer, |answer, warning| answer.with_note(warning)))
}

async fn import(file: &Path, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let bytes = if file.as_os_str() == "-" {
        context.read_stdin(vcard::FILE_MAX)?
    } else {
        read(file, vcard::FILE_MAX)?
    };
    let (card, left_out) =
        vcard::import(&bytes).map_err(|error| CommandError::Usage(error.to_string()))?;
    let told = profile::edit(context.net(), &me, |profile| {
        // What no vCard has stays.
        let Profile { photo, photo_size, encryption_key, .. } = std::mem::take(profile);
        *profile = Profile { photo, photo_size, encryption_key, ..card };
    });
    let told = told.await?;
    let mut json = as_json(&told);
    json["left_out"] = left_out.iter().map(ToString::to_string).collect();
    let mut answer = Answer::done(json, lines(&told));
    for one in left_out {
        answer = answer.with_note(format_args!("left out: {one}"));
    }
    Ok(answer)
}

/// A file's bytes, and one too many if it has more than `max`: whoever takes them says what the limit is.
fn read(file: &Path, max: usize) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX) + 1;
    let read = File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map_err(|cause| CommandError::File { path: file.to_owned(), cause })?;
    Ok(bytes)
}

async fn delete_everything(yes: bool, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    if !yes {
        return Err(CommandError::Usage(format!(
            "this removes everything {} ever said here, and gives the name back; add --yes to do it",
            me.name()
        )));
    }
    let owner = context.owner(me)?;
    let mut removed = serde_json::Map::new();
    let mut people = String::new();
    for part in PARTS {
        let count = (part.remove)(&owner).await?;
        removed.insert(part.what.to_owned(), count.into());
        if count > 0 {
            let _ = writeln!(people, "removed: {count} {}", part.what);
        }
    }
    context.home().forget()?;
    let json = json!({ "removed": removed, "remains": REMAINS });
    Ok(Answer::done(json, people).with_note(REMAINS))
}

fn of(name: &str) -> Result<Name, CommandError> {
    Ok(Name::new(name)?)
}

fn nobody(name: &Name) -> Answer {
    let json = json!({ "people": [], "missing": [name.as_str()] });
    Answer::nothing(json, format_args!("nobody has the name {name}"))
}

fn person_lines(person: &Person, trust: Trust) -> String {
    let verified = if trust == Trust::Verified { ", verified" } else { "" };
    let head = format!("{}, fingerprint {}{verified}\n", person.name, person.key.fingerprint());
    head + &person.profile.as_ref().map(lines).unwrap_or_default()
}

fn lines(profile: &Profile) -> String {
    let mut lines = String::new();
    let interests = profile.interests.join(", ");
    for (what, value) in [
        ("full name", &profile.full_name),
        ("company", &profile.company),
        ("job", &profile.job),
        ("interests", &interests),
    ] {
        if !value.is_empty() {
            let _ = writeln!(lines, "  {what:<10} {}", text::shown(value));
        }
    }
    for contact in &profile.contacts {
        let _ = writeln!(lines, "  {:<10} {}", "contact", text::shown(contact));
    }
    for (at, line) in text::shown_lines(&profile.about).lines().enumerate() {
        let _ = writeln!(lines, "  {:<10} {line}", if at == 0 { "about" } else { "" });
    }
    lines
}

fn person_as_json(person: &Person, trust: Trust) -> Json {
    json!({
        "name": person.name.as_str(),
        "key": person.key.to_string(),
        "fingerprint": person.key.fingerprint().to_string(),
        "trust": verify::as_text(trust),
        "profile": person.profile.as_ref().map(as_json),
    })
}

fn as_json(profile: &Profile) -> Json {
    json!({
        "full_name": profile.full_name,
        "company": profile.company,
        "job": profile.job,
        "about": profile.about,
        "interests": profile.interests,
        "contacts": profile.contacts,
        "photo": profile.portrait().map(|photo| photo.root.to_hex().to_string()),
    })
}

#[cfg(test)]
mod tests;
