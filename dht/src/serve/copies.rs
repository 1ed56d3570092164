//! What a replica gives another that compares what both keep, and copies what it lacks
//! ([`crate::repair`]).

use std::ops::Bound;
use std::sync::Arc;

use base::{Entry, EntryId, NodeId, Place};

use super::{NEAR, refused};
use crate::link::Response;
use crate::node::Node;
use crate::overlay::reconcile::is_kept;
use crate::prefix::Prefix;
use crate::store::{Fingerprint, ListLimit, READ_MAX, Store, StoreError, sketch_of};
use crate::wire::{Pull, Pulled, RangeAnswer, RangeQuery, Refusal, Reply};

/// Requests that read much served at once.
pub(crate) const PULLS_MAX: usize = 4;
/// What one part of a pull looks at, in entries and bytes: some milliseconds' work.
const PULL: ListLimit = ListLimit { entries: 512, bytes: 128 * 1024 };

/// The digests of ranges, and symbols of their sketches.
pub(super) fn compare(node: &Arc<Node>, from: NodeId, queries: Vec<RangeQuery>) -> Response {
    let symbols = |query: &RangeQuery| query.symbols > 0;
    if queries.iter().any(symbols) && node.view.load().member(&from).is_none() {
        return Response::Now(unknown());
    }
    if queries.iter().all(|query| !symbols(query) || is_kept(&query.range)) {
        return Response::Now(answers(&*node.store, &queries));
    }
    when_there_is_time(node, move |node| answers(&*node.store, &queries))
}

/// What `from` should have and lacks.
pub(super) fn pull(node: &Arc<Node>, from: NodeId, wanted: Pull) -> Response {
    when_there_is_time(node, move |node| pulled(node, from, wanted))
}

/// Some at a time: whoever asks for little must not wait for many who ask for much.
fn when_there_is_time(
    node: &Arc<Node>,
    work: impl FnOnce(&Node) -> Reply + Send + 'static,
) -> Response {
    let Ok(permit) = Arc::clone(&node.pulls).try_acquire_owned() else {
        return Response::Now(Reply::refused(
            Refusal::Later,
            "others are being given copies; try again",
        ));
    };
    let node = Arc::clone(node);
    Response::Later(Box::pin(async move {
        let _permit = permit;
        work(&node)
    }))
}

fn answers(store: &dyn Store, queries: &[RangeQuery]) -> Reply {
    let mut left = READ_MAX;
    let answers: Result<Option<Vec<RangeAnswer>>, StoreError> =
        queries.iter().map(|query| answer(store, query, &mut left)).collect();
    match answers.map(|answers| answers.map(Reply::Digests)) {
        Ok(Some(reply)) => reply,
        Ok(None) => Reply::refused(Refusal::Later, "this super-node has just started; try again"),
        Err(error) => refused(&error),
    }
}

/// `None` while the digests are being made.
fn answer(
    store: &dyn Store,
    query: &RangeQuery,
    left: &mut u64,
) -> Result<Option<RangeAnswer>, StoreError> {
    if query.symbols > 0
        && let Some(sketched) = sketch_of(store, &query.range, query.after + query.symbols, left)?
    {
        let symbols = sketched.sketch.symbols().iter().skip(query.after).copied().collect();
        return Ok(Some(RangeAnswer { digest: sketched.digest, symbols }));
    }
    let digest = store.digest(&query.range);
    Ok(digest.map(|digest| RangeAnswer { digest, symbols: Vec::new() }))
}

/// Only once this node counts the asker as a member: from then on it takes no writes that are for the
/// other.
fn pulled(node: &Node, from: NodeId, wanted: Pull) -> Reply {
    let view = node.view.load();
    let Some(asker) = view.member(&from) else { return unknown() };
    let asker = asker.peer.place;
    // The asker decides what it keeps; it may know already that somebody is gone.
    let is_theirs = |place: &Place| view.coarse_rank(place, &asker, NEAR) < NEAR + 2;
    let Pull { ranges, after, mut have, mut want } = wanted;
    have.sort_unstable();
    want.sort_unstable();
    let (mut entries, mut left, mut last) = (Vec::new(), PULL, None);
    for range in ranges {
        let part = if want.is_empty() {
            part(&*node.store, &range, after, left, &have)
        } else {
            wanted_part(&*node.store, &range, after, left, &want)
        };
        let part = match part {
            Ok(part) => part,
            Err(error) => return refused(&error),
        };
        left.entries = left.entries.saturating_sub(part.read.entries);
        left.bytes = left.bytes.saturating_sub(part.read.bytes);
        last = part.last.or(last);
        entries.extend(part.entries.into_iter().filter(|(place, _)| is_theirs(place)));
        if part.more || left.entries == 0 || left.bytes == 0 {
            return Reply::Pulled(Pulled { entries, next: last });
        }
    }
    Reply::Pulled(Pulled { entries, next: None })
}

/// What was read of a range.
struct Part {
    entries: Vec<(Place, Entry)>,
    /// The last entry that was looked at.
    last: Option<(Place, EntryId)>,
    more: bool,
    read: ListLimit,
}

