//! [`Comments`]: what people say about a thing: a post, news, an event, a poll, another comment.
//!
//! A comment comes after all that its author saw, whatever the clocks say. Only its author takes it back; it
//! stays when the thing goes. What a reader shows follows from the comments alone ([`view`]), in any order.

use std::collections::BTreeMap;

use base::limits::LIST_ROOM;
use base::{Name, PublicKey, Slot, Ttl};
use prost::Message;

use crate::author::Author;
use crate::keys::{self, ThingId};
use crate::list::BODY_MAX;
use crate::net::Net;
use crate::overlay::OverlayError;
use crate::stamp::Stamp;
use crate::text::{self, TextError};

/// Longest text of a comment, in bytes; who has more to say shares a post.
pub const COMMENT_MAX: usize = 700;
/// Comments of one author about one thing that are shown, the newest: nobody buries what others say.
pub const EACH_MAX: usize = 50;
/// Pages of a list that are read at most: 4,096 comments.
const PAGES_MAX: usize = 16;

// The text, the name, the stamp and what it answers, with their tags and lengths.
const _: () = assert!(COMMENT_MAX + 3 + base::NAME_MAX + 2 + 11 + 18 <= BODY_MAX);

/// What somebody says about a thing, safe to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// What names it, also for comments on it.
    pub id: ThingId,
    /// Who signed it.
    pub author: PublicKey,
    /// What the author is called, and whether the author has that name: else it is shown with a tag.
    pub name: Option<(Name, bool)>,
    /// Which of the author's comments on the thing it is.
    pub slot: Slot,
    /// When.
    pub stamp: Stamp,
    /// What is said.
    pub text: String,
    /// Which other comment on the thing it answers.
    pub to: Option<ThingId>,
}

/// A comment as it is put.
#[derive(Clone, PartialEq, Message)]
pub struct CommentBody {
    #[prost(uint64, tag = "1")]
    stamp_ms: u64,
    #[prost(string, tag = "2")]
    text: String,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(bytes = "vec", tag = "4")]
    to: Vec<u8>,
}

/// Reads and changes comments.
#[derive(Clone)]
pub struct Comments {
    net: Net,
}

/// Why nothing was said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommentError {
    /// The text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The overlay's.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// The author said nothing of the kind.
    #[error("you have said nothing with the id {0} there")]
    NotYours(ThingId),
}

impl Net {
    /// What people say about things.
    pub fn comments(&self) -> Comments {
        Comments { net: self.clone() }
    }
}

impl Comments {
    /// Says something about a thing, or in answer `to` another comment on it: after all that is said there.
    ///
    /// # Errors
    /// [`CommentError`].
    pub async fn say(
        &self,
        author: &Author,
        thing: ThingId,
        to: Option<ThingId>,
        text: &str,
    ) -> Result<Comment, CommentError> {
        let text = text::lines(text, "comment", COMMENT_MAX)?;
        let (before, _) = self.read(thing).await?;
        let body = CommentBody {
            stamp_ms: author.stamp(before.iter().map(|comment| comment.stamp)).millis(),
            text,
            name: author.name().to_string(),
            to: to.map(|to| to.as_bytes().to_vec()).unwrap_or_default(),
        };
        let slot = slot(&body.encode_to_vec());
        self.net.list(keys::comments(thing)).publish(author, slot, Ttl::MAX, &body, None).await?;
        let comment = Comment::read(thing, author.public(), slot, &body.encode_to_vec());
        comment.ok_or(CommentError::Text(TextError::Empty("comment")))
    }

