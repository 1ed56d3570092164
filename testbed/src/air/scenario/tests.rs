//! Scenario files, good and bad.

use std::collections::BTreeSet;

use super::keys::KEYS;
use super::*;
use crate::air::phy::Standard;

fn parse(text: &str) -> Result<Scenario, Wrong> {
    Scenario::parse(text, "hall.toml", None)
}

/// One line, and what it must say.
fn refused(text: &str, says: &[&str]) {
    let error = parse(text).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    for part in says {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

/// Every key there is.
const EVERYTHING: &str = r#"
name = "everything"
seed = 3
routing = "babeld"

[radio]
standard = "802.11b"
range_m = 30.0
carrier_sense_m = 50.0
path_loss = 2.5
rate_mbps = 5.5
multicast_mbps = 2
tries = 4
queue_frames = 9
loss = 0.01
delay_ms = 2.0

[[laptops]]
name = "grid"
count = 4
supernodes = 2
place.grid = { columns = 2, spacing_m = 6, x_m = 1, y_m = 2 }

[[laptops]]
name = "points"
count = 2
place.points = [[1, 2], [3, 4]]

[[laptops]]
name = "random"
place.random.area = { x_m = 100, y_m = 100, width_m = 3, height_m = 2 }

[[laptops]]
name = "walker"
place.points = [[50, 50]]
move.waypoint = { area = { width_m = 100, height_m = 100 }, speed_mps = [1, 2], pause_s = 3 }

[[laptops]]
name = "marcher"
count = 3
move.group = { radius_m = 5, stray_mps = 0.5, path = [[0, 0, 0], [60, 60, 0]] }

[[laptops]]
name = "crowd"
count = 2
move.group = { radius_m = 5, waypoint = { area = { width_m = 9, height_m = 9 } } }
"#;

const LEAST: &str = "name = \"least\"\n[[laptops]]\nplace.points = [[0, 0]]\n";

#[test]
fn every_key_is_understood() {
    let scenario = parse(EVERYTHING).unwrap();
    assert_eq!((scenario.seed, scenario.routing), (3, Routing::Babeld));
    let names: Vec<_> = scenario.laptops.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names[..6], ["grid-1", "grid-2", "grid-3", "grid-4", "points-1", "points-2"]);
    assert_eq!((names[6], names.len()), ("random", 13));
    assert_eq!((scenario.laptops[0].supernodes, scenario.laptops[4].supernodes), (2, 1));
    let radio = scenario.radio;
    assert_eq!((radio.phy.standard, radio.tries, radio.queue_frames), (Standard::B, 4, 9));
    assert_eq!((radio.rate, radio.multicast_rate), (Some(2), 1));
    assert_eq!(radio.extra_delay, Duration::from_millis(2));

    let mut travel = scenario.travel();
    let places = travel.at(Duration::ZERO);
    assert_eq!(places[3], Place { x: 7.0, y: 8.0 });
    assert_eq!(places[5], Place { x: 3.0, y: 4.0 });
    assert!((100.0..=103.0).contains(&places[6].x) && (100.0..=102.0).contains(&places[6].y));
    assert!(!travel.rests());
    let places = travel.at(Duration::from_secs(30));
    for marcher in &places[8..11] {
        assert!(marcher.distance(Place { x: 30.0, y: 0.0 }) <= 5.0, "{marcher}");
    }
    assert_ne!(places[8], places[9]);
}

#[test]
fn what_is_not_written_has_its_default() {
    let scenario = parse(LEAST).unwrap();
    assert_eq!((scenario.seed, scenario.routing), (1, Routing::None));
    assert_eq!(scenario.laptops, [Laptop { name: "laptop".into(), supernodes: 1 }]);
    assert_eq!(scenario.radio.phy.carrier_sense_m, 60.0);
    assert!(scenario.travel().rests());
}

#[test]
fn a_seed_on_the_command_line_counts_more() {
    let places =
        |seed| Scenario::parse(EVERYTHING, "x", seed).unwrap().travel().at(Duration::from_secs(9));
    assert_eq!(places(None), places(Some(3)));
    assert_ne!(places(Some(4)), places(Some(5)));
    assert_eq!(places(Some(4)), places(Some(4)));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    refused(
        &EVERYTHING.replace("path_loss", "pathloss"),
        &["hall.toml:10: ", "`pathloss`", "`path_loss`", "docs/reference/scenario.md"],
    );
    refused(&EVERYTHING.replace("spacing_m", "space"), &["hall.toml:22: ", "`space`"]);
    refused(&EVERYTHING.replace("move.group", "move.herd"), &["`herd`", "`group`"]);
    refused(&format!("{LEAST}[weather]\nrain = 1\n"), &["hall.toml:4: ", "`weather`"]);
}

#[test]
fn what_is_no_toml_or_lacks_a_key_is_said_with_its_line() {
    refused("name = ", &["hall.toml:1: "]);
    refused("[[laptops]]\n", &["hall.toml:1: ", "`name`"]);
    refused(&EVERYTHING.replace("columns = 2, ", ""), &["hall.toml:22: ", "`columns`"]);
    refused(&LEAST.replace("[[0, 0]]", "[[0, \"far\"]]"), &["hall.toml:3: "]);
    refused(&EVERYTHING.replace("tries = 4", "tries = -4"), &["hall.toml:13: "]);
    refused(&EVERYTHING.replace("\"babeld\"", "\"olsr\""), &["`olsr`", "`babeld`"]);
}

#[test]
fn an_impossible_value_is_named_with_its_key() {
    for (from, to, says) in [
        ("range_m = 30.0", "range_m = 0", ["hall.toml: radio.range_m: 0 ", "1 to 10000"]),
        ("range_m = 30.0", "range_m = nan", ["radio.range_m: NaN", "1 to 10000"]),
        ("loss = 0.01", "loss = 7", ["radio.loss: 7 ", "0 to 1"]),
        ("rate_mbps = 5.5", "rate_mbps = 54", ["radio.rate_mbps", "1, 2, 5.5, 11"]),
        ("columns = 2", "columns = 0", ["laptops[0].place.grid.columns: 0", "1 to 250"]),
        ("x_m = 1,", "x_m = 1e9,", ["laptops[0].place.grid.x_m", "-100000 to 100000"]),
        ("[3, 4]", "[3, 4e9]", ["laptops[1].place.points[1].y_m", "-100000 to"]),
        ("[3, 4]", "[3, 4], [5, 6]", ["laptops[1].place.points", "3 points for 2 laptops"]),
        ("width_m = 3", "width_m = -3", ["laptops[2].place.random.area.width_m", "0 to 100000"]),
        (
            "speed_mps = [1, 2]",
            "speed_mps = [2, 1]",
            ["laptops[3].move.waypoint.speed_mps", "lower"],
        ),
        (
            "speed_mps = [1, 2]",
            "speed_mps = [0, 1]",
            ["laptops[3].move.waypoint.speed_mps", "0.01"],
        ),
        ("[60, 60, 0]", "[0, 60, 0]", ["laptops[4].move.group.path[1]", "sort"]),
        ("[60, 60, 0]", "[60, 6e9, 0]", ["laptops[4].move.group.path[1].x_m", "100000"]),
        ("[60, 60, 0]", "[6e9, 6, 0]", ["laptops[4].move.group.path[1].at_s", "86400"]),
        ("[[0, 0, 0], [60, 60, 0]]", "[]", ["laptops[4].move.group.path", "empty"]),
        (", path = [[0, 0, 0], [60, 60, 0]]", "", ["laptops[4].move.group", "path or a waypoint"]),
        ("count = 3", "count = 0", ["laptops[4].count: 0", "1 to 250"]),
        ("count = 3", "count = 245", ["laptops: 255 of them", "250"]),
        ("supernodes = 2", "supernodes = 65", ["laptops[0].supernodes: 65", "0 to 64"]),
        ("name = \"walker\"", "name = \"random\"", ["laptops", "two are called \"random\""]),
        ("name = \"walker\"", "name = \"Hall A\"", ["laptops[3].name", "lower case"]),
    ] {
        assert!(EVERYTHING.contains(from), "{from}");
        refused(&EVERYTHING.replace(from, to), &says);
    }
    refused("name = \"none\"\n", &["laptops", "[[laptops]]"]);
    refused("name = \"x\"\n[[laptops]]\n", &["laptops[0].move", "place or move"]);
    let both =
        EVERYTHING.replace("radius_m = 5, waypoint", "radius_m = 5, path = [[0, 0, 0]], waypoint");
    refused(&both, &["laptops[5].move.group", "either"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Scenario::load(FilePath::new("/nowhere/hall.toml"), None).unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nowhere/hall.toml: "), "{error}");
}

/// What a table takes, as the error about an unknown key lists it.
fn taken(text: &str) -> BTreeSet<String> {
    let error = parse(text).unwrap_err().to_string();
    let (_, listed) = error.split_once("expected").unwrap_or_else(|| panic!("{error}"));
    listed
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| !word.ends_with(".md"))
        .map(String::from)
        .collect()
}

#[test]
fn the_table_of_keys_is_what_a_file_takes() {
    let laptops = "name = \"x\"\n[[laptops]]\n";
    let cases = [
        ("", "unknown = 1".to_owned()),
        ("radio.", "name = \"x\"\n[radio]\nunknown = 1".to_owned()),
        ("laptops.", format!("{laptops}unknown = 1")),
        ("laptops.place.", format!("{laptops}place.unknown = 1")),
        ("laptops.place.grid.", format!("{laptops}place.grid.unknown = 1")),
        ("laptops.place.random.", format!("{laptops}place.random.unknown = 1")),
        ("laptops.move.", format!("{laptops}move.unknown = 1")),
        ("laptops.move.waypoint.", format!("{laptops}move.waypoint.unknown = 1")),
        ("laptops.move.group.", format!("{laptops}move.group.unknown = 1")),
        ("area.", format!("{laptops}place.random.area.unknown = 1")),
    ];
    for (table, text) in cases {
        let documented = KEYS.iter().filter_map(|key| key.path.strip_prefix(table));
        let documented = documented.filter(|path| !table.is_empty() || !path.starts_with("area."));
        let documented: BTreeSet<String> =
            documented.map(|path| path.split('.').next().unwrap().to_owned()).collect();
        // `serde` writes raw identifiers and a single one without a list.
        assert_eq!(taken(&text), documented, "{table}");
    }
}

#[test]
fn documented_defaults_are_those_of_the_code() {
    let text = "name = \"x\"\n[[laptops]]\n\
        place.grid = { columns = 1, spacing_m = 1 }\n\
        [[laptops]]\nplace.random.area = { width_m = 1, height_m = 1 }\n\
        [[laptops]]\nmove.waypoint.area = { width_m = 1, height_m = 1 }\n\
        [[laptops]]\nmove.group.radius_m = 1\n";
    let file: File = toml::from_str(text).unwrap();
    let file = toml::Value::try_from(&file).unwrap();
    let look_up = |path: &str| {
        let path = path.replace("area.", "laptops.place.random.area.");
        let keys = path.split('.');
        let find = |value: &toml::Value, keys: &[&str]| {
            keys.iter().try_fold(value.clone(), |value, key| value.get(key).cloned())
        };
        let keys: Vec<_> = keys.collect();
        if keys[0] != "laptops" {
            return find(&file, &keys);
        }
        let laptops = file["laptops"].as_array().unwrap();
        laptops.iter().find_map(|table| find(table, &keys[1..]))
    };
    for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
        let Some(value) = look_up(key.path) else {
            // What is worked out from other keys.
            assert!(key.default.contains(' '), "{} has no default {:?}", key.path, key.default);
            continue;
        };
        let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(written, key.default, "{}", key.path);
    }
}

#[test]
fn the_page_has_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/scenario.md");
    let page = std::fs::read_to_string(path).unwrap();
    let start = page.find("| key |").unwrap();
    let end = page[start..].find("\n\n").map_or(page.len(), |at| start + at + 1);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{}{}{}", &page[..start], table(), &page[end..]);
        std::fs::write(path, page).unwrap();
    } else {
        assert_eq!(&page[start..end], table(), "run UPDATE_DOCS=1 cargo test -p testbed scenario");
    }
}

#[test]
fn the_pages_example_is_a_scenario() {
    let page = include_str!("../../../../docs/reference/scenario.md");
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(parse(example).unwrap().laptops.len(), 12);
}
