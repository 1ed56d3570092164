//! [`Posts`]: what people share: put, taken back and read.
//!
//! ```text
//! posts/<name>   a list of all of them                     what counts
//! head/<name>    the newest sixteen, in one entry          what feeds read
//! blob/<hash>    long texts, files, images, thumbnails
//! ```
//!
//! A head is written anew until the list, read after it was written, has nothing else to say. So of two devices
//! that share at the same time the last to write sees what the other put, and nothing is left out.

mod read;
#[cfg(test)]
mod tests;
mod usage;

use std::collections::HashSet;

use base::{Lifetime, Name, Sequence, Slot, Ttl};
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;

pub use read::{FeedPage, Shared};
pub use usage::{Usage, Used};

use crate::author::Author;
use crate::blob::{Blob, BlobError, Source};
use crate::head::{HeadBody, Own};
use crate::index::{self, Said, Shelf, Thing};
use crate::keys::{self, ThingId};
use crate::list::Saying;
use crate::net::Net;
use crate::overlay::{Ask, OverlayError};
use crate::post::{Draft, DraftError, Post};
use crate::record::Record;

/// How often a head is written before somebody who shares all the time on other devices is left to it.
const HEAD_TRIES: usize = 8;
/// Elements that are taken back at once.
const AT_ONCE: usize = 16;
/// What is put again has less of its life left: a day less than all of it, as whoever renews may not come back
/// before the rest is over.
const RENEW_AT: Lifetime = Lifetime::from_millis(Ttl::MAX.as_secs() * 1000 / 7 * 6);

/// Reads and changes what people share.
#[derive(Clone)]
pub struct Posts {
    net: Net,
}

/// What was shared.
#[derive(Debug)]
pub struct Told {
    /// The post.
    pub post: Post,
    /// Whether it is found by its words; if not, [`Posts::index`] tries again.
    pub indexed: Result<(), OverlayError>,
}

/// Why something was not shared or taken back. The same again is safe.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The post.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// Its file or long text.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The overlay's.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// The author has no such post.
    #[error("you have shared nothing with the id {0}; `whatsup posts` lists what you have")]
    NoSuchPost(ThingId),
    /// Nobody has the name, so that nothing shared under it counts.
    #[error("nobody has the name {0}")]
    NoSuchPerson(Name),
}

impl Net {
    /// What people share in this overlay.
    pub fn posts(&self) -> Posts {
        Posts { net: self.clone() }
    }
}

impl Posts {
    /// Shares something with everybody. Its file was shared before ([`crate::blob::Blobs::share`]).
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn share(&self, author: &Author, draft: &Draft) -> Result<Told, PostError> {
        // After all that the author said before, also where the clock was set back.
        let (_, before) = self.own_head(author).await?;
        let before = before.posts(author.name(), author.public());
        let stamp = author.stamp(before.iter().map(|own| own.post.stamp));
        let (mut body, long) = draft.body(stamp)?;
        if let Some(text) = long {
            let blob = self.net.blobs().share(author, &Source::Bytes(text), &|_| ()).await?;
            body = body.with_long(blob);
        }
        let slot = body.slot();
        let list = self.net.list(keys::posts(author.name()));
        list.publish(author, slot, Ttl::MAX, &body, None).await?;
        self.refresh(author, None).await?;
        let post = Post::read(author.name(), author.public(), slot, &body)
            .ok_or(PostError::Draft(DraftError::Empty))?;
        let indexed = self.index(author, &post).await;
        Ok(Told { post, indexed })
    }

