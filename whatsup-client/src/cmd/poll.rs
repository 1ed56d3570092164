//! `whatsup poll`.

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::community::{self, Named, time};
use super::context::Context;
use super::error::CommandError;
use super::table::Table;
use crate::community::{Community, Poll, Shown, Standings, View};
use crate::text;

/// `whatsup poll`. One key has one vote: who has several keys has several.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask the members of a community something
    Create(Create),
    /// List the polls of a community, the newest first
    List {
        /// Its title, its id, or the beginning of it
        community: String,
    },
    /// Show how a poll stands
    Show {
        /// The community's title, its id, or the beginning of it
        community: String,
        /// The poll's id, or the beginning of it
        poll: String,
    },
    /// Vote, in place of what you voted before
    Vote {
        /// The community's title, its id, or the beginning of it
        community: String,
        /// The poll's id, or the beginning of it
        poll: String,
        /// The option: its number, from 1, or its text
        option: String,
    },
    /// Close a poll you made, or one of a community you moderate: later votes do not count
    Close {
        /// The community's title, its id, or the beginning of it
        community: String,
        /// The poll's id, or the beginning of it
        poll: String,
    },
}

/// `whatsup poll create`.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// The community's title, its id, or the beginning of it
    pub community: String,
    /// What is asked, in at most 200 bytes
    pub question: String,
    /// What may be answered: 2 to 12 options
    #[arg(required = true, num_args = 2.., value_name = "OPTION")]
    pub options: Vec<String>,
    /// Count only votes of members whom the founder or a moderator approved
    #[arg(long)]
    pub approved_only: bool,
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<Answer, CommandError> {
    match command {
        Command::Create(args) => create(args, context).await,
        Command::List { community } => list(&community, context).await,
        Command::Show { community, poll } => {
            let (community, view, poll) = find(&community, &poll, context).await?;
            show(&community, &view, poll, context).await
        }
        Command::Vote { community, poll, option } => {
            let me = context.me()?;
            let (community, view, poll) = find(&community, &poll, context).await?;
            let number = number(&poll.record.body, &option)?;
            community.vote(&me, &view, &poll, number).await?;
            show(&community, &view, poll, context).await
        }
        Command::Close { community, poll } => {
            let me = context.me()?;
            let (community, view, poll) = find(&community, &poll, context).await?;
            community.close(&me, &view, &poll).await?;
            show(&community, &view, poll, context).await
        }
    }
}

async fn create(args: Create, context: &Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let approved_only = args.approved_only;
    let poll = Poll::new(me.name(), &args.question, &args.options, approved_only, me.stamp([]))?;
    let community = community::community(&args.community, context).await?;
    let view = community.view().await?;
    let told = community.ask(&me, &view, &poll).await?;
    Ok(community::told(&told, "asked"))
}

async fn list(which: &str, context: &Context<'_>) -> Result<Answer, CommandError> {
    let community = community::community(which, context).await?;
    let view = community.view().await?;
    let polls = community.polls(&view).await?;
    let named = named(&view, &polls, context).await?;
    let mut table = Table::new(["when", "by", "question", "id"]);
    let mut each = Vec::new();
    for shown in &polls {
        let poll = &shown.record.body;
        let (id, by) = (shown.id.to_string(), named.name(&shown.author));
        let mut json = community::said(shown, &named);
        let question = match &shown.hidden {
            Some(decision) => community::hidden(decision, &named),
            None => poll.question.clone(),
        };
        if shown.hidden.is_none() {
            json["question"] = poll.question.clone().into();
            json["options"] = poll.options.clone().into();
        }
        each.push(json);
        table.row([time(shown.stamp()), by, question, id]);
    }
    let json = json!({ "polls": each });
    Ok(match each.is_empty() {
        true => Answer::nothing(json, "there is no poll yet"),
        false => Answer::done(json, table),
    })
}

async fn named(
    view: &View,
    polls: &[Shown<Poll>],
    context: &Context<'_>,
) -> Result<Named, CommandError> {
    let members = view.members.iter().map(|(key, member)| (*key, &*member.name));
    let authors = polls.iter().map(|shown| (shown.author, shown.name()));
    Named::of(context.net(), members.chain(authors)).await
}

async fn find(
    community: &str,
    poll: &str,
    context: &Context<'_>,
) -> Result<(Community, View, Shown<Poll>), CommandError> {
    let community = community::community(community, context).await?;
    let view = community.view().await?;
    let polls = community.polls(&view).await?;
    let id = community::thing(poll, polls.iter().map(|shown| shown.id))?;
    let missing = || CommandError::Missing(format!("there is no poll {id} in that community"));
    let poll = polls.into_iter().find(|shown| shown.id == id).ok_or_else(missing)?;
    Ok((community, view, poll))
}

/// The number of an option by its number or its text.
fn number(poll: &Poll, option: &str) -> Result<usize, CommandError> {
    let typed = option.trim().to_lowercase();
    if let Some(at) = poll.options.iter().position(|one| one.to_lowercase() == typed) {
        return Ok(at + 1);
    }
    typed.parse().map_err(|_| {
        let option = text::shown(option);
        let text = format!(
            "{option:?} is no option; give one of the numbers 1 to {}, as `whatsup poll show` has them",
            poll.options.len()
        );
        CommandError::Usage(text)
    })
}

async fn show(
    community: &Community,
    view: &View,
    poll: Shown<Poll>,
    context: &Context<'_>,
) -> Result<Answer, CommandError> {
    let standings = community.standings(view, poll).await?;
    let Standings { poll: shown, tally, complete, closed_at } = standings;
    let named = named(view, std::slice::from_ref(&shown), context).await?;
    let poll = &shown.record.body;
    let closed_by: Vec<String> = tally.closed_by.iter().map(|key| named.name(key)).collect();
    let mut json = community::said(&shown, &named);
    let approved = poll.approved_only || view.charter.approved_polls;
    let options = poll.options.iter().zip(&tally.counts);
    let each: Vec<Json> =
        options.clone().map(|(text, votes)| json!({ "text": text, "votes": votes })).collect();
    json["votes"] = tally.votes.len().into();
    json["approved_only"] = approved.into();
    json["open"] = tally.is_open().into();
    json["closed_by"] = closed_by.clone().into();
    json["complete"] = complete.into();
    if let Some(decision) = &shown.hidden {
        return Ok(Answer::done(json, community::hidden(decision, &named)));
    }
    json["question"] = poll.question.clone().into();
    json["options"] = each.into();
    let mut table = Table::new(["no", "option", "votes"]);
    for (at, (text, votes)) in options.enumerate() {
        table.row([(at + 1).to_string(), text.clone(), votes.to_string()]);
    }
    let who = if approved { "approved members" } else { "members" };
    let state = match closed_at {
        Some(at) => format!("closed by {} at {}", closed_by.join(", "), time(at)),
        None => format!("open; votes of {who} count"),
    };
    let people = format!("{}\n{table}{state}\n", text::shown(&poll.question));
    let answer = Answer::done(json, people);
    Ok(if complete { answer } else { answer.with_note("there are more votes than are read") })
}
