//! What a signature covers, which bytes are refused, and what a check finds out.

use proptest::prelude::*;

use super::*;
use crate::{Entry, ForgedEntry, Key, SecretTag, State};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn place() -> Place {
    Key::new("name/alice").unwrap().place()
}

fn ttl(seconds: i64) -> Ttl {
    Ttl::from_secs(seconds).unwrap()
}

fn note(sequence: u64, body: &[u8]) -> Signed {
    let sequence = Sequence::new(sequence);
    Signed::sign(&key(1), &place(), Slot::ZERO, Kind::Plain, sequence, ttl(60), body).unwrap()
}

#[test]
fn what_was_signed_reads_back() {
    let slot = Slot::new([9; 16]);
    let sequence = Sequence::new(u64::MAX);
    let signed =
        Signed::sign(&key(1), &place(), slot, Kind::Claim, sequence, Ttl::MAX, b"body").unwrap();
    let read = Signed::from_bytes(signed.as_bytes().clone()).unwrap();
    assert_eq!(read, signed);
    assert_eq!((read.author(), read.slot(), read.kind()), (key(1).public(), slot, Kind::Claim));
    assert_eq!((read.sequence(), read.ttl()), (sequence, Some(Ttl::MAX)));
    assert_eq!(read.body().as_deref(), Some(&b"body"[..]));
    assert!(read.verify(&place()).is_ok());
}

#[test]
fn a_removal_has_no_body_and_lives_as_long_as_any_tombstone() {
    let removal = Signed::removal(&key(1), &place(), Slot::ZERO, Kind::Plain, Sequence::new(2));
    let read = Signed::from_bytes(removal.as_bytes().clone()).unwrap();
    assert_eq!((read.body(), read.ttl(), read.life()), (None, None, Lifetime::TOMBSTONE));
    assert_eq!(read.id(), note(1, b"x").id());
    assert_eq!(Entry::signed(removal.clone()).check(&place()), Ok(()));
    assert!(!Entry::signed(removal.clone()).is_live());
    assert_eq!(Entry::signed(removal).shown(), None);
}

#[test]
fn a_body_may_be_so_long_that_the_whole_is_a_value_and_no_longer() {
    let longest = note(1, &vec![7; Signed::BODY_MAX]);
    assert_eq!(longest.as_bytes().len(), crate::limits::VALUE_MAX);
    assert!(Signed::from_bytes(longest.as_bytes().clone()).is_ok());
    assert_eq!(longest.to_value().as_bytes(), longest.as_bytes());
    let body = vec![7; Signed::BODY_MAX + 1];
    let sequence = Sequence::ZERO;
    let refused = Signed::sign(&key(1), &place(), Slot::ZERO, Kind::Plain, sequence, ttl(1), &body);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the signed body has 65406 bytes; the limit is 65405"
    );
}

#[test]
fn bytes_that_are_not_canonical_are_refused_by_what_is_wrong() {
    let good = note(1, b"body").as_bytes().to_vec();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Signed::from_bytes(bytes.into()).unwrap_err()
    };
    assert_eq!(with(0, 2), MalformedSigned::Format(2));
    assert_eq!(with(1, 2), MalformedSigned::Kind(2));
    assert_eq!(with(2, 2), MalformedSigned::Flags(2));
    assert_eq!(with(2, 1), MalformedSigned::Ttl(60), "a removal has no ttl");
    assert_eq!(with(62, 0), MalformedSigned::Ttl(0), "a body has one");
    assert_eq!(with(60, 10), MalformedSigned::Ttl((10 << 16) + 60), "of seven days at most");
    assert_eq!(with(66, 5), MalformedSigned::Length { len: 135, expected: 136 });
    assert!(matches!(with(63, 0xff), MalformedSigned::Length { len: 135, .. }));
    let mut removal = good.clone();
    (removal[2], removal[62]) = (1, 0);
    assert_eq!(Signed::from_bytes(removal.into()), Err(MalformedSigned::RemovalWithBody));
    for len in [0, 1, 130, 134] {
        assert!(matches!(
            Signed::from_bytes(good[..len].to_vec().into()),
            Err(MalformedSigned::Length { .. })
        ));
    }
    let longer = [&good[..], &[0]].concat();
    assert!(matches!(Signed::from_bytes(longer.into()), Err(MalformedSigned::Length { .. })));
}

