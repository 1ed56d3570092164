//! Who is here: those whose programs run say so, in a list whose entries live for a minute and a half; who is
//! registered by telephone is asked for by name.

use std::collections::BTreeMap;
use std::time::Duration;

use base::list::Seat;
use base::{Name, PublicKey, Slot, Ttl};
use prost::Message;
use tokio::time::Instant;

use crate::author::Author;
use crate::keys;
use crate::net::{Net, unexpected};
use crate::overlay::{Answer, Ask, Contact, OverlayError};
use crate::private::{Device, Kept};
use crate::profile::{self, Person};
use crate::text;

/// How long somebody is here who says so, in seconds.
pub const TTL_S: i64 = 90;
/// After how long it is said again, in seconds: two times may fail before somebody seems gone.
pub const RENEW_S: u64 = 30;
/// Longest word on what somebody does, in bytes.
pub const STATUS_MAX: usize = 80;
/// Most sessions that are read: a conference's.
pub const SESSIONS_MAX: usize = 2_000;
/// How long a [`Roll`] takes what it read of somebody for true: a telephone that comes or goes is seen within
/// this, and a hall of people who say that they are here costs one list to look at, not each of them.
const KNOWN_FOR: Duration = Duration::from_secs(30);

/// What a session says.
#[derive(Clone, PartialEq, Message)]
struct Session {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    status: String,
}

/// Somebody, and where they can be met.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// Who.
    pub person: Person,
    /// On how many devices they are here.
    pub sessions: usize,
    /// What they say they do.
    pub status: String,
    /// Where they can be called.
    pub phones: Vec<Contact>,
}

/// A session of an author's at a device, which says that it is there.
pub struct Presence {
    net: Net,
    author: Author,
    slot: Slot,
    seat: Option<Seat>,
}

impl Presence {
    /// Of this person at this device.
    pub fn new(net: Net, author: Author, device: Device) -> Presence {
        Presence { net, author, slot: slot(device), seat: None }
    }

    /// Says that the person is here, for [`TTL_S`]; to be said again after [`RENEW_S`].
    ///
    /// # Errors
    /// The overlay's.
    pub async fn say(&mut self, status: &str) -> Result<(), OverlayError> {
        let name = self.author.name().to_string();
        let session = Session { name, status: status.to_owned() };
        let ttl = Ttl::from_secs(TTL_S).unwrap_or(Ttl::MAX);
        let list = self.net.list(keys::here());
        self.seat = Some(list.publish(&self.author, self.slot, ttl, &session, self.seat).await?);
        Ok(())
    }

    /// Says that the person is not here any more.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn leave(&mut self) -> Result<bool, OverlayError> {
        self.seat = None;
        self.net.list(keys::here()).retract(&self.author, self.slot).await
    }
}

/// Says of all of the author's devices that they are not here; how many were.
///
/// # Errors
/// The overlay's.
pub async fn remove_all(net: &Net, author: &Author) -> Result<usize, OverlayError> {
    let list = net.list(keys::here());
    let (sessions, _) = list.records::<Session>(SESSIONS_MAX).await?;
    let mut removed = 0;
    for session in sessions.iter().filter(|session| session.author == author.public()) {
        removed += usize::from(list.retract(author, session.slot).await?);
    }
    Ok(removed)
}

/// Who is here, for who looks again and again: what was read of somebody a moment ago is not read anew.
#[derive(Default)]
pub struct Roll {
    known: BTreeMap<Name, Known>,
}

/// What was read of whoever has a name.
struct Known {
    person: Option<Person>,
    phones: Vec<Contact>,
    read_at: Instant,
}

/// What a key says by a name: on how many devices it is here, and what it does.
type Said = BTreeMap<PublicKey, (usize, String)>;

/// Everybody who is here, those also of `others` who are or who have a telephone registered, and whether that
/// is all: in the order of their names, without whom `kept` blocks. Nobody is shown by a name that is not
/// theirs.
///
/// # Errors
/// The overlay's.
pub async fn who(
    net: &Net,
    others: &[Name],
    kept: &Kept,
) -> Result<(Vec<Present>, bool), OverlayError> {
    Roll::default().look(net, others, kept).await
}

