//! [`List`]: any number of signed elements under a tree of keys. The rules are [`base::list`]'s; here they are
//! driven over [`Net`], and each element is signed for the key where it comes to be.

use base::limits::{LIST_ROOM, LIST_VALUE_MAX};
use base::list::{
    Children, Descent, Insert, InsertStep, Item, LAPSES, ListPage, Path, Placemark, Seat, Tree,
    Walk, WalkAsk,
};
use base::{EntryId, Key, Signed, Slot, Ttl, Verified};
use prost::Message;

use crate::author::Author;
use crate::net::Net;
use crate::overlay::{Ask, Get, OverlayError};
use crate::record::Record;

/// Longest encoded body of an element, in bytes.
pub const BODY_MAX: usize = LIST_VALUE_MAX - Signed::OVERHEAD;

/// A list of what authors signed.
#[derive(Clone)]
pub struct List {
    net: Net,
    tree: Tree,
}

/// An element, where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    id: EntryId,
    /// Nothing if it is not signed for the key where it was found: then it only takes room.
    signed: Option<Verified<Signed>>,
}

impl Item for Element {
    fn id(&self) -> EntryId {
        self.id
    }
}

impl Net {
    /// The list whose root is this key.
    pub fn list(&self, root: Key) -> List {
        List { net: self.clone(), tree: Tree::new(root) }
    }
}

impl List {
    /// The list's keys.
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Says something in a slot, in place of what the author said there before: where that is, if `seat` says
    /// where it was put the last time, else at the first key on its way that has it or has room.
    ///
    /// # Errors
    /// The overlay's; [`OverlayError::Refused`] when it is longer than [`BODY_MAX`]. Saying it again is safe.
    pub async fn publish<T: Message>(
        &self,
        author: &Author,
        slot: Slot,
        ttl: Ttl,
        body: &T,
        seat: Option<Seat>,
    ) -> Result<Seat, OverlayError> {
        let body = body.encode_to_vec();
        if body.len() > BODY_MAX {
            let text =
                format!("an element of a list has {} bytes; it may have {BODY_MAX}", body.len());
            return Err(OverlayError::Refused(text));
        }
        let way = Path::of(&EntryId::of_slot(&author.public(), slot));
        let mut insert = Insert::new(self.tree.clone(), way, ttl, seat, author.now_ms());
        loop {
            let put = match insert.step() {
                InsertStep::Enrol { key, value, ttl } => {
                    let room = Some(LIST_ROOM);
                    self.net.one(Ask::Put { key, value, tag: LAPSES, ttl, room }).await.map(|_| ())
                }
                InsertStep::Put(key) => {
                    let said = Some((ttl, &body[..]));
                    let put = self.net.publish_at(author, &key, slot, said, Some(LIST_ROOM)).await;
                    put.map(|_| ())
                }
                InsertStep::Seated(seat) => return Ok(seat),
                InsertStep::Full => {
                    let text = "the list has no room on this element's way; try another slot";
                    return Err(OverlayError::OverCapacity(text.to_owned()));
                }
            };
            match put {
                Ok(()) => insert.done(),
                Err(OverlayError::Full) => insert.full(),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes back what an author said in a slot, wherever on its way it is; whether it was there.
    ///
    /// # Errors
    /// The overlay's; taking it back again is safe.
    pub async fn retract(&self, author: &Author, slot: Slot) -> Result<bool, OverlayError> {
        let id = EntryId::of_slot(&author.public(), slot);
        let mut descent = Descent::new(self.tree.clone(), Path::of(&id));
        let mut found = false;
        loop {
            let key = descent.node();
            let get = Get { key: key.clone(), after: before(id), max: 1, from_one: false };
            if self.net.get(get).await?.values.iter().any(|value| value.id == id) {
                self.net.retract(author, &key, slot).await?;
                found = true;
            }
            let Some(children) = descent.children() else { return Ok(found) };
            if !descent.go_down(self.children(children).await?) {
                return Ok(found);
            }
        }
    }

    /// Reads at most `max` elements, from a placemark on or from the beginning. There may be none on a page
    /// and yet more on the next; an author's element may be on two pages: the newer counts.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn page(
        &self,
        from: Option<Placemark>,
        max: usize,
    ) -> Result<ListPage<Verified<Signed>>, OverlayError> {
        let mut walk = Walk::new(self.tree.clone(), from, max);
        while let Some(ask) = walk.ask().cloned() {
            match ask {
                WalkAsk::Elements { key, after, max } => {
                    let get = Get { key: key.clone(), after, max, from_one: false };
                    let page = self.net.get(get).await?;
                    let place = key.place();
                    let elements = page.values.iter().map(|found| {
                        let signed = self.net.verify(&place, found);
                        Element { id: found.id, signed }
                    });
                    walk.elements(elements.collect(), page.next.is_some());
                }
                WalkAsk::Children(key) => walk.children(self.children(key).await?),
            }
        }
        let ListPage { items, next, reads } = walk.page();
        let items = items.into_iter().filter_map(|element| element.signed).collect();
        Ok(ListPage { items, next, reads })
    }

    /// Reads what the list has, until there are `max`: each author's newest in each slot, and whether that
    /// was all.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn records<T: Message + Default>(
        &self,
        max: usize,
    ) -> Result<(Vec<Record<T>>, bool), OverlayError> {
        let mut found = std::collections::BTreeMap::new();
        let mut from = None;
        loop {
            let page = self.page(from, LIST_ROOM).await?;
            for signed in &page.items {
                let Some(record) = Record::read(signed) else { continue };
                let older = found.get(&signed.id());
                if older.is_none_or(|old: &Record<T>| {
                    (old.sequence, old.hash) < (record.sequence, record.hash)
                }) {
                    found.insert(signed.id(), record);
                }
            }
            from = page.next;
            if from.is_none() || found.len() >= max {
                return Ok((found.into_values().collect(), from.is_none()));
            }
        }
    }

    async fn children(&self, key: Key) -> Result<Children, OverlayError> {
        let page = self.net.get(Get::all(key)).await?;
        Ok(Children::of(page.values.iter().map(|found| (&found.value, found.id.tag))))
    }
}

/// The id just before this one: a listing after it begins with this one, if that is there.
fn before(id: EntryId) -> Option<EntryId> {
    let mut bytes = id.to_bytes();
    for byte in bytes.iter_mut().rev() {
        let (less, borrows) = byte.overflowing_sub(1);
        *byte = less;
        if !borrows {
            return Some(EntryId::from_bytes(&bytes));
        }
    }
    None
}

#[cfg(test)]
mod tests;
