//! Tables of answers and what is printed for them.

use super::super::error::NotANode;
use super::*;

fn people(answer: Answer) -> (String, String, u8) {
    printed(render(Ok(answer), Format::People))
}

fn json(answer: Answer) -> (String, String, u8) {
    printed(render(Ok(answer), Format::Json))
}

fn printed(printed: Printed) -> (String, String, u8) {
    (String::from_utf8(printed.out).unwrap(), printed.err, printed.code)
}

fn expect(out: &str, err: &str, code: u8) -> (String, String, u8) {
    (out.into(), err.into(), code)
}

fn values(values: &[&[u8]]) -> Answer {
    let values = values.iter().map(|value| value.to_vec()).collect();
    Answer::Values { key: Key::new("colour").unwrap(), values }
}

fn removed(found: bool) -> Answer {
    Answer::Removed { key: Key::new("colour").unwrap(), found }
}

#[test]
fn a_put_says_how_many_copies_there_are() {
    let stored = |replicas| Answer::Stored { replicas, latency_ms: 0.8 };
    assert_eq!(people(stored(1)), expect("stored: 1 copy, 0.8 ms\n", "", 0));
    assert_eq!(people(stored(3)), expect("stored: 3 copies, 0.8 ms\n", "", 0));
    assert_eq!(json(stored(1)), expect("{\"latency_ms\":0.8,\"replicas\":1}\n", "", 0));
}

#[test]
fn values_stand_on_a_line_each() {
    assert_eq!(people(values(&[b"red", "grün ✓".as_bytes()])), expect("red\ngrün ✓\n", "", 0));
    assert_eq!(people(values(&[])), expect("", "no value under colour\n", 1));
}

