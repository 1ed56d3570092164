//! The numbers of the radio: how long a frame is on the air, and how likely it is lost.
//!
//! | number | 802.11b | 802.11g | from |
//! |---|---|---|---|
//! | slot, SIFS | 20 µs, 10 µs | 9 µs, 10 µs | IEEE 802.11-2012, tables 17-9 (18.3.3 for b) and 19-8 |
//! | DIFS | 50 µs | 28 µs | SIFS + 2 slots, 9.3.2.3.5 |
//! | CWmin, CWmax | 31, 1023 | 15, 1023 | the same tables |
//! | preamble and header | 192 µs (long) | 20 µs, and 6 µs of silence after the frame | 17.2.2, 18.3.2, 19.3.2.4 |
//! | symbol | a bit | 4 µs, with 16 service and 6 tail bits before the first and after the last | 18.3.2 |
//! | MAC header and FCS, LLC and SNAP | 28 B, 8 B | the same | 8.2, RFC 1042 |
//! | acknowledgement | 14 B at 1 or 2 Mb/s | 14 B at 6, 12 or 24 Mb/s | 9.7.6.5.2 |
//! | tries of a unicast frame | 7 | 7 | dot11ShortRetryLimit |
//! | signal that each rate needs above the lowest one | data sheets of Orinoco cards: −94, −91, −87, −82 dBm | table 18-14: −82 … −65 dBm | |
//!
//! All is pure. Why it is so, and what it leaves out: `docs/decisions/0027-radio.md`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which radio the laptops have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standard {
    /// 2.4 GHz, DSSS and CCK with long preambles, 1 to 11 Mb/s.
    #[serde(rename = "802.11b")]
    B,
    /// 2.4 GHz, OFDM and nobody there who speaks only 802.11b, 6 to 54 Mb/s.
    #[serde(rename = "802.11g")]
    G,
}

/// A rate, and the signal it needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    /// Kilobits in a second.
    pub(crate) kbps: u32,
    /// By how much the signal must exceed what the lowest rate needs, in dB.
    pub(crate) above_db: f64,
}

const RATES_B: [Rate; 4] = [rate(1000, 0.0), rate(2000, 3.0), rate(5500, 7.0), rate(11_000, 12.0)];

const RATES_G: [Rate; 8] = [
    rate(6000, 0.0),
    rate(9000, 1.0),
    rate(12_000, 3.0),
    rate(18_000, 5.0),
    rate(24_000, 8.0),
    rate(36_000, 12.0),
    rate(48_000, 16.0),
    rate(54_000, 17.0),
];

const fn rate(kbps: u32, above_db: f64) -> Rate {
    Rate { kbps, above_db }
}

/// What turns an Ethernet frame into one of 802.11: MAC header, LLC and SNAP, and checksum, instead
/// of the Ethernet header.
const FRAMING: usize = 24 + 8 + 4 - 14;
const ACK_BYTES: usize = 14;

/// Where the curve of loss is at a margin of 0 dB, for a frame of [`CURVE_BYTES`]: the standard
/// gives sensitivity as the signal at which one frame of 1000 bytes in ten is lost.
const LOSS_AT_SENSITIVITY: f64 = 0.1;
const CURVE_BYTES: f64 = 1000.0;
/// How steep the curve is: the odds of loss change by e^1.5 with each dB, so that it goes from 1 in
/// 100 to 98 in 100 within 4 dB, as measured curves of single links do.
const STEEPNESS: f64 = 1.5;
/// Below this margin not even the shortest frame arrives: an acknowledgement's loss is above 0.99.
const DEAF_DB: f64 = -6.0;

/// The signal a frame at the lowest rate needs above noise, or above another frame at the same time.
const CAPTURE_DB: f64 = 5.0;

/// A radio in its surroundings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Phy {
    /// Which radio.
    pub(crate) standard: Standard,
    /// How far frames of 1000 bytes at the lowest rate reach with one in ten lost, in metres.
    pub(crate) range_m: f64,
    /// By which power of the distance the signal becomes weaker.
    pub(crate) path_loss: f64,
    /// How far a transmission is sensed, in metres.
    pub(crate) carrier_sense_m: f64,
}

