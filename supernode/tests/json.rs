//! The JSON door of daemons, by the client that What's UP uses.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/support.rs"]
#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "only tests use it")]
mod support;

use std::time::Duration;

use base::{Key, Kind, Secret, SecretTag, Sequence, Signed, SigningKey, Slot, Ttl, Value};
use support::{Node, get, until};
use whatsup::node_url::NodeUrl;
use whatsup::overlay::{Answer, Ask, Get, Http, Page, Watched};
use whatsup::{Overlay, OverlayError};

fn url(node: &Node) -> NodeUrl {
    node.http.parse().unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text.to_owned()).unwrap()
}

fn put(at: &str, value: &[u8], room: Option<usize>) -> Ask {
    let value = Value::new(value.to_vec()).unwrap();
    Ask::Put { key: key(at), value, tag: SecretTag::NONE, ttl: Ttl::MAX, room }
}

async fn one(overlay: &Http, ask: Ask) -> Result<Answer, OverlayError> {
    overlay.run(vec![ask]).await.pop().unwrap()
}

async fn read(overlay: &Http, at: &str) -> Page {
    match one(overlay, Ask::Get(Get::all(key(at)))).await {
        Ok(Answer::Page(page)) => page,
        other => panic!("{other:?}"),
    }
}

/// Two super-nodes that know each other.
fn two() -> (Node, Node) {
    let first = Node::ephemeral();
    let join = first.p2p.clone();
    let second = Node::start(&["--ephemeral", "--http", "127.0.0.1:0", "--join", &join]);
    let knows = |node: &Node| {
        let status: serde_json::Value =
            serde_json::from_str(&get(&node.http, "/api/v1/status")).unwrap();
        status["peers"].as_array().unwrap().len() == 1 && status["phase"] == "serving"
    };
    until(|| (knows(&first) && knows(&second)).then_some(()), || "they do not meet".to_owned());
    (first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_the_model_asks_for_is_done_by_a_super_node() {
    let node = Node::ephemeral();
    let overlay = Http::new(vec![url(&node)], None);
    let author = SigningKey::from_bytes(&[7; 32]);
    let sign = |sequence| {
        let (place, sequence) = (key("posts").place(), Sequence::new(sequence));
        Signed::sign(&author, &place, Slot::ZERO, Kind::Plain, sequence, Ttl::MAX, b"hi").unwrap()
    };
    let signed =
        |sequence, room| Ask::PutSigned { key: key("posts"), signed: sign(sequence), room };
    let secret = Secret::new("s").unwrap();
    let guarded = Ask::Put {
        key: key("k"),
        value: Value::new("guarded").unwrap(),
        tag: secret.tag(),
        ttl: Ttl::MAX,
        room: None,
    };
    let answers =
        overlay.run(vec![put("k", b"plain", None), guarded, signed(4, None), Ask::Services]).await;
    assert_eq!(answers[..3], vec![Ok(Answer::Put { replicas: 1 }); 3]);
    assert!(matches!(answers[3], Ok(Answer::Texts(_))), "{:?}", answers[3]);
    assert_eq!(read(&overlay, "k").await.values.len(), 2);
    let posts = read(&overlay, "posts").await;
    assert_eq!(posts.values[0].value.as_bytes(), sign(4).as_bytes().as_ref());
    assert_eq!(one(&overlay, signed(3, None)).await, Err(OverlayError::Superseded(4)));
    assert_eq!(one(&overlay, put("k", b"third", Some(2))).await, Err(OverlayError::Full));
    let remove =
        |secret| Ask::Remove { key: key("k"), value: Value::new("guarded").unwrap(), secret };
    assert_eq!(one(&overlay, remove(None)).await, Err(OverlayError::WrongSecret));
    assert_eq!(one(&overlay, remove(Some(secret))).await, Ok(Answer::Removed { found: true }));
    let nowhere = one(&overlay, Ask::Locate { user: "anna".to_owned() }).await;
    assert_eq!(nowhere, Ok(Answer::Contacts(Vec::new())));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_batch_or_a_reply_bears_is_done_and_read_whole() {
    let node = Node::ephemeral();
    let overlay = Http::new(vec![url(&node)], None);
    let chunk = |n: usize| vec![u8::try_from(n).unwrap(); 61_440];
    let puts = (0..64).map(|n| put("file", &chunk(n), None)).collect();
    let answers = overlay.run(puts).await;
    assert_eq!(answers, vec![Ok(Answer::Put { replicas: 1 }); 64]);
    let mut found: Vec<Vec<u8>> =
        read(&overlay, "file").await.values.iter().map(|f| f.value.as_bytes().to_vec()).collect();
    found.sort();
    assert_eq!(found, (0..64).map(chunk).collect::<Vec<_>>());
    let reads = vec![Ask::Get(Get { max: 20, ..Get::all(key("file")) }); 8];
    for answer in overlay.run(reads).await {
        let Ok(Answer::Page(page)) = answer else { panic!("{answer:?}") };
        assert_eq!((page.values.len(), page.next), (20, Some(page.values[19].id)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_by_another_super_node_when_its_own_dies() {
    let (first, second) = two();
    let overlay = Http::new(vec![url(&first), url(&second)], None);
    assert_eq!(one(&overlay, put("k", b"v", None)).await, Ok(Answer::Put { replicas: 2 }));
    first.kill();
    assert_eq!(read(&overlay, "k").await.values[0].value.as_bytes(), b"v");
    assert!(matches!(one(&overlay, put("k", b"w", None)).await, Ok(Answer::Put { .. })));
    drop(second);
    let Err(OverlayError::NoNode(tried)) = one(&overlay, Ask::Services).await else { panic!() };
    assert_eq!(tried.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_by_one_super_node_sees_what_is_put_by_another() {
    let (first, second) = two();
    let (here, there) = (Http::new(vec![url(&first)], None), Http::new(vec![url(&second)], None));
    let keys = ["a", "b", "c"].map(|at| Watched { key: key(at), cursor: None }).to_vec();
    let wait = Duration::from_secs(60);
    let seen = here.watch(keys, wait).await.unwrap();
    assert_eq!(seen.len(), 3);
    let put = one(&there, put("b", b"v", None));
    let (put, changed) = tokio::join!(put, here.watch(seen.clone(), wait));
    assert!(put.is_ok());
    let changed = changed.unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].key, key("b"));
    let now = vec![seen[0].clone(), changed[0].clone(), seen[2].clone()];
    assert_eq!(here.watch(now, Duration::from_millis(20)).await, Ok(Vec::new()));
    let changed = here.watch_values(seen, wait).await.unwrap();
    assert_eq!(changed.iter().map(|changed| &changed.key).collect::<Vec<_>>(), [&key("b")]);
    let values = changed[0].values.as_ref().unwrap();
    assert_eq!(values.iter().map(|found| found.value.as_bytes()).collect::<Vec<_>>(), [b"v"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stops_lets_who_watches_go_elsewhere() {
    let (first, second) = two();
    let overlay = Http::new(vec![url(&first), url(&second)], None);
    let keys = vec![Watched { key: key("k"), cursor: None }];
    let seen = overlay.watch(keys, Duration::from_secs(60)).await.unwrap();
    let waiting = overlay.watch(seen, Duration::from_secs(60));
    let there = Http::new(vec![url(&second)], None);
    let happens = async {
        let stopping = tokio::task::spawn_blocking(move || first.stop("-TERM"));
        assert_eq!(stopping.await.unwrap().code, Some(0));
        one(&there, put("k", b"v", None)).await
    };
    let (changed, put) = tokio::join!(waiting, happens);
    assert!(put.is_ok(), "{put:?}");
    assert_eq!(changed.unwrap().len(), 1);
}

/// What may differ from run to run, left out: cursors and what is left of a life.
fn shape(text: &str) -> serde_json::Value {
    fn mask(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    match name.as_str() {
                        "cursor" | "remaining_ms" => *value = serde_json::Value::Null,
                        _ => mask(value),
                    }
                }
            }
            serde_json::Value::Array(values) => values.iter_mut().for_each(mask),
            _ => {}
        }
    }
    let mut json = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    mask(&mut json);
    json
}

#[test]
fn the_commands_of_the_reference_print_what_it_shows() {
    let page = include_str!("../../docs/reference/json.md");
    let node = Node::ephemeral();
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut lines = blocks.flat_map(str::lines);
    let mut run = 0;
    while let Some(command) = lines.next() {
        let command = command.strip_prefix("$ ").unwrap().replace("127.0.0.1:5851", &node.http);
        let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        assert!(output.status.success(), "{command}: is the package curl installed?");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(shape(&printed), shape(lines.next().unwrap()), "{command}");
        run += 1;
    }
    assert!(run >= 5);
}
