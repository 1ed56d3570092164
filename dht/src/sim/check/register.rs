//! What is known of one value under one key: whether it has to be there, must not be, or may be.

use std::time::Duration;

use super::{Phase, Side};

/// Until a copy of an entry that was sent just before its ttl was over has reached a disk, and what
/// many such copies after each other can add up to: how much longer than its ttl a value may live.
pub(super) const SLACK: Duration = Duration::from_secs(120);
/// Clocks count whole milliseconds, and each way from one to another may lose a part of one.
const ROUNDING: Duration = Duration::from_millis(100);
/// Deeds kept for whoever looks into a failure.
const HISTORY_MAX: usize = 40;

/// What an operation does to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Deed {
    /// Put, to live so long.
    Put(Duration),
    /// Removed.
    Remove,
}

/// What a read must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    There,
    Gone,
    Either,
}

/// What was known before an operation began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prior {
    Never,
    Sure(bool),
    Unsure,
}

impl Prior {
    /// Whether it does not matter which of the two wins when copies of both meet.
    fn agrees_with(self, present: bool) -> bool {
        self == Prior::Never || self == Prior::Sure(present)
    }
}

/// What is known of one value.
#[derive(Debug, Clone, Default)]
pub(super) struct Register {
    /// What the last operation made it, if that was acknowledged.
    present: Option<bool>,
    /// Whether an operation under way may change it at any moment.
    pub(super) changing: bool,
    /// Whether a put, or a removal, was not acknowledged, or may be hidden where the others cannot
    /// see it: it may come into force at any time later.
    maybe_put: bool,
    maybe_removed: bool,
    /// Counts operations: a read that saw it change under way says nothing.
    pub(super) changes: u64,
    changed_at: Duration,
    /// On how many disks the last operation is known to be.
    copies: usize,
    /// From when on it may have expired, and when it must have.
    earliest: Option<Duration>,
    latest: Option<Duration>,
    torn: Option<Torn>,
    history: Vec<String>,
}

/// What was done to it while the overlay was in parts that do not know of each other.
#[derive(Debug, Clone, Copy)]
struct Torn {
    prior: Prior,
    side: Side,
    /// Whether it was changed in more than one part, or it is not known in which.
    mixed: bool,
    puts: bool,
    removes: bool,
}

/// Where and when an operation was done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    pub(super) phase: Phase,
    pub(super) side: Side,
    pub(super) prior: Prior,
    /// Whether the phase changed under way.
    pub(super) spans: bool,
    pub(super) began: Duration,
    pub(super) ended: Duration,
}

impl Register {
    fn sure(&self) -> Option<bool> {
        match self.present {
            Some(true) if !self.maybe_removed => Some(true),
            Some(false) if !self.maybe_put => Some(false),
            _ => None,
        }
    }

    pub(super) fn prior(&self) -> Prior {
        match (self.torn, self.sure()) {
            (Some(_), _) => Prior::Unsure,
            (None, Some(present)) => Prior::Sure(present),
            (None, None) if self.changes == 0 => Prior::Never,
            (None, None) => Prior::Unsure,
        }
    }

    /// Whether it will never be sure again.
    pub(super) fn is_lost_cause(&self) -> bool {
        !self.changing && self.changes > 0 && (self.maybe_put || self.maybe_removed)
    }

    pub(super) fn is_surely_there(&self, now: Duration) -> bool {
        self.torn.is_none() && !self.changing && self.expected(now, now) == Expected::There
    }

    pub(super) fn note(&mut self, line: String) {
        if self.history.len() >= HISTORY_MAX {
            self.history.remove(0);
        }
        self.history.push(line);
    }

    pub(super) fn history(&self) -> &[String] {
        &self.history
    }

    /// An operation was acknowledged by so many.
    pub(super) fn done(&mut self, deed: Deed, copies: usize, at: Circumstances) {
        let present = deed != Deed::Remove;
        let was = self.sure() == Some(true);
        let torn = self.touch(deed, at);
        if at.spans && !at.prior.agrees_with(present) {
            self.doubt();
        } else {
            self.present = Some(present);
            self.copies = copies;
        }
        if let Deed::Put(ttl) = deed {
            let earliest = at.began + ttl;
            // Where copies of several puts may meet any of them may win.
            let keeps = (torn || at.spans || self.maybe_put) && (was || self.maybe_put);
            self.earliest = Some(match self.earliest {
                Some(before) if keeps && before + SLACK > at.began => before.min(earliest),
                _ => earliest,
            });
            self.outlive(at.ended + ttl);
        }
    }

