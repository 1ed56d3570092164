//! [`Postbox`]: a person's messages at a command line: the file where they are kept, and the key that opens
//! them, which is the same on all her devices.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use base::{Name, PublicKey};

use super::context::Context;
use super::error::CommandError;
use super::home::Home;
use crate::author::Author;
use crate::inbox::{Inbox, Peer, Regard};
use crate::mail::{Fetched, Mail, Mailbox};
use crate::net::Net;
use crate::private::{Follow, Kept, Private, Shelf};
use crate::profile::{self, ProfileError};
use crate::seal::OpeningKey;

/// Largest file, in bytes: all conversations as long as they may be.
const FILE_MAX: u64 = 128 << 20;
/// How long to wait for another command that is at the messages, in steps of a tenth of a second.
const LOCK_TRIES: usize = 100;
/// Among the person's secret keys, the one that opens messages.
const KEY_ID: &[u8] = b"messages";

/// A person's messages at a command line. No other command is at them while it is there.
pub(super) struct Postbox {
    pub(super) me: Author,
    pub(super) kept: Kept,
    key: OpeningKey,
    home: Home,
    file: String,
    _lock: File,
}

impl Postbox {
    /// Whoever is logged in, and what was kept of their messages.
    ///
    /// # Errors
    /// That nobody is, the files', the overlay's.
    pub(super) async fn open(context: &Context<'_>) -> Result<(Postbox, Mailbox), CommandError> {
        let (me, private) = (context.me()?, context.private()?);
        let kept = private.read().await?;
        let (kept, key) = opening_key(context, &private, kept).await?;
        publish_key(context.net(), &me, &key).await?;
        let (home, file) = (context.home().clone(), format!("messages.{}", me.public()));
        let lock = locked(&home, &file).await?;
        let mailbox = match home.read(&file, FILE_MAX)? {
            None => Mailbox::default(),
            Some(bytes) => Mailbox::from_bytes(&bytes).ok_or_else(|| {
                let path = home.folder().join(&file);
                let path = path.display();
                CommandError::Machine(format!(
                    "{path} is not what whatsup wrote there; move it away"
                ))
            })?,
        };
        Ok((Postbox { me, kept, key, home, file, _lock: lock }, mailbox))
    }

    /// The person's mail.
    ///
    /// # Errors
    /// That the system gives no randomness.
    pub(super) fn mail<'m, 'c: 'm>(
        &'m self,
        context: &Context<'c>,
        mailbox: Mailbox,
    ) -> Result<Mail<'m>, CommandError> {
        Ok(Mail::new(context.net(), &self.me, &self.key, mailbox, &context.random()?))
    }

    /// Fetches what has come and sends what is to be sent.
    ///
    /// # Errors
    /// The overlay's, and the file's.
    pub(super) async fn exchange(&self, mail: &mut Mail<'_>) -> Result<Fetched, CommandError> {
        let regards = |key: &PublicKey, name: &Name| self.regard(key, name);
        let fetched = mail.fetch(&regards, &mut |mailbox| self.keep(mailbox)).await?;
        self.send(mail).await?;
        Ok(fetched)
    }

    /// Keeps the mailbox and sends what is to be sent.
    ///
    /// # Errors
    /// The overlay's, and the file's.
    pub(super) async fn send(&self, mail: &mut Mail<'_>) -> Result<(), CommandError> {
        self.keep(mail.mailbox())?;
        mail.send(&mut |mailbox| self.keep(mailbox)).await?;
        Ok(())
    }

    pub(super) fn keep(&self, mailbox: &Mailbox) -> Result<(), CommandError> {
        self.home.write(&self.file, &mailbox.to_bytes())
    }

    fn regard(&self, key: &PublicKey, name: &Name) -> Regard {
        if self.kept.is_blocked(key) {
            Regard::Blocked
        } else if self.kept.is_followed(&Follow::Person(name.clone())) {
            Regard::Followed
        } else {
            Regard::None
        }
    }
}

/// Sees to it that others can write to whoever just logged in.
///
/// # Errors
/// The overlay's, and that the system gives no randomness.
pub(super) async fn be_reached(context: &Context<'_>, me: &Author) -> Result<(), CommandError> {
    let private = context.owner(me.clone())?.private();
    let kept = private.read().await?;
    let (_, key) = opening_key(context, &private, kept).await?;
    publish_key(context.net(), me, &key).await
}

/// The key that opens the person's messages: made once, and kept with her other secrets.
async fn opening_key(
    context: &Context<'_>,
    private: &Private,
    kept: Kept,
) -> Result<(Kept, OpeningKey), CommandError> {
    let of = |kept: &Kept| kept.get(Shelf::Keys, KEY_ID).and_then(OpeningKey::from_bytes);
    if let Some(key) = of(&kept) {
        return Ok((kept, key));
    }
    let random: [u8; OpeningKey::LEN] = context.random()?;
    let kept = private.change(Shelf::Keys, KEY_ID, Some(random.to_vec())).await?;
    let key = of(&kept).or_else(|| OpeningKey::from_bytes(&random));
    let broken = || CommandError::Machine("no key for messages could be made".to_owned());
    Ok((kept, key.ok_or_else(broken)?))
}

/// Says in the person's profile what messages are sealed with, if it does not say so yet.
async fn publish_key(net: &Net, me: &Author, key: &OpeningKey) -> Result<(), CommandError> {
    let sealing = key.sealing_key().as_bytes().to_vec();
    match profile::edit(net, me, |profile| profile.encryption_key = sealing).await {
        Ok(_) => Ok(()),
        Err(ProfileError::Overlay(error)) => Err(error.into()),
        Err(error) => Err(CommandError::Machine(format!("your profile cannot be used: {error}"))),
    }
}

async fn locked(home: &Home, file: &str) -> Result<File, CommandError> {
    for _ in 0..LOCK_TRIES {
        if let Some(lock) = home.lock(file)? {
            return Ok(lock);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(CommandError::Machine("another whatsup is at your messages; try again".to_owned()))
}

/// What each conversation is called: by the name, with a tag if it is not theirs, or another conversation's,
/// too.
pub(super) fn labels(inbox: &Inbox) -> BTreeMap<Peer, String> {
    let mut by_name: BTreeMap<String, Vec<Peer>> = BTreeMap::new();
    let mut labels = BTreeMap::new();
    for (peer, held) in inbox.conversations() {
        match (peer, held.name()) {
            (Peer::Sip(address), _) => {
                labels.insert(peer.clone(), address.clone());
            }
            (Peer::Person(_), Some((name, true))) => {
                by_name.entry(name.to_string()).or_default().push(peer.clone());
            }
            (Peer::Person(key), name) => {
                let label = name.map_or_else(|| key.to_string(), |(name, _)| name.with_tag(key));
                labels.insert(peer.clone(), label);
            }
        }
    }
    for (name, peers) in by_name {
        let is_one = peers.len() == 1;
        for peer in peers {
            let tag = match &peer {
                Peer::Person(key) if !is_one => format!("~{}", key.fingerprint().tag()),
                _ => String::new(),
            };
            labels.insert(peer, format!("{name}{tag}"));
        }
    }
    labels
}

/// The conversation that is called so.
pub(super) fn called(inbox: &Inbox, label: &str) -> Option<Peer> {
    let wanted = Name::new(label).map_or_else(|_| label.to_owned(), |name| name.to_string());
    labels(inbox).into_iter().find(|(_, label)| *label == wanted).map(|(peer, _)| peer)
}
