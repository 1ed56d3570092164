//! Load that costs as little as it can, so that the server is what is measured: prebuilt requests
//! in which only a number changes, keep-alive connections, and a reader that knows no more of
//! HTTP than `Content-Length`. The same for every kind of request.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::choice::Choice;
use crate::http::post;
use crate::rpc::{Param, call};
use crate::stats::percentile;

/// A client that does nothing but ask, as the floors are stated.
const CLIENT: Client = Client { from: Ipv4Addr::LOCALHOST, connections: 16, every: None };

/// Bytes of a value.
pub(super) const VALUE_SIZE: usize = 100;

/// Where a number goes into a request: sixteen hexadecimal digits.
const NUMBER: &str = "0000000000000000";

/// An answer may take this long before the run is given up.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const ANSWER_MAX: usize = 1024 * 1024;

/// Which number each request carries.
#[derive(Debug, Clone)]
enum Numbers {
    /// None.
    None,
    /// The next one.
    Next(Arc<AtomicU64>),
    /// Any below.
    Below(u64),
}

/// Requests of one kind.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    bytes: Vec<u8>,
    number_at: usize,
    numbers: Numbers,
}

/// Who asks, and how hard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    /// Its address, of the loopback network.
    pub(super) from: Ipv4Addr,
    /// Its keep-alive connections.
    pub(super) connections: u64,
    /// From one request of a connection to the next, however long the first one takes, but one at
    /// a time; `None` is as fast as it is answered.
    pub(super) every: Option<Duration>,
}

/// When to end: at whichever comes first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    pub(super) requests: u64,
    pub(super) time: Duration,
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Load {
    /// Requests answered.
    pub(super) requests: usize,
    /// Requests answered with a fault, or with nothing.
    pub(super) refused: u64,
    /// Requests answered a second.
    pub(super) rate: f64,
    /// The median answer, in microseconds.
    pub(super) p50_us: f64,
    /// All but the slowest hundredth, in microseconds.
    pub(super) p99_us: f64,
}

impl Requests {
    /// `GET /healthz`
    pub(super) fn healthz() -> Requests {
        let bytes = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_vec();
        Requests { bytes, number_at: 0, numbers: Numbers::None }
    }

    /// `scope.get` of random keys among the first `keys`.
    pub(super) fn gets(keys: u64) -> Result<Requests> {
        Requests::numbered(&call("scope.get", &[Param::Text(NUMBER)]), Numbers::Below(keys))
    }

    /// `scope.put` of one value under each key from the `first` on.
    pub(super) fn puts(first: u64) -> Result<Requests> {
        let value = [b'v'; VALUE_SIZE];
        let key = Param::Text(NUMBER);
        let params = [key, Param::Bytes(&value), Param::Text(""), Param::Int(86_400)];
        Requests::numbered(
            &call("scope.put", &params),
            Numbers::Next(Arc::new(AtomicU64::new(first))),
        )
    }

    fn numbered(body: &str, numbers: Numbers) -> Result<Requests> {
        let bytes = post("/RPC2", body.as_bytes());
        let place = bytes.windows(NUMBER.len()).position(|window| window == NUMBER.as_bytes());
        let number_at = place.context("no place for the number")?;
        Ok(Requests { bytes, number_at, numbers })
    }

    /// The request with its next number.
    fn next(&mut self, choice: &mut Choice) -> &[u8] {
        let number = match &self.numbers {
            Numbers::None => return &self.bytes,
            Numbers::Next(next) => next.fetch_add(1, Ordering::Relaxed),
            Numbers::Below(bound) => choice.below(*bound),
        };
        write_number(&mut self.bytes[self.number_at..], number);
        &self.bytes
    }
}

/// The key of a number.
pub(super) fn key(number: u64) -> String {
    format!("{number:016x}")
}

/// Sends requests on 16 connections, each waiting for its answer. One that is refused is an error.
pub(super) async fn drive(server: SocketAddr, requests: &Requests, until: Until) -> Result<Load> {
    let load = CLIENT.drive(server, requests, until).await?;
    ensure!(load.refused == 0, "{} requests were refused", load.refused);
    Ok(load)
}

impl Client {
    /// Sends requests, each connection waiting for its answer before the next.
    pub(super) async fn drive(
        self,
        server: SocketAddr,
        requests: &Requests,
        until: Until,
    ) -> Result<Load> {
        let began = Instant::now();
        let left = Arc::new(AtomicU64::new(until.requests));
        let mut tasks = JoinSet::new();
        for number in 0..self.connections {
            let (requests, left) = (requests.clone(), Arc::clone(&left));
            let deadline = began + until.time;
            let choice = Choice::seeded(number);
            tasks.spawn(self.one_connection(server, requests, left, deadline, choice));
        }
        let (mut times, mut refused) = (Vec::new(), 0);
        while let Some(done) = tasks.join_next().await {
            let done = done.context("a load task ended")??;
            times.extend(done.0);
            refused += done.1;
        }
        Ok(Load::of(times, refused, began.elapsed()))
    }

