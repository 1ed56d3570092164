use base::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::list::BODY_MAX;
use crate::seal::{self, OpeningKey};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn opening(seed: u8) -> OpeningKey {
    OpeningKey::from_bytes(&[seed; 32]).unwrap()
}

fn signing(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn message(content: Content) -> Message {
    Message { id: MessageId::from_bytes([5; 16]), stamp: Stamp::from_millis(7), content }
}

fn text(text: impl Into<String>) -> Message {
    message(Content::Text(text.into()))
}

/// From alice to bob.
fn seal(message: &Message) -> Option<Posting> {
    let to = Receiver { name: name("bob"), key: opening(2).sealing_key() };
    let (key, answers) = (signing(1), opening(1).sealing_key());
    Posting::seal((&key, &name("alice"), answers), &to, message, &[9; 32])
}

fn open(posting: &Posting) -> Option<Opened> {
    letter(&name("bob"), &opening(2), &posting.envelope.public(), &posting.body)
}

fn opened(posting: &Posting) -> Letter {
    match open(posting) {
        Some(Opened::Letter(letter)) => *letter,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_opens_for_its_receiver_and_says_who_sent_it() {
    let posting = seal(&text("hello")).unwrap();
    let Letter { sender, message, envelope } = opened(&posting);
    assert_eq!(message, text("hello"));
    let from =
        Sender { key: signing(1).public(), name: name("alice"), answers: opening(1).sealing_key() };
    assert_eq!(sender, from);
    assert_eq!(envelope.public(), posting.envelope.public());
    assert!(posting.envelope.public() != signing(1).public() && posting.long.is_none());
}

#[test]
fn it_opens_for_nobody_else_and_nowhere_else() {
    let posting = seal(&text("hello")).unwrap();
    let author = posting.envelope.public();
    assert!(letter(&name("bob"), &opening(3), &author, &posting.body).is_none());
    assert!(letter(&name("carol"), &opening(2), &author, &posting.body).is_none());
    let copied = signing(8).public();
    assert!(letter(&name("bob"), &opening(2), &copied, &posting.body).is_none());
}

#[test]
fn a_receiver_cannot_pass_it_on_as_said_to_somebody_else() {
    // Bob opens it, and seals what alice signed for carol.
    let posting = seal(&text("hello")).unwrap();
    let inbox = |of: &str, by: &PublicKey| {
        [&crate::keys::inbox(&name(of)).place().as_bytes()[..], by.as_bytes()].concat()
    };
    let author = posting.envelope.public();
    let signed = opening(2).open(&inbox("bob", &author), &posting.body[3..]).unwrap();
    let again = |to: u8, of: &str| {
        let (key, bound_to) = (opening(to).sealing_key(), inbox(of, &author));
        let sealed = key.seal(&bound_to, &signed, &[400, 800], &[1; 32]).unwrap();
        let mut body = vec![0x0a];
        prost::encoding::encode_varint(sealed.len() as u64, &mut body);
        body.extend(sealed);
        letter(&name(of), &opening(to), &author, &body)
    };
    assert!(again(3, "carol").is_none());
    assert!(again(2, "bob").is_some(), "sealed for bob again it is what it was");
}

#[test]
fn receipts_come_as_they_were_sent() {
    let of: Vec<MessageId> =
        (0..RECEIPT_MAX as u8).map(|n| MessageId::from_bytes([n; 16])).collect();
    for state in [State::Delivered, State::Read] {
        let receipt = message(Content::Receipt { state, of: of.clone() });
        assert_eq!(opened(&seal(&receipt).unwrap()).message, receipt);
    }
}

#[test]
fn a_long_text_lies_elsewhere_and_no_text_is_cut() {
    for length in [300, 700, 5000, TEXT_MAX] {
        let long = "é".repeat(length / 2);
        let posting = seal(&text(long.clone())).unwrap();
        match opened(&posting).message.content {
            Content::Text(text) => assert_eq!(text, long),
            Content::Long(found) => {
                let (told, value) = posting.long.as_ref().unwrap();
                assert_eq!((found, blake3::hash(value)), (*told, told.hash));
                assert_eq!(seal::open_long(&found.key, value).unwrap(), long.as_bytes());
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        seal(&text("x".repeat(TEXT_MAX + 1)))
            .is_none_or(|posting| posting.long.unwrap().1.len() < TEXT_MAX + 64)
    );
    assert!(seal(&text("x".repeat(2 * TEXT_MAX))).is_none());
}

#[test]
fn what_comes_from_a_softphone_says_so() {
    let body = envelope::from_sip("sip:carol@scope", "hi", 9);
    let opened = letter(&name("bob"), &opening(2), &signing(9).public(), &body);
    let Some(Opened::FromSip { from, message }) = opened else { panic!() };
    assert_eq!((&*from, message.stamp.millis()), ("sip:carol@scope", 9));
    assert_eq!(message.content, Content::Text("hi".to_owned()));
}

proptest! {
    #[test]
    fn what_the_overlay_sees_has_one_of_few_lengths_and_always_fits(text_of in "\\PC{0,400}") {
        let posting = seal(&text(text_of)).unwrap();
        prop_assert!(posting.body.len() <= BODY_MAX);
        prop_assert!([384 + seal::OVERHEAD + 3, BODY_MAX].contains(&posting.body.len()), "{}", posting.body.len());
    }

    #[test]
    fn nothing_that_is_not_sealed_is_opened(body in prop::collection::vec(any::<u8>(), 0..600)) {
        let author = signing(9).public();
        let opened = letter(&name("bob"), &opening(2), &author, &body);
        prop_assert!(!matches!(opened, Some(Opened::Letter(_))));
    }

    #[test]
    fn what_was_changed_on_its_way_is_not_opened(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut posting = seal(&text("hello")).unwrap();
        let at = at.index(posting.body.len());
        posting.body[at] ^= 1 << bit;
        prop_assert!(!matches!(open(&posting), Some(Opened::Letter(_))));
    }
}
