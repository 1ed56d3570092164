//! `whatsup posts`: what one person shares, or one post with what is said about it; `whatsup delete`.

use base::Name;
use serde_json::json;

use super::answer::Answer;
use super::comment;
use super::community::{thing, time};
use super::context::Context;
use super::error::CommandError;
use super::shown::{as_json, size, table};
use crate::keys::ThingId;
use crate::post::Post;
use crate::posts::Shared;
use crate::text;

/// `whatsup posts`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose; yours, if that is not said
    pub name: Option<String>,
    /// One post, whole, and what is said about it: its id, or the beginning of it
    pub id: Option<String>,
}

/// `whatsup delete`.
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// The id of a post of yours, or the beginning of it; with --on that of a comment
    pub id: String,
    /// Take back a comment: the id of what it is about
    #[arg(long, value_name = "ID")]
    pub on: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Answer, CommandError> {
    let name = match &args.name {
        Some(name) => Name::new(name)?,
        None => context.me()?.name().clone(),
    };
    let shared = context.net().posts().of(&name).await?;
    if let Some(which) = &args.id {
        let post = one(&shared, which)?;
        return whole(post, context).await;
    }
    let json = json!({
        "name": name.as_str(),
        "key": shared.author.to_string(),
        "posts": shared.posts.iter().map(as_json).collect::<Vec<_>>(),
        "all": shared.all,
    });
    if shared.posts.is_empty() {
        return Ok(Answer::nothing(json, format_args!("{name} shares nothing")));
    }
    let answer = Answer::done(json, table(&shared.posts));
    Ok(match shared.all {
        true => answer,
        false => answer.with_note("there are more than can be listed"),
    })
}

pub(super) async fn delete(args: Delete, context: &Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    if let Some(on) = &args.on {
        return comment::delete(on, &args.id, context).await;
    }
    let posts = context.net().posts();
    let id = match args.id.parse::<ThingId>() {
        Ok(id) => id,
        Err(_) => one(&posts.of(me.name()).await?, &args.id)?.id,
    };
    let deleted = posts.delete(&me, id, &[]).await?;
    let json = json!({ "id": id.to_string(), "removed": true });
    let file = deleted.file.map(|file| format!(", and {}", file.name)).unwrap_or_default();
    let note = "whoever fetched it has a copy; what others said about it stays theirs";
    Ok(Answer::done(json, format!("deleted{file}")).with_note(note))
}

/// The post of this id, or of this beginning of one.
pub(super) fn one<'a>(shared: &'a Shared, which: &str) -> Result<&'a Post, CommandError> {
    let id = thing(which, shared.posts.iter().map(|post| post.id))?;
    let post = shared.posts.iter().find(|post| post.id == id);
    post.ok_or_else(|| CommandError::Missing(format!("there is no post with the id {id}")))
}

/// All of a post, and its comments.
async fn whole(post: &Post, context: &Context<'_>) -> Result<Answer, CommandError> {
    let long: Vec<_> = post.long.into_iter().collect();
    let blobs = context.net().blobs();
    let (long, comments) = tokio::join!(blobs.small(&long), comment::read(post.id, context));
    let comments = comments?;
    let mut post = post.clone();
    let mut note = None;
    match long.into_iter().next() {
        Some(Some(bytes)) => post.text = text::shown_lines(&String::from_utf8_lossy(&bytes)),
        Some(None) => note = Some("the rest of the text is not to be had any more"),
        None => {}
    }
    let mut people = format!("{} at {}, {}\n", post.name, time(post.stamp), post.id);
    for part in [&*post.text, post.link.as_deref().unwrap_or_default()] {
        if !part.is_empty() {
            people.push_str(part);
            people.push('\n');
        }
    }
    if let Some(file) = &post.file {
        let line = format!(
            "[{}, {}, {}] whatsup fetch {} {}\n",
            file.name,
            file.media,
            size(file.blob.size),
            post.name,
            post.id
        );
        people.push_str(&line);
    }
    let mut json = as_json(&post);
    json["comments"] = comments.iter().map(comment::as_json).collect();
    if !comments.is_empty() {
        people.push('\n');
        people.push_str(&comment::table(&comments).to_string());
    }
    let answer = Answer::done(json, people);
    Ok(match note {
        Some(note) => answer.with_note(note),
        None => answer,
    })
}
