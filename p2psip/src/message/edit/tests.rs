//! A changed message differs from the original where it was changed, and nowhere else.

use super::*;

const INVITE: &str = "INVITE sip:bob@scope SIP/2.0\r\n\
    v: SIP/2.0/UDP 10.0.0.1:5062 ;branch=z9hG4bKa;rport , SIP/2.0/TCP b;branch=z9hG4bKb\r\n\
    Route: <sip:one;lr> , <sip:two;lr>,\r\n <sip:three>\r\n\
    X-Odd  :\tas  it\r\n  came \r\n\
    Max-Forwards : 70\r\n\
    route: \"four, five\" <sip:four>\r\n\
    P-Asserted-Identity: <sip:liar@scope>\r\n\
    p-asserted-identity: tel:+1\r\n\
    Via: SIP/2.0/UDP c;branch=z9hG4bKc\r\n\
    \r\n\
    v=0\r\nVia: no header\r\n";

fn message(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

/// The original with some parts replaced.
fn replaced(parts: &[(&str, &str)]) -> String {
    parts.iter().fold(INVITE.to_owned(), |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text.replace(old, new)
    })
}

fn check(edit: fn(Edit<'_>) -> Edit<'_>, parts: &[(&str, &str)]) {
    let message = message(INVITE);
    let out = edit(Edit::new(&message)).finish();
    assert_eq!(String::from_utf8_lossy(&out), replaced(parts));
}

const TOP: &str = "INVITE sip:bob@scope SIP/2.0\r\n";

#[test]
fn nothing_changes_by_itself() {
    check(|edit| edit, &[]);
}

#[test]
fn vias_are_pushed_popped_and_marked() {
    let pushed = format!("{TOP}Via: SIP/2.0/UDP p\r\n");
    check(|edit| edit.push_via("SIP/2.0/UDP p"), &[(TOP, &pushed)]);
    let popped = "v: SIP/2.0/TCP b";
    let first = "v: SIP/2.0/UDP 10.0.0.1:5062 ;branch=z9hG4bKa;rport , SIP/2.0/TCP b";
    check(|edit| edit.pop_via(), &[(first, popped)]);
    let marked =
        "v: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;received=192.0.2.1;rport=9 , SIP/2.0/TCP b";
    let mark = |edit: Edit<'_>| -> bool {
        let mark = ViaMark { received: "192.0.2.1".parse().ok(), rport: Some(9) };
        let out = edit.mark_via(mark).finish();
        String::from_utf8_lossy(&out) == replaced(&[(first, marked)])
    };
    assert!(mark(Edit::new(&message(INVITE))));
}

#[test]
fn a_via_alone_on_its_line_goes_with_it() {
    let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nVia: SIP/2.0/UDP b\r\n\r\n";
    let message = message(text);
    let out = Edit::new(&message).pop_via().finish();
    assert_eq!(out, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP b\r\n\r\n");
}

#[test]
fn lies_of_the_sender_about_where_it_is_go() {
    let text = "BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;received=1.2.3.4;branch=x;rport=7\r\n\r\n";
    let message = message(text);
    let mark = ViaMark { received: "::1".parse().ok(), rport: None };
    let out = Edit::new(&message).mark_via(mark).finish();
    assert_eq!(out, "BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=x;received=::1\r\n\r\n");
}

#[test]
fn routes_are_pushed_popped_and_appended_at_either_end() {
    let pushed = format!("{TOP}Route: <sip:n>\r\nRoute: <sip:m>\r\n");
    check(|edit| edit.push_route("<sip:m>").push_route("<sip:n>"), &[(TOP, &pushed)]);
    let all = "Route: <sip:one;lr> , <sip:two;lr>,\r\n <sip:three>\r\n";
    check(|edit| edit.pop_routes(1), &[(all, "Route: <sip:two;lr>,\r\n <sip:three>\r\n")]);
    check(|edit| edit.pop_routes(2), &[(all, "Route: <sip:three>\r\n")]);
    check(|edit| edit.pop_routes(3), &[(all, "")]);
    let last = "route: \"four, five\" <sip:four>\r\n";
    check(|edit| edit.pop_routes(9), &[(all, ""), (last, "")]);
    check(|edit| edit.pop_last_route(), &[(last, "")]);
    check(|edit| edit.pop_routes(3).pop_last_route(), &[(all, ""), (last, "")]);
    let end = "\r\n\r\nv=0";
    check(|edit| edit.append_route("<sip:z>"), &[(end, "\r\nRoute: <sip:z>\r\n\r\nv=0")]);
}

#[test]
fn the_rest_a_proxy_changes_is_changed() {
    check(|edit| edit.max_forwards(69), &[("Max-Forwards : 70", "Max-Forwards : 69")]);
    check(|edit| edit.request_uri("sip:b@10.0.0.9"), &[("sip:bob@scope", "sip:b@10.0.0.9")]);
    let identities = "P-Asserted-Identity: <sip:liar@scope>\r\np-asserted-identity: tel:+1\r\n";
    check(|edit| edit.strip(HeaderName::PAssertedIdentity), &[(identities, "")]);
    let recorded = format!("{TOP}Record-Route: <sip:me;lr>\r\n");
    check(|edit| edit.push_record_route("<sip:me;lr>"), &[(TOP, &recorded)]);
    let end = "\r\n\r\nv=0";
    check(|edit| edit.add("P-X", "a\r\nb: c"), &[(end, "\r\nP-X: ab: c\r\n\r\nv=0")]);
    check(|edit| edit.with_length(), &[(end, "\r\nContent-Length: 21\r\n\r\nv=0")]);
}

#[test]
fn what_is_missing_is_added_and_what_is_there_is_not_doubled() {
    let text = "BYE sip:a SIP/2.0\r\nl: 0\r\n\r\n";
    let message = message(text);
    let out = Edit::new(&message).max_forwards(70).with_length().finish();
    assert_eq!(out, "BYE sip:a SIP/2.0\r\nl: 0\r\nMax-Forwards: 70\r\n\r\n");
    let response = super::Message::parse(Bytes::from_static(b"SIP/2.0 180 \r\n\r\n")).unwrap();
    assert_eq!(Edit::new(&response).request_uri("sip:x").finish(), "SIP/2.0 180 \r\n\r\n");
}

#[test]
fn what_is_broken_further_down_stays_as_it_came() {
    let text = "BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=x, SIP/2.0/UDP \"b\r\n\r\n";
    let message = message(text);
    let out = Edit::new(&message).mark_via(ViaMark { received: None, rport: Some(7) }).finish();
    let marked = text.replace("branch=x", "branch=x;rport=7");
    assert_eq!(String::from_utf8_lossy(&out), marked);
    let out = Edit::new(&message).pop_via().finish();
    assert_eq!(out, "BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP \"b\r\n\r\n");
}
