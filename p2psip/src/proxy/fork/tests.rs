use super::*;
use crate::flow::Carrier;
use crate::proxy::Destination;
use bytes::Bytes;

fn target(port: u16) -> Target {
    let destination = Destination::Hop(Carrier::Udp, ([192, 0, 2, 7], port).into());
    Target { direct: true, ..Target::to(destination) }
}

fn response(code: u16, lines: &str) -> Message {
    let text = format!(
        "SIP/2.0 {code} X\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKp\r\n{lines}\
         From: <sip:a@scope>;tag=1\r\nTo: <sip:b@scope>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

/// What is done, in few words: `+` begins a branch, `-` cancels one, `>` passes on, `=` answers.
fn words(acts: Vec<Act>) -> String {
    let word = |act: Act| match act {
        Act::Start(first, wave) => format!("+{first}x{}", wave.len()),
        Act::Forward(response, more) => {
            format!(">{}{}", response.status().unwrap(), ".".repeat(more.len()))
        }
        Act::Reply(status) => format!("={status}"),
        Act::Cancel(branch) => format!("-{branch}"),
    };
    acts.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A story: `0:180` is a response of branch 0, `0!408` a failure, `cancel`, `C`.
fn told(is_invite: bool, waves: &[u16], story: &str) -> String {
    let waves = waves.iter().map(|count| (0..*count).map(target).collect()).collect();
    let (mut fork, acts) = Fork::new(is_invite, false, waves);
    let mut found = words(acts);
    for event in story.split_whitespace() {
        let acts = match (event, event.split_once(':'), event.split_once('!')) {
            ("cancel", ..) => fork.on_cancel(),
            ("C", ..) => fork.on_timer_c(),
            (_, Some((branch, code)), _) => {
                let code: u16 = code.parse().unwrap();
                let challenge = if code == 401 {
                    format!("WWW-Authenticate: Digest {branch}\r\n")
                } else {
                    String::new()
                };
                fork.on_response(branch.parse().unwrap(), response(code, &challenge))
            }
            (_, _, Some((branch, code))) => {
                let status = Status::new(code.parse().unwrap()).unwrap();
                fork.on_failure(branch.parse().unwrap(), status)
            }
            _ => panic!("{event}"),
        };
        found = format!("{found} | {}", words(acts));
    }
    found
}

#[test]
fn calls_go_as_the_rfc_has_them() {
    for (name, waves, story, expected) in [
        ("one answers", &[1][..], "0:100 0:180 0:200", "+0x1 |  | >180 | >200"),
        (
            "each 2xx goes back",
            &[2],
            "0:180 1:180 0:200 1:200 0:200",
            "+0x2 | >180 | >180 | >200 -1 | >200 | >200",
        ),
        ("the loser waits for its CANCEL", &[2], "0:200 1:180 1:487", "+0x2 | >200 | -1 | "),
        ("a decline ends all", &[2, 1], "0:180 1:603 0:487", "+0x2 | >180 | -0 | >603"),
        ("busy here, and the next wave", &[1, 1], "0:486 1:200", "+0x1 | +1x1 | >200"),
        ("the best refusal", &[3], "0:404 1!408 2:486", "+0x3 |  |  | >404"),
        ("an answer says more than silence", &[2], "0!408 1:486", "+0x2 |  | >486"),
        ("what can be mended goes first", &[2], "0:404 1:401", "+0x2 |  | >401"),
        ("all challenges go back", &[2], "0:401 1:401", "+0x2 |  | >401."),
        ("overload is not ours", &[1], "0:503", "+0x1 | =500"),
        ("a flow that failed is nobody's business", &[1], "0:430", "+0x1 | =480"),
        ("silence", &[1], "0!408", "+0x1 | =408"),
        ("nobody is there", &[], "", "=480"),
        ("cancelled while it rings", &[1, 1], "0:180 cancel 0:487", "+0x1 | >180 | -0 | >487"),
        ("cancelled before anything came", &[1], "cancel 0:180 0:487", "+0x1 |  | -0 >180 | >487"),
        ("cancelled too late", &[1], "0:200 cancel", "+0x1 | >200 | "),
        ("it rang for too long", &[2], "0:180 C 0:487", "+0x2 | >180 | -0 | >487"),
        (
            "it rang for too long, and nobody hears the CANCEL",
            &[1],
            "0:180 C C",
            "+0x1 | >180 | -0 | =408",
        ),
        ("nothing after a refusal", &[1], "0:486 0:486 0:180", "+0x1 | >486 |  | "),
    ] {
        assert_eq!(told(true, waves, story), expected, "{name}");
    }
}

#[test]
fn what_is_no_call_is_answered_once_and_never_cancelled() {
    assert_eq!(told(false, &[2], "0:200 1:200"), "+0x2 | >200 | ");
    assert_eq!(told(false, &[2], "0:100 0:603 1:200"), "+0x2 |  |  | >200");
}

#[test]
fn it_is_over_when_nothing_is_under_way() {
    let (mut fork, _) = Fork::new(true, false, vec![vec![target(1), target(2)]]);
    assert!(!fork.is_answered());
    fork.on_response(0, response(200, ""));
    assert!(fork.is_answered() && !fork.is_over());
    fork.on_response(1, response(486, ""));
    assert!(fork.is_over());
}
