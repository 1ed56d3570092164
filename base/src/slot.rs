//! Which of an author's entries under a key one is.

use std::fmt;

/// Which of an author's entries under one key this is: 16 bytes of the author's choice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Slot([u8; Slot::LEN]);

impl Slot {
    /// Length of a slot, in bytes.
    pub const LEN: usize = 16;

    /// The one to use where an author has one entry under a key.
    pub const ZERO: Slot = Slot([0; Slot::LEN]);

    /// A slot from its own bytes.
    pub const fn new(bytes: [u8; Slot::LEN]) -> Slot {
        Slot(bytes)
    }

    /// The slot's own bytes.
    pub const fn as_bytes(&self) -> &[u8; Slot::LEN] {
        &self.0
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
