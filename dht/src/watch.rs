//! [`Dht::watch`]: waiting for a key's values to change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::{Entry, EntryId, Key, Lifetime, Place};
use futures::future::try_join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::cursor::Cursor;
use crate::handle::Dht;
use crate::overlay::operation::RETRY;
use crate::overlay::read::Consistency;
use crate::watches::seen::Seen;
use crate::watches::{Waiting, Watches};
use crate::wire::{Get, LISTING_BYTES, LISTING_ENTRIES};
use crate::{DhtError, Found};

/// Between two looks at a key that is said to change and does not, at most.
const PAUSE_MAX: Duration = Duration::from_secs(1);
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// Keys of one [`Dht::watch_any`] that are read at a time: what is read is looked at and forgotten, so that
/// one caller has at most so many keys' values in memory.
const READS_AT_ONCE: usize = 16;

/// The state of a key's values at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// All values, in the order of their ids.
    pub values: Vec<Found>,
    /// What to give to [`Dht::watch`] to wait for another state than this.
    pub cursor: Cursor,
}

/// One of the keys of [`Dht::watch_any`] whose state is another than was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which of the keys it is, by its number.
    pub at: usize,
    /// Names its state now.
    pub cursor: Cursor,
    /// All its values in that state, in the order of their ids, if they were asked for and there was room.
    pub values: Option<Vec<Found>>,
}

impl Dht {
    /// Waits until a key's values are others than at `since`, and returns them; at once if they are, or
    /// if there is no `since`. After `wait` it returns them as they are. What changes and changes back
    /// meanwhile may be missed: this is of states, not of events.
    ///
    /// Whoever calls it again within half a minute misses nothing between the calls and costs the
    /// replicas nothing. It goes on through the death of replicas. However many wait for one key at this
    /// node, a change is read for them all together.
    ///
    /// # Errors
    /// [`DhtError::NoQuorum`] when too few replicas answered until the end of `wait`,
    /// [`DhtError::OverCapacity`] when this node watches as many keys as it may.
    pub async fn watch(
        &self,
        key: &Key,
        since: Option<Cursor>,
        wait: Duration,
    ) -> Result<Watched, DhtError> {
        let deadline = Instant::now() + wait;
        let mut look = Look::begin(self, key.place())?;
        loop {
            let seen = look.see(self, since, deadline, Needs::State).await?;
            if since != Some(seen.cursor) || Instant::now() >= deadline {
                // Somebody else's entries may not have been kept.
                if let Some(values) = values_of(&seen) {
                    return Ok(Watched { values, cursor: seen.cursor });
                }
                continue;
            }
            // Whoever waits keeps nothing of what it read.
            drop(seen);
            look.until_reason(self, deadline).await?;
        }
    }

    /// Waits until the values of one of these keys are others than at the key's cursor, and says of which,
    /// and what their cursors are now; at once for those that have no cursor. After `wait` it says none.
    /// With those that changed it gives their values, as long as they come to at most so many bytes in all.
    ///
    /// # Errors
    /// As [`Dht::watch`]; one key that cannot be read ends it for all.
    pub async fn watch_any(
        &self,
        keys: &[(Key, Option<Cursor>)],
        wait: Duration,
        bytes: usize,
    ) -> Result<Vec<Changed>, DhtError> {
        let deadline = Instant::now() + wait;
        let reads = Reads { turns: Semaphore::new(READS_AT_ONCE), bytes: AtomicUsize::new(bytes) };
        let mut looks = Vec::with_capacity(keys.len());
        for (key, since) in keys {
            looks.push((Look::begin(self, key.place())?, *since));
        }
        let firsts =
            looks.iter_mut().map(|(look, since)| look.differs(self, *since, deadline, &reads));
        let firsts = try_join_all(firsts).await?;
        let differ: Vec<Changed> = numbered(firsts).collect();
        if !differ.is_empty() || Instant::now() >= deadline {
            return Ok(differ);
        }
        let waiting = looks.iter_mut().enumerate().map(|(at, (look, since))| {
            let reads = &reads;
            async move {
                loop {
                    look.until_reason(self, deadline).await?;
                    let differs = look.differs(self, *since, deadline, reads).await?;
                    if differs.is_some() || Instant::now() >= deadline {
                        return Ok(differs.map(|differs| Changed { at, ..differs }));
                    }
                }
            }
        });
        let mut waiting: FuturesUnordered<_> = waiting.collect();
        let mut differ = Vec::new();
        while let Some(waited) = waiting.next().await {
            differ.extend(waited?);
            if !differ.is_empty() {
                break;
            }
        }
        // Others may have changed with it.
        while let Some(Some(Ok(differs))) = waiting.next().now_or_never() {
            differ.extend(differs);
        }
        differ.sort_unstable_by_key(|changed| changed.at);
        Ok(differ)
    }

    /// All entries under a place, removals included.
    async fn all_entries(self, place: Place) -> Result<Vec<Entry>, DhtError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let after: Option<EntryId> = entries.last().map(Entry::id);
            let get =
                Get { place, after, until: None, entries: LISTING_ENTRIES, bytes: LISTING_BYTES };
            let part = self.read(get, Consistency::Quorum).await?;
            entries.extend(part.entries);
            if !part.more {
                return Ok(entries);
            }
        }
    }
}

/// Somebody who looks at a place now and then.
struct Look {
    place: Place,
    waiting: Waiting,
    /// What was seen last, without its entries.
    seen: Option<Seen>,
    pause: Duration,
}

