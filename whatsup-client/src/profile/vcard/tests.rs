use proptest::prelude::*;

use super::*;

fn name() -> Name {
    Name::new("zoë").unwrap()
}

#[test]
fn a_profile_goes_out_as_a_vcard_of_version_4() {
    let profile = Profile {
        full_name: "Zoë O'Hara, jr.".into(),
        company: "Acme; Sons".into(),
        about: "one\ntwo, three".into(),
        interests: vec!["radio".into(), "tea, green".into()],
        contacts: vec![
            "mailto:zoe@example.org".into(),
            "tel:+49-228-1".into(),
            "https://example.org/a,b;c".into(),
        ],
        ..Profile::default()
    };
    let expected = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Zoë O'Hara\\, jr.\r\nNICKNAME:zoë\r\n\
        ORG:Acme\\; Sons\r\nNOTE:one\\ntwo\\, three\r\nEMAIL:zoe@example.org\r\nTEL;VALUE=URI:tel:+49-228-1\r\n\
        URL:https://example.org/a,b;c\r\nIMPP:sip:zoë@scope\r\nCATEGORIES:radio,tea\\, green\r\nEND:VCARD\r\n";
    let text = export(&name(), &profile);
    assert_eq!(text, expected);
    assert_eq!(import(text.as_bytes()), Ok((profile, vec![])));
}

#[test]
fn a_telephones_vcard_of_version_3_comes_in() {
    let file = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\n\
        ORG:Engines;Analysis\r\nTITLE:Count\r\nitem1.EMAIL;TYPE=INTERNET,WORK:ada@example.org\r\n\
        TEL;TYPE=CELL:+44 20 7946 0000\r\nURL:javascript:alert(1)\r\nPHOTO;ENCODING=b;TYPE=JPEG:/9j/\r\n 4AAQ\r\n\
        CATEGORIES:maths,poetry\r\nNOTE:a long line that is\r\n  folded\\nand broken\r\nADR:;;1 Road;Town;;;\r\n\
        END:VCARD\r\n";
    let (profile, left_out) = import(file.as_bytes()).unwrap();
    assert_eq!(profile.full_name, "Ada Lovelace");
    assert_eq!((&*profile.company, &*profile.job), ("Engines, Analysis", "Count"));
    assert_eq!(profile.interests, ["maths", "poetry"]);
    assert_eq!(profile.contacts, ["mailto:ada@example.org", "tel:+44-20-7946-0000"]);
    assert_eq!(profile.about, "a long line that is folded\nand broken");
    let left_out: Vec<_> = left_out.iter().map(|one| one.property.as_str()).collect();
    assert_eq!(left_out, ["URL", "PHOTO", "ADR"]);
}

#[test]
fn what_is_no_one_vcard_is_said_kindly() {
    let two = export(&name(), &Profile::default()).repeat(2);
    for (file, error) in [
        (&b""[..], NotAVCard::None),
        (b"hello", NotAVCard::None),
        (b"\xff\xfe", NotAVCard::NotUtf8),
        (two.as_bytes(), NotAVCard::Several(2)),
        (&vec![b'x'; FILE_MAX + 1], NotAVCard::TooLong),
    ] {
        assert_eq!(import(file), Err(error));
    }
}

fn hostile_text() -> impl Strategy<Value = String> {
    let hard = proptest::sample::select(vec![
        "\r\n",
        "\n",
        "\r",
        ":",
        ";",
        ",",
        "\\",
        "\"",
        "END:VCARD",
        "BEGIN:VCARD",
        "\r\nURL:",
        "é",
        "\u{202e}",
        "\\n",
        " ",
        "=",
        "\t",
    ]);
    proptest::collection::vec(prop_oneof![hard.prop_map(str::to_owned), "\\PC{0,30}"], 0..12)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn nothing_a_person_writes_makes_another_property(
        full_name in hostile_text(), company in hostile_text(), about in hostile_text(),
        interest in hostile_text(), contact in hostile_text(),
    ) {
        let hostile = Profile {
            full_name, company, about, interests: vec![interest], contacts: vec![contact],
            ..Profile::default()
        };
        let clean = hostile.clone().cleaned();
        let text = export(&name(), &hostile);
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])));
        let properties = text.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
        let known = ["BEGIN", "VERSION", "FN", "NICKNAME", "ORG", "NOTE", "EMAIL", "TEL", "IMPP", "URL",
            "CATEGORIES", "END", ""];
        let mut starts = Vec::new();
        for line in properties {
            starts.push(line.split([':', ';']).next().unwrap_or_default().to_owned());
            prop_assert!(known.contains(&&**starts.last().unwrap()), "{}", text);
        }
        prop_assert_eq!(starts.iter().filter(|start| *start == "END").count(), 1);
        let (back, _) = import(text.as_bytes()).unwrap();
        prop_assert_eq!(back.company.trim(), clean.company.trim());
        prop_assert_eq!(back.about.trim(), clean.about.trim());
        prop_assert_eq!(back.contacts, clean.contacts);
    }

    #[test]
    fn any_file_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in hostile_text()) {
        let _ = import(&bytes);
        let file = format!("BEGIN:VCARD\r\n{text}\r\nEND:VCARD\r\n");
        if let Ok((profile, _)) = import(file.as_bytes()) {
            prop_assert_eq!(profile.clone().cleaned(), profile.clone());
            prop_assert!(profile.checked().is_ok());
        }
    }
}
