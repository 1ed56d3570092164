//! How long to wait before trying somebody again.

use std::time::Duration;

/// After the first attempt; a super-node that is just starting is there a second later.
const FIRST: Duration = Duration::from_secs(1);
/// The longest. Whoever comes back is joined at the latest so much later, and an attempt in half a
/// minute costs nobody anything.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// The pause after so many attempts in a row, of which there was at least one: 1 s, each time twice
/// as long, up to [`LONGEST`].
pub(super) fn pause(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    (FIRST * 2_u32.pow(doublings)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds: Vec<u64> = (1..8).map(|attempts| pause(attempts).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }
}
