//! A time to live as people write it.

use base::Ttl;

const EXPECTED: &str = "expected seconds, or a number with s, m, h or d, as in 90s, 10m, 2h or 7d";

/// Reads `90`, `90s`, `10m`, `2h` or `7d`.
///
/// # Errors
/// What was expected, or the range a ttl must be in.
pub(super) fn parse(text: &str) -> Result<Ttl, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let seconds_each: i64 = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(EXPECTED.into()),
    };
    // A sign is not a digit, so a negative ttl is refused as text rather than as a number.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EXPECTED.into());
    }
    // Too many digits for a number are too many seconds as well.
    let count = digits.parse().unwrap_or(i64::MAX);
    Ttl::from_secs(seconds_each.saturating_mul(count)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_reads_with_and_without_a_unit() {
        for (text, seconds) in
            [("1", 1), ("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 604_800)]
        {
            assert_eq!(parse(text).map(Ttl::as_secs), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told_what_one_looks_like() {
        for text in ["", "s", "m5", "-5", "+5", "1.5h", "5 m", "5M", "5w", "1h30m", "٣s", "5é"] {
            assert_eq!(parse(text), Err(EXPECTED.into()), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_told_the_range() {
        for text in ["0", "0d", "8d", "604801", "99999999999999999999", "9223372036854775807d"] {
            let error = parse(text).unwrap_err();
            assert!(error.ends_with("it is between 1 and 604800 s"), "{text}: {error}");
        }
    }
}
