//! Every key of a scenario file: its unit, its limits, what it is without being written, and what it
//! means. Values are checked against this table, and `docs/reference/scenario.md` is made from it.

use super::{Checked, bad};

/// A key.
pub(super) struct Key {
    /// With the tables it is in.
    pub(super) path: &'static str,
    /// What is written.
    pub(super) kind: &'static str,
    /// The least and the most.
    pub(super) limits: Option<(f64, f64)>,
    /// What it is if it is not written; empty if it must be.
    pub(super) default: &'static str,
    /// What it means.
    pub(super) about: &'static str,
}

const fn key(
    path: &'static str,
    kind: &'static str,
    limits: Option<(f64, f64)>,
    default: &'static str,
    about: &'static str,
) -> Key {
    Key { path, kind, limits, default, about }
}

/// Somewhere on a plane of 200 km.
const PLACE: Option<(f64, f64)> = Some((-1e5, 1e5));
const EXTENT: Option<(f64, f64)> = Some((0.0, 1e5));

/// All of them, in the order of the page. Indices of lists are left out.
pub(super) const KEYS: &[Key] = &[
    key("name", "text", None, "", "what the status calls it"),
    key("seed", "number", None, "1", "decides all that is left to chance; `--seed` counts more"),
    key(
        "routing",
        "`\"none\"` or `\"babeld\"`",
        None,
        "none",
        "how laptops reach those they do not hear: not at all, or by a `babeld` on each (Debian package babeld)",
    ),
    key(
        "radio.standard",
        "`\"802.11b\"` or `\"802.11g\"`",
        None,
        "802.11g",
        "timing and rates: 1, 2, 5.5, 11 Mb/s with long preambles; or 6, 9, 12, 18, 24, 36, 48, 54 Mb/s",
    ),
    key(
        "radio.range_m",
        "metres",
        Some((1.0, 10_000.0)),
        "40.0",
        "how far frames of 1000 bytes at the lowest rate reach with one in ten lost",
    ),
    key(
        "radio.carrier_sense_m",
        "metres",
        Some((0.0, 20_000.0)),
        "1.5 × range_m",
        "how far a transmission is sensed, so that others wait; laptops farther apart are hidden from each other",
    ),
    key(
        "radio.path_loss",
        "exponent",
        Some((1.6, 6.0)),
        "3.0",
        "by which power of the distance the signal becomes weaker: 2 in the open, 3 in halls, 4 among walls",
    ),
    key(
        "radio.rate_mbps",
        "Mb/s",
        None,
        "by distance",
        "the rate of unicast frames, whatever the distance",
    ),
    key(
        "radio.multicast_mbps",
        "Mb/s",
        None,
        "the lowest",
        "the rate of broadcast and multicast frames",
    ),
    key(
        "radio.tries",
        "number",
        Some((1.0, 255.0)),
        "7",
        "how often a unicast frame is sent until it is given up",
    ),
    key(
        "radio.queue_frames",
        "frames",
        Some((1.0, 10_000.0)),
        "256",
        "how many frames wait at a laptop; what comes then is dropped",
    ),
    key(
        "radio.loss",
        "share",
        Some((0.0, 1.0)),
        "0.0",
        "of all tries and multicast frames, how many are lost beside what distance and others do",
    ),
    key(
        "radio.delay_ms",
        "milliseconds",
        Some((0.0, 1000.0)),
        "0.0",
        "how much later than the air has it a laptop gets a frame",
    ),
    key(
        "laptops.name",
        "text",
        None,
        "laptop",
        "the name of a single one; several get -1, -2 … behind it",
    ),
    key("laptops.count", "number", Some((1.0, 250.0)), "1", "how many; 250 in the whole file"),
    key(
        "laptops.supernodes",
        "number",
        Some((0.0, 64.0)),
        "1",
        "how many super-nodes run on each; `--supernodes` counts more",
    ),
    key(
        "laptops.place.grid.columns",
        "number",
        Some((1.0, 250.0)),
        "",
        "they stand in rows of so many",
    ),
    key("laptops.place.grid.spacing_m", "metres", EXTENT, "", "from one to the next"),
    key("laptops.place.grid.x_m", "metres", PLACE, "0.0", "where the first one stands"),
    key("laptops.place.grid.y_m", "metres", PLACE, "0.0", ""),
    key(
        "laptops.place.points",
        "list of [x, y] in metres",
        PLACE,
        "",
        "they stand here, one at each",
    ),
    key("laptops.place.random.area", "an area", None, "", "they stand anywhere in it"),
    key(
        "laptops.move.waypoint.area",
        "an area",
        None,
        "",
        "they walk to random places in it, from their place, or without one from anywhere in it",
    ),
    key(
        "laptops.move.waypoint.speed_mps",
        "[slowest, fastest] in m/s",
        Some((0.01, 100.0)),
        "[0.5, 1.5]",
        "how fast, each time another speed of these",
    ),
    key(
        "laptops.move.waypoint.pause_s",
        "seconds",
        Some((0.0, 86_400.0)),
        "0.0",
        "how long they rest at each place",
    ),
    key(
        "laptops.move.group.radius_m",
        "metres",
        Some((0.0, 10_000.0)),
        "",
        "they stay so near to where the group is",
    ),
    key(
        "laptops.move.group.stray_mps",
        "m/s",
        Some((0.01, 100.0)),
        "0.3",
        "how fast each strays within that",
    ),
    key(
        "laptops.move.group.path",
        "list of [seconds, x, y]",
        None,
        "",
        "the group is there then, and goes straight from one to the next; either this or a waypoint",
    ),
    key("laptops.move.group.waypoint", "as `move.waypoint`", None, "", "the group walks like this"),
    key("area.x_m", "metres", PLACE, "0.0", "an area's left lower corner"),
    key("area.y_m", "metres", PLACE, "0.0", ""),
    key("area.width_m", "metres", EXTENT, "", "how wide it is"),
    key("area.height_m", "metres", EXTENT, "", "how high it is"),
];

