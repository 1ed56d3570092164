//! Connections: TCP's, and WebSockets that somebody else has accepted (RFC 7118). Each has a task and a
//! queue; there are at most so many, and at most so many with one address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Inbox, Unsent};
use crate::flow::{Carrier, Flow};
use crate::framing::{Framed, Framer, FramingError, PONG};

/// Most connections: a file descriptor and some kilobytes each.
const CONNECTIONS_MAX: usize = 4096;
/// Most with one address: a crowd behind one NAT has that many phones.
const PER_ADDRESS_MAX: usize = 256;
/// Messages that wait for a peer to read: more than one call's, and not many megabytes for all.
const QUEUE: usize = 64;
/// A phone pings every two minutes at the latest (RFC 5626 §4.4.1); other proxies come again.
const IDLE: Duration = Duration::from_secs(600);
/// A message that has begun is there by then.
const MESSAGE_TIME: Duration = Duration::from_secs(10);
/// A peer takes what is sent by then; also how long connecting may take.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// All connections.
#[derive(Debug, Default)]
pub struct Connections {
    state: Mutex<State>,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<u64, Open>,
    by_peer: HashMap<SocketAddr, u64>,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Open {
    queue: mpsc::Sender<Bytes>,
    flow: Flow,
}

impl Connections {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.state().open.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What it guards is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn send(&self, connection: u64, bytes: Bytes) -> Result<(), Unsent> {
        let state = self.state();
        let open = state.open.get(&connection).ok_or(Unsent)?;
        open.queue.try_send(bytes).map_err(|_| Unsent)
    }

    /// Notes a connection, if there is room.
    fn open(self: &Arc<Self>, carrier: Carrier, peer: SocketAddr) -> Result<Guard, Unsent> {
        let mut state = self.state();
        let with_it = state.by_address.get(&peer.ip()).copied().unwrap_or(0);
        if state.open.len() >= CONNECTIONS_MAX || with_it >= PER_ADDRESS_MAX {
            return Err(Unsent);
        }
        // 0 is for datagrams.
        let connection = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let flow = Flow { carrier, peer, connection };
        let (queue, from_queue) = mpsc::channel(QUEUE);
        state.open.insert(connection, Open { queue, flow });
        state.by_address.insert(peer.ip(), with_it + 1);
        if carrier == Carrier::Tcp {
            state.by_peer.insert(peer, connection);
        }
        Ok(Guard { connections: Arc::clone(self), flow, queue: from_queue })
    }

    pub(super) fn to(
        self: &Arc<Self>,
        peer: SocketAddr,
        inbox: &Arc<dyn Inbox>,
    ) -> Result<Flow, Unsent> {
        let known = {
            let state = self.state();
            state.by_peer.get(&peer).and_then(|id| state.open.get(id)).map(|open| open.flow)
        };
        if let Some(flow) = known {
            return Ok(flow);
        }
        let guard = self.open(Carrier::Tcp, peer)?;
        let (flow, inbox) = (guard.flow, Arc::clone(inbox));
        tokio::spawn(async move {
            if let Ok(Ok(stream)) = timeout(WRITE_TIME, TcpStream::connect(peer)).await {
                run_tcp(guard, stream, &inbox).await;
            }
            inbox.on_closed(flow);
        });
        Ok(flow)
    }

    /// Accepts TCP connections until the task is ended.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, inbox: Arc<dyn Inbox>) {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of file descriptors, most likely: some will be free again.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            // A socket of both families says IPv4 addresses as IPv6.
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            if let Ok(guard) = self.open(Carrier::Tcp, peer) {
                let inbox = Arc::clone(&inbox);
                tokio::spawn(async move {
                    let flow = guard.flow;
                    run_tcp(guard, stream, &inbox).await;
                    inbox.on_closed(flow);
                });
            }
        }
    }

    /// Serves a WebSocket that was accepted with the subprotocol `sip`, until either side ends it. Each
    /// item is one message, text or not; each sent one is to become one frame.
    pub async fn serve_websocket(
        self: Arc<Self>,
        peer: SocketAddr,
        messages: impl Stream<Item = Bytes> + Unpin,
        out: impl Sink<Bytes> + Unpin,
        inbox: Arc<dyn Inbox>,
    ) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let Ok(guard) = self.open(Carrier::WebSocket, peer) else { return };
        let flow = guard.flow;
        run_websocket(guard, messages, out, &inbox).await;
        inbox.on_closed(flow);
    }
}

/// A connection that is noted; forgotten when its task ends, however it does.
struct Guard {
    connections: Arc<Connections>,
    flow: Flow,
    queue: mpsc::Receiver<Bytes>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        state.open.remove(&self.flow.connection);
        if state.by_peer.get(&self.flow.peer) == Some(&self.flow.connection) {
            state.by_peer.remove(&self.flow.peer);
        }
        if let Some(count) = state.by_address.get_mut(&self.flow.peer.ip()) {
            *count -= 1;
            if *count == 0 {
                state.by_address.remove(&self.flow.peer.ip());
            }
        }
    }
}

async fn run_websocket(
    mut guard: Guard,
    mut messages: impl Stream<Item = Bytes> + Unpin,
    mut out: impl Sink<Bytes> + Unpin,
    inbox: &Arc<dyn Inbox>,
) {
    loop {
        tokio::select! {
            came = timeout(IDLE, messages.next()) => match came {
                Ok(Some(ping)) if ping.as_ref() == b"\r\n\r\n" => {
                    let pong = out.send(Bytes::from_static(PONG));
                    if !matches!(timeout(WRITE_TIME, pong).await, Ok(Ok(()))) { return }
                }
                Ok(Some(bytes)) => inbox.on_message(bytes, guard.flow),
                _ => return,
            },
            Some(bytes) = guard.queue.recv() => {
                if !matches!(timeout(WRITE_TIME, out.send(bytes)).await, Ok(Ok(()))) { return }
            }
        }
    }
}

async fn run_tcp(mut guard: Guard, mut stream: TcpStream, inbox: &Arc<dyn Inbox>) {
    // Whatever is sent is wanted now.
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.split();
    let mut framer = Framer::new();
    let mut until = Instant::now() + IDLE;
    loop {
        let idle = framer.is_idle();
        tokio::select! {
            read = timeout_at(until, reader.read_buf(framer.buffer_mut())) => {
                if !matches!(read, Ok(Ok(1..))) { return }
                // Each byte more gives no more time to a message that has begun.
                let mut again = idle;
                loop {
                    match framer.next_frame() {
                        Ok(Some(Framed::Message(bytes))) => {
                            again = true;
                            inbox.on_message(bytes, guard.flow);
                        }
                        Ok(Some(Framed::Ping)) => {
                            if !matches!(timeout(WRITE_TIME, writer.write_all(PONG)).await, Ok(Ok(()))) { return }
                        }
                        Ok(None) => break,
                        Err(FramingError::NoLength(_) | FramingError::TooLong) => return,
                    }
                }
                if again {
                    until = Instant::now() + if framer.is_idle() { IDLE } else { MESSAGE_TIME };
                }
            }
            Some(bytes) = guard.queue.recv() => {
                if !matches!(timeout(WRITE_TIME, writer.write_all(&bytes)).await, Ok(Ok(()))) { return }
            }
        }
    }
}
