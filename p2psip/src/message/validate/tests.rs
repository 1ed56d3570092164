//! What is refused, how, and what is only dropped. The torture tests have more.

use bytes::Bytes;

use super::*;

/// A message in form, with some of its lines replaced: an empty one is left out.
fn message(start: &str, replaced: &[(&str, &str)]) -> Message {
    let method = start.split(' ').next().unwrap();
    let method = if method == "SIP/2.0" { "INVITE" } else { method };
    let mut lines = vec![
        ("Via", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1".to_owned()),
        ("From", "From: <sip:anna@scope>;tag=f".to_owned()),
        ("To", "To: <sip:bob@scope>".to_owned()),
        ("Call-ID", "Call-ID: c".to_owned()),
        ("CSeq", format!("CSeq: 1 {method}")),
        ("Max-Forwards", "Max-Forwards: 70".to_owned()),
    ];
    for (name, line) in replaced {
        match lines.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = (*line).to_owned(),
            None => lines.push((name, (*line).to_owned())),
        }
    }
    let lines = lines.iter().filter(|(_, line)| !line.is_empty());
    let header: String = lines.map(|(_, line)| format!("{line}\r\n")).collect();
    Message::parse(Bytes::from(format!("{start}\r\n{header}\r\n"))).unwrap()
}

const INVITE: &str = "INVITE sip:bob@scope SIP/2.0";

fn refused(replaced: &[(&str, &str)]) -> (u16, String) {
    match validate(&message(INVITE, replaced)) {
        Err(Invalid::Answer(rejection)) => (rejection.status.code(), rejection.reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_in_form_passes() {
    for start in [INVITE, "ACK sip:bob@scope SIP/2.0", "DANCE tel:+1 SIP/2.0", "SIP/2.0 200 OK"] {
        assert_eq!(validate(&message(start, &[])), Ok(()), "{start}");
    }
}

#[test]
fn each_header_that_has_to_be_there_has_to_be_in_form_and_alone() {
    for name in ["From", "To", "Call-ID", "CSeq"] {
        assert_eq!(refused(&[(name, "")]), (400, format!("Missing {name}")));
        assert_eq!(refused(&[(name, &format!("{name}:"))]), (400, format!("Malformed {name}")));
        let twice = format!("{name}: <sip:a@b>\r\n{name}: <sip:a@b>");
        assert_eq!(refused(&[(name, &twice)]), (400, format!("More Than One {name}")));
    }
    for line in ["Max-Forwards: -1", "Contact: <sip:", "Route: x", "Content-Type: a\r\nc: b"] {
        let (name, _) = line.split_once(':').unwrap();
        let expected = if line.contains("c: b") { "More Than One" } else { "Malformed" };
        assert_eq!(refused(&[(name, line)]), (400, format!("{expected} {name}")));
    }
    assert_eq!(refused(&[("To", "To: <sip:a@b>;tag=")]), (400, "Malformed To".to_owned()));
    assert_eq!(refused(&[("X", "X")]), (400, "Malformed Header Line".to_owned()));
    assert_eq!(refused(&[("X", "X: a\rb")]), (400, "Stray Carriage Return".to_owned()));
}

#[test]
fn who_cannot_be_answered_is_not() {
    let broken = [("To", "To: x")];
    for (start, replaced) in [
        ("ACK sip:bob@scope SIP/2.0", broken),
        ("SIP/2.0 200 OK", broken),
        (INVITE, [("Via", "")]),
        (INVITE, [("Via", "Via: x")]),
        (INVITE, [("Via", "Via: SIP/2.0/UDP ;branch=z9hG4bK1")]),
    ] {
        let verdict = validate(&message(start, &replaced));
        assert!(matches!(verdict, Err(Invalid::Drop(_))), "{start} {replaced:?}");
    }
}

#[test]
fn a_proxy_looks_at_scheme_hops_and_what_it_must_know() {
    let abilities = Abilities { options: &["path"], ..Abilities::default() };
    let check = |start, line: &str| {
        let name = if line.is_empty() { "X" } else { "Max-Forwards" };
        let message = message(start, &[(name, line)]);
        check_as_proxy(&message, &abilities).map_err(|rejection| rejection.status.code())
    };
    assert_eq!(check("DANCE sip:bob@scope SIP/2.0", ""), Ok(()));
    assert_eq!(check("INVITE tel:+1 SIP/2.0", ""), Err(416));
    assert_eq!(check(INVITE, "Max-Forwards: 0"), Err(483));
    assert_eq!(check(INVITE, "Max-Forwards: 1\r\nProxy-Require: Path\r\nRequire: foo"), Ok(()));
    assert_eq!(check(INVITE, "Max-Forwards: 1\r\nProxy-Require: path, foo"), Err(420));
}

#[test]
fn a_server_says_what_it_would_have_taken() {
    let abilities = Abilities {
        methods: &[Method::Invite, Method::Cancel],
        options: &["path"],
        media: &["application/sdp"],
    };
    let check = |start, line: &str| {
        let message = message(start, &[("X", line)]);
        let rejection = check_as_server(&message, &abilities).err();
        rejection
            .map(|rejection| (rejection.status.code(), rejection.header.map(|(_, value)| value)))
    };
    let said = |code, value: &str| Some((code, Some(value.to_owned())));
    assert_eq!(check(INVITE, "Accept: application/*"), None);
    assert_eq!(check(INVITE, "Accept: */*;q=0.1"), None);
    assert_eq!(check(INVITE, "Accept:"), Some((406, None)));
    assert_eq!(check("BYE sip:bob@scope SIP/2.0", ""), said(405, "INVITE, CANCEL"));
    assert_eq!(check("DANCE sip:bob@scope SIP/2.0", ""), said(501, "INVITE, CANCEL"));
    assert_eq!(check("INVITE x:y SIP/2.0", ""), Some((416, None)));
    assert_eq!(check(INVITE, "Require: a, path\r\nRequire: b"), said(420, "a, b"));
    assert_eq!(check("CANCEL sip:bob@scope SIP/2.0", "Require: a"), None);
    let body = |media| message(INVITE, &[("X", &format!("Content-Type: {media}\r\n\r\nbody"))]);
    assert_eq!(check_as_server(&body("Application/SDP ;x=y"), &abilities), Ok(()));
    let refused = check_as_server(&body("text/plain"), &abilities).unwrap_err();
    assert_eq!(refused.status, Status::UNSUPPORTED_MEDIA_TYPE);
}
