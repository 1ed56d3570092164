//! Whole commands against a little node made for the test, on a port the system picks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dxr::{Fault, FaultResponse, MethodCall, MethodResponse, Value as Xml};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::cli::{Cli, Command};

use super::*;

/// A node that gives the replies in turn, and the calls it got: `METHOD path body`.
struct Node {
    address: String,
    calls: Arc<Mutex<Vec<String>>>,
}

type Reply = Response<Full<Bytes>>;

impl Node {
    async fn with(replies: impl IntoIterator<Item = Reply>) -> Node {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let replies = Arc::new(Mutex::new(replies.into_iter().collect::<VecDeque<_>>()));
        let log = calls.clone();
        let address = listen(move |stream| {
            let (log, replies) = (log.clone(), replies.clone());
            let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let (log, replies) = (log.clone(), replies.clone());
                async move {
                    let head = format!("{} {} ", request.method(), request.uri());
                    let body = request.into_body().collect().await?.to_bytes();
                    log.lock().unwrap().push(head + str::from_utf8(&body).unwrap());
                    let reply = replies.lock().unwrap().pop_front();
                    Ok::<_, hyper::Error>(reply.expect("one call too many"))
                }
            });
            async move {
                let http = hyper::server::conn::http1::Builder::new();
                // The client goes away when it has its reply, which is no error here.
                let _ = http.serve_connection(TokioIo::new(stream), answer).await;
            }
        })
        .await;
        Node { address, calls }
    }

    /// Runs `supernode WORDS --node HERE`.
    async fn run(&self, words: &str) -> (String, String, u8) {
        run(words, &self.address).await
    }

    /// The parameters of the calls to an XML-RPC method, all others being an error.
    fn parameters(&self, method: &str) -> Vec<Vec<Xml>> {
        let calls = self.calls.lock().unwrap();
        let parameters = calls.iter().map(|call| {
            let body = call.strip_prefix("POST /RPC2 ").expect(call);
            let call = MethodCall::from_xml(body).unwrap();
            assert_eq!(call.name, method);
            call.params
        });
        parameters.collect()
    }
}

/// Serves each connection with `serve`; gives the address.
async fn listen<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

async fn run(words: &str, node: &str) -> (String, String, u8) {
    let words = ["supernode"].into_iter().chain(words.split(' ')).chain(["--node", node]);
    let Some(Command::Client(command)) = Cli::read(words).unwrap().command else {
        panic!("not a client command");
    };
    let printed = perform(
        &command,
        Variables::default(),
        &mut &b"from standard input\n"[..],
        &mut Vec::new(),
    )
    .await;
    (String::from_utf8(printed.out).unwrap(), printed.err, printed.code)
}

fn ok(body: impl Into<Bytes>) -> Reply {
    Response::new(Full::new(body.into()))
}

fn value(value: Xml) -> Reply {
    ok(MethodResponse { value }.to_xml().unwrap())
}

fn fault(code: i32, text: &str) -> Reply {
    ok(FaultResponse { fault: Fault::new(code, text.into()) }.to_xml().unwrap())
}

fn b64(bytes: &[u8]) -> Xml {
    Xml::Base64(bytes.to_vec())
}

fn page(values: &[&[u8]], placemark: &[u8]) -> Reply {
    let values = values.iter().map(|value| b64(value)).collect();
    value(Xml::Array(vec![Xml::Array(values), b64(placemark)]))
}

fn stored() -> Reply {
    let members = [("replicas", Xml::Integer(1)), ("latency_ms", Xml::Double(0.84))];
    value(Xml::Struct(members.map(|(name, value)| (name.into(), value)).into()))
}

