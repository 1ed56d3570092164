//! [`Alerts`]: what happens in the communities somebody follows, told as it happens.
//!
//! ```text
//! watch all bells ─► what hangs at those that changed ─► Ear: what is new ─► of members? ─► alerts
//!      ▲             (long ones are read, at once)  │                        └► view read anew
//!      └───────────── cursors of what was heard ◄───┘
//! ```
//!
//! One key is watched for each community, and tells what is there: what a follower costs does not grow with
//! what the community has. States between two looks are told together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Key, PublicKey};
use tokio::time::Instant;

use crate::bell::{Chime, Ear, Kind, Ring};
use crate::community::{CommunityError, View};
use crate::keys::{self, CommunityId, ThingId};
use crate::net::Net;
use crate::overlay::{Changed, Cursor, OverlayError, WATCHED_MAX, Watched};
use crate::stamp::Stamp;

/// Most communities followed at once: one watch carries as many keys.
pub const FOLLOWED_MAX: usize = WATCHED_MAX;
/// How long one watch waits: less than what stands between may hold a quiet connection open for.
const WAIT: Duration = Duration::from_secs(25);
/// After somebody unknown rang, until it is looked whether she joined since; doubled each time that was in
/// vain, since strangers can ring as often as they like.
const PATIENCE_MIN: Duration = Duration::from_secs(1);
const PATIENCE_MAX: Duration = Duration::from_secs(30);

/// Something that happened in a community one follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Where.
    pub community: CommunityId,
    /// What the community is called.
    pub title: String,
    /// What happened.
    pub kind: Kind,
    /// The thing's id.
    pub thing: ThingId,
    /// Who did it.
    pub author: PublicKey,
    /// The name she goes by there.
    pub name: String,
    /// When, to be shown.
    pub stamp: Stamp,
    /// The beginning of what was said.
    pub preview: String,
    /// How many of the same author before it went unheard.
    pub missed: u64,
}

/// Waits for what happens in the communities somebody follows.
pub struct Alerts {
    net: Net,
    followed: BTreeMap<CommunityId, Followed>,
}

struct Followed {
    bell: Key,
    cursor: Option<Cursor>,
    ear: Ear,
    view: Option<View>,
    /// Since when the view is what it is.
    read_at: Instant,
    patience: Duration,
    /// When to look again, though nothing changed.
    again: Option<Instant>,
}

impl Alerts {
    /// Of these communities, the first [`FOLLOWED_MAX`] of them.
    pub fn new(net: Net, communities: impl IntoIterator<Item = CommunityId>) -> Alerts {
        let mut alerts = Alerts { net, followed: BTreeMap::new() };
        alerts.follow(communities);
        alerts
    }

    /// Follows these from now on, and no others.
    pub fn follow(&mut self, communities: impl IntoIterator<Item = CommunityId>) {
        let wanted: BTreeSet<CommunityId> = communities.into_iter().take(FOLLOWED_MAX).collect();
        self.followed.retain(|id, _| wanted.contains(id));
        for id in wanted {
            self.followed.entry(id).or_insert_with(|| Followed {
                bell: keys::bell(id),
                cursor: None,
                ear: Ear::default(),
                view: None,
                read_at: Instant::now(),
                patience: PATIENCE_MIN,
                again: None,
            });
        }
    }

    /// Whether no community is followed.
    pub fn is_empty(&self) -> bool {
        self.followed.is_empty()
    }