    /// An operation was not acknowledged: it may or may not be in force, now or later.
    pub(super) fn unknown(&mut self, deed: Deed, at: Circumstances) {
        self.touch(deed, at);
        self.present = None;
        match deed {
            Deed::Put(ttl) => {
                self.maybe_put = true;
                let earliest = at.began + ttl;
                self.earliest = Some(self.earliest.map_or(earliest, |e| e.min(earliest)));
                self.outlive(at.ended + ttl);
            }
            Deed::Remove => self.maybe_removed = true,
        }
    }

    fn outlive(&mut self, until: Duration) {
        let latest = until + SLACK;
        self.latest = Some(self.latest.map_or(latest, |before| before.max(latest)));
    }

    fn doubt(&mut self) {
        self.present = None;
        self.maybe_put = true;
        self.maybe_removed = true;
    }

    /// Takes note of a change while the overlay is not one. Whether it is not.
    fn touch(&mut self, deed: Deed, at: Circumstances) -> bool {
        self.changed_at = at.ended;
        if at.phase == Phase::Whole {
            return false;
        }
        let new =
            Torn { prior: at.prior, side: at.side, mixed: false, puts: false, removes: false };
        let torn = self.torn.get_or_insert(new);
        torn.mixed |=
            torn.side != at.side || at.spans || (at.side.weak && at.phase == Phase::Mending);
        match deed {
            Deed::Put(_) => torn.puts = true,
            Deed::Remove => torn.removes = true,
        }
        true
    }

    /// The overlay is one again: what was done in its parts has met.
    pub(super) fn calm(&mut self, ordered: bool) {
        let Some(torn) = self.torn.take() else { return };
        let Some(present) = self.present else { return };
        let agrees = torn.prior.agrees_with(present);
        let in_order = ordered && !torn.mixed && (!torn.side.weak || agrees);
        let of_one_kind = !(torn.puts && torn.removes) && agrees;
        if !in_order && !of_one_kind {
            self.doubt();
        }
    }

    /// By now at least so many have it.
    pub(super) fn spread(&mut self, copies: usize) {
        self.copies = self.copies.max(copies);
    }

    /// Whether nothing was done to it since.
    pub(super) fn is_older_than(&self, moment: Duration) -> bool {
        !self.changing && self.changed_at <= moment
    }

    /// So many disks are lost at once.
    pub(super) fn lose_disks(&mut self, count: usize) {
        if self.copies <= count && self.present.is_some() {
            self.doubt();
        }
    }

    /// A machine that had been off for so long, or unwritten to, came back with its wall clock off by
    /// so much.
    pub(super) fn clock_jumped(&mut self, off: Duration, jump_ms: i64, now: Duration) {
        let Some(latest) = self.latest else { return };
        let jump = Duration::from_millis(jump_ms.unsigned_abs());
        if jump_ms < 0 {
            // What had expired since its clock was kept last is back, too.
            if latest + off >= now {
                self.latest = Some(latest + off.min(jump));
            }
        } else if latest.saturating_sub(jump) > now {
            // The shorter life is passed on to the others; where the life was over nothing is.
            self.earliest = self.earliest.map(|earliest| earliest.saturating_sub(jump));
        }
    }

    /// What a read between two moments has to find when the overlay is whole.
    fn expected(&self, began: Duration, ended: Duration) -> Expected {
        if self.is_over(began) {
            return Expected::Gone;
        }
        match self.sure() {
            Some(true) if self.earliest.is_some_and(|e| ended + ROUNDING < e) => Expected::There,
            Some(false) => Expected::Gone,
            _ => Expected::Either,
        }
    }

    fn is_over(&self, now: Duration) -> bool {
        self.latest.is_none_or(|latest| now > latest)
    }

