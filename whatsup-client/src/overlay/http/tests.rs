//! Against super-nodes that answer what a test wants them to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base::{Key, SecretTag, Ttl, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::overlay::{Cursor, Get};

/// A super-node: what it was asked, and how it answers the first, the second, and all later requests.
struct Fake {
    at: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Fake {
    async fn new(replies: &[&str]) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let replies: Vec<String> = replies.iter().map(|reply| (*reply).to_owned()).collect();
        let mut serving = JoinSet::new();
        let log = Arc::clone(&asked);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&log), replies.clone()));
            }
        });
        Fake { at, asked, _serving: serving }
    }

    fn url(&self) -> NodeUrl {
        self.at.to_string().parse().unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Mutex<Vec<String>>>, replies: Vec<String>) {
    let mut got = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                let reply = {
                    let mut log = log.lock().unwrap();
                    log.push(text.clone());
                    replies[(log.len() - 1).min(replies.len() - 1)].clone()
                };
                got.clear();
                // An empty reply is a connection that ends.
                if reply.is_empty() || stream.write_all(reply.as_bytes()).await.is_err() {
                    return;
                }
                continue;
            }
        }
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => got.extend_from_slice(&chunk[..count]),
            _ => return,
        }
    }
}

fn reply(status: &str, body: &str) -> String {
    let len = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {len}\r\n\r\n{body}")
}

fn ok(body: &str) -> String {
    reply("200 OK", body)
}

fn put() -> Ask {
    Ask::Put {
        key: Key::new("k").unwrap(),
        value: Value::new("v").unwrap(),
        tag: SecretTag::NONE,
        ttl: Ttl::MAX,
        room: None,
    }
}

const STORED: &str = "{\"answers\": [{\"put\": {\"replicas\": 3}}]}";

fn error(kind: &str) -> String {
    format!(
        "{{\"answers\": [{{\"error\": {{\"kind\": \"{kind}\", \"code\": 5, \"message\": \"m\"}}}}]}}"
    )
}

/// An address where nobody listens.
async fn nobody() -> NodeUrl {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string().parse().unwrap()
}

async fn one(http: &Http) -> Result<Answer, OverlayError> {
    http.run(vec![put()]).await.pop().unwrap()
}

#[tokio::test]
async fn the_next_is_asked_when_one_is_not_there_and_the_one_that_works_is_kept_to() {
    let works = Fake::new(&[&ok(STORED)]).await;
    let http = Http::new(vec![nobody().await, works.url()], None);
    for asked in 1..=3 {
        assert_eq!(one(&http).await, Ok(Answer::Put { replicas: 3 }));
        assert_eq!(works.asked().len(), asked);
    }
    assert_eq!(
        http.nodes.ask("/x", Bytes::new(), Duration::ZERO, |_| Some(())).await.unwrap().0,
        1
    );
    assert!(!works.asked()[0].contains("uthorization"));
}

#[tokio::test]
async fn what_is_no_super_node_is_passed_over_whatever_it_answers() {
    let lies = [
        ok("{\"answers\": []}"),
        ok("{\"answers\": [{\"put\": {\"replicas\": 3}}, {\"put\": {\"replicas\": 3}}]}"),
        ok("<html>"),
        reply("404 Not Found", "nothing here"),
        reply("500 Oh", ""),
        "SSH-2.0-x\r\n".to_owned(),
        String::new(),
        reply("301 Moved", ""),
    ];
    for lie in lies {
        let (liar, works) = (Fake::new(&[&lie]).await, Fake::new(&[&ok(STORED)]).await);
        let http = Http::new(vec![liar.url(), works.url()], None);
        assert_eq!(one(&http).await, Ok(Answer::Put { replicas: 3 }), "{lie}");
        assert!(!liar.asked().is_empty());
        let alone = Http::new(vec![liar.url()], None);
        let Err(OverlayError::NoNode(tried)) = one(&alone).await else { panic!("{lie}") };
        assert_eq!(tried[0].0, liar.url().to_string());
    }
}

