//! `whatsup say`.

use base::{Name, PublicKey};
use serde_json::json;

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use super::postbox::{Postbox, called};
use super::verify;
use crate::inbox::{Inbox, Peer};
use crate::message::{MessageId, Receiver, State, TEXT_MAX};
use crate::outbox::Outbox;
use crate::profile;
use crate::seal::SealingKey;
use crate::text;

/// `whatsup say`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// To whom: a name, or NAME~1234 as `whatsup inbox` shows it
    pub to: String,
    /// What; without it, what comes on standard input
    pub text: Vec<String>,
}

/// A message that is on its way.
struct Said {
    id: MessageId,
    to: Name,
    key: PublicKey,
    state: State,
}

pub(super) async fn run(args: Args, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let typed = if args.text.is_empty() {
        let bytes = context.read_stdin(TEXT_MAX)?;
        let not_text = |_| CommandError::Usage("standard input is no text in UTF-8".to_owned());
        String::from_utf8(bytes).map_err(not_text)?
    } else {
        args.text.join(" ")
    };
    let Said { id, to, key, state } = send(&args.to, &typed, context).await?;
    let json = json!({ "id": id.to_string(), "to": to.as_str(), "key": key.to_string(), "state": word(state), "replicas": replicas(state) });
    Ok(Answer::done(json, format_args!("{}; {to} has it when they fetch it", shown(state))))
}

/// Writes to whoever is called so: how far it came, for people.
pub(super) async fn say(
    to: &str,
    typed: &str,
    context: &mut Context<'_>,
) -> Result<String, CommandError> {
    Ok(shown(send(to, typed, context).await?.state))
}

async fn send(to: &str, typed: &str, context: &mut Context<'_>) -> Result<Said, CommandError> {
    let said = text::lines(typed, "message", TEXT_MAX)?;
    let (postbox, mailbox) = Postbox::open(context).await?;
    let mut mail = postbox.mail(context, mailbox)?;
    let (key, receiver) = whom(to, &postbox, &mail.mailbox().inbox, context).await?;
    let name = receiver.name.clone();
    if key == postbox.me.public() {
        return Err(CommandError::Usage("that is you".to_owned()));
    }
    if postbox.kept.is_blocked(&key) {
        let text = format!("you block {name}; take it back first: whatsup unblock {name}");
        return Err(CommandError::Usage(text));
    }
    let id =
        mail.say(key, receiver, &said).map_err(|full| CommandError::Usage(full.to_string()))?;
    if let Err(error) = postbox.send(&mut mail).await {
        if mail.mailbox().outbox.waiting().iter().any(|one| one.message.id == id) {
            context.tell("it is kept, and sent with the next message, or by: whatsup outbox");
        }
        return Err(error);
    }
    Ok(Said { id, to: name, key, state: state_of(&mail.mailbox().outbox, id) })
}

/// Whom a name is, and where a message to them goes.
async fn whom(
    typed: &str,
    postbox: &Postbox,
    inbox: &Inbox,
    context: &Context<'_>,
) -> Result<(PublicKey, Receiver), CommandError> {
    let known = called(inbox, typed);
    let answers = |key: &PublicKey| inbox.with(&Peer::Person(*key))?.answers();
    if let (Some(peer), true) = (&known, Name::new(typed).is_err()) {
        let Peer::Person(key) = peer else {
            let text = format!("{} wrote by SIP; call them: whatsup call {0}", text::shown(typed));
            return Err(CommandError::Usage(text));
        };
        let held =
            inbox.with(peer).and_then(|held| Some((held.name()?.0.clone(), held.answers()?)));
        let unknown = || CommandError::Usage(format!("{} cannot be answered", text::shown(typed)));
        let (name, answers) = held.ok_or_else(unknown)?;
        return Ok((*key, Receiver { name, key: answers }));
    }
    let name = Name::new(typed)?;
    let nobody = || CommandError::Usage(format!("nobody has the name {name}; whatsup find {name}"));
    let person = profile::read_of(context.net(), &name).await?.ok_or_else(nobody)?;
    if let Some(warning) =
        verify::warning(crate::verify::trust(&postbox.kept, &name, &person.key), &name)
    {
        return Err(CommandError::Usage(warning));
    }
    let published = person.profile.and_then(|said| SealingKey::from_bytes(&said.encryption_key));
    let none = || {
        CommandError::Usage(format!(
            "{name} cannot be written to yet: they have to use whatsup inbox once, so that a message can be \
             sealed for them"
        ))
    };
    let key = published.or_else(|| answers(&person.key)).ok_or_else(none)?;
    Ok((person.key, Receiver { name, key }))
}

fn state_of(outbox: &Outbox, id: MessageId) -> State {
    let waiting = outbox.waiting();
    waiting.iter().find(|one| one.message.id == id).map_or(State::Delivered, |one| one.state())
}

/// A state for programs.
pub(super) const fn word(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Relayed(_) => "relayed",
        State::Delivered => "delivered",
        State::Read => "read",
    }
}

/// At how many replicas a message lies.
pub(super) const fn replicas(state: State) -> Option<usize> {
    match state {
        State::Relayed(replicas) => Some(replicas),
        _ => None,
    }
}

/// A state for people.
pub(super) fn shown(state: State) -> String {
    match state {
        State::Relayed(1) => "relayed, at 1 super-node".to_owned(),
        State::Relayed(replicas) => format!("relayed, at {replicas} super-nodes"),
        state => word(state).to_owned(),
    }
}