#[tokio::test]
async fn a_put_sends_bytes_as_base64_and_only_the_parameters_it_has() {
    let node = Node::with([stored(), stored(), stored(), stored()]).await;
    assert_eq!(node.run("put k v").await, ("stored: 1 copy, 0.8 ms\n".into(), "".into(), 0));
    for words in ["put k - --secret s", "put k v --secret s --ttl 2m", "put k v --ttl 5"] {
        assert_eq!(node.run(words).await.2, 0, "{words}");
    }
    assert_eq!(
        node.parameters("scope.put"),
        [
            vec![b64(b"k"), b64(b"v")],
            vec![b64(b"k"), b64(b"from standard input\n"), b64(b"s")],
            vec![b64(b"k"), b64(b"v"), b64(b"s"), Xml::Integer(120)],
            vec![b64(b"k"), b64(b"v"), b64(b""), Xml::Integer(5)],
        ]
    );
}

#[tokio::test]
async fn a_get_follows_placemarks_to_the_end() {
    let node = Node::with([page(&[b"a", b"b"], b"p1"), page(&[b"c"], b"p2"), page(&[], b"")]).await;
    assert_eq!(node.run("get k").await, ("a\nb\nc\n".into(), "".into(), 0));
    let page = |placemark| vec![b64(b"k"), Xml::Integer(1024), b64(placemark)];
    assert_eq!(node.parameters("scope.get"), [page(b""), page(b"p1"), page(b"p2")]);
}

#[tokio::test]
async fn a_get_asks_for_no_more_than_it_wants() {
    let node = Node::with([page(&[b"a", b"b"], b"p1"), page(&[b"c", b"d"], b"p2")]).await;
    assert_eq!(node.run("get k --max 3 --raw").await, ("abc".into(), "".into(), 0));
    let asked: Vec<_> =
        node.parameters("scope.get").into_iter().map(|parameters| parameters[1].clone()).collect();
    assert_eq!(asked, [Xml::Integer(3), Xml::Integer(1)]);
}

#[tokio::test]
async fn nothing_there_is_code_1() {
    let node = Node::with([page(&[], b""), value(Xml::Integer(0)), value(Xml::Integer(1))]).await;
    assert_eq!(node.run("get k").await, ("".into(), "no value under k\n".into(), 1));
    assert_eq!(node.run("rm k v --json").await, ("{\"removed\":false}\n".into(), "".into(), 1));
    assert_eq!(node.run("rm k v").await, ("removed\n".into(), "".into(), 0));
}

#[tokio::test]
async fn a_fault_is_code_3_with_its_text() {
    let node = Node::with([fault(7, "wrong secret"), fault(7, "wrong secret")]).await;
    let (out, err, code) = node.run("rm k v --secret x").await;
    assert_eq!((out.as_str(), code), ("", 3));
    assert!(err.starts_with("error: the node refused: wrong secret (fault 7)\n"), "{err}");
    assert_eq!(
        node.run("rm k v --secret x --json").await,
        ("{\"error\":{\"code\":7,\"message\":\"wrong secret\"}}\n".into(), "".into(), 3)
    );
    assert_eq!(node.parameters("scope.remove")[0], [b64(b"k"), b64(b"v"), b64(b"x")]);
}

#[tokio::test]
async fn a_status_is_asked_for_by_http() {
    let node = Node::with([ok("{\"id\":\"12D3\",\"entries\":2}"), ok("[]"), ok("<html>")]).await;
    let (out, _, code) = node.run("status").await;
    assert_eq!(out, format!("id        12D3\naddress   http://{}\nentries   2\n", node.address));
    assert_eq!(code, 0);
    for _ in 0..2 {
        let (_, err, code) = node.run("status").await;
        assert!(err.contains("its reply is not a JSON object"), "{err}");
        assert_eq!(code, 3);
    }
    assert_eq!(node.calls.lock().unwrap()[0], format!("{} /api/v1/status ", Method::GET));
}

