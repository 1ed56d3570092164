//! [`Mail`]: a person's messages, fetched, sent and acknowledged. What becomes of each, [`Inbox`] and
//! [`Outbox`] decide; here it is done.
//!
//! Whatever changes is kept before anything is done that relies on it: a message is removed from the overlay
//! when it is on disk here, and a text is on disk before it leaves.

use std::collections::{BTreeMap, HashMap};

use base::limits::LIST_ROOM;
use base::{Name, PublicKey, SigningKey, Slot, Ttl, Value};
use futures::StreamExt;
use prost::Message as _;

use crate::author::Author;
use crate::inbox::{Arrival, From as Sent, Inbox, Peer, Regard, Verdict};
use crate::keys;
use crate::list::Saying;
use crate::message::{
    Content, Letter, Long, Message, MessageId, Opened, Posting, RECEIPT_MAX, Receiver, State,
    letter,
};
use crate::net::{Net, unexpected};
use crate::outbox::{Outbox, OutboxFull, Pending};
use crate::overlay::{Answer, Ask, Get, OverlayError};
use crate::seal::{self, OpeningKey};

/// Most elements of an inbox that are read at once; what is beyond them, if somebody filled it, is read the
/// next time.
pub const READ_MAX: usize = 2048;
/// Values under a long text's key that are looked at: anybody may put others there.
const LONG_VALUES: usize = 16;
/// Messages that are put in one batch, each with a long text in the worst case: 1 MiB.
const BATCH: usize = 32;
/// Envelopes that are removed at once.
const AT_ONCE: usize = 16;

/// Sets ids of messages apart from their seeds.
const SEED_CONTEXT: &str = "scope 2026-11 seeds of messages";

/// A person's messages, as her machine keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// What was said with others.
    pub inbox: Inbox,
    /// What is under way to them.
    pub outbox: Outbox,
    /// Where the next reading begins, if the last one did not come to the end.
    from: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MailboxFile {
    #[prost(bytes = "vec", tag = "1")]
    inbox: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    outbox: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    from: Vec<u8>,
}

/// Fetches and sends a person's messages.
pub struct Mail<'a> {
    net: &'a Net,
    me: &'a Author,
    key: &'a OpeningKey,
    mailbox: Mailbox,
    seeds: blake3::OutputReader,
}

/// What was fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Elements that were looked at.
    pub read: usize,
    /// Messages that are new here.
    pub new: usize,
    /// Messages for which there is no room now.
    pub left: usize,
}

/// Keeps the mailbox on disk.
pub type Keep<'a, E> = &'a mut (dyn FnMut(&Mailbox) -> Result<(), E> + Send);
/// What the person thinks of who has a key.
pub type Regards<'a> = &'a (dyn Fn(&PublicKey, &Name) -> Regard + Send + Sync);

impl Mailbox {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (inbox, outbox) = (self.inbox.to_bytes(), self.outbox.to_bytes());
        MailboxFile { inbox, outbox, from: self.from.clone() }.encode_to_vec()
    }

    /// Reads the file's bytes; nothing if they are not such a file's.
    pub fn from_bytes(bytes: &[u8]) -> Option<Mailbox> {
        let file = MailboxFile::decode(bytes).ok()?;
        let (inbox, outbox) = (Inbox::from_bytes(&file.inbox)?, Outbox::from_bytes(&file.outbox)?);
        Some(Mailbox { inbox, outbox, from: file.from })
    }
}

