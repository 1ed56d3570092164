//! The floor of every exchange between two machines' programs: a datagram to another process and
//! back, with an id that leads the answer to who waits for it. No encryption, no loss, no store.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::pace::{Pace, pace};
use crate::bench::load::VALUE_SIZE;
use crate::leash::leashed;

/// On loopback nothing is lost unless a buffer overflows, which 64 in flight do not.
const LOSS_LIMIT: Duration = Duration::from_secs(10);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The other process.
#[derive(Debug)]
pub(super) struct Echo {
    child: Child,
    address: SocketAddr,
}

/// Who waits for which answer.
struct Caller {
    socket: UdpSocket,
    waiting: Mutex<HashMap<u64, oneshot::Sender<()>>>,
    next: AtomicU64,
}

/// Is the other process: says where, and sends back what comes.
pub(super) async fn serve() -> Result<()> {
    let socket = UdpSocket::bind(ANY_PORT).await?;
    println!("{}", socket.local_addr()?);
    let serving = tokio::spawn(async move {
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..length], from).await?;
        }
    });
    serving.await?
}

impl Echo {
    /// Starts it. To be called in the main thread, with which it ends.
    pub(super) fn start() -> Result<Echo> {
        let mut command = leashed(std::env::current_exe()?);
        command.args(["bench-part", "echo"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the echo")?;
        let output = child.stdout.take().context("no standard output")?;
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        let address = read.ok().and_then(|_| line.trim().parse().ok());
        match address {
            Some(address) => Ok(Echo { child, address }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                anyhow::bail!("the echo said {line:?} instead of its address")
            }
        }
    }

    /// How fast exchanges are.
    pub(super) async fn pace(&self, turn: Duration) -> Result<Pace> {
        let socket = UdpSocket::bind(ANY_PORT).await?;
        socket.connect(self.address).await?;
        let waiting = Mutex::default();
        let caller = Arc::new(Caller { socket, waiting, next: AtomicU64::new(0) });
        let receiving = tokio::spawn(receive(Arc::clone(&caller)));
        let calls = pace(turn, move |_| {
            let caller = Arc::clone(&caller);
            async move { caller.call().await.is_ok() }
        });
        let pace = timeout(turn + LOSS_LIMIT, calls).await.context("a datagram was lost")?;
        receiving.abort();
        pace
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Caller {
    async fn call(&self) -> Result<()> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer);
        let mut datagram = [b'v'; VALUE_SIZE];
        datagram[..8].copy_from_slice(&id.to_le_bytes());
        self.socket.send(&datagram).await?;
        Ok(answered.await?)
    }
}

async fn receive(caller: Arc<Caller>) -> Result<()> {
    let mut buffer = [0; 2048];
    loop {
        let length = caller.socket.recv(&mut buffer).await?;
        let id = buffer[..length].first_chunk().context("a datagram without an id")?;
        let id = u64::from_le_bytes(*id);
        let waiting = caller.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(answer) = waiting {
            // Whoever asked may have been given up.
            let _ = answer.send(());
        }
    }
}
