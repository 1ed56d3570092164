//! [`Community`]: people who belong together, and what they tell each other.
//!
//! ```text
//! community/<id>              charter     what it is, by the founder's word; moderators keep it alive
//! community/<id>/members      members     who joined
//! community/<id>/moderation   moderation  what founder and moderators decided
//!      └──────────────────── view ──────  who belongs to it, and so whose words are shown
//! community/<id>/news         news  ┐
//! community/<id>/events       event ├─── what members say
//! community/<id>/polls        polls ┘    and vote on
//! communities                 directory  all communities
//! ```
//!
//! What is shown follows from the set of signed entries alone: readers who have seen the same, in any order,
//! show the same, and two halves of an overlay that parted and meet do. Nothing needs the founder to be there.

mod calendar;
mod charter;
mod directory;
mod event;
mod found;
mod members;
mod moderation;
mod news;
mod poll;
mod polls;
mod upkeep;
mod view;

use base::limits::LIST_ROOM;
use base::{Key, PublicKey, Slot, Ttl};
use prost::Message;

use crate::author::Author;
use crate::bell::{self, Kind};
use crate::blob::BlobError;
use crate::index;
use crate::keys::{self, CommunityId, ThingId};
use crate::list::BODY_MAX;
use crate::net::{Net, page};
use crate::overlay::{Ask, Get, OverlayError};
use crate::post::DraftError;
use crate::stamp::Stamp;
use crate::text::TextError;

pub use calendar::calendar;
pub use charter::{Charter, Description, MODERATORS_MAX, Person, Said};
pub use directory::{Listing, communities};
pub use event::{Event, EventError, Moment};
pub use found::seen;
pub use members::{Join, Member, Members, Standing};
pub use moderation::{Act, Decision, Moderation, Subject, Verdict};
pub use news::News;
pub use poll::{
    Ballot, Closed, Closing, Counted, OPTIONS, Poll, PollError, Tally, may_close, may_vote,
};
pub use polls::Standings;
pub use upkeep::{keep_all, leave_all};
pub use view::{Part, Shown, View};

/// For how long what is said here lives, unless it is said again: as long as anything may.
pub const LIFE: Ttl = Ttl::MAX;
/// Most members a reader takes in; a thousand kilobytes of them.
pub const MEMBERS_MAX: usize = 4_096;
/// Most of each other part a reader takes in.
pub const PART_MAX: usize = 2_048;

const MEMBERS: &str = "members";
const MODERATION: &str = "moderation";
const NEWS: &str = "news";
const EVENTS: &str = "events";
const POLLS: &str = "polls";

/// A handle on one community. Cloning is cheap.
#[derive(Clone)]
pub struct Community {
    net: Net,
    id: CommunityId,
}

/// Something was said.
#[derive(Debug)]
pub struct Told {
    /// The thing's id.
    pub id: ThingId,
    /// Whether it is found by its words, too; if not, why. It is once it is said again ([`Community::keep`]).
    pub indexed: Result<(), OverlayError>,
}

/// Why something was not done in a community, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum CommunityError {
    /// The overlay's reason.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// A text that is not taken.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It is no event.
    #[error(transparent)]
    Event(#[from] EventError),
    /// It is nothing to share.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// All of it together is too long for an element of a list.
    #[error("this has {0} bytes; in a community it may have {BODY_MAX}: shorten it")]
    TooBig(usize),
    /// Its long text.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// It is no poll.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// Nobody describes it, or what was said has lapsed.
    #[error("there is no community {0}")]
    NoSuch(CommunityId),
    /// Only members do this.
    #[error("you are no member of {title:?}{}", why(.standing))]
    NotAMember {
        /// What the community is called.
        title: String,
        /// How one stands to it.
        standing: Option<Standing>,
    },
    /// Only the founder does this.
    #[error("only {0:?}'s founder does this")]
    NotTheFounder(String),
    /// Only those who moderate do this.
    #[error("only {0:?}'s founder and moderators do this")]
    NotAModerator(String),
    /// The founder and moderators are so by the founder's word.
    #[error("{0} moderates: the founder has to dismiss a moderator first, and nobody the founder")]
    Moderates(String),
    /// There are as many as may be.
    #[error("there are {MODERATORS_MAX} moderators, the most there may be; dismiss one first")]
    TooManyModerators,
    /// No poll has this id.
    #[error("{title:?} has no poll {poll}")]
    NoSuchPoll {
        /// What the community is called.
        title: String,
        /// What was asked for.
        poll: ThingId,
    },
    /// The poll has fewer options.
    #[error("there is no option {given}; the poll has 1 to {options}")]
    NoSuchOption {
        /// What was chosen, from 1 on.
        given: usize,
        /// How many there are.
        options: usize,
    },
    /// Votes of approved members alone count.
    #[error("only votes of approved members count in this poll; ask a moderator for approval")]
    NotApproved,
    /// The poll is closed.
    #[error("the poll is closed; votes count no more")]
    Closed,
    /// Somebody else's poll.
    #[error("a poll is closed by who asked, by the founder or a moderator")]
    NotYourPoll,
}

