//! `whatsup feed`: what all share whom one follows, and the news of communities, as one.

use base::Name;
use futures::{StreamExt, stream};
use serde_json::json;

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use super::shown::{as_json, table};
use crate::feed::{Mark, Source};
use crate::overlay::OverlayError;
use crate::post::Post;
use crate::private::Follow;

/// Communities that are read at once.
const COMMUNITIES_AT_ONCE: usize = 8;

/// `whatsup feed`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show so many at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub max: u16,
    /// Show what is older: the "next" of the page before
    #[arg(long, value_name = "PLACE")]
    pub after: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Answer, CommandError> {
    let after = args.after.as_deref().map(str::parse::<Mark>).transpose();
    let after = after.map_err(|error| CommandError::Usage(error.to_string()))?;
    let kept = context.private()?.read().await?;
    let (mut names, mut communities) = (Vec::new(), Vec::new());
    for follow in kept.follows() {
        match follow {
            Follow::Person(name) => names.push(name),
            Follow::Community(id) => communities.push(id),
        }
    }
    if names.is_empty() && communities.is_empty() {
        let json = json!({ "posts": [], "next": null, "unread": [] });
        let note = "you follow nobody; follow people with: whatsup follow NAME";
        return Ok(Answer::nothing(json, note));
    }
    let net = context.net();
    let news = communities.into_iter().map(|id| async move {
        let community = net.community(id);
        let read = async {
            let view = community.view().await?;
            community.source(&view).await
        };
        (id, read.await)
    });
    let news: Vec<_> = stream::iter(news).buffered(COMMUNITIES_AT_ONCE).collect().await;
    let mut unread: Vec<(String, String)> = Vec::new();
    let mut others: Vec<Source<Post>> = Vec::new();
    for (id, source) in news {
        match source {
            Ok(source) => others.push(source),
            Err(error) => unread.push((id.to_string(), error.to_string())),
        }
    }
    let page = net
        .posts()
        .feed(&names, others, |key| kept.is_blocked(key), after, usize::from(args.max))
        .await;
    if let Some(error) = nothing_read(&names, &page.unread) {
        return Err(error.into());
    }
    unread
        .extend(page.unread.into_iter().map(|(name, error)| (name.to_string(), error.to_string())));
    let page = page.page;
    let next = page.next.map(|next| next.to_string());
    let json = json!({
        "posts": page.items.iter().map(as_json).collect::<Vec<_>>(),
        "next": next,
        "unread": unread.iter().map(|(what, why)| json!({ "what": what, "why": why })).collect::<Vec<_>>(),
    });
    let mut answer = match page.items.is_empty() {
        true => Answer::nothing(json, "there is nothing in your feed"),
        false => Answer::done(json, table(&page.items)),
    };
    if let Some(next) = next {
        answer = answer.with_note(format_args!("older: whatsup feed --after {next}"));
    }
    for (what, why) in unread {
        answer = answer.with_note(format_args!("nothing could be read of {what}: {why}"));
    }
    Ok(answer)
}

/// The error, if nothing at all could be read.
fn nothing_read(names: &[Name], unread: &[(Name, OverlayError)]) -> Option<OverlayError> {
    let (_, error) = unread.first()?;
    (unread.len() == names.len()).then(|| error.clone())
}
