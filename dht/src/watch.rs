//! [`Dht::watch`]: waiting for a key's values to change.

use std::time::Duration;

use base::{Entry, EntryId, Key, Lifetime, Place};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::cursor::Cursor;
use crate::handle::Dht;
use crate::overlay::read::Consistency;
use crate::watches::{Waiting, Watches};
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
        let node = self.node();
        node.meters.watches.add(1);
        let deadline = Instant::now() + wait;
        let place = key.place();
        let Some(mut waiting) = Watches::enter(node, place) else {
            let text = "this super-node watches as many keys as it may; try again later";
            return Err(DhtError::OverCapacity(text.into()));
        };
        let mut pause = Duration::ZERO;
        loop {
            waiting.state.borrow_and_update();
            let entries = match self.all_entries(place).await {
                Ok(entries) => entries,
                Err(_) if node.is_leaving() => return Err(stops()),
                // It lasts longer than one read may.
                Err(DhtError::NoQuorum(_)) if Instant::now() < deadline => continue,
                Err(error) => return Err(error),
            };
            let cursor = Cursor::of(&entries);
            if since != Some(cursor) || Instant::now() >= deadline {
                return Ok(Watched { values: live(entries), cursor });
            }
            sleep(pause).await;
            let mut stopping = node.stopping.subscribe();
            let reason = tokio::select! {
                reason = until_reason_to_look(&mut waiting, &entries, deadline) => reason,
                _ = stopping.wait_for(|stopping| *stopping) => return Err(stops()),
            };
            pause = match reason {
                Reason::Told => (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX),
                Reason::Time => Duration::ZERO,
            };
        }
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

fn stops() -> DhtError {
    DhtError::NoQuorum("this super-node is stopping; watch at another one".into())
}

/// Why to look again.
enum Reason {
    Told,
    Time,
}

async fn until_reason_to_look(
    waiting: &mut Waiting,
    entries: &[Entry],
    deadline: Instant,
) -> Reason {
    let now = Instant::now();
    let leased = waiting.state.borrow().leased;
    let look = now + if leased { LOOK } else { LOOK_UNLEASED };
    let living = entries.iter().filter(|entry| entry.is_live());
    let expiry = living
        .map(Entry::remaining)
        .min()
        .map(|left: Lifetime| now + Duration::from(left) + AFTER_EXPIRY);
    let until = expiry.map_or(look, |expiry| look.min(expiry)).min(deadline);
    let mut seen = *waiting.state.borrow();
    loop {
        match timeout_at(until, waiting.state.changed()).await {
            Ok(Ok(())) => {
                let state = *waiting.state.borrow_and_update();
                if state.changes != std::mem::replace(&mut seen, state).changes {
                    return Reason::Told;
                }
            }
            // Never closed while somebody waits.
            Ok(Err(_)) => {
                sleep_until(until).await;
                return Reason::Time;
            }
            Err(_) => return Reason::Time,
        }
    }
}

fn live(entries: Vec<Entry>) -> Vec<Found> {
    let found = |entry: Entry| {
        let (id, remaining) = (entry.id(), entry.remaining());
        entry.shown().map(|value| Found { id, value, remaining })
    };
    entries.into_iter().filter_map(found).collect()
}
