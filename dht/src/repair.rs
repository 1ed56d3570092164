//! Repair: copying from another replica what it has and this node should, found by digests of ranges
//! ([`crate::overlay::reconcile`]).

use std::sync::Arc;
use std::time::Duration;

use base::{Entry, EntryId, Place};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use crate::claims;
use crate::node::Node;
use crate::overlay::Peer;
use crate::overlay::filling::{PullEnd, Scope};
use crate::overlay::reconcile::{Reconcile, Step, is_kept};
use crate::overlay::share::in_common;
use crate::overlay::view::View;
use crate::prefix::Prefix;
use crate::serve::{NEAR, question};
use crate::sketch::{Item, SYMBOLS_MAX};
use crate::store::{
    Applied, Bounds, Digest, Fingerprint, NoRoom, READ_MAX, Sketched, StoreError, sketch_of,
};
use crate::wire::{HAVE_MAX, Pull, Pulled, RangeAnswer, RangeQuery, Refusal, Reply, Request};

/// How long an answer may take, and how often a question is asked again without one: either may be lost.
const ANSWER: Duration = Duration::from_secs(3);
const TRIES: u32 = 3;
/// How long all of it may take; what is left the next one brings.
const REPAIR_MAX: Duration = Duration::from_secs(120);
/// Bytes of entries one repair copies in a second, so that the air is left to others.
const RATE: u64 = 8 * 1024 * 1024;
/// While the other has no time for it.
const LATER: Duration = Duration::from_millis(100);
/// How often one question is asked again for that.
const LATER_MAX: u32 = 20;

/// Why a repair ended before all was here.
struct Ended(PullEnd);

/// Copies what a member has that this node should keep and lacks. Where `departed` members kept something
/// there are the fewest copies: there it begins, else at another place with each turn.
pub(crate) async fn repair(
    node: Arc<Node>,
    peer: Arc<Peer>,
    scope: Scope,
    (departed, turn): (Vec<Place>, usize),
) -> PullEnd {
    let view = node.view.load_full();
    let with = if scope == Scope::Mine { view.me().place } else { peer.place };
    let ranges = in_common(&view, &with, NEAR);
    let ranges = in_order(ranges, &view, &departed, turn);
    let mut repair =
        Repair { node, peer, reconcile: Reconcile::new(ranges, scope != Scope::Routine) };
    // A part that leads nowhere, again and again, must not hold a place among the few repairs.
    match timeout(REPAIR_MAX, repair.run()).await {
        Ok(Ok(())) => PullEnd::Done,
        Ok(Err(Ended(end))) => end,
        Err(_) => PullEnd::Failed,
    }
}

/// Ranges that more of the departed kept come first; of the others, the order changes from turn to turn,
/// so that whatever one repair does not come to another does.
fn in_order(mut ranges: Vec<Prefix>, view: &View, departed: &[Place], turn: usize) -> Vec<Prefix> {
    let begin = turn % ranges.len().max(1);
    ranges.rotate_left(begin);
    let kept = |range: &Prefix| {
        let kept = departed.iter().filter(|place| view.rank(range.first(), place) < NEAR);
        std::cmp::Reverse(kept.count())
    };
    if !departed.is_empty() {
        ranges.sort_by_cached_key(kept);
    }
    ranges
}

struct Repair {
    node: Arc<Node>,
    peer: Arc<Peer>,
    reconcile: Reconcile,
}

impl Repair {
    async fn run(&mut self) -> Result<(), Ended> {
        loop {
            match self.reconcile.next() {
                Step::Done => return Ok(()),
                Step::Compare(ranges) => self.compare(ranges).await?,
                Step::Sketch(queries) => self.sketch(queries).await?,
                Step::Fetch(items) => self.fetch(items).await?,
                Step::Copy(ranges) => self.copy_all(ranges).await?,
            }
        }
    }

    async fn compare(&mut self, ranges: Vec<Prefix>) -> Result<(), Ended> {
        self.node.meters.ranges_compared.add(ranges.len() as u64);
        let queries = ranges.iter().copied().map(RangeQuery::digest).collect();
        let theirs = self.digests(queries).await?;
        let mine: Option<Vec<Digest>> =
            ranges.iter().map(|range| self.node.store.digest(range)).collect();
        let Some(mine) = mine else { return Err(Ended(PullEnd::Later)) };
        let fits = self.reconcile.compared(&theirs, &mine);
        self.expect(fits, "its digests are not those asked for")
    }

