//! Whom the contacts ask to be tried, step by step.

use base::NodeId;

use super::*;

const OWN: &str = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A";
const ADA: &str = "12D3KooWFg2pBEd2uXtjJPnkAYAa89uUuKzLU2rzqA2Qv39eqetP";

/// Somebody new for each number.
fn id(number: u8) -> NodeId {
    // The peer id of an Ed25519 key is the identity multihash of its protobuf form.
    let mut bytes = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    bytes.extend([number; 32]);
    let text = base58(&bytes);
    text.parse().unwrap()
}

fn base58(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits: Vec<u32> = vec![0];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let leading = std::iter::repeat_n('1', zeros);
    leading.chain(digits.iter().rev().map(|digit| DIGITS[*digit as usize] as char)).collect()
}

fn instance(name: &str, id: NodeId) -> Instance {
    let fullname = format!("{name}._scope._tcp.local.");
    Instance { fullname, id: Some(id), addresses: vec!["192.0.2.1:5850".parse().unwrap()] }
}

fn announced(name: &str) -> Who {
    Who::Announced(format!("{name}._scope._tcp.local."))
}

fn contacts(named: &[&str], now: Instant) -> Contacts {
    let named: Vec<_> = named.iter().map(|address| address.parse().unwrap()).collect();
    Contacts::new(OWN.parse().unwrap(), &named, now)
}

fn who(attempts: &[Attempt]) -> Vec<Who> {
    attempts.iter().map(|attempt| attempt.who.clone()).collect()
}

fn failed() -> Option<String> {
    Some("nobody there".into())
}

const NOBODY: BTreeSet<NodeId> = BTreeSet::new();
const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn who_is_announced_is_tried_once_at_a_time_and_later_each_time() {
    let start = Instant::now();
    let mut contacts = contacts(&[], start);
    contacts.seen(instance("ada", ADA.parse().unwrap()), start);
    let first = contacts.due(&NOBODY, start);
    assert_eq!(who(&first), [announced("ada")]);
    let addresses = vec!["192.0.2.1:5850".parse().unwrap()];
    assert_eq!(first[0].target, Target::Addresses(addresses, Some(ADA.parse().unwrap())));
    assert_eq!(contacts.due(&NOBODY, start + seconds(60)), [], "it is being tried");
    assert!(contacts.finished(&announced("ada"), failed(), start), "the first that failed");
    assert_eq!(contacts.due(&NOBODY, start), []);
    let second = start + seconds(1);
    assert_eq!(contacts.due(&NOBODY, second).len(), 1);
    assert!(!contacts.finished(&announced("ada"), failed(), second));
    assert_eq!(contacts.due(&NOBODY, second + seconds(1)), []);
    assert_eq!(contacts.due(&NOBODY, second + seconds(2)).len(), 1);
}

#[test]
fn a_peer_is_not_tried_and_one_that_was_is_tried_at_once() {
    let start = Instant::now();
    let mut contacts = contacts(&[], start);
    let ada = ADA.parse().unwrap();
    contacts.seen(instance("ada", ada), start);
    contacts.due(&NOBODY, start);
    contacts.finished(&announced("ada"), None, start);
    assert_eq!(contacts.due(&NOBODY, start), [], "the peers do not show it yet");
    let peers = BTreeSet::from([ada]);
    assert_eq!(contacts.due(&peers, start + seconds(10)), []);
    assert_eq!(contacts.due(&NOBODY, start + seconds(10)).len(), 1);
}

#[test]
fn we_do_not_join_ourselves() {
    let start = Instant::now();
    let mut contacts = contacts(&[], start);
    contacts.seen(instance("me", OWN.parse().unwrap()), start);
    assert_eq!(contacts.due(&NOBODY, start), []);
    assert_eq!(contacts.failures().announced, 0);
}

#[test]
fn who_is_gone_is_not_tried_and_who_returns_is_new() {
    let start = Instant::now();
    let mut contacts = contacts(&[], start);
    let ada = instance("ada", ADA.parse().unwrap());
    contacts.seen(ada.clone(), start);
    contacts.due(&NOBODY, start);
    contacts.gone(&ada.fullname);
    // The attempt under way ends after its contact is gone.
    assert!(!contacts.finished(&announced("ada"), failed(), start));
    assert_eq!(contacts.due(&NOBODY, start + seconds(60)), []);
    contacts.seen(ada, start);
    assert_eq!(contacts.due(&NOBODY, start).len(), 1);
}

#[test]
fn other_addresses_are_tried_soon_and_the_same_ones_no_sooner() {
    let start = Instant::now();
    let mut contacts = contacts(&[], start);
    let mut ada = instance("ada", ADA.parse().unwrap());
    contacts.seen(ada.clone(), start);
    for _ in 0..5 {
        contacts.due(&NOBODY, start + seconds(600));
        contacts.finished(&announced("ada"), failed(), start + seconds(600));
    }
    let now = start + seconds(600);
    contacts.seen(ada.clone(), now);
    assert_eq!(contacts.due(&NOBODY, now + MOVED), []);
    ada.addresses = vec!["192.0.2.77:5850".parse().unwrap()];
    contacts.seen(ada, now);
    assert_eq!(contacts.due(&NOBODY, now), [], "a flood of changes is not a flood of attempts");
    assert_eq!(contacts.due(&NOBODY, now + MOVED).len(), 1);
}

