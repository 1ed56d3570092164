//! The medium under a clock of its own.

use proptest::prelude::*;

use super::counts::StationCounts;
use super::*;
use crate::air::frame::{HEADER, address};
use crate::air::phy::Standard;

const PHY: Phy =
    Phy { standard: Standard::G, range_m: 40.0, path_loss: 3.0, carrier_sense_m: 60.0 };
const RADIO: Radio = Radio {
    phy: PHY,
    rate: None,
    multicast_rate: 0,
    tries: 7,
    queue_frames: 64,
    extra_loss: 0.0,
    extra_delay: Duration::ZERO,
};
const SECOND: Duration = Duration::from_secs(1);

fn line(places: &[f64]) -> Vec<Place> {
    places.iter().map(|x| Place { x: *x, y: 0.0 }).collect()
}

fn frame(to: [u8; 6], bytes: usize) -> Frame {
    let mut frame = vec![0; bytes.max(HEADER)];
    frame[..6].copy_from_slice(&to);
    Frame::new(&frame, 100).unwrap()
}

fn to(station: usize) -> Frame {
    frame(address(station), 1514)
}

const ALL: [u8; 6] = [0xff; 6];

/// Keeps queues full for a while; the deliveries.
fn saturate(
    medium: &mut Medium,
    flows: &[(usize, Frame)],
    time: Duration,
) -> Vec<(usize, Duration)> {
    let mut delivered = Vec::new();
    let mut actions = Vec::new();
    let mut now = Duration::ZERO;
    while now < time {
        for (from, frame) in flows {
            while medium.stations[*from].queue.len() < 3 {
                assert!(medium.offer(now, *from, frame.clone()));
            }
        }
        now = medium.next().unwrap();
        medium.advance(now, &mut actions);
        for action in actions.drain(..) {
            if let Action::Deliver { to, at, .. } = action {
                delivered.push((to, at));
            }
        }
    }
    delivered
}

/// Lets everything happen that there is.
fn drain(medium: &mut Medium) -> Vec<Action> {
    let mut actions = Vec::new();
    while let Some(next) = medium.next() {
        medium.advance(next, &mut actions);
    }
    actions
}

fn deliveries(actions: &[Action]) -> Vec<(usize, Duration)> {
    let delivery = |action: &Action| match action {
        Action::Deliver { to, at, .. } => Some((*to, *at)),
        Action::Sent { .. } => None,
    };
    actions.iter().filter_map(delivery).collect()
}

#[test]
fn a_lone_frame_takes_difs_slots_and_its_time_on_the_air() {
    let mut medium = Medium::new(RADIO, 1, &line(&[0.0, 5.0]));
    assert!(medium.offer(SECOND, 0, to(1)));
    let actions = drain(&mut medium);
    let [(1, at)] = deliveries(&actions)[..] else { panic!("{actions:?}") };
    let least = PHY.difs() + PHY.air(PHY.rates()[7], 1514);
    let took = at - SECOND;
    assert!((least..=least + PHY.slot() * 15).contains(&took), "{took:?}");
    assert_eq!((took - least).as_nanos() % PHY.slot().as_nanos(), 0);
}

#[test]
fn a_lone_station_reaches_the_throughput_of_the_standard() {
    for (metres, rate) in [(5.0, 7), (16.0, 4), (30.0, 2)] {
        let mut medium = Medium::new(RADIO, 3, &line(&[0.0, metres]));
        let delivered = saturate(&mut medium, &[(0, to(1))], SECOND * 5).len() as f64;
        // Retries, of at most one frame in ten, take from it.
        let most = 5.0 / PHY.cycle(PHY.rates()[rate], 1514).as_secs_f64();
        let reached = delivered / most;
        assert!((0.8..=1.01).contains(&reached), "{reached} of {most} at {metres} m");
    }
}

#[test]
fn delay_is_added_and_keeps_the_order() {
    let delay = Duration::from_millis(20);
    let places = line(&[0.0, 5.0]);
    let mut plain = Medium::new(RADIO, 1, &places);
    let mut late = Medium::new(Radio { extra_delay: delay, ..RADIO }, 1, &places);
    for medium in [&mut plain, &mut late] {
        (0..10).for_each(|_| assert!(medium.offer(SECOND, 0, to(1))));
    }
    let plain = deliveries(&drain(&mut plain));
    let late = deliveries(&drain(&mut late));
    let shifted: Vec<_> = plain.iter().map(|(to, at)| (*to, *at + delay)).collect();
    assert_eq!(late, shifted);
}

