//! What somebody has in communities: to be said again before it ends, and to be taken back.

use std::collections::BTreeSet;

use base::limits::LIST_ROOM;
use base::{EntryId, Key, Slot};
use prost::Message;

use super::charter::{Charter, Said};
use super::event::Event;
use super::members::Join;
use super::moderation::Act;
use super::news::News;
use super::poll::{PARTS_MAX, Poll};
use super::view::Part;
use super::{
    Community, CommunityError, EVENTS, LIFE, MEMBERS, MODERATION, NEWS, PART_MAX, POLLS, directory,
};
use crate::author::Author;
use crate::index;
use crate::keys::{self, CommunityId, ThingId};
use crate::net::Net;
use crate::overlay::OverlayError;
use crate::record::Record;

/// Most pages of all communities that are gone through for what somebody has in them: some four thousand.
const PAGES: usize = 16;

/// Says again what somebody has in these communities; those that nobody keeps any more are left out.
///
/// # Errors
/// The overlay's.
pub async fn keep_all(
    net: &Net,
    author: &Author,
    followed: impl IntoIterator<Item = CommunityId>,
) -> Result<(), OverlayError> {
    for id in followed {
        overlays(net.community(id).keep(author).await)?;
    }
    Ok(())
}

/// Leaves all communities, those followed and all that are listed, and takes back everything somebody said
/// there; how many entries that were. A community that somebody founded stays as long as others keep it.
///
/// # Errors
/// The overlay's; doing it again is safe.
pub async fn leave_all(
    net: &Net,
    author: &Author,
    followed: impl IntoIterator<Item = CommunityId>,
) -> Result<usize, OverlayError> {
    let mut all: BTreeSet<CommunityId> = followed.into_iter().collect();
    let mut from = None;
    for _ in 0..PAGES {
        let (listed, next) = directory::communities(net, from).await?;
        all.extend(listed.into_iter().map(|charter| charter.id));
        from = next;
        if from.is_none() {
            break;
        }
    }
    let mut removed = 0;
    for id in all {
        removed += overlays(net.community(id).forget(author).await)?.unwrap_or_default();
    }
    Ok(removed)
}

