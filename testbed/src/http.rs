//! As much of an HTTP client as a proof needs: what is sent is given byte by byte, and what comes
//! back is read with a deadline and a bound. Blocking; the benches have a faster one.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Most bytes of an answer: a reply of 1 MiB and its framing, with room to notice a larger one.
const ANSWER_MAX: usize = 4 * 1024 * 1024;

/// A connection and how long all that is done on it may take together.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    deadline: Instant,
}

/// What the server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The header fields, names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Connects; everything on the connection has to be done within `limit` from now.
    pub(crate) fn open(server: SocketAddr, limit: Duration) -> Result<Connection> {
        let stream = TcpStream::connect_timeout(&server, limit)
            .with_context(|| format!("cannot connect to {server}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, unread: Vec::new(), deadline: Instant::now() + limit })
    }

    /// Gives everything that follows `limit` from now.
    pub(crate) fn extend(&mut self, limit: Duration) {
        self.deadline = Instant::now() + limit;
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write_all(bytes).context("cannot send")
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish_sending(&mut self) -> Result<()> {
        Ok(self.stream.shutdown(std::net::Shutdown::Write)?)
    }

    /// Reads one answer; `None` when the server closes the connection instead.
    pub(crate) fn answer(&mut self) -> Result<Option<Answer>> {
        let (mut answer, head) = loop {
            if let Some(found) = parse_head(&self.unread)? {
                break found;
            }
            if !self.read_more()? {
                ensure!(self.unread.is_empty(), "the connection ended within the header");
                return Ok(None);
            }
        };
        self.unread.drain(..head);
        let length = match answer.field("content-length") {
            Some(text) => Some(text.parse::<usize>().context("a bad Content-Length")?),
            None => None,
        };
        if answer.field("transfer-encoding").is_some() {
            bail!("the answer is chunked; a client of 2004 cannot read that");
        }
        while length.is_none_or(|length| self.unread.len() < length) {
            if !self.read_more()? {
                ensure!(length.is_none(), "the connection ended within the body");
                break;
            }
        }
        let rest = self.unread.split_off(length.unwrap_or(self.unread.len()));
        answer.body = std::mem::replace(&mut self.unread, rest);
        Ok(Some(answer))
    }

    /// Whether bytes or the end of the connection are there to be read now.
    pub(crate) fn has_news(&mut self) -> Result<bool> {
        self.stream.set_read_timeout(Some(Duration::from_millis(1)))?;
        match self.stream.peek(&mut [0]) {
            Ok(_) => Ok(true),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
            // A reset is an end, too.
            Err(_) => Ok(true),
        }
    }

    /// Reads what there is; `false` at the end of the connection.
    fn read_more(&mut self) -> Result<bool> {
        ensure!(self.unread.len() < ANSWER_MAX, "the answer is longer than {ANSWER_MAX} bytes");
        self.stream.set_read_timeout(Some(self.left()?))?;
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ok(false),
            Ok(n) => {
                self.unread.extend_from_slice(&chunk[..n]);
                Ok(true)
            }
            // A server that closes while we still send resets the connection.
            Err(e) if e.kind() == ErrorKind::ConnectionReset => Ok(false),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                bail!("no answer in time")
            }
            Err(e) => Err(e).context("cannot read the answer"),
        }
    }

    fn left(&self) -> Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "no answer in time");
        Ok(left)
    }
}

impl Answer {
    /// The value of the header field of this lower-case name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// A GET on a fresh connection.
pub(crate) fn get(server: SocketAddr, path: &str, limit: Duration) -> Result<Answer> {
    let mut connection = Connection::open(server, limit)?;
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n").as_bytes())?;
    connection.answer()?.with_context(|| format!("no answer to GET {path}"))
}

/// The bytes of a POST of XML.
pub(crate) fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\n\
         Content-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// The header at the beginning of `bytes` and its length; `None` while it is incomplete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Answer, usize)>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).context("a header that is not text")?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let mut words = status_line.split(' ');
    ensure!(
        words.next().is_some_and(|version| version.starts_with("HTTP/1.")),
        "not an HTTP/1 answer: {status_line:?}"
    );
    let status = words
        .next()
        .and_then(|word| word.parse().ok())
        .with_context(|| format!("no status in {status_line:?}"))?;
    let fields = lines
        .map(|line| {
            let (name, value) = line.split_once(':').context("a header line without a colon")?;
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect::<Result<_>>()?;
    Ok(Some((Answer { status, fields, body: Vec::new() }, end + 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_once_it_is_whole() {
        let bytes = b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nX-y:z\r\n\r\nbody";
        assert_eq!(parse_head(&bytes[..20]).unwrap(), None);
        let (answer, length) = parse_head(bytes).unwrap().unwrap();
        assert_eq!(answer.status, 405);
        assert_eq!((answer.field("allow"), answer.field("x-y")), (Some("POST"), Some("z")));
        assert_eq!(&bytes[length..], b"body");
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        assert!(parse_head(b"SSH-2.0-x\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 abc\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n").is_err());
    }
}