/// Parts of keys whose path leads elsewhere: an area is the same wherever it is, and a point of a list
/// is a place or a moment.
const ELSEWHERE: [(&str, &str); 3] = [
    (".area.", "area."),
    ("place.points.", "area."),
    ("group.waypoint.", "laptops.move.waypoint."),
];
/// A day is longer than any run.
const MOMENT: (f64, f64) = (0.0, 86_400.0);

/// The value, unless it is beyond the limits of its key.
pub(super) fn in_range(path: &str, value: f64) -> Checked<f64> {
    let Some((least, most)) = limits(path) else { return Ok(value) };
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    bad(path, format!("{value} is not from {least} to {most}"))
}

/// The limits of a key, given with the indices of lists.
fn limits(path: &str) -> Option<(f64, f64)> {
    let mut plain = String::new();
    let mut within = true;
    for c in path.chars() {
        match c {
            '[' => within = false,
            ']' => within = true,
            _ if within => plain.push(c),
            _ => {}
        }
    }
    if plain.ends_with(".path.at_s") {
        return Some(MOMENT);
    }
    if plain.ends_with(".x_m") && plain.contains(".path.") || plain.ends_with(".path.y_m") {
        return PLACE;
    }
    for (part, instead) in ELSEWHERE {
        if let Some(at) = plain.find(part) {
            plain.replace_range(..at + part.len(), instead);
        }
    }
    KEYS.iter().find(|key| key.path == plain)?.limits
}

/// All keys, as Markdown: the table of `docs/reference/scenario.md`.
pub(crate) fn table() -> String {
    let mut table =
        "| key | what is written | limits | without it | |\n|---|---|---|---|---|\n".to_owned();
    for Key { path, kind, limits, default, about } in KEYS {
        let limits = limits.map_or(String::new(), |(least, most)| format!("{least} to {most}"));
        table.push_str(&format!("| `{path}` | {kind} | {limits} | {default} | {about} |\n"));
    }
    table
}