/// What a look is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// To know whether there is another state.
    Cursor,
    /// The same, and its values.
    Change,
    /// The values of whatever state there is at the end of the wait.
    State,
}

/// What the looks of one caller share.
struct Reads {
    turns: Semaphore,
    /// Bytes of values that may still be given.
    bytes: AtomicUsize,
}

impl Reads {
    /// The values, if they may still be given.
    fn take(&self, seen: &Seen) -> Option<Vec<Found>> {
        let values = values_of(seen)?;
        let each = values.iter().map(|found| EntryId::LEN + found.value.as_bytes().len());
        let bytes = each.sum();
        let take = |left: usize| left.checked_sub(bytes).filter(|_| left > 0);
        let taken = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.is_ok().then_some(values)
    }
}

impl Look {
    fn begin(dht: &Dht, place: Place) -> Result<Look, DhtError> {
        let node = dht.node();
        node.meters.watches.add(1);
        let Some(waiting) = Watches::enter(node, place) else {
            let text = "this super-node watches as many keys as it may; try again later";
            return Err(DhtError::OverCapacity(text.into()));
        };
        Ok(Look { place, waiting, seen: None, pause: Duration::ZERO })
    }

    /// What there is, as far as all that was told until now goes; read again until the deadline if that fails.
    async fn see(
        &mut self,
        dht: &Dht,
        since: Option<Cursor>,
        deadline: Instant,
        needs: Needs,
    ) -> Result<Seen, DhtError> {
        let is_enough = |seen: &Seen| {
            let is_same = since == Some(seen.cursor);
            seen.entries.is_some()
                || match needs {
                    Needs::Cursor => true,
                    Needs::Change => is_same,
                    Needs::State => is_same && Instant::now() < deadline,
                }
        };
        loop {
            // Before it looks: of what changes while it does it will be told.
            self.waiting.state.mark_unchanged();
            let known = since.and_then(|since| self.waiting.known(&since)).filter(is_enough);
            let seen = match known {
                Some(known) => Ok(known),
                None => {
                    let entries = dht.clone().all_entries(self.place);
                    self.waiting.read(since.as_ref(), entries).await
                }
            };
            match seen {
                Ok(seen) => {
                    self.seen = Some(seen.without_entries());
                    return Ok(seen);
                }
                Err(_) if dht.node().is_leaving() => return Err(stops()),
                // It lasts longer than one read may.
                Err(DhtError::NoQuorum(_)) if Instant::now() < deadline => {
                    sleep_until(deadline.min(Instant::now() + RETRY)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What there is, if that is another state than `since`.
    async fn differs(
        &mut self,
        dht: &Dht,
        since: Option<Cursor>,
        deadline: Instant,
        reads: &Reads,
    ) -> Result<Option<Changed>, DhtError> {
        // Never closed.
        let _turn = reads.turns.acquire().await;
        let needs = match reads.bytes.load(Ordering::Relaxed) {
            0 => Needs::Cursor,
            _ => Needs::Change,
        };
        let seen = self.see(dht, since, deadline, needs).await?;
        let differs = since != Some(seen.cursor);
        Ok(differs.then(|| Changed { at: 0, cursor: seen.cursor, values: reads.take(&seen) }))
    }

    /// Waits until there is reason to read again, or the deadline.
    async fn until_reason(&mut self, dht: &Dht, deadline: Instant) -> Result<(), DhtError> {
        sleep(self.pause).await;
        let mut stopping = dht.node().stopping.subscribe();
        let reason = tokio::select! {
            reason = self.until_told(deadline) => reason,
            _ = stopping.wait_for(|stopping| *stopping) => return Err(stops()),
        };
        self.pause = match reason {
            Reason::Told => (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX),
            Reason::Time => Duration::ZERO,
        };
        Ok(())
    }

    async fn until_told(&mut self, deadline: Instant) -> Reason {
        let leased = self.waiting.state.borrow().leased;
        let Some(seen) = &self.seen else { return Reason::Time };
        let until = seen.good_until(leased).min(deadline);
        loop {
            let state = *self.waiting.state.borrow_and_update();
            if state.changes != seen.told {
                return Reason::Told;
            }
            match timeout_at(until, self.waiting.state.changed()).await {
                Ok(Ok(())) => {}
                // Never closed while somebody waits.
                Ok(Err(_)) => {
                    sleep_until(until).await;
                    return Reason::Time;
                }
                Err(_) => return Reason::Time,
            }
        }
    }
}

/// Why to look again.
enum Reason {
    Told,
    Time,
}

fn stops() -> DhtError {
    DhtError::NoQuorum("this super-node is stopping; watch at another one".into())
}

/// Those that there are, with their numbers.
fn numbered(all: Vec<Option<Changed>>) -> impl Iterator<Item = Changed> {
    all.into_iter().enumerate().filter_map(|(at, changed)| Some(Changed { at, ..changed? }))
}

/// The values that were seen, with what is left of their lives now.
fn values_of(seen: &Seen) -> Option<Vec<Found>> {
    let entries = seen.entries.as_ref()?;
    let age = u64::try_from(seen.ended.elapsed().as_millis()).unwrap_or(u64::MAX);
    let found = |entry: &Entry| {
        let remaining = entry.remaining().as_millis().saturating_sub(age);
        let remaining = Lifetime::from_millis(remaining);
        entry.shown().map(|value| Found { id: entry.id(), value, remaining })
    };
    Some(entries.iter().filter_map(found).collect())
}