/// All but the entries of these marks.
fn part(
    store: &dyn Store,
    range: &Prefix,
    after: Option<(Place, EntryId)>,
    limit: ListLimit,
    have: &[u64],
) -> Result<Part, StoreError> {
    let scanned = store.scan(&range.places(), after, limit)?;
    let last = scanned.entries.last().map(|(place, entry)| (*place, entry.id()));
    let bytes = scanned.entries.iter().map(|(_, entry)| entry.cost()).sum();
    let read = ListLimit { entries: scanned.entries.len(), bytes };
    let mut entries = scanned.entries;
    entries.retain(|(place, entry)| {
        have.binary_search(&Fingerprint::of(place, entry).mark()).is_err()
    });
    Ok(Part { entries, last, more: scanned.more, read })
}

/// The entries of these marks. Values of others are not read.
fn wanted_part(
    store: &dyn Store,
    range: &Prefix,
    after: Option<(Place, EntryId)>,
    limit: ListLimit,
    want: &[u64],
) -> Result<Part, StoreError> {
    let outline = store.outline(&range.places(), after, limit.entries)?;
    let mut part = Part {
        entries: Vec::new(),
        last: None,
        more: outline.more,
        read: ListLimit { entries: 0, bytes: 0 },
    };
    for (place, id, fingerprint) in outline.entries {
        if want.binary_search(&fingerprint.mark()).is_ok() {
            let only = (Bound::Included(id), Bound::Included(id));
            let one = ListLimit { entries: 1, bytes: usize::MAX };
            let listed = store.list(&place, only, one)?.entries;
            let bytes: usize = listed.iter().map(Entry::cost).sum();
            // One may be given in any case, else nothing ever would.
            if part.read.bytes + bytes > limit.bytes && part.last.is_some() {
                part.more = true;
                break;
            }
            part.read.bytes += bytes;
            part.entries.extend(listed.into_iter().map(|entry| (place, entry)));
        }
        part.read.entries += 1;
        part.last = Some((place, id));
    }
    Ok(part)
}

fn unknown() -> Reply {
    Reply::refused(Refusal::Later, "this super-node does not know you yet; try again")
}

#[cfg(test)]
mod tests {
    use base::{Key, Lifetime, SecretTag, Value, Version};

    use super::*;
    use crate::sketch::SYMBOLS_MAX;
    use crate::store::{LEAF_BITS, MemoryOptions, MemoryStore, SKETCH_BITS};
    use crate::{ManualClock, Reading};

    async fn store(places: impl IntoIterator<Item = Place>, values: u32) -> MemoryStore {
        let clock = ManualClock::new(Reading { boot: None, since_boot_ms: 0, wall_ms: 0 });
        let store = MemoryStore::new(MemoryOptions::default(), clock);
        for place in places {
            for n in 0..values {
                let value = Value::new(format!("{n:1000}")).unwrap();
                let life = Lifetime::from_millis(1000);
                let entry = Entry::live(value, SecretTag::NONE, Version::new(1), life);
                store.apply(place, entry).await.unwrap();
            }
        }
        store
    }

    #[tokio::test]
    async fn what_is_wanted_is_given_once_part_by_part() {
        let place = Key::new("a key").unwrap().place();
        let store = store([place], 40).await;
        let range = Prefix::of(&place, 32);
        let all = store.outline(&range.places(), None, 100).unwrap().entries;
        let mut want: Vec<u64> = all.iter().step_by(2).map(|(_, _, print)| print.mark()).collect();
        want.sort_unstable();
        for limit in [(100, 5000), (100, 1), (3, 100_000), (1, 1)] {
            let limit = ListLimit { entries: limit.0, bytes: limit.1 };
            let (mut given, mut after) = (Vec::new(), None);
            loop {
                let part = wanted_part(&store, &range, after, limit, &want).unwrap();
                let bytes: usize = part.entries.iter().map(|(_, entry)| entry.cost()).sum();
                assert!(bytes <= limit.bytes || part.entries.len() == 1);
                assert!(part.last > after, "it goes on");
                given.extend(part.entries);
                after = part.last;
                if !part.more {
                    break;
                }
            }
            let mut marks: Vec<u64> =
                given.iter().map(|(place, entry)| Fingerprint::of(place, entry).mark()).collect();
            marks.sort_unstable();
            assert_eq!(marks, want);
        }
    }

    #[tokio::test]
    async fn no_more_is_read_for_symbols_than_may_be() {
        let places = |bits: usize| {
            let all = (0u32..).map(|n| Key::new(n.to_string()).unwrap().place());
            all.filter(move |place| Prefix::of(place, bits).first().as_bytes()[0] == 0).take(3)
        };
        let store = store(places(LEAF_BITS), 1000).await;
        let query = |bits| {
            let ranges = places(LEAF_BITS).map(move |place| Prefix::of(&place, bits));
            let query = |range| RangeQuery { range, after: 2, symbols: SYMBOLS_MAX - 2 };
            ranges.cycle().take(6).map(query).collect::<Vec<_>>()
        };
        let given = |bits| {
            let Reply::Digests(answers) = answers(&store, &query(bits)) else { panic!("refused") };
            assert!(answers.iter().all(|answer| answer.digest.count >= 1000));
            answers.iter().filter(|answer| answer.symbols.len() == SYMBOLS_MAX - 2).count()
        };
        assert_eq!(given(SKETCH_BITS), 6, "nothing is read for these");
        assert_eq!(given(LEAF_BITS), 4, "as many as fit into 4,096 entries");
    }
}
