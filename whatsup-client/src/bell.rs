//! The bell of a community: what was just said there, for who waits for it.
//!
//! Lists have no order in time, so whoever waits for news would read a whole list again for each. Instead
//! who says something also *rings*: puts an entry of its own under one small key, with the last few things
//! it said, for some minutes. A watcher reads that key alone, and tells by each author's count what is new and
//! whether it missed some. Why it is so: `docs/decisions/0030-alerts.md`.

use std::collections::{BTreeMap, VecDeque};

use base::limits::LIST_ROOM;
use base::{PublicKey, Slot, Ttl};
use bytes::Bytes;
use prost::Message;

use crate::author::Author;
use crate::keys::{self, CommunityId, ThingId};
use crate::net::Net;
use crate::overlay::OverlayError;
use crate::record::Record;
use crate::stamp::Stamp;
use crate::text;

/// Things one ring carries: a watcher that is told of every change needs one; who looks away for a moment may
/// miss as many of one author and still hear of them.
pub const CHIMES_MAX: usize = 4;
/// Longest preview, in bytes.
const PREVIEW_MAX: usize = 80;
/// How long a ring is there, in seconds: long enough for a laptop that changes its access point. What is
/// older one sees when one looks.
const LIFE_S: i64 = 120;
/// Things of one author a watcher remembers: rings of some seconds ago may come from a replica that was away.
const REMEMBERED: usize = 4 * CHIMES_MAX;
/// Authors a watcher remembers: as many as a bell has room for, and again as many whose rings have ended.
const AUTHORS_MAX: usize = 2 * LIST_ROOM;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// Nothing that this version knows.
    Other = 0,
    /// Something new.
    News = 1,
    /// An event was announced.
    Event = 2,
    /// A poll was made.
    Poll = 3,
    /// A poll was closed.
    Closed = 4,
    /// Something about members, moderators or what is hidden.
    Moderation = 5,
}

/// One thing that was said.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Chime {
    /// What happened.
    #[prost(enumeration = "Kind", tag = "1")]
    pub kind: i32,
    /// The thing's id.
    #[prost(bytes = "bytes", tag = "2")]
    pub thing: Bytes,
    /// When, to be shown.
    #[prost(uint64, tag = "3")]
    pub stamp: u64,
    /// Its beginning.
    #[prost(string, tag = "4")]
    pub preview: String,
}

/// The last things somebody said: the body of an entry under a community's bell, in slot zero.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Ring {
    /// Tells this count from an earlier one that ended.
    #[prost(uint64, tag = "1")]
    pub epoch: u64,
    /// How many chimes there were in this epoch, these included.
    #[prost(uint64, tag = "2")]
    pub count: u64,
    /// The last of them, the newest last; at most [`CHIMES_MAX`].
    #[prost(message, repeated, tag = "3")]
    pub chimes: Vec<Chime>,
    /// The name of who rings.
    #[prost(string, tag = "4")]
    pub name: String,
}

/// What a watcher of one bell remembers: it says what is new.
#[derive(Debug, Clone, Default)]
pub struct Ear {
    /// Nothing before the first look: what was there then is not new.
    heard: Option<BTreeMap<PublicKey, Heard>>,
}

#[derive(Debug, Clone, Default)]
struct Heard {
    epoch: u64,
    count: u64,
    chimes: VecDeque<(i32, Bytes)>,
}

/// What is new of one author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Who rang.
    pub author: PublicKey,
    /// The name she gives.
    pub name: String,
    /// What was not heard before, the oldest first.
    pub chimes: Vec<Chime>,
    /// How many before these went unheard.
    pub missed: u64,
}

impl Ring {
    /// The ring after this one.
    fn after(self, chime: Chime) -> Ring {
        let mut chimes = self.chimes;
        let spare = (chimes.len() + 1).saturating_sub(CHIMES_MAX);
        chimes.drain(..spare);
        chimes.push(chime);
        Ring { count: self.count.saturating_add(1), chimes, ..self }
    }
}

impl Ear {
    /// What of these rings is new, of each author whom `knows` knows; others are not remembered, and may be
    /// known the next time. The first time nothing is new.
    pub fn hear(
        &mut self,
        rings: &[Record<Ring>],
        mut knows: impl FnMut(&PublicKey) -> bool,
    ) -> Vec<New> {
        let is_first = self.heard.is_none();
        let heard = self.heard.get_or_insert_default();
        let mut all = Vec::new();
        for ring in rings.iter().filter(|ring| ring.slot == Slot::ZERO) {
            if !is_first && !knows(&ring.author) {
                continue;
            }
            let new = heard.entry(ring.author).or_default().hear(&ring.body);
            if let (Some((chimes, missed)), false) = (new, is_first) {
                all.push(New { author: ring.author, name: ring.body.name.clone(), chimes, missed });
            }
        }
        // Who rings no more goes first.
        if heard.len() > AUTHORS_MAX {
            let ringing: Vec<PublicKey> = rings.iter().map(|ring| ring.author).collect();
            heard.retain(|author, _| ringing.contains(author));
        }
        all
    }
}

