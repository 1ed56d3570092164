//! What members say: news and events.

use serde_json::{Value as Json, json};

use super::super::answer::Answer;
use super::super::context::Context;
use super::super::error::CommandError;
use super::super::table::Table;
use super::about::noted;
use super::which::{Named, community, thing, time};
use crate::community::{Decision, Event, Moment, Shown, Told, calendar};
use crate::post::Draft;
use crate::text;

/// What is shown of a text in a table, in bytes.
const CELL_MAX: usize = 160;

/// `whatsup community post`.
#[derive(Debug, clap::Args)]
pub struct Post {
    /// Its title, its id, or the beginning of it
    pub community: String,
    /// The text
    #[arg(required_unless_present = "link", default_value = "", hide_default_value = true)]
    pub text: String,
    /// A link: http://… or https://…
    #[arg(long, value_name = "URL")]
    pub link: Option<String>,
}

/// `whatsup community event`.
#[derive(Debug, clap::Args)]
pub struct Announce {
    /// Its title, its id, or the beginning of it
    pub community: String,
    /// What it is called, in at most 100 bytes
    pub title: String,
    /// When it begins, as in 2026-12-01T19:00, by the clock here; or 2026-12-01T19:00+01:00
    #[arg(long, value_name = "TIME")]
    pub start: String,
    /// When it ends; an hour later, if that is not said
    #[arg(long, value_name = "TIME")]
    pub end: Option<String>,
    /// Where it is
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub place: String,
    /// What it is
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub about: String,
}

/// `whatsup community events`.
#[derive(Debug, clap::Args)]
pub struct Events {
    /// Its title, its id, or the beginning of it
    pub community: String,
    /// Print an iCalendar file, for any calendar program
    #[arg(long)]
    pub ics: bool,
}

pub(super) async fn post(args: Post, context: &Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let community = community(&args.community, context).await?;
    let view = community.view().await?;
    let draft = Draft { text: args.text, link: args.link, ..Draft::default() };
    let said = community.share(&me, &view, &draft).await?;
    Ok(told(&said, "shared"))
}

pub(super) async fn news(which: &str, context: &Context<'_>) -> Result<Answer, CommandError> {
    let community = community(which, context).await?;
    let view = community.view().await?;
    let news = community.news(&view).await?;
    let moderators = view.members.iter().map(|(key, member)| (*key, &*member.name));
    let authors = news.iter().map(|shown| (shown.author, shown.name()));
    let named = Named::of(context.net(), moderators.chain(authors)).await?;
    let mut table = Table::new(["when", "by", "what", "id"]);
    let mut each = Vec::new();
    for shown in &news {
        let Some(post) = shown.post(community.id()) else { continue };
        let (id, by) = (shown.id.to_string(), named.name(&shown.author));
        let file = post.file.as_ref().map(|file| file.name.clone());
        let what = match &shown.hidden {
            Some(decision) => hidden(decision, &named),
            None if !post.text.is_empty() => text::shortened(&post.text, CELL_MAX).into_owned(),
            None => post.link.clone().or(file.clone()).unwrap_or_default(),
        };
        table.row([time(shown.stamp()), by.clone(), what, id.clone()]);
        let mut json = said(shown, &named);
        if shown.hidden.is_none() {
            json["text"] = post.text.into();
            json["link"] = post.link.into();
            json["file"] = file.into();
        }
        each.push(json);
    }
    let json = json!({ "news": each });
    Ok(match each.is_empty() {
        true => Answer::nothing(json, "nobody shared anything yet"),
        false => noted(Answer::done(json, table), &view),
    })
}

pub(super) async fn announce(
    args: Announce,
    context: &Context<'_>,
) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let start: Moment = args.start.parse()?;
    let end = args.end.as_deref().map_or_else(|| Ok(start.later(60)), str::parse)?;
    let event =
        Event::new(me.name(), &args.title, &args.about, &args.place, (start, end), me.stamp([]))?;
    let community = community(&args.community, context).await?;
    let view = community.view().await?;
    let said = community.announce(&me, &view, &event).await?;
    Ok(told(&said, "announced"))
}