    /// Asks for symbols. Of a range that is begun with all that this side will need is made now, so that
    /// what is written meanwhile changes nothing.
    async fn sketch(&mut self, queries: Vec<RangeQuery>) -> Result<(), Ended> {
        self.node.meters.symbols_compared.add(queries.iter().map(|q| q.symbols as u64).sum());
        let asked = Instant::now();
        let theirs = self.digests(queries.clone()).await?;
        let mut left = READ_MAX;
        let store = &*self.node.store;
        let mine: Result<Vec<Option<Sketched>>, StoreError> = queries
            .iter()
            .map(|query| match query.after {
                0 => sketch_of(store, &query.range, SYMBOLS_MAX, &mut left),
                _ => Ok(None),
            })
            .collect();
        let mine = mine.map_err(|error| self.failed(&error))?;
        let fits = self.reconcile.sketched(&theirs, mine);
        self.expect(fits, "its symbols are not those asked for")?;
        // As for copies, if much had to be read for it.
        if !queries.iter().all(|query| is_kept(&query.range)) {
            sleep(asked.elapsed()).await;
        }
        Ok(())
    }

    async fn digests(&self, queries: Vec<RangeQuery>) -> Result<Vec<RangeAnswer>, Ended> {
        match self.ask(Request::Digests(queries)).await? {
            Reply::Digests(answers) => Ok(answers),
            _ => Err(Ended(PullEnd::Failed)),
        }
    }

    /// Copies these entries, but for those that are here.
    async fn fetch(&mut self, mut items: Vec<Item>) -> Result<(), Ended> {
        let here = held(&self.node, &items).map_err(|error| self.failed(&error))?;
        items.retain(|item| here.binary_search(&item.mark()).is_err());
        let mut ranges: Vec<Prefix> = items.iter().map(|item| item.range()).collect();
        ranges.dedup();
        let want = items.iter().map(|item| item.mark()).collect();
        let left = self.copy(Pull { ranges, after: None, have: Vec::new(), want }).await?;
        // What has changed there meanwhile has another mark; this node will say that it has all.
        items.retain(|item| left.contains(&item.mark()));
        let mut ranges: Vec<Prefix> = items.iter().map(|item| item.range()).collect();
        ranges.dedup();
        self.copy_all(ranges).await
    }

    /// Copies all that is in these ranges, but for what is here.
    async fn copy_all(&mut self, ranges: Vec<Prefix>) -> Result<(), Ended> {
        let have = marks(&self.node, &ranges).map_err(|error| self.failed(&error))?;
        self.copy(Pull { ranges, after: None, have, want: Vec::new() }).await.map(|_| ())
    }

    /// Copies what is asked for, part by part; what was wanted and not given.
    async fn copy(&mut self, mut pull: Pull) -> Result<Vec<u64>, Ended> {
        let only = !pull.want.is_empty();
        while !pull.ranges.is_empty() {
            let asked = Instant::now();
            let Reply::Pulled(part) = self.ask(Request::Pull(pull.clone())).await? else {
                return Err(Ended(PullEnd::Failed));
            };
            let Pulled { entries, next } = part;
            // A part that leads nowhere would be asked for without end; what was not asked for is
            // of no use.
            let mark = |(place, entry): &(Place, Entry)| Fingerprint::of(place, entry).mark();
            let given: Vec<u64> = entries.iter().filter(|_| only).map(mark).collect();
            let asked_for =
                |(place, _): &(Place, Entry)| pull.ranges.iter().any(|range| range.contains(place));
            let fits = entries.iter().all(asked_for)
                && given.iter().all(|mark| pull.want.contains(mark))
                && (next.is_none() || next > pull.after);
            self.expect(fits, "it does not give the entries it was asked for")?;
            let bytes: u64 = entries.iter().map(|(_, entry)| entry.cost() as u64).sum();
            let count = take(&self.node, entries).await.map_err(|error| self.failed(&error))?;
            self.node.meters.entries_pulled.add(count);
            if count > 0 {
                self.reconcile.brought_news();
            }
            pull.want.retain(|mark| !given.contains(mark));
            let Some((place, _)) = next else { break };
            pull.after = next;
            pull.ranges.retain(|range| *range.places().end() >= place);
            if only && pull.want.is_empty() {
                break;
            }
            // Requests come first: half of the time at least is theirs.
            sleep(asked.elapsed().max(Duration::from_micros(bytes * 1_000_000 / RATE))).await;
        }
        Ok(pull.want)
    }

