//! One request to one super-node, on a connection that is kept for the next, bounded in time and size.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::door::{BATCH_REPLY_MAX, Kind, Refusal, Refused};
use crate::node_url::NodeUrl;

/// How long a super-node may take to accept a connection. Who is there does so within milliseconds; a radio
/// may need a second.
const CONNECT: Duration = Duration::from_secs(3);
/// How long one may take to answer what need not wait: it begins all of a batch within two seconds or not at
/// all, and waits seven for super-nodes that are silent.
const SILENT: Duration = Duration::from_secs(12);
/// Bytes a second that even a crowded radio carries: so much longer a long request may take.
const BYTES_PER_S: usize = 26_000;
/// How long a connection is kept that nothing goes by: a super-node closes it after half a minute.
const IDLE: Duration = Duration::from_secs(20);
/// Connections to one super-node that are kept.
const IDLE_MAX: usize = 8;
/// Longest text of a refusal that is read.
const REFUSAL_MAX: usize = 16 * 1024;

/// What exchanges requests for answers.
pub(super) struct Exchange {
    client: Client<HttpConnector, Full<Bytes>>,
    authorization: Option<HeaderValue>,
    silent: Duration,
}

/// Why there is no answer.
pub(super) enum Failure {
    /// Nobody is there, it is silent, or it is no super-node.
    Lost(String),
    /// It is there, and says when to try again.
    Busy(Duration),
    /// It wants the overlay's passphrase.
    Locked(String),
    /// It could not do it; another might.
    Said(Refusal),
    /// It refuses, as any other would.
    Refused(Refusal),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Lost(why) | Failure::Locked(why) => f.write_str(why),
            Failure::Busy(_) => f.write_str("it is busy"),
            Failure::Said(refusal) | Failure::Refused(refusal) => f.write_str(&refusal.message),
        }
    }
}

impl Exchange {
    pub(super) fn new(passphrase: Option<&str>) -> Exchange {
        Exchange::with_patience(passphrase, SILENT)
    }

    /// One for which a super-node is silent after so long.
    pub(super) fn with_patience(passphrase: Option<&str>, silent: Duration) -> Exchange {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        let authorization = passphrase.and_then(|passphrase| {
            let basic = BASE64_STANDARD.encode(format!("scope:{passphrase}"));
            let mut value = HeaderValue::from_str(&format!("Basic {basic}")).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Exchange { client, authorization, silent }
    }

    /// Posts a body to a super-node that may wait so long before it answers; what it answers.
    pub(super) async fn post(
        &self,
        node: &NodeUrl,
        path: &str,
        body: Bytes,
        wait: Duration,
    ) -> Result<Bytes, Failure> {
        match self.attempt(node, path, body.clone(), wait).await {
            // The super-node may have closed a connection that was kept, just as it was used again.
            Err(Attempt::Broken(_)) => {
                self.attempt(node, path, body, wait).await.map_err(Failure::from)
            }
            done => done.map_err(Failure::from),
        }
    }

    async fn attempt(
        &self,
        node: &NodeUrl,
        path: &str,
        body: Bytes,
        wait: Duration,
    ) -> Result<Bytes, Attempt> {
        let on_the_way = Duration::from_secs((body.len() / BYTES_PER_S) as u64);
        let patience = self.silent + wait + on_the_way;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}{path}", node.authority()))
            .header(USER_AGENT, concat!("whatsup/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = self.authorization.as_ref().filter(|_| !is_here(node)) {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(|_| lost("that is no address HTTP can name"))?;
        let answered = timeout(patience, self.client.request(request)).await;
        let answered =
            answered.map_err(|_| lost(&format!("silent for {} s", patience.as_secs())))?;
        let reply = answered.map_err(|error| match error.is_connect() {
            true => lost(&deepest(&error)),
            false => Attempt::Broken(deepest(&error)),
        })?;
        let status = reply.status();
        if status == StatusCode::OK {
            return read(reply, BATCH_REPLY_MAX, self.silent).await.map_err(|why| lost(&why));
        }
        let after =
            reply.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
        let text = read(reply, REFUSAL_MAX, self.silent).await.unwrap_or_default();
        Err(Attempt::Done(refused(status, after.map(Duration::from_secs), &text)))
    }
}

/// Why an attempt failed.
enum Attempt {
    /// The connection ended too early.
    Broken(String),
    /// For a reason that it would again.
    Done(Failure),
}

impl From<Attempt> for Failure {
    fn from(attempt: Attempt) -> Failure {
        match attempt {
            Attempt::Broken(why) => Failure::Lost(why),
            Attempt::Done(failure) => failure,
        }
    }
}

fn lost(why: &str) -> Attempt {
    Attempt::Done(Failure::Lost(why.to_owned()))
}

/// What a status other than 200 means.
fn refused(status: StatusCode, after: Option<Duration>, text: &[u8]) -> Failure {
    let said = serde_json::from_slice::<Refused>(text).ok().map(|refused| refused.error);
    match (status, said) {
        (StatusCode::UNAUTHORIZED, _) => {
            Failure::Locked("give the right one by --passphrase-file".to_owned())
        }
        // It found too few replicas, or has too much to do: another may not.
        (_, Some(refusal)) if matches!(refusal.kind, Kind::NoQuorum | Kind::OverCapacity) => {
            Failure::Said(refusal)
        }
        (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, _) => {
            Failure::Busy(after.unwrap_or(Duration::from_secs(1)))
        }
        (status, Some(refusal)) if status.is_client_error() => Failure::Refused(refusal),
        (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, None) => Failure::Lost(
            "no super-node, or one of an older version: it has no /api/v1/batch".to_owned(),
        ),
        (status, _) => Failure::Lost(format!("it answers with the HTTP status {status}")),
    }
}

/// Reads a body of at most so many bytes, for the next of which nobody waits longer than `silent`.
async fn read(reply: Response<Incoming>, max: usize, silent: Duration) -> Result<Bytes, String> {
    let mut body = reply.into_body();
    let mut collected = BytesMut::new();
    loop {
        let frame = timeout(silent, body.frame()).await;
        let Some(frame) = frame.map_err(|_| "it stopped midway".to_owned())? else { break };
        let frame = frame.map_err(|error| deepest(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if collected.len() + data.len() > max {
            return Err(format!("its answer is longer than {max} bytes"));
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected.freeze())
}

/// The cause that says most: those above it only say that something went wrong.
fn deepest(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Whether it is this machine, of whose programs no super-node asks anything.
pub(super) fn is_here(node: &NodeUrl) -> bool {
    let address = node.host().parse::<IpAddr>();
    address.map_or(node.host() == "localhost", |address| address.to_canonical().is_loopback())
}
