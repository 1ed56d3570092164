//! What is said, second by second, and for which reasons.

use super::*;

const SETTLE: Duration = Duration::from_secs(2);
const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn nobody_answered() -> Vec<Reason> {
    vec![Reason::NobodyAnswered]
}

#[test]
fn it_is_said_once_after_the_settling_time() {
    let start = Instant::now();
    let mut solitude = Solitude::new(SETTLE);
    let mut at = |second| solitude.observe(0, false, start + seconds(second), nobody_answered);
    assert_eq!(at(0), None);
    assert_eq!(at(1), None);
    assert_eq!(at(2), Some(Notice::Alone(nobody_answered())));
    assert_eq!(at(3), None);
    assert_eq!(at(3600), None);
}

#[test]
fn it_waits_for_first_attempts_but_not_for_ever() {
    let start = Instant::now();
    let mut solitude = Solitude::new(SETTLE);
    let mut at = |second, undecided| {
        solitude.observe(0, undecided, start + seconds(second), nobody_answered).is_some()
    };
    assert!(!at(0, true));
    assert!(!at(11, true));
    assert!(at(12, true));
}

#[test]
fn company_is_said_when_it_comes_and_solitude_when_it_returns() {
    let start = Instant::now();
    let mut solitude = Solitude::new(SETTLE);
    let mut at =
        |second, peers| solitude.observe(peers, false, start + seconds(second), nobody_answered);
    assert_eq!(at(0, 0), None);
    assert_eq!(at(1, 2), Some(Notice::Joined(2)), "before it was ever alone");
    assert_eq!(at(2, 3), None);
    assert_eq!(at(3, 0), None);
    assert_eq!(at(4, 1), None, "a moment is no news");
    assert_eq!(at(5, 0), None);
    assert_eq!(at(6, 0), None);
    assert_eq!(at(7, 0), Some(Notice::Alone(nobody_answered())));
    assert_eq!(at(8, 1), Some(Notice::Joined(1)));
}

#[test]
fn other_reasons_are_said_but_not_every_moment() {
    let start = Instant::now();
    let mut solitude = Solitude::new(SETTLE);
    let mut at = |second, reason: Reason| {
        solitude.observe(0, false, start + seconds(second), || vec![reason]).is_some()
    };
    let not_joined = |why: &str| Reason::NotJoined { announced: 1, failures: vec![why.into()] };
    at(0, Reason::NobodyAnswered);
    assert!(at(2, Reason::NobodyAnswered));
    assert!(!at(3, not_joined("refused")));
    assert!(!at(4, Reason::NobodyAnswered));
    assert!(at(63, not_joined("refused")));
    assert!(!at(200, not_joined("no answer")), "a detail is no news");
}

#[test]
fn the_reasons_are_those_that_apply() {
    let named = |failure: Option<&str>| Failures {
        of_named: vec![("box:5850".into(), failure.map(str::to_owned))],
        ..Failures::default()
    };
    let announced = Failures {
        announced: 5,
        of_announced: (1..=5).map(|n| format!("failure {n}")).collect(),
        ..Failures::default()
    };
    let none = Failures::default;
    let failed = || Multicast::Failed("no socket".into());
    let at_box = |failure: Option<&str>| Reason::NobodyAt {
        address: "box:5850".into(),
        failure: failure.map(str::to_owned),
    };
    let told = vec!["failure 1".into(), "failure 2".into(), "failure 3".into()];
    let network = Reach::Network;
    for (multicast, reach, failures, expected) in [
        (Multicast::Asking, network, none(), vec![Reason::NobodyAnswered]),
        (Multicast::Asking, Reach::None, none(), vec![Reason::NoInterface]),
        (Multicast::Asking, Reach::OtherFamily, none(), vec![Reason::OtherFamily]),
        (failed(), Reach::None, none(), vec![Reason::NoInterface]),
        (failed(), network, none(), vec![Reason::MulticastFailed("no socket".into())]),
        (
            Multicast::Asking,
            network,
            announced,
            vec![Reason::NotJoined { announced: 5, failures: told }],
        ),
        (Multicast::TurnedOff, network, none(), vec![Reason::TurnedOff]),
        (Multicast::OnLoopback, network, none(), vec![Reason::OnLoopback]),
        (Multicast::TurnedOff, network, named(Some("refused")), vec![at_box(Some("refused"))]),
        (Multicast::OnLoopback, Reach::None, named(None), vec![at_box(None)]),
        (
            Multicast::Asking,
            network,
            named(Some("refused")),
            vec![Reason::NobodyAnswered, at_box(Some("refused"))],
        ),
    ] {
        assert_eq!(reasons(&multicast, reach, failures), expected);
    }
}

#[test]
fn a_network_is_one_that_reaches_where_the_node_listens() {
    for (p2p, own, reach) in [
        ("0.0.0.0", &["127.0.0.1", "::1"][..], Reach::None),
        ("0.0.0.0", &[], Reach::None),
        ("0.0.0.0", &["127.0.0.1", "192.0.2.1", "fe80::1"], Reach::Network),
        ("0.0.0.0", &["127.0.0.1", "fe80::1"], Reach::OtherFamily),
        ("::", &["fe80::1"], Reach::Network),
        ("::", &["192.0.2.1"], Reach::Network),
        ("2001:db8::1", &["192.0.2.1"], Reach::OtherFamily),
    ] {
        let own: Vec<IpAddr> = own.iter().map(|address| address.parse().unwrap()).collect();
        assert_eq!(Reach::of(p2p.parse().unwrap(), &own), reach, "{p2p} with {own:?}");
    }
}

#[test]
fn it_says_what_to_do() {
    let text = |reasons: Vec<Reason>| Notice::Alone(reasons).to_string();
    let text = text(vec![
        Reason::NobodyAnswered,
        Reason::NobodyAt { address: "box:5850".into(), failure: Some("refused".into()) },
    ]);
    for part in ["is alone", "UDP port 5353", "access point", "--join box:5850", "refused"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!Notice::Alone(vec![Reason::TurnedOff]).is_worrying(), "it was meant");
    assert!(Notice::Alone(nobody_answered()).is_worrying());
    assert_eq!(Notice::Joined(3).to_string(), "joined the overlay: 3 peers");
}
