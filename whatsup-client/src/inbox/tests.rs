use proptest::prelude::*;

use super::*;

fn person(n: u8) -> PublicKey {
    PublicKey::from_bytes([n; 32])
}

fn id(n: u16) -> MessageId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    MessageId::from_bytes(bytes)
}

/// Message `n` of a person, said at that time.
fn text(from: u8, n: u16, ms: u64) -> Arrival {
    let name = Name::new(&format!("person{from}")).unwrap();
    let answers = SealingKey::from_bytes(&[from; 32]).unwrap();
    let from = From::Person(Sender { key: person(from), name, answers }, true);
    Arrival { from, id: id(n), stamp: Stamp::from_millis(ms), text: format!("text {n}") }
}

/// What one says to a person.
fn said(inbox: &mut Inbox, to: u8, n: u16, ms: u64, text: &str) -> Vec<MessageId> {
    let name = Name::new(&format!("person{to}")).unwrap();
    let receiver = Receiver { name, key: SealingKey::from_bytes(&[to; 32]).unwrap() };
    inbox.said(person(to), &receiver, (Stamp::from_millis(ms), id(n)), text)
}

fn texts(inbox: &Inbox, of: u8) -> Vec<&str> {
    let held = inbox.with(&Peer::Person(person(of)));
    held.into_iter().flat_map(Conversation::messages).map(|(_, _, kept)| &*kept.text).collect()
}

#[test]
fn a_strangers_messages_are_requests_that_tell_nobody_until_they_are_accepted() {
    let mut inbox = Inbox::default();
    assert_eq!(inbox.arrived(text(1, 1, 1), Regard::None), Verdict::Taken);
    let peer = Peer::Person(person(1));
    assert_eq!(inbox.with(&peer).unwrap().standing(), Standing::Stranger);
    assert!(inbox.read(&peer).is_empty(), "nor that they were seen");
    assert_eq!(inbox.accept(&peer), [id(1)]);
    assert!(inbox.accept(&peer).is_empty());
    assert_eq!(inbox.arrived(text(1, 2, 2), Regard::None), Verdict::Delivered);
    assert_eq!(inbox.read(&peer), [id(2)]);
    assert!(inbox.read(&peer).is_empty());
}

#[test]
fn who_is_followed_or_answered_is_no_stranger_and_who_is_blocked_says_nothing() {
    let mut inbox = Inbox::default();
    assert_eq!(inbox.arrived(text(1, 1, 1), Regard::Followed), Verdict::Delivered);
    assert_eq!(inbox.arrived(text(2, 1, 1), Regard::None), Verdict::Taken);
    assert_eq!(said(&mut inbox, 2, 9, 2, "hi"), [id(1)]);
    assert_eq!(inbox.arrived(text(2, 2, 3), Regard::None), Verdict::Delivered);
    assert_eq!(inbox.arrived(text(2, 3, 3), Regard::Blocked), Verdict::Taken);
    assert_eq!(texts(&inbox, 2), ["text 1", "hi", "text 2"]);
}

#[test]
fn who_is_refused_is_not_heard_again_and_does_not_learn_of_it() {
    let mut inbox = Inbox::default();
    inbox.arrived(text(1, 1, 1), Regard::None);
    inbox.refuse(&Peer::Person(person(1)));
    assert_eq!(inbox.arrived(text(1, 2, 2), Regard::None), Verdict::Taken);
    assert!(texts(&inbox, 1).is_empty() && inbox.conversations().is_empty());
    // Who is written to after all is heard.
    said(&mut inbox, 1, 9, 5, "sorry");
    assert_eq!(inbox.arrived(text(1, 3, 6), Regard::None), Verdict::Delivered);
}

