//! The TCP door: any AWS client can talk to the world over plain HTTP/1.1.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::exchange::{Ending, exchange};
use super::open::{BODY_AT_MOST, Received, open};
use super::{Cloud, WireAnswer, close};
use crate::clock::Clock;
use crate::sim::crash::CrashSwitch;

/// Connections served at once: far more than a controller and a few people need, far fewer than files a process may open.
const CONNECTIONS_AT_MOST: usize = 256;
/// Headers read at once: a signed AWS request has about twelve.
const HEADERS_AT_MOST: usize = 64;
/// Bytes of request head kept: hyper's smallest buffer is 8 KiB.
const HEAD_AT_MOST: usize = 16 * 1024;
/// How long a client may take to send its headers (and so may be idle), or its body: longer than a controller's slowest poll,
/// while somebody's slowness does not hold a place for ever.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a failed accept (no more files) is waited out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `world` on `listener` until `shutdown`; every connection has ended when this returns.
pub async fn serve<C: Cloud>(listener: TcpListener, world: Arc<Mutex<C>>, clock: Clock, shutdown: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_AT_MOST));
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        // A connection is only accepted when there is a place for it; the others wait in the kernel.
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (world, clock) = (Arc::clone(&world), clock.clone());
                    connections.spawn(async move {
                        connection(stream, world, clock).await;
                        drop(place);
                    });
                }
                Err(problem) => {
                    tracing::warn!(%problem, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
        while connections.try_join_next().is_some() {}
    }
    connections.shutdown().await;
}

async fn connection<C: Cloud>(stream: TcpStream, world: Arc<Mutex<C>>, clock: Clock) {
    let service = service_fn(move |request| {
        let (world, clock) = (Arc::clone(&world), clock.clone());
        async move { answer(&world, &clock, request).await }
    });
    let served = http1::Builder::new()
        // The SDKs correct their clocks by this header, and the world's time is not the machine's.
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(HEADERS_AT_MOST)
        .max_buf_size(HEAD_AT_MOST)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(problem) = served {
        tracing::debug!(%problem, "a connection ended early");
    }
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// One call. An error closes the connection without an answer.
async fn answer<C: Cloud>(world: &Mutex<C>, clock: &Clock, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(PATIENCE, Limited::new(body, BODY_AT_MOST + 1).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        // Over the limit: one byte more than is read is enough for the service to refuse it in its own shape.
        Ok(Err(problem)) if problem.is::<http_body_util::LengthLimitError>() => Bytes::from(vec![b' '; BODY_AT_MOST + 1]),
        Ok(Err(problem)) => return Err(std::io::Error::other(problem)),
        Err(_) => return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the body was not sent in time")),
    };
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let opened = open(&Received {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query(),
        authorization: header(AUTHORIZATION),
        target: header(http::HeaderName::from_static("x-amz-target")),
        host: header(HOST),
        body: &body,
    });
    let Some(opened) = opened else { return response(close::nobody()) };
    match exchange(world, clock, &CrashSwitch::never(), opened).await {
        Ending::Answered(answer) => response(answer),
        Ending::Silence => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the service never answered")),
    }
}

fn response(answer: WireAnswer) -> Result<Response<Body>, std::io::Error> {
    let whole = answer.body.len();
    let builder = Response::builder()
        .status(answer.status)
        .header(CONTENT_TYPE, answer.content_type)
        .header("x-amzn-requestid", answer.request_id)
        .header(CONTENT_LENGTH, whole);
    let body = if answer.sent < whole { cut_off(answer.body.slice(..answer.sent)) } else { all_of(answer.body) };
    builder.body(body).map_err(std::io::Error::other)
}

fn all_of(body: Bytes) -> Body {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A body that breaks off: the connection closes before `Content-Length` is reached.
fn cut_off(body: Bytes) -> Body {
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the answer was cut off");
    StreamBody::new(futures_util::stream::iter([Ok(Frame::data(body)), Err(broken)])).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;
    use crate::sim::profile::FaultProfile;
    use crate::sim::wire::stub::Stub;

    /// Sends raw bytes to a world on a socket; everything that comes back, and the world's calls of RDS.
    async fn spoken(profile: FaultProfile, request: Vec<u8>) -> (String, u64) {
        let start = jiff::Timestamp::UNIX_EPOCH;
        let clock = Clock::starting_at(start);
        let world = Arc::new(Mutex::new(Stub::new(profile, 1, start)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let served = serve(listener, Arc::clone(&world), clock, async { stopped.await.unwrap_or_default() });
        let talked = async {
            let mut stream = TcpStream::connect(address).await.expect("served");
            stream.write_all(&request).await.expect("taken");
            let mut answer = Vec::new();
            // A connection that breaks off has said what it said.
            let _ = stream.read_to_end(&mut answer).await;
            stop.send(()).expect("still serving");
            String::from_utf8_lossy(&answer).into_owned()
        };
        let ((), answer) = tokio::join!(served, talked);
        let calls = world.lock().expect("sound").faults.calls.get("rds").copied().unwrap_or_default();
        (answer, calls)
    }

    fn instant() -> FaultProfile {
        FaultProfile { latency_min_ms: 0, latency_max_ms: 0, ..FaultProfile::calm() }
    }

    fn post(body: &str) -> Vec<u8> {
        let length = body.len();
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    const DESCRIBE: &str = "Action=DescribeDBClusters&Version=2014-10-31";

    #[tokio::test]
    async fn any_client_can_ask_over_a_socket_and_gets_no_date() {
        let (answer, calls) = spoken(instant(), post(DESCRIBE)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("<DBClusterIdentifier>payments</DBClusterIdentifier>"), "{answer}");
        assert!(!answer.to_lowercase().contains("\r\ndate:"), "the SDKs would correct their clocks by it");
        assert_eq!(calls, 1);
    }

    #[tokio::test]
    async fn a_cut_answer_breaks_the_connection_before_its_length() {
        let (answer, _) = spoken(FaultProfile { truncated_body: 1.0, ..instant() }, post(DESCRIBE)).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
        assert!(length.is_none_or(|length| body.len() < length.parse().expect("a number")), "{answer}");
        assert!(!answer.contains("</DescribeDBClustersResponse>"), "{answer}");
    }

    #[tokio::test]
    async fn what_is_too_large_or_nonsense_is_refused_and_the_world_goes_on() {
        let too_large = post(&format!("{DESCRIBE}&Pad={}", "x".repeat(BODY_AT_MOST)));
        assert!(!spoken(instant(), too_large).await.0.contains("200 OK"));
        let headers: String = (0..100).map(|number| format!("X-{number}: y\r\n")).collect();
        let flood = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").into_bytes();
        assert!(spoken(instant(), flood).await.0.starts_with("HTTP/1.1 431"));
        assert!(spoken(instant(), b"\x16\x03\x01 this is TLS\r\n\r\n".to_vec()).await.0.contains("400"));
        let (answer, calls) = spoken(instant(), post("Action=DescribeDBClusters&Version=1999")).await;
        assert!(answer.contains("MissingAuthenticationToken"), "{answer}");
        assert_eq!(calls, 0);
    }
}
