//! One HTTP request to a super-node, on a connection of its own, bounded in time and size.

use std::ffi::OsString;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::cli::{Connection, NodeUrl};
use crate::passphrase::{Passphrase, PassphraseFile, VARIABLE};

use super::error::{ClientError, NotANode};

/// How long a node may take to answer. One that is asked for the copies of others answers within a
/// second or says that it cannot; a radio may need a few more to deliver that.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest reply that is read, in bytes: twice what a super-node sends.
const REPLY_MAX: usize = 2 * 1024 * 1024;

/// Who is asked, and what it takes to be answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) node: NodeUrl,
    passphrase: Option<Passphrase>,
}

impl Server {
    /// Reads what a command's arguments refer to: a passphrase's file, or else what the environment
    /// has for it.
    pub(super) fn read(
        connection: &Connection,
        variable: Option<OsString>,
    ) -> Result<Server, ClientError> {
        let variable = variable.filter(|value| !value.is_empty());
        let passphrase = match (&connection.passphrase_file, variable) {
            (Some(path), _) => {
                let file = PassphraseFile::read(path)
                    .map_err(|cause| ClientError::PassphraseFile { path: path.clone(), cause })?;
                let origin = format!("the passphrase file {}", path.display());
                let read = file.passphrase();
                Some(read.map_err(|cause| ClientError::NotAPassphrase { origin, cause })?)
            }
            (None, Some(value)) => {
                let origin = VARIABLE.to_owned();
                let read = Passphrase::from_variable(&value);
                Some(read.map_err(|cause| ClientError::NotAPassphrase { origin, cause })?)
            }
            (None, None) => None,
        };
        Ok(Server { node: connection.node.clone(), passphrase })
    }

    /// What a request to a node at this address says of us: on this machine, nothing is asked.
    fn authorization(&self, at: IpAddr) -> Option<String> {
        let passphrase = self.passphrase.as_ref().filter(|_| !at.to_canonical().is_loopback())?;
        Some(format!("Basic {}", STANDARD.encode(format!("scope:{}", passphrase.as_str()))))
    }
}

/// Sends an XML-RPC call and gives the reply's body.
pub(super) async fn post(server: &Server, call: String) -> Result<Bytes, ClientError> {
    exchange(server, Method::POST, server.node.path(), call).await
}

/// The node's own account of how it is doing, a JSON object.
pub(super) async fn status(server: &Server) -> Result<serde_json::Value, ClientError> {
    let body = exchange(server, Method::GET, "/api/v1/status", String::new()).await?;
    let status: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    status.filter(serde_json::Value::is_object).ok_or_else(|| ClientError::NotANode {
        node: server.node.clone(),
        what: NotANode::Unexpected("a JSON object"),
    })
}

/// What a path of the JSON interface answers.
pub(super) async fn get(server: &Server, path: &str) -> Result<Bytes, ClientError> {
    exchange(server, Method::GET, path, String::new()).await
}

async fn exchange(
    server: &Server,
    method: Method,
    path: &str,
    body: String,
) -> Result<Bytes, ClientError> {
    let reply = tokio::time::timeout(TIMEOUT, attempt(server, method, path, body)).await;
    reply.unwrap_or_else(|_| Err(ClientError::Silent { node: server.node.clone(), after: TIMEOUT }))
}

async fn attempt(
    server: &Server,
    method: Method,
    path: &str,
    body: String,
) -> Result<Bytes, ClientError> {
    let node = &server.node;
    let unreachable = |cause| ClientError::Unreachable { node: node.clone(), cause };
    let wrong = |what| ClientError::NotANode { node: node.clone(), what };
    let broken = |error| wrong(NotANode::Http(error));

    let stream = TcpStream::connect((node.host(), node.port())).await.map_err(unreachable)?;
    let authorization = server.authorization(stream.peer_addr().map_err(unreachable)?.ip());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with this function, whichever way it ends. What the task would say, the reply says.
    let mut driver = JoinSet::new();
    driver.spawn(connection);

    let mut request = Request::builder().method(method).uri(path);
    let told = authorization.is_some();
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let request = request
        .header(HOST, node.authority())
        .header(USER_AGENT, concat!("supernode/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "text/xml")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| wrong(NotANode::Unexpected("at an address HTTP can name")))?;
    let reply = sender.send_request(request).await.map_err(broken)?;
    match reply.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => {
            return Err(ClientError::WrongPassphrase { node: node.clone(), told });
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            return Err(ClientError::Busy { node: node.clone() });
        }
        status => return Err(wrong(NotANode::Status(status))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_passphrase_is_told_to_other_machines_only() {
        let passphrase = Passphrase::new("open sesame").ok();
        let server = Server { node: NodeUrl::local(), passphrase };
        let told = |at: &str| server.authorization(at.parse().unwrap());
        let expected = Some("Basic c2NvcGU6b3BlbiBzZXNhbWU=".to_owned());
        assert_eq!((told("192.0.2.1"), told("2001:db8::1")), (expected.clone(), expected));
        assert_eq!((told("127.0.0.1"), told("::1"), told("::ffff:127.0.0.1")), (None, None, None));
    }

    #[test]
    fn the_passphrase_is_the_files_or_else_the_variables() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "of the file\n").unwrap();
        let read = |path: Option<&std::path::Path>, variable: Option<&str>| {
            let passphrase_file = path.map(Into::into);
            let connection = Connection { node: NodeUrl::local(), passphrase_file, json: false };
            let server = Server::read(&connection, variable.map(Into::into))?;
            Ok(server.passphrase.map(|passphrase| passphrase.as_str().to_owned()))
                .map_err(|error: ClientError| error)
        };
        let said = |path, variable| read(path, variable).unwrap();
        assert_eq!(said(Some(file.path()), Some("of the variable")).unwrap(), "of the file");
        assert_eq!(said(None, Some("of the variable")).unwrap(), "of the variable");
        assert_eq!((said(None, Some("")), said(None, None)), (None, None));
        let error = read(None, Some("short")).unwrap_err();
        assert!(error.to_string().starts_with("SUPERNODE_PASSPHRASE has 5 bytes"), "{error}");
        let error = read(Some("/nonexistent/p".as_ref()), None).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/p cannot be read"), "{error}");
    }
}
