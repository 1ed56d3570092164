//! [`Memory`]: an overlay of one replica in this process, with the rules that replicas keep. It follows
//! tokio's clock, so that tests need not wait for lifetimes to end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::limits::{ENTRIES_PER_KEY_MAX, LIST_ROOM};
use base::{
    Claim, Entry, EntryId, Kind, Lifetime, Name, Place, SecretTag, Sequence, Signed, Slot, State,
    Verdict, Version,
};
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::{
    Answer, Ask, Changed, Contact, Cursor, Found, Get, NameState, Overlay, OverlayError, Page,
    Watched,
};

/// An overlay of one replica. Cloning gives another handle on the same.
#[derive(Clone, Default)]
pub struct Memory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    held: Mutex<Held>,
    changed: Notify,
}

#[derive(Default)]
struct Held {
    entries: BTreeMap<(Place, EntryId), (Entry, Instant)>,
    /// Who was first to claim a name.
    holders: BTreeMap<Place, base::PublicKey>,
    /// Where people are registered by SIP.
    contacts: BTreeMap<String, Vec<Contact>>,
    services: BTreeMap<String, Vec<String>>,
    /// Asks answered so far.
    asks: u64,
}

impl Memory {
    /// An empty one.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// Lets somebody be registered by SIP.
    pub fn register(&self, user: &str, contacts: Vec<Contact>) {
        self.lock().contacts.insert(user.to_owned(), contacts);
    }

    /// Lets a service be offered.
    pub fn offer(&self, service: &str, contacts: Vec<String>) {
        self.lock().services.insert(service.to_owned(), contacts);
    }

    /// How many asks were answered.
    pub fn asks(&self) -> u64 {
        self.lock().asks
    }

    /// How many values there are under each place that has some.
    pub fn load(&self) -> BTreeMap<Place, usize> {
        let now = Instant::now();
        let mut load = BTreeMap::new();
        let held = self.lock();
        let live =
            held.entries.iter().filter(|(_, (entry, until))| entry.is_live() && *until > now);
        for ((place, _), _) in live {
            *load.entry(*place).or_default() += 1;
        }
        load
    }

    /// Both hold from now on what either held, as the halves of an overlay do that meet: of each entry the
    /// copy that wins. Of a name that has a holder here and another there, each keeps its own.
    pub fn meet(&self, other: &Memory) {
        if Arc::ptr_eq(&self.0, &other.0) {
            return;
        }
        let (here, there) = (self.lock().all(), other.lock().all());
        for (memory, entries) in [(self, there), (other, here)] {
            let mut held = memory.lock();
            for (place, entry) in entries.0 {
                held.merge(place, entry);
            }
            for (place, holder) in entries.1 {
                held.holders.entry(place).or_insert(holder);
            }
            drop(held);
            memory.0.changed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, ask: Ask) -> Result<Answer, OverlayError> {
        let mut held = self.lock();
        held.asks += 1;
        let answer = held.answer(ask);
        drop(held);
        if matches!(answer, Ok(Answer::Put { .. } | Answer::Removed { .. })) {
            self.0.changed.notify_waiters();
        }
        answer
    }
}

impl Overlay for Memory {
    fn run(&self, asks: Vec<Ask>) -> BoxFuture<'_, Vec<Result<Answer, OverlayError>>> {
        let answers = asks.into_iter().map(|ask| self.answer(ask)).collect();
        Box::pin(std::future::ready(answers))
    }

    fn watch_values(
        &self,
        keys: Vec<Watched>,
        wait: Duration,
    ) -> BoxFuture<'_, Result<Vec<Changed>, OverlayError>> {
        Box::pin(async move {
            let deadline = Instant::now() + wait;
            loop {
                let mut changed = std::pin::pin!(self.0.changed.notified());
                changed.as_mut().enable();
                let mut differ = Vec::new();
                {
                    let held = self.lock();
                    for Watched { key, cursor } in &keys {
                        let now = held.cursor(key.place());
                        if *cursor != Some(now) {
                            let values = held.page(&Get::all(key.clone())).values;
                            let values = Some(values).filter(|few| few.len() <= LIST_ROOM);
                            differ.push(Changed { key: key.clone(), cursor: now, values });
                        }
                    }
                }
                if !differ.is_empty() || timeout_at(deadline, changed).await.is_err() {
                    return Ok(differ);
                }
            }
        })
    }
}

