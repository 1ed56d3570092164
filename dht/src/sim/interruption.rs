//! What happens to nodes, their machines and their network in a run: as data, drawn from a seed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A year, in milliseconds.
const YEAR_MS: u64 = 31_556_952_000;
const DAY: Duration = Duration::from_secs(86_400);
/// Most interruptions that overlap.
const OVERLAPPING_MAX: u64 = 4;
/// Nodes left untouched by those that overlap: enough to acknowledge something.
const SPARED: usize = 2;

/// A kind of interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A node crashes and comes back.
    Crash,
    /// A node leaves politely and comes back.
    Leave,
    /// A node comes back with an empty disk, as itself or as another.
    LostDisk,
    /// Two nodes do, at once, when replicas have had the time to agree.
    LostDisks,
    /// The network is torn in two, and mended.
    Split,
    /// A node hears nobody for a while, and is heard by nobody.
    Outage,
    /// A machine sleeps for a while; its node sees no time pass.
    Suspend,
    /// A machine boots again with a wall clock that is off by up to a year.
    WrongClock,
    /// Commits of one disk take seconds.
    SlowDisk,
    /// One disk has no room for values.
    FullDisk,
    /// All nodes crash at once, and come back after seconds or days.
    AllDown,
    /// Several crashes, slow and full disks at the same time, perhaps in a torn network.
    Overlap,
    /// Nothing happens for minutes.
    Quiet,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 13] = [
        Kind::Crash,
        Kind::Leave,
        Kind::LostDisk,
        Kind::LostDisks,
        Kind::Split,
        Kind::Outage,
        Kind::Suspend,
        Kind::WrongClock,
        Kind::SlowDisk,
        Kind::FullDisk,
        Kind::AllDown,
        Kind::Overlap,
        Kind::Quiet,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Crash => "crash",
            Kind::Leave => "leave",
            Kind::LostDisk => "lost-disk",
            Kind::LostDisks => "lost-disks",
            Kind::Split => "split",
            Kind::Outage => "outage",
            Kind::Suspend => "suspend",
            Kind::WrongClock => "wrong-clock",
            Kind::SlowDisk => "slow-disk",
            Kind::FullDisk => "full-disk",
            Kind::AllDown => "all-down",
            Kind::Overlap => "overlap",
            Kind::Quiet => "quiet",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Kind, String> {
        let named = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        named.ok_or_else(|| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            format!("no kind of interruption is called {name:?}; there are {names}")
        })
    }
}

/// How a node comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Return {
    /// Its machine ran on.
    SameBoot,
    /// Its machine was booted; the wall clock is off by so many milliseconds more than before.
    Rebooted(i64),
    /// With an empty disk, and another id, or the same.
    Emptied { new_id: bool },
}

/// A node that goes and comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Absence {
    pub(super) node: usize,
    pub(super) polite: bool,
    pub(super) lasts: Duration,
    pub(super) back: Return,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interruption {
    Absent(Absence),
    /// Several at once, with all their disks lost.
    Lost(Vec<Absence>),
    /// For each node whether it is on the other side.
    Split {
        other: Vec<bool>,
        lasts: Duration,
    },
    Outage {
        node: usize,
        lasts: Duration,
    },
    Suspend {
        node: usize,
        lasts: Duration,
    },
    SlowDisk {
        node: usize,
        lasts: Duration,
        commit: Duration,
    },
    FullDisk {
        node: usize,
        lasts: Duration,
    },
    /// All go at once; each comes back so long after `lasts`, so.
    AllDown {
        lasts: Duration,
        back: Vec<(Duration, Return)>,
    },
    /// Each begins so long after the first.
    Overlap(Vec<(Duration, Interruption)>),
    Quiet(Duration),
}

/// Draws interruptions for so many nodes.
pub(super) struct Drawing<'a> {
    pub(super) rng: &'a mut fastrand::Rng,
    pub(super) nodes: usize,
}

