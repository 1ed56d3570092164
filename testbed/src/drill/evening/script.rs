//! What happens on an evening: who comes, what is founded, said, asked and voted. Pure: of a seed.

use std::collections::BTreeSet;

use crate::choice::Choice;

/// What words are made of, so that each sounds like one and is found by its beginning.
const SYLLABLES: [&str; 24] = [
    "ba", "cor", "del", "fi", "gan", "hos", "jul", "kem", "lor", "mi", "nat", "o", "pra", "que",
    "ris", "sol", "tam", "u", "ver", "wol", "xi", "yan", "zet", "tri",
];
/// Words people use: the first ones often, the last ones seldom.
const WORDS: usize = 400;
/// Words of a post.
const POST_WORDS: u64 = 9;
/// People somebody follows, and communities somebody joins.
const FOLLOWED: u64 = 10;
const JOINED: u64 = 4;
/// Answers a poll offers.
const OPTIONS: usize = 4;
/// Of so many posts one is said in a community, one is taken back, one has a picture.
const TO_COMMUNITY: usize = 4;
const TAKEN_BACK: usize = 25;
const PICTURE: usize = 50;

/// How large an evening is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) people: usize,
    pub(super) communities: usize,
    pub(super) posts: usize,
    pub(super) votes: usize,
}

/// Somebody who comes.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub(super) name: String,
    pub(super) company: String,
    pub(super) interests: Vec<String>,
    /// Numbers of people; never the guest's own.
    pub(super) follows: BTreeSet<usize>,
    /// Numbers of communities.
    pub(super) joins: BTreeSet<usize>,
}

/// Something that is said.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) by: usize,
    pub(super) text: String,
    /// Said as news of this community instead of to all who follow.
    pub(super) community: Option<usize>,
    pub(super) picture: bool,
    /// Taken back before the evening ends.
    pub(super) taken_back: bool,
}

/// A poll, of a community's member.
#[derive(Debug, Clone)]
pub(super) struct Poll {
    pub(super) community: usize,
    pub(super) by: usize,
    pub(super) question: String,
    pub(super) options: Vec<String>,
}

/// A vote. Of one person's in one poll the last counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vote {
    pub(super) poll: usize,
    pub(super) by: usize,
    pub(super) choice: usize,
}

/// A whole evening.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) guests: Vec<Guest>,
    /// Each community's founder.
    pub(super) founders: Vec<usize>,
    pub(super) said: Vec<Said>,
    pub(super) polls: Vec<Poll>,
    pub(super) votes: Vec<Vote>,
    pub(super) words: Vec<String>,
}

impl Script {
    /// The evening of a seed.
    pub(super) fn new(seed: u64, size: Size) -> Script {
        let mut choice = Choice::seeded(seed);
        let words: Vec<String> = (0..WORDS).map(word).collect();
        let founders: Vec<usize> =
            (0..size.communities).map(|_| pick(&mut choice, size.people)).collect();
        let mut guests: Vec<Guest> =
            (0..size.people).map(|n| guest(&mut choice, n, size, &words)).collect();
        for (community, founder) in founders.iter().enumerate() {
            guests[*founder].joins.insert(community);
        }
        let said = (0..size.posts).map(|n| said(&mut choice, n, &guests, &words)).collect();
        let polls: Vec<Poll> =
            (0..size.communities).map(|n| poll(&mut choice, n, founders[n], &words)).collect();
        let votes = (0..size.votes).filter_map(|_| vote(&mut choice, &polls, &guests)).collect();
        Script { guests, founders, said, polls, votes, words }
    }
}

/// A word that no other number has.
fn word(number: usize) -> String {
    let count = SYLLABLES.len();
    let at = |power: u32| SYLLABLES[number / count.pow(power) % count];
    format!("{}{}{}{}", at(0), at(1), SYLLABLES[(number * 7 + 3) % count], at(2))
}

fn pick(choice: &mut Choice, bound: usize) -> usize {
    usize::try_from(choice.below(bound as u64)).unwrap_or(0)
}

/// One of the words: half of all draws are of a twentieth of them.
fn often<'a>(choice: &mut Choice, words: &'a [String]) -> &'a str {
    let few = if choice.below(2) == 0 { words.len() / 20 } else { words.len() };
    &words[pick(choice, few.max(1))]
}

fn guest(choice: &mut Choice, number: usize, size: Size, words: &[String]) -> Guest {
    let follows = (0..FOLLOWED).map(|_| pick(choice, size.people));
    let follows = follows.filter(|other| *other != number).collect();
    let joins = match size.communities {
        0 => BTreeSet::new(),
        communities => (0..JOINED).map(|_| pick(choice, communities)).collect(),
    };
    Guest {
        name: format!("guest{number}"),
        company: format!("{} ltd", words[pick(choice, words.len())]),
        interests: (0..3).map(|_| often(choice, words).to_owned()).collect(),
        follows,
        joins,
    }
}

fn said(choice: &mut Choice, number: usize, guests: &[Guest], words: &[String]) -> Said {
    let by = pick(choice, guests.len());
    let mut text = format!("number{number}");
    for _ in 0..POST_WORDS {
        text.push(' ');
        text.push_str(often(choice, words));
    }
    let joined: Vec<usize> = guests[by].joins.iter().copied().collect();
    let community = (number.is_multiple_of(TO_COMMUNITY) && !joined.is_empty())
        .then(|| joined[pick(choice, joined.len())]);
    let is_plain = community.is_none();
    Said {
        by,
        text,
        community,
        picture: is_plain && number % PICTURE == 1,
        taken_back: is_plain && number % TAKEN_BACK == 2,
    }
}

fn poll(choice: &mut Choice, community: usize, by: usize, words: &[String]) -> Poll {
    let options = (0..OPTIONS).map(|n| format!("{} {n}", often(choice, words))).collect();
    Poll { community, by, question: format!("{}?", often(choice, words)), options }
}

/// By somebody who is a member.
fn vote(choice: &mut Choice, polls: &[Poll], guests: &[Guest]) -> Option<Vote> {
    let poll = pick(choice, polls.len());
    let community = polls.get(poll)?.community;
    let members: Vec<usize> =
        (0..guests.len()).filter(|n| guests[*n].joins.contains(&community)).collect();
    let by = members[pick(choice, members.len())];
    Some(Vote { poll, by, choice: pick(choice, OPTIONS) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { people: 40, communities: 5, posts: 200, votes: 60 };

    #[test]
    fn a_seed_is_one_evening() {
        let text = |seed| format!("{:?}", Script::new(seed, SIZE));
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn nobody_speaks_or_votes_where_they_are_not_members_or_follows_themselves() {
        let script = Script::new(3, SIZE);
        for said in &script.said {
            assert!(said.community.is_none_or(|at| script.guests[said.by].joins.contains(&at)));
        }
        for vote in &script.votes {
            let community = script.polls[vote.poll].community;
            assert!(script.guests[vote.by].joins.contains(&community));
        }
        for (n, guest) in script.guests.iter().enumerate() {
            assert!(!guest.follows.contains(&n));
        }
    }

    #[test]
    fn words_differ() {
        let words: BTreeSet<String> = (0..WORDS).map(word).collect();
        assert_eq!(words.len(), WORDS);
    }
}
