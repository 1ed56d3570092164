//! What communities there are, what one is, and who belongs to it.

use std::fmt::Write as _;

use base::PublicKey;
use serde_json::{Value as Json, json};

use super::super::answer::Answer;
use super::super::context::Context;
use super::super::error::CommandError;
use super::super::table::Table;
use super::which::{Named, all, community, time};
use crate::community::{Charter, Community, Description, Standing, View};
use crate::private::Follow;
use crate::text;

/// How many news and polls are shown with a community.
const LATEST: usize = 5;

/// `whatsup community create`.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What it is called, in at most 100 bytes
    pub title: String,
    /// What it is about
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub about: String,
    /// Let nobody be a member whom you or a moderator did not approve
    #[arg(long)]
    pub by_approval: bool,
    /// Count only votes of approved members, in all polls
    #[arg(long)]
    pub approved_polls: bool,
}

/// `whatsup community describe`.
#[derive(Debug, clap::Args)]
pub struct Describe {
    /// Its title, its id, or the beginning of it
    pub community: String,
    /// What it is called
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// What it is about
    #[arg(long, value_name = "TEXT")]
    pub about: Option<String>,
    /// Whether who joins has to be approved
    #[arg(long, value_name = "true|false")]
    pub by_approval: Option<bool>,
    /// Whether only votes of approved members count, in all polls
    #[arg(long, value_name = "true|false")]
    pub approved_polls: Option<bool>,
}

pub(super) async fn create(args: Create, context: &Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let description = Description::new(me.name(), &args.title, &args.about)?;
    let (by_approval, approved_polls) = (args.by_approval, args.approved_polls);
    let description = Description { by_approval, approved_polls, ..description };
    let title = description.title.clone();
    let community = context.net().found(&me, description).await?;
    let follow = Follow::Community(community.id());
    context.private()?.follow(&follow).await?;
    let id = community.id().to_string();
    let people = format!("{title} is there, with the id {id}");
    Ok(Answer::done(json!({ "id": id, "title": title }), people))
}

pub(super) async fn list(context: &Context<'_>) -> Result<Answer, CommandError> {
    let all = all(context.net()).await?;
    let founders = all.iter().map(|charter| (charter.founder, &*charter.founder_name));
    let named = Named::of(context.net(), founders).await?;
    let each: Vec<Json> = all.iter().map(|charter| as_json(charter, &named)).collect();
    let json = json!({ "communities": each });
    if all.is_empty() {
        return Ok(Answer::nothing(json, "there is no community yet"));
    }
    let mut table = Table::new(["title", "founder", "joining", "id"]);
    for charter in &all {
        let founder = named.name(&charter.founder);
        let id = charter.id.to_string();
        table.row([&*charter.title, &*founder, joining(charter), &*id]);
    }
    Ok(Answer::done(json, table))
}

pub(super) async fn show(which: &str, context: &Context<'_>) -> Result<Answer, CommandError> {
    let community = community(which, context).await?;
    let view = community.view().await?;
    let (news, events, polls) =
        tokio::try_join!(community.news(&view), community.events(&view), community.polls(&view))?;
    let charter = &view.charter;
    let moderators = charter.moderators.iter().map(|(key, name)| (*key, &**name));
    let founder = (charter.founder, &*charter.founder_name);
    let authors = news.iter().map(|shown| (shown.author, shown.name()));
    let named = Named::of(context.net(), authors.chain(moderators).chain([founder])).await?;
    let mut json = as_json(charter, &named);
    json["members"] = view.members.count().into();
    json["news"] = news.len().into();
    json["events"] = events.len().into();
    json["polls"] = polls.len().into();
    json["complete"] = view.complete.into();
    let mut people = format!("{}\n", text::shown(&charter.title));
    if !charter.text.is_empty() {
        let _ = writeln!(people, "{}", text::shown_lines(&charter.text));
    }
    let _ = writeln!(people, "\nid        {}", charter.id);
    let _ = writeln!(people, "founder   {}", named.name(&charter.founder));
    let moderators: Vec<String> = charter.moderators.keys().map(|key| named.name(key)).collect();
    if !moderators.is_empty() {
        let _ = writeln!(people, "moderated by {}", moderators.join(", "));
    }
    let _ = writeln!(people, "joining   {}", joining(charter));
    let counts =
        [("members", view.members.count()), ("events", events.len()), ("polls", polls.len())];
    for (what, count) in counts {
        let _ = writeln!(people, "{what:9} {count}");
    }
    if !news.is_empty() {
        let _ = writeln!(people);
    }
    for shown in news.iter().filter(|shown| shown.hidden.is_none()).take(LATEST) {
        let Some(post) = shown.post(charter.id) else { continue };
        let what = if post.text.is_empty() { post.link.unwrap_or_default() } else { post.text };
        let what = text::shown(&text::shortened(&what, 100)).into_owned();
        let _ = writeln!(people, "{}  {}  {what}", time(shown.stamp()), named.name(&shown.author));
    }
    Ok(Answer::done(json, people))
}

