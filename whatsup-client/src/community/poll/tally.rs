//! [`Tally`]: how a poll stands. It follows from the set of entries that were seen, in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use base::{PublicKey, Slot};

use super::super::view::View;
use super::{Ballot, Closed, Poll};
use crate::record::Record;

/// How a poll stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// How many votes each option has.
    pub counts: Vec<usize>,
    /// Whose vote is for which option, counted from zero.
    pub votes: BTreeMap<PublicKey, usize>,
    /// Who closed it; nobody while it is open.
    pub closed_by: BTreeSet<PublicKey>,
}

impl Tally {
    /// Counts. `live` is what voters have said in the list of votes, `closings` what was said to close it.
    /// Closed, it counts what the closings of its author, the founder and the moderators carry; open, what
    /// members said.
    pub fn of(
        poll: &Poll,
        author: &PublicKey,
        view: &View,
        live: &[Record<Ballot>],
        closings: &[Closed],
    ) -> Tally {
        let closings: Vec<&Closed> =
            closings.iter().filter(|closed| may_close(author, view, &closed.by)).collect();
        let closed_by: BTreeSet<PublicKey> = closings.iter().map(|closed| closed.by).collect();
        let votes = if closed_by.is_empty() {
            newest(poll, live.iter().filter(|vote| may_vote(poll, view, &vote.author)))
        } else {
            newest(poll, closings.iter().flat_map(|closed| &closed.ballots))
        };
        let mut counts = vec![0; poll.options.len()];
        for option in votes.values() {
            counts[*option] += 1;
        }
        Tally { counts, votes, closed_by }
    }

    /// Whether votes still count.
    pub fn is_open(&self) -> bool {
        self.closed_by.is_empty()
    }
}

/// Whether somebody may close a poll: its author, the founder, a moderator.
pub fn may_close(author: &PublicKey, view: &View, who: &PublicKey) -> bool {
    who == author || view.charter.moderates(who)
}

/// Whether somebody's vote counts in a poll that is open.
pub fn may_vote(poll: &Poll, view: &View, voter: &PublicKey) -> bool {
    if poll.approved_only || view.charter.approved_polls {
        view.members.has_approved(voter)
    } else {
        view.members.has(voter)
    }
}

/// Each one's newest vote, if it is for something that can be chosen.
fn newest<'a>(
    poll: &Poll,
    votes: impl Iterator<Item = &'a Record<Ballot>>,
) -> BTreeMap<PublicKey, usize> {
    let mut newest: BTreeMap<PublicKey, &Record<Ballot>> = BTreeMap::new();
    for vote in votes.filter(|vote| vote.slot == Slot::ZERO) {
        let before = newest.get(&vote.author);
        if before.is_none_or(|old| (old.sequence, old.hash) < (vote.sequence, vote.hash)) {
            newest.insert(vote.author, vote);
        }
    }
    newest.into_iter().filter_map(|(who, vote)| Some((who, poll.option(&vote.body)?))).collect()
}

#[cfg(test)]
mod tests {
    use base::{Name, Sequence};
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::community::charter::Charter;
    use crate::community::testing::{charter, join, key};
    use crate::stamp::Stamp;

    fn poll() -> Poll {
        let options = ["pizza", "pasta", "rice"];
        let name = Name::new("person3").unwrap();
        Poll::new(&name, "What to eat?", &options, false, Stamp::default()).unwrap()
    }

    fn ballot(voter: u8, sequence: u64, choice: u32) -> Record<Ballot> {
        let body = Ballot { choice };
        let hash = *blake3::hash(&body.encode_to_vec()).as_bytes();
        let (author, slot) = (key(voter).public(), Slot::ZERO);
        Record { author, slot, sequence: Sequence::new(sequence), body, hash }
    }

    fn closed(by: u8, ballots: &[Record<Ballot>]) -> Closed {
        let by = key(by).public();
        Closed { by, stamp: Stamp::default(), ballots: ballots.to_vec() }
    }

    /// Of founder 1 and moderator 2; 3 to 6 joined.
    fn view() -> View {
        View::of(charter(false), &[3, 4, 5, 6].map(join), &[])
    }

    fn count(live: &[Record<Ballot>], closings: &[Closed]) -> Tally {
        Tally::of(&poll(), &key(3).public(), &view(), live, closings)
    }

    #[test]
    fn the_newest_vote_of_each_member_counts_if_it_is_for_an_option() {
        let live = [
            ballot(3, 1, 1),
            ballot(3, 2, 2),
            ballot(4, 5, 1),
            ballot(5, 1, 4), // No such option.
            ballot(6, 1, 0),
            ballot(9, 1, 1), // No member.
        ];
        let tally = count(&live, &[]);
        assert_eq!((&tally.counts[..], tally.is_open()), (&[1, 1, 0][..], true));
        assert_eq!(tally.votes.len(), 2);
    }

