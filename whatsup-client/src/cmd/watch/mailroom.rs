//! A person's messages for whoever watches: fetched, and the mailbox left to other commands again at once.

use std::collections::BTreeMap;

use super::super::context::Context;
use super::super::error::CommandError;
use super::super::postbox::{Postbox, labels};
use super::event::Talk;
use crate::inbox::{Inbox, Peer};

/// Messages of a conversation that are shown; `whatsup inbox NAME --all` shows all.
const SHOWN: usize = 100;

/// Fetches what has come and sends what is to be sent: all conversations.
///
/// # Errors
/// That another command is at the messages; the overlay's, and the file's.
pub(super) async fn fetch(context: &Context<'_>) -> Result<Vec<Talk>, CommandError> {
    let (postbox, mailbox) = Postbox::open(context).await?;
    let mut mail = postbox.mail(context, mailbox)?;
    postbox.exchange(&mut mail).await?;
    Ok(talks(&mail.mailbox().inbox))
}

/// All that somebody said was seen: they are told, if they are to know.
///
/// # Errors
/// As of [`fetch`].
pub(super) async fn seen(peer: &Peer, context: &Context<'_>) -> Result<Vec<Talk>, CommandError> {
    let (postbox, mailbox) = Postbox::open(context).await?;
    let mut mail = postbox.mail(context, mailbox)?;
    mail.read(peer);
    postbox.send(&mut mail).await?;
    Ok(talks(&mail.mailbox().inbox))
}

fn talks(inbox: &Inbox) -> Vec<Talk> {
    let labels: BTreeMap<Peer, String> = labels(inbox);
    let talk = |(peer, held): (&Peer, &crate::inbox::Conversation)| {
        let messages = held.messages().rev().take(SHOWN);
        let mut messages: Vec<_> =
            messages.map(|(stamp, id, kept)| (stamp, id, kept.clone())).collect();
        messages.reverse();
        Talk {
            peer: peer.clone(),
            label: labels.get(peer).cloned().unwrap_or_default(),
            standing: held.standing(),
            unread: held.unread(),
            messages,
        }
    };
    inbox.conversations().into_iter().map(talk).collect()
}
