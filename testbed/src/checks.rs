//! A list of named checks: each is run, told, and counted; one that fails does not hide the next.

use std::time::Duration;

use anyhow::{Result, bail};

/// The checks of one proof, as they pass and fail.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    passed: usize,
    failed: Vec<String>,
}

impl Checks {
    /// Runs a check and tells how it went.
    pub(crate) fn check(&mut self, what: &str, run: impl FnOnce() -> Result<()>) {
        let outcome = run();
        self.record(what, outcome);
    }

    /// Takes the outcome of a check that ran elsewhere.
    pub(crate) fn record(&mut self, what: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => {
                println!("  ok    {what}");
                self.passed += 1;
            }
            Err(error) => {
                println!("  FAIL  {what}: {error:#}");
                self.failed.push(what.to_owned());
            }
        }
    }

    /// An error that names every failed check, or the number of those that passed.
    pub(crate) fn finish(self) -> Result<usize> {
        match self.failed.as_slice() {
            [] => Ok(self.passed),
            failed => bail!(
                "{} of {} checks failed: {}",
                failed.len(),
                failed.len() + self.passed,
                failed.join("; ")
            ),
        }
    }
}

/// Asks `ready` every 20 ms until it says yes; whether it did within `limit`.
pub(crate) fn within(limit: Duration, mut ready: impl FnMut() -> Result<bool>) -> Result<bool> {
    const STEP: Duration = Duration::from_millis(20);
    for _ in 0..=limit.as_millis() / STEP.as_millis() {
        if ready()? {
            return Ok(true);
        }
        std::thread::sleep(STEP);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_named_and_the_rest_still_run() {
        let mut checks = Checks::default();
        checks.check("first", || bail!("broken"));
        checks.check("second", || Ok(()));
        let error = checks.finish().unwrap_err().to_string();
        assert_eq!(error, "1 of 2 checks failed: first");
    }

    #[test]
    fn passed_checks_are_counted() {
        let mut checks = Checks::default();
        checks.check("first", || Ok(()));
        assert_eq!(checks.finish().unwrap(), 1);
    }
}