/// The overlay's error; all others mean that there is nothing to do.
fn overlays<T>(done: Result<T, CommunityError>) -> Result<Option<T>, OverlayError> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(CommunityError::Overlay(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

impl Community {
    /// Says all that one has said here once more, so that it lives on for a week: one's membership,
    /// decisions, news, events, polls, votes and closings, and the charter. How many entries that were.
    ///
    /// # Errors
    /// The overlay's, and [`CommunityError::NoSuch`].
    pub async fn keep(&self, author: &Author) -> Result<usize, CommunityError> {
        let view = self.view().await?;
        let charter = &view.charter;
        if author.public() == charter.founder {
            self.say(author, charter.slot(), charter.description()).await?;
        } else {
            self.carry(author, charter).await?;
        }
        if charter.moderates(&author.public()) {
            directory::list(&self.net, author, self.id).await?;
        }
        let mut kept = 1;
        kept += self.renew::<Join>(author, self.root(MEMBERS)).await?;
        kept += self.renew::<Act>(author, self.root(MODERATION)).await?;
        kept += self.renew_said::<News>(author, NEWS).await?;
        kept += self.renew_said::<Event>(author, EVENTS).await?;
        kept += self.renew_polls(author, &view).await?;
        Ok(kept)
    }

    /// Says again what one has said in a list.
    pub(super) async fn renew<T: Message + Default>(
        &self,
        author: &Author,
        root: Key,
    ) -> Result<usize, CommunityError> {
        let list = self.net.list(root);
        let (records, _) = list.records::<T>(PART_MAX).await?;
        let own = records.into_iter().filter(|record| record.author == author.public());
        let own: Vec<Record<T>> = own.collect();
        for record in &own {
            list.publish(author, record.slot, LIFE, &record.body, None).await?;
        }
        Ok(own.len())
    }

    /// Says again what one has said in a part, and puts it into the index again.
    pub(super) async fn renew_said<T: Part + Message + Default>(
        &self,
        author: &Author,
        part: &'static str,
    ) -> Result<usize, CommunityError> {
        let list = self.part(part);
        let (records, _) = list.records::<T>(PART_MAX).await?;
        let own = records.iter().filter(|record| record.author == author.public());
        let mut kept = 0;
        for record in own {
            list.publish(author, record.slot, LIFE, &record.body, None).await?;
            self.index(author, record.slot, &record.body).await?;
            kept += 1;
        }
        Ok(kept)
    }

    /// Keeps what the founder said alive, if one moderates and does not yet.
    pub(super) async fn keep_charter(
        &self,
        author: &Author,
        charter: &Charter,
    ) -> Result<(), CommunityError> {
        let who = author.public();
        if charter.moderates(&who) && !charter.keepers.contains(&who) && who != charter.founder {
            self.carry(author, charter).await?;
            directory::list(&self.net, author, self.id).await?;
        }
        Ok(())
    }

    /// Puts what the founder signed into an entry of one's own.
    async fn carry(&self, author: &Author, charter: &Charter) -> Result<(), CommunityError> {
        let said = Said { description: None, kept: charter.signed.as_bytes().clone() };
        self.net.publish(author, &keys::community(self.id), Slot::ZERO, LIFE, &said).await?;
        Ok(())
    }

    /// Takes back all that one has said here, and leaves; how many entries that were. The charter goes
    /// last, since it says where all else is.
    ///
    /// # Errors
    /// The overlay's; doing it again is safe.
    pub async fn forget(&self, author: &Author) -> Result<usize, CommunityError> {
        let mut removed = 0;
        // Votes first, while the polls say where they are.
        for poll in self.all_polls().await? {
            let voted = self.net.list(keys::votes(poll)).retract(author, Slot::ZERO).await?;
            removed += usize::from(voted) + self.retract_closings(author, poll).await?;
        }
        for part in [NEWS, EVENTS, POLLS] {
            let list = self.part(part);
            for slot in self.own(author, &list).await? {
                let thing = match part {
                    NEWS => self.indexed::<News>(author, slot),
                    EVENTS => self.indexed::<Event>(author, slot),
                    _ => self.indexed::<Poll>(author, slot),
                };
                index::remove(&self.net, author, &thing).await?;
                removed += usize::from(list.retract(author, slot).await?);
            }
        }
        for part in [MODERATION, MEMBERS] {
            let list = self.part(part);
            for slot in self.own(author, &list).await? {
                removed += usize::from(list.retract(author, slot).await?);
            }
        }
        let listed = self.net.list(keys::communities());
        removed += usize::from(listed.retract(author, Slot::new(*self.id.as_bytes())).await?);
        let key = keys::community(self.id);
        for said in self.net.records_of::<Said>(&key).await? {
            if said.author != author.public() {
                continue;
            }
            if CommunityId::of(&said.author, said.slot) == self.id {
                let (founder, slot) = (author.name().clone(), said.slot);
                let thing = index::Thing::Community { founder, slot };
                index::remove(&self.net, author, &thing).await?;
            }
            self.net.retract(author, &key, said.slot).await?;
            removed += 1;
        }
        Ok(removed)
    }

    /// In which slots of a list one says something.
    async fn own(
        &self,
        author: &Author,
        list: &crate::list::List,
    ) -> Result<BTreeSet<Slot>, OverlayError> {
        let mut slots = BTreeSet::new();
        let mut from = None;
        loop {
            let page = list.glance(from, LIST_ROOM).await?;
            let signed = page.items.iter().filter_map(crate::list::Unverified::claimed);
            let own = signed.filter(|signed| signed.author() == author.public());
            slots.extend(own.map(|signed| signed.slot()));
            from = page.next;
            if from.is_none() {
                return Ok(slots);
            }
        }
    }

    /// The ids of all polls, whoever made them.
    async fn all_polls(&self) -> Result<Vec<ThingId>, OverlayError> {
        let root = self.root(POLLS);
        let (polls, _) = self.part(POLLS).records::<Poll>(PART_MAX).await?;
        Ok(polls.iter().map(|poll| ThingId::of(&root, &poll.author, poll.slot)).collect())
    }

    async fn retract_closings(
        &self,
        author: &Author,
        poll: ThingId,
    ) -> Result<usize, OverlayError> {
        let key = keys::closing(poll);
        let page = self.net.get(crate::overlay::Get::all(key.clone())).await?;
        let mut removed = 0;
        for number in 0..PARTS_MAX as u128 {
            let slot = Slot::new(number.to_be_bytes());
            let id = EntryId::of_slot(&author.public(), slot);
            if page.values.iter().any(|found| found.id == id) {
                self.net.retract(author, &key, slot).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
