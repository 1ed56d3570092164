//! Which figure shows what.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::chart::{BARS, Chart, Line, Point};
use super::facts::Facts;
use super::paper;
use super::samples::{Summary, csv};
use super::sweep::Measured;
use super::validate::Validation;

/// The figures there are. The paper's own numbers for what it measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    Validation,
    Latency,
    Setup,
    Registration,
    Causes,
}

/// A figure's files.
#[derive(Debug)]
pub(super) struct Drawn {
    name: String,
    svg: String,
    csv: String,
    facts: Facts,
    /// For people, on standard output.
    pub(super) remarks: Vec<String>,
}

impl Figure {
    /// By its number.
    pub(super) fn of(number: u8) -> Result<Figure> {
        Ok(match number {
            8 => Figure::Validation,
            9 => Figure::Latency,
            10 => Figure::Setup,
            11 => Figure::Registration,
            12 => Figure::Causes,
            _ => bail!("no figure {number}; there are 8 to 12"),
        })
    }

    const fn number(self) -> u8 {
        match self {
            Figure::Validation => 8,
            Figure::Latency => 9,
            Figure::Setup => 10,
            Figure::Registration => 11,
            Figure::Causes => 12,
        }
    }

    /// Whether it is drawn from 9 to 72 super-nodes.
    pub(super) fn is_of_sweep(self) -> bool {
        self != Figure::Validation
    }

    /// Whether puts and gets are timed for it.
    pub(super) fn wants_values(self) -> bool {
        matches!(self, Figure::Latency | Figure::Causes)
    }
}

impl Drawn {
    fn new(figure: Figure, chart: &Chart, csv: String, facts: Facts) -> Drawn {
        let name = format!("figure-{}", figure.number());
        Drawn { name, svg: chart.svg(), csv, remarks: facts.warnings(), facts }
    }

    /// Writes its files, and names them.
    pub(super) fn write(&self, dir: &Path) -> Result<Vec<String>> {
        let facts = self.facts.json();
        let files = [("svg", &self.svg), ("csv", &self.csv), ("json", &facts)];
        let write = |(kind, text): (&str, &String)| {
            let path = dir.join(format!("{}.{kind}", self.name));
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path.display().to_string())
        };
        files.into_iter().map(write).collect()
    }
}

/// One of those drawn from 9 to 72 super-nodes.
pub(super) fn of_sweep(figure: Figure, all: &[Measured], facts: Facts) -> Option<Drawn> {
    match figure {
        Figure::Validation => None,
        Figure::Latency => Some(latency(all, facts)),
        Figure::Causes => Some(causes(all, facts)),
        Figure::Setup => {
            let parts = all.iter().map(|m| (m.supernodes, &m.calls[..], m.calls_overlay));
            let share = paper::SETUP_SHARE;
            Some(parted(figure, "Session setup", "until it rings, ms", parts, share, facts))
        }
        Figure::Registration => {
            let parts =
                all.iter().map(|m| (m.supernodes, &m.registrations[..], m.registration_overlay));
            let share = paper::REGISTRATION_SHARE;
            Some(parted(figure, "Registration", "until it is taken, ms", parts, share, facts))
        }
    }
}

/// How a put and a get grow, beside how the paper's requests grew.
fn latency(all: &[Measured], facts: Facts) -> Drawn {
    let line = |samples: fn(&Measured) -> &[f64]| -> Vec<Point> {
        let point = |m: &Measured| Some(Point::of(m.supernodes as f64, &Summary::of(samples(m))?));
        all.iter().filter_map(point).collect()
    };
    let (gets, puts) = (line(|m| &m.gets), line(|m| &m.puts));
    let ends = gets.first().zip(gets.last());
    let paper = ends.map(|(first, last)| {
        vec![Point::exact(first.x, first.y), Point::exact(last.x, first.y * paper::LATENCY_GROWTH)]
    });
    let growth = ends.map_or(0.0, |(first, last)| last.y / first.y);
    let chart = Chart {
        title: "Requests to the overlay".into(),
        x: "super-nodes on nine laptops".into(),
        y: "time, ms".into(),
        step: paper::LAPTOPS as f64,
        lines: vec![
            Line { name: format!("a get ({BARS})"), points: gets },
            Line { name: format!("a put ({BARS})"), points: puts },
            Line {
                name: format!("a get, had it grown as in the paper: {} ×", paper::LATENCY_GROWTH),
                points: paper.unwrap_or_default(),
            },
        ],
    };
    let rows = all.iter().map(|m| {
        let cells = [&m.gets, &m.puts].map(|samples| cells(samples));
        [vec![m.supernodes.to_string()], cells.concat()].concat()
    });
    let heading = ["supernodes", "get_ms", "get_sd_ms", "gets", "put_ms", "put_sd_ms", "puts"];
    let table = csv(&heading, &rows.collect::<Vec<_>>());
    let mut drawn = Drawn::new(Figure::Latency, &chart, table, facts);
    drawn.remarks.push(format!(
        "a get takes {growth:.2} times as long with {} super-nodes as with {} (the paper's: {})",
        all.last().map_or(0, |m| m.supernodes),
        all.first().map_or(0, |m| m.supernodes),
        paper::LATENCY_GROWTH
    ));
    drawn
}

