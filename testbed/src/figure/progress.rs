//! How far it is, on standard error.

use std::time::{Duration, Instant};

/// Steps that take about as long as they are heavy.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    done: usize,
    weights: Vec<u32>,
}

impl Progress {
    /// Nothing is done yet.
    pub(super) fn new(weights: Vec<u32>) -> Progress {
        Progress { began: Instant::now(), done: 0, weights }
    }

    /// The next step begins.
    pub(super) fn step(&mut self, what: &str) {
        eprintln!("testbed: {}", tell(&self.weights, self.done, self.began.elapsed(), what));
        self.done += 1;
    }
}

/// A bar, and how long it may still take if it goes on as it did.
fn tell(weights: &[u32], done: usize, since: Duration, what: &str) -> String {
    let bar: String = (0..weights.len()).map(|n| if n < done { '#' } else { '.' }).collect();
    let sum = |part: &[u32]| f64::from(part.iter().sum::<u32>());
    let (before, after) = weights.split_at(done.min(weights.len()));
    let left = match sum(before) {
        0.0 => String::new(),
        before => {
            let left = since.as_secs_f64() / before * sum(after);
            format!("; some {} min left", (left / 60.0).ceil())
        }
    };
    format!("[{bar}] {} of {}: {what}{left}", done + 1, weights.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_what_the_done_took() {
        let since = Duration::from_secs(60);
        assert_eq!(tell(&[1, 2, 3], 0, Duration::ZERO, "a"), "[...] 1 of 3: a");
        assert_eq!(tell(&[1, 2, 3], 1, since, "b"), "[#..] 2 of 3: b; some 5 min left");
        assert_eq!(tell(&[1, 2, 3], 2, since, "c"), "[##.] 3 of 3: c; some 1 min left");
    }
}
