//! What was measured: samples, their mean and deviation, and tables of them.

/// Mean, sample standard deviation and number of some samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    pub(super) mean: f64,
    /// 0 of one sample.
    pub(super) deviation: f64,
    pub(super) count: usize,
}

impl Summary {
    /// `None` of nothing.
    pub(super) fn of(samples: &[f64]) -> Option<Summary> {
        let count = samples.len();
        if count == 0 {
            return None;
        }
        let mean = samples.iter().sum::<f64>() / count as f64;
        let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
        let deviation = (squares / (count.max(2) - 1) as f64).sqrt();
        Some(Summary { mean, deviation, count })
    }
}

/// Rows under a heading, as CSV (RFC 4180): numbers and plain words, which need no quotes.
pub(super) fn csv(heading: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = heading.join(",") + "\r\n";
    for row in rows {
        text += &row.join(",");
        text += "\r\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let summary = Summary::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((summary.mean, summary.count), (5.0, 8));
        assert!((summary.deviation - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(Summary::of(&[3.0]).unwrap().deviation, 0.0);
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let table = csv(&["n", "ms"], &[vec!["9".into(), "1.5".into()]]);
        assert_eq!(table, "n,ms\r\n9,1.5\r\n");
    }
}
