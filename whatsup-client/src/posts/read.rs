//! Reading what people share: one person's list, and feeds from many heads.

use std::collections::BTreeMap;

use base::limits::LIST_ROOM;
use base::{EntryId, Lifetime, Name, PublicKey, Sequence, Signed, Slot, Verified};
use futures::{StreamExt, stream};

use super::{PostError, Posts};
use crate::author::Author;
use crate::feed::{self, Feed, Mark, Source};
use crate::head::{HeadBody, Own};
use crate::keys;
use crate::net::{page, unexpected};
use crate::overlay::{Answer, Ask, Get, OverlayError};
use crate::post::Post;
use crate::record::Record;

/// Pages of a list that are read at most: 4,096 posts, in 4 MiB. A person shares less in a week.
const PAGES_MAX: usize = 16;
/// Entries under a head's key that are asked for before it is known whose counts. More means that somebody
/// fills it; then the holder's is asked for alone.
const STRANGERS_MAX: usize = 4;
/// Lists that are read at once for a page of a feed.
const LISTS_AT_ONCE: usize = 8;

/// What one person shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Whose key the name is.
    pub author: PublicKey,
    /// The newest first.
    pub posts: Vec<Post>,
    /// Whether that is all; else the list is too long to be read whole.
    pub all: bool,
}

/// A page of a feed, and of whom nothing could be read.
#[derive(Debug)]
pub struct FeedPage {
    /// The page.
    pub page: Feed<Post>,
    /// Whose things are not on it, and why.
    pub unread: Vec<(Name, OverlayError)>,
}

/// A post in the author's own list.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) own: Own,
    /// What is left of its life.
    pub(super) left: Lifetime,
    sequence: Sequence,
}

impl Posts {
    /// All that a person shares.
    ///
    /// # Errors
    /// The overlay's; [`PostError::NoSuchPerson`].
    pub async fn of(&self, name: &Name) -> Result<Shared, PostError> {
        let claimants = self.net.claimants(name, None).await?;
        let holder = claimants.holder_of(name);
        let holder = holder.ok_or_else(|| PostError::NoSuchPerson(name.clone()))?;
        let (listed, all) = self.listed(name, &holder.key, holder.claim.floor).await?;
        let mut posts: Vec<Post> = listed.into_iter().map(|listed| listed.own.post).collect();
        posts.sort_by_key(Mark::of);
        Ok(Shared { author: holder.key, posts, all })
    }

    /// One post of a person's.
    ///
    /// # Errors
    /// The overlay's; [`PostError::NoSuchPerson`].
    pub async fn one(&self, name: &Name, id: keys::ThingId) -> Result<Option<Post>, PostError> {
        Ok(self.of(name).await?.posts.into_iter().find(|post| post.id == id))
    }

    /// A page of at most `max` of what these people share, and of what else was read, behind `after`, without
    /// those who are `blocked`:
    /// one batch of two reads a person, and lists only for those of whom the page shows more than their heads
    /// have.
    pub async fn feed(
        &self,
        names: &[Name],
        others: Vec<Source<Post>>,
        blocked: impl Fn(&PublicKey) -> bool,
        after: Option<Mark>,
        max: usize,
    ) -> FeedPage {
        let mut unread = Vec::new();
        let mut people = Vec::new();
        for (name, head) in names.iter().zip(self.heads(names).await) {
            match head {
                Ok(Some((author, _))) if blocked(&author) => {}
                Ok(Some((author, source))) => people.push((name, author, source)),
                Ok(None) => {}
                Err(error) => unread.push((name.clone(), error)),
            }
        }
        let (whose, mut sources): (Vec<_>, Vec<_>) =
            people.into_iter().map(|(name, author, source)| ((name, author), source)).unzip();
        sources.extend(others);
        let mut page = feed::feed(&sources, &blocked, after, max);
        if !page.deeper.is_empty() {
            let lists = page.deeper.into_iter().filter_map(|at| {
                let (name, author) = *whose.get(at)?;
                Some(async move { (at, self.listed(name, &author, Sequence::ZERO).await) })
            });
            let mut lists = stream::iter(lists).buffer_unordered(LISTS_AT_ONCE);
            while let Some((at, listed)) = lists.next().await {
                match listed {
                    Ok((listed, all)) => {
                        // What the head has stays: it may be newer.
                        sources[at].items.extend(listed.into_iter().map(|listed| listed.own.post));
                        sources[at].all = all;
                    }
                    Err(error) => unread.push((whose[at].0.clone(), error)),
                }
            }
            page = feed::feed(&sources, &blocked, after, max);
        }
        FeedPage { page, unread }
    }

