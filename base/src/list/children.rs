//! Which children a node has: an entry for each, and each length of life.

use crate::limits::TTL_MAX_S;
use crate::{SecretTag, Ttl, Value};

use super::path::BRANCHES;

/// The tag of entries that nobody can remove, since nobody knows a text with this SHA-1: they lapse
/// when nobody puts them any more.
pub const LAPSES: SecretTag = SecretTag::from_bytes(*b"it only ever lapses!");

/// How much longer a child is enrolled than what is put there lives, in seconds: putting may take some,
/// and comes after.
const SLACK_S: u64 = 30;
/// From one length of life to the next: with 4, there are eight of them from half a minute to a week,
/// and so at most 128 entries of a node's 16 children.
const FACTOR: u64 = 4;

/// The children a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Children(u16);

/// How long a child is enrolled. The entries of two of these differ, so that who enrols a child for a
/// minute does not shorten what somebody enrolled for a week; among those who enrol for one length the
/// last one's always ends last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term(u8);

impl Term {
    /// The shortest that outlasts an element, with what it takes to put it.
    pub(super) fn for_ttl(ttl: Ttl) -> Term {
        let needed = (ttl.as_secs() + SLACK_S).min(TTL_MAX_S);
        let shorter = |n: &u8| FACTOR.pow(u32::from(*n)) < needed;
        Term((0..).take_while(shorter).count() as u8)
    }

    /// Its length.
    pub(super) fn ttl(self) -> Ttl {
        let seconds = FACTOR.pow(u32::from(self.0)).min(TTL_MAX_S);
        Ttl::from_secs(seconds.cast_signed()).unwrap_or(Ttl::MAX)
    }

    /// When it ends, if it begins now, in milliseconds.
    pub(super) fn until(self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.ttl().as_secs() * 1000)
    }

    /// What enrols a child.
    pub(super) fn entry(self, step: u8) -> Value {
        Value::new(format!("{step:x} {}", self.0)).unwrap_or_else(|_| unreachable!("a few bytes"))
    }
}

/// Whether a child that is enrolled until then need not be enrolled again for an element of this ttl.
pub(super) fn outlasts(until_ms: u64, now_ms: u64, ttl: Ttl) -> bool {
    now_ms.saturating_add((ttl.as_secs() + SLACK_S) * 1000) <= until_ms
}

impl Children {
    /// The children that these entries under a children's key enrol; others there mean nothing.
    pub fn of<'a>(entries: impl IntoIterator<Item = (&'a Value, SecretTag)>) -> Children {
        let mut children = Children::default();
        for (value, tag) in entries {
            if let (Some(step), LAPSES) = (step_of(value.as_bytes()), tag) {
                children.0 |= 1 << step;
            }
        }
        children
    }

    /// Whether there is this one.
    pub(super) fn has(self, step: u8) -> bool {
        step < BRANCHES && self.0 & 1 << step != 0
    }

    /// The first one from this on.
    pub(super) fn next(self, from: u8) -> Option<u8> {
        (from..BRANCHES).find(|step| self.has(*step))
    }
}

/// `a 5`: the step in hexadecimal, the length of life.
fn step_of(entry: &[u8]) -> Option<u8> {
    let [step @ (b'0'..=b'9' | b'a'..=b'f'), b' ', term @ ..] = entry else { return None };
    let number = |digits: &[u8]| str::from_utf8(digits).ok()?.parse::<u8>().ok();
    number(term)?;
    u8::try_from(char::from(*step).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use crate::limits::LIST_ROOM;

    use super::*;

    fn ttl(seconds: u64) -> Ttl {
        Ttl::from_secs(seconds.cast_signed()).unwrap()
    }

    #[test]
    fn a_term_outlasts_what_it_is_for_and_all_terms_fit() {
        let mut terms = std::collections::HashSet::new();
        for seconds in (1..2000).chain((2000..TTL_MAX_S).step_by(997)).chain([TTL_MAX_S]) {
            let term = Term::for_ttl(ttl(seconds));
            assert!(term.ttl().as_secs() >= (seconds + SLACK_S).min(TTL_MAX_S), "{seconds}");
            terms.insert(term.0);
        }
        assert!(terms.len() * usize::from(BRANCHES) <= LIST_ROOM / 2, "{terms:?}");
    }

    #[test]
    fn a_renewal_is_due_before_an_element_could_outlive_its_enrolment() {
        let lease = ttl(60);
        let term = Term::for_ttl(lease);
        assert_eq!(term.ttl().as_secs(), 256);
        let (until, spare) = (term.until(1000), (256 - 60 - SLACK_S) * 1000);
        assert!(outlasts(until, 1000 + spare, lease) && !outlasts(until, 1001 + spare, lease));
        assert!(!outlasts(until, 1000, ttl(300)), "another lives longer");
        assert!(!outlasts(Term::for_ttl(Ttl::MAX).until(1000), 1000, Ttl::MAX));
    }

    #[test]
    fn children_are_read_from_their_entries_and_from_no_others() {
        let text = |text: &'static str| Value::new(text).unwrap();
        let entries = [
            (Term::for_ttl(ttl(9)).entry(0), LAPSES),
            (Term::for_ttl(ttl(9)).entry(10), LAPSES),
            (Term::for_ttl(Ttl::MAX).entry(10), LAPSES),
            (text("b 3"), SecretTag::NONE),
            (text("g 3"), LAPSES),
            (text("c"), LAPSES),
            (text("c 300"), LAPSES),
            (text("c x"), LAPSES),
        ];
        let children = Children::of(entries.iter().map(|(value, tag)| (value, *tag)));
        let all: Vec<u8> = (0..BRANCHES).filter(|step| children.has(*step)).collect();
        assert_eq!(all, [0, 10]);
        assert_eq!(
            (children.next(0), children.next(1), children.next(11)),
            (Some(0), Some(10), None)
        );
    }
}