#[tokio::test]
async fn one_that_is_silent_or_stops_midway_is_left_for_the_next() {
    let endless = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{{", 1 << 20);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1_u64 << 40);
    let too_long = head + &"x".repeat(4 << 20);
    let all = ["HTTP/1.1 ".to_owned(), endless, too_long].map(|silence| async move {
        let (silent, works) = (Fake::new(&[&silence]).await, Fake::new(&[&ok(STORED)]).await);
        // Long enough for whoever does answer.
        let exchange = exchange::Exchange::with_patience(None, Duration::from_secs(3));
        let http = Http { nodes: Nodes::by(exchange, vec![silent.url(), works.url()]) };
        assert_eq!(one(&http).await, Ok(Answer::Put { replicas: 3 }));
        assert_eq!(silent.asked().len(), 1, "who was silent is not asked again");
    });
    futures::future::join_all(all).await;
}

#[tokio::test]
async fn when_none_answers_each_is_named_with_what_went_wrong_there() {
    let (nobody, broken) = (nobody().await, Fake::new(&[&reply("500 Oh", "")]).await);
    let http = Http::new(vec![nobody.clone(), broken.url()], None);
    let error = one(&http).await.unwrap_err();
    let Err(OverlayError::NoNode(tried)) = Err::<(), _>(error.clone()) else { panic!("{error}") };
    assert_eq!(tried.len(), 2);
    let text = error.to_string();
    assert!(text.contains(&nobody.to_string()) && text.contains("refused"), "{text}");
    assert!(text.contains("HTTP status 500"), "{text}");
    let none = one(&Http::new(Vec::new(), None)).await.unwrap_err();
    assert_eq!(none, OverlayError::NoNode(Vec::new()));
}

#[tokio::test]
async fn one_that_is_busy_is_asked_again_and_another_at_once() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
    let later = Fake::new(&[busy, busy, &ok(STORED)]).await;
    let http = Http::new(vec![later.url()], None);
    assert_eq!(one(&http).await, Ok(Answer::Put { replicas: 3 }));
    assert_eq!(later.asked().len(), 3);
    let (always, other) = (Fake::new(&[busy]).await, Fake::new(&[&ok(STORED)]).await);
    let http = Http::new(vec![always.url(), other.url()], None);
    assert_eq!(one(&http).await, Ok(Answer::Put { replicas: 3 }));
    assert_eq!((always.asked().len(), other.asked().len()), (1, 1));
    let http = Http::new(vec![always.url()], None);
    assert!(matches!(one(&http).await, Err(OverlayError::NoNode(_))), "not for ever");
}

#[tokio::test]
async fn a_wrong_passphrase_is_told_and_this_machine_is_told_none() {
    let wants = Fake::new(&[&reply("401 Unauthorized", "this super-node wants …")]).await;
    let http = Http::new(vec![wants.url(), nobody().await], Some("a secret"));
    assert!(matches!(one(&http).await, Err(OverlayError::Locked(_))));
    assert!(!wants.asked()[0].to_lowercase().contains("authorization"));
    for (host, here) in
        [("127.0.0.1", true), ("[::1]", true), ("localhost", true), ("192.0.2.1", false)]
    {
        assert_eq!(exchange::is_here(&host.parse().unwrap()), here, "{host}");
    }
}

#[tokio::test]
async fn what_one_finds_too_few_replicas_for_another_is_asked_once() {
    let (parted, well) =
        (Fake::new(&[&ok(&error("no_quorum"))]).await, Fake::new(&[&ok(STORED)]).await);
    let http = Http::new(vec![parted.url(), well.url()], None);
    assert_eq!(one(&http).await, Ok(Answer::Put { replicas: 3 }));
    let all = Http::new(vec![parted.url(), parted.url()], None);
    assert_eq!(one(&all).await, Err(OverlayError::NoQuorum("m".to_owned())));
    let alone = Http::new(vec![parted.url()], None);
    let before = parted.asked().len();
    assert_eq!(one(&alone).await, Err(OverlayError::NoQuorum("m".to_owned())));
    assert_eq!(parted.asked().len(), before + 1);
}

#[tokio::test]
async fn what_there_was_no_room_for_is_asked_again_and_not_for_ever() {
    let later = Fake::new(&[&ok(&error("try_again")), &ok(STORED)]).await;
    let http = Http::new(vec![later.url()], None);
    assert_eq!(one(&http).await, Ok(Answer::Put { replicas: 3 }));
    let never = Fake::new(&[&ok(&error("try_again"))]).await;
    let http = Http::new(vec![never.url()], None);
    assert_eq!(one(&http).await, Err(OverlayError::NoQuorum("m".to_owned())));
    assert_eq!(never.asked().len(), TRIES as usize);
}

#[tokio::test]
async fn a_refusal_of_the_whole_is_every_asks() {
    let refusal = "{\"error\": {\"kind\": \"bad_request\", \"code\": 2, \"message\": \"no\"}}";
    let strict = Fake::new(&[&reply("400 Bad Request", refusal)]).await;
    let http = Http::new(vec![strict.url(), nobody().await], None);
    let answers = http.run(vec![put(), put()]).await;
    assert_eq!(answers, vec![Err(OverlayError::Refused("no".to_owned())); 2]);
    assert_eq!(strict.asked().len(), 1);
}

#[tokio::test]
async fn asks_go_together_within_the_bounds_of_a_batch() {
    let value = Value::new(vec![7; 61_440]).unwrap();
    let big = |n: usize| Ask::Put {
        key: Key::new(format!("{n}")).unwrap(),
        value: value.clone(),
        tag: SecretTag::NONE,
        ttl: Ttl::MAX,
        room: None,
    };
    let all: Vec<Pending> = (0..256).map(big).map(Pending::new).collect();
    let open: Vec<usize> = (0..256).collect();
    let parts = batches(&all, &open);
    assert!(parts.iter().all(|(_, body)| body.len() <= BATCH_BODY_MAX));
    assert!(parts[0].0.len() >= 16, "16 chunks of a file fit into one");
    let ats: Vec<usize> = parts.iter().flat_map(|(ats, _)| ats.clone()).collect();
    assert_eq!(ats, open);
    let small: Vec<Pending> = (0..600).map(|_| Pending::new(put())).collect();
    let counts = batches(&small, &(0..600).collect::<Vec<_>>());
    assert_eq!(counts.iter().map(|(ats, _)| ats.len()).collect::<Vec<_>>(), [256, 256, 88]);
}

#[tokio::test]
async fn a_watch_names_keys_by_what_was_asked_and_believes_nothing_else() {
    let cursor = serde_json::to_string(&door::Base64::copy(&[7; 16])).unwrap();
    let told = format!("{{\"changed\": [{{\"at\": 1, \"cursor\": {cursor}}}]}}");
    let node = Fake::new(&[&ok(&told)]).await;
    let http = Http::new(vec![node.url()], None);
    let keys = ["a", "b"].map(|key| Watched { key: Key::new(key).unwrap(), cursor: None });
    let changed = http.watch(keys.to_vec(), Duration::from_millis(1500)).await.unwrap();
    assert_eq!(changed, [Watched { cursor: Some(Cursor([7; 16])), ..keys[1].clone() }]);
    assert!(node.asked()[0].contains("\"timeout_s\":1.5"), "{:?}", node.asked());
    for lie in
        [told.replace("1,", "2,"), told.replace(&cursor, "\"aw\""), "{\"changed\": 7}".to_owned()]
    {
        let liar = Fake::new(&[&ok(&lie)]).await;
        let http = Http::new(vec![liar.url()], None);
        let watched = http.watch(keys.to_vec(), Duration::ZERO).await;
        assert!(matches!(watched, Err(OverlayError::NoNode(_))), "{lie}: {watched:?}");
    }
    let id = serde_json::to_string(&door::Base64::copy(&[9; base::EntryId::LEN])).unwrap();
    let values = format!("[{{\"id\": {id}, \"value\": \"aGk=\", \"remaining_ms\": 7}}]");
    let told = told.replace("}]}", &format!(", \"values\": {values}}}]}}"));
    let node = Fake::new(&[&ok(&told)]).await;
    let http = Http::new(vec![node.url()], None);
    let changed = http.watch_values(keys.to_vec(), Duration::ZERO).await.unwrap();
    assert!(node.asked()[0].contains("\"values\":true"), "{:?}", node.asked());
    let [Changed { key, cursor: Cursor([7, ..]), values: Some(values) }] = &changed[..] else {
        panic!("{changed:?}")
    };
    assert_eq!((key, values[0].value.as_bytes()), (&keys[1].key, &b"hi"[..]));
    for lie in [told.replace(&id, "\"aw\""), told.replace("aGk=", "%")] {
        let liar = Fake::new(&[&ok(&lie)]).await;
        let http = Http::new(vec![liar.url()], None);
        let watched = http.watch_values(keys.to_vec(), Duration::ZERO).await;
        assert!(matches!(watched, Err(OverlayError::NoNode(_))), "{lie}: {watched:?}");
    }
    let many = vec![keys[0].clone(); WATCHED_MAX + 1];
    assert!(matches!(http.watch(many, Duration::ZERO).await, Err(OverlayError::Refused(_))));
}

#[tokio::test]
async fn an_answer_to_another_question_is_told_as_such() {
    let node = Fake::new(&[&ok(STORED)]).await;
    let http = Http::new(vec![node.url()], None);
    let get = Ask::Get(Get::all(Key::new("k").unwrap()));
    let answer = http.run(vec![get]).await.pop().unwrap();
    assert!(matches!(answer, Err(OverlayError::Refused(_))), "{answer:?}");
}
