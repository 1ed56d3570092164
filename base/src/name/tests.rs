//! Which names there are, which are the same, and which look alike.

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[test]
fn names_are_normalised() {
    for (typed, normal) in [
        ("Alice", "alice"),
        ("ＡＬＩＣＥ", "alice"),
        ("René", "rené"),
        ("Rene\u{301}", "rené"),
        ("stra\u{df}e", "straße"),
        ("ΑΛΙΚΗ", "αλικη"),
        ("Алиса", "алиса"),
        ("山田太郎", "山田太郎"),
        ("ヤマダ花子", "ヤマダ花子"),
        ("김철수", "김철수"),
        ("שרה", "שרה"),
        ("a.b-c_d9", "a.b-c_d9"),
        ("1234", "1234"),
    ] {
        assert_eq!(name(typed).as_str(), normal, "{typed}");
    }
}

#[test]
fn what_is_no_name_is_told_what_to_change() {
    for (typed, error) in [
        ("", "the name is empty; choose one of 1 to 64 bytes"),
        (
            "al ice",
            "a name may not have the character U+0020; use letters, digits, '-', '_' and '.'",
        ),
        (
            "al\u{202e}ice",
            "a name may not have the character U+202E; use letters, digits, '-', '_' and '.'",
        ),
        (
            "al\u{0}ice",
            "a name may not have the character U+0000; use letters, digits, '-', '_' and '.'",
        ),
        (
            "alice@home",
            "a name may not have the character '@'; use letters, digits, '-', '_' and '.'",
        ),
        (".alice", "a name may not begin or end with '.'; put a letter or digit there"),
        ("alice-", "a name may not begin or end with '-'; put a letter or digit there"),
        ("p\u{430}ypal", "the name mixes Latin and Cyrillic letters; use letters of one script"),
        (
            "שa",
            "the name mixes writing directions so that it would show in another order; use one direction",
        ),
    ] {
        assert_eq!(Name::new(typed).unwrap_err().to_string(), error, "{typed:?}");
    }
    assert_eq!(Name::from_bytes(b"al\xffice"), Err(NameError::NotUtf8));
    assert_eq!(Name::from_bytes(b"alice"), Ok(name("alice")));
}

#[test]
fn no_name_has_what_an_address_a_path_or_a_shell_gives_a_meaning_to() {
    for c in (0..128u8).map(char::from).filter(|c| !c.is_ascii_alphanumeric()) {
        let found = Name::new(&format!("a{c}b"));
        assert_eq!(found.is_ok(), "-_.".contains(c), "{c:?}");
    }
}

#[test]
fn a_name_may_have_64_bytes_once_it_is_normalised() {
    assert!(Name::new(&"a".repeat(64)).is_ok());
    assert_eq!(Name::new(&"a".repeat(65)), Err(NameError::TooLong { len: 65 }));
    assert_eq!(Name::new(&"é".repeat(33)), Err(NameError::TooLong { len: 66 }));
    assert_eq!(Name::new(&"é".repeat(5000)), Err(NameError::TooLong { len: 10_000 }));
    assert!(Name::new(&"e\u{301}".repeat(32)).is_ok(), "decomposed it is longer");
}

#[test]
fn names_that_look_alike_are_claimed_under_one_key() {
    for (one, other) in [
        ("paypal", "paypa1"),
        ("bob", "b0b"),
        ("mario", "rnario"),
        ("сосо", "coco"),
        ("scope", "ѕсоре"),
        ("Alice", "alice"),
    ] {
        assert_eq!(name(one).key(), name(other).key(), "{one} {other}");
    }
    for (one, other) in [("alice", "bob"), ("rene", "rené"), ("anna", "ana")] {
        assert_ne!(name(one).key(), name(other).key(), "{one} {other}");
    }
    assert_ne!(name("bob"), name("b0b"), "they are two names all the same");
    assert_eq!(name("mario").key().as_bytes(), b"name/rnario");
    assert_eq!(name("mario").skeleton(), "rnario");
}

#[test]
fn an_accented_name_can_be_dialled_in_ascii() {
    for (text, alias) in [
        ("rené", Some("rene")),
        ("jürgen.groß", Some("jurgen.gross")),
        ("łukasz", Some("lukasz")),
        ("алиса", Some("alisa")),
        ("alice", None),
    ] {
        let found = name(text).ascii_alias();
        assert_eq!(found.as_ref().map(Name::as_str), alias, "{text}");
    }
}

#[test]
fn a_loser_is_shown_with_a_tag() {
    let author = PublicKey::from_bytes([1; 32]);
    let shown = name("alice").with_tag(&author);
    assert_eq!(shown, format!("alice~{}", author.fingerprint().tag()));
    assert!(Name::new(&shown).is_err(), "and nobody can be called so");
}

proptest! {
    #[test]
    fn whatever_is_typed_a_name_is_its_own_normal_form(typed in "\\PC{0,40}") {
        if let Ok(found) = Name::new(&typed) {
            prop_assert_eq!(Name::new(found.as_str()), Ok(found.clone()));
            prop_assert_eq!(skeleton(found.skeleton()), found.skeleton(), "a skeleton is its own");
            prop_assert!(found.as_str().len() <= NAME_MAX);
            if let Some(alias) = found.ascii_alias() {
                prop_assert!(alias.as_str().is_ascii());
            }
        }
    }

    #[test]
    fn any_word_of_letters_is_a_name(typed in "[a-zA-Z][a-z0-9]{0,30}") {
        let found = name(&typed);
        prop_assert_eq!(found.as_str(), typed.to_lowercase());
    }
}
