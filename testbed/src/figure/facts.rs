//! What a figure was made of and on: without it a figure is a picture.

use serde_json::json;

use super::Request;
use super::processor::BUSY_PERCENT;
use crate::air::Scenario;
use crate::machine::machine;

/// All there is to know to make it again.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    machine: String,
    scenario: String,
    seed: u64,
    samples: u32,
    /// Of each run: super-nodes, and how busy the machine was.
    runs: Vec<(usize, f64)>,
}

impl Facts {
    pub(super) fn new(scenario: &Scenario, request: &Request, runs: &[(usize, f64)]) -> Facts {
        Facts {
            machine: machine(),
            scenario: scenario.name.clone(),
            seed: scenario.seed,
            samples: request.samples,
            runs: runs.to_vec(),
        }
    }

    #[cfg(test)]
    pub(super) fn for_tests(runs: &[(usize, f64)]) -> Facts {
        let (machine, scenario) = ("one core".into(), "grid".into());
        Facts { machine, scenario, seed: 1, samples: 2, runs: runs.to_vec() }
    }

    /// Runs in which the machine was too busy to be believed.
    pub(super) fn warnings(&self) -> Vec<String> {
        let busy = self.runs.iter().filter(|(_, percent)| *percent > BUSY_PERCENT);
        let warning = |(supernodes, percent): &(usize, f64)| {
            format!(
                "with {supernodes} super-nodes the machine was {percent:.0} % busy: these times are \
                 partly its own"
            )
        };
        busy.map(warning).collect()
    }

    pub(super) fn json(&self) -> String {
        let runs: Vec<_> = self
            .runs
            .iter()
            .map(|(supernodes, percent)| {
                json!({
                    "supernodes": supernodes,
                    "processor_percent": (percent * 10.0).round() / 10.0,
                    "busy": *percent > BUSY_PERCENT,
                })
            })
            .collect();
        let facts = json!({
            "machine": self.machine,
            "version": env!("CARGO_PKG_VERSION"),
            "scenario": self.scenario,
            "seed": self.seed,
            "samples": self.samples,
            "runs": runs,
        });
        format!("{facts:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_on_a_busy_machine_is_flagged() {
        let facts = Facts::for_tests(&[(9, 70.0), (18, 70.1)]);
        assert_eq!(facts.warnings().len(), 1);
        let told: serde_json::Value = serde_json::from_str(&facts.json()).unwrap();
        assert_eq!(told["runs"][0]["busy"], false);
        assert_eq!(told["runs"][1]["busy"], true);
        assert_eq!(told["scenario"], "grid");
    }
}