#[tokio::test]
async fn what_answers_otherwise_is_no_super_node() {
    let deep =
        "<methodResponse><params><param>".to_owned() + &"<value><array><data>".repeat(50_000);
    let mut missing = ok("nothing here");
    *missing.status_mut() = StatusCode::NOT_FOUND;
    for (reply, what) in [
        (missing, "HTTP status 404 Not Found"),
        (ok("<html>"), "its reply is not XML-RPC"),
        (ok(""), "its reply is not XML-RPC"),
        (ok(&b"\xff"[..]), "its reply is not XML-RPC"),
        (ok(deep), "its reply is not XML-RPC"),
        (value(Xml::Boolean(true)), "its reply is not what scope.get returns"),
        (value(Xml::Array(vec![b64(b"a")])), "its reply is not what scope.get returns"),
        (page(&[], b"p1"), "its listing does not end"),
        (ok(vec![b' '; 3 << 20]), "its reply is over 2 MiB"),
    ] {
        let node = Node::with([reply]).await;
        let text = format!(
            "error: http://{} does not answer as a super-node does: {what}\n\
            name another node with --node URL\n",
            node.address
        );
        assert_eq!(node.run("get k").await, (String::new(), text, 3));
    }
}

#[tokio::test]
async fn an_endless_listing_ends() {
    let pages = (0..20).map(|_| page(&[[b'x'; 60_000].as_slice(); 10], b"again"));
    let node = Node::with(pages).await;
    let (_, err, code) = node.run("get k").await;
    assert!(err.contains("its listing does not end"), "{err}");
    assert_eq!(code, 3);
    assert!(node.calls.lock().unwrap().len() < 20);
}

#[tokio::test]
async fn what_is_not_http_is_no_super_node() {
    let node = listen(|mut stream| async move {
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
        // Closing before the request is read would reset the connection.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let (_, err, code) = run("get k", &node).await;
    assert!(err.starts_with(&format!("error: http://{node} does not answer as a super-node")));
    assert_eq!(code, 3);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_says_nothing_is_given_up_after_ten_seconds() {
    let silent = listen(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let began = tokio::time::Instant::now();
    let (out, err, code) = run("status", &silent).await;
    assert_eq!(began.elapsed().as_secs(), 10);
    let text =
        format!("error: http://{silent} did not answer within 10 s\nis supernode running there?\n");
    assert_eq!((out.as_str(), err, code), ("", text, 3));
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (out, err, code) = run("get k", &node).await;
    assert_eq!((out.as_str(), code), ("", 3));
    assert!(err.starts_with(&format!("error: http://{node} cannot be reached: ")), "{err}");
    assert!(err.ends_with("\nis supernode running there?\n"), "{err}");
    let (out, err, code) = run("get k --json", &node).await;
    assert!(out.starts_with("{\"error\":{\"message\":\"http://"), "{out}");
    assert_eq!((err.as_str(), code), ("", 3));
}

#[tokio::test]
async fn what_makes_no_sense_is_not_sent() {
    let node = Node::with([]).await;
    let (_, err, code) = node.run(&format!("get {}", "x".repeat(1025))).await;
    assert_eq!((err.as_str(), code), ("error: the key has 1025 bytes; the limit is 1024\n", 2));
    assert!(node.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_node_that_wants_a_passphrase_or_is_busy_is_told_apart() {
    let with = |status: StatusCode| {
        let mut reply = ok("told");
        *reply.status_mut() = status;
        reply
    };
    let replies = [StatusCode::UNAUTHORIZED, StatusCode::SERVICE_UNAVAILABLE].map(with);
    let node = Node::with(replies).await;
    let (out, err, code) = node.run("get k").await;
    let wants = format!(
        "error: http://{} wants its passphrase\n\
        give it with --passphrase-file FILE, or in SUPERNODE_PASSPHRASE\n",
        node.address
    );
    assert_eq!((out.as_str(), err, code), ("", wants, 3));
    let (_, err, code) = node.run("get k").await;
    assert!(err.contains("is busy; nothing was done, try again"), "{err}");
    assert_eq!(code, 3);
    let (_, err, code) = node.run("get k --passphrase-file /nonexistent/p").await;
    assert!(err.starts_with("error: the passphrase file /nonexistent/p cannot be read"), "{err}");
    assert_eq!(code, 2);
}
