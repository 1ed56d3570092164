//! What is due when, for a task that does many things later.

use std::collections::BTreeMap;

use tokio::time::Instant;

/// Things that become due. None can be taken back: whoever gets one looks whether it still matters.
#[derive(Debug)]
pub(super) struct Timers<T> {
    queue: BTreeMap<(Instant, u64), T>,
    next: u64,
}

impl<T> Timers<T> {
    pub(super) fn new() -> Timers<T> {
        Timers { queue: BTreeMap::new(), next: 0 }
    }

    pub(super) fn set(&mut self, at: Instant, what: T) {
        self.next += 1;
        self.queue.insert((at, self.next), what);
    }

    /// When the next thing is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// Something that is due now.
    pub(super) fn due(&mut self, now: Instant) -> Option<T> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn things_come_due_in_order_and_not_before() {
        let now = Instant::now();
        let mut timers = Timers::new();
        let at = |millis| now + Duration::from_millis(millis);
        timers.set(at(20), "b");
        timers.set(at(10), "a");
        timers.set(at(20), "c");
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.due(now), None);
        assert_eq!([timers.due(at(20)), timers.due(at(20))], [Some("a"), Some("b")]);
        assert_eq!(timers.due(at(20)), Some("c"));
        assert_eq!(timers.due(at(99)), None);
    }
}
