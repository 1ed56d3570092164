//! [`News`]: what a member shares with a community: a post, as with everybody.

use base::{Name, PublicKey};
use prost::Message;

use super::view::{Part, Shown, View};
use super::{Community, CommunityError, NEWS, Told};
use crate::author::Author;
use crate::bell::Kind;
use crate::blob::Source;
use crate::feed;
use crate::index::Shelf;
use crate::keys::{self, CommunityId};
use crate::list::BODY_MAX;
use crate::post::{Draft, Post, PostBody};
use crate::record::Record;
use crate::stamp::Stamp;

/// A post to a community: the body of an element of its list `news`.
#[derive(Clone, PartialEq, Message)]
pub struct News {
    /// The name of who shares it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What is shared.
    #[prost(message, optional, tag = "2")]
    pub post: Option<PostBody>,
}

impl Part for News {
    fn name(&self) -> &str {
        &self.name
    }

    fn stamp(&self) -> Stamp {
        self.post.as_ref().map(PostBody::stamp).unwrap_or_default()
    }

    fn title(&self) -> &str {
        self.post.as_ref().map(PostBody::title).unwrap_or_default()
    }

    fn texts(&self) -> Vec<&str> {
        self.post.iter().flat_map(PostBody::texts).collect()
    }

    fn shelf(community: CommunityId) -> Shelf {
        Shelf::News(community)
    }

    fn is_whole(record: &Record<News>) -> bool {
        read(record).is_some()
    }
}

/// The post, as if it were in the list of its author's own.
fn read(record: &Record<News>) -> Option<Post> {
    let name = Name::new(&record.body.name).ok()?;
    Post::read(&name, record.author, record.slot, record.body.post.as_ref()?)
}

impl Shown<News> {
    /// What was shared, safe to be shown.
    pub fn post(&self, community: CommunityId) -> Option<Post> {
        let post = read(&self.record)?;
        Some(Post { id: self.id, community: Some(community), ..post })
    }
}

impl Community {
    /// Shares something with the members. Its file was shared before
    /// ([`crate::blob::Blobs::share`]).
    ///
    /// # Errors
    /// [`CommunityError::NotAMember`], what is wrong with the draft; the overlay's.
    pub async fn share(
        &self,
        author: &Author,
        view: &View,
        draft: &Draft,
    ) -> Result<Told, CommunityError> {
        self.member(author, view)?;
        // Beside it are the name, and tags and lengths.
        let room = BODY_MAX - author.name().as_str().len() - 6;
        let (mut post, long) = draft.body_within(author.stamp([]), room)?;
        if let Some(text) = long {
            let blob = self.net.blobs().share(author, &Source::Bytes(text), &|_| ()).await?;
            post = post.with_long(blob);
        }
        let news = News { name: author.name().as_str().to_owned(), post: Some(post) };
        let len = news.encoded_len();
        if len > BODY_MAX {
            return Err(CommunityError::TooBig(len));
        }
        let slot = keys::slot_about("news", &[&news.encode_to_vec()]);
        self.tell(author, view, NEWS, slot, &news, Kind::News).await
    }

    /// What members shared, the newest first.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn news(&self, view: &View) -> Result<Vec<Shown<News>>, CommunityError> {
        self.shown::<News>(view, NEWS).await
    }

    /// What members shared, for a feed: as posts, of those who have the name they go by, without what is
    /// hidden.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn source(&self, view: &View) -> Result<feed::Source<Post>, CommunityError> {
        let news = self.news(view).await?;
        let seen = news.iter().filter(|shown| shown.hidden.is_none());
        let mut posts: Vec<Post> = seen.filter_map(|shown| shown.post(self.id())).collect();
        let mut names: Vec<Name> = posts.iter().map(|post| post.name.clone()).collect();
        names.sort();
        names.dedup();
        let mut holders = std::collections::BTreeMap::<Name, PublicKey>::new();
        for (name, holder) in names.iter().zip(self.net.holders(&names).await) {
            holders.extend(holder?.map(|holder| (name.clone(), holder)));
        }
        posts.retain(|post| holders.get(&post.name) == Some(&post.author));
        Ok(feed::Source { items: posts, all: true })
    }
}
