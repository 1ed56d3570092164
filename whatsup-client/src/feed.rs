//! [`feed`]: what several people share, as one: the newest first, page by page. A pure function of what was
//! read; whatever the order it was read in, the feed is the same.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base::PublicKey;

use crate::keys::ThingId;
use crate::post::Post;
use crate::stamp::{Stamp, newest_first};

/// Something that has its place in a feed.
pub trait Dated {
    /// When it was said.
    fn stamp(&self) -> Stamp;
    /// Which thing it is.
    fn id(&self) -> ThingId;
    /// Who said it.
    fn author(&self) -> PublicKey;
}

impl Dated for Post {
    fn stamp(&self) -> Stamp {
        self.stamp
    }

    fn id(&self) -> ThingId {
        self.id
    }

    fn author(&self) -> PublicKey {
        self.author
    }
}

/// What was read of one person or community.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<T> {
    /// The newest, in any order.
    pub items: Vec<T>,
    /// Whether there is nothing older.
    pub all: bool,
}

/// A point in a feed: the last thing before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    stamp: Stamp,
    id: ThingId,
}

/// A page of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed<T> {
    /// What is on it, the newest first.
    pub items: Vec<T>,
    /// Where the next page begins, if there may be more.
    pub next: Option<Mark>,
    /// Which sources, by their place among them, may have more that belongs on this page: to be read further
    /// back before it is shown.
    pub deeper: Vec<usize>,
}

/// A page of at most `max` things, at least 1, that these sources have, behind `after`; nothing of whoever is
/// `blocked`.
pub fn feed<T: Dated + Clone>(
    sources: &[Source<T>],
    blocked: impl Fn(&PublicKey) -> bool,
    after: Option<Mark>,
    max: usize,
) -> Feed<T> {
    let all = sources.iter().flat_map(|source| &source.items);
    let shown = all.filter(|item| !blocked(&item.author()));
    let behind = shown.filter(|item| after.is_none_or(|after| after < Mark::of(*item)));
    let ordered: BTreeMap<Mark, &T> = behind.map(|item| (Mark::of(item), item)).collect();
    let items: Vec<T> = ordered.values().take(max.max(1)).copied().cloned().collect();
    let is_full = items.len() == max.max(1);
    let end = items.last().map(Mark::of).filter(|_| is_full);
    let unread = |source: &Source<T>| {
        let oldest = source.items.iter().map(Mark::of).max();
        // What was not read comes behind the oldest that was.
        !source.all && !matches!((oldest, end), (Some(oldest), Some(end)) if end <= oldest)
    };
    let indices = 0..sources.len();
    let deeper: Vec<usize> = indices.filter(|at| unread(&sources[*at])).collect();
    let more = ordered.len() > items.len() || sources.iter().any(|source| !source.all);
    let next = items.last().map(Mark::of).filter(|_| more);
    Feed { items, next, deeper }
}

impl Mark {
    /// Just behind this one.
    pub fn of<T: Dated>(item: &T) -> Mark {
        Mark { stamp: item.stamp(), id: item.id() }
    }
}

/// In the order of a feed.
impl Ord for Mark {
    fn cmp(&self, other: &Mark) -> std::cmp::Ordering {
        newest_first((self.stamp, self.id), (other.stamp, other.id))
    }
}

impl PartialOrd for Mark {
    fn partial_cmp(&self, other: &Mark) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A text that is no [`Mark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no place in a feed; take it from \"next\" of the page before")]
pub struct NotAMark;

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.stamp.millis(), self.id)
    }
}

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Mark, NotAMark> {
        let (stamp, id) = text.split_once('.').ok_or(NotAMark)?;
        let stamp = Stamp::from_millis(stamp.parse().map_err(|_| NotAMark)?);
        Ok(Mark { stamp, id: id.parse().map_err(|_| NotAMark)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
    struct Thing(u64, u8, u8);

    impl Dated for Thing {
        fn stamp(&self) -> Stamp {
            Stamp::from_millis(self.0)
        }

        fn id(&self) -> ThingId {
            ThingId::from_bytes([self.1; 16])
        }

        fn author(&self) -> PublicKey {
            PublicKey::from_bytes([self.2; 32])
        }
    }

    /// Things of a few authors; small numbers, so that stamps tie.
    fn things() -> impl Strategy<Value = Vec<Thing>> {
        let thing = (0u64..12, any::<u8>(), 0u8..5);
        prop::collection::vec(thing, 0..60).prop_map(|things| {
            let by_id: BTreeMap<u8, Thing> =
                things.into_iter().map(|(at, id, who)| (id, Thing(at, id, who))).collect();
            by_id.into_values().collect()
        })
    }

    /// What the plain model shows: everything sorted, less the blocked.
    fn model(things: &[Thing], blocked: u8) -> Vec<Thing> {
        let mut all: Vec<Thing> = things.iter().filter(|t| t.2 != blocked).cloned().collect();
        all.sort_by(|one, two| two.0.cmp(&one.0).then(one.1.cmp(&two.1)));
        all
    }

    /// One source of each author, of which only the newest few are known at first.
    fn sources(things: &[Thing], known: usize) -> Vec<Source<Thing>> {
        let of = |who| {
            let mut items = model(things, 255);
            items.retain(|thing| thing.2 == who);
            let all = items.len() <= known;
            items.truncate(known);
            Source { items, all }
        };
        (0..5).map(of).collect()
    }

    proptest! {
        #[test]
        fn all_pages_together_are_the_model_whatever_is_read_first(
            things in things(), known in 0usize..6, max in 1usize..9, blocked in 0u8..6,
            seed: u64,
        ) {
            let (mut shown, mut after) = (Vec::new(), None);
            let mut known_of = sources(&things, known);
            let whole = sources(&things, usize::MAX);
            let mut random = fastrand::Rng::with_seed(seed);
            loop {
                known_of.iter_mut().for_each(|source| random.shuffle(&mut source.items));
                let page = feed(&known_of, |who| who.as_bytes()[0] == blocked, after, max);
                if !page.deeper.is_empty() {
                    page.deeper.iter().for_each(|at| known_of[*at] = whole[*at].clone());
                    continue;
                }
                shown.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(shown, model(&things, blocked));
        }

        #[test]
        fn a_mark_reads_back(thing in (any::<u64>(), any::<u8>())) {
            let mark = Mark::of(&Thing(thing.0, thing.1, 0));
            prop_assert_eq!(mark.to_string().parse(), Ok(mark));
        }
    }

    #[test]
    fn a_source_is_read_no_further_than_the_page_needs() {
        let source = |stamps: &[u64], all| Source {
            items: stamps.iter().map(|at| Thing(*at, *at as u8, 0)).collect(),
            all,
        };
        let sources = [source(&[9, 8, 7], false), source(&[6, 5], false), source(&[4], true)];
        let page = |max| feed(&sources, |_| false, None, max);
        assert_eq!(page(2).deeper, [0usize; 0]);
        assert_eq!(page(3).deeper, [0usize; 0]);
        assert_eq!(page(4).deeper, [0]);
        assert_eq!(page(9).deeper, [0, 1]);
        assert!("12".parse::<Mark>().is_err());
    }
}