impl Drawing<'_> {
    pub(super) fn draw(&mut self, kind: Kind) -> Interruption {
        let node = self.rng.usize(..self.nodes);
        let lasts = self.millis(0, 12_000);
        let away = |polite, back| Absence { node, polite, lasts, back };
        match kind {
            Kind::Crash => Interruption::Absent(away(false, self.intact())),
            Kind::Leave => Interruption::Absent(away(true, self.intact())),
            Kind::LostDisk => {
                let back = Return::Emptied { new_id: self.rng.bool() };
                Interruption::Absent(away(false, back))
            }
            Kind::LostDisks => {
                let back = Return::Emptied { new_id: self.rng.bool() };
                let lost = self.some_nodes(2).into_iter();
                Interruption::Lost(lost.map(|node| Absence { node, ..away(false, back) }).collect())
            }
            Kind::Split => self.split(),
            Kind::Outage => Interruption::Outage { node, lasts: self.millis(100, 60_000) },
            Kind::Suspend => Interruption::Suspend { node, lasts: self.millis(100, 120_000) },
            Kind::WrongClock => {
                let jump = i64::try_from(self.spread(1000, YEAR_MS)).unwrap_or(i64::MAX);
                let jump = if self.rng.bool() { jump } else { -jump };
                Interruption::Absent(away(self.rng.bool(), Return::Rebooted(jump)))
            }
            Kind::SlowDisk => {
                let commit = self.millis(500, 4000);
                Interruption::SlowDisk { node, lasts: self.millis(5000, 30_000), commit }
            }
            Kind::FullDisk => Interruption::FullDisk { node, lasts: self.millis(1000, 30_000) },
            Kind::AllDown => {
                let longest = u64::try_from((DAY * 8).as_millis()).unwrap_or(u64::MAX);
                let lasts = Duration::from_millis(self.spread(1000, longest));
                let back = (0..self.nodes).map(|_| (self.millis(0, 8000), self.intact())).collect();
                Interruption::AllDown { lasts, back }
            }
            Kind::Overlap => self.overlap(),
            Kind::Quiet => Interruption::Quiet(Duration::from_millis(self.spread(10_000, 900_000))),
        }
    }

    /// Two sides, each of at least one node.
    fn split(&mut self) -> Interruption {
        let mut other: Vec<bool> = (0..self.nodes).map(|_| self.rng.bool()).collect();
        let odd = self.rng.usize(..self.nodes);
        if other.iter().all(|side| *side == other[0]) {
            other[odd] = !other[odd];
        }
        Interruption::Split { other, lasts: self.millis(1000, 60_000) }
    }

    fn overlap(&mut self) -> Interruption {
        let count = self.rng.u64(2..=OVERLAPPING_MAX);
        let nodes = self.some_nodes(usize::try_from(count).unwrap_or(usize::MAX));
        let mut parts: Vec<(Duration, Interruption)> = Vec::new();
        for node in nodes {
            let (after, lasts) = (self.millis(0, 8000), self.millis(0, 15_000));
            let part = match self.rng.u8(..6) {
                0 => Interruption::SlowDisk { node, lasts, commit: self.millis(100, 2000) },
                1 => Interruption::FullDisk { node, lasts },
                2 => Interruption::Outage { node, lasts },
                polite => {
                    let (polite, back) = (polite == 3, self.intact());
                    Interruption::Absent(Absence { node, polite, lasts, back })
                }
            };
            parts.push((after, part));
        }
        let islands = parts.iter().any(|(_, part)| matches!(part, Interruption::Outage { .. }));
        if !islands && self.rng.u8(..3) == 0 {
            parts.push((self.millis(0, 8000), self.split()));
        }
        Interruption::Overlap(parts)
    }

    /// So many different nodes, fewer if there are not enough to spare some.
    fn some_nodes(&mut self, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.nodes).collect();
        self.rng.shuffle(&mut all);
        all.truncate(count.min(self.nodes.saturating_sub(SPARED)).max(1));
        all
    }

    /// Back with all it had, and right clocks.
    fn intact(&mut self) -> Return {
        if self.rng.bool() { Return::SameBoot } else { Return::Rebooted(0) }
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.rng.u64(least..=most))
    }

    /// Between two numbers, each order of magnitude as likely as another.
    fn spread(&mut self, least: u64, most: u64) -> u64 {
        let (least, most) = ((least as f64).ln(), (most as f64).ln());
        (least + (most - least) * self.rng.f64()).exp() as u64
    }
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Return::SameBoot => write!(f, "its machine ran on"),
            Return::Rebooted(0) => write!(f, "its machine was booted"),
            Return::Rebooted(jump) => {
                write!(f, "its machine was booted, the wall clock off by {} s", *jump as f64 / 1e3)
            }
            Return::Emptied { new_id: true } => write!(f, "its disk empty, as another node"),
            Return::Emptied { new_id: false } => write!(f, "its disk empty"),
        }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Absence { node, polite, lasts, back } = self;
        let goes = if *polite { "leaves" } else { "crashes" };
        write!(f, "node {node} {goes} for {:.3} s; {back}", lasts.as_secs_f64())
    }
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = Duration::as_secs_f64;
        match self {
            Interruption::Absent(absence) => write!(f, "{absence}"),
            Interruption::Lost(absences) => {
                let all: Vec<String> = absences.iter().map(Absence::to_string).collect();
                write!(f, "{}", all.join("; "))
            }
            Interruption::Split { other, lasts } => {
                let other: Vec<usize> = (0..other.len()).filter(|n| other[*n]).collect();
                write!(f, "nodes {other:?} are cut off from the others for {:.3} s", s(lasts))
            }
            Interruption::Outage { node, lasts } => {
                write!(f, "node {node} is cut off for {:.3} s", s(lasts))
            }
            Interruption::Suspend { node, lasts } => {
                write!(f, "node {node}'s machine sleeps for {:.3} s", s(lasts))
            }
            Interruption::SlowDisk { node, lasts, commit } => {
                let (lasts, commit) = (s(lasts), s(commit));
                write!(f, "node {node}'s commits take up to {commit:.3} s for {lasts:.3} s")
            }
            Interruption::FullDisk { node, lasts } => {
                write!(f, "node {node}'s disk is full for {:.3} s", s(lasts))
            }
            Interruption::AllDown { lasts, .. } => {
                write!(f, "all nodes crash, and come back after {:.3} s", s(lasts))
            }
            Interruption::Overlap(parts) => {
                let part = |(after, part): &(Duration, Interruption)| {
                    format!("after {:.3} s {part}", s(after))
                };
                write!(f, "{}", parts.iter().map(part).collect::<Vec<_>>().join(", "))
            }
            Interruption::Quiet(lasts) => write!(f, "nothing for {:.3} s", s(lasts)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_their_names() {
        assert!(Kind::ALL.iter().all(|kind| kind.name().parse() == Ok(*kind)));
        assert!("nap".parse::<Kind>().unwrap_err().contains("suspend"));
    }

    #[test]
    fn few_nodes_are_enough_for_all_kinds() {
        for nodes in [2, 3, 12] {
            let mut rng = fastrand::Rng::with_seed(1);
            for kind in Kind::ALL.into_iter().cycle().take(200) {
                let drawn = Drawing { rng: &mut rng, nodes }.draw(kind);
                if let Interruption::Split { other, .. } = &drawn {
                    assert!(other.contains(&true) && other.contains(&false));
                }
                assert!(!drawn.to_string().is_empty());
            }
        }
    }
}
