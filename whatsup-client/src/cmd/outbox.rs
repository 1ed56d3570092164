//! `whatsup outbox`.

use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::community::time;
use super::context::Context;
use super::error::CommandError;
use super::postbox::Postbox;
use super::say::{replicas, shown, word};
use super::table::Table;
use crate::message::MessageId;
use crate::text;

/// Bytes of a message that are shown.
const TEXT_MAX: usize = 60;

/// `whatsup outbox`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Give a message up, by its id or the beginning of it: it is taken back, unless they have it already
    #[arg(long, value_name = "ID")]
    pub drop: Option<String>,
}

pub(super) async fn run(args: Args, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let (postbox, mailbox) = Postbox::open(context).await?;
    let mut mail = postbox.mail(context, mailbox)?;
    if let Err(error) = postbox.exchange(&mut mail).await {
        let CommandError::Overlay(error) = error else { return Err(error) };
        context.tell(&format!("note: not all was sent: {error}"));
    }
    if let Some(typed) = args.drop {
        let waiting = mail.mailbox().outbox.waiting();
        let ids: Vec<MessageId> = waiting.iter().map(|one| one.message.id).collect();
        let id = called(&ids, &typed)?;
        mail.drop_text(id, &mut |mailbox| postbox.keep(mailbox)).await?;
        let json = json!({ "id": id.to_string(), "state": "dropped" });
        return Ok(Answer::done(json, "it is given up"));
    }
    let mut table = Table::new(["id", "to", "when", "how far", "text"]);
    let mut each: Vec<Json> = Vec::new();
    for one in mail.mailbox().outbox.waiting() {
        let (id, state) = (one.message.id.to_string(), one.state());
        let said = one.text().unwrap_or_default();
        let (to, when) = (one.receiver.name.as_str(), time(one.stamp()));
        table.row([&id[..8], to, &when, &shown(state), &text::shortened(said, TEXT_MAX)]);
        each.push(json!({
            "id": id,
            "to": to,
            "stamp_ms": one.stamp().millis(),
            "state": word(state),
            "replicas": replicas(state),
            "text": said,
        }));
    }
    let json = json!({ "outbox": each });
    if each.is_empty() {
        return Ok(Answer::nothing(json, "all that you said has come to whom it was for"));
    }
    Ok(Answer::done(json, table))
}

/// The one message whose id begins so.
fn called(ids: &[MessageId], typed: &str) -> Result<MessageId, CommandError> {
    let begins = |id: &&MessageId| !typed.is_empty() && id.to_string().starts_with(typed);
    let mut found = ids.iter().filter(begins);
    let shown = text::shown(typed);
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(*id),
        (Some(_), Some(_)) => Err(CommandError::Usage(format!(
            "several messages begin with {shown}; write more of the id"
        ))),
        (None, _) => Err(CommandError::Usage(format!(
            "no message {shown} is in the outbox; see whatsup outbox"
        ))),
    }
}
