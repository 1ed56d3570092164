//! What a run was like, or what went wrong in it.

use std::fmt;
use std::time::Duration;

/// What a run was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Operations acknowledged.
    pub acknowledged: u64,
    /// Operations without a quorum.
    pub unacknowledged: u64,
    /// Values that a read was checked for.
    pub checked: u64,
    /// Messages delivered.
    pub messages: u64,
    /// A digest of all messages in their order: the same for the same seed and plan.
    pub trace: u64,
    /// Virtual seconds.
    pub seconds: u64,
}

/// What must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The run's seed.
    pub seed: u64,
    /// When, since the run's start.
    pub at: Duration,
    /// What.
    pub what: String,
    /// What had happened to nodes and network until then.
    pub interruptions: Vec<String>,
    /// What was done to the value concerned, if it is about one.
    pub history: Vec<String>,
    /// How each node stands to its key, and what its disk holds of it.
    pub holdings: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: after {:.3} s: {}", self.seed, self.at.as_secs_f64(), self.what)?;
        let parts = [
            ("interruptions", &self.interruptions),
            ("what was done to it", &self.history),
            ("who holds what", &self.holdings),
        ];
        for (title, lines) in parts.into_iter().filter(|(_, lines)| !lines.is_empty()) {
            write!(f, "\n{title}:")?;
            lines.iter().try_for_each(|line| write!(f, "\n  {line}"))?;
        }
        Ok(())
    }
}
