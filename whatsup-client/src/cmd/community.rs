//! `whatsup community`.

mod about;
mod moderate;
mod say;
mod which;

use clap::Subcommand;

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;

pub(super) use say::{hidden, said, told};
pub(super) use which::{Named, community, thing, time};

/// `whatsup community`. COMMUNITY is its id, the beginning of its id, or its title.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a community; you are its founder
    Create(about::Create),
    /// List all communities
    List,
    /// Show what a community is, and what is going on there
    Show {
        /// Its title, its id, or the beginning of it
        community: String,
    },
    /// Describe your community anew; what is not given stays as it is
    Describe(about::Describe),
    /// Join a community, and follow it
    Join {
        /// Its title, its id, or the beginning of it
        community: String,
    },
    /// Leave a community, and follow it no more
    Leave {
        /// Its title, its id, or the beginning of it
        community: String,
    },
    /// Follow a community without joining it: its news are in your feed, and you are alerted
    Follow {
        /// Its title, its id, or the beginning of it
        community: String,
    },
    /// Follow a community no more
    Unfollow {
        /// Its title, its id, or the beginning of it
        community: String,
    },
    /// List the members of a community, and who waits for approval
    Members {
        /// Its title, its id, or the beginning of it
        community: String,
    },
    /// Share a text or a link with a community
    Post(say::Post),
    /// List what members shared, the newest first
    News {
        /// Its title, its id, or the beginning of it
        community: String,
    },
    /// Announce an event
    Event(say::Announce),
    /// List events, or print them for a calendar program
    Events(say::Events),
    /// Take back what you said in a community: news, an event, a poll
    Delete {
        /// Its title, its id, or the beginning of it
        community: String,
        /// The thing's id, or the beginning of it
        id: String,
    },
    /// Say all you said in a community once more, so that it stays for another week
    Keep {
        /// Its title, its id, or the beginning of it
        community: String,
    },
    /// Let a member moderate your community
    Appoint(moderate::Who),
    /// Let somebody moderate it no more
    Dismiss(moderate::Who),
    /// Approve who joined
    Approve(moderate::Decide),
    /// Remove a member
    Remove(moderate::Decide),
    /// Hide news, an event, a poll or a comment
    Hide(moderate::Decide),
    /// Undo what was decided about a person or a thing
    Undo(moderate::Decide),
    /// List what founder and moderators decided
    Decisions {
        /// Its title, its id, or the beginning of it
        community: String,
    },
}

pub(super) async fn run(
    command: Command,
    context: &mut Context<'_>,
) -> Result<Answer, CommandError> {
    match command {
        Command::Create(args) => about::create(args, context).await,
        Command::List => about::list(context).await,
        Command::Show { community } => about::show(&community, context).await,
        Command::Describe(args) => about::describe(args, context).await,
        Command::Join { community } => about::join(&community, context).await,
        Command::Leave { community } => about::leave(&community, context).await,
        Command::Follow { community } => about::follow(&community, true, context).await,
        Command::Unfollow { community } => about::follow(&community, false, context).await,
        Command::Members { community } => about::members(&community, context).await,
        Command::Post(args) => say::post(args, context).await,
        Command::News { community } => say::news(&community, context).await,
        Command::Event(args) => say::announce(args, context).await,
        Command::Events(args) => say::events(args, context).await,
        Command::Delete { community, id } => say::delete(&community, &id, context).await,
        Command::Keep { community } => say::keep(&community, context).await,
        Command::Appoint(args) => moderate::appoint(args, context).await,
        Command::Dismiss(args) => moderate::dismiss(args, context).await,
        Command::Approve(args) => moderate::approve(args, context).await,
        Command::Remove(args) => moderate::remove(args, context).await,
        Command::Hide(args) => moderate::hide(args, context).await,
        Command::Undo(args) => moderate::undo(args, context).await,
        Command::Decisions { community } => moderate::decisions(&community, context).await,
    }
}

#[cfg(test)]
mod tests;