    /// The newest that each of these people shares, and the key that has the name; nothing of a name that
    /// nobody has, or under which nothing is shared.
    pub async fn heads(
        &self,
        names: &[Name],
    ) -> Vec<Result<Option<(PublicKey, Source<Post>)>, OverlayError>> {
        let asks = names.iter().flat_map(|name| {
            let get = Get { max: STRANGERS_MAX, ..Get::all(keys::head(name)) };
            [Ask::Name { name: name.clone(), asker: None }, Ask::Get(get)]
        });
        let mut answers = self.net.run(asks.collect()).await.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err(unexpected()));
        let mut heads = Vec::with_capacity(names.len());
        for name in names {
            let (state, head) = (next(), page(next()));
            let read = || {
                let state = match state? {
                    Answer::Name(state) => state,
                    _ => return Err(unexpected()),
                };
                let claimants = self.net.read_claims(name, state);
                let holder = claimants.holder_of(name).map(|who| (who.key, who.claim.floor));
                Ok((holder, head?))
            };
            heads.push(match read() {
                Err(error) => Err(error),
                Ok((None, _)) => Ok(None),
                Ok((Some((holder, floor)), page)) => {
                    // One signature, however many strangers put something there.
                    let id = EntryId::of_slot(&holder, Slot::ZERO);
                    let own = page.values.iter().find(|found| found.id == id);
                    let place = keys::head(name).place();
                    let own = match own.and_then(|found| self.net.verify(&place, found)) {
                        None if page.next.is_some() => self.head_of(name, &holder).await,
                        own => Ok(own.as_ref().and_then(Record::read)),
                    };
                    own.map(|head| {
                        let head = head.filter(|head| !head.sequence.is_below(floor))?;
                        Some((holder, head.body.source(name, holder)))
                    })
                }
            });
        }
        heads
    }

    /// The head that this key signed.
    pub(super) async fn head_of(
        &self,
        name: &Name,
        author: &PublicKey,
    ) -> Result<Option<Record<HeadBody>>, OverlayError> {
        let (key, id) = (keys::head(name), EntryId::of_slot(author, Slot::ZERO));
        let page = self.net.get(Get::one(key.clone(), id)).await?;
        let own = page.values.iter().find(|found| found.id == id);
        let own = own.and_then(|found| self.net.verify(&key.place(), found));
        Ok(own.as_ref().and_then(Record::read))
    }

    /// All that the author has shared, and whether the list was read whole.
    pub(super) async fn own(&self, author: &Author) -> Result<(Vec<Listed>, bool), OverlayError> {
        self.listed(author.name(), &author.public(), Sequence::ZERO).await
    }

    /// What this key signed in the list of this name, from a sequence on; others' elements are passed over,
    /// before their signatures cost anything.
    async fn listed(
        &self,
        name: &Name,
        author: &PublicKey,
        floor: Sequence,
    ) -> Result<(Vec<Listed>, bool), OverlayError> {
        let list = self.net.list(keys::posts(name));
        let mut found: BTreeMap<Slot, Listed> = BTreeMap::new();
        let mut from = None;
        for _ in 0..PAGES_MAX {
            let page = list.glance(from, LIST_ROOM).await?;
            for element in &page.items {
                if element.claimed().is_none_or(|claimed| claimed.author() != *author) {
                    continue;
                }
                let Some(signed) = element.verify(&self.net) else { continue };
                let Some(listed) = read(name, &signed, element.remaining()) else { continue };
                let slot = listed.own.post.slot;
                let newer = found.get(&slot).is_none_or(|old| old.sequence < listed.sequence);
                if newer && !listed.sequence.is_below(floor) {
                    found.insert(slot, listed);
                }
            }
            from = page.next;
            if from.is_none() {
                return Ok((found.into_values().collect(), true));
            }
        }
        Ok((found.into_values().collect(), false))
    }
}

fn read(name: &Name, signed: &Verified<Signed>, left: Lifetime) -> Option<Listed> {
    let own = Own::read(name, signed.author(), signed.slot(), &signed.body()?)?;
    Some(Listed { own, left, sequence: signed.sequence() })
}
