//! When to ask around for members this node does not know.

use std::time::Duration;

use super::Now;

/// After a difference was found, and after each search that changed nothing twice as long as before.
const FIRST: Duration = Duration::from_millis(500);
/// At most: in an overlay too large for everybody to know everybody there are always differences.
const LONGEST: Duration = Duration::from_secs(120);

/// Searches when others know other members, less and less often while that brings nothing new.
#[derive(Debug)]
pub(crate) struct Search {
    due: Option<Now>,
    pause: Duration,
    not_before: Now,
}

impl Default for Search {
    fn default() -> Search {
        Search { due: None, pause: FIRST, not_before: Now::ZERO }
    }
}

impl Search {
    /// Another member told what it knows: the same as this node, or not.
    pub(crate) fn compare(&mut self, same: bool, now: Now) {
        if same {
            self.due = None;
        } else if self.due.is_none() {
            self.due = Some(self.not_before.max(now + FIRST));
        }
    }

    /// The members have changed: searching may bring something again.
    pub(crate) fn news(&mut self, now: Now) {
        self.pause = FIRST;
        self.not_before = self.not_before.min(now + FIRST);
        self.due = self.due.map(|due| due.min(self.not_before));
    }

    /// Whether to search now.
    pub(crate) fn is_due(&mut self, now: Now) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.due = None;
        self.pause = (self.pause * 2).min(LONGEST);
        self.not_before = now + self.pause;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_that_bring_nothing_become_rare() {
        let (mut search, mut searches) = (Search::default(), 0);
        for second in 0..3600 {
            let now = Duration::from_secs(second);
            search.compare(false, now);
            searches += u32::from(search.is_due(now));
        }
        assert!((20..50).contains(&searches), "{searches} in an hour");
        search.news(Duration::from_secs(3600));
        search.compare(false, Duration::from_secs(3600));
        assert!(search.is_due(Duration::from_secs(3601)));
    }

    #[test]
    fn who_knows_the_same_gives_no_reason() {
        let mut search = Search::default();
        search.compare(false, Duration::ZERO);
        search.compare(true, Duration::ZERO);
        assert!(!search.is_due(Duration::from_secs(10)));
    }
}