#[test]
fn what_is_not_plain_text_does_nothing_to_the_terminal() {
    let note = "note: not every value is plain text; --raw or --json gives all bytes\n";
    for (value, line) in [
        (&b""[..], "\"\""),
        (b"two\nlines\t\"\\\r\n", r#""two\nlines\t\"\\\r\n""#),
        (b"\x1b[31m", "1b5b33316d (5 bytes, not text)"),
        ("a\u{202e}b".as_bytes(), "61e280ae62 (5 bytes, not text)"),
        (b"\xff", "ff (1 byte, not text)"),
        (
            &[0xab; 33],
            "abababababababababababababababababababababababababababababababab… (33 bytes, not text)",
        ),
    ] {
        assert_eq!(people(values(&[value])), expect(&format!("{line}\n"), note, 0));
    }
}

#[test]
fn raw_values_are_their_bytes_and_nothing_else() {
    let raw = render(Ok(values(&[b"a\n", b"\xff\0"])), Format::Raw);
    assert_eq!(raw, Printed { out: b"a\n\xff\0".to_vec(), err: String::new(), code: 0 });
    assert_eq!(render(Ok(values(&[])), Format::Raw).code, 1);
}

#[test]
fn values_as_json_are_text_or_base64() {
    assert_eq!(
        json(values(&[b"red\n", b"\xff\0"])),
        expect(
            "{\"key\":{\"text\":\"colour\"},\"values\":[{\"text\":\"red\\n\"},{\"base64\":\"/wA=\"}]}\n",
            "",
            0
        )
    );
    assert_eq!(json(values(&[])), expect("{\"key\":{\"text\":\"colour\"},\"values\":[]}\n", "", 1));
}

#[test]
fn a_removal_says_whether_there_was_something() {
    assert_eq!(people(removed(true)), expect("removed\n", "", 0));
    assert_eq!(people(removed(false)), expect("", "no such value under colour\n", 1));
    assert_eq!(json(removed(true)), expect("{\"removed\":true}\n", "", 0));
    assert_eq!(json(removed(false)), expect("{\"removed\":false}\n", "", 1));
}

#[test]
fn services_and_providers_stand_on_a_line_each() {
    let service = || ServiceId::new("P2PSIP").unwrap();
    let services = |services: &[&str]| Answer::Services {
        services: services.iter().map(|service| (*service).to_owned()).collect(),
    };
    let providers = |contacts: &[&str]| Answer::Providers {
        service: service(),
        contacts: contacts.iter().map(|contact| (*contact).to_owned()).collect(),
    };
    assert_eq!(people(services(&["P2PSIP", "a\x1b[2J"])), expect("P2PSIP\na\u{fffd}[2J\n", "", 0));
    assert_eq!(people(services(&[])), expect("", "nobody offers a service\n", 1));
    assert_eq!(json(services(&["P2PSIP"])), expect("{\"services\":[\"P2PSIP\"]}\n", "", 0));
    assert_eq!(people(providers(&["a:1", "b:2"])), expect("a:1\nb:2\n", "", 0));
    assert_eq!(people(providers(&[])), expect("", "nobody offers P2PSIP\n", 1));
    let object = "{\"contacts\":[\"192.0.2.1:5061\"],\"service\":\"P2PSIP\"}\n";
    assert_eq!(json(providers(&["192.0.2.1:5061"])), expect(object, "", 0));
    let withdrawn = |found| Answer::Withdrawn { service: service(), found };
    assert_eq!(people(Answer::Advertised), expect("advertised\n", "", 0));
    assert_eq!(json(Answer::Advertised), expect("{\"advertised\":true}\n", "", 0));
    assert_eq!(people(withdrawn(true)), expect("withdrawn\n", "", 0));
    assert_eq!(people(withdrawn(false)), expect("", "nobody offers P2PSIP there\n", 1));
    assert_eq!(json(withdrawn(false)), expect("{\"withdrawn\":false}\n", "", 1));
}

#[test]
fn an_error_is_two_lines_at_most_or_one_object() {
    let node = NodeUrl::local();
    let refused = || io::Error::from(ErrorKind::ConnectionRefused);
    for (error, code, text, object) in [
        (
            ClientError::Unreachable { node: node.clone(), cause: refused() },
            3,
            "error: http://127.0.0.1:5851 cannot be reached: connection refused\n\
            is supernode running there?\n",
            json!({"error": {
                "message": "http://127.0.0.1:5851 cannot be reached: connection refused"
            }}),
        ),
        (
            ClientError::NotANode { node, what: NotANode::Status(hyper::StatusCode::NOT_FOUND) },
            3,
            "error: http://127.0.0.1:5851 does not answer as a super-node does: HTTP status 404 \
            Not Found\nname another node with --node URL\n",
            json!({"error": {"message": "http://127.0.0.1:5851 does not answer as a super-node \
                does: HTTP status 404 Not Found"}}),
        ),
        (
            ClientError::Fault { code: 7, message: "wrong secret".into() },
            3,
            "error: the node refused: wrong secret (fault 7)\n\
            give the secret the value was put with: --secret-file FILE\n",
            json!({"error": {"code": 7, "message": "wrong secret"}}),
        ),
        (
            ClientError::Fault { code: 4, message: "full\n\x1b[2J".into() },
            3,
            "error: the node refused: full\u{fffd}\u{fffd}[2J (fault 4)\n",
            json!({"error": {"code": 4, "message": "full\n\u{1b}[2J"}}),
        ),
        (
            ClientError::EmptySecret,
            2,
            "error: the secret is empty and would protect nothing\n",
            json!({"error": {"message": "the secret is empty and would protect nothing"}}),
        ),
    ] {
        let as_json = error_as_json(&error);
        assert_eq!(printed(render(Err(error), Format::People)), expect("", text, code));
        assert_eq!(as_json, object);
    }
}

#[test]
fn a_hostile_message_does_not_fill_the_screen() {
    let error = ClientError::Fault { code: 2, message: "x".repeat(1 << 20) };
    assert!(
        render(Err(error), Format::Raw).err.chars().count() <= MESSAGE_MAX + "error: …\n".len()
    );
}

#[test]
fn a_status_shows_the_fields_that_are_there() {
    let of = |status: Json| people(Answer::Status { node: NodeUrl::local(), status }).0;
    assert_eq!(
        of(json!({
            "id": "12D3", "name": "box", "version": "0.1.0", "phase": "serving", "replicas": 2,
            "peers": [{"id": "12D4", "health": "well", "silent_ms": 70}], "entries": 12,
            "bytes": 3482, "services": ["WHATSUP", "P2PSIP"], "uptime_s": 7999,
            "load": {"requests_per_second": 12.46, "in_flight": 3}, "later": {}
        })),
        "\
id        12D3
name      box
version   0.1.0
address   http://127.0.0.1:5851
phase     serving
peers     1
replicas  2
entries   12 (3.4 KiB)
services  WHATSUP, P2PSIP
uptime    2 h 13 min
load      12.5 requests/s, 3 in flight

PEER  ADDRESS  HEALTH  SILENT  P50  P99
12D4  -        well    0.1 s   -    -
"
    );
    assert_eq!(of(json!({})), "address   http://127.0.0.1:5851\n");
    assert_eq!(
        of(json!({"id": 5, "name": "a\nb", "peers": [], "services": [], "entries": -1})),
        "name      a\u{fffd}b\naddress   http://127.0.0.1:5851\npeers     0\n"
    );
}

#[test]
fn a_status_as_json_is_what_the_node_gave() {
    let status = json!({"id": "12D3", "later": [1, null]});
    let (out, _, _) = json(Answer::Status { node: NodeUrl::local(), status: status.clone() });
    assert_eq!(serde_json::from_str::<Json>(&out).unwrap(), status);
}

#[test]
fn sizes_and_durations_are_for_eyes() {
    for (bytes, text) in [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 50, "3072.0 TiB"),
    ] {
        assert_eq!(size(bytes), text);
    }
    for (seconds, text) in
        [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")]
    {
        assert_eq!(duration(seconds), text);
    }
}

#[test]
fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is() {
    struct Fails(ErrorKind);
    impl io::Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let printed = Printed { out: b"value\n".to_vec(), ..Printed::default() };
    let code = |kind, err: &mut Vec<u8>| format!("{:?}", printed.write(&mut Fails(kind), err));
    let mut err = Vec::new();
    assert_eq!(code(ErrorKind::BrokenPipe, &mut err), format!("{:?}", ExitCode::from(0)));
    assert!(err.is_empty());
    assert_eq!(code(ErrorKind::StorageFull, &mut err), format!("{:?}", ExitCode::from(3)));
    let text = String::from_utf8(err).unwrap();
    assert!(text.starts_with("error: standard output cannot be written: "), "{text}");
}

#[test]
fn the_reference_page_shows_the_objects_as_they_are() {
    let page = include_str!("../../../../docs/reference/command-line.md");
    let silent =
        ClientError::Silent { node: NodeUrl::local(), after: std::time::Duration::from_secs(10) };
    let refused = ClientError::Fault { code: 7, message: "wrong secret".into() };
    for answer in [
        Ok(Answer::Stored { replicas: 1, latency_ms: 0.8 }),
        Ok(values(&[b"red\n", b"\xff\0"])),
        Ok(removed(true)),
        Ok(Answer::Services { services: vec!["P2PSIP".into()] }),
        Ok(Answer::Providers {
            service: ServiceId::new("P2PSIP").unwrap(),
            contacts: vec!["192.0.2.1:5061".into()],
        }),
        Ok(Answer::Advertised),
        Ok(Answer::Withdrawn { service: ServiceId::new("P2PSIP").unwrap(), found: true }),
        Err(refused),
        Err(silent),
    ] {
        let (object, _, _) = printed(render(answer, Format::Json));
        assert!(page.contains(&format!("`{}`", object.trim_end())), "{object}");
    }
}