    /// Waits until something happens and tells it, the oldest first; nothing if that takes longer than some
    /// 25 seconds. What happened before the first call is not told, and nothing is told twice. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    /// The overlay's; calling it again later is right.
    pub async fn next(&mut self) -> Result<Vec<Alert>, OverlayError> {
        let due = self.followed.values().filter_map(|followed| followed.again).min();
        let now = Instant::now();
        let wait = due.map_or(WAIT, |due| WAIT.min(due.saturating_duration_since(now)));
        let watched = self
            .followed
            .values()
            .map(|followed| Watched { key: followed.bell.clone(), cursor: followed.cursor });
        let changed = self.net.watch_values(watched.collect(), wait).await?;
        let mut changed: BTreeMap<Key, Changed> =
            changed.into_iter().map(|changed| (changed.key.clone(), changed)).collect();
        let now = Instant::now();
        // What rang, where the watch told it, and what is to be read.
        let (mut told, mut unread) = (Vec::new(), Vec::new());
        for (id, followed) in &self.followed {
            let is_due = followed.again.is_some_and(|again| again <= now);
            match changed.remove(&followed.bell) {
                Some(Changed { cursor, values: Some(values), .. }) => {
                    told.push((*id, Some(cursor), Ok(self.net.read(&followed.bell, &values))));
                }
                Some(Changed { cursor, .. }) => unread.push((*id, Some(cursor))),
                None if is_due => unread.push((*id, followed.cursor)),
                None => {}
            }
        }
        if !unread.is_empty() {
            let bells = unread.iter().map(|(id, _)| keys::bell(*id)).collect();
            let rings = self.net.records::<Ring>(bells).await;
            told.extend(unread.into_iter().zip(rings).map(|((id, at), rings)| (id, at, rings)));
        }
        let mut alerts = Vec::new();
        for (id, cursor, rings) in told {
            let Some(followed) = self.followed.get_mut(&id) else { continue };
            // A bell that could not be read keeps its cursor, and so is told of again.
            alerts.extend(followed.hear(&self.net, id, &rings?).await);
            followed.cursor = cursor;
        }
        alerts.sort_by_key(|alert| (alert.stamp, alert.thing));
        Ok(alerts)
    }
}

impl Followed {
    /// What of these rings is to be told.
    async fn hear(
        &mut self,
        net: &Net,
        id: CommunityId,
        rings: &[crate::record::Record<Ring>],
    ) -> Vec<Alert> {
        let is_member = |view: &Option<View>, who: &PublicKey| {
            view.as_ref().is_some_and(|view| view.members.has(who))
        };
        let now = Instant::now();
        let unknown = rings.iter().any(|ring| !is_member(&self.view, &ring.author));
        let is_due = self.view.is_none() || now >= self.read_at + self.patience;
        self.again = None;
        let mut are_settled = !unknown;
        if unknown && is_due {
            are_settled = self.read(net, id).await;
            let still = rings.iter().any(|ring| !is_member(&self.view, &ring.author));
            self.patience = if still { PATIENCE_MAX.min(self.patience * 2) } else { PATIENCE_MIN };
        }
        if !are_settled {
            self.again = Some(self.read_at.max(now) + self.patience);
        }
        let new = self.ear.hear(rings, |who| are_settled || is_member(&self.view, who));
        let is_moderated = |chime: &Chime| chime.kind == i32::from(Kind::Moderation);
        if new.iter().flat_map(|new| &new.chimes).any(is_moderated) {
            self.read(net, id).await;
        }
        let Some(view) = &self.view else { return Vec::new() };
        let mut alerts = Vec::new();
        for new in new.into_iter().filter(|new| view.members.has(&new.author)) {
            let mut missed = new.missed;
            for chime in new.chimes {
                let Some(thing) = thing(&chime) else { continue };
                if view.moderation.hides(&thing).is_some() {
                    continue;
                }
                alerts.push(Alert {
                    community: id,
                    title: view.charter.title.clone(),
                    kind: chime.kind(),
                    thing,
                    author: new.author,
                    name: new.name.clone(),
                    stamp: Stamp::from_millis(chime.stamp),
                    preview: chime.preview,
                    missed: std::mem::take(&mut missed),
                });
            }
        }
        alerts
    }

    /// Reads who belongs to the community; whether that could be read.
    async fn read(&mut self, net: &Net, id: CommunityId) -> bool {
        self.read_at = Instant::now();
        match net.community(id).view().await {
            Ok(view) => {
                self.view = Some(view);
                true
            }
            Err(CommunityError::NoSuch(_)) => {
                self.view = None;
                true
            }
            Err(_) => false,
        }
    }
}

fn thing(chime: &Chime) -> Option<ThingId> {
    <[u8; ThingId::LEN]>::try_from(&chime.thing[..]).ok().map(ThingId::from_bytes)
}

#[cfg(test)]
mod tests;
