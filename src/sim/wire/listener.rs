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
/// How long a client may take to send its headers, or its body. Somebody's slowness must not hold a place for ever.
const PATIENCE: Duration = Duration::from_secs(10);
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
