//! [`Profile`]: who a person says to be. One entry of the name's holder at `profile/<name>`; what others put
//! there counts for nothing.
//!
//! Whoever changes a profile also has it found by its words ([`crate::index`]).
//!
//! A profile is two reads, made at once: who has the name, and what lies at its profile's key. Those of many
//! people are one batch.

mod contact;
pub mod photo;
#[cfg(feature = "command")]
pub mod vcard;

use base::{EntryId, Key, Lifetime, Name, PublicKey, Sequence, Signed, Slot, Ttl, Verified};
use prost::Message;

use crate::author::Author;
use crate::blob::BlobError;
use crate::claims::{Claimant, Claimants};
use crate::index::{self, Said, Thing};
use crate::keys;
use crate::net::{Net, page, unexpected};
use crate::overlay::{Answer, Ask, Get, OverlayError, Page};
use crate::record::Record;
use crate::text::{self, TextError};

pub use contact::{CONTACT_MAX, ContactError, contact};

/// Longest full name, company, job, each interest, in bytes: a line of a table and then some.
pub const LINE_MAX: usize = 160;
/// Longest text about oneself, in bytes: about a page.
pub const ABOUT_MAX: usize = 4000;
/// Most interests: each is found by search, in several places.
pub const INTERESTS_MAX: usize = 24;
/// Most ways to be reached.
pub const CONTACTS_MAX: usize = 16;

/// Entries of a profile's key that are read at once. It has one; whoever puts more there only makes it
/// take another read.
const FIRST_READ: usize = 8;
/// A profile is signed anew when so much of its life is left.
const RENEW_AT: Lifetime = Lifetime::from_millis(Ttl::MAX.as_secs() * 1000 / 2);

/// Who a person says to be. All of it may be empty.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Profile {
    /// As it is written on a badge.
    #[prost(string, tag = "1")]
    pub full_name: String,
    /// Where the person works or belongs.
    #[prost(string, tag = "2")]
    pub company: String,
    /// What the person does there.
    #[prost(string, tag = "3")]
    pub job: String,
    /// What else there is to say; may have several lines.
    #[prost(string, tag = "4")]
    pub about: String,
    /// What the person likes to talk about.
    #[prost(string, repeated, tag = "5")]
    pub interests: Vec<String>,
    /// Ways to be reached: links of `https`, `http`, `mailto`, `sip` or `tel`.
    #[prost(string, repeated, tag = "6")]
    pub contacts: Vec<String>,
    /// The hash of a photo, a blob of one chunk: 32 bytes; empty without one.
    #[prost(bytes = "vec", tag = "7")]
    pub photo: Vec<u8>,
    /// The photo's size in bytes.
    #[prost(uint32, tag = "8")]
    pub photo_size: u32,
    /// What messages to the person are encrypted for: an X25519 key (RFC 7748), 32 bytes; empty while the
    /// person never wrote any.
    #[prost(bytes = "vec", tag = "10")]
    pub encryption_key: Vec<u8>,
}

/// Somebody who has a name, and who they say to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The name.
    pub name: Name,
    /// The key that has it.
    pub key: PublicKey,
    /// What they say; nothing if they say nothing.
    pub profile: Option<Profile>,
}