/// Bianchi's model of saturated stations in one another's range ("Performance Analysis of the IEEE
/// 802.11 Distributed Coordination Function", 2000): the probability that a transmission collides.
fn bianchi(stations: u32, window: f64, stages: i32) -> f64 {
    let sends = |collides: f64| {
        let doubled = 1.0 - (2.0 * collides).powi(stages);
        let slots = (1.0 - 2.0 * collides) * (window + 1.0) + collides * window * doubled;
        2.0 * (1.0 - 2.0 * collides) / slots
    };
    let (mut low, mut high) = (0.0, 0.499_999);
    for _ in 0..60 {
        let collides: f64 = (low + high) / 2.0;
        let others = 1.0 - (1.0 - sends(collides)).powf(f64::from(stations - 1));
        if others > collides { low = collides } else { high = collides }
    }
    low
}

#[test]
fn stations_in_range_collide_as_often_as_theory_says_and_share_fairly() {
    for stations in [2usize, 5, 10, 20] {
        // So near that a frame is never lost but by collision, and never captured either.
        let places = vec![Place::default(); stations + 1];
        // Bianchi's stations never give up.
        let radio = Radio { tries: 1000, rate: Some(0), ..RADIO };
        let mut medium = Medium::new(radio, 5, &places);
        let flows: Vec<_> = (0..stations).map(|from| (from, to(stations))).collect();
        saturate(&mut medium, &flows, SECOND * 60);
        let links: Vec<_> = (0..stations).map(|s| medium.counts.of_link(s, stations)).collect();
        let sent = links.iter().map(|link| link.frames).sum::<u64>() as f64;
        let collided = links.iter().map(|link| link.collided).sum::<u64>() as f64 / sent;
        let theory = bianchi(stations as u32, 16.0, 6);
        assert!((collided - theory).abs() < 0.03, "{stations}: {collided}, in theory {theory}");
        let arrived = links.iter().map(|link| link.arrived() as f64);
        let (sum, squares) = arrived.fold((0.0, 0.0), |(s, q), n| (s + n, q + n * n));
        let fairness = sum * sum / (stations as f64 * squares);
        assert!(fairness > 0.95, "{stations}: Jain's index {fairness}");
    }
}

#[test]
fn stations_that_sense_each_other_share_one_air() {
    let places = line(&[0.0, 2.0, 4.0, 6.0]);
    let alone = {
        let mut medium = Medium::new(RADIO, 1, &places);
        saturate(&mut medium, &[(0, to(1))], SECOND).len() as f64
    };
    let mut medium = Medium::new(RADIO, 1, &places);
    let both = saturate(&mut medium, &[(0, to(1)), (2, to(3))], SECOND);
    let first = both.iter().filter(|(to, _)| *to == 1).count() as f64;
    // Less than twice one alone, far; and about half each.
    assert!((0.9..1.2).contains(&(both.len() as f64 / alone)), "{} and {alone}", both.len());
    assert!((0.4..0.6).contains(&(first / both.len() as f64)));
    let busy = medium.counts.stations[3].busy.as_secs_f64();
    assert!((0.6..1.01).contains(&busy), "who only listens senses both: {busy}");
}

#[test]
fn pairs_out_of_each_others_sense_have_an_air_each() {
    let places = line(&[0.0, 5.0, 500.0, 505.0]);
    let mut medium = Medium::new(RADIO, 1, &places);
    let both = saturate(&mut medium, &[(0, to(1)), (2, to(3))], SECOND).len() as f64;
    let mut medium = Medium::new(RADIO, 1, &places);
    let alone = saturate(&mut medium, &[(0, to(1))], SECOND).len() as f64;
    assert!((1.95..2.05).contains(&(both / alone)), "{both} and {alone}");
}

#[test]
fn hidden_stations_drown_each_other_where_both_are_heard() {
    // The outer two are 70 m apart and sense 60 m.
    let places = line(&[0.0, 35.0, 70.0]);
    let mut medium = Medium::new(RADIO, 1, &places);
    saturate(&mut medium, &[(0, to(1)), (2, to(1))], SECOND * 3);
    let link = medium.counts.of_link(0, 1);
    let hidden = link.collided as f64 / link.frames as f64;
    // With the same distance but in each other's sense, collisions are rare.
    let phy = Phy { carrier_sense_m: 80.0, ..PHY };
    let mut medium = Medium::new(Radio { phy, ..RADIO }, 1, &places);
    saturate(&mut medium, &[(0, to(1)), (2, to(1))], SECOND * 3);
    let link = medium.counts.of_link(0, 1);
    let sensed = link.collided as f64 / link.frames as f64;
    assert!(hidden > 0.4 && sensed < 0.15, "hidden {hidden}, sensed {sensed}");
}

