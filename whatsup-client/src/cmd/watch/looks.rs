//! [`Looks`]: what is watched, and when each of it is looked at. It decides; [`super::feeder`] does it.
//!
//! ```text
//!            changed                 looked at               rested
//! watched ─────────────► due ─────────────────────► resting ────────► watched
//!    └── for so long that nothing was told ─► due      └── changed meanwhile: due as soon as it has rested
//! ```
//!
//! A watch tells of states, so that nothing is lost by looking once where something changed ten times.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Key;
use tokio::time::Instant;

use crate::author::Author;
use crate::keys::{self, ThingId};
use crate::overlay::{Cursor, WATCHED_MAX, Watched};
use crate::private::Follow;

/// How long one watch waits: so long a super-node that fell silent is not missed.
const WAIT: Duration = Duration::from_secs(15);
/// Before something is looked at again that could not be read.
const AGAIN: Duration = Duration::from_secs(2);
/// A look is followed by so many times what it took before the next of the same: who watches takes a small
/// part of what there is.
const REST_FACTOR: u32 = 10;
/// However long a look took, the next is no later than this after a change.
const REST_MAX: Duration = Duration::from_secs(30);

/// One thing that is looked at by itself. What comes first is watched first, if there is too much to watch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Whom the person follows and blocks.
    Private,
    /// The person's messages.
    Inbox,
    /// What is said about something.
    Comments(ThingId),
    /// Who is here.
    Here,
    /// What somebody shares, or a community's members do.
    Follow(Follow),
}

/// What is watched, and when it is looked at.
#[derive(Debug, Default)]
pub(super) struct Looks(BTreeMap<Part, Look>);

#[derive(Debug)]
struct Look {
    keys: Vec<(Key, Option<Cursor>)>,
    /// When it is looked at next.
    due: Instant,
    /// Until when it is left alone.
    rested: Instant,
}

impl Part {
    /// The keys that change when it does. A community has none here: its bell is heard by
    /// [`crate::alerts::Alerts`].
    fn keys(&self, me: &Author) -> Vec<Key> {
        match self {
            Part::Private => vec![keys::private(&me.public())],
            Part::Inbox => vec![keys::inbox(me.name())],
            Part::Comments(thing) => vec![keys::comments(*thing)],
            Part::Here => vec![keys::here()],
            Part::Follow(Follow::Person(name)) => vec![keys::head(name)],
            Part::Follow(Follow::Community(_)) => Vec::new(),
        }
    }

    /// What is followed, if it is that.
    pub(super) fn follow(self) -> Option<Follow> {
        match self {
            Part::Follow(follow) => Some(follow),
            _ => None,
        }
    }

    /// Between two looks, at least. In a hall somebody says every moment that they are here.
    const fn rest(&self) -> Duration {
        match self {
            Part::Here => Duration::from_secs(5),
            _ => Duration::from_secs(1),
        }
    }

    /// After how long it is looked at although nothing was told: no watch tells that somebody stopped saying
    /// that they are here, that a name has another holder, or what comes to be below a list's full root.
    const fn sweep(&self) -> Duration {
        match self {
            Part::Here => Duration::from_secs(30),
            Part::Inbox | Part::Comments(_) => Duration::from_secs(60),
            Part::Private | Part::Follow(_) => Duration::from_secs(300),
        }
    }
}

impl Looks {
    /// Looks at this from now on: at what is followed at once, since all of it is read together; at
    /// everything else when the watch has told its state.
    pub(super) fn add(&mut self, part: Part, me: &Author, now: Instant) {
        let keys: Vec<_> = part.keys(me).into_iter().map(|key| (key, None)).collect();
        let due = if matches!(part, Part::Follow(_)) { now } else { now + part.sweep() };
        self.0.entry(part).or_insert(Look { keys, due, rested: now });
    }

    /// Looks at none of these any more.
    pub(super) fn remove(&mut self, is_one: impl Fn(&Part) -> bool) {
        self.0.retain(|part, _| !is_one(part));
    }

    /// Somebody says that this changed.
    pub(super) fn touch(&mut self, part: &Part, now: Instant) {
        if let Some(look) = self.0.get_mut(part) {
            look.due = look.due.min(now.max(look.rested));
        }
    }

    /// What is to be watched now: all that is neither due nor resting.
    pub(super) fn watched(&self, now: Instant) -> Vec<Watched> {
        let awake = self.0.values().filter(|look| look.rested <= now && look.due > now);
        let keys = awake.flat_map(|look| &look.keys);
        keys.map(|(key, cursor)| Watched { key: key.clone(), cursor: *cursor })
            .take(WATCHED_MAX)
            .collect()
    }

