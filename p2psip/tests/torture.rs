//! A message for every section of RFC 4475, written for this project, with what has to come of it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "torture/table.rs"]
mod table;

use bytes::Bytes;
use p2psip::message::{
    Abilities, HeaderName, Invalid, Message, Method, Reply, check_as_proxy, check_as_server,
    validate,
};

use table::{Outcome, TABLE};

/// What the element of these tests can do.
const ABILITIES: Abilities<'static> = Abilities {
    methods: &[
        Method::Invite,
        Method::Ack,
        Method::Cancel,
        Method::Bye,
        Method::Options,
        Method::Message,
    ],
    options: &["path", "outbound"],
    media: &["application/sdp", "text/plain"],
};

fn folder(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn read(folder_name: &str, name: &str) -> Bytes {
    let path = folder(folder_name).join(format!("{name}.sip"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).into()
}

/// Every file of a folder has a test.
fn names(folder_name: &str) -> Vec<String> {
    let files = folder(folder_name).read_dir().expect("a folder of messages");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    let mut names: Vec<_> =
        names.filter_map(|n| n.strip_suffix(".sip").map(ToOwned::to_owned)).collect();
    names.sort();
    names
}

fn answer_of(name: &str, invalid: Invalid) -> p2psip::message::Rejection {
    match invalid {
        Invalid::Answer(rejection) => rejection,
        Invalid::Drop(rejection) => panic!("{name} is dropped: {rejection}"),
    }
}

#[test]
fn every_message_has_the_outcome_of_the_table() {
    for (name, outcome) in TABLE {
        let parsed = Message::parse(read("torture", name));
        let valid = parsed.as_ref().ok().map(validate);
        match outcome {
            Outcome::Dropped => {
                let dropped = matches!(valid, None | Some(Err(Invalid::Drop(_))));
                assert!(dropped, "{name}: {valid:?}");
            }
            Outcome::Understood(check) => {
                let message = parsed.unwrap_or_else(|error| panic!("{name}: {error}"));
                validate(&message).unwrap_or_else(|error| panic!("{name}: {error}"));
                check(&message);
            }
            Outcome::Refused(status, reason) => {
                let message = parsed.unwrap_or_else(|error| panic!("{name}: {error}"));
                let rejection = answer_of(name, validate(&message).expect_err(name));
                assert_eq!(
                    (rejection.status, rejection.reason.as_str()),
                    (*status, *reason),
                    "{name}"
                );
                answered(name, &message, &rejection);
            }
            Outcome::ProxyRefuses(status, header) | Outcome::ServerRefuses(status, header) => {
                let message = parsed.unwrap_or_else(|error| panic!("{name}: {error}"));
                validate(&message).unwrap_or_else(|error| panic!("{name}: {error}"));
                let refused = match outcome {
                    Outcome::ProxyRefuses(..) => check_as_proxy(&message, &ABILITIES),
                    _ => check_as_server(&message, &ABILITIES),
                };
                let rejection = refused.expect_err(name);
                let said = rejection.header.as_ref().map(|(name, value)| (*name, value.as_str()));
                assert_eq!((rejection.status, said), (*status, *header), "{name}");
                answered(name, &message, &rejection);
            }
        }
    }
}

/// A rejection can be said, and is a message itself.
fn answered(name: &str, message: &Message, rejection: &p2psip::message::Rejection) {
    let out = Reply::rejecting(message, rejection).to_tag("t").build();
    let reply = Message::parse(out).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(reply.status(), Some(rejection.status), "{name}");
    assert_eq!(reply.defect(), None, "{name}");
    assert_eq!(
        reply.fields_of(HeaderName::Via).count(),
        message.fields_of(HeaderName::Via).count(),
        "{name}"
    );
}

#[test]
fn the_table_has_every_file_and_every_section() {
    let mut tested: Vec<_> = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    tested.sort();
    assert_eq!(tested, names("torture"));
    let sections = |from: &str| tested.iter().filter(|name| name.starts_with(from)).count();
    // As the RFC's table of contents has them.
    for (section, count) in
        [("3-1-1-", 13), ("3-1-2-", 19), ("3-2-1", 1), ("3-3-", 15), ("3-4-1", 1)]
    {
        assert_eq!(sections(section), count, "{section}");
    }
}

#[test]
fn what_phones_send_is_understood() {
    for name in names("phones") {
        let message = Message::parse(read("phones", &name)).expect(&name);
        validate(&message).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(message.contacts().all(|contact| contact.is_ok()), "{name}");
        assert!(message.top_via().unwrap().unique_branch().is_some(), "{name}");
        if message.method() == Some(Method::Register) {
            table::registers(&name, &message);
        }
    }
    let names = names("phones").len();
    assert!(names >= 9, "{names} files");
}

#[test]
fn a_message_in_compact_form_is_the_same() {
    let message = Message::parse(read("phones", "compact-message-without-length")).unwrap();
    let from = message.from().unwrap().uri();
    assert_eq!(from.user_decoded().unwrap().as_ref(), "eéva".as_bytes());
    assert_eq!(from.password(), Some("geheim"));
    assert_eq!(message.top_via().unwrap().host.to_string(), "[2001:db8::77]");
    assert_eq!(message.body(), "façade".as_bytes());
    assert_eq!(message.content_type(), Ok(Some("text/plain")));
}