#[test]
fn a_near_sender_is_understood_over_a_far_one() {
    // 2 m against 45 m: 40 dB. They do not sense each other's.
    let phy = Phy { carrier_sense_m: 40.0, ..PHY };
    let places = line(&[0.0, 2.0, 47.0]);
    let mut medium = Medium::new(Radio { phy, ..RADIO }, 1, &places);
    saturate(&mut medium, &[(0, to(1)), (2, frame(ALL, 1514))], SECOND);
    let near = medium.counts.of_link(0, 1);
    assert!(near.frames > 100);
    assert_eq!(near.collided, 0);
}

#[test]
fn multicast_is_heard_by_all_in_range_at_the_basic_rate_and_never_sent_again() {
    let places = line(&[0.0, 5.0, 20.0, 500.0]);
    let mut medium = Medium::new(RADIO, 1, &places);
    assert!(medium.offer(SECOND, 0, frame(ALL, 214)));
    let actions = drain(&mut medium);
    let mut heard: Vec<_> = deliveries(&actions).iter().map(|(to, _)| *to).collect();
    heard.sort_unstable();
    assert_eq!(heard, [1, 2]);
    let counts = &medium.counts.stations[0];
    assert_eq!((counts.sent, counts.retried), (1, 0));
    assert_eq!(counts.air, PHY.air(PHY.rates()[0], 214), "no acknowledgement");
}

#[test]
fn loss_of_multicast_follows_the_curve() {
    for metres in [30.0, 38.0, 42.0, 46.0] {
        let mut medium = Medium::new(RADIO, 9, &line(&[0.0, metres]));
        saturate(&mut medium, &[(0, frame(ALL, 978))], SECOND * 10);
        let link = medium.counts.of_link(0, 1);
        let lost = link.faded as f64 / link.frames as f64;
        let curve = PHY.loss(PHY.margin_db(metres), PHY.rates()[0], 978);
        // Thousands of frames: a standard error below 1 %.
        assert!((lost - curve).abs() < 0.03, "{lost} at {metres} m, the curve says {curve}");
    }
}

#[test]
fn extra_loss_comes_on_top() {
    let radio = Radio { extra_loss: 0.25, ..RADIO };
    let mut medium = Medium::new(radio, 9, &line(&[0.0, 5.0]));
    saturate(&mut medium, &[(0, frame(ALL, 500))], SECOND * 10);
    let link = medium.counts.of_link(0, 1);
    let lost = link.faded as f64 / link.frames as f64;
    assert!((0.23..0.27).contains(&lost), "{lost}");
}

#[test]
fn a_unicast_frame_is_tried_so_often_and_given_up() {
    let mut medium = Medium::new(RADIO, 1, &line(&[0.0, 500.0]));
    assert!(medium.offer(SECOND, 0, to(1)));
    assert!(medium.offer(SECOND, 0, frame([2, 0, 0, 0, 0, 9], 100)), "for nobody here");
    let actions = drain(&mut medium);
    assert_eq!(deliveries(&actions), []);
    let counts = medium.counts.stations[0];
    assert_eq!((counts.sent, counts.retried, counts.given_up), (14, 12, 2));
}

#[test]
fn retries_hide_most_loss() {
    let radio = Radio { extra_loss: 0.3, ..RADIO };
    let mut medium = Medium::new(radio, 1, &line(&[0.0, 5.0]));
    saturate(&mut medium, &[(0, to(1))], SECOND * 10);
    let counts = medium.counts.stations[0];
    let done = medium.counts.of_link(0, 1).arrived() + counts.given_up;
    let given_up = counts.given_up as f64 / done as f64;
    // 0.3 to the seventh is 0.02 %.
    assert!(given_up < 0.002, "{given_up}");
    assert!(counts.retried > counts.sent / 5);
}

#[test]
fn a_full_queue_drops_what_comes_last() {
    let radio = Radio { queue_frames: 5, ..RADIO };
    let mut medium = Medium::new(radio, 1, &line(&[0.0, 5.0]));
    let taken = (0..8).filter(|_| medium.offer(SECOND, 0, to(1))).count();
    assert_eq!((taken, medium.counts.stations[0].queue_full), (5, 3));
    assert_eq!(deliveries(&drain(&mut medium)).len(), 5);
}

