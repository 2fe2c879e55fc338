//! The socket: how many, how large, how slow, and how it ends.

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt;

use super::access::Access;
use super::answers::{Face, router};
use super::board::Board;
use super::peers::{Peers, Seat, Share};
use super::watch::Closing;

/// When the process has no file descriptors left, asking again at once would only burn the processor.
const PAUSE_AFTER_REFUSED_ACCEPT: Duration = Duration::from_millis(100);

/// hyper refuses to work with less.
const LEAST_HEAD_BYTES: usize = 8192;

/// How much of this server a client may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Who may read.
    pub access: Access,
    /// Connections at once; further ones wait in the system's queue.
    pub connections: usize,
    /// Connections of one address at once; further ones are hung up on.
    pub connections_of_one: usize,
    /// Requests of one address in a second; further ones are refused.
    pub requests_per_second: u32,
    /// Event streams and long polls at once; further ones are refused.
    pub streams: usize,
    /// How long a client may take to send the head of a request, or be idle between two.
    pub head_time: Duration,
    /// How large the head of a request may be, in bytes; at least 8192.
    pub head_bytes: usize,
    /// How many header lines it may have.
    pub header_lines: usize,
    /// How long a connection may live, so that one that is not read from does not stay for ever. Streams reconnect.
    pub connection_age: Duration,
    /// The longest patience of a long poll.
    pub longest_poll: Duration,
    /// How long answers under way may take to end after a shutdown, or after the connection's age.
    pub grace: Duration,
    /// Names that the `Host` header may give, besides `localhost` and addresses.
    pub host_names: Vec<String>,
}

impl Default for Limits {
    /// Enough for a few teams with dashboards, and little enough that a hundred slow clients cannot crowd the controllers out.
    /// One address has half of the seats, because a proxy is one too, and twice the requests that are promised to be answered.
    fn default() -> Self {
        Self {
            access: Access::Anybody,
            connections: 256,
            connections_of_one: 128,
            requests_per_second: 4000,
            streams: 64,
            head_time: Duration::from_secs(10),
            head_bytes: 16 * 1024,
            header_lines: 64,
            connection_age: Duration::from_secs(15 * 60),
            longest_poll: Duration::from_secs(5 * 60),
            grace: Duration::from_secs(5),
            host_names: Vec::new(),
        }
    }
}

/// Answers on `listener` until `shutdown`, then lets answers under way end. Never fails: what one connection does wrong ends
/// that connection.
pub async fn serve(listener: TcpListener, board: Arc<Board>, limits: Limits, shutdown: impl Future<Output = ()>) {
    let (close, closing) = watch::channel(false);
    let closing = Closing(closing);
    let seats = Arc::new(Semaphore::new(limits.connections));
    let share = Share { connections: limits.connections_of_one, requests_per_second: limits.requests_per_second };
    let peers = Peers::new(share);
    let stopwatch = Stopwatch::start();
    let router = router(&Arc::new(Face::new(board, limits.clone(), closing.clone())));
    let limits = Arc::new(limits);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            Some((stream, address, seat)) = accept(&listener, &seats) => {
                // Whoever has its share already is hung up on: others wait for that seat.
                if let Some(own) = peers.seat(address, stopwatch.shows()) {
                    let asker = Asker { seat: own, stopwatch };
                    connections.spawn(attend(stream, seat, asker, router.clone(), Arc::clone(&limits), closing.clone()));
                }
            }
        }
    }
    drop(listener);
    close.send_replace(true);
    let ended = tokio::time::timeout(limits.grace, async { while connections.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        connections.shutdown().await;
    }
}

/// The next connection, once there is a seat for it. Safe to cancel.
async fn accept(listener: &TcpListener, seats: &Arc<Semaphore>) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let seat = Arc::clone(seats).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return Some((stream, address.ip(), seat)),
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE_AFTER_REFUSED_ACCEPT).await;
            }
        }
    }
}

/// Who asks, as far as its share of this server goes; every request carries it.
#[derive(Clone)]
pub(super) struct Asker {
    seat: Arc<Seat>,
    stopwatch: Stopwatch,
}

impl Asker {
    /// Pays for something that costs as much as `requests`; false if the address has nothing left.
    pub fn pays(&self, requests: u32) -> bool {
        self.seat.pays(requests, self.stopwatch.shows())
    }
}

/// The time since the server's start.
#[derive(Clone, Copy)]
struct Stopwatch(Instant);

impl Stopwatch {
    #[allow(clippy::disallowed_methods, reason = "a flood is measured by the machine's time, however fast a sandbox goes")]
    fn start() -> Self {
        Self(Instant::now())
    }

    fn shows(self) -> Duration {
        self.0.elapsed()
    }
}

async fn attend(
    stream: TcpStream,
    _seat: OwnedSemaphorePermit,
    asker: Asker,
    router: Router,
    limits: Arc<Limits>,
    mut closing: Closing,
) {
    // Events are small and should not wait for more.
    _ = stream.set_nodelay(true);
    let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(asker.clone());
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes.max(LEAST_HEAD_BYTES))
        .max_headers(limits.header_lines)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended badly");
            }
            return;
        }
        () = closing.begun() => {}
        () = tokio::time::sleep(limits.connection_age) => {}
    }
    connection.as_mut().graceful_shutdown();
    _ = tokio::time::timeout(limits.grace, connection).await;
}
