//! What somebody's things take of the overlay, for who has used up what one may.

use std::collections::HashSet;

use super::{PostError, Posts};
use crate::author::Author;
use crate::blob::Blob;
use crate::keys::ThingId;
use crate::post::Post;

/// What an author has shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// How many posts.
    pub posts: usize,
    /// How many bytes: files and images once each, and the posts themselves.
    pub bytes: u64,
    /// Those that take most, the largest first.
    pub largest: Vec<Used>,
}

/// What a post takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Which.
    pub id: ThingId,
    /// What it is called: its file, link or text.
    pub label: String,
    /// How many bytes would be free without it.
    pub bytes: u64,
}

/// Those that are named: as many as one would choose from.
const LARGEST_MAX: usize = 5;

impl Posts {
    /// What the author has shared, and what takes most of it.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn usage(&self, author: &Author) -> Result<Usage, PostError> {
        let (own, _) = self.own(author).await?;
        let posts: Vec<(Post, u64)> =
            own.into_iter().map(|own| (own.own.post, own.own.body.len() as u64)).collect();
        Ok(Usage::of(&posts))
    }
}

impl Usage {
    /// Of these posts, each with the bytes that it takes itself.
    pub fn of(posts: &[(Post, u64)]) -> Usage {
        let blobs: HashSet<Blob> = posts.iter().flat_map(|(post, _)| post.blobs()).collect();
        let own: u64 = posts.iter().map(|(_, bytes)| bytes).sum();
        let needs = |blob: &Blob| {
            posts.iter().filter(|(post, _)| post.blobs().any(|other| other == *blob)).count()
        };
        let mut largest: Vec<Used> = posts
            .iter()
            .map(|(post, bytes)| {
                let alone = post.blobs().filter(|blob| needs(blob) == 1);
                let bytes = bytes + alone.map(|blob| blob.size).sum::<u64>();
                Used { id: post.id, label: label(post), bytes }
            })
            .collect();
        largest.sort_by_key(|used| (std::cmp::Reverse(used.bytes), used.id));
        largest.truncate(LARGEST_MAX);
        let bytes = own + blobs.iter().map(|blob| blob.size).sum::<u64>();
        Usage { posts: posts.len(), bytes, largest }
    }
}

fn label(post: &Post) -> String {
    let label = match (&post.file, &post.link) {
        (Some(file), _) => &file.name,
        (None, Some(link)) if post.text.is_empty() => link,
        _ => &post.text,
    };
    crate::text::shortened(&crate::text::shown(label), 40).into_owned()
}