#[test]
fn a_signature_holds_at_its_place_only() {
    let signed = note(1, b"body");
    let elsewhere = Key::new("name/bob").unwrap().place();
    assert_eq!(signed.check(&place()), Ok(()));
    assert_eq!(signed.check(&elsewhere), Err(WrongSignature));
    let forged = Err(ForgedEntry::Signature(WrongSignature));
    assert_eq!(Entry::signed(signed.clone()).check(&elsewhere), forged);
    assert!(signed.verify(&elsewhere).is_err());
}

#[test]
fn an_entry_is_checked_against_what_was_signed() {
    let signed = note(3, b"body");
    let entry = |id, version, life| {
        let state = State::Signed(signed.clone());
        Entry::from_parts(id, Version::new(version), state, Lifetime::from_millis(life))
    };
    let id = signed.id();
    assert_eq!(Entry::signed(signed.clone()), entry(id, 3, 60_000));
    assert_eq!(entry(id, 3, 60_000).check(&place()), Ok(()));
    assert_eq!(entry(id, 3, 1).check(&place()), Ok(()));
    assert_eq!(entry(id, 3, 60_001).check(&place()), Err(ForgedEntry::TtlRaised));
    assert_eq!(entry(id, 4, 1).check(&place()), Err(ForgedEntry::Sequence));
    let other = EntryId::of_slot(&key(2).public(), Slot::ZERO);
    assert_eq!(entry(other, 3, 1).check(&place()), Err(ForgedEntry::Id));
    let other = EntryId::of_slot(&key(1).public(), Slot::new([1; 16]));
    assert_eq!(entry(other, 3, 1).check(&place()), Err(ForgedEntry::Id));
    let untagged = EntryId { tag: SecretTag::NONE, ..id };
    assert_eq!(entry(untagged, 3, 1).check(&place()), Err(ForgedEntry::Id));
}

#[test]
fn nothing_without_a_signature_takes_or_removes_a_signed_entry() {
    let signed = note(1, b"body");
    let value = signed.to_value();
    let put = Entry::live(value, SecretTag::SIGNED, Version::new(9), Lifetime::from_millis(1));
    assert_eq!(put.check(&place()), Err(ForgedEntry::Tag));
    assert!(Entry::removal(signed.id(), None, Version::new(9)).is_err());
    let state = State::Removed(None);
    let removed = Entry::from_parts(signed.id(), Version::new(9), state, Lifetime::TOMBSTONE);
    assert_eq!(removed.check(&place()), Err(ForgedEntry::Tag));
}

#[test]
fn who_asks_for_values_is_shown_the_canonical_bytes() {
    let signed = note(1, b"body");
    let entry = Entry::signed(signed.clone());
    assert_eq!(entry.value(), None);
    assert_eq!(entry.shown(), Value::new(signed.as_bytes().clone()).ok());
    assert_eq!(entry.as_signed(), Some(&signed));
    assert_eq!((entry.lamport(), entry.cost()), (None, signed.as_bytes().len()));
}

proptest! {
    #[test]
    fn no_byte_can_be_changed(at in 0..135usize, flip in 1..=255u8) {
        let mut bytes = note(1, b"body").as_bytes().to_vec();
        bytes[at] ^= flip;
        if let Ok(read) = Signed::from_bytes(bytes.into()) {
            prop_assert_eq!(read.check(&place()), Err(WrongSignature));
        }
    }

    #[test]
    fn no_bytes_make_it_panic_and_what_reads_reads_the_same(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        plausible in any::<bool>(),
    ) {
        if plausible && bytes.len() >= Signed::OVERHEAD {
            let body = (bytes.len() - Signed::OVERHEAD) as u32;
            (bytes[0], bytes[1], bytes[2]) = (1, bytes[1] % 3, bytes[2] % 3);
            (bytes[59], bytes[60]) = (0, bytes[60] % 10);
            bytes[63..67].copy_from_slice(&body.to_be_bytes());
        }
        if let Ok(read) = Signed::from_bytes(bytes.clone().into()) {
            prop_assert_eq!(&read.as_bytes()[..], &bytes[..]);
            prop_assert_eq!(read.body().is_none(), read.is_removal());
            prop_assert!(read.check(&place()).is_err());
        }
    }
}