    /// For how long: until something is due, or has rested.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let resting = self.0.values().map(|look| look.rested).filter(|rested| *rested > now);
        let next = self.0.values().map(|look| look.due).chain(resting).min();
        next.map_or(WAIT, |next| next.saturating_duration_since(now).min(WAIT))
    }

    /// A watch told that these have other states.
    pub(super) fn changed(&mut self, told: &[Watched], now: Instant) {
        for look in self.0.values_mut() {
            for (key, cursor) in &mut look.keys {
                if let Some(told) = told.iter().find(|told| told.key == *key) {
                    *cursor = told.cursor;
                    look.due = look.due.min(now.max(look.rested));
                }
            }
        }
    }

    /// What is to be looked at now.
    pub(super) fn due(&self, now: Instant) -> Vec<Part> {
        let due = self.0.iter().filter(|(_, look)| look.due <= now && look.rested <= now);
        due.map(|(part, _)| part.clone()).collect()
    }

    /// It was looked at, which took so long.
    pub(super) fn looked(&mut self, part: &Part, now: Instant, took: Duration) {
        if let Some(look) = self.0.get_mut(part) {
            let rest = part.rest().max(took.saturating_mul(REST_FACTOR)).min(REST_MAX);
            (look.due, look.rested) = (now + part.sweep().max(rest), now + rest);
        }
    }

    /// It could not be read.
    pub(super) fn failed(&mut self, part: &Part, now: Instant) {
        if let Some(look) = self.0.get_mut(part) {
            (look.due, look.rested) = (now + AGAIN, now + AGAIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use base::{Name, SigningKey};

    use super::*;

    fn me() -> Author {
        Author::with_clock(Name::new("alice").unwrap(), SigningKey::from_bytes(&[1; 32]), || 1)
    }

    fn told(looks: &Looks, now: Instant, state: u8) -> Vec<Watched> {
        let told = looks.watched(now).into_iter();
        told.map(|watched| Watched { cursor: Some(Cursor([state; 16])), ..watched }).collect()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_changes_often_is_looked_at_once_it_has_rested_and_watched_only_then() {
        let (mut looks, start) = (Looks::default(), Instant::now());
        looks.add(Part::Here, &me(), start);
        assert_eq!(looks.watched(start)[0].cursor, None);
        assert!(looks.due(start).is_empty(), "the watch tells its state first");
        looks.changed(&told(&looks, start, 1), start);
        assert_eq!(looks.due(start), [Part::Here]);
        looks.looked(&Part::Here, start, seconds(0));
        assert!(looks.watched(start).is_empty() && looks.due(start).is_empty());
        assert_eq!(looks.wait(start), seconds(5));
        looks.touch(&Part::Here, start);
        assert!(looks.due(start + seconds(4)).is_empty());
        assert_eq!(looks.due(start + seconds(5)), [Part::Here]);
        looks.looked(&Part::Here, start + seconds(5), seconds(1));
        let rested = start + seconds(15);
        assert_eq!(
            looks.watched(rested)[0].cursor,
            Some(Cursor([1; 16])),
            "after ten times what it took"
        );
    }

    #[test]
    fn what_no_watch_tells_is_looked_at_after_a_while() {
        let (mut looks, start) = (Looks::default(), Instant::now());
        looks.add(Part::Inbox, &me(), start);
        looks.changed(&told(&looks, start, 1), start);
        looks.looked(&Part::Inbox, start, seconds(0));
        assert_eq!(looks.wait(start + seconds(1)), WAIT);
        assert_eq!(looks.due(start + seconds(60)), [Part::Inbox]);
        looks.failed(&Part::Inbox, start + seconds(60));
        assert!(looks.due(start + seconds(61)).is_empty());
        assert_eq!(looks.due(start + seconds(62)), [Part::Inbox]);
    }

    #[test]
    fn communities_are_looked_at_at_once_and_when_their_bell_rings() {
        let (mut looks, start) = (Looks::default(), Instant::now());
        let part = Part::Follow(Follow::Community(keys::CommunityId::from_bytes([1; 16])));
        looks.add(part.clone(), &me(), start);
        assert_eq!((looks.due(start), looks.watched(start)), (vec![part.clone()], vec![]));
        looks.looked(&part, start, seconds(0));
        looks.touch(&part, start + seconds(9));
        assert_eq!(looks.due(start + seconds(9)), [part]);
        looks.remove(|part| matches!(part, Part::Follow(_)));
        assert_eq!(looks.wait(start), WAIT);
    }
}
