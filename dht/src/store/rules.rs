//! The decisions both stores share: does a copy win over what is held, and is there room for it?

use base::limits::{BYTES_PER_KEY_MAX, ENTRIES_PER_KEY_MAX};
use base::{Entry, Lifetime, Verdict, Version};

use super::{Applied, NoRoom, OVERHEAD, StoreError};

/// By how much the lives of two copies may differ for what messages took, in milliseconds.
const ON_THE_WAY_MS: u64 = 250;

/// What the entries of one key use of its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Usage {
    pub(super) entries: usize,
    /// Those of them that are values.
    pub(super) live: usize,
    pub(super) bytes: usize,
}

/// What to do with a copy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Keep the copy.
    Write(Applied),
    /// Keep what is held, with this shorter life.
    Shorten(Lifetime, Applied),
    /// Change nothing.
    Leave(Applied),
}

/// Decides about a copy that arrives. `held` is the unexpired copy of the same entry, `usage` what
/// the key's entries use, the held copy included, `room` how many values it may have if the copy is a new
/// one.
pub(super) fn decide(
    arriving: &Entry,
    held: Option<&Entry>,
    usage: Usage,
    room: usize,
) -> Result<Decision, StoreError> {
    let held_version = held.map_or(Version::ZERO, Entry::version);
    if arriving.lamport().is_some_and(|version| !version.may_follow(held_version)) {
        return Err(StoreError::VersionJump { version: arriving.version(), held: held_version });
    }
    let was_live = held.is_some_and(|held| held.is_live());
    let stored = Applied::Stored { was_live };
    match held.map_or(Verdict::Take, |held| arriving.against(held)) {
        Verdict::Take => {
            check_room(arriving, held, usage).map_err(StoreError::OverCapacity)?;
            check_values(arriving, held, usage, room).map_err(StoreError::OverCapacity)?;
            Ok(Decision::Write(stored))
        }
        Verdict::Shorten(life) => Ok(Decision::Shorten(life, stored)),
        Verdict::Same if outlives(arriving, held) => {
            Ok(Decision::Leave(Applied::EndsSooner(held_version)))
        }
        Verdict::Same => Ok(Decision::Leave(stored)),
        Verdict::Stale(version) => Ok(Decision::Leave(Applied::Stale(version))),
    }
}

/// Whether the copy lives on for so much longer than what is held that messages' ways do not account for
/// it.
fn outlives(arriving: &Entry, held: Option<&Entry>) -> bool {
    let ends = |entry: &Entry| entry.remaining().as_millis();
    held.is_some_and(|held| ends(arriving) > ends(held) + ON_THE_WAY_MS)
}

/// A value that is there may always be put again, and there may always be one less.
fn check_values(
    arriving: &Entry,
    held: Option<&Entry>,
    usage: Usage,
    room: usize,
) -> Result<(), NoRoom> {
    let is_new = arriving.is_live() && !held.is_some_and(Entry::is_live);
    if is_new && usage.live >= room { Err(NoRoom::Values(room)) } else { Ok(()) }
}

fn check_room(arriving: &Entry, held: Option<&Entry>, usage: Usage) -> Result<(), NoRoom> {
    let Some(held) = held else {
        if usage.entries >= ENTRIES_PER_KEY_MAX {
            return Err(NoRoom::KeyEntries);
        }
        if usage.bytes + arriving.cost() > BYTES_PER_KEY_MAX {
            return Err(NoRoom::KeyBytes);
        }
        return Ok(());
    };
    // Replacing may always shrink; a removal is always let through, so that a full key can be
    // emptied even where the tombstone costs more than the value did.
    let grown = arriving.cost().saturating_sub(held.cost());
    if arriving.is_live() && grown > 0 && usage.bytes + grown > BYTES_PER_KEY_MAX {
        return Err(NoRoom::KeyBytes);
    }
    Ok(())
}

/// What the bytes of an author come to, with the one copy in place of the other, if they may. What is there may
/// always be removed, and give way to what is no longer.
pub(super) fn author_bytes(
    arriving: &Entry,
    held: Option<&Entry>,
    used: u64,
    most: u64,
) -> Result<u64, NoRoom> {
    let (new, old) = (author_cost(arriving), held.map_or(0, author_cost));
    let after = used.saturating_sub(old).saturating_add(new);
    let is_removal = !arriving.is_live() && held.is_some();
    if after > most && new > old && !is_removal { Err(NoRoom::Author(used)) } else { Ok(after) }
}

/// What an entry costs its author.
pub(super) fn author_cost(entry: &Entry) -> u64 {
    (entry.cost() + OVERHEAD) as u64
}

impl Usage {
    /// The usage after `old` gave way to `new`; `None` for no entry, else what it costs, and whether it is
    /// a value.
    pub(super) fn replace(&mut self, old: Option<(usize, bool)>, new: Option<(usize, bool)>) {
        let cost = |entry: Option<(usize, bool)>| entry.map_or(0, |(cost, _)| cost);
        let live = |entry: Option<(usize, bool)>| usize::from(entry.is_some_and(|(_, live)| live));
        self.entries = self.entries + usize::from(new.is_some()) - usize::from(old.is_some());
        self.bytes = self.bytes + cost(new) - cost(old);
        self.live = self.live + live(new) - live(old);
    }
}

