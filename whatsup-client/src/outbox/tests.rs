use base::Name;
use proptest::prelude::*;

use super::*;
use crate::seal::SealingKey;

const DAY_MS: u64 = 24 * 3600 * 1000;
const SEAT: Seat = Seat { depth: 1, enrolled_until_ms: 9 };

fn person(n: u8) -> PublicKey {
    PublicKey::from_bytes([n; 32])
}

fn id(n: u16) -> MessageId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    MessageId::from_bytes(bytes)
}

fn pending(to: u8, n: u16, content: Content) -> Pending {
    let receiver = Receiver {
        name: Name::new(&format!("person{to}")).unwrap(),
        key: SealingKey::from_bytes(&[to; 32]).unwrap(),
    };
    let message = Message { id: id(n), stamp: Stamp::from_millis(u64::from(n)), content };
    Pending { to: person(to), receiver, message, seed: [7; 32], relayed: None }
}

fn text(to: u8, n: u16) -> Pending {
    pending(to, n, Content::Text(format!("text {n}")))
}

fn due(outbox: &Outbox, now_ms: u64) -> Vec<MessageId> {
    outbox.due(now_ms).into_iter().map(|pending| pending.message.id).collect()
}

#[test]
fn a_message_is_put_until_it_is_there_and_again_before_it_ends_until_it_is_fetched() {
    let mut outbox = Outbox::default();
    outbox.say(text(1, 1)).unwrap();
    assert_eq!(due(&outbox, 0), [id(1)]);
    assert_eq!(outbox.relayed(id(1), 3, SEAT, 0), Some((person(1), State::Relayed(3))));
    assert!(due(&outbox, 5 * DAY_MS).is_empty());
    assert_eq!(due(&outbox, 6 * DAY_MS + 1), [id(1)]);
    outbox.relayed(id(1), 2, SEAT, 6 * DAY_MS);
    assert!(due(&outbox, 11 * DAY_MS).is_empty());
    assert!(outbox.acknowledged(&person(2), &[id(1)]).is_empty(), "not whose it is");
    assert_eq!(outbox.acknowledged(&person(1), &[id(1), id(2)]).len(), 1);
    assert_eq!(outbox, Outbox::default());
}

#[test]
fn a_receipt_is_done_when_it_is_there() {
    let mut outbox = Outbox::default();
    outbox.receipt(pending(1, 1, Content::Receipt { state: State::Read, of: vec![id(5)] }));
    assert!(outbox.waiting().is_empty() && outbox.dropped(id(1)).is_none());
    assert_eq!(due(&outbox, 0), [id(1)]);
    assert_eq!(outbox.relayed(id(1), 3, SEAT, 0), None);
    assert_eq!(outbox, Outbox::default());
}

#[test]
fn an_outbox_has_its_bounds_and_what_is_dropped_makes_room() {
    let mut outbox = Outbox::default();
    let mut n = 0;
    for to in 0..10 {
        for _ in 0..WAITING_MAX {
            n += 1;
            outbox.say(text(to, n)).unwrap();
        }
        assert_eq!(outbox.say(text(to, 5000)), Err(OutboxFull::One));
    }
    assert_eq!(outbox.say(text(11, 5000)), Err(OutboxFull::All));
    assert!(outbox.dropped(id(1)).is_some() && outbox.dropped(id(1)).is_none());
    outbox.say(text(11, 5000)).unwrap();
    for n in 0..2 * RECEIPTS_MAX as u16 {
        let content = Content::Receipt { state: State::Delivered, of: Vec::new() };
        outbox.receipt(pending(1, 10_000 + n, content));
    }
    assert_eq!(due(&outbox, 0).len(), OUTBOX_MAX + RECEIPTS_MAX);
}

#[derive(Debug, Clone)]
enum Act {
    Say(u8, u16),
    Receipt(u8, u16),
    Relayed(u16, u64),
    Acknowledged(u8, u16),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..3u8, 0..20u16).prop_map(|(to, n)| Act::Say(to, n)),
        (0..3u8, 20..30u16).prop_map(|(to, n)| Act::Receipt(to, n)),
        (0..30u16, 0..20 * DAY_MS).prop_map(|(n, ms)| Act::Relayed(n, ms)),
        (0..3u8, 0..30u16).prop_map(|(by, n)| Act::Acknowledged(by, n)),
    ]
}

proptest! {
    #[test]
    fn what_was_said_stays_until_its_receiver_has_it_and_files_keep_it(
        acts in prop::collection::vec(act(), 0..60),
    ) {
        let mut outbox = Outbox::default();
        let mut model: BTreeMap<u16, u8> = BTreeMap::new();
        for act in acts {
            match act {
                Act::Say(to, n) => {
                    outbox.say(text(to, n)).unwrap();
                    model.insert(n, to);
                }
                Act::Receipt(to, n) => {
                    let content = Content::Receipt { state: State::Delivered, of: vec![id(n)] };
                    outbox.receipt(pending(to, n, content));
                }
                Act::Relayed(n, ms) => {
                    let told = outbox.relayed(id(n), 3, SEAT, ms);
                    prop_assert_eq!(told.map(|(to, _)| to), model.get(&n).map(|to| person(*to)));
                }
                Act::Acknowledged(by, n) => {
                    outbox.acknowledged(&person(by), &[id(n)]);
                    if model.get(&n) == Some(&by) {
                        model.remove(&n);
                    }
                }
            }
            let waiting: Vec<MessageId> = outbox.waiting().iter().map(|one| one.message.id).collect();
            prop_assert_eq!(waiting, model.keys().map(|n| id(*n)).collect::<Vec<_>>());
            let read = Outbox::from_bytes(&outbox.to_bytes());
            prop_assert_eq!(read.as_ref(), Some(&outbox));
        }
    }
}
