//! [`Outbox`]: what a person said that has not come to whom it is for yet, until they say that they have it.
//! It says what to put; it does nothing itself.

mod file;

use std::collections::BTreeMap;

use base::list::Seat;
use base::{PublicKey, Ttl};

use crate::message::{Content, Message, MessageId, Receiver, State};
use crate::stamp::Stamp;

/// Most messages that wait for one person to come.
pub const WAITING_MAX: usize = 100;
/// Most messages that wait for anybody.
pub const OUTBOX_MAX: usize = 1000;
/// Most receipts that wait; who gets none sends the message again.
pub const RECEIPTS_MAX: usize = 500;
/// A message that nobody has fetched is put again so long before its life in the overlay ends, in
/// milliseconds: a day, as laptops sleep at night.
pub const RENEW_BEFORE_MS: u64 = 24 * 3600 * 1000;

/// What a person said that has not come to whom it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outbox {
    pending: BTreeMap<MessageId, Pending>,
}

/// A message under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Whose it is.
    pub to: PublicKey,
    /// Where it goes.
    pub receiver: Receiver,
    /// What it is.
    pub message: Message,
    /// Random; of it everything about its envelope is made, the same each time.
    pub seed: [u8; 32],
    /// Where it is, if it is in the overlay.
    pub relayed: Option<Relayed>,
}

/// Where a message lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relayed {
    /// At so many replicas.
    pub replicas: usize,
    /// Where in the inbox.
    pub seat: Seat,
    /// Until when, in milliseconds since 1970 by this machine's clock.
    pub until_ms: u64,
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutboxFull {
    /// For one person.
    #[error(
        "{WAITING_MAX} messages wait for them already; let them come first, or drop some: whatsup outbox --drop ID"
    )]
    One,
    /// For all.
    #[error("{OUTBOX_MAX} messages wait in the outbox; drop some: whatsup outbox --drop ID")]
    All,
}

impl Outbox {
    /// Takes a text that is to be sent.
    ///
    /// # Errors
    /// [`OutboxFull`].
    pub fn say(&mut self, pending: Pending) -> Result<(), OutboxFull> {
        let texts = || self.texts().filter(|one| one.to == pending.to);
        if texts().count() >= WAITING_MAX {
            return Err(OutboxFull::One);
        }
        if self.texts().count() >= OUTBOX_MAX {
            return Err(OutboxFull::All);
        }
        self.pending.insert(pending.message.id, pending);
        Ok(())
    }

    /// Takes a receipt that is to be sent, if there is room.
    pub fn receipt(&mut self, pending: Pending) {
        let receipts = self.pending.len() - self.texts().count();
        if receipts < RECEIPTS_MAX {
            self.pending.insert(pending.message.id, pending);
        }
    }

    /// What is to be put now: what never was, and what would end soon.
    pub fn due(&self, now_ms: u64) -> Vec<&Pending> {
        let is_due = |pending: &&Pending| {
            pending
                .relayed
                .is_none_or(|relayed| relayed.until_ms < now_ms.saturating_add(RENEW_BEFORE_MS))
        };
        self.pending.values().filter(is_due).collect()
    }

    /// A message was put: whom to tell that it came so far. A receipt is done by that.
    pub fn relayed(
        &mut self,
        id: MessageId,
        replicas: usize,
        seat: Seat,
        now_ms: u64,
    ) -> Option<(PublicKey, State)> {
        let pending = self.pending.get_mut(&id)?;
        if matches!(pending.message.content, Content::Receipt { .. }) {
            self.pending.remove(&id);
            return None;
        }
        let until_ms = now_ms.saturating_add(Ttl::MAX.as_secs() * 1000);
        pending.relayed = Some(Relayed { replicas, seat, until_ms });
        Some((pending.to, State::Relayed(replicas)))
    }

    /// Somebody says that they have these: what was under way to them, to be removed from the overlay if it is
    /// still there.
    pub fn acknowledged(&mut self, by: &PublicKey, of: &[MessageId]) -> Vec<Pending> {
        let mut done = Vec::new();
        for id in of {
            if self.pending.get(id).is_some_and(|pending| pending.to == *by) {
                done.extend(self.pending.remove(id));
            }
        }
        done
    }

    /// Gives a message up: what is to be removed from the overlay.
    pub fn dropped(&mut self, id: MessageId) -> Option<Pending> {
        self.pending.get(&id).filter(|pending| is_text(pending))?;
        self.pending.remove(&id)
    }

    /// The texts under way, the first said first.
    pub fn waiting(&self) -> Vec<&Pending> {
        let mut all: Vec<&Pending> = self.texts().collect();
        all.sort_by_key(|pending| (pending.message.stamp, pending.message.id));
        all
    }

    fn texts(&self) -> impl Iterator<Item = &Pending> {
        self.pending.values().filter(|pending| is_text(pending))
    }
}

impl Pending {
    /// How far it came.
    pub fn state(&self) -> State {
        self.relayed.map_or(State::Waiting, |relayed| State::Relayed(relayed.replicas))
    }

    /// When it was said.
    pub const fn stamp(&self) -> Stamp {
        self.message.stamp
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.message.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn is_text(pending: &Pending) -> bool {
    !matches!(pending.message.content, Content::Receipt { .. })
}

#[cfg(test)]
mod tests;