/// A profile that is not taken, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The overlay's.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// A text of it.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A way to be reached.
    #[error(transparent)]
    Contact(#[from] ContactError),
    /// Too many.
    #[error("a profile has {count} {what}; it may have {max}")]
    TooMany {
        /// Interests or contacts.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
}

impl Profile {
    /// The profile as it may be published: texts without what cannot be seen, contacts in one form, nothing
    /// twice.
    ///
    /// # Errors
    /// [`ProfileError`] says what to change.
    pub fn checked(self) -> Result<Profile, ProfileError> {
        let some = |value: String, what, max, check: Check| match value.trim() {
            "" => Ok(String::new()),
            value => check(value, what, max),
        };
        let interests: Result<Vec<_>, _> =
            self.interests.iter().map(|one| text::line(one, "interest", LINE_MAX)).collect();
        let contacts: Result<Vec<_>, _> = self.contacts.iter().map(|one| contact(one)).collect();
        let profile = Profile {
            full_name: some(self.full_name, "full name", LINE_MAX, text::line)?,
            company: some(self.company, "company", LINE_MAX, text::line)?,
            job: some(self.job, "job", LINE_MAX, text::line)?,
            about: some(self.about, "text about you", ABOUT_MAX, text::lines)?,
            interests: once_each(interests?),
            contacts: once_each(contacts?),
            ..self
        };
        let (interests, contacts) = (profile.interests.len(), profile.contacts.len());
        for (what, count, max) in
            [("interests", interests, INTERESTS_MAX), ("contacts", contacts, CONTACTS_MAX)]
        {
            if count > max {
                return Err(ProfileError::TooMany { what, count, max });
            }
        }
        Ok(profile)
    }

    /// Somebody's profile as it may be shown: what is too long is cut, what cannot be seen is replaced, and
    /// what is no contact is left out.
    #[must_use]
    pub fn cleaned(self) -> Profile {
        let line = |text: &str| text::shortened(&text::shown(text), LINE_MAX).into_owned();
        let of_a_key = |bytes: Vec<u8>| if bytes.len() == 32 { bytes } else { Vec::new() };
        let interests = self.interests.iter().take(INTERESTS_MAX).map(|one| line(one));
        let contacts = self.contacts.iter().filter_map(|one| contact(one).ok());
        Profile {
            full_name: line(&self.full_name),
            company: line(&self.company),
            job: line(&self.job),
            about: text::shortened(&text::shown_lines(&self.about), ABOUT_MAX).into_owned(),
            interests: once_each(interests.filter(|one| !one.is_empty()).collect()),
            contacts: once_each(contacts.take(CONTACTS_MAX).collect()),
            photo: of_a_key(self.photo),
            photo_size: self.photo_size,
            encryption_key: of_a_key(self.encryption_key),
        }
    }
}

type Check = fn(&str, &'static str, usize) -> Result<String, TextError>;

fn once_each(mut all: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|one| seen.insert(one.clone()));
    all
}

/// Who has each of these names, and who they say to be; nothing for a name that nobody has. All is read at
/// once.
pub async fn read(net: &Net, names: &[Name]) -> Vec<Result<Option<Person>, OverlayError>> {
    let asks = names.iter().flat_map(|name| {
        let get = Get { max: FIRST_READ, ..Get::all(keys::profile(name)) };
        [Ask::Name { name: name.clone(), asker: None }, Ask::Get(get)]
    });
    let mut answers = net.run(asks.collect()).await.into_iter();
    let mut people = Vec::with_capacity(names.len());
    let mut crowded = Vec::new();
    for name in names {
        let (state, found) = (answers.next(), answers.next());
        let person = read_one(net, name, state, found);
        if let Ok(Some((person, Some((get, floor))))) = &person {
            crowded.push((people.len(), person.key, get.clone(), *floor));
        }
        people.push(person.map(|person| person.map(|(person, _)| person)));
    }
    // Where others put so much that the holder's was not among it.
    let asks = crowded.iter().map(|(_, _, get, _)| Ask::Get(get.clone())).collect();
    for ((at, key, get, floor), found) in crowded.iter().zip(net.run(asks).await) {
        match (page(found), &mut people[*at]) {
            (Ok(found), Ok(Some(person))) => {
                let said = said_by(net, &get.key, &found, key, *floor);
                person.profile = said.map(|(said, _)| said);
            }
            (Err(error), person) => *person = Err(error),
            _ => {}
        }
    }
    people
}

/// Who has a name, and who they say to be.
///
/// # Errors
/// The overlay's.
pub async fn read_of(net: &Net, name: &Name) -> Result<Option<Person>, OverlayError> {
    read(net, std::slice::from_ref(name)).await.pop().unwrap_or(Ok(None))
}

/// A person, and what else has to be read to know all of it.
type Partly = Option<(Person, Option<(Get, Sequence)>)>;

fn read_one(
    net: &Net,
    name: &Name,
    state: Option<Result<Answer, OverlayError>>,
    found: Option<Result<Answer, OverlayError>>,
) -> Result<Partly, OverlayError> {
    let Some(Answer::Name(state)) = state.transpose()? else { return Err(unexpected()) };
    let claimants: Claimants = net.read_claims(name, state);
    let Some(Claimant { key, claim }) = claimants.holder_of(name).cloned() else {
        return Ok(None);
    };
    let found = page(found.ok_or_else(unexpected)?)?;
    let at = keys::profile(name);
    let said = said_by(net, &at, &found, &key, claim.floor);
    let is_crowded = said.is_none() && found.next.is_some();
    let more = is_crowded.then(|| (Get::one(at, entry_of(&key)), claim.floor));
    let person = Person { name: name.clone(), key, profile: said.map(|(said, _)| said) };
    Ok(Some((person, more)))
}

/// The one entry of this key's at a profile's key.
fn entry_of(key: &PublicKey) -> EntryId {
    EntryId::of_slot(key, Slot::ZERO)
}

/// What this key said at a profile's key, if it is not older than the claim wants, and what is left of it.
fn said_by(
    net: &Net,
    at: &Key,
    found: &Page,
    key: &PublicKey,
    floor: Sequence,
) -> Option<(Profile, Lifetime)> {
    let place = at.place();
    let is_theirs = |signed: &Verified<Signed>| {
        signed.author() == *key && signed.slot() == Slot::ZERO && signed.sequence() >= floor
    };
    found.values.iter().find_map(|value| {
        let signed = net.verify(&place, value).filter(is_theirs)?;
        let said: Record<Profile> = Record::read(&signed)?;
        Some((said.body.cleaned(), value.remaining))
    })
}

/// What the author says at her profile, whether she has the name or not, and what is left of it.
async fn own(net: &Net, author: &Author) -> Result<Option<(Profile, Lifetime)>, OverlayError> {
    let at = keys::profile(author.name());
    let found = net.get(Get::one(at.clone(), entry_of(&author.public()))).await?;
    Ok(said_by(net, &at, &found, &author.public(), Sequence::ZERO))
}

/// Changes the author's profile, or begins one, and publishes it; gives it as it is then. What two devices
/// change at one time, one of them has changed in vain.
///
/// # Errors
/// [`ProfileError`].
pub async fn edit(
    net: &Net,
    author: &Author,
    change: impl FnOnce(&mut Profile),
) -> Result<Profile, ProfileError> {
    let before = own(net, author).await?.map(|(profile, _)| profile);
    let mut profile = before.clone().unwrap_or_default();
    change(&mut profile);
    let profile = profile.checked()?;
    if before.as_ref() != Some(&profile) {
        publish(net, author, &profile).await?;
    }
    Ok(profile)
}

async fn publish(net: &Net, author: &Author, profile: &Profile) -> Result<(), OverlayError> {
    net.publish(author, &keys::profile(author.name()), Slot::ZERO, Ttl::MAX, profile).await?;
    be_found(net, author, profile).await
}

/// Has the author found by her name and the words of her profile.
///
/// # Errors
/// The overlay's; doing it again is safe.
pub async fn be_found(net: &Net, author: &Author, profile: &Profile) -> Result<(), OverlayError> {
    let name = author.name().as_str();
    let title = if profile.full_name.is_empty() { name } else { &profile.full_name };
    let mut texts = vec![name, &profile.company];
    texts.extend(profile.interests.iter().map(String::as_str));
    texts.extend([&*profile.job, &*profile.about]);
    let said = Said { title, texts: &texts, stamp: author.stamp([]) };
    index::put(net, author, &Thing::Person(author.name().clone()), said, Ttl::MAX).await
}

/// Removes the author's profile; whether there was one.
///
/// # Errors
/// The overlay's.
pub async fn delete(net: &Net, author: &Author) -> Result<bool, OverlayError> {
    let before = own(net, author).await?;
    let was_there = before.is_some();
    if let Some((profile, _)) = before {
        if let Some(photo) = profile.portrait() {
            photo::take_back(net, author, &photo).await?;
        }
        net.retract(author, &keys::profile(author.name()), Slot::ZERO).await?;
        index::remove(net, author, &Thing::Person(author.name().clone())).await?;
    }
    Ok(was_there)
}

/// Publishes the author's profile anew, with the photo, and has her found, if less than half of its life is left.
///
/// # Errors
/// The overlay's.
pub async fn renew(net: &Net, author: &Author) -> Result<(), OverlayError> {
    if let Some((profile, left)) = own(net, author).await?
        && left < RENEW_AT
    {
        if let Some(photo) = profile.portrait() {
            // One that is gone is missed by nobody but who looks at it.
            let renewed = net.blobs().renew(author, &photo, RENEW_AT).await;
            if let Err(BlobError::Overlay(error)) = renewed {
                return Err(error);
            }
        }
        publish(net, author, &profile).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
