//! The few statistics the benches print.

/// The value in the middle once sorted; the mean of the two middle ones of an even number. `None`
/// of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The smallest value that at least `percent` of the values do not exceed (nearest rank). Sorts
/// what it is given. `None` of nothing.
pub(crate) fn percentile(values: &mut [u32], percent: f64) -> Option<u32> {
    values.sort_unstable();
    let rank = (percent / 100.0 * values.len() as f64).ceil() as usize;
    values.get(rank.clamp(1, values.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_five_is_the_third() {
        assert_eq!(median(&[5.0, 1.0, 100.0, 3.0, 2.0]), Some(3.0));
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut values: Vec<u32> = (1..=200).rev().collect();
        assert_eq!(percentile(&mut values, 50.0), Some(100));
        assert_eq!(percentile(&mut values, 99.0), Some(198));
        assert_eq!(percentile(&mut values, 100.0), Some(200));
        assert_eq!(percentile(&mut values, 0.0), Some(1));
        assert_eq!(percentile(&mut [7], 99.0), Some(7));
        assert_eq!(percentile(&mut [], 50.0), None);
    }
}
