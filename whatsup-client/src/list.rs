//! [`List`]: any number of signed elements under a tree of keys. The rules are [`base::list`]'s; here they are
//! driven over [`Net`], and each element is signed for the key where it comes to be.

mod publication;

use base::limits::{LIST_ROOM, LIST_VALUE_MAX};
use base::list::{Children, Descent, Item, ListPage, Path, Placemark, Seat, Tree, Walk, WalkAsk};
use base::{EntryId, Key, Lifetime, Place, Signed, Slot, Ttl, Verified};
use prost::Message;

use crate::author::Author;
use crate::net::{self, Net};
use crate::overlay::{Ask, Found, Get, OverlayError};
use crate::record::Record;

/// Longest encoded body of an element, in bytes.
pub const BODY_MAX: usize = LIST_VALUE_MAX - Signed::OVERHEAD;

/// Reads that show what the root of a list has, and whether there is more.
pub const OPENING_READS: usize = 2;

/// A list of what authors signed.
#[derive(Clone)]
pub struct List {
    net: Net,
    tree: Tree,
}

/// A value of a list, where it was found. Nothing of it is verified, and nothing of it is shown to anybody
/// before [`Unverified::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    place: Place,
    found: Found,
}

/// What to say in a slot of a list.
#[derive(Debug, Clone)]
pub struct Saying {
    /// The list's root.
    pub root: Key,
    /// In which of the author's slots.
    pub slot: Slot,
    /// For how long.
    pub ttl: Ttl,
    /// The encoded body, at most [`BODY_MAX`] bytes.
    pub body: Vec<u8>,
    /// Where it was put the last time, if that is known.
    pub seat: Option<Seat>,
}

/// Where an element came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Where, for putting it again.
    pub seat: Seat,
    /// How many replicas have it.
    pub replicas: usize,
}

impl Unverified {
    /// What it claims to be, if it is signed at all.
    pub fn claimed(&self) -> Option<Signed> {
        Signed::from_bytes(self.found.value.clone().into_bytes()).ok()
    }

    /// What is left of its life.
    pub const fn remaining(&self) -> Lifetime {
        self.found.remaining
    }

    /// What its author signed for the key where it was found; nothing if nobody did.
    pub fn verify(&self, net: &Net) -> Option<Verified<Signed>> {
        net.verify(&self.place, &self.found)
    }
}

impl Item for Unverified {
    fn id(&self) -> EntryId {
        self.found.id
    }
}

impl Net {
    /// The list whose root is this key.
    pub fn list(&self, root: Key) -> List {
        List { net: self.clone(), tree: Tree::new(root) }
    }

    /// Says each of these in its list, all at once: the answers are in their order.
    pub async fn say_all(
        &self,
        author: &Author,
        sayings: Vec<Saying>,
    ) -> Vec<Result<Placed, OverlayError>> {
        let by = |saying| (author.clone(), saying);
        publication::publish(self, sayings.into_iter().map(by).collect()).await
    }

    /// As [`Net::say_all`], each said by somebody else.
    pub async fn say_all_by(
        &self,
        sayings: Vec<(Author, Saying)>,
    ) -> Vec<Result<Placed, OverlayError>> {
        publication::publish(self, sayings).await
    }

    /// The beginnings of several lists, all read at once, by [`OPENING_READS`] of each.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn openings(&self, roots: &[Key]) -> Result<Vec<ListPage<Unverified>>, OverlayError> {
        let root = |key: &Key| Get { max: LIST_ROOM, ..Get::all(key.clone()) };
        let trees: Vec<Tree> = roots.iter().cloned().map(Tree::new).collect();
        let reads = |tree: &Tree| [root(tree.root()), Get::all(tree.children(&Path::ROOT))];
        let asks = trees.iter().flat_map(reads).map(Ask::Get).collect();
        let mut answers = self.run(asks).await.into_iter();
        let mut next = || net::page(answers.next().unwrap_or_else(|| Err(net::unexpected())));
        let opening = |tree: Tree| {
            let (elements, children) = (next()?, next()?);
            let place = tree.root().place();
            // One more than it has, so that the walk comes to ask what is below.
            let mut walk = Walk::new(tree, None, LIST_ROOM + 1);
            walk.elements(unverified(place, elements.values), elements.next.is_some());
            if let Some(WalkAsk::Children(_)) = walk.ask() {
                walk.children(children_of(&children));
            }
            Ok(ListPage { reads: OPENING_READS, ..walk.page() })
        };
        trees.into_iter().map(opening).collect()
    }
}

fn unverified(place: Place, values: Vec<Found>) -> Vec<Unverified> {
    values.into_iter().map(|found| Unverified { place, found }).collect()
}

fn children_of(page: &crate::overlay::Page) -> Children {
    Children::of(page.values.iter().map(|found| (&found.value, found.id.tag)))
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
        let (root, body) = (self.tree.root().clone(), body.encode_to_vec());
        let said = self.net.say_all(author, vec![Saying { root, slot, ttl, body, seat }]).await;
        said.into_iter().next().unwrap_or_else(|| Err(net::unexpected())).map(|placed| placed.seat)
    }

    /// What an author says in a slot, wherever on its way it is: the newest, if there are two.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn said(
        &self,
        author: &base::PublicKey,
        slot: Slot,
    ) -> Result<Option<Verified<Signed>>, OverlayError> {
        let id = EntryId::of_slot(author, slot);
        let mut descent = Descent::new(self.tree.clone(), Path::of(&id));
        let mut newest: Option<Verified<Signed>> = None;
        loop {
            let key = descent.node();
            let get = Get::one(key.clone(), id);
            let page = self.net.get(get).await?;
            let here = page.values.iter().find(|found| found.id == id);
            let here = here.and_then(|found| self.net.verify(&key.place(), found));
            newest = newest.into_iter().chain(here).max_by_key(|signed| signed.sequence());
            let Some(children) = descent.children() else { return Ok(newest) };
            if !descent.go_down(self.children(children).await?) {
                return Ok(newest);
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
            let page = self.net.get(Get::one(key.clone(), id)).await?;
            if page.values.iter().any(|value| value.id == id) {
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
        let ListPage { items, next, reads } = self.glance(from, max).await?;
        let items = items.into_iter().filter_map(|element| element.verify(&self.net)).collect();
        Ok(ListPage { items, next, reads })
    }

    /// As [`List::page`], with nothing verified: for who looks at many to show a few.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn glance(
        &self,
        from: Option<Placemark>,
        max: usize,
    ) -> Result<ListPage<Unverified>, OverlayError> {
        let mut walk = Walk::new(self.tree.clone(), from, max);
        while let Some(ask) = walk.ask().cloned() {
            match ask {
                WalkAsk::Elements { key, after, max } => {
                    let get = Get { key: key.clone(), after, max, from_one: false };
                    let page = self.net.get(get).await?;
                    walk.elements(unverified(key.place(), page.values), page.next.is_some());
                }
                WalkAsk::Children(key) => walk.children(self.children(key).await?),
            }
        }
        Ok(walk.page())
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
        Ok(children_of(&self.net.get(Get::all(key)).await?))
    }
}

#[cfg(test)]
mod tests;
