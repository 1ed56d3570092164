//! Polls of a community: asking, voting, closing, and how they stand.

use base::limits::LIST_ROOM;
use base::{PublicKey, Signed, Slot, Verified};

use super::poll::{self, Ballot, Closed, Closing, Counted, PARTS_MAX, Poll, Tally};
use super::view::{Shown, View};
use super::{Community, CommunityError, LIFE, MEMBERS_MAX, PART_MAX, POLLS, Told};
use crate::author::Author;
use crate::bell::Kind;
use crate::keys::{self, ThingId};
use crate::overlay::OverlayError;
use crate::record::Record;
use crate::stamp::Stamp;

/// A poll and how it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standings {
    /// What was asked, and by whom.
    pub poll: Shown<Poll>,
    /// How it stands.
    pub tally: Tally,
    /// Whether all votes were read; an open poll with more than a reader takes has more.
    pub complete: bool,
    /// The latest that was said to close it, to be shown.
    pub closed_at: Option<Stamp>,
}

impl Community {
    /// Asks the members something.
    ///
    /// # Errors
    /// [`CommunityError::NotAMember`]; the overlay's.
    pub async fn ask(
        &self,
        author: &Author,
        view: &View,
        poll: &Poll,
    ) -> Result<Told, CommunityError> {
        self.tell(author, view, POLLS, poll.slot(), poll, Kind::Poll).await
    }

    /// The polls members made, the newest first.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn polls(&self, view: &View) -> Result<Vec<Shown<Poll>>, CommunityError> {
        self.shown::<Poll>(view, POLLS).await
    }

    /// One of them.
    ///
    /// # Errors
    /// The overlay's, and [`CommunityError::NoSuchPoll`].
    pub async fn poll(&self, view: &View, id: ThingId) -> Result<Shown<Poll>, CommunityError> {
        let polls = self.polls(view).await?;
        polls.into_iter().find(|shown| shown.id == id).ok_or_else(|| CommunityError::NoSuchPoll {
            title: view.charter.title.clone(),
            poll: id,
        })
    }

    /// How a poll stands.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn standings(
        &self,
        view: &View,
        poll: Shown<Poll>,
    ) -> Result<Standings, CommunityError> {
        let votes = self.net.list(keys::votes(poll.id));
        let (live, closings) =
            tokio::join!(votes.records::<Ballot>(MEMBERS_MAX), self.closings(&poll, view));
        let ((live, complete), closings) = (live?, closings?);
        let tally = Tally::of(&poll.record.body, &poll.author, view, &live, &closings);
        let counts = closings.iter().filter(|closed| tally.closed_by.contains(&closed.by));
        let closed_at = counts.map(|closed| closed.stamp).max();
        let complete = complete || !tally.is_open();
        Ok(Standings { poll, tally, complete, closed_at })
    }

    /// What was said to close it by those who may.
    async fn closings(&self, poll: &Shown<Poll>, view: &View) -> Result<Vec<Closed>, OverlayError> {
        let said = self.net.records_of::<Closing>(&keys::closing(poll.id)).await?;
        let may_close =
            |closing: &&Record<Closing>| poll::may_close(&poll.author, view, &closing.author);
        let read = |closing: &Record<Closing>| {
            Closed::read(poll.id, closing, |signed, place| self.net.check(signed, place))
        };
        Ok(said.iter().filter(may_close).map(read).collect())
    }

    /// Votes for an option, counted from 1, in place of what one voted before.
    ///
    /// # Errors
    /// [`CommunityError::NoSuchOption`], [`CommunityError::Closed`], [`CommunityError::NotAMember`],
    /// [`CommunityError::NotApproved`]; the overlay's.
    pub async fn vote(
        &self,
        author: &Author,
        view: &View,
        poll: &Shown<Poll>,
        choice: usize,
    ) -> Result<(), CommunityError> {
        let options = poll.record.body.options.len();
        let number = u32::try_from(choice).ok().filter(|_| (1..=options).contains(&choice));
        let number = number.ok_or(CommunityError::NoSuchOption { given: choice, options })?;
        self.member(author, view)?;
        if !poll::may_vote(&poll.record.body, view, &author.public()) {
            return Err(CommunityError::NotApproved);
        }
        if !self.closings(poll, view).await?.is_empty() {
            return Err(CommunityError::Closed);
        }
        let votes = self.net.list(keys::votes(poll.id));
        votes.publish(author, Slot::ZERO, LIFE, &Ballot { choice: number }, None).await?;
        Ok(())
    }

    /// Closes a poll with the votes that count now.
    ///
    /// # Errors
    /// [`CommunityError::NotYourPoll`], [`CommunityError::Closed`]; the overlay's.
    pub async fn close(
        &self,
        author: &Author,
        view: &View,
        poll: &Shown<Poll>,
    ) -> Result<(), CommunityError> {
        if !poll::may_close(&poll.author, view, &author.public()) {
            return Err(CommunityError::NotYourPoll);
        }
        if !self.closings(poll, view).await?.is_empty() {
            return Err(CommunityError::Closed);
        }
        let counted = self.countable(view, poll).await?;
        let counted = counted.iter().filter_map(|vote| Counted::of(poll.id, vote)).collect();
        let stamp = author.stamp([poll.stamp()]);
        for (slot, part) in Closed::parts(counted, stamp) {
            self.net.publish(author, &keys::closing(poll.id), slot, LIFE, &part).await?;
        }
        let preview = &poll.record.body.question;
        self.ring(author, Kind::Closed, poll.id, preview, stamp).await
    }

    /// The members' votes that live, each one's newest.
    async fn countable(
        &self,
        view: &View,
        poll: &Shown<Poll>,
    ) -> Result<Vec<Verified<Signed>>, CommunityError> {
        let votes = self.net.list(keys::votes(poll.id));
        let mut newest = std::collections::BTreeMap::<PublicKey, Verified<Signed>>::new();
        let mut from = None;
        loop {
            let page = votes.page(from, LIST_ROOM).await?;
            for vote in page.items {
                let who = vote.author();
                let counts = vote.slot() == Slot::ZERO
                    && poll::may_vote(&poll.record.body, view, &who)
                    && newest.get(&who).is_none_or(|old| old.sequence() < vote.sequence());
                if counts {
                    newest.insert(who, vote);
                }
            }
            from = page.next;
            if from.is_none() || newest.len() >= PARTS_MAX * poll::BALLOTS_PER_PART {
                return Ok(newest.into_values().collect());
            }
        }
    }

    /// Says again what one asked, voted and closed.
    pub(super) async fn renew_polls(
        &self,
        author: &Author,
        view: &View,
    ) -> Result<usize, CommunityError> {
        let mut kept = self.renew_said::<Poll>(author, POLLS).await?;
        for poll in self.polls(view).await?.into_iter().take(PART_MAX) {
            kept += self.renew::<Ballot>(author, keys::votes(poll.id)).await?;
            let key = keys::closing(poll.id);
            let closings = self.net.records_of::<Closing>(&key).await?;
            for closing in closings.iter().filter(|closing| closing.author == author.public()) {
                self.net.publish(author, &key, closing.slot, LIFE, &closing.body).await?;
                kept += 1;
            }
        }
        Ok(kept)
    }
}
