//! What a bench prints: a table of figures, their floors, and the machine.

use serde_json::{Value, json};

use crate::machine::machine;

/// What a figure should reach.
#[derive(Debug, Clone, Copy)]
pub(super) enum Floor {
    /// Told for comparison only.
    None,
    /// Not less.
    AtLeast(f64),
    /// Not more.
    AtMost(f64),
}

/// One figure.
#[derive(Debug)]
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    floor: Floor,
}

/// The figures of one bench.
#[derive(Debug)]
pub(super) struct Report {
    title: &'static str,
    machine: String,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Floor {
    fn reached(self, value: f64) -> Option<bool> {
        match self {
            Floor::None => None,
            Floor::AtLeast(floor) => Some(value >= floor),
            Floor::AtMost(floor) => Some(value <= floor),
        }
    }
}

impl Report {
    /// An empty report of this machine.
    pub(super) fn new(title: &'static str) -> Report {
        Report { title, machine: machine(), rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a figure.
    pub(super) fn add(
        &mut self,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        floor: Floor,
    ) {
        self.rows.push(Row { what: what.into(), value, unit, floor });
    }

    /// Adds what figures do not say, such as why there are none.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// For people.
    pub(super) fn markdown(&self) -> String {
        format!("## {}\n\n{}", self.title, self.table())
    }

    /// The same without its title, for `docs/measurements.md`.
    pub(super) fn table(&self) -> String {
        let mut text = String::from("| what | value | floor | reached |\n|---|---|---|---|\n");
        for Row { what, value, unit, floor } in &self.rows {
            let shown = match floor {
                Floor::None => String::new(),
                Floor::AtLeast(floor) => format!("≥ {}", with_unit(*floor, unit)),
                Floor::AtMost(floor) => format!("≤ {}", with_unit(*floor, unit)),
            };
            let reached = match floor.reached(*value) {
                None => "",
                Some(true) => "yes",
                Some(false) => "**no**",
            };
            let value = with_unit(*value, unit);
            text.push_str(&format!("| {what} | {value} | {shown} | {reached} |\n"));
        }
        text.push('\n');
        for note in &self.notes {
            text.push_str(&format!("{note}\n\n"));
        }
        text.push_str(&self.machine);
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let (at_least, at_most) = match row.floor {
                    Floor::None => (None, None),
                    Floor::AtLeast(floor) => (Some(floor), None),
                    Floor::AtMost(floor) => (None, Some(floor)),
                };
                json!({
                    "what": row.what, "value": row.value, "unit": row.unit,
                    "at_least": at_least, "at_most": at_most,
                    "reached": row.floor.reached(row.value),
                })
            })
            .collect();
        let Report { title, machine, notes, .. } = self;
        json!({ "title": title, "machine": machine, "rows": rows, "notes": notes }).to_string()
    }
}

/// Three significant digits are more than a shared machine repeats.
fn with_unit(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        a if a >= 100.0 => 0,
        a if a >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("T");
        report.add("ratio", 0.51, "×", Floor::AtLeast(0.5));
        report.add("memory", 301.2, "MB", Floor::AtMost(300.0));
        report.add("rate", 12345.6, "/s", Floor::None);
        report.note("Not measured: the weather.");
        report
    }

    #[test]
    fn the_table_says_what_is_reached() {
        let text = report().markdown();
        assert!(text.contains("| ratio | 0.51 × | ≥ 0.50 × | yes |"), "{text}");
        assert!(text.contains("| memory | 301 MB | ≤ 300 MB | **no** |"), "{text}");
        assert!(text.contains("| rate | 12346 /s |  |  |\n\nNot measured"), "{text}");
    }

    #[test]
    fn programs_get_the_same_in_json() {
        let value: Value = serde_json::from_str(&report().json()).unwrap();
        assert_eq!(value["rows"][0]["reached"], true);
        assert_eq!(value["rows"][1]["at_most"], 300.0);
        assert_eq!(value["rows"][2]["reached"], Value::Null);
        assert_eq!(value["notes"][0], "Not measured: the weather.");
    }
}
