//! What founder and moderators decide.

use base::PublicKey;
use serde_json::json;

use super::super::answer::Answer;
use super::super::context::Context;
use super::super::error::CommandError;
use super::super::table::Table;
use super::about::charter;
use super::which::{Named, community, member, thing, time};
use crate::community::{Description, Person, Subject, Verdict};

/// Whom to appoint or dismiss.
#[derive(Debug, clap::Args)]
pub struct Who {
    /// Its title, its id, or the beginning of it
    pub community: String,
    /// The person's name; NAME~TAG of one of several
    pub who: String,
}

/// What to decide about whom or what.
#[derive(Debug, clap::Args)]
pub struct Decide {
    /// Its title, its id, or the beginning of it
    pub community: String,
    /// The person's name, or the thing's id or the beginning of it
    #[arg(value_name = "NAME|ID")]
    pub subject: String,
    /// Why, for all to read
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
}

pub(super) async fn appoint(args: Who, context: &Context<'_>) -> Result<Answer, CommandError> {
    change(args, context, |description, key, name| {
        description.moderators.retain(|person| person.key[..] != key.as_bytes()[..]);
        description.moderators.push(Person::new(key, name));
        true
    })
    .await
}

pub(super) async fn dismiss(args: Who, context: &Context<'_>) -> Result<Answer, CommandError> {
    change(args, context, |description, key, _| {
        let before = description.moderators.len();
        description.moderators.retain(|person| person.key[..] != key.as_bytes()[..]);
        description.moderators.len() < before
    })
    .await
}

async fn change(
    args: Who,
    context: &Context<'_>,
    change: impl FnOnce(&mut Description, &PublicKey, &str) -> bool,
) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let community = community(&args.community, context).await?;
    let view = community.view().await?;
    let key = member(&args.who, &view.members, context.net()).await?;
    let name = args.who.split('~').next().unwrap_or_default();
    let name = view.members.name(&key).unwrap_or(name).to_owned();
    let charter = charter(&community).await?;
    let mut description = charter.description();
    let json = json!({ "id": community.id().to_string(), "key": key.to_string() });
    if !change(&mut description, &key, &name) {
        return Ok(Answer::nothing(json, format!("{name} does not moderate it")));
    }
    community.describe(&me, &charter, description).await?;
    let moderates = community.charter().await?.is_some_and(|charter| charter.moderates(&key));
    let people = if moderates { "moderates it from now on" } else { "moderates it no more" };
    Ok(Answer::done(json, format!("{name} {people}")))
}

pub(super) async fn approve(args: Decide, context: &Context<'_>) -> Result<Answer, CommandError> {
    decide(args, Some(false), Verdict::Approved, "approved", context).await
}

pub(super) async fn remove(args: Decide, context: &Context<'_>) -> Result<Answer, CommandError> {
    decide(args, Some(false), Verdict::Removed, "removed", context).await
}

pub(super) async fn hide(args: Decide, context: &Context<'_>) -> Result<Answer, CommandError> {
    decide(args, Some(true), Verdict::Removed, "hidden", context).await
}

pub(super) async fn undo(args: Decide, context: &Context<'_>) -> Result<Answer, CommandError> {
    decide(args, None, Verdict::Undone, "undone", context).await
}

/// `is_thing` says whether a thing or a person is meant, if that is known.
async fn decide(
    args: Decide,
    is_thing: Option<bool>,
    verdict: Verdict,
    done: &'static str,
    context: &Context<'_>,
) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let community = community(&args.community, context).await?;
    let view = community.view().await?;
    let hidden = view.moderation.decisions().filter_map(|decision| match decision.subject {
        Subject::Thing(id) => Some(id),
        Subject::Member(_) => None,
    });
    let things = community.things(&view).await?.into_iter().chain(hidden);
    let as_thing = || thing(&args.subject, things).map(Subject::Thing);
    let subject = match is_thing {
        Some(true) => as_thing()?,
        Some(false) => Subject::Member(member(&args.subject, &view.members, context.net()).await?),
        None => match as_thing() {
            Ok(thing) => thing,
            Err(error @ CommandError::Usage(_)) => return Err(error),
            Err(_) => Subject::Member(member(&args.subject, &view.members, context.net()).await?),
        },
    };
    let json = json!({ "id": community.id().to_string(), "decided": done });
    if verdict == Verdict::Undone && view.moderation.about(&subject).is_none() {
        return Ok(Answer::nothing(json, "nothing was decided about that"));
    }
    community.decide(&me, &view, subject, verdict, &args.reason).await?;
    Ok(Answer::done(json, done))
}

pub(super) async fn decisions(which: &str, context: &Context<'_>) -> Result<Answer, CommandError> {
    let community = community(which, context).await?;
    let view = community.view().await?;
    let mut decisions: Vec<_> = view.moderation.decisions().collect();
    decisions.sort_by_key(|decision| (std::cmp::Reverse(decision.stamp), decision.subject));
    let about = decisions.iter().filter_map(|decision| match decision.subject {
        Subject::Member(key) => Some((key, &*decision.name)),
        Subject::Thing(_) => None,
    });
    let members = view.members.iter().map(|(key, member)| (*key, &*member.name));
    let named = Named::of(context.net(), about.chain(members)).await?;
    let mut table = Table::new(["when", "by", "what", "about", "reason"]);
    let mut each = Vec::new();
    for decision in decisions {
        let (about, is_thing) = match decision.subject {
            Subject::Member(key) => (named.name(&key), false),
            Subject::Thing(id) => (id.to_string(), true),
        };
        let verdict = match (decision.verdict, is_thing) {
            (Verdict::Undone, _) => "undone",
            (Verdict::Approved, _) => "approved",
            (Verdict::Removed, true) => "hidden",
            (Verdict::Removed, false) => "removed",
        };
        let by = named.name(&decision.by);
        each.push(json!({
            "by": by,
            "what": verdict,
            "about": about,
            "reason": decision.reason,
            "stamp_ms": decision.stamp.millis(),
        }));
        let reason = decision.reason.clone();
        table.row([time(decision.stamp), by, verdict.to_owned(), about, reason]);
    }
    let json = json!({ "decisions": each });
    Ok(match each.is_empty() {
        true => Answer::nothing(json, "nothing was decided yet"),
        false => Answer::done(json, table),
    })
}
