//! What was checked, told apart from what was not by its type.

use std::ops::Deref;

/// Something whose signature was right. Only checking makes one, so whoever is handed one need not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Says so. Called where the signature was just checked, and nowhere else.
    pub(crate) const fn that(checked: T) -> Verified<T> {
        Verified(checked)
    }

    /// What was checked.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
