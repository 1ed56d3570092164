//! [`Poll`]: a question to a community, and the votes on it.
//!
//! One key has one vote, the newest. Who has several keys has several votes: nothing here can tell. A poll
//! that counts *approved* members only counts those whom the founder or a moderator vouches for.
//!
//! While a poll is open its count is that of the members' votes that live. It is closed by its author, the
//! founder or a moderator, by an entry that carries the votes counted as the voters signed them: it can
//! leave votes out, but not make any up. Of several closings all votes count, of each key the newest.

mod tally;

use base::list::{Path, Tree};
use base::{EntryId, Name, Place, PublicKey, Signed, Slot, Verified};
use bytes::Bytes;
use prost::Message;

use super::view::Part;
use crate::index::Shelf;
use crate::keys::{self, CommunityId, ThingId};
use crate::list::BODY_MAX;
use crate::record::Record;
use crate::stamp::Stamp;
use crate::text::{self, TextError};

pub use tally::{Tally, may_close, may_vote};

/// Fewest and most options of a poll.
pub const OPTIONS: std::ops::RangeInclusive<usize> = 2..=12;
/// Longest question, in bytes.
const QUESTION_MAX: usize = 200;
/// Longest option, in bytes.
const OPTION_MAX: usize = 60;
/// Votes that one closing entry carries: 141 bytes each, in a value of 64 KiB.
pub(super) const BALLOTS_PER_PART: usize = 440;
/// Entries of one closing: 7,040 votes, 1 MB of a key's 4 MB, which three may close.
pub(super) const PARTS_MAX: usize = 16;

/// A question: the body of an element of a community's list `polls`. Its slot is a hash of it, so that
/// nobody can change what was voted on.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Poll {
    /// The name of who asks.
    #[prost(string, tag = "1")]
    pub name: String,
    /// When, to be shown.
    #[prost(uint64, tag = "2")]
    pub stamp: u64,
    /// What is asked.
    #[prost(string, tag = "3")]
    pub question: String,
    /// What may be answered.
    #[prost(string, repeated, tag = "4")]
    pub options: Vec<String>,
    /// Whether only votes of approved members count.
    #[prost(bool, tag = "5")]
    pub approved_only: bool,
}

/// A vote: the body of an element of a poll's list of votes, in slot zero.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Ballot {
    /// The number of the option, from 1 on.
    #[prost(uint32, tag = "1")]
    pub choice: u32,
}

/// That a poll is closed, and with which votes: the body of an entry under its closing key. One who closes
/// with many votes uses several slots.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Closing {
    /// When, to be shown.
    #[prost(uint64, tag = "1")]
    pub stamp: u64,
    /// The votes counted.
    #[prost(message, repeated, tag = "2")]
    pub counted: Vec<Counted>,
}

/// A vote that is counted in a closing.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Counted {
    /// The canonical bytes that the voter signed.
    #[prost(bytes = "bytes", tag = "1")]
    pub signed: Bytes,
    /// How deep in the list of votes it stood: which key it was signed for.
    #[prost(uint32, tag = "2")]
    pub depth: u32,
}

/// What one person closed a poll with.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// Who.
    pub by: PublicKey,
    /// When, to be shown.
    pub stamp: Stamp,
    /// The votes that voters signed indeed.
    pub ballots: Vec<Record<Ballot>>,
}

/// Why something is no poll, and what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// One of its texts.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Too few options, or too many.
    #[error("a poll has {least} to {most} options; this one has {0}", least = OPTIONS.start(), most = OPTIONS.end())]
    Options(usize),
    /// Two options are the same.
    #[error("two options are {0:?}; leave one out")]
    Twice(String),
    /// All texts together are too long.
    #[error("the poll has {0} bytes; it may have {BODY_MAX}: shorten its options")]
    TooBig(usize),
}

impl Poll {
    /// What somebody typed, checked.
    ///
    /// # Errors
    /// [`PollError`] says what to change.
    pub fn new(
        name: &Name,
        question: &str,
        options: &[impl AsRef<str>],
        approved_only: bool,
        stamp: Stamp,
    ) -> Result<Poll, PollError> {
        let question = text::line(question, "question", QUESTION_MAX)?;
        if !OPTIONS.contains(&options.len()) {
            return Err(PollError::Options(options.len()));
        }
        let mut checked = Vec::with_capacity(options.len());
        for option in options {
            let option = text::line(option.as_ref(), "option", OPTION_MAX)?;
            if checked.contains(&option) {
                return Err(PollError::Twice(option));
            }
            checked.push(option);
        }
        let (name, stamp) = (name.as_str().to_owned(), stamp.millis());
        let poll = Poll { name, stamp, question, options: checked, approved_only };
        let len = poll.encoded_len();
        if len > BODY_MAX { Err(PollError::TooBig(len)) } else { Ok(poll) }
    }