impl Phy {
    /// All rates, rising.
    pub(crate) const fn rates(&self) -> &'static [Rate] {
        match self.standard {
            Standard::B => &RATES_B,
            Standard::G => &RATES_G,
        }
    }

    /// The unit of backoff.
    pub(crate) const fn slot(&self) -> Duration {
        match self.standard {
            Standard::B => Duration::from_micros(20),
            Standard::G => Duration::from_micros(9),
        }
    }

    /// Between a frame and its acknowledgement.
    pub(crate) const fn sifs(&self) -> Duration {
        Duration::from_micros(10)
    }

    /// How long the air must be free before slots are counted.
    pub(crate) const fn difs(&self) -> Duration {
        match self.standard {
            Standard::B => Duration::from_micros(50),
            Standard::G => Duration::from_micros(28),
        }
    }

    /// From how many slots the backoff of a try is drawn, the first try being 0: 0 to this.
    pub(crate) const fn window(&self, tries: u32) -> u32 {
        let (min, max) = match self.standard {
            Standard::B => (31, 1023),
            Standard::G => (15, 1023),
        };
        // Six doublings reach the largest from either.
        let doublings = if tries > 6 { 6 } else { tries };
        let window = ((min + 1) << doublings) - 1;
        if window > max { max } else { window }
    }

    /// How long an Ethernet frame of so many bytes is on the air.
    pub(crate) fn air(&self, rate: Rate, bytes: usize) -> Duration {
        self.psdu(rate, bytes + FRAMING)
    }

    /// From the end of a unicast frame to the end of its acknowledgement.
    pub(crate) fn ack(&self, rate: Rate) -> Duration {
        let basic: &[u32] = match self.standard {
            Standard::B => &[1000, 2000],
            Standard::G => &[6000, 12_000, 24_000],
        };
        let fits = |answer: &&Rate| answer.kbps <= rate.kbps && basic.contains(&answer.kbps);
        let answer = self.rates().iter().rev().find(fits).unwrap_or(&self.rates()[0]);
        self.sifs() + self.psdu(*answer, ACK_BYTES)
    }

    /// How long so many bytes of MAC frame are on the air.
    fn psdu(&self, rate: Rate, bytes: usize) -> Duration {
        let bits = bytes as u64 * 8;
        let kbps = u64::from(rate.kbps);
        match self.standard {
            Standard::B => Duration::from_nanos(192_000 + (bits * 1_000_000).div_ceil(kbps)),
            Standard::G => {
                let symbol_bits = 4 * kbps / 1000;
                let symbols = (16 + bits + 6).div_ceil(symbol_bits);
                Duration::from_micros(20 + 4 * symbols + 6)
            }
        }
    }

    /// The signal at a distance, above what the lowest rate needs, in dB.
    pub(crate) fn margin_db(&self, distance_m: f64) -> f64 {
        /// Nearer than this the signal does not grow any more.
        const NEAR_M: f64 = 0.5;
        10.0 * self.path_loss * (self.range_m / distance_m.max(NEAR_M)).log10()
    }

    /// How likely an Ethernet frame of so many bytes is lost at a margin, when the air is free.
    pub(crate) fn loss(&self, margin_db: f64, rate: Rate, bytes: usize) -> f64 {
        if margin_db < DEAF_DB {
            return 1.0;
        }
        let odds = LOSS_AT_SENSITIVITY / (1.0 - LOSS_AT_SENSITIVITY)
            * (-STEEPNESS * (margin_db - rate.above_db)).exp();
        let lost = odds / (1.0 + odds);
        1.0 - (1.0 - lost).powf((bytes + FRAMING) as f64 / CURVE_BYTES)
    }

    /// Whether frames can arrive at this margin at all.
    pub(crate) fn hears(&self, margin_db: f64) -> bool {
        margin_db >= DEAF_DB
    }

    /// Whether a frame is readable in spite of another one at the same time.
    pub(crate) fn captures(&self, margin_db: f64, other_db: f64, rate: Rate) -> bool {
        margin_db - other_db >= CAPTURE_DB + rate.above_db
    }

    /// The index of the highest rate at which at most one frame of 1000 bytes in ten is lost; the
    /// lowest if there is none.
    pub(crate) fn best_rate(&self, margin_db: f64) -> usize {
        self.rates().iter().rposition(|rate| rate.above_db <= margin_db).unwrap_or(0)
    }

    /// The index of a rate.
    pub(crate) fn rate_of(&self, kbps: u32) -> Option<usize> {
        self.rates().iter().position(|rate| rate.kbps == kbps)
    }

    /// How long it takes on average from one unicast frame to the next of a station that always has
    /// one to send and that nobody disturbs.
    pub(crate) fn cycle(&self, rate: Rate, bytes: usize) -> Duration {
        self.difs() + self.slot() * self.window(0) / 2 + self.air(rate, bytes) + self.ack(rate)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const G: Phy =
        Phy { standard: Standard::G, range_m: 40.0, path_loss: 3.0, carrier_sense_m: 60.0 };
    const B: Phy = Phy { standard: Standard::B, ..G };

    #[test]
    fn air_times_are_those_of_the_standard() {
        let micros = |phy: Phy, rate: usize, bytes| {
            phy.air(phy.rates()[rate], bytes).as_nanos() as f64 / 1000.0
        };
        // 1500 bytes of IP are 1536 of MAC frame: 12,310 bits in 57 symbols at 54 Mb/s.
        assert_eq!(micros(G, 7, 1514), 254.0);
        assert_eq!(micros(G, 0, 1514), 26.0 + 4.0 * 513.0);
        // 192 + 12,288 bits at 11 Mb/s, and at 1 Mb/s.
        assert!((micros(B, 3, 1514) - 1309.09).abs() < 0.1);
        assert_eq!(micros(B, 0, 1514), 12_480.0);
    }

    #[test]
    fn acknowledgements_use_the_highest_basic_rate_that_is_not_faster() {
        let micros = |phy: Phy, rate: usize| phy.ack(phy.rates()[rate]).as_micros();
        assert_eq!(micros(G, 7), 10 + 34, "24 Mb/s");
        assert_eq!(micros(G, 3), 10 + 38, "12 Mb/s for 18");
        assert_eq!(micros(G, 0), 10 + 50, "6 Mb/s");
        assert_eq!(micros(B, 3), 10 + 192 + 56, "2 Mb/s");
        assert_eq!(micros(B, 0), 10 + 192 + 112, "1 Mb/s");
    }

    #[test]
    fn a_lone_station_sends_what_is_known_of_the_standard() {
        let goodput = |phy: Phy, rate: usize| {
            1500.0 * 8.0 / (phy.cycle(phy.rates()[rate], 1514).as_secs_f64() * 1e6)
        };
        // Published maxima for 1500 byte packets: 30 to 31 Mb/s, and 6 to 6.2 with long preambles.
        assert!((29.0..32.0).contains(&goodput(G, 7)), "{}", goodput(G, 7));
        assert!((5.8..6.4).contains(&goodput(B, 3)), "{}", goodput(B, 3));
    }

    #[test]
    fn windows_double_to_the_largest() {
        assert_eq!([0, 1, 2, 6, 7, 40].map(|t| G.window(t)), [15, 31, 63, 1023, 1023, 1023]);
        assert_eq!([0, 1, 5, 6].map(|t| B.window(t)), [31, 63, 1023, 1023]);
    }

    #[test]
    fn at_the_range_one_long_frame_in_ten_is_lost() {
        let margin = G.margin_db(40.0);
        let lost = G.loss(margin, G.rates()[0], 1000 - FRAMING);
        assert!((lost - 0.1).abs() < 1e-9, "{lost}");
        assert!(G.loss(G.margin_db(80.0), G.rates()[0], 100) > 0.999);
        assert!(G.loss(G.margin_db(20.0), G.rates()[0], 1514) < 0.001);
    }

    #[test]
    fn rates_fall_with_the_distance() {
        let at = |metres| G.rates()[G.best_rate(G.margin_db(metres))].kbps;
        assert_eq!(
            [1.0, 10.8, 12.0, 20.0, 39.9, 200.0].map(at),
            [54_000, 54_000, 36_000, 24_000, 6_000, 6_000]
        );
    }

    proptest! {
        #[test]
        fn loss_is_a_probability_that_grows_with_distance_length_and_rate(
            near in 0.1f64..200.0, more in 0.0f64..100.0, bytes in 14usize..1515, rate in 0usize..7,
        ) {
            let loss = |metres, rate: usize, bytes| {
                G.loss(G.margin_db(metres), G.rates()[rate], bytes)
            };
            let lost = loss(near, rate, bytes);
            prop_assert!((0.0..=1.0).contains(&lost));
            prop_assert!(loss(near + more, rate, bytes) >= lost);
            prop_assert!(loss(near, rate + 1, bytes) >= lost);
            prop_assert!(loss(near, rate, bytes + 1) >= lost);
        }
    }
}
