//! `whatsup fetch`: a shared file, into a file here; taken up again where it was broken off.

use std::path::PathBuf;

use base::Name;
use serde_json::json;

use super::answer::Answer;
use super::bar::Bar;
use super::community;
use super::context::Context;
use super::error::CommandError;
use super::posts::one;
use super::shown::size;
use crate::blob::{Blob, Partial};
use crate::posts::Shared;

/// `whatsup fetch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who shared it; or a file's ROOT:SIZE, as --json shows it under "blob"
    #[arg(required_unless_present = "from")]
    pub name: Option<String>,
    /// The post's id, or the beginning of it
    pub id: Option<String>,
    /// It was shared with a community: its title, its id, or the beginning of it; then only the post's ID
    #[arg(long, value_name = "COMMUNITY")]
    pub from: Option<String>,
    /// Write it there; else under its own name, in this folder
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Answer, CommandError> {
    let (blob, name) = meant(&args, context).await?;
    let target = match (&args.to, name) {
        (Some(path), Some(name)) if path.is_dir() => path.join(name),
        (Some(path), _) => path.clone(),
        (None, Some(name)) => PathBuf::from(name),
        (None, None) => {
            let text = "say where to write it, with --to FILE".to_owned();
            return Err(CommandError::Usage(text));
        }
    };
    let partial = Partial::open(&target, &blob)?;
    let bar = Bar::new("fetching", blob.size, context);
    context.net().blobs().fetch(&blob, &partial, &|done| bar.at(done)).await?;
    drop(bar);
    let path = partial.finish()?;
    let json =
        json!({ "file": path.to_string_lossy(), "size": blob.size, "blob": blob.to_string() });
    Ok(Answer::done(json, format!("{}, {}", path.display(), size(blob.size))))
}

/// The blob, and what it is called.
async fn meant(args: &Args, context: &Context<'_>) -> Result<(Blob, Option<String>), CommandError> {
    let first = args.name.as_deref().unwrap_or_default();
    let (shared, which) = if let Some(from) = &args.from {
        let community = community::community(from, context).await?;
        let view = community.view().await?;
        let posts = community.source(&view).await?.items;
        // Whose they are does not matter: they are found by their ids.
        (Shared { author: base::PublicKey::from_bytes([0; 32]), posts, all: true }, first)
    } else {
        if let Ok(blob) = first.parse::<Blob>() {
            return Ok((blob, None));
        }
        let Some(id) = &args.id else {
            let text =
                "say which: whatsup fetch NAME ID; `whatsup posts NAME` lists ids".to_owned();
            return Err(CommandError::Usage(text));
        };
        (context.net().posts().of(&Name::new(first)?).await?, &**id)
    };
    let post = one(&shared, which)?;
    match &post.file {
        Some(file) => Ok((file.blob, Some(file.name.clone()))),
        None => Err(CommandError::Missing("there is no file with that post".to_owned())),
    }
}
