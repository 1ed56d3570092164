//! What a super-node answers.

use base::{Lifetime, PublicKey, Sequence, Signed, Value};
use serde::{Deserialize, Serialize};

use super::ask::entry_id;
use super::{Base64, Refusal};
use crate::OverlayError;
use crate::overlay;

/// What came of an ask: an object with one field, which says what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Values of a key.
    Page(Page),
    /// What was put is stored.
    Put(Put),
    /// It is removed, or was not there.
    Removed(Removed),
    /// Who has a name.
    Name(Looked),
    /// Where somebody is registered, the first choice first; none if nowhere.
    Located(Vec<Contact>),
    /// Service-IDs, by name.
    Services(Vec<String>),
    /// Who offers a service: `HOST:PORT`, each once.
    Providers(Vec<String>),
    /// It was not done.
    Error(Refusal),
}

/// Part of a key's values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Page {
    /// The values, in the order of their ids.
    pub values: Vec<Found>,
    /// Where to go on, if that was not all: the `after` of the next `get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Base64>,
}

/// A value that was found. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Found {
    /// Which entry of its key it is.
    pub id: Base64,
    /// The value; of what is signed, its canonical bytes.
    pub value: Base64,
    /// What is left of its life, in milliseconds.
    pub remaining_ms: u64,
}

/// What was put is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Put {
    /// Copies on disk.
    pub replicas: usize,
}

/// What became of a removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Removed {
    /// Whether it was there.
    pub found: bool,
}

/// Who has a name, and who else claims it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Looked {
    /// The name, normalised.
    pub name: String,
    /// Who has it, confirmed; nothing while nobody has.
    pub holder: Option<Claiming>,
    /// All others that claim it, the first in order first: losers, if there is a holder.
    pub others: Vec<Claiming>,
    /// The least sequence of the asker's next claim, if the asker's key was given.
    pub next: Option<u64>,
}

/// Somebody who claims a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Claiming {
    /// The name as the claimant spells it.
    pub name: String,
    /// The name with four digits of the key: how a loser is shown.
    pub tagged: String,
    /// The claimant's public key, in hexadecimal.
    pub key: String,
    /// What people compare of it: 80 bits.
    pub fingerprint: String,
    /// For how many seconds the name has been claimed by it.
    pub held_s: u64,
    /// The claim in its canonical bytes: anybody can check them.
    pub signed: Base64,
}

/// Where somebody is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Contact {
    /// The SIP address to call: the phone's own if it is direct, else the person's at the super-node that
    /// reaches the phone.
    pub uri: String,
    /// Preference, from 0 to 1000.
    pub q: u16,
    /// Whether that is the phone itself.
    pub direct: bool,
    /// What is left of the registration, in milliseconds.
    pub remaining_ms: u64,
}

impl Answer {
    /// What it says, as the overlay has it. What it was asked is not known here.
    ///
    /// # Errors
    /// What was not done, and [`OverlayError::Refused`] when it makes no sense.
    pub fn read(self) -> Result<overlay::Answer, OverlayError> {
        Ok(match self {
            Answer::Page(page) => overlay::Answer::Page(page.read()?),
            Answer::Put(Put { replicas }) => overlay::Answer::Put { replicas },
            Answer::Removed(Removed { found }) => overlay::Answer::Removed { found },
            Answer::Name(looked) => overlay::Answer::Name(looked.read()?),
            Answer::Located(contacts) => {
                overlay::Answer::Contacts(contacts.into_iter().map(Contact::read).collect())
            }
            Answer::Services(texts) | Answer::Providers(texts) => overlay::Answer::Texts(texts),
            Answer::Error(refusal) => return Err(refusal.into()),
        })
    }
}

impl Page {
    fn read(self) -> Result<overlay::Page, Refusal> {
        let values = self.values.into_iter().map(Found::read).collect::<Result<_, _>>()?;
        let next = self.next.map(|next| entry_id("next", &next)).transpose()?;
        Ok(overlay::Page { values, next })
    }
}

impl Found {
    pub(super) fn read(self) -> Result<overlay::Found, Refusal> {
        Ok(overlay::Found {
            id: entry_id("id", &self.id)?,
            value: Value::new(self.value.0).map_err(|error| Refusal::bad(error.to_string()))?,
            remaining: Lifetime::from_millis(self.remaining_ms),
        })
    }
}

impl Looked {
    fn read(self) -> Result<overlay::NameState, Refusal> {
        Ok(overlay::NameState {
            holder: self.holder.map(Claiming::read).transpose()?,
            others: self.others.into_iter().map(Claiming::read).collect::<Result<_, _>>()?,
            next: self.next.map(Sequence::new),
        })
    }
}

impl Claiming {
    fn read(self) -> Result<Signed, Refusal> {
        let signed = Signed::from_bytes(self.signed.0);
        let signed = signed.map_err(|error| Refusal::bad(format!("a claim: {error}")))?;
        // The text beside it is for people: it must not name another.
        let named = self.key.parse::<PublicKey>();
        match named {
            Ok(key) if key == signed.author() => Ok(signed),
            _ => Err(Refusal::bad("a claim is not its claimant's")),
        }
    }
}

impl Contact {
    fn read(self) -> overlay::Contact {
        overlay::Contact {
            uri: self.uri,
            q: self.q.min(1000),
            direct: self.direct,
            remaining: Lifetime::from_millis(self.remaining_ms),
        }
    }
}

impl From<overlay::Page> for Page {
    fn from(page: overlay::Page) -> Page {
        let found = |found: overlay::Found| Found {
            id: Base64::copy(&found.id.to_bytes()),
            value: Base64(found.value.into_bytes()),
            remaining_ms: found.remaining.as_millis(),
        };
        Page {
            values: page.values.into_iter().map(found).collect(),
            next: page.next.map(|next| Base64::copy(&next.to_bytes())),
        }
    }
}

impl From<overlay::Contact> for Contact {
    fn from(contact: overlay::Contact) -> Contact {
        Contact {
            uri: contact.uri,
            q: contact.q,
            direct: contact.direct,
            remaining_ms: contact.remaining.as_millis(),
        }
    }
}
