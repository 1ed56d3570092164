//! The index: under the beginnings of its words, what can be searched for. [`crate::search`] reads it.
//!
//! ```text
//! index/people/ann ─┐
//! index/people/berg ┼─ a list each, with an element of anna's: her name, a title, all her words
//! index/people/ber ─┘
//! indexed/<key> ─────── a list with the same element once: what of anna's is in the index, wherever
//! ```
//!
//! Each element has all words of its thing, so that whoever looks for several reads under one of them only.
//! The list [`keys::indexed`] is written before anything is put into the index, and shortened after it was
//! removed there: what is in the index is known from any device of its author.

mod thing;

use std::collections::BTreeSet;

use base::{Key, Ttl};
use futures::StreamExt;
use prost::Message;

use crate::author::Author;
use crate::keys;
use crate::list::Saying;
use crate::net::Net;
use crate::overlay::OverlayError;
use crate::record::Record;
use crate::stamp::Stamp;
use crate::text;
use crate::words::{self, Word};

pub use thing::{Kind, Shelf, Thing};

/// Most keys of the index under which one thing is: for each its author signs, and three replicas store,
/// an element. The first 25 to 40 words of a post.
pub const BEGINNINGS_MAX: usize = 48;
/// Longest title, in bytes: a line of a table.
pub const TITLE_MAX: usize = 160;
/// Most bytes of all other words: with a title and the longest names an element still fits a list.
const WORDS_MAX: usize = 520;
/// Most things of one author that are removed by one [`remove_all`]: a bound for a list that somebody's
/// other program filled.
const THINGS_MAX: usize = 16_384;
/// How many elements are removed at once.
const AT_ONCE: usize = 16;

/// What is said of a thing in the index.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// What is shown when it is found. Its words count most.
    pub title: &'a str,
    /// By what else it is found, the most telling first: what is too much is left out.
    pub texts: &'a [&'a str],
    /// When it was said.
    pub stamp: Stamp,
}

/// An element of the index.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Element {
    #[prost(string, tag = "1")]
    pub(crate) title: String,
    /// Those that are not in the title, with spaces between.
    #[prost(string, tag = "2")]
    pub(crate) words: String,
    #[prost(uint64, tag = "3")]
    pub(crate) stamp_ms: u64,
    #[prost(message, optional, tag = "4")]
    pub(crate) thing: Option<thing::Wire>,
}

/// Puts a thing into the index, in place of what the author said of it there before. To be said again before
/// its `ttl` ends.
///
/// # Errors
/// The overlay's. Part of it may be in the index then; saying it again, or [`remove`], is safe.
pub async fn put(
    net: &Net,
    author: &Author,
    thing: &Thing,
    said: Said<'_>,
    ttl: Ttl,
) -> Result<(), OverlayError> {
    let title = text::shortened(&text::shown(said.title), TITLE_MAX).into_owned();
    let (words, beginnings) = chosen(&title, said.texts);
    let thing_wire = Some(thing.to_wire());
    let element = Element { title, words, stamp_ms: said.stamp.millis(), thing: thing_wire };
    let before = beginnings_before(net, author, thing).await?;
    take_back(net, author, thing, before.difference(&beginnings)).await?;
    let (slot, body) = (thing.slot(), element.encode_to_vec());
    let saying = |root: Key| Saying { root, slot, ttl, body: body.clone(), seat: None };
    // First what says where it is.
    said_all(net, author, vec![saying(keys::indexed(&author.public()))]).await?;
    let kind = thing.kind();
    let roots = beginnings.iter().map(|beginning| keys::index(kind.as_str(), beginning));
    said_all(net, author, roots.map(saying).collect()).await
}

/// Takes a thing out of the index; whether it was there.
///
/// # Errors
/// The overlay's; removing it again is safe.
pub async fn remove(net: &Net, author: &Author, thing: &Thing) -> Result<bool, OverlayError> {
    let before = beginnings_before(net, author, thing).await?;
    take_back(net, author, thing, &before).await?;
    net.list(keys::indexed(&author.public())).retract(author, thing.slot()).await
}

/// Takes everything of this author's out of the index; how many things that were.
///
/// # Errors
/// The overlay's; removing again is safe, and goes on where it ended.
pub async fn remove_all(net: &Net, author: &Author) -> Result<usize, OverlayError> {
    let list = net.list(keys::indexed(&author.public()));
    let (records, _) = list.records::<Element>(THINGS_MAX).await?;
    let own = records.iter().filter(|record| record.author == author.public());
    let things = own.filter_map(|record| Thing::of_wire(record.body.thing.as_ref()?));
    let mut removed = 0;
    for thing in things {
        removed += usize::from(remove(net, author, &thing).await?);
    }
    Ok(removed)
}

/// The words by which a thing is found that are not in its title, and the beginnings under which it is put.
fn chosen(title: &str, texts: &[&str]) -> (String, BTreeSet<String>) {
    let mut beginnings = BTreeSet::new();
    let mut takes = |word: &Word| {
        let under = word.beginnings();
        let more = under.iter().filter(|beginning| !beginnings.contains(*beginning)).count();
        let fits = beginnings.len() + more <= BEGINNINGS_MAX;
        if fits {
            beginnings.extend(under);
        }
        fits
    };
    let mut seen: BTreeSet<Word> = words::written(title).into_iter().collect();
    words::written(title).iter().for_each(|word| {
        takes(word);
    });
    let mut others = String::new();
    for word in texts.iter().flat_map(|text| words::written(text)) {
        let fits = others.len() + 1 + word.as_str().len() <= WORDS_MAX;
        if fits && !seen.contains(&word) && takes(&word) {
            if !others.is_empty() {
                others.push(' ');
            }
            others.push_str(word.as_str());
            seen.insert(word);
        }
    }
    (others, beginnings)
}

/// Under what a thing is in the index, at most.
async fn beginnings_before(
    net: &Net,
    author: &Author,
    thing: &Thing,
) -> Result<BTreeSet<String>, OverlayError> {
    let list = net.list(keys::indexed(&author.public()));
    let before = list.said(&author.public(), thing.slot()).await?;
    let before = before.and_then(|signed| Record::<Element>::read(&signed));
    Ok(before.map_or_else(BTreeSet::new, |record| {
        let Element { title, words, .. } = &record.body;
        chosen(title, &[words.as_str()]).1
    }))
}

async fn take_back(
    net: &Net,
    author: &Author,
    thing: &Thing,
    beginnings: impl IntoIterator<Item = &String>,
) -> Result<(), OverlayError> {
    let kind = thing.kind().as_str();
    let roots: Vec<Key> = beginnings.into_iter().map(|b| keys::index(kind, b)).collect();
    let retract = |root: Key| async move { net.list(root).retract(author, thing.slot()).await };
    let mut retracted =
        futures::stream::iter(roots.into_iter().map(retract)).buffer_unordered(AT_ONCE);
    while let Some(one) = retracted.next().await {
        one?;
    }
    Ok(())
}

async fn said_all(net: &Net, author: &Author, sayings: Vec<Saying>) -> Result<(), OverlayError> {
    net.say_all(author, sayings).await.into_iter().try_for_each(|said| said.map(|_| ()))
}

#[cfg(test)]
mod tests;