    /// The slot in which it has to stand.
    pub fn slot(&self) -> Slot {
        let stamp = self.stamp.to_be_bytes();
        let approved = [u8::from(self.approved_only)];
        let texts = std::iter::once(&self.question).chain(&self.options);
        let lengths: Vec<[u8; 8]> =
            texts.clone().map(|text| (text.len() as u64).to_be_bytes()).collect();
        let mut parts: Vec<&[u8]> = vec![&stamp, &approved];
        for (length, text) in lengths.iter().zip(texts) {
            parts.extend([&length[..], text.as_bytes()]);
        }
        keys::slot_about("poll", &parts)
    }

    /// The option a vote chooses, counted from zero.
    fn option(&self, ballot: &Ballot) -> Option<usize> {
        let option = usize::try_from(ballot.choice).ok()?.checked_sub(1)?;
        (option < self.options.len()).then_some(option)
    }
}

impl Part for Poll {
    fn name(&self) -> &str {
        &self.name
    }

    fn stamp(&self) -> Stamp {
        Stamp::from_millis(self.stamp)
    }

    fn title(&self) -> &str {
        &self.question
    }

    fn texts(&self) -> Vec<&str> {
        self.options.iter().map(String::as_str).collect()
    }

    fn shelf(community: CommunityId) -> Shelf {
        Shelf::Polls(community)
    }

    fn is_whole(record: &Record<Poll>) -> bool {
        let poll = &record.body;
        !poll.question.is_empty()
            && OPTIONS.contains(&poll.options.len())
            && record.slot == poll.slot()
    }
}

impl Counted {
    /// A vote as it was found in the list of votes; nothing if it is from elsewhere.
    pub fn of(poll: ThingId, vote: &Verified<Signed>) -> Option<Counted> {
        let mut depths = 0..=base::list::DEPTH_MAX;
        let is_there = |depth: &usize| vote.check(&voted_at(poll, vote.id(), *depth)).is_ok();
        let depth = u32::try_from(depths.find(is_there)?).ok()?;
        Some(Counted { signed: vote.as_bytes().clone(), depth })
    }

    /// The vote, if the voter signed it for this poll. `verify` checks a signature for a place.
    fn read(
        &self,
        poll: ThingId,
        verify: &impl Fn(Signed, &Place) -> Option<Verified<Signed>>,
    ) -> Option<Record<Ballot>> {
        let signed = Signed::from_bytes(self.signed.clone()).ok()?;
        let depth =
            usize::try_from(self.depth).ok().filter(|depth| *depth <= base::list::DEPTH_MAX)?;
        if signed.slot() != Slot::ZERO || signed.is_removal() {
            return None;
        }
        let place = voted_at(poll, signed.id(), depth);
        Record::read(&verify(signed, &place)?)
    }
}

/// The key of the list of votes at which a vote stands, so deep.
fn voted_at(poll: ThingId, vote: EntryId, depth: usize) -> Place {
    Tree::new(keys::votes(poll)).node(&Path::of(&vote).first(depth)).place()
}

impl Closed {
    /// What somebody closed a poll with: of each vote carried, whether its voter signed it for this poll.
    pub fn read(
        poll: ThingId,
        closing: &Record<Closing>,
        verify: impl Fn(Signed, &Place) -> Option<Verified<Signed>>,
    ) -> Closed {
        let counted = closing.body.counted.iter();
        let ballots = counted.filter_map(|counted| counted.read(poll, &verify)).collect();
        Closed { by: closing.author, stamp: Stamp::from_millis(closing.body.stamp), ballots }
    }

