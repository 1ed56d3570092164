//! [`Dht::watch`]: waiting for a key's values to change.

use std::time::Duration;

use base::{Entry, EntryId, Key, Place};
use futures::future::try_join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::cursor::Cursor;
use crate::handle::Dht;
use crate::overlay::read::Consistency;
use crate::watches::{State, Waiting, Watches};
use crate::wire::{Get, LISTING_BYTES, LISTING_ENTRIES};
use crate::{DhtError, Found};

/// Between two looks that nothing gives reason to, while all replicas would tell of changes.
const LOOK: Duration = Duration::from_secs(30);
/// The same while some would not.
const LOOK_UNLEASED: Duration = Duration::from_secs(5);
/// After an entry's end, until it is looked for whether it is gone.
const AFTER_EXPIRY: Duration = Duration::from_millis(20);
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

impl Dht {
    /// Waits until a key's values are others than at `since`, and returns them; at once if they are, or
    /// if there is no `since`. After `wait` it returns them as they are. What changes and changes back
    /// meanwhile may be missed: this is of states, not of events.
    ///
    /// Whoever calls it again within half a minute misses nothing between the calls and costs the
    /// replicas nothing. It goes on through the death of replicas.
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
            let (entries, cursor) = look.read(self, deadline).await?;
            if since != Some(cursor) || Instant::now() >= deadline {
                return Ok(Watched { values: live(entries), cursor });
            }
            // Whoever waits keeps nothing of what it read.
            drop(entries);
            look.until_reason(self, deadline).await?;
        }
    }

    /// Waits until the values of one of these keys are others than at the key's cursor, and says of which,
    /// by their numbers, and what their cursors are now; at once for those that have no cursor. After `wait`
    /// it says none.
    ///
    /// # Errors
    /// As [`Dht::watch`]; one key that cannot be read ends it for all.
    pub async fn watch_any(
        &self,
        keys: &[(Key, Option<Cursor>)],
        wait: Duration,
    ) -> Result<Vec<(usize, Cursor)>, DhtError> {
        let deadline = Instant::now() + wait;
        let reads = Semaphore::new(READS_AT_ONCE);
        let mut looks = Vec::with_capacity(keys.len());
        for (key, since) in keys {
            looks.push((Look::begin(self, key.place())?, *since));
        }
        let firsts =
            looks.iter_mut().map(|(look, since)| look.differs(self, *since, deadline, &reads));
        let firsts = try_join_all(firsts).await?;
        let differ: Vec<_> = numbered(firsts).collect();
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
                        return Ok((at, differs));
                    }
                }
            }
        });
        let mut waiting: FuturesUnordered<_> = waiting.collect();
        let mut differ = Vec::new();
        while let Some(waited) = waiting.next().await {
            let (at, differs) = waited?;
            differ.extend(differs.map(|cursor| (at, cursor)));
            if !differ.is_empty() {
                break;
            }
        }
        // Others may have changed with it.
        while let Some(Some(Ok((at, differs)))) = waiting.next().now_or_never() {
            differ.extend(differs.map(|cursor| (at, cursor)));
        }
        differ.sort_unstable_by_key(|(at, _)| *at);
        Ok(differ)
    }

    /// All entries under a place, removals included.
    async fn all_entries(&self, place: Place) -> Result<Vec<Entry>, DhtError> {
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
    /// What was told before the last read.
    told: State,
    /// When the first of the values ends that were read last.
    ends: Option<Instant>,
    pause: Duration,
}

impl Look {
    fn begin(dht: &Dht, place: Place) -> Result<Look, DhtError> {
        let node = dht.node();
        node.meters.watches.add(1);
        let Some(waiting) = Watches::enter(node, place) else {
            let text = "this super-node watches as many keys as it may; try again later";
            return Err(DhtError::OverCapacity(text.into()));
        };
        Ok(Look { place, waiting, told: State::default(), ends: None, pause: Duration::ZERO })
    }

    /// Reads the place, again until the deadline if that fails.
    async fn read(
        &mut self,
        dht: &Dht,
        deadline: Instant,
    ) -> Result<(Vec<Entry>, Cursor), DhtError> {
        loop {
            // Before it reads: what changes while it does may not be in what it reads.
            self.told = *self.waiting.state.borrow_and_update();
            match dht.all_entries(self.place).await {
                Ok(entries) => {
                    let living = entries.iter().filter(|entry| entry.is_live());
                    let first = living.map(Entry::remaining).min();
                    let now = Instant::now();
                    self.ends = first.map(|left| now + Duration::from(left) + AFTER_EXPIRY);
                    let cursor = Cursor::of(&entries);
                    return Ok((entries, cursor));
                }
                Err(_) if dht.node().is_leaving() => return Err(stops()),
                // It lasts longer than one read may.
                Err(DhtError::NoQuorum(_)) if Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The cursor, if it is another than `since`.
    async fn differs(
        &mut self,
        dht: &Dht,
        since: Option<Cursor>,
        deadline: Instant,
        reads: &Semaphore,
    ) -> Result<Option<Cursor>, DhtError> {
        // Never closed.
        let _turn = reads.acquire().await;
        let (_, cursor) = self.read(dht, deadline).await?;
        Ok((since != Some(cursor)).then_some(cursor))
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
        let look = Instant::now() + if leased { LOOK } else { LOOK_UNLEASED };
        let until = self.ends.map_or(look, |ends| look.min(ends)).min(deadline);
        loop {
            let state = *self.waiting.state.borrow_and_update();
            if state.changes != self.told.changes {
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
fn numbered(all: Vec<Option<Cursor>>) -> impl Iterator<Item = (usize, Cursor)> {
    all.into_iter().enumerate().filter_map(|(at, cursor)| Some((at, cursor?)))
}

fn live(entries: Vec<Entry>) -> Vec<Found> {
    let found = |entry: Entry| {
        let (id, remaining) = (entry.id(), entry.remaining());
        entry.shown().map(|value| Found { id, value, remaining })
    };
    entries.into_iter().filter_map(found).collect()
}
