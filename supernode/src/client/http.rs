//! One HTTP request to a super-node, on a connection of its own, bounded in time and size.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::cli::NodeUrl;

use super::error::{ClientError, NotANode};

/// How long a node may take to answer. One that is asked for the copies of others answers within a
/// second or says that it cannot; a radio may need a few more to deliver that.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest reply that is read, in bytes: twice what a super-node sends.
const REPLY_MAX: usize = 2 * 1024 * 1024;

/// Sends an XML-RPC call and gives the reply's body.
pub(super) async fn post(node: &NodeUrl, call: String) -> Result<Bytes, ClientError> {
    exchange(node, Method::POST, node.path(), call).await
}

/// The node's own account of how it is doing, a JSON object.
pub(super) async fn status(node: &NodeUrl) -> Result<serde_json::Value, ClientError> {
    let body = exchange(node, Method::GET, "/api/v1/status", String::new()).await?;
    let status: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    status.filter(serde_json::Value::is_object).ok_or_else(|| ClientError::NotANode {
        node: node.clone(),
        what: NotANode::Unexpected("a JSON object"),
    })
}

async fn exchange(
    node: &NodeUrl,
    method: Method,
    path: &str,
    body: String,
) -> Result<Bytes, ClientError> {
    let reply = tokio::time::timeout(TIMEOUT, attempt(node, method, path, body)).await;
    reply.unwrap_or_else(|_| Err(ClientError::Silent { node: node.clone(), after: TIMEOUT }))
}

async fn attempt(
    node: &NodeUrl,
    method: Method,
    path: &str,
    body: String,
) -> Result<Bytes, ClientError> {
    let unreachable = |cause| ClientError::Unreachable { node: node.clone(), cause };
    let wrong = |what| ClientError::NotANode { node: node.clone(), what };
    let broken = |error| wrong(NotANode::Http(error));

    let stream = TcpStream::connect((node.host(), node.port())).await.map_err(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with this function, whichever way it ends. What the task would say, the reply says.
    let mut driver = JoinSet::new();
    driver.spawn(connection);

    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, node.authority())
        .header(USER_AGENT, concat!("supernode/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "text/xml")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| wrong(NotANode::Unexpected("at an address HTTP can name")))?;
    let reply = sender.send_request(request).await.map_err(broken)?;
    if reply.status() != StatusCode::OK {
        return Err(wrong(NotANode::Status(reply.status())));
    }
    let body = Limited::new(reply.into_body(), REPLY_MAX).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|error| {
        match error.downcast::<hyper::Error>() {
            Ok(error) => broken(*error),
            Err(error) if error.is::<LengthLimitError>() => {
                wrong(NotANode::TooLong { max: REPLY_MAX })
            }
            Err(_) => wrong(NotANode::NotXmlRpc),
        }
    })
}