    /// All that is said about a thing, in the order of [`view`], and whether that is all: of more than 4,096
    /// comments some are not read. Whose a name is is asked in one batch.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn of(
        &self,
        thing: ThingId,
        hidden: impl Fn(&Comment) -> bool,
    ) -> Result<(Vec<Comment>, bool), OverlayError> {
        let (comments, all) = self.read(thing).await?;
        let mut shown = view(comments, hidden);
        let mut names: BTreeMap<Name, Option<PublicKey>> =
            shown.iter().filter_map(|comment| Some((comment.name.clone()?.0, None))).collect();
        let asked: Vec<Name> = names.keys().cloned().collect();
        for (holder, answer) in names.values_mut().zip(self.net.holders(&asked).await) {
            *holder = answer?;
        }
        for comment in &mut shown {
            if let Some((name, has_it)) = &mut comment.name {
                *has_it = names.get(name).copied().flatten() == Some(comment.author);
            }
        }
        Ok((shown, all))
    }

    /// Takes back what the author said about a thing.
    ///
    /// # Errors
    /// [`CommentError`].
    pub async fn retract(
        &self,
        author: &Author,
        thing: ThingId,
        id: ThingId,
    ) -> Result<(), CommentError> {
        let (comments, _) = self.read(thing).await?;
        let own = comments.iter().find(|said| said.id == id && said.author == author.public());
        let slot = own.ok_or(CommentError::NotYours(id))?.slot;
        self.net.list(keys::comments(thing)).retract(author, slot).await?;
        Ok(())
    }

    async fn read(&self, thing: ThingId) -> Result<(Vec<Comment>, bool), OverlayError> {
        let list = self.net.list(keys::comments(thing));
        let (mut comments, mut from) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = list.page(from, LIST_ROOM).await?;
            comments.extend(page.items.iter().filter_map(|signed| {
                Comment::read(thing, signed.author(), signed.slot(), &signed.body()?)
            }));
            from = page.next;
            if from.is_none() {
                return Ok((comments, true));
            }
        }
        Ok((comments, false))
    }
}

/// The slot of a comment: nobody can change what others answered to.
fn slot(body: &[u8]) -> Slot {
    keys::slot_about("comment", &[body])
}

/// What is shown of these comments: nothing `hidden`, of each author the newest [`EACH_MAX`]; what was said
/// first is first. What comes twice counts once.
pub fn view(mut comments: Vec<Comment>, hidden: impl Fn(&Comment) -> bool) -> Vec<Comment> {
    comments.retain(|comment| !hidden(comment));
    // What one author says in one slot twice has one id; it is the same, as its slot is made of it.
    comments.sort_by_key(|comment| (comment.stamp, comment.id));
    comments.dedup_by_key(|comment| comment.id);
    let mut count: BTreeMap<PublicKey, usize> = BTreeMap::new();
    comments.reverse();
    comments.retain(|comment| {
        let count = count.entry(comment.author).or_default();
        *count += 1;
        *count <= EACH_MAX
    });
    comments.reverse();
    comments
}

impl Comment {
    /// What a body says that `author` signed in `slot` of a thing's comments; nothing if it says nothing, or
    /// stands in another slot than its own.
    pub fn read(thing: ThingId, author: PublicKey, slot: Slot, body: &[u8]) -> Option<Comment> {
        if slot != self::slot(body) {
            return None;
        }
        let body = CommentBody::decode(body).ok()?;
        let text = text::shown_lines(text::shortened(&body.text, COMMENT_MAX).trim());
        if text.is_empty() {
            return None;
        }
        Some(Comment {
            id: ThingId::of(&keys::comments(thing), &author, slot),
            author,
            name: Name::new(&body.name).ok().map(|name| (name, false)),
            slot,
            stamp: Stamp::from_millis(body.stamp_ms),
            text,
            to: body.to[..].try_into().ok().map(ThingId::from_bytes),
        })
    }

