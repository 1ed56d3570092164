//! `whatsup alerts`: what happens in the communities one follows, as it happens.

use std::time::Duration;

use base::PublicKey;
use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::community::{Named, time};
use super::context::Context;
use super::error::CommandError;
use crate::alerts::{Alert, Alerts};
use crate::bell::Kind;
use crate::keys::CommunityId;
use crate::private::{Follow, Kept};
use crate::text;

/// Before it is tried again when no super-node answers.
const PAUSE: Duration = Duration::from_secs(2);
/// How often what one follows is read anew, in looks of some 25 seconds or less.
const LOOKS: u32 = 16;

/// `whatsup alerts`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End after so many alerts
    #[arg(long, value_name = "N")]
    pub count: Option<usize>,
}

pub(super) async fn run(args: Args, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let private = context.private()?;
    let me = context.me()?.public();
    let mut kept = private.read().await?;
    let mut alerts = Alerts::new(context.net().clone(), communities(&kept));
    if communities(&kept).next().is_none() {
        let text = "you follow no community; join one, or follow it";
        return Ok(Answer::nothing(json!({ "alerts": [] }), text));
    }
    let (mut told, mut looks, mut waits) = (0, 0, false);
    loop {
        let new = match alerts.next().await {
            Ok(new) => new,
            Err(error) => {
                context.tell(&format!("note: {error}; trying again"));
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Said when nothing that happens from now on is missed.
        if !std::mem::replace(&mut waits, true) {
            context
                .tell("waiting for what happens in the communities you follow; Control-C ends it");
        }
        let shown = |alert: &&Alert| alert.author != me && !kept.is_blocked(&alert.author);
        let new: Vec<&Alert> = new.iter().filter(shown).collect();
        let authors = new.iter().map(|alert| (alert.author, &*alert.name));
        let named = Named::of(context.net(), authors).await?;
        for alert in new {
            context.emit(line(alert, &named))?;
            told += 1;
            if args.count.is_some_and(|count| told >= count) {
                return Ok(Answer::done(json!({ "told": told }), ""));
            }
        }
        looks += 1;
        if looks % LOOKS == 0
            && let Ok(read) = private.read().await
        {
            kept = read;
            alerts.follow(communities(&kept));
        }
    }
}

fn communities(kept: &Kept) -> impl Iterator<Item = CommunityId> {
    kept.follows().filter_map(|follow| match follow {
        Follow::Community(id) => Some(id),
        Follow::Person(_) => None,
    })
}

fn line(alert: &Alert, named: &Named) -> Answer {
    let (json, people) = told(alert, named);
    Answer::done(json, people)
}

/// An alert for programs, and in a line for people.
pub(super) fn told(alert: &Alert, named: &Named) -> (Json, String) {
    let (word, verb) = match alert.kind {
        Kind::News => ("news", "shared"),
        Kind::Event => ("event", "announced"),
        Kind::Poll => ("poll", "asks"),
        Kind::Closed => ("closed", "closed the poll"),
        Kind::Moderation => ("moderation", "changed who belongs to it or what is seen"),
        Kind::Other => ("other", "did something"),
    };
    let by: PublicKey = alert.author;
    let json = json!({
        "community": alert.community.to_string(),
        "title": alert.title,
        "kind": word,
        "id": alert.thing.to_string(),
        "by": named.name(&by),
        "key": by.to_string(),
        "stamp_ms": alert.stamp.millis(),
        "preview": alert.preview,
        "missed": alert.missed,
    });
    let missed = match alert.missed {
        0 => String::new(),
        missed => format!(" (and {missed} before)"),
    };
    let preview = text::shown(&alert.preview);
    let title = text::shown(&alert.title);
    let people = format!("{}  {title}: {} {verb} {preview}", time(alert.stamp), named.name(&by));
    (json, format!("{}{missed}", people.trim_end()))
}
