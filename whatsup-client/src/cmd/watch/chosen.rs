//! [`Chosen`]: which row of a list is chosen, while rows come and go around it.

/// A row, by what names it. At the top it is whatever is first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen<K> {
    key: Option<K>,
    /// Where it was last.
    at: usize,
}

impl<K> Default for Chosen<K> {
    fn default() -> Chosen<K> {
        Chosen { key: None, at: 0 }
    }
}

impl<K: PartialEq + Clone> Chosen<K> {
    /// Which of these rows it is; the one that came into its place, if it is gone.
    pub(super) fn at(&self, rows: &[K]) -> usize {
        let Some(key) = &self.key else { return 0 };
        let there = rows.iter().position(|row| row == key);
        there.unwrap_or_else(|| self.at.min(rows.len().saturating_sub(1)))
    }

    /// Goes down by so many rows, or up.
    pub(super) fn go(&mut self, rows: &[K], by: isize) {
        let at = self.at(rows).saturating_add_signed(by).min(rows.len().saturating_sub(1));
        self.at = at;
        self.key = rows.get(at).filter(|_| at > 0).cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_row_stays_so_whatever_comes_above_it_and_the_top_stays_the_top() {
        let mut chosen = Chosen::default();
        assert_eq!(chosen.at(&['a', 'b', 'c']), 0);
        assert_eq!(chosen.at(&['z', 'a', 'b', 'c']), 0, "the newest");
        chosen.go(&['a', 'b', 'c'], 1);
        assert_eq!(chosen.at(&['z', 'y', 'a', 'b', 'c']), 3);
        chosen.go(&['a', 'b', 'c'], 9);
        assert_eq!(chosen.at(&['a', 'b', 'c']), 2);
        assert_eq!(chosen.at(&['a', 'b']), 1, "what came into its place");
        assert_eq!(chosen.at(&[]), 0);
        chosen.go(&['a', 'b'], -9);
        assert_eq!(chosen.at(&['z', 'a', 'b']), 0);
        chosen.go(&[], 1);
        assert_eq!(chosen.at(&['a']), 0);
    }
}