    #[test]
    fn a_poll_for_approved_members_counts_no_others() {
        let view = view();
        let live = [ballot(2, 1, 1), ballot(3, 1, 1)];
        let author = key(3).public();
        let only = Poll { approved_only: true, ..poll() };
        assert_eq!(Tally::of(&only, &author, &view, &live, &[]).counts, [1, 0, 0]);
        let charter = Charter { approved_polls: true, ..charter(false) };
        let strict = View { charter, ..view };
        assert_eq!(Tally::of(&poll(), &author, &strict, &live, &[]).counts, [1, 0, 0]);
    }

    #[test]
    fn a_closed_poll_counts_what_those_who_may_close_it_counted() {
        let live = [ballot(4, 1, 1), ballot(5, 1, 1)];
        // Its author, and a moderator on the other side of a split, who saw a later vote of 4.
        let (by_author, by_moderator) = ([ballot(4, 1, 1)], [ballot(4, 2, 3), ballot(6, 1, 2)]);
        let tally = count(&live, &[closed(3, &by_author), closed(2, &by_moderator)]);
        assert_eq!((&tally.counts[..], tally.closed_by.len()), (&[0, 1, 1][..], 2));
        // Another member's closing is none.
        let tally = count(&live, &[closed(4, &[ballot(6, 1, 2)])]);
        assert_eq!((&tally.counts[..], tally.is_open()), (&[2, 0, 0][..], true));
        // Nobody's vote was counted, and it is closed all the same.
        let tally = count(&live, &[closed(1, &[])]);
        assert_eq!((&tally.counts[..], tally.is_open()), (&[0, 0, 0][..], false));
    }

    /// What somebody does to the poll, on one side of a split or with both.
    #[derive(Debug, Clone)]
    enum Deed {
        Vote(Record<Ballot>),
        Close(u8, Vec<Record<Ballot>>),
    }

    fn ballots() -> impl Strategy<Value = Record<Ballot>> {
        (1..10_u8, 0..3_u64, 0..5_u32).prop_map(|(voter, at, choice)| ballot(voter, at, choice))
    }

    fn deeds() -> impl Strategy<Value = Deed> {
        prop_oneof![
            6 => ballots().prop_map(Deed::Vote),
            1 => (1..6_u8, prop::collection::vec(ballots(), 0..6))
                .prop_map(|(by, counted)| Deed::Close(by, counted)),
        ]
    }

    fn after<'a>(deeds: impl Iterator<Item = &'a Deed>) -> Tally {
        let (mut live, mut closings) = (Vec::new(), Vec::new());
        for deed in deeds {
            match deed {
                Deed::Vote(ballot) => live.push(ballot.clone()),
                Deed::Close(by, counted) => closings.push(closed(*by, counted)),
            }
        }
        count(&live, &closings)
    }

    /// The same, told in a plain way: people 1 to 6 are members, 1 to 3 may close.
    fn model(deeds: &[Deed]) -> Vec<usize> {
        let mut counted = Vec::new();
        let mut said = Vec::new();
        let mut is_closed = false;
        for deed in deeds {
            match deed {
                Deed::Vote(ballot) if (1..=6).any(|n| ballot.author == key(n).public()) => {
                    said.push(ballot);
                }
                Deed::Vote(_) | Deed::Close(4.., _) => {}
                Deed::Close(_, ballots) => {
                    is_closed = true;
                    counted.extend(ballots);
                }
            }
        }
        let all = if is_closed { counted } else { said };
        let mut counts = vec![0; 3];
        for n in 1..10 {
            let own = all.iter().filter(|ballot| ballot.author == key(n).public());
            if let Some(last) = own.max_by_key(|ballot| (ballot.sequence, ballot.hash))
                && let choice @ 1..=3 = last.body.choice
            {
                counts[choice as usize - 1] += 1;
            }
        }
        counts
    }

    proptest! {
        #[test]
        fn halves_that_meet_count_the_same_in_any_order_and_as_a_plain_model_does(
            deeds in prop::collection::vec((deeds(), 0..3_u8), 0..24),
            swaps in prop::collection::vec((0..24_usize, 0..24_usize), 0..24),
        ) {
            let all: Vec<Deed> = deeds.iter().map(|(deed, _)| deed.clone()).collect();
            let tally = after(all.iter());
            prop_assert_eq!(&tally.counts, &model(&all));
            let side = |side: u8| {
                deeds.iter().filter(move |(_, at)| *at == 2 || *at == side).map(|(deed, _)| deed)
            };
            prop_assert_eq!(&after(side(0).chain(side(1))), &tally);
            prop_assert_eq!(&after(side(1).chain(side(0))), &tally);
            let mut swapped = all;
            for (one, two) in swaps.into_iter().filter(|_| !deeds.is_empty()) {
                swapped.swap(one % deeds.len(), two % deeds.len());
            }
            prop_assert_eq!(&after(swapped.iter()), &tally);
        }
    }
}
