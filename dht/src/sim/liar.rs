//! A super-node that lies: it joins, dials and asks like any other, and answers what it likes.
//!
//! It says that nothing is there, shows what was removed, acknowledges what it does not keep, names
//! versions, digests and members as they come. What it cannot do here it cannot do over the network
//! either: make an entry whose value is not of its id, for its frame would not be parsed. It does not
//! bring back what nobody else remembers, whose time is over, either: against that there is nothing
//! (`docs/concepts/trust.md`).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Entry, EntryId, Lifetime, NodeId, Place, Version};
use tokio::time::Instant;

use super::nodes::node_id;
use crate::link::{Responder, Response};
use crate::store::{Digest, Item, Sketch};
use crate::wire::{Contact, Listing, Pulled, RangeAnswer, RangeQuery, Refusal, Reply, Request};

/// Entries remembered to be shown when they are not in force any more.
const MEMORY: usize = 4096;
/// Members made up for one answer.
const MADE_UP: u64 = 8;

/// Answers in place of an honest node.
pub(super) struct Liar {
    honest: Arc<dyn Responder>,
    state: Mutex<State>,
}

struct State {
    rng: fastrand::Rng,
    /// The first copy seen of each entry, and when its time is over, or that of a later one.
    seen: BTreeMap<(Place, EntryId), (Entry, Instant)>,
}

impl Liar {
    pub(super) fn new(honest: Arc<dyn Responder>, seed: u64) -> Liar {
        let state = State { rng: fastrand::Rng::with_seed(seed), seen: BTreeMap::new() };
        Liar { honest, state: Mutex::new(state) }
    }
}

impl Responder for Liar {
    fn respond(&self, from: NodeId, request: Request) -> Response {
        let lie = self.state.lock().unwrap_or_else(PoisonError::into_inner).answer(&request);
        match lie {
            Some(lie) => Response::Now(lie),
            // Now and then it does as it should; a liar that never does is soon found out.
            None => self.honest.respond(from, request),
        }
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        if let Request::Apply { place, entry, .. } = request {
            let until = Instant::now() + Duration::from(entry.remaining());
            let may_remember = self.seen.len() < MEMORY && entry.is_live();
            match self.seen.get_mut(&(*place, entry.id())) {
                // One that was put again for a shorter time is forgotten with that.
                Some((_, over)) => *over = until.min(*over),
                None if may_remember => {
                    self.seen.insert((*place, entry.id()), (entry.clone(), until));
                }
                None => {}
            }
        }
        let now = Instant::now();
        self.seen.retain(|_, (_, until)| *until > now);
        let choice = self.rng.u8(..4);
        match (request, choice) {
            (_, 0) => None,
            (Request::Get(_), 1) => Some(listed(Vec::new())),
            (Request::Get(get), 2) => {
                let all = self.seen.range((get.place, least())..);
                let here = all.take_while(|((place, _), _)| *place == get.place);
                Some(listed(here.map(|(_, (entry, until))| left(entry, *until - now)).collect()))
            }
            (Request::Apply { .. }, 1 | 2) => Some(Reply::Applied),
            (Request::Apply { entry, .. }, _) => Some(self.stale(entry.version())),
            (Request::Get(_), _) => Some(Reply::NotMine(self.made_up())),
            (Request::ProbeFor(_), _) => Some(Reply::Silent),
            (Request::Members { .. }, 1) => {
                Some(Reply::Members { contacts: Vec::new(), settled: true, more: true })
            }
            (Request::Members { .. }, _) => {
                Some(Reply::Members { contacts: self.made_up(), settled: true, more: false })
            }
            (Request::Digests(queries), 1) => {
                let nothing = RangeAnswer { digest: Digest::default(), symbols: Vec::new() };
                Some(Reply::Digests(vec![nothing; queries.len()]))
            }
            (Request::Digests(queries), _) => {
                Some(Reply::Digests(queries.iter().map(|query| self.differing(query)).collect()))
            }
            (Request::Pull(_), 1) => {
                Some(Reply::Pulled(Pulled { entries: Vec::new(), next: None }))
            }
            (Request::Pull(_), _) => {
                let copy =
                    |((place, _), (entry, until)): (&(Place, EntryId), &(Entry, Instant))| {
                        (*place, left(entry, *until - now))
                    };
                let all = self.seen.iter().map(copy);
                let entries: Vec<(Place, Entry)> = all.take(64).collect();
                let next = entries.first().map(|(place, entry)| (*place, entry.id()));
                Some(Reply::Pulled(Pulled { entries, next }))
            }
            (Request::Watch { .. }, 1) => {
                Some(Reply::Refused { why: Refusal::Later, text: "no time".to_owned() })
            }
            (Request::Watch { .. }, _) => Some(Reply::Watching),
            // It cannot sign for another question; so it says nothing, or what it would say of itself.
            (Request::Claims { .. }, 1) => {
                Some(Reply::Refused { why: Refusal::Later, text: "no time".to_owned() })
            }
            (Request::Claims { .. }, _) => None,
            (Request::Probe, _) => Some(Reply::Alive(self.rng.u64(..))),
        }
    }

    /// A version that is said to be held, near or as far as may be.
    fn stale(&mut self, version: Version) -> Reply {
        let ahead = 1 << self.rng.u32(..45);
        Reply::Stale(Version::new(version.number().saturating_add(ahead)))
    }

    /// What differs in any case; symbols of nothing, of anything, or of what nobody has.
    fn differing(&mut self, query: &RangeQuery) -> RangeAnswer {
        let digest = Digest { count: self.rng.u64(..9), sum: self.rng.u128(..) };
        let mut sketch = Sketch::new(query.after + query.symbols);
        for _ in 0..self.rng.usize(..20) {
            sketch.toggle(Item::new(query.range.first(), self.rng.u64(..)));
        }
        let mut symbols = sketch.symbols()[query.after..].to_vec();
        if self.rng.bool() {
            symbols.iter_mut().for_each(|symbol| *symbol = self.rng.u128(..));
        }
        RangeAnswer { digest, symbols }
    }

    /// Members that do not exist, nowhere.
    fn made_up(&mut self) -> Vec<Contact> {
        let one = |_| {
            let port = self.rng.u16(1..);
            let address = SocketAddr::from((Ipv4Addr::new(10, 255, 255, 1), port));
            Contact { id: node_id(self.rng.u64(..), 0), addresses: vec![address] }
        };
        (0..MADE_UP).map(one).collect()
    }
}

fn listed(entries: Vec<Entry>) -> Reply {
    Reply::Listed(Listing { entries, more: false, complete: true })
}

/// A copy with so much time left.
fn left(entry: &Entry, time: Duration) -> Entry {
    let time = Lifetime::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    Entry::from_parts(entry.id(), entry.version(), entry.state().clone(), time)
}

fn least() -> EntryId {
    EntryId::from_bytes(&[0; EntryId::LEN])
}
