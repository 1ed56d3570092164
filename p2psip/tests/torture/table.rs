//! Section by section: what has to come of a message.

use p2psip::message::{
    Contact, HeaderName, Host, Message, Method, NameAddr, Scheme, Status, Transport,
};

pub(crate) enum Outcome {
    /// It is in form, and holds what the function looks for.
    Understood(fn(&Message)),
    /// Nobody answers.
    Dropped,
    /// Any element answers with this status and reason.
    Refused(Status, &'static str),
    /// It is in form; a proxy answers with this status and header.
    ProxyRefuses(Status, Option<(HeaderName, &'static str)>),
    /// The same of a user agent's server.
    ServerRefuses(Status, Option<(HeaderName, &'static str)>),
}

use Outcome::{Dropped, ProxyRefuses, Refused, ServerRefuses, Understood};

const BAD: Status = Status::BAD_REQUEST;

pub(crate) const TABLE: &[(&str, Outcome)] = &[
    ("3-1-1-01-tortuous", Understood(tortuous)),
    ("3-1-1-02-wide-range", Understood(wide_range)),
    ("3-1-1-03-escapes", Understood(escapes)),
    ("3-1-1-04-escaped-null", Understood(escaped_null)),
    ("3-1-1-05-percent-is-no-escape", Understood(percent_is_no_escape)),
    ("3-1-1-06-no-space-before-bracket", Understood(no_space)),
    ("3-1-1-07-long-values", Understood(long_values)),
    ("3-1-1-08-trailing-bytes", Understood(trailing_bytes)),
    ("3-1-1-09-semicolons-in-user", Understood(semicolons)),
    ("3-1-1-10-transports", Understood(transports)),
    ("3-1-1-11-multipart", Understood(multipart)),
    ("3-1-1-12-unusual-reason", Understood(unusual_reason)),
    ("3-1-1-13-empty-reason", Understood(empty_reason)),
    ("3-1-2-01-extra-separators", Refused(BAD, "Malformed Via")),
    ("3-1-2-02-length-too-large", Refused(BAD, "Body Shorter Than Content-Length")),
    ("3-1-2-03-length-negative", Refused(BAD, "Bad Content-Length")),
    ("3-1-2-04-scalars-too-large", Refused(BAD, "Malformed CSeq")),
    ("3-1-2-05-response-scalars-too-large", Dropped),
    ("3-1-2-06-quote-not-closed", Refused(BAD, "Malformed To")),
    ("3-1-2-07-brackets-around-uri", Refused(BAD, "Malformed Request-URI")),
    ("3-1-2-08-space-in-uri", Refused(BAD, "Malformed Start Line")),
    ("3-1-2-09-spaces-in-request-line", Refused(BAD, "Malformed Start Line")),
    ("3-1-2-10-spaces-after-request-line", Refused(BAD, "Malformed Start Line")),
    ("3-1-2-11-headers-in-uri", Refused(BAD, "Malformed Request-URI")),
    // Nothing here reads Date: what is odd in it harms nobody.
    ("3-1-2-12-odd-time-zone", Understood(odd_time_zone)),
    ("3-1-2-13-contact-without-brackets", Refused(BAD, "Malformed Contact")),
    ("3-1-2-14-spaces-in-address", Refused(BAD, "Malformed To")),
    ("3-1-2-15-name-without-quotes", Refused(BAD, "Malformed From")),
    ("3-1-2-16-unknown-version", Refused(Status::VERSION_NOT_SUPPORTED, "Version Not Supported")),
    ("3-1-2-17-method-mismatch", Refused(BAD, "CSeq Of Another Method")),
    ("3-1-2-18-unknown-method-mismatch", Refused(BAD, "CSeq Of Another Method")),
    ("3-1-2-19-status-too-large", Dropped),
    ("3-2-1-no-branch-after-cookie", Understood(no_branch)),
    ("3-3-01-missing-headers", Refused(BAD, "Missing From")),
    ("3-3-02-unknown-scheme", ProxyRefuses(Status::UNSUPPORTED_URI_SCHEME, None)),
    ("3-3-03-atypical-scheme", ServerRefuses(Status::UNSUPPORTED_URI_SCHEME, None)),
    ("3-3-04-unknown-schemes-in-headers", Understood(unknown_schemes)),
    (
        "3-3-05-proxy-require",
        ProxyRefuses(
            Status::BAD_EXTENSION,
            Some((HeaderName::Unsupported, "noProxyDoesThis, norThis")),
        ),
    ),
    (
        "3-3-06-unknown-content-type",
        ServerRefuses(
            Status::UNSUPPORTED_MEDIA_TYPE,
            Some((HeaderName::Accept, "application/sdp, text/plain")),
        ),
    ),
    ("3-3-07-unknown-authorization", Understood(unknown_authorization)),
    ("3-3-08-repeated-headers", Refused(BAD, "More Than One From")),
    ("3-3-09-repeated-length", Refused(BAD, "Bad Content-Length")),
    ("3-3-10-broadcast-via", Understood(broadcast_via)),
    ("3-3-11-no-forwards-left", ProxyRefuses(Status::TOO_MANY_HOPS, None)),
    ("3-3-12-contact-parameter", Understood(contact_parameter)),
    ("3-3-13-contact-uri-parameter", Understood(contact_uri_parameter)),
    ("3-3-14-contact-uri-header", Understood(contact_uri_header)),
    ("3-3-15-unacceptable-accept", ServerRefuses(Status::NOT_ACCEPTABLE, None)),
    ("3-4-1-rfc-2543", Understood(rfc_2543)),
];

fn contact(message: &Message) -> NameAddr<'_> {
    let mut contacts = message.contacts();
    let only = contacts.next().unwrap().unwrap().address().unwrap();
    assert!(contacts.next().is_none());
    only
}

fn tortuous(message: &Message) {
    assert_eq!(message.to().unwrap().tag(), Some("77bo"));
    assert_eq!(message.to().unwrap().uri().as_str(), "sip:bob@deep.scope.test");
    let from = message.from().unwrap();
    assert_eq!((from.display_name().as_str(), from.tag()), ("Anna \\\"The\" B.", Some("an-98")));
    assert_eq!(message.max_forwards(), Ok(Some(42)));
    let cseq = message.cseq().unwrap();
    assert_eq!((cseq.number, cseq.method), (17, Method::Invite));
    let vias: Vec<_> = message.vias().map(Result::unwrap).collect();
    assert_eq!(vias.len(), 3);
    assert_eq!((vias[0].unique_branch(), vias[0].branch()), (None, Some("oldstyle5")));
    assert_eq!((vias[1].transport, vias[1].unique_branch()), (Transport::Tcp, Some("loft7")));
    assert_eq!(vias[2].host, Host::parse("192.168.77.1").unwrap());
    let route = message.routes().next().unwrap().unwrap();
    assert!(route.uri().is_loose());
    assert_eq!(route.uri().params().value("has"), Some("value"));
    let contact = contact(message);
    assert_eq!((contact.display_name().as_str(), contact.q()), ("Two \"words\"", 440));
    assert_eq!(contact.params().value("fresh"), Some("thing"));
    assert_eq!(message.fields_of(HeaderName::Subject).next().unwrap().value, b"");
    assert!(message.body().starts_with(b"v=0"));
}

fn wide_range(message: &Message) {
    assert_eq!(message.method(), Some(Method::Other("!odd-Method9_*+`.%it'~")));
    let uri = message.request_uri().unwrap();
    assert_eq!(uri.user(), Some("2_odd.user~(that-is!so)&don't+you$/see?,/;;*"));
    assert_eq!(uri.password(), Some("&a+b=2,very!*odd$pa~ss_w.(it-is)"));
    assert_eq!(message.to().unwrap().display_name(), "TAB:\t NUL:\0 RUB:\x7f");
    let from = message.from().unwrap();
    assert_eq!(from.display(), b"tok1~` tok2'+_ tok3*%!.-");
    assert_eq!(from.params().get("par''~+*_!.-%").unwrap().unquoted(), "qé\"d");
    assert_eq!(from.tag(), Some("_tok~1'+`*%!-."));
    assert_eq!(message.call_id().unwrap(), r#"wide.word%ZQ-!.*_+'@word`~)(><:\/"][?}{"#);
    assert_eq!(message.cseq().unwrap().number, 2_147_483_647);
    assert_eq!(message.fields_named("oddHeader-!.%*+_`'~").count(), 1);
}

fn escapes(message: &Message) {
    let uri = message.request_uri().unwrap();
    assert_eq!(uri.scheme(), Scheme::Sip);
    assert_eq!(uri.user_decoded().unwrap().as_ref(), b"sips:anna@scope.test");
    assert_eq!(uri.host(), Some(Host::Name("far.test")));
    let to = message.to().unwrap().uri();
    assert_eq!(to.user(), Some("%62o%62"));
    assert_eq!(to, p2psip::message::Uri::parse("sip:bob@scope.test").unwrap());
    let from = message.from().unwrap().uri();
    assert_eq!(from.user_decoded().unwrap().as_ref(), b"I am spaced");
}

fn escaped_null(message: &Message) {
    assert_eq!(message.to().unwrap().uri().user_decoded().unwrap().as_ref(), b"nil-\0-nil");
    let contacts: Vec<_> =
        message.contacts().map(|c| c.unwrap().address().unwrap().uri()).collect();
    assert_eq!(contacts.len(), 2);
    assert_ne!(contacts[0], contacts[1]);
}

fn percent_is_no_escape(message: &Message) {
    assert_eq!(message.method(), Some(Method::Other("RE%47ISTE%52")));
    assert_eq!(message.to().unwrap().display_name(), "%Q%41");
    // The header that looks like an escaped Contact is another one.
    let contacts: Vec<_> =
        message.contacts().map(|c| c.unwrap().address().unwrap().uri()).collect();
    assert_eq!(contacts.len(), 2);
    assert_eq!(contacts[1].user_decoded().unwrap().as_ref(), b"three");
}

fn no_space(message: &Message) {
    assert_eq!(message.from().unwrap().display_name(), "Anna");
}

fn long_values(message: &Message) {
    assert_eq!(message.vias().filter(Result::is_ok).count(), 34);
    assert!(message.from().unwrap().tag().unwrap().len() > 200);
    assert!(message.call_id().unwrap().len() > 300);
    assert!(message.to().unwrap().display().len() > 500);
}

fn trailing_bytes(message: &Message) {
    assert_eq!(message.body(), b"");
    assert!(!message.bytes().windows(8).any(|part| part == b"stowaway"));
}

fn semicolons(message: &Message) {
    let uri = message.request_uri().unwrap();
    assert_eq!(uri.user(), Some("bob;room=a%40far.test"));
    assert_eq!(uri.host(), Some(Host::Name("scope.test")));
    assert_eq!(uri.params().iter().count(), 0);
    assert_eq!(message.accept().count(), 2);
}

fn transports(message: &Message) {
    let transports: Vec<_> = message.vias().map(|via| via.unwrap().transport).collect();
    let expected = ["UDP", "SCTP", "TLS", "CARRIERPIGEON", "TCP"].map(Transport::of);
    assert_eq!(transports, expected);
}

fn multipart(message: &Message) {
    let content = message.content_type().unwrap().unwrap();
    assert_eq!(content, "multipart/mixed;boundary=edge");
    assert!(message.body().ends_with(b"\x80\x00\r\n--edge--\r\n"));
    assert_eq!(message.content_length(), Ok(Some(message.body().len())));
    assert_eq!(message.vias().count(), 1);
}

fn unusual_reason(message: &Message) {
    assert_eq!(message.status(), Some(Status::OK));
    assert_eq!(message.reason(), "= 5**2 * 2**3 — よし".as_bytes());
}

fn empty_reason(message: &Message) {
    assert_eq!((message.status(), message.reason()), (Some(Status::TRYING), b"".as_slice()));
}

fn odd_time_zone(message: &Message) {
    assert_eq!(message.fields_of(HeaderName::Date).count(), 1);
}

fn no_branch(message: &Message) {
    let via = message.top_via().unwrap();
    assert_eq!((via.branch(), via.unique_branch()), (Some("z9hG4bK"), None));
}

fn unknown_schemes(message: &Message) {
    assert_eq!(message.to().unwrap().uri().scheme(), Scheme::Other("issn"));
    assert_eq!(message.from().unwrap().uri().scheme(), Scheme::Other("ftp"));
    assert_eq!(contact(message).uri().as_str(), "name:Anna_B");
}

fn unknown_authorization(message: &Message) {
    let credentials = message.authorization().next().unwrap().unwrap();
    assert_eq!((credentials.scheme(), credentials.is_digest()), ("SecretHandshake", false));
}

fn broadcast_via(message: &Message) {
    // Whoever forwards it finds where the next Via leads, and sends nothing to everybody.
    let next = message.vias().nth(1).unwrap().unwrap().response_address().unwrap();
    assert_eq!(next.ip(), std::net::Ipv4Addr::BROADCAST);
}

fn contact_parameter(message: &Message) {
    let contact = contact(message);
    assert!(contact.params().get("mystery").is_some());
    assert!(contact.uri().params().get("mystery").is_none());
}

fn contact_uri_parameter(message: &Message) {
    let contact = contact(message);
    assert!(contact.params().get("mystery").is_none());
    assert!(contact.uri().params().get("mystery").is_some());
}

fn contact_uri_header(message: &Message) {
    assert_eq!(contact(message).uri().headers(), Some("Route=%3Csip:edge.scope.test%3E"));
}

fn rfc_2543(message: &Message) {
    assert_eq!(message.top_via().unwrap().branch(), None);
    assert_eq!(message.max_forwards(), Ok(None));
    assert_eq!(message.from().unwrap().tag(), None);
    let recorded = message.record_routes().next().unwrap().unwrap().uri();
    assert!(!recorded.is_loose());
    assert_eq!(recorded.params().value("maddr"), Some("edge.scope.test"));
}

/// What a registrar needs of a phone's REGISTER.
pub(crate) fn registers(name: &str, message: &Message) {
    let contact = message.contacts().next().unwrap().unwrap();
    let Contact::At(contact) = contact else { panic!("{name} registers everything") };
    assert!(contact.uri().port().is_some() || contact.uri().transport() == Some("ws"), "{name}");
    assert!(contact.expires().or(message.expires().unwrap()).is_some(), "{name}");
    let instance = contact.instance();
    assert_eq!(instance.is_none(), name.starts_with("zoiper"), "{name}");
    assert!(instance.is_none_or(|urn| urn.starts_with("urn:uuid:")), "{name}");
    assert_eq!(contact.reg_id(), name.starts_with("jssip").then_some(1), "{name}");
    let to = message.to().unwrap().uri();
    assert_eq!(to.user(), message.from().unwrap().uri().user(), "{name}");
}