    /// The entries to close a poll with, a slot for each: at least one, if nobody voted.
    pub fn parts(counted: Vec<Counted>, stamp: Stamp) -> Vec<(Slot, Closing)> {
        let stamp = stamp.millis();
        let mut rest = counted.into_iter().take(PARTS_MAX * BALLOTS_PER_PART).peekable();
        let mut parts = Vec::new();
        while parts.is_empty() || rest.peek().is_some() {
            let counted = rest.by_ref().take(BALLOTS_PER_PART).collect();
            let number = u128::try_from(parts.len()).unwrap_or_default();
            parts.push((Slot::new(number.to_be_bytes()), Closing { stamp, counted }));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use base::{Kind, Sequence, SigningKey, Ttl};

    use super::*;

    fn poll(question: &str, options: &[&str]) -> Result<Poll, PollError> {
        Poll::new(&Name::new("alice").unwrap(), question, options, false, Stamp::default())
    }

    #[test]
    fn a_poll_needs_a_question_and_options_that_differ() {
        let refused =
            |question: &str, options: &[&str]| poll(question, options).unwrap_err().to_string();
        assert_eq!(refused(" ", &["a", "b"]), "the question is empty; write something");
        assert_eq!(refused("?", &["a"]), "a poll has 2 to 12 options; this one has 1");
        assert!(refused("?", &["a"; 13]).contains("this one has 13"));
        assert_eq!(refused("?", &["a", "b", " a"]), "two options are \"a\"; leave one out");
        assert!(refused("?", &["a", ""]).contains("the option is empty"));
        assert!(refused(&"?".repeat(201), &["a", "b"]).contains("the limit is 200"));
        let long: Vec<String> = (0..12).map(|n| format!("{n:060}")).collect();
        let all: Vec<&str> = long.iter().map(String::as_str).collect();
        assert!(refused(&"?".repeat(200), &all).contains("it may have 893"));
    }

    #[test]
    fn a_poll_that_was_changed_stands_in_the_wrong_slot() {
        let body = poll("Pizza or pasta?", &["pizza", "pasta"]).unwrap();
        let author = PublicKey::from_bytes([1; 32]);
        let at = |slot, body: &Poll| {
            let body = body.clone();
            Record { author, slot, sequence: Sequence::ZERO, body, hash: [0; 32] }
        };
        assert!(Poll::is_whole(&at(body.slot(), &body)));
        for changed in [
            Poll { options: vec!["pasta".into(), "pizza".into()], ..body.clone() },
            Poll { question: "Pizza?".into(), ..body.clone() },
            Poll { approved_only: true, ..body.clone() },
            Poll { question: "Pizza or pasta?\u{5}pizza".into(), ..body.clone() },
        ] {
            assert!(!Poll::is_whole(&at(body.slot(), &changed)), "{changed:?}");
        }
    }

    #[test]
    fn what_a_closing_carries_is_checked_vote_by_vote_and_fits() {
        let id = ThingId::from_bytes([7; 16]);
        let voter = |n: u16| {
            let mut seed = [1; 32];
            seed[..2].copy_from_slice(&n.to_be_bytes());
            SigningKey::from_bytes(&seed)
        };
        let vote = |n: u16, poll: ThingId, depth: usize| {
            let key = voter(n);
            let place = voted_at(poll, EntryId::of_slot(&key.public(), Slot::ZERO), depth);
            let body = Ballot { choice: 12 }.encode_to_vec();
            let (kind, sequence) = (Kind::Plain, Sequence::new(u64::MAX));
            let signed = Signed::sign(&key, &place, Slot::ZERO, kind, sequence, Ttl::MAX, &body);
            signed.unwrap().verify(&place).unwrap()
        };
        let counted = Counted::of(id, &vote(1, id, 2)).unwrap();
        assert_eq!(counted.depth, 2);
        assert_eq!(Counted::of(id, &vote(1, ThingId::from_bytes([8; 16]), 0)), None);
        let forged = Counted { depth: 1, ..counted.clone() };
        let elsewhere = Counted {
            signed: vote(2, ThingId::from_bytes([8; 16]), 0).as_bytes().clone(),
            depth: 0,
        };
        let far = Counted { depth: u32::MAX, ..counted.clone() };
        let noise = Counted { signed: Bytes::from_static(b"noise"), depth: 0 };
        let body =
            Closing { stamp: 5, counted: vec![forged, elsewhere, far, noise, counted.clone()] };
        let author = PublicKey::from_bytes([9; 32]);
        let record =
            Record { author, slot: Slot::ZERO, sequence: Sequence::ZERO, body, hash: [0; 32] };
        let closed = Closed::read(id, &record, |signed, place| signed.verify(place).ok());
        let voters: Vec<_> = closed.ballots.iter().map(|ballot| ballot.author).collect();
        assert_eq!(voters, [voter(1).public()]);

        let most = vec![counted; PARTS_MAX * BALLOTS_PER_PART + 1];
        let parts = Closed::parts(most, Stamp::from_millis(u64::MAX));
        assert_eq!(parts.len(), PARTS_MAX);
        assert!(parts.iter().all(|(_, part)| part.encoded_len() <= Signed::BODY_MAX));
        assert_eq!(Closed::parts(Vec::new(), Stamp::default()).len(), 1);
    }
}