    /// Lets a post of the author's be found by its words; who has shared it does so again if that failed.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn index(&self, author: &Author, post: &Post) -> Result<(), OverlayError> {
        let file = post.file.as_ref().map_or("", |file| &file.name);
        let link = post.link.as_deref().unwrap_or_default();
        let title = [&*post.text, file, link].into_iter().find(|text| !text.is_empty());
        let title = title.unwrap_or_default();
        let said = Said { title, texts: &[&post.text, file, link], stamp: post.stamp };
        index::put(&self.net, author, &thing(post), said, Ttl::MAX).await
    }

    /// Takes a post back, and of its blobs what no other post of the author's needs, nor anything in `kept`.
    /// What others said about it stays theirs.
    ///
    /// # Errors
    /// [`PostError`]; the post is there until all else is gone.
    pub async fn delete(
        &self,
        author: &Author,
        id: ThingId,
        kept: &[Blob],
    ) -> Result<Post, PostError> {
        let (mut own, _) = self.own(author).await?;
        let at = own.iter().position(|own| own.own.post.id == id);
        let deleted = own.swap_remove(at.ok_or(PostError::NoSuchPost(id))?).own.post;
        let others: HashSet<Blob> =
            own.iter().flat_map(|own| own.own.post.blobs()).chain(kept.iter().copied()).collect();
        let unneeded: HashSet<Blob> =
            deleted.blobs().filter(|blob| !others.contains(blob)).collect();
        if !unneeded.is_empty() {
            self.retract_blobs(author, unneeded, others).await?;
        }
        index::remove(&self.net, author, &thing(&deleted)).await?;
        self.net.list(keys::posts(author.name())).retract(author, deleted.slot).await?;
        self.refresh(author, Some(deleted.slot)).await?;
        Ok(deleted)
    }

    /// Takes back everything: posts, their blobs, the head. How many posts there were.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn clear(&self, author: &Author) -> Result<usize, PostError> {
        let list = self.net.list(keys::posts(author.name()));
        let mut count = 0;
        loop {
            let (own, all) = self.own(author).await?;
            let blobs: HashSet<Blob> = own.iter().flat_map(|own| own.own.post.blobs()).collect();
            self.retract_blobs(author, blobs, HashSet::new()).await?;
            let gone = own.into_iter().map(|own| list.retract(author, own.own.post.slot));
            let gone: Vec<bool> =
                stream::iter(gone).buffer_unordered(AT_ONCE).try_collect().await?;
            count += gone.len();
            if all || gone.is_empty() {
                break;
            }
        }
        self.net.retract(author, &keys::head(author.name()), Slot::ZERO).await?;
        Ok(count)
    }

    /// Puts again what has less than six days of its life left: posts, with their files, and the head. How
    /// many posts that were. What nobody renews is gone a week after it was shared.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn renew(&self, author: &Author) -> Result<usize, PostError> {
        let root = keys::posts(author.name());
        let (own, _) = self.own(author).await?;
        let blobs: HashSet<Blob> = own.iter().flat_map(|own| own.own.post.blobs()).collect();
        for blob in &blobs {
            match self.net.blobs().renew(author, blob, RENEW_AT).await {
                // What nobody has any more cannot be renewed.
                Ok(()) | Err(BlobError::Incomplete(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (mut posts, mut again) = (Vec::new(), Vec::new());
        for Own { post, body } in
            own.into_iter().filter(|own| own.left < RENEW_AT).map(|own| own.own)
        {
            let (root, slot, ttl) = (root.clone(), post.slot, Ttl::MAX);
            again.push(Saying { root, slot, ttl, body, seat: None });
            posts.push(post);
        }
        let said = self.net.say_all(author, again).await;
        let count = said.len();
        said.into_iter().collect::<Result<Vec<_>, _>>()?;
        for post in &posts {
            self.index(author, post).await?;
        }
        if count > 0 {
            self.write_head(author, None, true).await?;
        }
        Ok(count)
    }

    /// Makes the author's head what the list says, without the post in `gone`. Whoever shared something that
    /// feeds do not show calls this.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn refresh(&self, author: &Author, gone: Option<Slot>) -> Result<(), OverlayError> {
        self.write_head(author, gone, false).await
    }

    async fn write_head(
        &self,
        author: &Author,
        gone: Option<Slot>,
        mut anew: bool,
    ) -> Result<(), OverlayError> {
        let key = keys::head(author.name());
        let place = key.place();
        let mut least = Sequence::ZERO;
        for _ in 0..HEAD_TRIES {
            let (there, own) = tokio::join!(self.own_head(author), self.own(author));
            let ((sequence, there), (own, all)) = (there?, own?);
            let mut posts: Vec<Own> = own.into_iter().map(|own| own.own).collect();
            if !all {
                // The list is too long to be read whole: what is in the head is kept.
                posts.extend(there.posts(author.name(), author.public()));
            }
            posts.retain(|own| Some(own.post.slot) != gone);
            let head = HeadBody::of(posts, all);
            if head == there && !anew {
                return Ok(());
            }
            anew = false;
            let body = head.encode_to_vec();
            let said = (!head.is_empty()).then_some((Ttl::MAX, &body[..]));
            let signed = self.net.sign(author, &place, Slot::ZERO, said, least.max(sequence))?;
            match self.net.one(Ask::PutSigned { key: key.clone(), signed, room: None }).await {
                // It is looked at again: another device may have shared something meanwhile.
                Ok(_) => {}
                Err(OverlayError::Superseded(other)) => least = Sequence::new(other),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The author's head, and its sequence.
    async fn own_head(&self, author: &Author) -> Result<(Sequence, HeadBody), OverlayError> {
        let found = self.head_of(author.name(), &author.public()).await?;
        Ok(found.map_or_else(Default::default, |head: Record<HeadBody>| (head.sequence, head.body)))
    }

    async fn retract_blobs(
        &self,
        author: &Author,
        unneeded: HashSet<Blob>,
        needed: HashSet<Blob>,
    ) -> Result<(), PostError> {
        let blobs = self.net.blobs();
        let mut chunks = HashSet::new();
        for blob in &unneeded {
            match blobs.chunks(blob).await {
                Ok(all) => chunks.extend(all),
                // What lists them is gone: they lapse.
                Err(BlobError::Incomplete(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !chunks.is_empty() {
            for blob in &needed {
                match blobs.chunks(blob).await {
                    Ok(all) => all.iter().for_each(|chunk| {
                        chunks.remove(chunk);
                    }),
                    Err(BlobError::Incomplete(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let chunks: Vec<_> = chunks.into_iter().collect();
        Ok(blobs.retract(author, &chunks).await?)
    }
}

/// A post as the index knows it.
fn thing(post: &Post) -> Thing {
    Thing::Content { author: post.name.clone(), shelf: Shelf::Posts, slot: post.slot }
}
