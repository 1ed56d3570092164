//! [`Query`]: what is looked for, and how well something meets it.

use std::collections::BTreeSet;

use crate::words::{self, BEGINNING_MIN, Met, Word};

/// Most words of a query; more are not looked at.
pub const QUERY_WORDS_MAX: usize = 8;

/// What is looked for: words, all of which have to be met. Never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    words: Vec<Word>,
}

/// How well something meets a query; more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score(u32);

/// A text in which there is no word to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no word to look for; give the first {BEGINNING_MIN} letters of one, or more, or one character \
     of a script without spaces"
)]
pub struct NoWords;

impl Query {
    /// The words of what somebody typed.
    ///
    /// # Errors
    /// [`NoWords`] when there is none.
    pub fn new(typed: &str) -> Result<Query, NoWords> {
        let mut words = words::sought(typed);
        words.truncate(QUERY_WORDS_MAX);
        if words.is_empty() { Err(NoWords) } else { Ok(Query { words }) }
    }

    /// Its words.
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// Whether a text meets it.
    pub fn meets(&self, text: &str) -> bool {
        self.score(text, "").is_some()
    }

    /// Under which beginnings to read, the likely rarest first: under each is all that meets the query.
    pub(super) fn read_under(&self, max: usize) -> Vec<String> {
        let all: BTreeSet<(u8, String)> = self.words.iter().flat_map(Word::sought_under).collect();
        all.into_iter().take(max).map(|(_, beginning)| beginning).collect()
    }

    /// How well something with this title and these other words meets it; nothing if it lacks a word.
    pub(super) fn score(&self, title: &str, others: &str) -> Option<Score> {
        let title = words::written(title);
        let best = |word: &Word| {
            let in_title = title.iter().filter_map(|written| word.met_by(written.as_str())).max();
            let elsewhere = || others.split(' ').filter_map(|written| word.met_by(written)).max();
            match in_title {
                Some(Met::Whole) => Some(4),
                Some(Met::InPart) => Some(3),
                None => elsewhere().map(|met| if met == Met::Whole { 2 } else { 1 }),
            }
        };
        self.words.iter().map(best).sum::<Option<u32>>().map(Score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(typed: &str) -> Query {
        Query::new(typed).unwrap()
    }

    #[test]
    fn a_query_has_a_word_and_not_too_many() {
        for nothing in ["", " ", "-- !", "🎉"] {
            let error = Query::new(nothing).unwrap_err().to_string();
            assert!(error.contains("no word to look for"), "{error}");
        }
        let many: Vec<String> = (0..20).map(|n| format!("word{n}")).collect();
        assert_eq!(query(&many.join(" ")).words().len(), QUERY_WORDS_MAX);
    }

    #[test]
    fn whole_words_and_titles_count_more_and_all_words_must_be_met() {
        let score = |typed: &str, title: &str, others: &str| query(typed).score(title, others);
        let falling = [
            score("rust", "Rust", ""),
            score("rust", "Rusty", ""),
            score("rust", "Go", "rust"),
            score("rust", "Go", "rusty"),
            None,
        ];
        assert!(falling.is_sorted_by(|one, two| one > two), "{falling:?}");
        assert_eq!(score("rust go", "Rust", "python"), None);
        assert!(score("rust go", "Go", "rust") > score("rust go", "Golf", "rusty"));
    }

    #[test]
    fn the_rarest_are_read_first() {
        assert_eq!(query("ann music berlin").read_under(2), ["berli", "music"]);
        assert_eq!(query("のり 東京").read_under(3)[..2], ["京", "東"]);
    }
}
