//! Those who are connected and not known: they came to ask something, from an overlay too large for
//! everybody to know everybody. They are answered, count for nothing else, and may have to go.

use std::collections::BTreeMap;
use std::time::Duration;

use base::NodeId;

use super::{Now, Pulse};

/// Guests at a time.
const GUESTS_MAX: usize = 48;
/// One that was not heard for so long goes.
const IDLE: Duration = Duration::from_secs(20);

/// The guests, and when each was heard.
#[derive(Debug, Default)]
pub(crate) struct Guests(BTreeMap<NodeId, Pulse>);

impl Guests {
    /// One comes; who has to go for it.
    pub(crate) fn enter(&mut self, id: NodeId, pulse: Pulse) -> Option<NodeId> {
        self.0.insert(id, pulse);
        if self.0.len() <= GUESTS_MAX {
            return None;
        }
        let others = self.0.iter().filter(|(other, _)| **other != id);
        let idlest = others.min_by_key(|(_, pulse)| pulse.last()).map(|(id, _)| *id)?;
        self.0.remove(&idlest);
        Some(idlest)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// One has gone, or is known now.
    pub(crate) fn leave(&mut self, id: &NodeId) {
        self.0.remove(id);
    }

    /// Those who have nothing to ask any more.
    pub(crate) fn idle(&mut self, now: Now) -> Vec<NodeId> {
        let idle = |pulse: &Pulse| now.saturating_sub(pulse.last()) >= IDLE;
        let gone = self.0.extract_if(.., |_, pulse| idle(pulse));
        gone.map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::view::tests::peer;

    #[test]
    fn of_too_many_guests_the_idlest_goes_and_the_idle_go_anyway() {
        let mut guests = Guests::default();
        let pulse = |seconds| {
            let pulse = Pulse::default();
            pulse.beat(Duration::from_secs(seconds));
            pulse
        };
        for n in 0..GUESTS_MAX as u64 {
            assert_eq!(guests.enter(peer(n).id, pulse(100 - n)), None);
        }
        let last = peer(GUESTS_MAX as u64 - 1).id;
        assert_eq!(guests.enter(peer(999).id, pulse(0)), Some(last));
        assert_eq!(guests.idle(Duration::from_secs(20)), [peer(999).id]);
        guests.leave(&peer(0).id);
        assert_eq!(guests.idle(Duration::from_secs(999)).len(), GUESTS_MAX - 2);
    }
}
