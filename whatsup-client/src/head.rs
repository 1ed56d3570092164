//! [`HeadBody`]: the newest of what a person shares, in one entry, so that a feed of fifty people is fifty gets and
//! fifty signatures. It is made from the list of the person's posts, which is what counts.

use base::limits::LIST_VALUE_MAX;
use base::{Name, PublicKey, Slot};
use prost::Message;

use crate::feed::{Mark, Source};
use crate::post::{self, Post, PostBody};

/// Most posts in a head: more than a person shares in a session of a conference.
pub const HEAD_MAX: usize = 16;

// The head of the longest posts is a value among others.
const _: () = assert!(HEAD_MAX * (LIST_VALUE_MAX + 32) <= 24 * 1024);

/// A head as it is put.
#[derive(Clone, PartialEq, Message)]
pub struct HeadBody {
    /// In the order of a feed.
    #[prost(message, repeated, tag = "1")]
    posts: Vec<HeadPost>,
    /// Whether the list has older ones.
    #[prost(bool, tag = "2")]
    more: bool,
}

/// A post in a head.
#[derive(Clone, PartialEq, Message)]
pub struct HeadPost {
    #[prost(bytes = "vec", tag = "1")]
    slot: Vec<u8>,
    /// Encoded as it is in the list, with what another version put there.
    #[prost(bytes = "vec", tag = "2")]
    body: Vec<u8>,
}

/// A post of the author's own, as it was read from the list or a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// What it says.
    pub post: Post,
    /// How it was put.
    pub body: Vec<u8>,
}

impl Own {
    /// What is encoded there, if it is a post in its own slot.
    pub fn read(name: &Name, author: PublicKey, slot: Slot, body: &[u8]) -> Option<Own> {
        if slot != post::slot(body) {
            return None;
        }
        let post = Post::read(name, author, slot, &PostBody::decode(body).ok()?)?;
        Some(Own { post, body: body.to_vec() })
    }
}

impl HeadBody {
    /// The head of these posts; `all` says whether they are all there are. What comes twice counts once.
    pub fn of(mut posts: Vec<Own>, all: bool) -> HeadBody {
        posts.sort_by_key(|own| Mark::of(&own.post));
        posts.dedup_by_key(|own| own.post.id);
        let more = !all || posts.len() > HEAD_MAX;
        let put = |own: Own| HeadPost { slot: own.post.slot.as_bytes().to_vec(), body: own.body };
        HeadBody { posts: posts.into_iter().take(HEAD_MAX).map(put).collect(), more }
    }

    /// Whether nothing is in it, and nothing else is shared either.
    pub fn is_empty(&self) -> bool {
        self.posts.is_empty() && !self.more
    }

    /// The posts in it, as `author` put them under `name`.
    pub fn posts(&self, name: &Name, author: PublicKey) -> Vec<Own> {
        let read = |post: &HeadPost| {
            let slot = Slot::new(post.slot[..].try_into().ok()?);
            Own::read(name, author, slot, &post.body)
        };
        self.posts.iter().take(HEAD_MAX).filter_map(read).collect()
    }

    /// What it says to a feed.
    pub fn source(&self, name: &Name, author: PublicKey) -> Source<Post> {
        let items = self.posts(name, author).into_iter().map(|own| own.post).collect();
        Source { items, all: !self.more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::Draft;
    use crate::stamp::Stamp;

    fn own(at: u64) -> Own {
        let name = Name::new("alice").unwrap();
        let draft = Draft { text: format!("post {at}"), ..Draft::default() };
        let body = draft.body(Stamp::from_millis(at)).unwrap().0;
        let author = PublicKey::from_bytes([1; 32]);
        Own::read(&name, author, body.slot(), &body.encode_to_vec()).unwrap()
    }

    #[test]
    fn a_head_has_the_newest_and_says_whether_there_are_more() {
        let head = HeadBody::of((0..20).chain(15..20).map(own).collect(), true);
        let author = PublicKey::from_bytes([1; 32]);
        let source = head.source(&Name::new("alice").unwrap(), author);
        let stamps: Vec<u64> = source.items.iter().map(|post| post.stamp.millis()).collect();
        assert_eq!(stamps, (4..20).rev().collect::<Vec<_>>());
        assert!(!source.all);
        let head = HeadBody::of((0..16).map(own).collect(), true);
        assert!(!head.more && !head.is_empty());
        assert!(HeadBody::of(vec![], true).is_empty() && !HeadBody::of(vec![], false).is_empty());
    }
}
