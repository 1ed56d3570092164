//! [`Thing`]: what the index names.

use base::{Key, Name, PublicKey, Slot};

use crate::keys::{self, CommunityId, ThingId};

/// What people look for. Services are not in the index: there is a list of all that are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// People.
    People,
    /// What they share.
    Content,
    /// Communities.
    Communities,
}

/// Something that can be found. Who signs that it is there is whose it is: that, the thing does not say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Thing {
    /// Who holds this name.
    Person(Name),
    /// What somebody shared.
    Content {
        /// The name of who did.
        author: Name,
        /// In which list it is.
        shelf: Shelf,
        /// In which of the author's slots.
        slot: Slot,
    },
    /// A community.
    Community {
        /// The name of who founded it.
        founder: Name,
        /// In which of the founder's slots it is described.
        slot: Slot,
    },
}

/// The list in which content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shelf {
    /// Its author's own posts.
    Posts,
    /// A community's news.
    News(CommunityId),
    /// A community's events.
    Events(CommunityId),
    /// A community's polls.
    Polls(CommunityId),
}

/// A thing in an element.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Wire {
    /// Of the person, author or founder.
    #[prost(string, tag = "1")]
    name: String,
    /// 0 a person, 1 a community, 2 a post, 3 news, 4 an event, 5 a poll.
    #[prost(uint32, tag = "2")]
    what: u32,
    #[prost(bytes = "vec", tag = "3")]
    slot: Vec<u8>,
    /// In which it is.
    #[prost(bytes = "vec", tag = "4")]
    community: Vec<u8>,
}

impl Kind {
    /// All.
    pub const ALL: [Kind; 3] = [Kind::People, Kind::Content, Kind::Communities];

    /// As keys have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::People => "people",
            Kind::Content => "content",
            Kind::Communities => "communities",
        }
    }
}

impl Thing {
    /// Among what it is found.
    pub const fn kind(&self) -> Kind {
        match self {
            Thing::Person(_) => Kind::People,
            Thing::Content { .. } => Kind::Content,
            Thing::Community { .. } => Kind::Communities,
        }
    }

    /// In which list it is, for content.
    pub const fn shelf(&self) -> Option<Shelf> {
        match self {
            Thing::Content { shelf, .. } => Some(*shelf),
            _ => None,
        }
    }

    /// The name of whose it is.
    pub const fn name(&self) -> &Name {
        match self {
            Thing::Person(name)
            | Thing::Content { author: name, .. }
            | Thing::Community { founder: name, .. } => name,
        }
    }

    /// What names it elsewhere, if this person's it is: for content.
    pub fn content_id(&self, author: &PublicKey) -> Option<ThingId> {
        let Thing::Content { author: name, shelf, slot } = self else { return None };
        Some(ThingId::of(&shelf.root(name), author, *slot))
    }

    /// What names it elsewhere, if this person founded it: for a community.
    pub fn community_id(&self, founder: &PublicKey) -> Option<CommunityId> {
        let Thing::Community { slot, .. } = self else { return None };
        Some(CommunityId::of(founder, *slot))
    }

    /// The slot for it in any list of the index.
    pub(super) fn slot(&self) -> Slot {
        // A community's founder, and who shared something, may come to have another name.
        let wire = self.to_wire();
        let name = if matches!(self, Thing::Person(_)) { wire.name.as_bytes() } else { &[] };
        let what = wire.what.to_be_bytes();
        keys::slot_about("index", &[&what, &wire.slot, &wire.community, name])
    }

    pub(super) fn to_wire(&self) -> Wire {
        let mut wire = Wire { name: self.name().to_string(), ..Wire::default() };
        match self {
            Thing::Person(_) => {}
            Thing::Community { slot, .. } => {
                (wire.what, wire.slot) = (1, slot.as_bytes().to_vec());
            }
            Thing::Content { shelf, slot, .. } => {
                let (what, community) = match shelf {
                    Shelf::Posts => (2, None),
                    Shelf::News(id) => (3, Some(id)),
                    Shelf::Events(id) => (4, Some(id)),
                    Shelf::Polls(id) => (5, Some(id)),
                };
                (wire.what, wire.slot) = (what, slot.as_bytes().to_vec());
                wire.community = community.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            }
        }
        wire
    }

    /// What somebody's element names, if it is something.
    pub(crate) fn of_wire(wire: &Wire) -> Option<Thing> {
        let name = Name::new(&wire.name).ok().filter(|name| name.as_str() == wire.name)?;
        let slot = || Some(Slot::new(wire.slot.as_slice().try_into().ok()?));
        let community = || wire.community.as_slice().try_into().ok().map(CommunityId::from_bytes);
        let shelf = match wire.what {
            0 => return Some(Thing::Person(name)),
            1 => return Some(Thing::Community { founder: name, slot: slot()? }),
            2 => Shelf::Posts,
            3 => Shelf::News(community()?),
            4 => Shelf::Events(community()?),
            5 => Shelf::Polls(community()?),
            _ => return None,
        };
        Some(Thing::Content { author: name, shelf, slot: slot()? })
    }
}

impl Shelf {
    /// The list's root; `author` is whose posts they are.
    pub fn root(&self, author: &Name) -> Key {
        match self {
            Shelf::Posts => keys::posts(author),
            Shelf::News(id) => keys::community_part(*id, "news"),
            Shelf::Events(id) => keys::community_part(*id, "events"),
            Shelf::Polls(id) => keys::community_part(*id, "polls"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_read_back_and_none_is_anothers() {
        let name = Name::new("alice").unwrap();
        let (slot, id) = (Slot::new([7; 16]), CommunityId::from_bytes([9; 16]));
        let content = |shelf| Thing::Content { author: name.clone(), shelf, slot };
        let all = [
            Thing::Person(name.clone()),
            Thing::Community { founder: name.clone(), slot },
            content(Shelf::Posts),
            content(Shelf::News(id)),
            content(Shelf::Events(id)),
            content(Shelf::Polls(id)),
        ];
        for (at, thing) in all.iter().enumerate() {
            assert_eq!(Thing::of_wire(&thing.to_wire()).as_ref(), Some(thing));
            assert!(all[..at].iter().all(|other| other.slot() != thing.slot()));
        }
    }

    #[test]
    fn what_names_nothing_is_nothing() {
        let good = Thing::Person(Name::new("alice").unwrap()).to_wire();
        let with = |change: fn(&mut Wire)| {
            let mut wire = good.clone();
            change(&mut wire);
            Thing::of_wire(&wire)
        };
        assert_eq!(with(|wire| wire.name = "Alice".to_owned()), None, "not as it is written");
        assert_eq!(with(|wire| wire.name.clear()), None);
        assert_eq!(with(|wire| wire.what = 2), None, "no slot");
        assert_eq!(with(|wire| wire.what = 9), None);
    }
}
