use proptest::prelude::*;

use super::*;

fn texts(words: &[Word]) -> Vec<&str> {
    words.iter().map(Word::as_str).collect()
}

/// Whether all that is looked for is met by something that was written.
fn finds(sought_text: &str, written_text: &str) -> bool {
    let words = written(written_text);
    let met = |one: &Word| words.iter().any(|word| one.met_by(word.as_str()).is_some());
    sought(sought_text).iter().all(met)
}

#[test]
fn a_text_is_cut_into_folded_words() {
    for (text, words) in [
        ("", &[][..]),
        ("—!? 🎉", &[]),
        ("Hello, World", &["hello", "world"]),
        ("l'Amour don't", &["l", "amour", "don", "t"]),
        (
            "snake_case kebab-case a.b@c.example",
            &["snake", "case", "kebab", "case", "a", "b", "c", "example"],
        ),
        ("Straße STRASSE STRAẞE", &["strasse"; 3]),
        ("Łódź Ærø Đà Nẵng Þór", &["lodz", "aero", "da", "nang", "thor"]),
        ("İstanbul ISTANBUL ıstanbul", &["istanbul"; 3]),
        ("ΣΊΣΥΦΟΣ Σίσυφος", &["σισυφοσ"; 2]),
        ("Ёлка", &["елка"]),
        ("ﬁne Ｗｉｄｅ ５G", &["fine", "wide", "5g"]),
        ("soft\u{ad}ware zero\u{200b}width", &["software", "zerowidth"]),
        ("שָׁלוֹם", &["שלום"]),
        ("東京2020 オリンピック", &["東京", "2020", "オリンピック"]),
        ("서울에서", &["서울에서"]),
        ("हिन्दी", &["हिन्दी"]),
    ] {
        assert_eq!(texts(&written(text)), words, "{text}");
    }
    let long = "x".repeat(100);
    assert_eq!(texts(&written(&long)), [&long[..WORD_MAX]]);
    assert_eq!(texts(&sought("b a B")), ["b", "a"]);
}

#[test]
fn words_lie_under_their_beginnings_and_runs_under_their_characters() {
    let under = |text: &str| written(text)[0].beginnings();
    assert_eq!(under("bo"), ["bo"]);
    assert_eq!(under("rust"), ["rus"]);
    assert_eq!(under("rusty"), ["rus", "rusty"]);
    assert_eq!(under("rustacean"), ["rus", "rusta"]);
    assert_eq!(under("हिन्दी"), ["हनद"], "three letters, and marks on them");
    assert_eq!(under("東京東"), ["京", "東"]);
    let first = |text: &str| sought(text)[0].sought_under()[0].1.clone();
    assert_eq!(
        (first("ru"), first("rust"), first("rustac")),
        ("ru".into(), "rus".into(), "rusta".into())
    );
    assert_eq!(first("のり京"), "京", "which is the rarest");
}

#[test]
fn words_are_met_by_what_begins_with_them_and_runs_by_what_has_them() {
    for (sought, written, found) in [
        ("rust", "Rust", true),
        ("rust", "rustaceans unite", true),
        ("rust", "trust", false),
        ("ru", "rust", false),
        ("ru", "ru", true),
        ("unite rus", "Rustaceans, unite", true),
        ("unite go", "Rustaceans, unite", false),
        ("京", "東京大学", true),
        ("東京", "東京大学", true),
        ("京東", "東京大学", false),
        ("서울", "서울에서", true),
        ("กรุงเทพ", "ไปกรุงเทพมหานคร", true),
        ("muller", "Müller", true),
    ] {
        assert_eq!(finds(sought, written), found, "{sought} in {written}");
    }
    let whole = |sought_text: &str, word: &str| sought(sought_text)[0].met_by(word);
    assert_eq!(
        (whole("rust", "rust"), whole("rust", "rusty")),
        (Some(Met::Whole), Some(Met::InPart))
    );
}

#[test]
fn folding_twice_changes_nothing_for_any_character() {
    for c in '\0'..=char::MAX {
        let once = fold(&c.to_string());
        assert_eq!(fold(&once), once, "U+{:04X}", u32::from(c));
    }
}

#[test]
fn any_part_of_a_long_run_is_found() {
    let han: Vec<char> = ('一'..).take(100).collect();
    let text: String = han.iter().collect();
    for from in 0..han.len() - RUN_MAX {
        let part: String = han[from..from + RUN_MAX].iter().collect();
        assert!(finds(&part, &text), "{from}");
    }
    assert!(finds(&text, &text));
}

/// Letters of many scripts, marks, spaces and what is no letter.
fn text() -> impl Strategy<Value = String> {
    let any_letter = prop_oneof![
        4 => prop::char::range('a', 'f'),
        1 => prop::char::range('A', 'F'),
        2 => Just(' '),
        1 => prop::sample::select(vec!['é', 'ß', 'Σ', 'ς', '\u{301}', '\u{3099}', 'か', '京', '東', 'ー', '서', 'ก', '่', 'द', '्', '1', '-', '🎉']),
        1 => any::<char>(),
    ];
    prop::collection::vec(any_letter, 0..60).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn whatever_is_written_is_found_by_its_words_and_by_their_beginnings(text in text()) {
        prop_assert!(finds(&text, &text));
        for word in written(&text) {
            let under = word.beginnings();
            prop_assert!(!word.as_str().is_empty() && word.as_str().chars().count() <= WORD_MAX);
            for (at, _) in word.as_str().char_indices().skip(BEGINNING_MIN) {
                for sought in sought(&word.as_str()[..at]) {
                    if sought.met_by(word.as_str()).is_some() {
                        let reads = sought.sought_under();
                        prop_assert!(!reads.is_empty());
                        prop_assert!(reads.iter().all(|(_, key)| under.contains(key)), "{:?} {:?}", word, reads);
                    }
                }
            }
        }
    }

    #[test]
    fn case_accents_and_form_make_no_difference(text in "[a-zé ß東京か]{0,30}") {
        let composed: String = text.nfc().collect();
        let decomposed: String = text.nfd().collect();
        prop_assert_eq!(written(&composed), written(&decomposed));
        prop_assert_eq!(written(&text), written(&text.to_uppercase()));
    }
}