impl Heard {
    fn hear(&mut self, ring: &Ring) -> Option<(Vec<Chime>, u64)> {
        let chimes = &ring.chimes[ring.chimes.len().saturating_sub(CHIMES_MAX)..];
        let before = if ring.epoch == self.epoch { self.count } else { 0 };
        let first = ring.count.saturating_sub(chimes.len() as u64);
        let missed = first.saturating_sub(before);
        let is_new =
            |chime: &&Chime| !self.chimes.iter().any(|(kind, thing)| is(chime, *kind, thing));
        let new: Vec<Chime> = chimes.iter().filter(is_new).cloned().collect();
        (self.epoch, self.count) = (ring.epoch, ring.count.max(before));
        for chime in &new {
            self.chimes.push_back((chime.kind, chime.thing.clone()));
        }
        while self.chimes.len() > REMEMBERED {
            self.chimes.pop_front();
        }
        (!new.is_empty()).then_some((new, missed))
    }
}

fn is(chime: &Chime, kind: i32, thing: &Bytes) -> bool {
    chime.kind == kind && chime.thing == *thing
}

/// Rings: tells those who wait that something was said. What was said stands whether they hear of it or not,
/// so a bell that has no room is no error.
///
/// # Errors
/// The overlay's.
pub(crate) async fn ring(
    net: &Net,
    author: &Author,
    community: CommunityId,
    kind: Kind,
    thing: ThingId,
    preview: &str,
    stamp: Stamp,
) -> Result<(), OverlayError> {
    let key = keys::bell(community);
    let before = net.said::<Ring>(&key, &author.public(), Slot::ZERO).await?;
    let epoch = author.now_ms();
    let name = author.name().as_str().to_owned();
    let before = before.map_or(Ring { epoch, name, ..Ring::default() }, |before| before.body);
    let thing = Bytes::copy_from_slice(thing.as_bytes());
    let preview = text::shortened(&text::shown(preview), PREVIEW_MAX).into_owned();
    let ring = before.after(Chime { kind: kind.into(), thing, stamp: stamp.millis(), preview });
    let ttl = Ttl::from_secs(LIFE_S).unwrap_or(Ttl::MAX);
    let body = ring.encode_to_vec();
    let put = net.publish_at(author, &key, Slot::ZERO, Some((ttl, &body)), Some(LIST_ROOM)).await;
    match put {
        Ok(_) | Err(OverlayError::Full | OverlayError::OverCapacity(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use base::Sequence;
    use proptest::prelude::*;

    use super::*;

    fn chime(n: u64) -> Chime {
        let thing = Bytes::copy_from_slice(&n.to_be_bytes());
        Chime { kind: 1, thing, stamp: n, preview: n.to_string() }
    }

    fn rung(epoch: u64, chimes: impl IntoIterator<Item = u64>) -> Ring {
        chimes.into_iter().map(chime).fold(Ring { epoch, ..Ring::default() }, Ring::after)
    }

    fn record(author: u8, body: Ring) -> Record<Ring> {
        let author = PublicKey::from_bytes([author; 32]);
        Record { author, slot: Slot::ZERO, sequence: Sequence::ZERO, body, hash: [0; 32] }
    }

    fn numbers(new: &[New]) -> Vec<u64> {
        new.iter().flat_map(|new| &new.chimes).map(|chime| chime.stamp).collect()
    }

    #[test]
    fn what_was_there_at_the_first_look_is_not_new_and_what_comes_is_heard_once() {
        let mut ear = Ear::default();
        assert_eq!(ear.hear(&[record(1, rung(7, 0..2))], |_| true), []);
        let later = [record(1, rung(7, 0..4)), record(2, rung(9, [70]))];
        assert_eq!(numbers(&ear.hear(&later, |_| true)), [2, 3, 70]);
        assert_eq!(ear.hear(&later, |_| true), []);
        // A replica that was away gives an older one.
        assert_eq!(ear.hear(&[record(1, rung(7, 0..3))], |_| true), []);
        // Of who begins to count anew what is new is heard.
        assert_eq!(numbers(&ear.hear(&[record(1, rung(8, [3, 4]))], |_| true)), [4]);
    }

    #[test]
    fn who_looked_away_hears_of_the_last_and_how_many_it_missed() {
        let mut ear = Ear::default();
        ear.hear(&[record(1, rung(7, 0..2))], |_| true);
        let new = ear.hear(&[record(1, rung(7, 0..11))], |_| true);
        assert_eq!((numbers(&new), new[0].missed), (vec![7, 8, 9, 10], 5));
    }

    #[test]
    fn an_author_who_is_not_known_is_heard_once_it_is() {
        let mut ear = Ear::default();
        ear.hear(&[], |_| true);
        let rings = [record(1, rung(7, [5]))];
        assert_eq!(ear.hear(&rings, |_| false), []);
        assert_eq!(numbers(&ear.hear(&rings, |_| true)), [5]);
    }

    proptest! {
        /// Whatever looks there are, and however late: everything is heard once, or said to be missed.
        #[test]
        fn nothing_is_heard_twice_or_lost_unsaid(looks in prop::collection::vec(0..9_u64, 1..20)) {
            let mut ear = Ear::default();
            ear.hear(&[], |_| true);
            let (mut rings, mut heard, mut missed) = (0, Vec::new(), 0);
            for more in looks {
                rings += more;
                for new in ear.hear(&[record(1, rung(7, 0..rings))], |_| true) {
                    heard.extend(new.chimes.iter().map(|chime| chime.stamp));
                    missed += new.missed;
                }
            }
            prop_assert!(heard.is_sorted_by(|one, two| one < two));
            prop_assert_eq!(heard.len() as u64 + missed, rings);
        }
    }
}
