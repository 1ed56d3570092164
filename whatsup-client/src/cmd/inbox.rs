//! `whatsup inbox`.

use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::community::time;
use super::context::Context;
use super::error::CommandError;
use super::postbox::{Postbox, called, labels};
use super::say::{replicas, shown, word};
use super::table::Table;
use crate::inbox::{Conversation, Inbox, Kept, Peer, Standing};
use crate::message::MessageId;
use crate::stamp::Stamp;
use crate::text;

/// Bytes of a message that a list of conversations shows.
const LAST_MAX: usize = 60;
/// Messages that a conversation shows unless all are asked for.
const SHOWN: usize = 50;

/// `whatsup inbox`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// With whom: what was said is shown, and they are told that you have seen it. Without it all
    /// conversations are listed
    pub with: Option<String>,

    /// Accept a stranger's messages
    #[arg(long, requires = "with", conflicts_with = "refuse")]
    pub accept: bool,
    /// Refuse a stranger: what they said is gone, what they will say is dropped, and they are told nothing
    #[arg(long, requires = "with")]
    pub refuse: bool,
    /// Show all that is kept, not only the last 50
    #[arg(long, requires = "with")]
    pub all: bool,
}

pub(super) async fn run(args: Args, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let (postbox, mailbox) = Postbox::open(context).await?;
    let mut mail = postbox.mail(context, mailbox)?;
    let fetched = match postbox.exchange(&mut mail).await {
        Ok(fetched) => fetched,
        // What is here can be read without the overlay.
        Err(CommandError::Overlay(error)) => {
            context.tell(&format!("note: nothing was fetched: {error}"));
            Default::default()
        }
        Err(error) => return Err(error),
    };
    let Some(with) = args.with else {
        let answer = list(&mail.mailbox().inbox, fetched.new);
        return Ok(if fetched.left > 0 {
            let note =
                format!("{} more wait until there is room: read or refuse some", fetched.left);
            answer.with_note(note)
        } else {
            answer
        });
    };
    let name = text::shown(&with).into_owned();
    let Some(peer) = called(&mail.mailbox().inbox, &with) else {
        let json = json!({ "with": with, "messages": [] });
        return Ok(Answer::nothing(json, format_args!("there is nothing from or to {name}")));
    };
    if args.refuse {
        mail.refuse(&peer);
        postbox.keep(mail.mailbox())?;
        let json = json!({ "with": with, "standing": "refused" });
        return Ok(Answer::done(json, format_args!("{name} is refused")));
    }
    if args.accept {
        mail.accept(&peer);
    }
    let held = mail.mailbox().inbox.with(&peer).cloned().unwrap_or_default();
    let shown = if args.all { usize::MAX } else { SHOWN };
    let answer = conversation(&with, &peer, &held, shown);
    mail.read(&peer);
    if let Err(error) = postbox.send(&mut mail).await {
        context.tell(&format!("note: they are told later that you have seen it: {error}"));
    }
    Ok(if held.standing() == Standing::Stranger {
        answer.with_note(format_args!(
            "{name} is a stranger, and is not told that you have this; whatsup inbox {name} --accept, or \
             --refuse"
        ))
    } else {
        answer
    })
}

/// All conversations.
fn list(inbox: &Inbox, new: usize) -> Answer {
    let labels = labels(inbox);
    let mut table = Table::new(["with", "new", "last", "when", ""]);
    let mut each = Vec::new();
    for (peer, held) in inbox.conversations() {
        let label = labels.get(peer).map_or("", String::as_str);
        let Some((stamp, _, last)) = held.messages().next_back() else { continue };
        let unread = held.unread();
        let what = match (peer, held.standing()) {
            (Peer::Sip(_), _) => "from SIP, not encrypted",
            (_, Standing::Stranger) => "a stranger's request",
            _ => "",
        };
        let text = text::shortened(&last.text, LAST_MAX);
        let new = if unread == 0 { String::new() } else { unread.to_string() };
        table.row([label, &new, &text, &time(stamp), what]);
        each.push(json!({
            "with": label,
            "key": key_of(peer),
            "kind": kind_of(peer),
            "standing": word_of(held.standing()),
            "unread": unread,
            "last": last.text,
            "last_ms": stamp.millis(),
        }));
    }
    let json = json!({ "new": new, "conversations": each });
    if each.is_empty() {
        return Answer::nothing(json, "nobody has written to you yet");
    }
    Answer::done(json, table)
}

/// What was said with somebody.
fn conversation(with: &str, peer: &Peer, held: &Conversation, shown: usize) -> Answer {
    let count = held.messages().count();
    let last = || held.messages().skip(count.saturating_sub(shown));
    let messages: Vec<Json> = last().map(message_json).collect();
    let json = json!({
        "with": with,
        "key": key_of(peer),
        "kind": kind_of(peer),
        "standing": word_of(held.standing()),
        "messages": messages,
    });
    let mut lines: String = match peer {
        Peer::Sip(_) => {
            "FROM SIP, NOT ENCRYPTED: anybody may have written and read this\n".to_owned()
        }
        Peer::Person(_) => String::new(),
    };
    for (stamp, _, kept) in last() {
        lines.push_str(&line(with, stamp, kept));
    }
    Answer::done(json, lines)
}

fn line(with: &str, stamp: Stamp, kept: &Kept) -> String {
    let (who, state) = match kept.mine {
        Some(state) => ("you".into(), format!("  ({})", shown(state))),
        None if kept.read => (text::shown(with), String::new()),
        None => (text::shown(with), "  (new)".to_owned()),
    };
    // Whoever writes several lines cannot make them look like another's.
    let text = text::shown_lines(&kept.text).replace('\n', "\n    ");
    format!("{}  {who}: {text}{state}\n", time(stamp))
}

fn message_json((stamp, id, kept): (Stamp, MessageId, &Kept)) -> Json {
    let mut json = json!({
        "id": id.to_string(),
        "stamp_ms": stamp.millis(),
        "mine": kept.mine.is_some(),
        "text": kept.text,
    });
    match kept.mine {
        Some(state) => {
            json["state"] = word(state).into();
            json["replicas"] = replicas(state).into();
        }
        None => json["new"] = (!kept.read).into(),
    }
    json
}

/// The key of a conversation's other side.
pub(super) fn key_of(peer: &Peer) -> Option<String> {
    match peer {
        Peer::Person(key) => Some(key.to_string()),
        Peer::Sip(_) => None,
    }
}

/// Whether what is said there is encrypted, for programs.
pub(super) const fn kind_of(peer: &Peer) -> &'static str {
    match peer {
        Peer::Person(_) => "encrypted",
        Peer::Sip(_) => "from SIP, not encrypted",
    }
}

/// A standing, for programs.
pub(super) const fn word_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Stranger => "stranger",
        Standing::Accepted => "accepted",
        Standing::Refused => "refused",
    }
}

#[cfg(test)]
mod tests;