pub(super) async fn describe(
    args: Describe,
    context: &Context<'_>,
) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let community = community(&args.community, context).await?;
    let charter = charter(&community).await?;
    let before = charter.description();
    let title = args.title.as_deref().unwrap_or(&before.title);
    let about = args.about.as_deref().unwrap_or(&before.text);
    let description = Description {
        moderators: before.moderators.clone(),
        by_approval: args.by_approval.unwrap_or(before.by_approval),
        approved_polls: args.approved_polls.unwrap_or(before.approved_polls),
        ..Description::new(me.name(), title, about)?
    };
    community.describe(&me, &charter, description).await?;
    let id = community.id().to_string();
    Ok(Answer::done(json!({ "id": id }), "described anew"))
}

pub(super) async fn charter(community: &Community) -> Result<Charter, CommandError> {
    let missing = || CommandError::Missing(format!("there is no community {}", community.id()));
    community.charter().await?.ok_or_else(missing)
}

pub(super) async fn join(which: &str, context: &Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let community = community(which, context).await?;
    let standing = community.join(&me).await?;
    context.private()?.follow(&Follow::Community(community.id())).await?;
    let id = community.id().to_string();
    let json = json!({ "id": id, "standing": standing.word() });
    Ok(Answer::done(
        json,
        match standing {
            Standing::Waiting => "you asked to join; the founder or a moderator has to approve you",
            _ => "you are a member",
        },
    ))
}

pub(super) async fn leave(which: &str, context: &Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let community = community(which, context).await?;
    let left = community.leave(&me).await?;
    context.private()?.unfollow(&Follow::Community(community.id())).await?;
    let json = json!({ "id": community.id().to_string(), "left": left });
    Ok(match left {
        true => Answer::done(json, "you left; what you said there is seen no more"),
        false => Answer::nothing(json, "you had not joined"),
    })
}

pub(super) async fn follow(
    which: &str,
    follows: bool,
    context: &Context<'_>,
) -> Result<Answer, CommandError> {
    let private = context.private()?;
    let community = community(which, context).await?;
    let follow = Follow::Community(community.id());
    let json = json!({ "id": community.id().to_string(), "followed": follows });
    if follows {
        let charter = charter(&community).await?;
        private.follow(&follow).await?;
        return Ok(Answer::done(json, format!("you follow {}", text::shown(&charter.title))));
    }
    private.unfollow(&follow).await?;
    Ok(Answer::done(json, "you follow it no more"))
}

pub(super) async fn members(which: &str, context: &Context<'_>) -> Result<Answer, CommandError> {
    let community = community(which, context).await?;
    let view = community.view().await?;
    let people = view.members.iter().map(|(key, member)| (*key, &*member.name));
    let named = Named::of(context.net(), people).await?;
    let mut members: Vec<_> = view.members.iter().collect();
    members.sort_by_key(|(key, member)| (member.standing, member.since, **key));
    let mut table = Table::new(["name", "is", "since"]);
    let mut each = Vec::new();
    for (key, member) in members {
        let (name, word) = (named.name(key), member.standing.word());
        let since = if member.since.millis() == 0 { String::new() } else { time(member.since) };
        each.push(json!({
            "name": name,
            "key": key.to_string(),
            "is": word,
            "member": member.standing.is_member(),
            "since_ms": member.since.millis(),
        }));
        table.row([name, word.to_owned(), since]);
    }
    let json = json!({ "members": each, "count": view.members.count(), "complete": view.complete });
    Ok(noted(Answer::done(json, table), &view))
}

/// With a note, if there is more than a reader takes.
pub(super) fn noted(answer: Answer, view: &View) -> Answer {
    if view.complete { answer } else { answer.with_note("there are more than are read") }
}

fn joining(charter: &Charter) -> &'static str {
    if charter.by_approval { "by approval" } else { "open" }
}

fn as_json(charter: &Charter, named: &Named) -> Json {
    let person = |key: &PublicKey| json!({ "name": named.name(key), "key": key.to_string() });
    json!({
        "id": charter.id.to_string(),
        "title": charter.title,
        "about": charter.text,
        "founder": person(&charter.founder),
        "moderators": charter.moderators.keys().map(person).collect::<Vec<_>>(),
        "by_approval": charter.by_approval,
        "approved_polls": charter.approved_polls,
    })
}
