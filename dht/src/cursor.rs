//! Which state of a key's values somebody has seen.

use base::{Entry, EntryId, Version};

/// A digest of the live values under a key and their versions: the same at every replica that holds
/// the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor([u8; Cursor::LEN]);

impl Cursor {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// A cursor that was given out before.
    pub const fn from_bytes(bytes: [u8; Cursor::LEN]) -> Cursor {
        Cursor(bytes)
    }

    /// To be given out.
    pub const fn to_bytes(self) -> [u8; Cursor::LEN] {
        self.0
    }

    /// The cursor of these entries, in the order of their ids; removals do not count.
    pub(crate) fn of(entries: &[Entry]) -> Cursor {
        let mut hasher = blake3::Hasher::new();
        let live = entries.iter().filter(|entry| entry.is_live());
        for (id, version) in live.map(|entry| (entry.id(), entry.version())) {
            hasher.update(&Cursor::row(id, version));
        }
        let hash = hasher.finalize();
        Cursor(std::array::from_fn(|at| hash.as_bytes()[at]))
    }

    fn row(id: EntryId, version: Version) -> [u8; EntryId::LEN + 8] {
        let mut row = [0; EntryId::LEN + 8];
        row[..EntryId::LEN].copy_from_slice(&id.to_bytes());
        row[EntryId::LEN..].copy_from_slice(&version.number().to_le_bytes());
        row
    }
}

#[cfg(test)]
mod tests {
    use base::{Lifetime, SecretTag, Value};

    use super::*;

    #[test]
    fn a_cursor_tells_states_apart_and_not_lifetimes_or_removals() {
        let put = |text: &'static str, version, life| {
            let value = Value::new(text).unwrap();
            let life = Lifetime::from_millis(life);
            Entry::live(value, SecretTag::NONE, Version::new(version), life)
        };
        let removal = Entry::removal(put("b", 1, 1).id(), None, Version::new(2)).unwrap();
        let state = Cursor::of(&[put("a", 1, 10)]);
        assert_eq!(Cursor::of(&[put("a", 1, 9)]), state);
        assert_eq!(Cursor::of(&[put("a", 1, 10), removal]), state);
        assert_ne!(Cursor::of(&[put("a", 2, 10)]), state);
        assert_ne!(Cursor::of(&[]), state);
        assert_eq!(Cursor::from_bytes(state.to_bytes()), state);
    }
}
