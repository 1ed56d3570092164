//! Searching: which lists of the index to read, and what is shown of what they have.
//!
//! All of a query's words must be met. Under which beginnings to read, at most [`LISTS_MAX`], follows from the
//! query alone; they are all read at once, and the one that is whole, or has the least, answers: its elements
//! have all words. Nothing is verified but what is shown.

mod query;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use base::limits::LIST_ROOM;
use base::list::Placemark;
use base::{Key, Name, PublicKey, Sequence};
use prost::Message;

use crate::index::{Element, Kind, Thing};
use crate::keys;
use crate::list::Unverified;
use crate::net::Net;
use crate::overlay::OverlayError;
use crate::stamp::Stamp;

use query::Score;
pub use query::{NoWords, QUERY_WORDS_MAX, Query};

/// Lists read for a query, by two reads each: six in all, whatever it says.
pub const LISTS_MAX: usize = 3;
/// How often as many as are wanted are verified: who fills the index with what is nobody's gains no more.
const ROUNDS_MAX: usize = 3;

/// Pages that are read for one search until there is enough: some 2,000 elements of a word that thousands have,
/// in about a second.
pub const PAGES_MAX: usize = 8;

/// Whom a reader does not want to see.
pub type Hidden<'a> = &'a (dyn Fn(&Name, &PublicKey) -> bool + Send + Sync);

/// Something that was found, and is whose it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What.
    pub thing: Thing,
    /// Whose it is.
    pub author: PublicKey,
    /// What its author says it is; not yet made harmless for a terminal.
    pub title: String,
    /// When it was said.
    pub stamp: Stamp,
    score: Score,
}

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The best first.
    pub hits: Vec<Hit>,
    /// How many met the query where it was read, before any was verified.
    pub met: usize,
    /// Where to go on reading, if that was not all.
    pub more: Option<More>,
    /// How many lists' keys were read.
    pub reads: usize,
}

/// Where a search goes on.
#[derive(Debug, Clone)]
pub struct More {
    root: Key,
    from: Placemark,
}

/// Finds the best of a kind, at most `wanted`: by at most six reads, and one question for each that is shown
/// whose its name is.
///
/// # Errors
/// The overlay's.
pub async fn find(
    net: &Net,
    kind: Kind,
    query: &Query,
    wanted: usize,
    hidden: Hidden<'_>,
) -> Result<Found, OverlayError> {
    let under = query.read_under(LISTS_MAX);
    let roots: Vec<Key> = under.iter().map(|b| keys::index(kind.as_str(), b)).collect();
    let openings = net.openings(&roots).await?;
    let reads = openings.iter().map(|opening| opening.reads).sum();
    let answers = roots.into_iter().zip(openings);
    // Of those that are not whole none says how much it has; the first is likely the rarest.
    let best = answers.min_by_key(|(_, opening)| (opening.next.is_some(), opening.items.len()));
    let Some((root, opening)) = best else { return Ok(Found::default()) };
    let more = opening.next.map(|from| More { root, from });
    shown(net, kind, query, opening.items, wanted, hidden).await.map(|(hits, met)| Found {
        hits,
        met,
        more,
        reads,
    })
}

/// Goes on where a search ended, by some reads more. What was found before may be found again, if it was
/// said again meanwhile.
///
/// # Errors
/// The overlay's.
pub async fn find_more(
    net: &Net,
    kind: Kind,
    query: &Query,
    more: More,
    wanted: usize,
    hidden: Hidden<'_>,
) -> Result<Found, OverlayError> {
    let page = net.list(more.root.clone()).glance(Some(more.from), LIST_ROOM).await?;
    let (reads, next) = (page.reads, page.next);
    let (hits, met) = shown(net, kind, query, page.items, wanted, hidden).await?;
    let more = next.map(|from| More { from, ..more });
    Ok(Found { hits, met, more, reads })
}

/// All that was wanted of what is found.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// The best of what was read, the best first.
    pub hits: Vec<Hit>,
    /// Whether there is nothing else.
    pub complete: bool,
}

impl Default for Gathered {
    fn default() -> Gathered {
        Gathered { hits: Vec::new(), complete: true }
    }
}

