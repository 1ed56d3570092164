//! Connections: accepting them, bounding them, and ending them in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tower::Service;
use tracing::{debug, warn};

use super::routes::Remote;
use super::stall::Stalling;
use crate::metrics::Metrics;

/// Most connections at a time; the next one waits in the system's backlog. A laptop's default
/// limit of 1,024 open files leaves none for the rest, so that it is a bit less.
const CONNECTIONS_MAX: usize = 900;
/// Connections the system holds for us while we are busy.
const BACKLOG: u32 = 1024;
/// Longest between a connection's requests, and for a request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// Longest that a peer may take nothing of a reply.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);
/// Most of a connection's bytes held at once: the head, and a piece of the body.
const BUFFER_MAX: usize = 64 * 1024;
/// Pause when the system gives no more connections, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server that accepts connections until it is told to stop.
pub struct Server {
    stop: oneshot::Sender<()>,
    accepting: tokio::task::JoinHandle<GracefulShutdown>,
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
        if let Ok(connections) = self.accepting.await {
            connections.shutdown().await;
        }
    }
}

/// A connection that is open: counted, and one of [`CONNECTIONS_MAX`].
struct Open {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn count(metrics: Arc<Metrics>, permit: OwnedSemaphorePermit) -> Open {
        metrics.connections().inc();
        Open { metrics, _permit: permit }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.connections().dec();
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    metrics: Arc<Metrics>,
    mut stopped: oneshot::Receiver<()>,
) -> GracefulShutdown {
    let connections = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            _ = &mut stopped => return connections,
            accepted = accepted => accepted,
        };
        match (permit, accepted) {
            (Ok(permit), Ok((stream, remote))) => {
                serve(stream, remote, &router, &connections, permit, Arc::clone(&metrics));
            }
            (_, Err(error)) => {
                warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            (Err(_), _) => return connections,
        }
    }
}

fn serve(
    stream: TcpStream,
    remote: SocketAddr,
    router: &Router,
    connections: &GracefulShutdown,
    permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
) {
    // Replies are written whole; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let router = router.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Remote(remote));
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(BUFFER_MAX)
        .serve_connection(TokioIo::new(Stalling::new(stream, WRITE_PATIENCE)), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        // Given back however this task ends.
        let _open = Open::count(metrics, permit);
        if let Err(error) = connection.await {
            debug!(%error, "a connection ended early");
        }
    });
}