#[test]
fn who_moves_out_of_range_is_not_heard_any_more() {
    let mut medium = Medium::new(RADIO, 1, &line(&[0.0, 5.0]));
    assert!(medium.offer(SECOND, 0, frame(ALL, 100)));
    assert_eq!(deliveries(&drain(&mut medium)).len(), 1);
    medium.place(&line(&[0.0, 300.0]));
    assert!(medium.offer(SECOND * 2, 0, frame(ALL, 100)));
    assert_eq!(deliveries(&drain(&mut medium)).len(), 0);
    assert!(!medium.links().get(0, 1).heard);
}

/// Frames from many stations at given moments; which of each link arrived.
fn run(seed: u64, offers: &[(u64, usize, usize)], lag: Duration) -> Vec<(usize, Duration)> {
    let radio = Radio { extra_loss: 0.2, ..RADIO };
    let places = line(&[0.0, 30.0, 60.0, 90.0, 95.0]);
    let mut medium = Medium::new(radio, seed, &places);
    let (mut actions, mut offers) = (Vec::new(), offers.to_vec());
    offers.sort_unstable();
    for (at, from, dest) in offers {
        let at = Duration::from_micros(at);
        medium.advance(at, &mut actions);
        // What is done late is done as of its time, so the loop's lag changes nothing.
        let frame = if dest == 5 { frame(ALL, 300) } else { to(dest) };
        medium.offer(at, from, frame);
    }
    while let Some(next) = medium.next() {
        medium.advance(next + lag, &mut actions);
    }
    deliveries(&actions)
}

#[test]
fn the_kth_frame_of_a_link_has_the_same_fate_whatever_else_happens() {
    // Once alone, once with traffic on another link that nobody of these hears.
    let fates = |with_others: bool| {
        let radio = Radio { extra_loss: 0.5, tries: 1, ..RADIO };
        let mut medium = Medium::new(radio, 4, &line(&[0.0, 5.0, 500.0, 505.0]));
        let mut fates = Vec::new();
        for k in 0..200u64 {
            let now = SECOND * (k as u32 + 1);
            if with_others && k % 3 == 0 {
                medium.offer(now, 2, to(3));
            }
            medium.offer(now, 0, to(1));
            let got = deliveries(&drain(&mut medium));
            fates.push(got.iter().any(|(to, _)| *to == 1));
        }
        fates
    };
    let alone = fates(false);
    assert_eq!(alone, fates(true));
    assert!(alone.iter().any(|f| *f) && alone.iter().any(|f| !*f));
}

proptest! {
    #[test]
    fn one_seed_gives_one_run_however_late_the_loop_is(
        seed: u64, lag_us in 0u64..100_000,
        offers in prop::collection::vec((0u64..50_000, 0usize..5, 0usize..6), 0..80),
    ) {
        let lag = Duration::from_micros(lag_us);
        prop_assert_eq!(run(seed, &offers, Duration::ZERO), run(seed, &offers, lag));
    }

    #[test]
    fn each_frame_is_delivered_given_up_or_was_not_queued(
        seed: u64, offers in prop::collection::vec((0u64..20_000, 0usize..5, 0usize..5), 0..80),
    ) {
        let radio = Radio { queue_frames: 4, ..RADIO };
        let mut medium = Medium::new(radio, seed, &line(&[0.0, 30.0, 60.0, 90.0, 95.0]));
        let (mut actions, mut offers) = (Vec::new(), offers);
        offers.sort_unstable();
        for (at, from, dest) in &offers {
            let at = Duration::from_micros(*at);
            medium.advance(at, &mut actions);
            medium.offer(at, *from, to(*dest));
        }
        actions.extend(drain(&mut medium));
        let sum = |of: fn(&StationCounts) -> u64| medium.counts.stations.iter().map(of).sum::<u64>();
        let delivered = deliveries(&actions).len() as u64;
        prop_assert_eq!(sum(|c| c.received), delivered);
        prop_assert_eq!(sum(|c| c.offered), offers.len() as u64);
        let done = delivered + sum(|c| c.given_up) + sum(|c| c.queue_full);
        prop_assert_eq!(done, offers.len() as u64);
        prop_assert!(medium.stations.iter().all(|s| s.queue.is_empty() && s.turn == Turn::Idle));
    }
}