impl Held {
    fn answer(&mut self, ask: Ask) -> Result<Answer, OverlayError> {
        match ask {
            Ask::Get(get) => Ok(Answer::Page(self.page(&get))),
            Ask::Put { key, value, tag, ttl, room } => {
                if tag.is_signed() {
                    return Err(OverlayError::Forged("the tag is kept for signed entries".into()));
                }
                let id = EntryId::of(&value, tag);
                let version = self.next_version(key.place(), id);
                let entry = Entry::from_parts(id, version, State::Live(value), ttl.into());
                self.put(key.place(), entry, room)
            }
            Ask::PutSigned { key, signed, room } => {
                self.put(key.place(), Entry::signed(signed), room)
            }
            Ask::Remove { key, value, secret } => {
                let tag = secret.as_ref().map_or(SecretTag::NONE, base::Secret::tag);
                let id = EntryId::of(&value, tag);
                let place = key.place();
                if !self.living(place).any(|entry| entry.id() == id) {
                    let other = self.living(place).any(|entry| entry.value() == Some(&value));
                    return if other {
                        Err(OverlayError::WrongSecret)
                    } else {
                        Ok(Answer::Removed { found: false })
                    };
                }
                let version = self.next_version(place, id);
                let removal = Entry::removal(id, secret, version);
                let removal = removal.map_err(|_| OverlayError::WrongSecret)?;
                self.put(place, removal, None)?;
                Ok(Answer::Removed { found: true })
            }
            Ask::Name { name, asker } => Ok(Answer::Name(self.name(&name, asker))),
            Ask::Claim { name, signed } => self.claim(&name, signed),
            Ask::Locate { user } => {
                Ok(Answer::Contacts(self.contacts.get(&user).cloned().unwrap_or_default()))
            }
            Ask::Services => Ok(Answer::Texts(self.services.keys().cloned().collect())),
            Ask::Lookup { service } => {
                Ok(Answer::Texts(self.services.get(&service).cloned().unwrap_or_default()))
            }
        }
    }

    fn of(&self, place: Place) -> impl Iterator<Item = (&Entry, Lifetime)> {
        let now = Instant::now();
        let first = EntryId::from_bytes(&[0; EntryId::LEN]);
        let last = EntryId::from_bytes(&[0xff; EntryId::LEN]);
        let all = self.entries.range((place, first)..=(place, last));
        all.filter_map(move |(_, (entry, until))| {
            let left = until.checked_duration_since(now)?.as_millis();
            let left = Lifetime::from_millis(u64::try_from(left).unwrap_or(u64::MAX));
            (left > Lifetime::ZERO).then_some((entry, left))
        })
    }

    fn living(&self, place: Place) -> impl Iterator<Item = &Entry> {
        self.of(place).map(|(entry, _)| entry).filter(|entry| entry.is_live())
    }

    fn next_version(&self, place: Place, id: EntryId) -> Version {
        let held = self.entries.get(&(place, id));
        Version::new(held.map_or(1, |(entry, _)| entry.version().number() + 1))
    }

    fn put(
        &mut self,
        place: Place,
        entry: Entry,
        room: Option<usize>,
    ) -> Result<Answer, OverlayError> {
        entry.check(&place).map_err(|error| OverlayError::Forged(error.to_string()))?;
        let id = entry.id();
        let living = self.living(place).count();
        let is_there = self.living(place).any(|held| held.id() == id);
        if entry.is_live() && !is_there {
            if room.is_some_and(|room| living >= room) {
                return Err(OverlayError::Full);
            }
            if living >= ENTRIES_PER_KEY_MAX {
                return Err(OverlayError::OverCapacity("the key is full".into()));
            }
        }
        let now = Instant::now();
        if let Some((held, until)) = self.entries.get(&(place, id))
            && *until > now
            && let Verdict::Stale(version) = entry.against(held)
        {
            return Err(OverlayError::Superseded(version.number()));
        }
        let until = now + Duration::from(entry.remaining());
        self.entries.insert((place, id), (entry, until));
        Ok(Answer::Put { replicas: 1 })
    }