impl<'a> Mail<'a> {
    /// The mail of this person, who opens it with this key. The seed is 32 random bytes.
    pub fn new(
        net: &'a Net,
        me: &'a Author,
        key: &'a OpeningKey,
        mailbox: Mailbox,
        seed: &[u8; 32],
    ) -> Mail<'a> {
        let seeds = blake3::Hasher::new_derive_key(SEED_CONTEXT).update(seed).finalize_xof();
        Mail { net, me, key, mailbox, seeds }
    }

    /// What was said, and what is under way.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Says a text to somebody, which [`Mail::send`] sends.
    ///
    /// # Errors
    /// [`OutboxFull`].
    pub fn say(
        &mut self,
        to: PublicKey,
        receiver: Receiver,
        text: &str,
    ) -> Result<MessageId, OutboxFull> {
        let newest = self.mailbox.inbox.with(&Peer::Person(to)).and_then(|held| held.newest());
        let stamp = self.me.stamp(newest);
        let message = Message { id: self.id(), stamp, content: Content::Text(text.to_owned()) };
        let (id, seed) = (message.id, self.seed());
        let pending = Pending { to, receiver: receiver.clone(), message, seed, relayed: None };
        self.mailbox.outbox.say(pending)?;
        let came = self.mailbox.inbox.said(to, &receiver, (stamp, id), text);
        self.tell(to, &receiver, State::Delivered, &came);
        Ok(id)
    }

    /// Accepts somebody's messages.
    pub fn accept(&mut self, peer: &Peer) {
        let came = self.mailbox.inbox.accept(peer);
        self.tell_peer(peer, State::Delivered, &came);
    }

    /// Refuses them.
    pub fn refuse(&mut self, peer: &Peer) {
        self.mailbox.inbox.refuse(peer);
    }

    /// The person has seen all that somebody said.
    pub fn read(&mut self, peer: &Peer) {
        let seen = self.mailbox.inbox.read(peer);
        self.tell_peer(peer, State::Read, &seen);
    }

    /// Gives up a text that did not come yet; whether it was there. If it lies in the overlay it is removed.
    ///
    /// # Errors
    /// The overlay's, and what `keep` says.
    pub async fn drop_text<E: From<OverlayError>>(
        &mut self,
        id: MessageId,
        keep: Keep<'_, E>,
    ) -> Result<bool, E> {
        let Some(pending) = self.mailbox.outbox.dropped(id) else { return Ok(false) };
        keep(&self.mailbox)?;
        if let Some(posting) = pending.relayed.and_then(|_| self.posting(&pending)) {
            self.remove(&pending.receiver.name, &posting.envelope).await?;
            if let Some((long, value)) = posting.long {
                self.remove_long(&long, value).await?;
            }
        }
        Ok(true)
    }

    /// Fetches what has come, and removes it from the overlay.
    ///
    /// # Errors
    /// The overlay's, and what `keep` says. Nothing is lost; fetching again goes on.
    pub async fn fetch<E: From<OverlayError>>(
        &mut self,
        regards: Regards<'_>,
        keep: Keep<'_, E>,
    ) -> Result<Fetched, E> {
        let (opened, read) = self.opened().await?;
        let mut fetched = Fetched { read, ..Fetched::default() };
        let names: Vec<Name> = opened.iter().filter_map(name_of).cloned().collect();
        let holders = self.holders(names).await?;
        let mut removed: Vec<(SigningKey, Option<Long>)> = Vec::new();
        let mut came: BTreeMap<PublicKey, (Receiver, Vec<MessageId>)> = BTreeMap::new();
        for opened in opened {
            let (sender, envelope, message) = match opened {
                Opened::FromSip { from, message } => (Sent::Sip(from), None, message),
                Opened::Letter(letter) => {
                    let Letter { sender, message, envelope } = *letter;
                    let has_name = holders.get(&sender.name).copied().flatten() == Some(sender.key);
                    (Sent::Person(sender, has_name), Some(envelope), message)
                }
            };
            let regard = match &sender {
                Sent::Person(sender, has_name) => match regards(&sender.key, &sender.name) {
                    // Whom she follows is who has the name.
                    Regard::Followed if !has_name => Regard::None,
                    regard => regard,
                },
                Sent::Sip(_) => Regard::None,
            };
            let (text, long) = match message.content {
                Content::Receipt { state, of } => {
                    if let Sent::Person(sender, _) = &sender {
                        self.told(&sender.key, state, &of);
                    }
                    removed.extend(envelope.map(|envelope| (envelope, None)));
                    continue;
                }
                Content::Text(text) => (text, None),
                Content::Long(_) if regard == Regard::Blocked => (String::new(), None),
                Content::Long(long) => match self.long_text(&long).await? {
                    Some(text) => (text, Some(long)),
                    // It was put first: it is there soon, or never, and then the envelope ends, too.
                    None => {
                        fetched.left += 1;
                        continue;
                    }
                },
            };
            let before =
                self.mailbox.inbox.with(&sender.peer()).map(|held| held.messages().count());
            let (id, peer, to) = (message.id, sender.peer(), receiver_of(&sender));
            let arrival = Arrival { from: sender, id, stamp: message.stamp, text };
            let verdict = self.mailbox.inbox.arrived(arrival, regard);
            let after = self.mailbox.inbox.with(&peer).map(|held| held.messages().count());
            fetched.new += usize::from(after > before);
            fetched.left += usize::from(verdict == Verdict::Left);
            if verdict != Verdict::Left {
                removed.extend(envelope.map(|envelope| (envelope, long)));
            }
            if let (Verdict::Delivered, Some((key, receiver))) = (verdict, to) {
                came.entry(key).or_insert_with(|| (receiver, Vec::new())).1.push(id);
            }
        }
        for (key, (receiver, ids)) in came {
            self.tell(key, &receiver, State::Delivered, &ids);
        }
        keep(&self.mailbox)?;
        self.remove_all(removed).await?;
        Ok(fetched)
    }

    /// Sends what is to be sent. How many were put; what does not succeed is tried the next time, and its
    /// error is given after all else was tried.
    ///
    /// # Errors
    /// The overlay's, and what `keep` says.
    pub async fn send<E: From<OverlayError>>(&mut self, keep: Keep<'_, E>) -> Result<usize, E> {
        let now_ms = self.me.now_ms();
        let due: Vec<Pending> = self.mailbox.outbox.due(now_ms).into_iter().cloned().collect();
        let (mut sent, mut failed) = (0, None);
        for batch in due.chunks(BATCH) {
            let postings: Vec<(&Pending, Posting)> =
                batch.iter().filter_map(|one| Some((one, self.posting(one)?))).collect();
            // Long texts first: who reads an envelope finds what it speaks of.
            let longs = postings.iter().filter_map(|(_, posting)| posting.long.as_ref());
            let longs = longs
                .filter_map(|(long, value)| Some(put_long(long, Value::new(value.clone()).ok()?)));
            for answer in self.net.run(longs.collect()).await {
                answer?;
            }
            let sayings = postings.iter().map(|(pending, posting)| {
                let root = keys::inbox(&pending.receiver.name);
                let (body, seat) =
                    (posting.body.clone(), pending.relayed.map(|relayed| relayed.seat));
                let saying = Saying { root, slot: Slot::ZERO, ttl: Ttl::MAX, body, seat };
                (self.me.with_key(posting.envelope.clone()), saying)
            });
            let placed = self.net.say_all_by(sayings.collect()).await;
            for ((pending, _), placed) in postings.iter().zip(placed) {
                match placed {
                    Ok(placed) => {
                        sent += 1;
                        let id = pending.message.id;
                        let told =
                            self.mailbox.outbox.relayed(id, placed.replicas, placed.seat, now_ms);
                        if let Some((to, state)) = told {
                            self.mailbox.inbox.progressed(&to, id, state);
                        }
                    }
                    Err(error) => failed = Some(error),
                }
            }
            keep(&self.mailbox)?;
        }
        failed.map_or(Ok(sent), |error| Err(error.into()))
    }

    /// Reads an inbox: what opens, in the order in which it was said, and how many elements there were.
    async fn opened(&mut self) -> Result<(Vec<Opened>, usize), OverlayError> {
        let list = self.net.list(keys::inbox(self.me.name()));
        let mut from = base::list::Placemark::from_bytes(&self.mailbox.from).ok();
        let (mut opened, mut read) = (BTreeMap::new(), 0);
        loop {
            let page = list.page(from, LIST_ROOM).await?;
            read += page.items.len().max(1);
            for signed in &page.items {
                let body = signed.body().unwrap_or_default();
                if let Some(one) = letter(self.me.name(), self.key, &signed.author(), &body) {
                    let message = message_of(&one);
                    opened.insert((message.stamp, message.id, signed.author()), one);
                }
            }
            from = page.next;
            if from.is_none() || read >= READ_MAX {
                self.mailbox.from = from.map(base::list::Placemark::to_bytes).unwrap_or_default();
                return Ok((opened.into_values().collect(), read));
            }
        }
    }

    async fn holders(
        &self,
        mut names: Vec<Name>,
    ) -> Result<HashMap<Name, Option<PublicKey>>, OverlayError> {
        names.sort();
        names.dedup();
        let holders = self.net.holders(&names).await;
        names.into_iter().zip(holders).map(|(name, holder)| Ok((name, holder?))).collect()
    }

    /// Somebody says that messages came so far.
    fn told(&mut self, by: &PublicKey, state: State, of: &[MessageId]) {
        self.mailbox.outbox.acknowledged(by, of);
        of.iter().for_each(|id| self.mailbox.inbox.progressed(by, *id, state));
    }

    fn tell_peer(&mut self, peer: &Peer, state: State, of: &[MessageId]) {
        let Peer::Person(key) = peer else { return };
        let held = self.mailbox.inbox.with(peer);
        let receiver = held.and_then(|held| {
            // In the inbox of a name that is somebody else's it would never be found.
            let name = held.name().filter(|(_, has_name)| *has_name)?.0.clone();
            Some(Receiver { name, key: held.answers()? })
        });
        if let Some(receiver) = receiver {
            self.tell(*key, &receiver, state, of);
        }
    }

    /// Tells somebody how far their messages came.
    fn tell(&mut self, to: PublicKey, receiver: &Receiver, state: State, of: &[MessageId]) {
        for of in of.chunks(RECEIPT_MAX) {
            let content = Content::Receipt { state, of: of.to_vec() };
            let message = Message { id: self.id(), stamp: self.me.stamp([]), content };
            let (receiver, seed) = (receiver.clone(), self.seed());
            let pending = Pending { to, receiver, message, seed, relayed: None };
            self.mailbox.outbox.receipt(pending);
        }
    }

    fn posting(&self, pending: &Pending) -> Option<Posting> {
        let from = (self.me.key(), self.me.name(), self.key.sealing_key());
        Posting::seal(from, &pending.receiver, &pending.message, &pending.seed)
    }

    async fn long_text(&self, long: &Long) -> Result<Option<String>, OverlayError> {
        let get = Get { max: LONG_VALUES, from_one: true, ..Get::all(long.place()) };
        let values =
            self.net.get(get).await?.values.into_iter().map(|found| found.value.into_bytes());
        let sealed = values.into_iter().find(|value| blake3::hash(value) == long.hash);
        let text = sealed.and_then(|sealed| seal::open_long(&long.key, &sealed));
        Ok(text.and_then(|text| String::from_utf8(text).ok()))
    }

    async fn remove_all(
        &self,
        envelopes: Vec<(SigningKey, Option<Long>)>,
    ) -> Result<(), OverlayError> {
        let remove = |(envelope, long): (SigningKey, Option<Long>)| async move {
            if let Some(long) = long {
                let get = Get { max: LONG_VALUES, from_one: true, ..Get::all(long.place()) };
                let values = self.net.get(get).await?.values;
                let values = values.into_iter().map(|found| found.value.into_bytes());
                if let Some(value) = values.into_iter().find(|v| blake3::hash(v) == long.hash) {
                    self.remove_long(&long, value.to_vec()).await?;
                }
            }
            self.remove(self.me.name(), &envelope).await
        };
        let mut all =
            futures::stream::iter(envelopes.into_iter().map(remove)).buffer_unordered(AT_ONCE);
        while let Some(removed) = all.next().await {
            removed?;
        }
        Ok(())
    }

    async fn remove(&self, name: &Name, envelope: &SigningKey) -> Result<(), OverlayError> {
        let author = self.me.with_key(envelope.clone());
        self.net.list(keys::inbox(name)).retract(&author, Slot::ZERO).await.map(|_| ())
    }

    async fn remove_long(&self, long: &Long, value: Vec<u8>) -> Result<(), OverlayError> {
        let Ok(value) = Value::new(value) else { return Ok(()) };
        let (key, secret) = (long.place(), Some(long.secret()));
        match self.net.one(Ask::Remove { key, value, secret }).await? {
            Answer::Removed { .. } => Ok(()),
            _ => Err(unexpected()),
        }
    }

    fn id(&mut self) -> MessageId {
        let mut bytes = [0; MessageId::LEN];
        self.seeds.fill(&mut bytes);
        MessageId::from_bytes(bytes)
    }

    fn seed(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.seeds.fill(&mut bytes);
        bytes
    }
}

fn put_long(long: &Long, value: Value) -> Ask {
    Ask::Put { key: long.place(), value, tag: long.secret().tag(), ttl: Ttl::MAX, room: None }
}

fn name_of(opened: &Opened) -> Option<&Name> {
    match opened {
        Opened::Letter(letter) => Some(&letter.sender.name),
        Opened::FromSip { .. } => None,
    }
}

fn message_of(opened: &Opened) -> &Message {
    match opened {
        Opened::Letter(letter) => &letter.message,
        Opened::FromSip { message, .. } => message,
    }
}

/// Whom to tell that a message came.
fn receiver_of(sender: &Sent) -> Option<(PublicKey, Receiver)> {
    match sender {
        Sent::Person(sender, true) => {
            let (name, key) = (sender.name.clone(), sender.answers);
            Some((sender.key, Receiver { name, key }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
