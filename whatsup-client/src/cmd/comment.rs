//! `whatsup comment` and `comments`: what people say about a thing.

use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::community::{thing, time};
use super::context::Context;
use super::error::CommandError;
use super::table::Table;
use crate::comments::Comment;
use crate::keys::{NotAnId, ThingId};
use crate::private::Kept;

/// `whatsup comment`.
#[derive(Debug, clap::Args)]
pub struct Say {
    /// The id of what it is about: a post, news, an event, a poll
    pub id: String,
    /// What to say, in at most 700 bytes
    pub text: String,
    /// Answer another comment on it: its id, or the beginning of it
    #[arg(long, value_name = "ID")]
    pub to: Option<String>,
}

/// `whatsup comments`.
#[derive(Debug, clap::Args)]
pub struct List {
    /// The id of what they are about
    pub id: String,
}

impl From<NotAnId> for CommandError {
    fn from(error: NotAnId) -> CommandError {
        CommandError::Usage(error.to_string())
    }
}

pub(super) async fn say(args: Say, context: &Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let about: ThingId = args.id.parse()?;
    let comments = context.net().comments();
    let to = match &args.to {
        Some(to) => {
            let (said, _) = comments.of(about, |_| false).await?;
            Some(thing(to, said.iter().map(|comment| comment.id))?)
        }
        None => None,
    };
    let said = comments.say(&me, about, to, &args.text).await?;
    Ok(Answer::done(as_json(&said), format!("said, with the id {}", said.id)))
}

pub(super) async fn list(args: List, context: &Context<'_>) -> Result<Answer, CommandError> {
    let comments = read(args.id.parse()?, context).await?;
    let json = json!({ "comments": comments.iter().map(as_json).collect::<Vec<_>>() });
    Ok(match comments.is_empty() {
        true => Answer::nothing(json, "nobody said anything about it"),
        false => Answer::done(json, table(&comments)),
    })
}

pub(super) async fn delete(
    on: &str,
    id: &str,
    context: &Context<'_>,
) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let on: ThingId = on.parse()?;
    let comments = context.net().comments();
    let (said, _) = comments.of(on, |said| said.author != me.public()).await?;
    let id = thing(id, said.iter().map(|comment| comment.id))?;
    comments.retract(&me, on, id).await?;
    let json = json!({ "id": id.to_string(), "removed": true });
    Ok(Answer::done(json, "taken back"))
}

/// What is said about a thing, without whom the person blocks.
pub(super) async fn read(
    about: ThingId,
    context: &Context<'_>,
) -> Result<Vec<Comment>, CommandError> {
    let kept = match context.private() {
        Ok(private) => private.read().await?,
        Err(CommandError::NotLoggedIn) => Kept::default(),
        Err(error) => return Err(error),
    };
    let comments = context.net().comments();
    let (comments, _) = comments.of(about, |said| kept.is_blocked(&said.author)).await?;
    Ok(comments)
}

pub(super) fn table(comments: &[Comment]) -> Table {
    let mut table = Table::new(["when", "by", "comment", "answers", "id"]);
    for comment in comments {
        let (when, id) = (time(comment.stamp), comment.id.to_string());
        let to = comment.to.map(|to| to.to_string()).unwrap_or_default();
        // Enough of it to be found in the last column.
        table.row([&when, &comment.who(), &comment.text, &to[..to.len().min(8)], &id]);
    }
    table
}

/// A comment, for programs.
pub(super) fn as_json(comment: &Comment) -> Json {
    json!({
        "id": comment.id.to_string(),
        "by": comment.who(),
        "key": comment.author.to_string(),
        "stamp_ms": comment.stamp.millis(),
        "text": comment.text,
        "to": comment.to.map(|to| to.to_string()),
    })
}
