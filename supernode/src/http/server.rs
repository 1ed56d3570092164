//! Connections: accepting them, bounding them, and ending them in order.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tower::Service;
use tracing::{debug, warn};

use super::budget::Account;
use super::guests::{Admission, Guest, Guests, Pulse};
use super::stall::Stalling;
use crate::metrics::Metrics;
use crate::source::Source;

/// Connections the system holds for us while we are busy.
const BACKLOG: u32 = 1024;
/// Longest between a connection's requests, and for a request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// Longest that a peer may take nothing of a reply.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);
/// Most of a connection's bytes held at once beside its request and reply: the head, and a piece of
/// the body. All connections together hold at most 29 MB of these.
const BUFFER_MAX: usize = 32 * 1024;
/// What a connection is told that there is no room for.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 62\r\n\r\n\
    too many connections from your address; try again in a second\n";
/// Pause when the system gives no more connections, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server that accepts connections until it is told to stop.
pub struct Server {
    stop: oneshot::Sender<()>,
    accepting: tokio::task::JoinHandle<watch::Sender<()>>,
}

/// Opens the port.
///
/// # Errors
/// The system's, such as that the port is in use.
pub fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the last run's connections to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

impl Server {
    /// Begins to serve.
    pub fn start(listener: TcpListener, router: Router, metrics: Arc<Metrics>) -> Server {
        let (stop, stopped) = oneshot::channel();
        let accepting = tokio::spawn(accept(listener, router, metrics, stopped));
        Server { stop, accepting }
    }

    /// Accepts no more connections, lets each finish the request it is in, and returns when all
    /// are done.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        if let Ok(ending) = self.accepting.await {
            ending.send_replace(());
            // Each connection holds a receiver for as long as it lasts.
            ending.closed().await;
        }
    }
}

/// Who is at the other end of a request's connection.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// Its address.
    pub(super) remote: SocketAddr,
    /// Where it counts.
    pub(super) source: Source,
    /// What the connection is doing.
    pub(super) pulse: Arc<Pulse>,
    /// What its source has of the memory.
    pub(super) account: Arc<Account>,
}

#[cfg(test)]
impl Visitor {
    /// Somebody who is connected for the first time.
    pub(super) fn of(remote: SocketAddr) -> Visitor {
        let source = Source::of(remote.ip());
        let Admission::Stay(guest) = Guests::default().admit(source, 0) else { unreachable!() };
        Visitor { remote, source, pulse: guest.pulse, account: guest.account }
    }
}

/// Everybody who is connected, and the tasks that serve them.
struct House {
    open: Mutex<(Guests, HashMap<u64, AbortHandle>)>,
    started: Instant,
    metrics: Arc<Metrics>,
}

impl House {
    fn open(&self) -> MutexGuard<'_, (Guests, HashMap<u64, AbortHandle>)> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A connection that is open, until this is dropped.
struct Open {
    house: Arc<House>,
    id: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        let (guests, tasks) = &mut *self.house.open();
        guests.gone(self.id);
        tasks.remove(&self.id);
        self.house.metrics.connections().dec();
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    metrics: Arc<Metrics>,
    mut stopped: oneshot::Receiver<()>,
) -> watch::Sender<()> {
    let ending = watch::Sender::default();
    let house = Arc::new(House { open: Mutex::default(), started: Instant::now(), metrics });
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return ending,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => welcome(stream, remote, &router, &ending, &house),
            Err(error) => {
                warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a connection if there is room for it, or can be made.
fn welcome(
    stream: TcpStream,
    remote: SocketAddr,
    router: &Router,
    ending: &watch::Sender<()>,
    house: &Arc<House>,
) {
    let source = Source::of(remote.ip());
    let (guests, tasks) = &mut *house.open();
    let guest = match guests.admit(source, house.now_ms()) {
        Admission::Stay(guest) => guest,
        Admission::InsteadOf(id, guest) => {
            house.metrics.count_connection_closed("idle");
            tasks.remove(&id).inspect(AbortHandle::abort);
            guest
        }
        Admission::Go => {
            house.metrics.count_connection_closed("too many");
            // As much as the system takes at once, which is all of it; nobody waits for more.
            let _ = stream.try_write(TOO_MANY);
            return;
        }
    };
    // Replies are written whole; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    house.metrics.connections().inc();
    // Given back however the task ends, and however early: it waits for the lock that is held here.
    let open = Open { house: Arc::clone(house), id: guest.id };
    let id = guest.id;
    let connection = serve(stream, remote, guest, router.clone(), house, ending.subscribe());
    let task = tokio::spawn(async move {
        let _open = open;
        if let Err(error) = connection.await {
            debug!(%error, "a connection ended early");
        }
    });
    tasks.insert(id, task.abort_handle());
}

/// The connection as hyper serves it; told that the server ends, it ends after the request it is in.
///
/// Not by `hyper-util`'s builder, which takes upgrades as well: that one first reads which version of HTTP
/// it is, without an end in time, so that whoever says nothing would stay.
fn serve(
    stream: TcpStream,
    remote: SocketAddr,
    guest: Guest,
    router: Router,
    house: &Arc<House>,
    mut ending: watch::Receiver<()>,
) -> impl Future<Output = hyper::Result<()>> + use<> {
    let house = Arc::clone(house);
    let source = Source::of(remote.ip());
    let visitor = Visitor { remote, source, pulse: guest.pulse, account: guest.account };
    let service = service_fn(move |request: Request<Incoming>| {
        visitor.pulse.receive(house.now_ms());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(visitor.clone());
        let answered = router.clone().call(request);
        let (pulse, house) = (Arc::clone(&visitor.pulse), Arc::clone(&house));
        async move {
            let answer = answered.await;
            pulse.rest(house.now_ms());
            answer
        }
    });
    let io = TokioIo::new(Stalling::new(stream, WRITE_PATIENCE));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(BUFFER_MAX)
        .serve_connection(io, service)
        .with_upgrades();
    async move {
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => ended,
            _ = ending.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    }
}
