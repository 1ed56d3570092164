//! The error of a byte string that is longer than its limit.

/// Something a client gave is longer than its limit. The text is fit to be shown to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {what} has {len} bytes; the limit is {max}")]
pub struct TooLarge {
    /// What was too long: `key`, `value` or `secret`.
    pub what: &'static str,
    /// Its length, in bytes.
    pub len: usize,
    /// The limit, in bytes.
    pub max: usize,
}

impl TooLarge {
    /// Checks a length against its limit.
    pub(crate) fn check(what: &'static str, len: usize, max: usize) -> Result<(), TooLarge> {
        if len > max { Err(TooLarge { what, len, max }) } else { Ok(()) }
    }
}