/// Finds at most `max` of a kind, and goes on reading, at most [`PAGES_MAX`] times, while there are fewer.
///
/// # Errors
/// The overlay's.
pub async fn gather(
    net: &Net,
    kind: Kind,
    query: &Query,
    max: usize,
    hidden: Hidden<'_>,
) -> Result<Gathered, OverlayError> {
    let mut found = find(net, kind, query, max, hidden).await?;
    let mut hits: BTreeMap<(PublicKey, Thing), Hit> = BTreeMap::new();
    let mut left_out = false;
    let mut pages = 1;
    loop {
        left_out |= found.met > found.hits.len() && found.hits.len() >= max;
        let key = |hit: Hit| ((hit.author, hit.thing.clone()), hit);
        hits.extend(found.hits.into_iter().map(key));
        match found.more {
            Some(more) if hits.len() < max && pages < PAGES_MAX => {
                pages += 1;
                found = find_more(net, kind, query, more, max, hidden).await?;
            }
            more => {
                let mut hits: Vec<Hit> = hits.into_values().collect();
                hits.sort_by(rank);
                let complete = more.is_none() && !left_out && hits.len() <= max;
                hits.truncate(max);
                return Ok(Gathered { hits, complete });
            }
        }
    }
}

/// An element that meets the query.
struct Candidate {
    at: usize,
    newness: (Sequence, [u8; 8]),
    hit: Hit,
}

/// The best of what was read, verified; and how many met the query.
async fn shown(
    net: &Net,
    kind: Kind,
    query: &Query,
    items: Vec<Unverified>,
    wanted: usize,
    hidden: Hidden<'_>,
) -> Result<(Vec<Hit>, usize), OverlayError> {
    let mut candidates: BTreeMap<(PublicKey, Thing), Candidate> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        let Some(candidate) = candidate(kind, query, at, item) else { continue };
        if hidden(candidate.hit.thing.name(), &candidate.hit.author) {
            continue;
        }
        let key = (candidate.hit.author, candidate.hit.thing.clone());
        let held = candidates.get(&key);
        if held.is_none_or(|held| held.newness < candidate.newness) {
            candidates.insert(key, candidate);
        }
    }
    let mut ranked: Vec<Candidate> = candidates.into_values().collect();
    let met = ranked.len();
    ranked.sort_by(|one, two| rank(&one.hit, &two.hit));
    let mut hits = Vec::new();
    let mut ranked = ranked.into_iter();
    for _ in 0..ROUNDS_MAX {
        let next: Vec<Candidate> = ranked.by_ref().take(wanted - hits.len()).collect();
        if next.is_empty() {
            break;
        }
        let signed = next.into_iter().filter(|one| items[one.at].verify(net).is_some());
        let theirs = of_their_authors(net, signed.map(|one| one.hit).collect()).await?;
        hits.extend(theirs);
    }
    Ok((hits, met))
}

fn candidate(kind: Kind, query: &Query, at: usize, item: &Unverified) -> Option<Candidate> {
    let signed = item.claimed()?;
    let body = signed.body()?;
    let element = Element::decode(body.clone()).ok()?;
    let thing = Thing::of_wire(element.thing.as_ref()?).filter(|thing| thing.kind() == kind)?;
    let score = query.score(&element.title, &element.words)?;
    let hash = blake3::hash(&body);
    let newness = (signed.sequence(), std::array::from_fn(|at| hash.as_bytes()[at]));
    let stamp = Stamp::from_millis(element.stamp_ms);
    let hit = Hit { thing, author: signed.author(), title: element.title, stamp, score };
    Some(Candidate { at, newness, hit })
}

/// The best first, then the newest; the rest is the same order everywhere.
pub fn rank(one: &Hit, two: &Hit) -> std::cmp::Ordering {
    let order = |hit: &Hit| (Reverse(hit.score), Reverse(hit.stamp));
    order(one)
        .cmp(&order(two))
        .then_with(|| (&one.thing, &one.author).cmp(&(&two.thing, &two.author)))
}

/// Those whose author has the name that they say. A community is named by its founder's key: it stays what it
/// is whoever has the name.
async fn of_their_authors(net: &Net, hits: Vec<Hit>) -> Result<Vec<Hit>, OverlayError> {
    let asked = |hit: &&Hit| hit.thing.kind() != Kind::Communities;
    let mut names: Vec<Name> =
        hits.iter().filter(asked).map(|hit| hit.thing.name().clone()).collect();
    names.sort();
    names.dedup();
    let holders = net.holders(&names).await;
    let mut holder_of = HashMap::new();
    for (name, holder) in names.iter().zip(holders) {
        holder_of.insert(name, holder?);
    }
    let is_theirs = |hit: &Hit| {
        !asked(&hit) || holder_of.get(hit.thing.name()).copied().flatten() == Some(hit.author)
    };
    Ok(hits.into_iter().filter(is_theirs).collect())
}

#[cfg(test)]
mod tests;