    /// How long each answer took, in microseconds, and how many requests were refused.
    async fn one_connection(
        self,
        server: SocketAddr,
        mut requests: Requests,
        left: Arc<AtomicU64>,
        deadline: Instant,
        mut choice: Choice,
    ) -> Result<(Vec<u32>, u64)> {
        /// Whoever is not served at all must not ask in a circle.
        const PAUSE: Duration = Duration::from_millis(10);
        let mut stream = self.connect(server).await?;
        let mut buffer = vec![0; 16 * 1024];
        let (mut times, mut refused) = (Vec::new(), 0);
        let take = |n: u64| n.checked_sub(1);
        let mut due = Instant::now();
        while due < deadline
            && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
        {
            tokio::time::sleep_until(due.into()).await;
            let sent = Instant::now();
            stream.write_all(requests.next(&mut choice)).await.context("cannot send")?;
            let answer = tokio::time::timeout(ANSWER_LIMIT, read_answer(&mut stream, &mut buffer));
            match answer.await.context("no answer in time")? {
                Ok(()) => {
                    times.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                Err(_) => {
                    refused += 1;
                    tokio::time::sleep(PAUSE).await;
                    stream = self.connect(server).await?;
                }
            }
            due = match self.every {
                Some(every) => (due + every).max(Instant::now()),
                None => Instant::now(),
            };
        }
        Ok((times, refused))
    }

    async fn connect(self, server: SocketAddr) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.from, 0)))?;
        let stream = socket.connect(server).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Load {
    fn of(mut times: Vec<u32>, refused: u64, took: Duration) -> Load {
        let requests = times.len();
        let rate = requests as f64 / took.as_secs_f64();
        let mut at = |percent| percentile(&mut times, percent).map_or(f64::NAN, f64::from);
        Load { requests, refused, rate, p50_us: at(50.0), p99_us: at(99.0) }
    }
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    let mut have = 0;
    let mut wanted = None;
    while wanted.is_none_or(|wanted| have < wanted) {
        if have == buffer.len() {
            ensure!(have < ANSWER_MAX, "an answer of more than {ANSWER_MAX} bytes");
            buffer.resize(have * 2, 0);
        }
        let read = stream.read(&mut buffer[have..]).await.context("cannot read")?;
        ensure!(read > 0, "the server closed the connection");
        have += read;
        if wanted.is_none() {
            wanted = answer_length(&buffer[..have])?;
        }
    }
    ensure!(wanted == Some(have), "bytes after the answer");
    // A fault is in the first lines of a body.
    let head = &buffer[..have.min(512)];
    if head.windows(7).any(|window| window == b"<fault>") {
        bail!("a fault: {}", String::from_utf8_lossy(head));
    }
    Ok(())
}

/// Header and body together, once the header is whole.
fn answer_length(bytes: &[u8]) -> Result<Option<usize>> {
    const NAME: &[u8] = b"content-length:";
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    ensure!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes[..end]));
    let length = bytes[..end].split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME)
            .then(|| std::str::from_utf8(value).ok()?.trim().parse().ok())?
    });
    let length: usize = length.context("no Content-Length")?;
    Ok(Some(end + 4 + length))
}

fn write_number(place: &mut [u8], number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (i, digit) in place.iter_mut().take(NUMBER.len()).enumerate() {
        *digit = DIGITS[(number >> (60 - 4 * i)) as usize & 15];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_put_carries_the_next_number() {
        let mut requests = Requests::puts(0x1234).unwrap();
        let mut choice = Choice::seeded(0);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text(requests.next(&mut choice)).contains(&key(0x1234)));
        assert!(text(requests.next(&mut choice)).contains("0000000000001235"));
        let mut clone = requests.clone();
        assert!(text(clone.next(&mut choice)).contains("0000000000001236"), "clones share it");
    }

    #[test]
    fn an_answer_is_as_long_as_its_header_says() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\ndate: x\r\n\r\n";
        assert_eq!(answer_length(&head[..30]).unwrap(), None);
        assert_eq!(answer_length(head).unwrap(), Some(head.len() + 5));
        assert!(answer_length(b"HTTP/1.1 500 x\r\ncontent-length: 5\r\n\r\n").is_err());
        assert!(answer_length(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