    /// Ends the repair unless the other has said what it was asked.
    fn expect(&self, fits: bool, what: &str) -> Result<(), Ended> {
        if fits {
            return Ok(());
        }
        self.node.meters.malformed.add(1);
        self.node.complain(&self.peer, what);
        Err(Ended(PullEnd::Failed))
    }

    async fn ask(&self, request: Request) -> Result<Reply, Ended> {
        let (mut laters, mut silences) = (0, 0);
        while laters < LATER_MAX {
            match question(&self.node, &self.peer, request.clone(), ANSWER).await {
                Some(Ok(Reply::Refused { why: Refusal::Later, .. })) => {
                    laters += 1;
                    sleep(LATER).await;
                }
                Some(Ok(reply)) => return Ok(reply),
                None if silences + 1 < TRIES => silences += 1,
                Some(Err(_)) | None => return Err(Ended(PullEnd::Failed)),
            }
        }
        Err(Ended(PullEnd::Later))
    }

    fn failed(&self, error: &StoreError) -> Ended {
        let from = self.peer.id;
        if let StoreError::OverCapacity(what) = error {
            warn!(%from, %what, "not all can be kept that should be");
            return Ended(PullEnd::NoRoom);
        }
        warn!(%from, %error, "copying entries failed");
        Ended(PullEnd::Failed)
    }
}

/// The marks of what is here in some ranges: of the first so many.
fn marks(node: &Node, ranges: &[Prefix]) -> Result<Vec<u64>, StoreError> {
    let mut marks = Vec::new();
    for range in ranges {
        let mut after: Option<(Place, EntryId)> = None;
        loop {
            let limit = HAVE_MAX - marks.len();
            if limit == 0 {
                return Ok(marks);
            }
            let part = node.store.outline(&range.places(), after, limit)?;
            after = part.entries.last().map(|(place, id, _)| (*place, *id));
            marks.extend(part.entries.iter().map(|(_, _, fingerprint)| fingerprint.mark()));
            if !part.more {
                break;
            }
        }
    }
    Ok(marks)
}

/// The marks of what is here where these items lie, which are in order, and so are they: of so many that
/// it hardly ever is not all.
fn held(node: &Node, items: &[Item]) -> Result<Vec<u64>, StoreError> {
    let mut ranges: Vec<Prefix> = items.iter().map(|item| item.range()).collect();
    ranges.dedup();
    let mut marks = marks(node, &ranges)?;
    marks.sort_unstable();
    Ok(marks)
}

/// Merges copies into the store; how many were news to it.
async fn take(node: &Node, entries: Vec<(Place, Entry)>) -> Result<u64, StoreError> {
    let view = node.view.load_full();
    let mut writes = FuturesUnordered::new();
    for (place, entry) in entries {
        // Nobody else's entries are taken, whoever offers them.
        if view.copies(&place, NEAR) {
            node.observe(&entry);
            let signed = entry.as_signed().is_some().then(|| entry.clone());
            let applied = node.store.apply_within(place, entry, Bounds::REPAIR);
            writes.push(async move { (place, signed, applied.await) });
        }
    }
    let mut count = 0;
    while let Some((place, signed, applied)) = writes.next().await {
        if let Some(signed) = signed {
            claims::touched(node, &place, &signed);
        }
        match applied {
            Ok(Applied::Stored { .. }) => {
                count += 1;
                node.leases.changed(&place, None);
            }
            Ok(Applied::Stale(_) | Applied::EndsSooner(_)) => {}
            // One that could not be made honestly is nobody's loss.
            Err(StoreError::VersionJump { .. }) => {}
            // A key and an author have their limits at every replica; the entries after it are no worse for it.
            Err(StoreError::OverCapacity(
                NoRoom::KeyEntries | NoRoom::KeyBytes | NoRoom::Author(_),
            )) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