#[cfg(test)]
mod tests {
    use base::{SecretTag, Value};

    use super::*;

    fn put(text: &str, version: u64, life: u64) -> Entry {
        let value = Value::new(text.to_owned()).unwrap();
        let life = Lifetime::from_millis(life);
        Entry::live(value, SecretTag::NONE, Version::new(version), life)
    }

    /// Without any bound on values but the key's own.
    fn decide(
        arriving: &Entry,
        held: Option<&Entry>,
        usage: Usage,
    ) -> Result<Decision, StoreError> {
        super::decide(arriving, held, usage, ENTRIES_PER_KEY_MAX)
    }

    const STORED: Applied = Applied::Stored { was_live: false };
    const REPLACED: Applied = Applied::Stored { was_live: true };

    #[test]
    fn the_newer_copy_is_written_and_the_older_told_what_to_beat() {
        let usage = Usage { entries: 1, live: 1, bytes: 1 };
        let held = put("v", 4, 10);
        let newer = decide(&put("v", 5, 10), Some(&held), usage);
        assert_eq!(newer, Ok(Decision::Write(REPLACED)));
        let older = decide(&put("v", 3, 10), Some(&held), usage);
        assert_eq!(older, Ok(Decision::Leave(Applied::Stale(Version::new(4)))));
        let shorter = decide(&put("v", 4, 9), Some(&held), usage);
        assert_eq!(shorter, Ok(Decision::Shorten(Lifetime::from_millis(9), REPLACED)));
        assert_eq!(decide(&held, Some(&held), usage), Ok(Decision::Leave(REPLACED)));
        let later = decide(&put("v", 4, 10 + ON_THE_WAY_MS), Some(&held), usage);
        assert_eq!(later, Ok(Decision::Leave(REPLACED)));
        let longer = decide(&put("v", 4, 11 + ON_THE_WAY_MS), Some(&held), usage);
        assert_eq!(longer, Ok(Decision::Leave(Applied::EndsSooner(Version::new(4)))));
    }

    #[test]
    fn a_jump_of_versions_is_refused_whatever_is_held() {
        let jump = put("v", 2 << 40, 10);
        let refused = decide(&jump, None, Usage::default());
        assert!(matches!(refused, Err(StoreError::VersionJump { .. })));
        let held = put("v", 1 << 40, 10);
        let usage = Usage { entries: 1, live: 1, bytes: 1 };
        assert_eq!(decide(&jump, Some(&held), usage), Ok(Decision::Write(REPLACED)));
    }

    #[test]
    fn a_full_key_takes_no_new_entry_but_goes_on_refreshing_and_removing() {
        let held = put("v", 1, 10);
        let by_count = Usage { entries: ENTRIES_PER_KEY_MAX, live: 1, bytes: 1 };
        let by_bytes = Usage { entries: 1, live: 1, bytes: BYTES_PER_KEY_MAX };
        for (usage, no_room) in [(by_count, NoRoom::KeyEntries), (by_bytes, NoRoom::KeyBytes)] {
            let refused = decide(&put("w", 1, 10), None, usage);
            assert_eq!(refused, Err(StoreError::OverCapacity(no_room)));
            let refreshed = decide(&put("v", 2, 10), Some(&held), usage);
            assert_eq!(refreshed, Ok(Decision::Write(REPLACED)));
            let removal = Entry::removal(held.id(), None, Version::new(2)).unwrap();
            let removed = decide(&removal, Some(&held), usage);
            assert_eq!(removed, Ok(Decision::Write(REPLACED)));
        }
    }

    #[test]
    fn a_put_after_a_removal_finds_no_live_value_before_it() {
        let removal = Entry::removal(put("v", 1, 1).id(), None, Version::new(1)).unwrap();
        let usage = Usage { entries: 1, live: 1, bytes: removal.cost() };
        let again = decide(&put("v", 2, 10), Some(&removal), usage);
        assert_eq!(again, Ok(Decision::Write(STORED)));
    }

    #[test]
    fn a_new_value_needs_room_and_what_is_there_may_be_put_again() {
        let usage = Usage { entries: 9, live: 4, bytes: 9 };
        let held = put("v", 1, 10);
        let removal = Entry::removal(held.id(), None, Version::new(1)).unwrap();
        let full = Err(StoreError::OverCapacity(NoRoom::Values(4)));
        for (arriving, held, expected) in [
            (put("w", 1, 10), None, &full),
            (put("v", 2, 10), Some(&removal), &full),
            (put("v", 2, 10), Some(&held), &Ok(Decision::Write(REPLACED))),
            (removal.clone(), Some(&held), &Ok(Decision::Write(REPLACED))),
            (removal.clone(), None, &Ok(Decision::Write(STORED))),
        ] {
            assert_eq!(super::decide(&arriving, held, usage, 4), *expected, "{arriving:?}");
        }
        let one_more = super::decide(&put("w", 1, 10), None, usage, 5);
        assert_eq!(one_more, Ok(Decision::Write(STORED)));
    }
}