impl Roll {
    /// As [`who`], with what it knows already.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn look(
        &mut self,
        net: &Net,
        others: &[Name],
        kept: &Kept,
    ) -> Result<(Vec<Present>, bool), OverlayError> {
        let (said, is_all) = said(net, others).await?;
        self.learn(net, &said).await?;
        let present = said.iter().filter_map(|(name, said)| {
            let known = self.known.get(name)?;
            let person = known.person.clone().filter(|person| !kept.is_blocked(&person.key))?;
            let (sessions, status) = said.get(&person.key).cloned().unwrap_or_default();
            let phones = known.phones.clone();
            let is_here = sessions > 0 || !phones.is_empty();
            is_here.then_some(Present { person, sessions, status, phones })
        });
        Ok((present.collect(), is_all))
    }

    /// Reads whom of these it does not know, and forgets all others.
    async fn learn(&mut self, net: &Net, said: &BTreeMap<Name, Said>) -> Result<(), OverlayError> {
        let now = Instant::now();
        self.known.retain(|name, known| said.contains_key(name) && now < known.read_at + KNOWN_FOR);
        let unknown = said.keys().filter(|name| !self.known.contains_key(*name));
        let unknown: Vec<Name> = unknown.cloned().collect();
        let locate = |name: &Name| Ask::Locate { user: name.as_str().to_owned() };
        let (people, phones) = tokio::join!(
            profile::read(net, &unknown),
            net.run(unknown.iter().map(locate).collect()),
        );
        for ((name, person), phones) in unknown.into_iter().zip(people).zip(phones) {
            let phones = match phones? {
                Answer::Contacts(contacts) => contacts,
                _ => return Err(unexpected()),
            };
            self.known.insert(name, Known { person: person?, phones, read_at: now });
        }
        Ok(())
    }
}

/// What is said by which names, these among them, and whether that is all.
async fn said(net: &Net, names: &[Name]) -> Result<(BTreeMap<Name, Said>, bool), OverlayError> {
    let (sessions, is_all) = net.list(keys::here()).records::<Session>(SESSIONS_MAX).await?;
    let mut said: BTreeMap<Name, Said> =
        names.iter().map(|name| (name.clone(), Said::new())).collect();
    for session in sessions {
        let Ok(name) = Name::new(&session.body.name) else { continue };
        let (sessions, status) =
            said.entry(name).or_default().entry(session.author).or_insert((0, String::new()));
        *sessions += 1;
        // Of several the first in their order, which is the same for everybody.
        if status.is_empty() {
            *status = text::shortened(&text::shown(&session.body.status), STATUS_MAX).into_owned();
        }
    }
    Ok((said, is_all))
}

/// The slot of a device's session: nobody learns of it which device it is in a private list.
fn slot(device: Device) -> Slot {
    keys::slot_about("session", &[&device.0])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::{Claim, Lifetime, Sequence, SigningKey};

    use super::*;
    use crate::overlay::Memory;

    async fn claimed(net: &Net, of: &str, seed: u8) -> Author {
        let name = Name::new(of).unwrap();
        let author = Author::with_clock(name.clone(), SigningKey::from_bytes(&[seed; 32]), || 1);
        let claim = Claim::new(name.clone(), Sequence::ZERO);
        let signed = claim.sign(author.key(), Sequence::new(1), Ttl::MAX).unwrap();
        net.one(Ask::Claim { name, signed }).await.unwrap();
        author
    }

    fn names(present: &(Vec<Present>, bool)) -> Vec<(&str, usize, usize)> {
        let each = present.0.iter();
        each.map(|one| (one.person.name.as_str(), one.sessions, one.phones.len())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_so_is_here_for_a_while_and_nobody_for_somebody_else() {
        let memory = Memory::new();
        let net = Net::new(memory.clone());
        let alice = claimed(&net, "alice", 1).await;
        let bob = claimed(&net, "bob", 2).await;
        let carol = Name::new("carol").unwrap();
        claimed(&net, "carol", 3).await;
        let session = |author: &Author, device| {
            Presence::new(net.clone(), author.clone(), Device([device; 16]))
        };
        session(&alice, 1).say("in the \u{1b}[2Jgarden").await.unwrap();
        let mut phone = session(&alice, 2);
        phone.say("").await.unwrap();
        session(&bob, 1).say("").await.unwrap();
        let key = SigningKey::from_bytes(&[9; 32]);
        session(&Author::with_clock(carol.clone(), key, || 1), 1).say("false").await.unwrap();
        let (uri, remaining) = ("sip:carol@192.0.2.1".to_owned(), Lifetime::from_millis(1000));
        memory.register("carol", vec![Contact { uri, q: 1000, direct: true, remaining }]);

        let nobody = Kept::default();
        let present = who(&net, &[], &nobody).await.unwrap();
        assert_eq!(names(&present), [("alice", 2, 0), ("bob", 1, 0), ("carol", 0, 1)]);
        assert_eq!(present.0[0].status, "in the \u{fffd}[2Jgarden");
        let named = [carol, Name::new("nobody").unwrap()];
        assert!(phone.leave().await.unwrap());
        let present = who(&net, &named, &nobody).await.unwrap();
        assert_eq!(names(&present), [("alice", 1, 0), ("bob", 1, 0), ("carol", 0, 1)]);
        assert_eq!(remove_all(&net, &alice).await, Ok(1));

        tokio::time::advance(Duration::from_secs(91)).await;
        assert_eq!(names(&who(&net, &[], &nobody).await.unwrap()), []);
    }
}