/// A delay, and the overlay's part of it.
fn parted<'a>(
    figure: Figure,
    title: &str,
    y: &str,
    all: impl Iterator<Item = (usize, &'a [f64], f64)>,
    share: f64,
    facts: Facts,
) -> Drawn {
    let (mut whole, mut part, mut paper, mut rows) = (vec![], vec![], vec![], vec![]);
    let mut shares = Vec::new();
    for (supernodes, samples, overlay) in all {
        let Some(summary) = Summary::of(samples) else { continue };
        let x = supernodes as f64;
        whole.push(Point::of(x, &summary));
        part.push(Point::exact(x, overlay));
        paper.push(Point::exact(x, summary.mean * share));
        shares.push(overlay / summary.mean * 100.0);
        let more = [format!("{overlay:.3}"), format!("{:.1}", overlay / summary.mean * 100.0)];
        rows.push([vec![supernodes.to_string()], cells(samples), more.into()].concat());
    }
    let percent = share * 100.0;
    let chart = Chart {
        title: title.into(),
        x: "super-nodes on nine laptops".into(),
        y: y.into(),
        step: paper::LAPTOPS as f64,
        lines: vec![
            Line { name: format!("all of it ({BARS})"), points: whole },
            Line { name: "the overlay's part".into(), points: part },
            Line { name: format!("the paper's part, {percent:.1} %, of all of it"), points: paper },
        ],
    };
    let heading = ["supernodes", "ms", "sd_ms", "count", "overlay_ms", "overlay_percent"];
    let mut drawn = Drawn::new(figure, &chart, csv(&heading, &rows), facts);
    let told = shares.iter().copied().reduce(f64::min).zip(shares.iter().copied().reduce(f64::max));
    let (least, most) = told.unwrap_or_default();
    drawn.remarks.push(format!(
        "the overlay's part is {least:.1} % to {most:.1} % (the paper's: {percent:.1} %)"
    ));
    drawn
}

/// Why requests take longer: ways through the overlay, or work of the machine.
fn causes(all: &[Measured], facts: Facts) -> Drawn {
    let Some(first) = all.iter().find(|m| m.hops > 0.0 && m.processor > 0.0) else {
        let chart = Chart {
            title: String::new(),
            x: String::new(),
            y: String::new(),
            step: 1.0,
            lines: vec![],
        };
        return Drawn::new(Figure::Causes, &chart, String::new(), facts);
    };
    let relative = |name: &str, of: fn(&Measured) -> f64| {
        let point = |m: &Measured| Point::exact(m.supernodes as f64, of(m) / of(first));
        Line { name: name.into(), points: all.iter().map(point).collect() }
    };
    let chart = Chart {
        title: "Hops apart from load".into(),
        x: "super-nodes on nine laptops".into(),
        y: format!("times what it is with {}", first.supernodes),
        step: paper::LAPTOPS as f64,
        lines: vec![
            relative("hops of a get", |m| m.hops),
            relative("requests sent for a get", |m| m.requests),
            relative("work of the machine that runs all laptops", |m| m.processor),
            relative("air used while nobody asks for anything", |m| m.idle_air),
        ],
    };
    let rows = all.iter().map(|m| {
        let numbers = [m.hops, m.requests, m.processor, m.idle_air];
        let numbers = numbers.iter().map(|number| format!("{number:.3}"));
        [m.supernodes.to_string()].into_iter().chain(numbers).collect()
    });
    let heading = ["supernodes", "hops", "requests", "processor_percent", "idle_air_percent"];
    let table = csv(&heading, &rows.collect::<Vec<_>>());
    let mut drawn = Drawn::new(Figure::Causes, &chart, table, facts);
    let idle = all.last().map_or(0.0, |m| m.idle_air);
    drawn.remarks.push(format!("{idle:.2} % of the air is used while nobody asks for anything"));
    drawn
}