    /// All entries, each with what remains of its life, and who holds names.
    fn all(&self) -> (Vec<(Place, Entry)>, BTreeMap<Place, base::PublicKey>) {
        let now = Instant::now();
        let live = self.entries.iter().filter_map(|((place, id), (entry, until))| {
            let left = until.checked_duration_since(now)?.as_millis();
            let left = Lifetime::from_millis(u64::try_from(left).unwrap_or(u64::MAX));
            let (version, state) = (entry.version(), entry.state().clone());
            Some((*place, Entry::from_parts(*id, version, state, left)))
        });
        (live.collect(), self.holders.clone())
    }

    /// Takes a copy of an entry that another replica holds, if it wins.
    fn merge(&mut self, place: Place, entry: Entry) {
        let now = Instant::now();
        let held = self.entries.get(&(place, entry.id())).filter(|(_, until)| *until > now);
        let wins = held.is_none_or(|(held, _)| entry.against(held) == Verdict::Take);
        if wins {
            let until = now + Duration::from(entry.remaining());
            self.entries.insert((place, entry.id()), (entry, until));
        }
    }

    fn page(&self, get: &Get) -> Page {
        let rest = self.of(get.key.place()).filter(|(entry, _)| {
            entry.is_live() && get.after.is_none_or(|after| entry.id() > after)
        });
        let mut values = rest.filter_map(|(entry, remaining)| {
            Some(Found { id: entry.id(), value: entry.shown()?, remaining })
        });
        let page: Vec<Found> = values.by_ref().take(get.max.max(1)).collect();
        let next = values.next().and_then(|_| page.last()).map(|last| last.id);
        Page { values: page, next }
    }

    fn cursor(&self, place: Place) -> Cursor {
        let mut hasher = blake3::Hasher::new();
        for entry in self.living(place) {
            hasher.update(&entry.id().to_bytes());
            hasher.update(&entry.version().number().to_le_bytes());
        }
        let hash = hasher.finalize();
        Cursor(std::array::from_fn(|at| hash.as_bytes()[at]))
    }

    fn name(&self, name: &Name, asker: Option<base::PublicKey>) -> NameState {
        let place = name.key().place();
        let claims = self.living(place).filter_map(Entry::as_signed).cloned();
        let holder = self.holders.get(&place);
        let (holders, others) = claims.partition(|claim: &Signed| Some(&claim.author()) == holder);
        let holders: Vec<Signed> = holders;
        let next = asker.map(|asker| {
            let held = self.entries.get(&(place, EntryId::of_slot(&asker, Slot::ZERO)));
            Sequence::new(held.map_or(0, |(entry, _)| entry.version().number() + 1))
        });
        NameState { holder: holders.into_iter().next(), others, next }
    }

    fn claim(&mut self, name: &Name, signed: Signed) -> Result<Answer, OverlayError> {
        let place = name.key().place();
        let forged = |text: String| OverlayError::Forged(text);
        let verified = signed.clone().verify(&place).map_err(|error| forged(error.to_string()))?;
        if signed.kind() != Kind::Claim || signed.slot() != Slot::ZERO {
            return Err(forged("it is no claim".to_owned()));
        }
        let author = signed.author();
        if !signed.is_removal() {
            let claim =
                Claim::read(&verified, &place).map_err(|error| forged(error.to_string()))?;
            let current = self.name(name, None).holder.map(|holder| holder.author());
            match current {
                Some(holder) if holder != author && !claim.heir_of().contains(&holder) => {
                    return Err(OverlayError::Taken(format!("{name} has another holder")));
                }
                _ => self.holders.insert(place, author),
            };
        }
        self.put(place, Entry::signed(signed), None)
    }
}