#[test]
fn nobody_fills_an_inbox() {
    let mut inbox = Inbox::default();
    for n in 0..20 {
        assert_eq!(inbox.arrived(text(1, n, n.into()), Regard::None), Verdict::Taken);
    }
    assert_eq!(texts(&inbox, 1).len(), REQUESTS_MAX);
    for n in 0..200 {
        let verdict = inbox.arrived(text(2, n, n.into()), Regard::Followed);
        let expected = if usize::from(n) < UNREAD_MAX { Verdict::Delivered } else { Verdict::Left };
        assert_eq!(verdict, expected);
    }
    inbox.read(&Peer::Person(person(2)));
    assert_eq!(inbox.arrived(text(2, 150, 150), Regard::Followed), Verdict::Delivered);
    for n in 0..2 * STRANGERS_MAX {
        let mut arrival = text(3, 1, 1);
        arrival.from = From::Sip(format!("sip:{n}@example.org"));
        let expected = if n < STRANGERS_MAX - 1 { Verdict::Taken } else { Verdict::Left };
        assert_eq!(inbox.arrived(arrival, Regard::None), expected, "{n}");
    }
}

#[test]
fn the_newest_stay_and_what_was_once_here_does_not_come_again() {
    let mut inbox = Inbox::default();
    let peer = Peer::Person(person(1));
    for n in 0..=HISTORY_MAX as u16 {
        inbox.arrived(text(1, n, n.into()), Regard::Followed);
        inbox.read(&peer);
    }
    assert_eq!((texts(&inbox, 1).len(), texts(&inbox, 1)[0]), (HISTORY_MAX, "text 1"));
    assert_eq!(inbox.arrived(text(1, 0, 0), Regard::None), Verdict::Delivered);
    assert_eq!(texts(&inbox, 1)[0], "text 1");
    let long = Arrival { text: "x".repeat(HISTORY_BYTES_MAX), ..text(1, 5000, 5000) };
    inbox.arrived(long, Regard::None);
    assert_eq!(texts(&inbox, 1).len(), 1);
}

#[test]
fn what_one_said_only_comes_further_and_only_by_whom_it_was_said_to() {
    let mut inbox = Inbox::default();
    said(&mut inbox, 1, 1, 1, "hi");
    let state = |inbox: &Inbox| {
        let held = inbox.with(&Peer::Person(person(1))).unwrap();
        held.messages().next().and_then(|(_, _, kept)| kept.mine).unwrap()
    };
    inbox.progressed(&person(2), id(1), State::Read);
    assert_eq!(state(&inbox), State::Waiting);
    for (told, now) in [
        (State::Relayed(2), State::Relayed(2)),
        (State::Relayed(3), State::Relayed(3)),
        (State::Read, State::Read),
        (State::Delivered, State::Read),
        (State::Relayed(3), State::Read),
    ] {
        inbox.progressed(&person(1), id(1), told);
        assert_eq!(state(&inbox), now);
    }
}

/// What comes to an inbox: of few people, with few times.
fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let one = (1..4u8, 0..40u16, 0..9u64).prop_map(|(from, n, ms)| (from, n, ms));
    prop::collection::vec(one, 0..40).prop_map(|all| {
        // One message has one time.
        let of = |(from, n, _): (u8, u16, u64)| text(from, n, u64::from(n) * 7 % 11);
        all.into_iter().map(of).collect()
    })
}

proptest! {
    #[test]
    fn in_any_order_and_however_often_the_conversations_are_the_same(
        (arrivals, other) in arrivals().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let (mut one, mut two) = (Inbox::default(), Inbox::default());
        for arrival in &arrivals {
            one.arrived(arrival.clone(), Regard::Followed);
        }
        for arrival in &other {
            two.arrived(arrival.clone(), Regard::Followed);
        }
        if !other.is_empty() {
            for at in again {
                two.arrived(other[at.index(other.len())].clone(), Regard::Followed);
            }
        }
        prop_assert_eq!(&one, &two);
        prop_assert_eq!(Inbox::from_bytes(&one.to_bytes()), Some(one));
    }

    #[test]
    fn no_file_is_read_that_is_none(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        // Some bytes are a file; none are a fault.
        let _ = Inbox::from_bytes(&bytes);
    }
}