/// Where the clients' values are.
pub(super) fn validation(validation: &Validation, facts: Facts) -> Drawn {
    let line = |name: &str, of: fn(&super::validate::Kept) -> u64| {
        let kept = validation.kept.iter().zip(1..);
        let points = kept.map(|(kept, n)| Point::exact(f64::from(n), of(kept) as f64)).collect();
        Line { name: name.into(), points }
    };
    let (puts, wrong) = (validation.puts, validation.misplaced.len());
    let chart = Chart {
        title: format!("Where {puts} clients' values are"),
        x: "super-node".into(),
        y: "values it keeps".into(),
        step: 1.0,
        lines: vec![
            line("found there", |kept| kept.found),
            line("it is one of the three closest to", |kept| kept.expected),
        ],
    };
    let rows = validation
        .kept
        .iter()
        .map(|kept| vec![kept.name.clone(), kept.found.to_string(), kept.expected.to_string()]);
    let table = csv(&["supernode", "found", "expected"], &rows.collect::<Vec<_>>());
    let mut drawn = Drawn::new(Figure::Validation, &chart, table, facts);
    drawn.remarks.push(format!("{} of {puts} values are at the three closest", puts - wrong));
    drawn
}

fn cells(samples: &[f64]) -> Vec<String> {
    match Summary::of(samples) {
        Some(Summary { mean, deviation, count }) => {
            vec![format!("{mean:.3}"), format!("{deviation:.3}"), count.to_string()]
        }
        None => vec![String::new(), String::new(), "0".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(supernodes: usize, ms: f64) -> Measured {
        Measured {
            supernodes,
            gets: vec![ms, ms * 1.5],
            puts: vec![ms * 2.0],
            calls: vec![10.0, 20.0],
            calls_overlay: 3.0,
            registrations: vec![8.0],
            registration_overlay: 2.0,
            hops: 0.9,
            requests: 1.9,
            processor: 20.0,
            idle_air: 2.5,
        }
    }

    #[test]
    fn each_figure_has_a_drawing_a_table_and_remarks() {
        let all = [measured(9, 2.0), measured(72, 3.0)];
        let facts = Facts::for_tests(&[(9, 20.0), (72, 90.0)]);
        for (number, first, last, remark) in [
            (9, "supernodes,get_ms", "72,3.750", "1.50 times as long with 72"),
            (10, "supernodes,ms", "72,15.000,7.071,2,3.000,20.0", "20.0 % to 20.0 %"),
            (11, "supernodes,ms", "72,8.000,0.000,1,2.000,25.0", "the paper's: 19.8 %"),
            (12, "supernodes,hops", "72,0.900,1.900,20.000,2.500", "2.50 % of the air"),
        ] {
            let drawn = of_sweep(Figure::of(number).unwrap(), &all, facts.clone()).unwrap();
            assert!(drawn.csv.starts_with(first), "{}", drawn.csv);
            assert!(drawn.csv.lines().last().unwrap().starts_with(last), "{}", drawn.csv);
            let remarks = drawn.remarks.join("\n");
            assert!(remarks.contains(remark), "{remarks}");
            assert!(remarks.contains("72 super-nodes") && remarks.contains("90 %"), "{remarks}");
            assert!(drawn.svg.contains("</svg>"));
        }
        assert!(Figure::of(7).is_err());
    }

    #[test]
    fn files_are_written_side_by_side() {
        let dir = tempfile::tempdir().unwrap();
        let facts = Facts::for_tests(&[(9, 20.0)]);
        let drawn = of_sweep(Figure::Latency, &[measured(9, 2.0)], facts).unwrap();
        let names = drawn.write(dir.path()).unwrap();
        assert_eq!(names.len(), 3);
        assert!(names.iter().all(|name| Path::new(name).is_file()), "{names:?}");
    }
}
