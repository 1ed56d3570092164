//! A scenario file as it is written. What its keys mean: `keys.rs`.

use serde::{Deserialize, Serialize};

use crate::air::phy::Standard;

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: String,
    #[serde(default = "seed")]
    pub(super) seed: u64,
    #[serde(default)]
    pub(super) routing: Routing,
    #[serde(default)]
    pub(super) radio: Radio,
    #[serde(default)]
    pub(super) laptops: Vec<Laptops>,
}

/// How laptops reach those they do not hear.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Routing {
    /// Not at all.
    #[default]
    None,
    /// By a `babeld` on each.
    Babeld,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Radio {
    pub(super) standard: Standard,
    pub(super) range_m: f64,
    pub(super) carrier_sense_m: Option<f64>,
    pub(super) path_loss: f64,
    pub(super) rate_mbps: Option<f64>,
    pub(super) multicast_mbps: Option<f64>,
    pub(super) tries: u32,
    pub(super) queue_frames: u32,
    pub(super) loss: f64,
    pub(super) delay_ms: f64,
}

impl Default for Radio {
    fn default() -> Radio {
        Radio {
            standard: Standard::G,
            range_m: 40.0,
            carrier_sense_m: None,
            path_loss: 3.0,
            rate_mbps: None,
            multicast_mbps: None,
            tries: 7,
            queue_frames: 256,
            loss: 0.0,
            delay_ms: 0.0,
        }
    }
}

/// Laptops that have something in common.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Laptops {
    #[serde(default = "laptop")]
    pub(super) name: String,
    #[serde(default = "one")]
    pub(super) count: u32,
    #[serde(default = "one")]
    pub(super) supernodes: u32,
    pub(super) place: Option<Placing>,
    pub(super) r#move: Option<Move>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Placing {
    Grid(Grid),
    Points(Vec<(f64, f64)>),
    Random(Random),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grid {
    pub(super) columns: u32,
    pub(super) spacing_m: f64,
    #[serde(default)]
    pub(super) x_m: f64,
    #[serde(default)]
    pub(super) y_m: f64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Random {
    pub(super) area: Area,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Move {
    Waypoint(Waypoint),
    Group(Group),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waypoint {
    pub(super) area: Area,
    #[serde(default = "walking")]
    pub(super) speed_mps: (f64, f64),
    #[serde(default)]
    pub(super) pause_s: f64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) radius_m: f64,
    #[serde(default = "straying")]
    pub(super) stray_mps: f64,
    pub(super) path: Option<Vec<(f64, f64, f64)>>,
    pub(super) waypoint: Option<Waypoint>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Area {
    #[serde(default)]
    pub(super) x_m: f64,
    #[serde(default)]
    pub(super) y_m: f64,
    pub(super) width_m: f64,
    pub(super) height_m: f64,
}

const fn seed() -> u64 {
    1
}

fn laptop() -> String {
    "laptop".to_owned()
}

const fn one() -> u32 {
    1
}

/// From strolling to walking fast.
const fn walking() -> (f64, f64) {
    (0.5, 1.5)
}

/// As people shift about while they walk together.
const fn straying() -> f64 {
    0.3
}