    /// What a read in one part has to find.
    pub(super) fn expected_at(
        &self,
        side: Side,
        phase: Phase,
        began: Duration,
        ended: Duration,
    ) -> Expected {
        let knows = match (phase, self.torn) {
            (Phase::Whole, _) => true,
            (_, None) => !side.weak,
            (_, Some(torn)) if torn.mixed || torn.side != side => false,
            (_, Some(_)) if !side.weak => true,
            (Phase::Torn { ordered: true }, Some(torn)) => {
                self.present.is_some_and(|present| torn.prior.agrees_with(present))
            }
            _ => false,
        };
        match (knows, self.is_over(began)) {
            (_, true) => Expected::Gone,
            (true, false) => self.expected(began, ended),
            (false, false) => Expected::Either,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Side = Side { number: 0, weak: true };
    const OTHER: Side = Side { number: 1, weak: true };
    const TORN: Phase = Phase::Torn { ordered: true };
    const HOUR: Duration = Duration::from_secs(3600);

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn act(register: &mut Register, deed: Deed, phase: Phase, side: Side, at: u64) {
        let prior = register.prior();
        let (began, ended) = (s(at), s(at));
        let at = Circumstances { phase, side, prior, spans: false, began, ended };
        register.changes += 1;
        register.done(deed, 2, at);
    }

    fn put() -> Register {
        let mut register = Register::default();
        act(&mut register, Deed::Put(HOUR), Phase::Whole, Side::WHOLE, 0);
        register
    }

    fn expected(register: &Register, at: u64) -> Expected {
        register.expected_at(Side::WHOLE, Phase::Whole, s(at), s(at))
    }

    #[test]
    fn a_value_lives_for_its_ttl_and_not_much_longer() {
        let register = put();
        assert_eq!(expected(&register, 3590), Expected::There);
        assert_eq!(expected(&register, 3601), Expected::Either);
        assert_eq!(expected(&register, 3600 + 121), Expected::Gone);
        let mut ahead = put();
        ahead.clock_jumped(s(10), 1_000_000, s(100));
        assert_eq!(expected(&ahead, 2590), Expected::There);
        assert_eq!(expected(&ahead, 2601), Expected::Either);
        let mut far_ahead = put();
        far_ahead.clock_jumped(s(10), 31_000_000_000, s(100));
        assert_eq!(expected(&far_ahead, 3590), Expected::There, "the others still have it");
        let mut back = put();
        back.clock_jumped(s(10), -1_000_000, s(100));
        assert_eq!(expected(&back, 3600 + 121), Expected::Either);
        assert_eq!(expected(&back, 3600 + 131), Expected::Gone);
    }

    #[test]
    fn what_one_part_changed_is_sure_there_and_afterwards_if_nothing_before_contradicts() {
        let mut register = Register::default();
        act(&mut register, Deed::Put(HOUR), TORN, ONE, 1);
        let read = |register: &Register, side| register.expected_at(side, TORN, s(2), s(2));
        assert_eq!(read(&register, ONE), Expected::There);
        assert_eq!(read(&register, OTHER), Expected::Either);
        register.calm(true);
        assert_eq!(expected(&register, 3), Expected::There);

        let mut removed = put();
        act(&mut removed, Deed::Remove, TORN, ONE, 1);
        assert_eq!(read(&removed, ONE), Expected::Either, "a copy may be out of sight");
        removed.calm(true);
        assert_eq!(expected(&removed, 3), Expected::Either);
    }

    #[test]
    fn what_two_parts_changed_is_sure_only_where_they_agree() {
        let mut both = Register::default();
        act(&mut both, Deed::Put(HOUR), TORN, ONE, 1);
        act(&mut both, Deed::Put(HOUR), TORN, OTHER, 2);
        both.calm(true);
        assert_eq!(expected(&both, 3), Expected::There);
        let mut against = Register::default();
        act(&mut against, Deed::Put(HOUR), TORN, ONE, 1);
        act(&mut against, Deed::Remove, TORN, OTHER, 2);
        against.calm(true);
        assert_eq!(expected(&against, 3), Expected::Either);
    }

    #[test]
    fn as_many_disks_as_copies_may_take_it() {
        let mut register = put();
        register.lose_disks(1);
        assert_eq!(expected(&register, 1), Expected::There);
        register.lose_disks(2);
        assert_eq!(expected(&register, 1), Expected::Either);
    }
}
