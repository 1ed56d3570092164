//! Start lines, bodies, and what of a message can be asked for.

use super::*;

fn message(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn error(text: &str) -> ParseError {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap_err()
}

#[test]
fn a_request_line_has_three_parts() {
    let request = message("\r\n\r\nsip%!x sip:a@h SIP/2.0\r\n\r\n");
    assert_eq!(request.method(), Some(Method::Other("sip%!x")));
    assert_eq!(request.request_uri().unwrap().as_str(), "sip:a@h");
    assert_eq!((request.status(), request.defect()), (None, None));
    for (line, defect) in [
        ("BYE  sip:a SIP/2.0", Some(Defect::StartLine)),
        ("BYE sip:a  SIP/2.0", Some(Defect::StartLine)),
        ("BYE sip:a SIP/2.0 ", Some(Defect::StartLine)),
        ("BYE sip:a b SIP/2.0", Some(Defect::StartLine)),
        ("BYE SIP/2.0", None),
        ("BYE sip:a sip/2.0", None),
        ("BYE sip:a SIP/7.1", None),
    ] {
        assert_eq!(message(&format!("{line}\r\n\r\n")).defect(), defect, "{line}");
    }
    assert!(message("BYE SIP/2.0\r\n\r\n").request_uri().is_err());
}

#[test]
fn a_status_line_may_lack_its_reason() {
    for (line, code, reason) in [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("SIP/2.0 100 ", 100, ""),
        ("SIP/2.0 100", 100, ""),
        ("sip/2.0 699  two  words ", 699, " two  words "),
    ] {
        let response = message(&format!("{line}\r\n\r\n"));
        assert_eq!(response.status().map(Status::code), Some(code), "{line}");
        assert_eq!(response.reason(), reason.as_bytes(), "{line}");
        assert!(!response.is_request() && response.method().is_none());
    }
}

#[test]
fn what_begins_like_nothing_of_sip_is_none() {
    for line in [
        "GET / HTTP/1.1",
        "BYE",
        "BYE sip:a",
        "B(YE sip:a SIP/2.0",
        " BYE sip:a SIP/2.0",
        "SIP/2.0",
        "SIP/2.0 99 x",
        "SIP/2.0 700 x",
        "SIP/2.0 2000 x",
        "SIP/2.0  200 OK",
        "SIP/3.0 200 OK",
        "SIP/2.0 20x OK",
        "BYE sip:a SIP/",
    ] {
        assert_eq!(error(&format!("{line}\r\n\r\n")), ParseError::StartLine, "{line}");
    }
    assert_eq!(error("\r\n\r\n"), ParseError::Empty);
    assert_eq!(error(""), ParseError::Empty);
    assert_eq!(error("no line"), ParseError::StartLine);
    let long = format!("BYE sip:{} SIP/2.0\r\n\r\n", "a".repeat(START_LINE_MAX));
    assert_eq!(error(&long), ParseError::StartLine);
    let huge = format!("BYE sip:a SIP/2.0\r\n\r\n{}", "a".repeat(MESSAGE_MAX));
    assert_eq!(error(&huge), ParseError::TooLong);
}

#[test]
fn the_body_is_what_content_length_says_or_the_rest() {
    for (length, body, expected, defect) in [
        ("", "body", "body", None),
        ("l: 2\r\n", "body", "bo", None),
        ("Content-Length : 0\r\n", "body", "", None),
        ("l: 5\r\n", "body", "body", Some(Defect::ShortBody)),
        ("l: -1\r\n", "body", "body", Some(Defect::ContentLength)),
        ("l:\r\n", "body", "body", Some(Defect::ContentLength)),
        ("l: 2\r\nl: 2\r\n", "body", "body", Some(Defect::ContentLength)),
        ("l: 18446744073709551616\r\n", "body", "body", Some(Defect::ShortBody)),
    ] {
        let message = message(&format!("BYE sip:a SIP/2.0\r\n{length}\r\n{body}"));
        assert_eq!((message.body(), message.defect()), (expected.as_bytes(), defect), "{length}");
        assert!(message.bytes().ends_with(expected.as_bytes()));
    }
}

#[test]
fn headers_are_found_by_any_of_their_names() {
    let message = message(
        "REGISTER sip:scope SIP/2.0\r\nVIA: SIP/2.0/UDP a\r\nv: SIP/2.0/TCP b , SIP/2.0/TLS c\r\n\
         m: <sip:a@b>;q=0.1 , *\r\nX-New: 1\r\nx-new: 2\r\nSupported: \r\nk: path , outbound\r\n\
         Expires: 60\r\nRoute: <sip:r;lr>\r\nPath: <sip:p;lr>, <sip:o>\r\nAccept: a/b;q=1, */*\r\n\r\n",
    );
    let hosts = message.vias().map(|via| via.unwrap().host.to_string());
    assert_eq!(hosts.collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(message.top_via().unwrap().transport, Transport::Udp);
    let contacts: Vec<_> = message.contacts().map(Result::unwrap).collect();
    assert_eq!(contacts.len(), 2);
    assert_eq!(contacts[1], Contact::All);
    assert_eq!(message.fields_named("X-NEW").count(), 2);
    assert!(message.supports("Outbound") && !message.supports("gruu") && !message.supports(""));
    assert_eq!(message.expires(), Ok(Some(60)));
    assert!(message.routes().next().unwrap().unwrap().uri().is_loose());
    assert_eq!(message.path().count(), 2);
    assert_eq!(message.accept().flatten().collect::<Vec<_>>(), ["a/b;q=1", "*/*"]);
    assert_eq!(message.call_id(), Err(BadField::Missing(HeaderName::CallId)));
    assert_eq!(message.record_routes().count(), 0);
}

#[test]
fn a_value_may_be_kept_without_a_copy() {
    let message = message("BYE sip:a SIP/2.0\r\nCall-ID: one@two\r\n\r\n");
    let kept = message.keep(message.call_id().unwrap().as_bytes());
    assert_eq!(kept, "one@two");
    assert!(message.bytes().as_ptr_range().contains(&kept.as_ptr()));
}

#[test]
fn numbers_have_bounds() {
    let of = |line: &str| message(&format!("BYE sip:a SIP/2.0\r\n{line}\r\n\r\n"));
    assert_eq!(of("Max-Forwards: 255").max_forwards(), Ok(Some(255)));
    assert_eq!(of("X: y").max_forwards(), Ok(None));
    assert!(of("Max-Forwards: 256").max_forwards().is_err());
    assert!(of("Max-Forwards: 1\r\nMax-Forwards: 1").max_forwards().is_err());
    assert_eq!(of("Expires: 99999999999").expires(), Ok(Some(u32::MAX)));
    assert_eq!(of("Expires: soon").expires(), Ok(Some(EXPIRES_IF_MALFORMED)));
}