#[test]
fn a_named_one_is_tried_until_joined_and_then_only_when_alone() {
    let start = Instant::now();
    let mut contacts = contacts(&["box:5850"], start);
    let somebody = BTreeSet::from([ADA.parse().unwrap()]);
    let due = contacts.due(&somebody, start);
    assert_eq!(who(&due), [Who::Named(0)], "not joined yet, though there is a peer");
    assert_eq!(due[0].target, Target::Named("box:5850".parse().unwrap()));
    assert!(contacts.finished(&Who::Named(0), failed(), start));
    assert_eq!(contacts.due(&somebody, start + seconds(1)).len(), 1);
    contacts.finished(&Who::Named(0), None, start + seconds(1));
    assert_eq!(contacts.due(&somebody, start + seconds(600)), []);
    assert_eq!(contacts.due(&NOBODY, start + seconds(600)).len(), 1, "alone again");
}

#[test]
fn so_many_attempts_at_once_and_the_least_tried_first() {
    let start = Instant::now();
    let mut contacts = contacts(&["box:5850"], start);
    for number in 0..10 {
        contacts.seen(instance(&format!("n{number}"), id(number)), start);
    }
    let due = contacts.due(&NOBODY, start);
    assert_eq!(due.len(), ATTEMPTS_MAX);
    assert_eq!(contacts.due(&NOBODY, start), []);
    let later = start + seconds(60);
    for attempt in &due {
        contacts.finished(&attempt.who, failed(), start);
    }
    let next = contacts.due(&NOBODY, later);
    assert_eq!(next.len(), ATTEMPTS_MAX);
    let again = next.iter().filter(|attempt| due.iter().any(|old| old.who == attempt.who));
    assert!(again.count() <= 1, "all but the named one are new: {next:?}");
}

#[test]
fn made_up_names_do_not_fill_the_memory_nor_keep_others_out() {
    let start = Instant::now();
    let mut contacts = contacts(&[], start);
    for number in 0..2 * ANNOUNCED_MAX {
        contacts.seen(instance(&format!("n{number}"), id(1)), start);
    }
    assert_eq!(contacts.failures().announced, ANNOUNCED_MAX);
    let tried = contacts.due(&NOBODY, start);
    contacts.finished(&tried[0].who, failed(), start);
    contacts.seen(instance("honest", id(2)), start);
    assert_eq!(contacts.failures().announced, ANNOUNCED_MAX);
    let mut seen = Vec::new();
    for _ in 0..ANNOUNCED_MAX {
        let due = contacts.due(&NOBODY, start);
        seen.extend(who(&due));
        for attempt in due {
            contacts.finished(&attempt.who, failed(), start);
        }
    }
    assert!(seen.contains(&announced("honest")));
}

#[test]
fn in_another_network_everything_is_tried_again_at_once() {
    let start = Instant::now();
    let mut contacts = contacts(&["box:5850"], start);
    contacts.seen(instance("ada", id(1)), start);
    for attempt in contacts.due(&NOBODY, start) {
        contacts.finished(&attempt.who, failed(), start);
    }
    assert_eq!(contacts.due(&NOBODY, start), []);
    contacts.network_changed(start);
    assert_eq!(contacts.due(&NOBODY, start).len(), 2);
}

#[test]
fn it_is_undecided_until_everybody_was_tried_once() {
    let start = Instant::now();
    let mut contacts = contacts(&["box:5850"], start);
    assert!(contacts.is_undecided());
    contacts.due(&NOBODY, start);
    assert!(contacts.is_undecided(), "it is being tried");
    contacts.finished(&Who::Named(0), failed(), start);
    assert!(!contacts.is_undecided());
    contacts.seen(instance("ada", id(1)), start);
    assert!(contacts.is_undecided());
}

#[test]
fn failures_tell_what_came_of_the_latest_attempts() {
    let start = Instant::now();
    let mut contacts = contacts(&["box:5850", "ark:5850"], start);
    contacts.seen(instance("ada", id(1)), start);
    contacts.due(&NOBODY, start);
    contacts.finished(&Who::Named(0), failed(), start);
    contacts.finished(&announced("ada"), failed(), start);
    let failures = contacts.failures();
    assert_eq!(failures.announced, 1);
    assert_eq!(failures.of_announced, ["nobody there"]);
    assert_eq!(failures.of_named, [("box:5850".into(), failed()), ("ark:5850".into(), None)]);
}

#[test]
fn who_hides_is_dialled_once_and_known_from_then_on() {
    let start = Instant::now();
    let mut contacts = contacts(&[], start);
    let hidden = || Instance { id: None, ..instance("07", id(1)) };
    contacts.seen(hidden(), start);
    let first = contacts.due(&NOBODY, start);
    assert!(matches!(first[0].target, Target::Addresses(_, None)));
    contacts.recognise(id(1), "192.0.2.1:5850".parse().unwrap());
    contacts.finished(&announced("07"), None, start);
    let peers = BTreeSet::from([id(1)]);
    contacts.seen(hidden(), start + seconds(5));
    assert_eq!(contacts.due(&peers, start + seconds(60)), [], "it is a peer, heard again or not");
    assert_eq!(contacts.due(&NOBODY, start + seconds(60)).len(), 1, "it is gone");
}

#[test]
fn a_peer_that_is_announced_later_is_not_dialled_again() {
    let start = Instant::now();
    let mut contacts = contacts(&[], start);
    contacts.seen(Instance { id: None, ..instance("07", id(1)) }, start);
    contacts.recognise(id(2), "192.0.2.9:5850".parse().unwrap());
    contacts.recognise(id(1), "192.0.2.1:5850".parse().unwrap());
    assert_eq!(contacts.due(&BTreeSet::from([id(1)]), start), []);
}
