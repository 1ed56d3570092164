//! `whatsup share`: a text, a link, an image, any file.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::answer::Answer;
use super::bar::Bar;
use super::community;
use super::context::Context;
use super::error::CommandError;
use super::shown::{as_json, size};
use crate::author::Author;
use crate::blob::{BLOB_MAX, Source};
use crate::link::file_name;
use crate::overlay::OverlayError;
use crate::picture::{self, INPUT_MAX, PictureError};
use crate::post::{ANY_MEDIA, Attachment, Draft, TEXT_MAX};
use crate::posts::PostError;

/// Media types by the endings of files' names; what else there is, is any file.
const MEDIA: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/opus"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("zip", "application/zip"),
];

/// `whatsup share`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The text; - reads it from standard input
    #[arg(required_unless_present_any = ["link", "image", "file"], default_value = "", hide_default_value = true)]
    pub text: String,
    /// A link: http://… or https://…
    #[arg(long, value_name = "URL")]
    pub link: Option<String>,
    /// An image: JPEG, PNG, GIF or WebP. It is made anew, without place, camera or names in it, and no larger
    /// than a screen
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub image: Option<PathBuf>,
    /// Any file of at most 100 MiB, as it is
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Share it with a community: its title, its id, or the beginning of it
    #[arg(long, value_name = "COMMUNITY")]
    pub with: Option<String>,
}

pub(super) async fn run(args: Args, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let text = match &*args.text {
        "-" => String::from_utf8(context.read_stdin(TEXT_MAX)?)
            .map_err(|_| CommandError::Usage("standard input is no UTF-8 text".to_owned()))?,
        text => text.to_owned(),
    };
    let mut draft = Draft { text, link: args.link, ..Draft::default() };
    // What is wrong with it is said before a file is on its way.
    if !draft.text.is_empty() || draft.link.is_some() {
        draft.body(me.stamp([])).map_err(PostError::from)?;
    }
    let to = match &args.with {
        Some(which) => {
            let community = community::community(which, context).await?;
            let view = community.view().await?;
            Some((community, view))
        }
        None => None,
    };
    let shared = async {
        if let Some(path) = &args.image {
            draft.file = Some(image(path, &me, context).await?);
        } else if let Some(path) = &args.file {
            draft.file = Some(file(path, &me, context).await?);
        }
        match &to {
            Some((community, view)) => {
                let told = community.share(&me, view, &draft).await?;
                Ok(community::told(&told, "shared"))
            }
            None => {
                let told = context.net().posts().share(&me, &draft).await?;
                let people = format!("shared, with the id {}", told.post.id);
                let mut json = as_json(&told.post);
                json["indexed"] = told.indexed.is_ok().into();
                let answer = Answer::done(json, people);
                Ok(match told.indexed {
                    Ok(()) => answer,
                    Err(error) => {
                        answer.with_note(format_args!("it is not found by its words yet: {error}"))
                    }
                })
            }
        }
    };
    match shared.await {
        Err(CommandError::Overlay(OverlayError::OverCapacity(why))) => {
            Err(no_room(&why, &me, context).await)
        }
        shared => shared,
    }
}

/// An image, made anew.
async fn image(
    path: &Path,
    me: &Author,
    context: &Context<'_>,
) -> Result<Attachment, CommandError> {
    let failed = |cause| CommandError::File { path: path.to_owned(), cause };
    let len = std::fs::metadata(path).map_err(failed)?.len();
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > INPUT_MAX {
        return Err(PictureError::TooLarge(len).into());
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    let picture = picture::picture(Bytes::from(bytes)).await?;
    let blobs = context.net().blobs();
    let bar = Bar::new("sharing", picture.bytes.len() as u64, context);
    let source = Source::Bytes(picture.bytes);
    let blob = blobs.share(me, &source, &|done| bar.at(done)).await?;
    let source = Source::Bytes(picture.thumbnail);
    let thumbnail = Some(blobs.share(me, &source, &|_| ()).await?);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = file_name(&format!("{name}.{}", picture.ending));
    let pixels = Some((picture.width, picture.height));
    Ok(Attachment { blob, name, media: picture.media.to_owned(), thumbnail, pixels })
}

/// A file, as it is.
async fn file(path: &Path, me: &Author, context: &Context<'_>) -> Result<Attachment, CommandError> {
    let source = Source::open(path)?;
    if source.len() > BLOB_MAX {
        let text = format!("the file has {}; the limit is {}", size(source.len()), size(BLOB_MAX));
        return Err(CommandError::Usage(text));
    }
    let bar = Bar::new("sharing", source.len(), context);
    let blob = context.net().blobs().share(me, &source, &|done| bar.at(done)).await?;
    let name = file_name(&path.file_name().unwrap_or_default().to_string_lossy());
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
    let known = MEDIA.iter().find(|(known, _)| ending.as_deref() == Some(known));
    let media = known.map_or(ANY_MEDIA, |(_, media)| media).to_owned();
    Ok(Attachment { blob, name, media, thumbnail: None, pixels: None })
}

/// What the person has shared, and what to delete to have room again.
async fn no_room(why: &str, me: &Author, context: &Context<'_>) -> CommandError {
    let mut text = format!("there is no room for it: {why}");
    if let Ok(usage) = context.net().posts().usage(me).await
        && usage.posts > 0
    {
        let what = format!("\nyou have shared {} posts of {}", usage.posts, size(usage.bytes));
        text.push_str(&what);
        text.push_str("; those that take most:");
        for used in &usage.largest {
            let delete =
                format!("\n  {:>9}  {}  whatsup delete {}", size(used.bytes), used.label, used.id);
            text.push_str(&delete);
        }
    }
    CommandError::NoRoom(text)
}

#[cfg(test)]
mod tests;
