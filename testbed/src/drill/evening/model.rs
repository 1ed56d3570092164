//! [`Model`]: what everybody ought to see, from what was accepted. As plain as can be: sets and counts.

use std::collections::{BTreeMap, BTreeSet};

use whatsup::feed::Mark;

use super::script::Script;

/// What was accepted so far.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Of what was shared with everybody, by its number in the script: where it stands in a feed.
    pub(super) shared: BTreeMap<usize, Mark>,
    /// What was taken back.
    pub(super) taken_back: BTreeSet<usize>,
    /// News, by its number.
    pub(super) news: BTreeMap<usize, Mark>,
    /// Each person's last vote in each poll.
    pub(super) votes: BTreeMap<(usize, usize), usize>,
}

impl Model {
    /// The texts of what a person's feed has, the newest first, at most `max`: of whom she follows.
    pub(super) fn feed<'a>(&self, script: &'a Script, person: usize, max: usize) -> Vec<&'a str> {
        let follows = &script.guests[person].follows;
        let mut seen: Vec<(Mark, usize)> = self
            .shared
            .iter()
            .filter(|(n, _)| !self.taken_back.contains(n) && follows.contains(&script.said[**n].by))
            .map(|(n, mark)| (*mark, *n))
            .collect();
        seen.sort_unstable();
        seen.into_iter().take(max).map(|(_, n)| &*script.said[n].text).collect()
    }

    /// The texts of a community's news, the newest first.
    pub(super) fn news<'a>(&self, script: &'a Script, community: usize) -> Vec<&'a str> {
        let of_it = self.news.iter().filter(|(n, _)| script.said[**n].community == Some(community));
        let mut seen: Vec<(Mark, usize)> = of_it.map(|(n, mark)| (*mark, *n)).collect();
        seen.sort_unstable();
        seen.into_iter().map(|(_, n)| &*script.said[n].text).collect()
    }

    /// How many have each option of a poll.
    pub(super) fn counts(&self, script: &Script, poll: usize) -> Vec<usize> {
        let mut counts = vec![0; script.polls[poll].options.len()];
        for ((of, _), choice) in &self.votes {
            if *of == poll {
                counts[*choice] += 1;
            }
        }
        counts
    }

    /// What is found by a word: posts, news and polls, each as it is shown.
    pub(super) fn with_word<'a>(&self, script: &'a Script, word: &str) -> BTreeSet<&'a str> {
        let all = self.shared.keys().chain(self.news.keys());
        let there = all.filter(|n| !self.taken_back.contains(n));
        let texts = there.map(|n| (&*script.said[*n].text, ""));
        let polls = script.polls.iter().flat_map(|poll| {
            let question = [(&*poll.question, &*poll.question)];
            question.into_iter().chain(poll.options.iter().map(|o| (&*poll.question, &**o)))
        });
        let has = |text: &str| text.split([' ', '?']).any(|one| one == word);
        let found = texts.chain(polls).filter(|(shown, also)| has(shown) || has(also));
        found.map(|(shown, _)| shown).collect()
    }
}