    /// Who says it, as it is shown: a name only if the author has it, else with a tag that tells it apart.
    pub fn who(&self) -> String {
        match &self.name {
            Some((name, true)) => name.to_string(),
            Some((name, false)) => name.with_tag(&self.author),
            None => format!("~{}", self.author.fingerprint().tag()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use base::{Claim, Sequence, SigningKey};
    use proptest::prelude::*;

    use super::*;
    use crate::overlay::{Ask, Memory};

    const THING: ThingId = ThingId::from_bytes([7; 16]);

    async fn person(net: &Net, name: &str, key: u8, clock: u64) -> Author {
        let (name, key) = (Name::new(name).unwrap(), SigningKey::from_bytes(&[key; 32]));
        let clock = AtomicU64::new(clock);
        let now = move || clock.fetch_add(1, Ordering::Relaxed);
        let author = Author::with_clock(name.clone(), key, now);
        let claim = Claim::new(name.clone(), Sequence::ZERO);
        let signed = claim.sign(author.key(), Sequence::new(1), Ttl::MAX).unwrap();
        let _ = net.one(Ask::Claim { name, signed }).await;
        author
    }

    async fn shown(net: &Net) -> Vec<(String, String)> {
        let (comments, all) = net.comments().of(THING, |_| false).await.unwrap();
        assert!(all);
        comments.into_iter().map(|comment| (comment.who(), comment.text)).collect()
    }

    #[tokio::test]
    async fn an_answer_comes_after_what_it_answers_whatever_the_clocks_say() {
        let net = Net::new(Memory::new());
        let alice = person(&net, "alice", 1, 500_000).await;
        let bob = person(&net, "bob", 2, 1_000).await;
        let false_alice = person(&net, "alice", 3, 1_000).await;
        let comments = net.comments();
        let first = comments.say(&alice, THING, None, " what\nis it? ").await.unwrap();
        let second = comments.say(&bob, THING, Some(first.id), "this").await.unwrap();
        assert_eq!(second.to, Some(first.id));
        comments.say(&false_alice, THING, None, "it is mine").await.unwrap();
        let tagged = alice.name().with_tag(&false_alice.public());
        let expected = [("alice", "what\nis it?"), ("bob", "this"), (&*tagged, "it is mine")];
        let expected = expected.map(|(who, text)| (who.to_owned(), text.to_owned()));
        assert_eq!(shown(&net).await, expected);
        // Bob takes back his own only.
        let error = comments.retract(&bob, THING, first.id).await.unwrap_err();
        assert_eq!(error, CommentError::NotYours(first.id));
        comments.retract(&bob, THING, second.id).await.unwrap();
        assert_eq!(shown(&net).await, [expected[0].clone(), expected[2].clone()]);
        let (hidden, _) = comments.of(THING, |said| said.id == first.id).await.unwrap();
        assert_eq!(hidden.len(), 1);
        assert!(comments.say(&bob, THING, None, " ").await.is_err());
        assert!(comments.say(&bob, THING, None, &"x".repeat(COMMENT_MAX + 1)).await.is_err());
        let longest = "é".repeat(COMMENT_MAX / 2);
        comments.say(&bob, THING, Some(first.id), &longest).await.unwrap();
    }

    #[tokio::test]
    async fn nobody_changes_what_was_answered_and_what_is_unseen_is_not_shown() {
        let net = Net::new(Memory::new());
        let alice = person(&net, "alice", 1, 5_000).await;
        let said = net.comments().say(&alice, THING, None, "yes").await.unwrap();
        let list = net.list(keys::comments(THING));
        let mut body = CommentBody { text: "no".to_owned(), ..CommentBody::default() };
        list.publish(&alice, said.slot, Ttl::MAX, &body, None).await.unwrap();
        assert!(shown(&net).await.is_empty());
        body.text = "a\u{1b}[31mb".to_owned();
        let slot = slot(&body.encode_to_vec());
        list.publish(&alice, slot, Ttl::MAX, &body, None).await.unwrap();
        let who = format!("~{}", alice.public().fingerprint().tag());
        assert_eq!(shown(&net).await, [(who, "a\u{fffd}[31mb".to_owned())]);
    }

    fn comment(stamp: u64, id: u8, author: u8) -> Comment {
        Comment {
            id: ThingId::from_bytes([id; 16]),
            author: PublicKey::from_bytes([author; 32]),
            name: None,
            slot: Slot::ZERO,
            stamp: Stamp::from_millis(stamp),
            text: format!("{id}"),
            to: None,
        }
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_view(
            said in prop::collection::vec((0u64..9, 0u8..200, 0u8..3), 0..250), hide: u8, seed: u64,
        ) {
            let by_id: BTreeMap<u8, Comment> =
                said.into_iter().map(|(at, id, who)| (id, comment(at, id, who))).collect();
            let hidden = |said: &Comment| said.id.as_bytes()[0] % 16 == hide % 16;
            let all: Vec<Comment> = by_id.values().cloned().collect();
            let mut random = fastrand::Rng::with_seed(seed);
            let mut twice = [all.clone(), all.clone()].concat();
            random.shuffle(&mut twice);
            // The plain model: of each author the last, of all of them the first first.
            let mut model = Vec::new();
            for who in 0..3 {
                let mut of: Vec<&Comment> = all.iter().filter(|c| c.author.as_bytes()[0] == who).collect();
                of.retain(|comment| !hidden(comment));
                of.sort_by_key(|comment| (comment.stamp, comment.id));
                model.extend(of.iter().rev().take(EACH_MAX).map(|comment| (*comment).clone()));
            }
            model.sort_by_key(|comment| (comment.stamp, comment.id));
            prop_assert_eq!(view(twice, hidden), model);
        }
    }
}