pub(super) async fn events(args: Events, context: &Context<'_>) -> Result<Answer, CommandError> {
    let community = community(&args.community, context).await?;
    let view = community.view().await?;
    let events = community.events(&view).await?;
    if args.ics {
        let calendar = calendar(&view.charter.title, &events);
        return Ok(Answer::done(json!({ "ics": calendar }), calendar));
    }
    let moderators = view.members.iter().map(|(key, member)| (*key, &*member.name));
    let authors = events.iter().map(|shown| (shown.author, shown.name()));
    let named = Named::of(context.net(), moderators.chain(authors)).await?;
    let mut table = Table::new(["begins", "ends", "what", "where", "by", "id"]);
    let mut each = Vec::new();
    for shown in &events {
        let event = &shown.record.body;
        let Some((start, end)) = event.times() else { continue };
        let (id, by) = (shown.id.to_string(), named.name(&shown.author));
        let (what, place) = match &shown.hidden {
            Some(decision) => (hidden(decision, &named), String::new()),
            None => (event.title.clone(), event.place.clone()),
        };
        let mut json = said(shown, &named);
        json["start"] = start.to_string().into();
        json["end"] = end.to_string().into();
        if shown.hidden.is_none() {
            json["title"] = event.title.clone().into();
            json["about"] = event.text.clone().into();
            json["place"] = event.place.clone().into();
        }
        each.push(json);
        table.row([start.to_string(), end.to_string(), what, place, by, id]);
    }
    let json = json!({ "events": each });
    Ok(match each.is_empty() {
        true => Answer::nothing(json, "there is no event yet"),
        false => noted(Answer::done(json, table), &view),
    })
}

pub(super) async fn delete(
    which: &str,
    id: &str,
    context: &Context<'_>,
) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let community = community(which, context).await?;
    let view = community.view().await?;
    let id = thing(id, community.things(&view).await?)?;
    let found = community.take_back(&me, id).await?;
    let json = json!({ "id": id.to_string(), "removed": found });
    Ok(match found {
        true => Answer::done(json, "taken back"),
        false => Answer::nothing(json, "you said nothing there that has this id"),
    })
}

pub(super) async fn keep(which: &str, context: &Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let community = community(which, context).await?;
    let kept = community.keep(&me).await?;
    let json = json!({ "id": community.id().to_string(), "kept": kept });
    Ok(Answer::done(json, format!("said {kept} things again; they stay for a week")))
}

/// That something was said.
pub(in super::super) fn told(told: &Told, how: &str) -> Answer {
    let id = told.id.to_string();
    let people = format!("{how}, with the id {id}");
    let json = json!({ "id": id, "indexed": told.indexed.is_ok() });
    let answer = Answer::done(json, people);
    match &told.indexed {
        Ok(()) => answer,
        Err(error) => answer.with_note(format_args!(
            "it is not found by its words yet ({error}); `whatsup community keep` tries again"
        )),
    }
}

/// Who hid something, and why.
pub(in super::super) fn hidden(decision: &Decision, named: &Named) -> String {
    let by = named.name(&decision.by);
    let reason = text::shown(&decision.reason);
    if reason.is_empty() {
        format!("[hidden by {by}]")
    } else {
        format!("[hidden by {by}: {reason}]")
    }
}

/// What is said of anything that is shown, for programs.
pub(in super::super) fn said<T: crate::community::Part>(shown: &Shown<T>, named: &Named) -> Json {
    let hidden = shown
        .hidden
        .as_ref()
        .map(|decision| json!({ "by": named.name(&decision.by), "reason": decision.reason }));
    json!({
        "id": shown.id.to_string(),
        "by": named.name(&shown.author),
        "key": shown.author.to_string(),
        "stamp_ms": shown.stamp().millis(),
        "hidden": hidden,
    })
}
