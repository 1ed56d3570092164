//! [`List`]: a list of any length over the overlay. The rules are [`base::list`]'s; here they are driven.

use base::limits::LIST_ROOM;
use base::list::{
    Children, Descent, Element, Insert, InsertStep, Item, LAPSES, ListPage, Placemark, Seat, Tree,
    Walk, WalkAsk,
};
use base::{EntryId, Key, Secret, SecretTag, Value};

use crate::handle::{Dht, Removal};
use crate::{DhtError, Found, PageRequest};

/// Bytes of values read at once: a node full of the longest elements.
const READ_BYTES: usize = LIST_ROOM * base::limits::LIST_VALUE_MAX;

/// A list, as a node reads and changes it. Its root is a key like any other: values that are put there
/// plainly are in the list.
#[derive(Clone)]
pub struct List {
    dht: Dht,
    tree: Tree,
}

impl Item for Found {
    fn id(&self) -> EntryId {
        self.id
    }
}

impl Dht {
    /// The list whose root is this key.
    pub fn list(&self, root: Key) -> List {
        List { dht: self.clone(), tree: Tree::new(root) }
    }
}

impl List {
    /// The list's keys.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Puts an element, for a new life if it is there: where it is, if `seat` says where it was put the
    /// last time, else at the first key on its way that has it or has room. Keep the seat for the next
    /// time.
    ///
    /// Without its seat an element may come to be at two keys, of which the older copy lapses.
    ///
    /// # Errors
    /// [`DhtError::Full`] when there is no room on all its way, else as [`Dht::put`]; putting it again
    /// is then safe.
    pub async fn put(&self, element: &Element, seat: Option<Seat>) -> Result<Seat, DhtError> {
        let now_ms = u64::try_from(self.dht.node().now().as_millis()).unwrap_or(u64::MAX);
        let (ttl, tree) = (element.ttl(), self.tree.clone());
        let mut insert = Insert::new(tree, element.way(), ttl, seat, now_ms);
        loop {
            let put = match insert.step() {
                InsertStep::Enrol { key, value, ttl } => {
                    self.dht.put_within(&key, value, LAPSES, ttl, LIST_ROOM).await
                }
                InsertStep::Put(key) => {
                    let (value, tag) = (element.value().clone(), element.tag());
                    self.dht.put_within(&key, value, tag, ttl, LIST_ROOM).await
                }
                InsertStep::Seated(seat) => return Ok(seat),
                InsertStep::Full => {
                    let text = "the list has no room for this element; put another, or wait";
                    return Err(DhtError::Full(text.into()));
                }
            };
            match put {
                Ok(_) => insert.done(),
                Err(DhtError::Full(_)) => insert.full(),
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes an element, the one put with the tag of this secret or without one, wherever on its way it
    /// is.
    ///
    /// # Errors
    /// As [`Dht::remove`]; removing it again is then safe.
    pub async fn remove(&self, value: &Value, secret: Option<Secret>) -> Result<Removal, DhtError> {
        let tag = secret.as_ref().map_or(SecretTag::NONE, Secret::tag);
        let way = base::list::Path::of(&EntryId::of(value, tag));
        let mut descent = Descent::new(self.tree.clone(), way);
        let mut outcome = Removal::NotFound;
        loop {
            match self.dht.remove(&descent.node(), value, secret.clone()).await? {
                Removal::WrongSecret if outcome == Removal::Removed => {}
                Removal::NotFound => {}
                better => outcome = better,
            }
            let Some(key) = descent.children() else { return Ok(outcome) };
            if !descent.go_down(self.children(&key).await?) {
                return Ok(outcome);
            }
        }
    }

    /// Reads at most `max` elements, from a placemark on, which may come from another node, or from the
    /// beginning. There may be none on a page, and yet more on the next.
    ///
    /// # Errors
    /// As [`Dht::get`].
    pub async fn page(
        &self,
        from: Option<Placemark>,
        max: usize,
    ) -> Result<ListPage<Found>, DhtError> {
        let mut walk = Walk::new(self.tree.clone(), from, max);
        while let Some(ask) = walk.ask().cloned() {
            match ask {
                WalkAsk::Elements { key, after, max } => {
                    let request = PageRequest { after, max_values: max, max_bytes: READ_BYTES };
                    let page = self.dht.get(&key, request).await?;
                    walk.elements(page.values, page.next.is_some());
                }
                WalkAsk::Children(key) => walk.children(self.children(&key).await?),
            }
        }
        Ok(walk.page())
    }

    async fn children(&self, key: &Key) -> Result<Children, DhtError> {
        let page = self.dht.get(key, PageRequest::ALL).await?;
        Ok(Children::of(page.values.iter().map(|found| (&found.value, found.id.tag))))
    }
}