fn why(standing: &Option<Standing>) -> &'static str {
    match standing {
        Some(Standing::Waiting) => " yet: a moderator has to approve you",
        Some(Standing::Removed) => ": a moderator removed you",
        _ => "; join first",
    }
}

impl Net {
    /// A handle on this community, whether there is one or not.
    pub fn community(&self, id: CommunityId) -> Community {
        Community { net: self.clone(), id }
    }

    /// Makes a community, and lists it among all.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn found(
        &self,
        author: &Author,
        description: Description,
    ) -> Result<Community, CommunityError> {
        let now = author.sequence(base::Sequence::ZERO).number().to_be_bytes();
        let slot = keys::slot_about("community", &[&now, description.title.as_bytes()]);
        let community = self.community(CommunityId::of(&author.public(), slot));
        community.say(author, slot, description).await?;
        directory::list(self, author, community.id).await?;
        Ok(community)
    }
}

impl Community {
    /// Which it is.
    pub fn id(&self) -> CommunityId {
        self.id
    }

    /// What it is; nothing if nobody says so.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn charter(&self) -> Result<Option<Charter>, OverlayError> {
        Ok(charters(&self.net, &[self.id]).await?.pop())
    }

    /// Who belongs to it and what was decided, as it is now. Read in two steps, whatever its size up to 256
    /// members.
    ///
    /// # Errors
    /// The overlay's, and [`CommunityError::NoSuch`].
    pub async fn view(&self) -> Result<View, CommunityError> {
        let (members, moderation) = (self.part(MEMBERS), self.part(MODERATION));
        let (charter, joins, acts) = tokio::join!(
            self.charter(),
            members.records::<Join>(MEMBERS_MAX),
            moderation.records::<Act>(PART_MAX),
        );
        let charter = charter?.ok_or(CommunityError::NoSuch(self.id))?;
        let ((joins, all_joins), (acts, all_acts)) = (joins?, acts?);
        Ok(View { complete: all_joins && all_acts, ..View::of(charter, &joins, &acts) })
    }

    /// Describes it anew, moderators and rules of joining included.
    ///
    /// # Errors
    /// [`CommunityError::NotTheFounder`]; the overlay's.
    pub async fn describe(
        &self,
        author: &Author,
        charter: &Charter,
        description: Description,
    ) -> Result<(), CommunityError> {
        if author.public() != charter.founder {
            return Err(CommunityError::NotTheFounder(charter.title.clone()));
        }
        if description.moderators.len() > MODERATORS_MAX {
            return Err(CommunityError::TooManyModerators);
        }
        self.say(author, charter.slot(), description).await?;
        self.ring(author, Kind::Moderation, ThingId::from_bytes([0; 16]), "", Stamp::default())
            .await
    }

    /// Puts the founder's word, and what it is found by.
    async fn say(
        &self,
        author: &Author,
        slot: Slot,
        description: Description,
    ) -> Result<(), CommunityError> {
        let thing = index::Thing::Community { founder: author.name().clone(), slot };
        let (title, about) = (description.title.clone(), description.text.clone());
        let said = Said { description: Some(description), ..Said::default() };
        self.net.publish(author, &keys::community(self.id), slot, LIFE, &said).await?;
        let said = index::Said { title: &title, texts: &[&about], stamp: author.stamp([]) };
        Ok(index::put(&self.net, author, &thing, said, LIFE).await?)
    }

    /// Joins it: one is a member, or waits for approval.
    ///
    /// # Errors
    /// [`CommunityError::NotAMember`] of who was removed; the overlay's, and [`CommunityError::NoSuch`].
    pub async fn join(&self, author: &Author) -> Result<Standing, CommunityError> {
        let view = self.view().await?;
        let standing = match view.members.standing(&author.public()) {
            Some(standing @ Standing::Removed) => {
                let title = view.charter.title;
                return Err(CommunityError::NotAMember { title, standing: Some(standing) });
            }
            Some(standing) => standing,
            None if view.charter.by_approval => Standing::Waiting,
            None => Standing::Joined,
        };
        let join =
            Join { name: author.name().as_str().to_owned(), stamp: author.stamp([]).millis() };
        self.part(MEMBERS).publish(author, Slot::ZERO, LIFE, &join, None).await?;
        self.keep_charter(author, &view.charter).await?;
        Ok(standing)
    }

    /// Leaves it; whether one had joined.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn leave(&self, author: &Author) -> Result<bool, CommunityError> {
        Ok(self.part(MEMBERS).retract(author, Slot::ZERO).await?)
    }

    /// Decides about a member or a thing, for all to see. `name` is that of the person it is about.
    ///
    /// # Errors
    /// [`CommunityError::NotAModerator`], [`CommunityError::Moderates`], that the reason is no text; the
    /// overlay's.
    pub async fn decide(
        &self,
        author: &Author,
        view: &View,
        subject: Subject,
        verdict: Verdict,
        reason: &str,
    ) -> Result<(), CommunityError> {
        if !view.charter.moderates(&author.public()) {
            return Err(CommunityError::NotAModerator(view.charter.title.clone()));
        }
        let name = match subject {
            Subject::Member(key) if view.charter.moderates(&key) => {
                let name = view.members.name(&key).unwrap_or_default();
                return Err(CommunityError::Moderates(name.to_owned()));
            }
            Subject::Member(key) => view.members.name(&key).unwrap_or_default(),
            Subject::Thing(_) => "",
        };
        let turn = view.moderation.next_turn(&subject);
        let act = Act::new(subject, verdict, reason, name, turn, author.stamp([]))?;
        let stamp = Stamp::from_millis(act.stamp);
        self.part(MODERATION).publish(author, subject.slot(), LIFE, &act, None).await?;
        self.keep_charter(author, &view.charter).await?;
        self.ring(author, Kind::Moderation, ThingId::from_bytes([0; 16]), "", stamp).await
    }

    /// Announces an event to the members.
    ///
    /// # Errors
    /// [`CommunityError::NotAMember`]; the overlay's.
    pub async fn announce(
        &self,
        author: &Author,
        view: &View,
        event: &Event,
    ) -> Result<Told, CommunityError> {
        let slot = keys::slot_about("event", &[&event.encode_to_vec()]);
        self.tell(author, view, EVENTS, slot, event, Kind::Event).await
    }

    /// The events members announced, the one that begins first first.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn events(&self, view: &View) -> Result<Vec<Shown<Event>>, CommunityError> {
        let mut events = self.shown::<Event>(view, EVENTS).await?;
        let start = |shown: &Shown<Event>| {
            shown.record.body.start.and_then(Moment::utc).map(|start| start.timestamp())
        };
        events.sort_by_key(|shown| (start(shown), shown.id));
        Ok(events)
    }

    /// Says something in a part, rings the bell, and puts it into the index.
    async fn tell<T: Part + Message>(
        &self,
        author: &Author,
        view: &View,
        part: &'static str,
        slot: Slot,
        body: &T,
        kind: Kind,
    ) -> Result<Told, CommunityError> {
        self.member(author, view)?;
        let list = self.part(part);
        list.publish(author, slot, LIFE, body, None).await?;
        let id = ThingId::of(list.tree().root(), &author.public(), slot);
        self.keep_charter(author, &view.charter).await?;
        self.ring(author, kind, id, body.title(), body.stamp()).await?;
        let indexed = self.index(author, slot, body).await;
        Ok(Told { id, indexed })
    }

    /// Puts what one said into the index.
    async fn index<T: Part>(
        &self,
        author: &Author,
        slot: Slot,
        body: &T,
    ) -> Result<(), OverlayError> {
        let thing = self.indexed::<T>(author, slot);
        let (texts, stamp) = (body.texts(), body.stamp());
        let said = index::Said { title: body.title(), texts: &texts, stamp };
        index::put(&self.net, author, &thing, said, LIFE).await
    }

    fn indexed<T: Part>(&self, author: &Author, slot: Slot) -> index::Thing {
        index::Thing::Content { author: author.name().clone(), shelf: T::shelf(self.id), slot }
    }

    /// What members said in a part, the newest first.
    async fn shown<T: Part + Message + Default>(
        &self,
        view: &View,
        part: &'static str,
    ) -> Result<Vec<Shown<T>>, CommunityError> {
        let (records, _) = self.part(part).records::<T>(PART_MAX).await?;
        Ok(view.shown(&self.root(part), records))
    }

    /// The ids of all that members said: news, events and polls.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn things(&self, view: &View) -> Result<Vec<ThingId>, CommunityError> {
        let (news, events, polls) =
            tokio::try_join!(self.news(view), self.events(view), self.polls(view))?;
        let ids = news.iter().map(|shown| shown.id).chain(events.iter().map(|shown| shown.id));
        Ok(ids.chain(polls.iter().map(|shown| shown.id)).collect())
    }

    /// Takes back what one said, also from the index; whether it was there.
    ///
    /// # Errors
    /// The overlay's; taking it back again is safe.
    pub async fn take_back(&self, author: &Author, thing: ThingId) -> Result<bool, CommunityError> {
        Ok(self.retract::<News>(author, NEWS, thing).await?
            || self.retract::<Event>(author, EVENTS, thing).await?
            || self.retract::<Poll>(author, POLLS, thing).await?)
    }

    async fn retract<T: Part>(
        &self,
        author: &Author,
        part: &'static str,
        thing: ThingId,
    ) -> Result<bool, OverlayError> {
        let (list, root) = (self.part(part), self.root(part));
        let mut from = None;
        loop {
            let page = list.page(from, LIST_ROOM).await?;
            let own = page.items.iter().filter(|item| item.author() == author.public());
            let mut slots = own.map(|item| item.slot());
            let is_it = |slot: &Slot| ThingId::of(&root, &author.public(), *slot) == thing;
            if let Some(slot) = slots.find(is_it) {
                // First, so that it is found again by who was stopped on the way.
                index::remove(&self.net, author, &self.indexed::<T>(author, slot)).await?;
                return list.retract(author, slot).await;
            }
            from = page.next;
            if from.is_none() {
                return Ok(false);
            }
        }
    }

    async fn ring(
        &self,
        author: &Author,
        kind: Kind,
        thing: ThingId,
        preview: &str,
        stamp: Stamp,
    ) -> Result<(), CommunityError> {
        bell::ring(&self.net, author, self.id, kind, thing, preview, stamp).await?;
        Ok(())
    }

    fn member(&self, author: &Author, view: &View) -> Result<(), CommunityError> {
        let who: PublicKey = author.public();
        if view.members.has(&who) {
            return Ok(());
        }
        let (title, standing) = (view.charter.title.clone(), view.members.standing(&who));
        Err(CommunityError::NotAMember { title, standing })
    }

    fn root(&self, part: &'static str) -> Key {
        keys::community_part(self.id, part)
    }

    fn part(&self, part: &'static str) -> crate::list::List {
        self.net.list(self.root(part))
    }
}

/// What those of these communities are that somebody describes; all are read at once.
async fn charters(net: &Net, ids: &[CommunityId]) -> Result<Vec<Charter>, OverlayError> {
    let keys: Vec<Key> = ids.iter().map(|id| keys::community(*id)).collect();
    let asks = keys.iter().map(|key| Ask::Get(Get::all(key.clone()))).collect();
    let mut charters = Vec::with_capacity(ids.len());
    for ((id, key), answer) in ids.iter().zip(&keys).zip(net.run(asks).await) {
        let entries = net.verified(key, &page(answer)?);
        charters.extend(Charter::settle(*id, &entries, |signed, place| net.check(signed, place)));
    }
    Ok(charters)
}

/// Who and what other modules' tests need.
#[cfg(test)]
pub(crate) mod testing {
    pub(crate) use super::charter::tests::{charter, key};
    pub(crate) use super::members::tests::join;
}

#[cfg(test)]
mod tests;
