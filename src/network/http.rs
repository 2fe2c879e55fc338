//! One HTTP exchange over real sockets: a GET, or a hook's POST, bounded in bytes and in time whatever answers.
//!
//! The stages follow each other, each within what is left of the request's limit, so that an exchange that is late says where
//! it was. Two exchanges share nothing but the platform's list of authorities: no connection is kept and no TLS session is
//! resumed, because each check is to see the way there and the certificate anew.

mod addresses;
mod body;
mod certificate;
mod message;
mod obstacle;

use std::future::Future;
use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Either, FusedFuture, select};
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use self::message::{Content, Destination, Protocol};
use super::deadline::{Deadline, Stage};
use super::obstacle::Obstacle;
use super::tls::Within;
use super::{connect, tls};
use crate::checks::messenger::Message;
use crate::checks::network::{HttpAnswer, HttpRequest, PrivateAddresses, Trouble};
use crate::clock::Clock;

/// The most header lines that an answer may have. Browsers accept a few hundred; applications send thirty.
const HEADER_LINES: usize = 128;

/// The most bytes that an answer's head may have: twice what load balancers let through.
const HEAD_BYTES: usize = 128 * 1024;

/// Asks, and answers with what came. Redirects are answers; so are refusals.
///
/// # Errors
/// What came instead of an answer, or what did not come in time.
pub async fn exchange(clock: &Clock, request: &HttpRequest) -> Result<HttpAnswer, Trouble> {
    let answer = answer(clock, request, Content::Nothing).await;
    answer.map_err(|Obstacle { code, detail }| Trouble { attempted: request.shown(), detail, code })
}

/// Sends a message, and answers with the status that came. Of the answer's body nothing is read.
///
/// # Errors
/// As [`exchange`].
pub async fn post(clock: &Clock, message: &Message) -> Result<u16, Trouble> {
    let headers = message.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let request = HttpRequest {
        url: message.url.clone(),
        connect_to: None,
        headers,
        tls_ca_file: message.tls_ca_file.clone(),
        private_addresses: PrivateAddresses::Allowed,
        body_limit: 0,
        limit: message.limit,
    };
    let answer = answer(clock, &request, Content::Json(&message.body)).await;
    let attempted = format!("POST {}", message.url);
    answer.map(|answer| answer.status).map_err(|Obstacle { code, detail }| Trouble { attempted, detail, code })
}

async fn answer(clock: &Clock, request: &HttpRequest, content: Content<'_>) -> Result<HttpAnswer, Obstacle> {
    let deadline = Deadline::after(clock, request.limit);
    let destination = Destination::of(request)?;
    let message = message::of(request, content)?;
    let addresses = deadline.during(Stage::Resolving, connect::resolve(&destination.host, destination.port)).await?;
    if request.private_addresses == PrivateAddresses::Refused {
        addresses::none_is_private(&addresses)?;
    }
    let (stream, address) = deadline.during(Stage::Connecting, connect::first(clock, &addresses, request.limit)).await?;
    let (reply, certificate) = match destination.protocol {
        Protocol::Http => (converse(stream, message, &deadline, request.body_limit).await?, None),
        Protocol::Https => {
            let ca_file = request.tls_ca_file.as_deref();
            let agreeing = tls::agree(clock, stream, &destination.server_name, ca_file, Within::Http);
            let stream = deadline.during(Stage::AgreeingOnTls, agreeing).await?;
            let certificate = certificate::of(&stream)?;
            (converse(stream, message, &deadline, request.body_limit).await?, Some(certificate))
        }
    };
    let headers = reply.head.headers.iter();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(HttpAnswer {
        status: reply.head.status.as_u16(),
        headers: headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: reply.body,
        address,
        certificate,
    })
}

/// What came over a connection.
struct Reply {
    head: http::response::Parts,
    body: Vec<u8>,
}

/// Sends the request and reads the answer, on a connection that serves nothing else. With a limit of 0 no body is read.
async fn converse<S>(stream: S, message: Request<Full<Bytes>>, deadline: &Deadline<'_>, limit: usize) -> Result<Reply, Obstacle>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = http1::Builder::new();
    client.max_headers(HEADER_LINES).max_buf_size(HEAD_BYTES);
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.map_err(|error| Obstacle::in_head(&error))?;
    let mut connection = pin!(connection.fuse());
    let sending = driven(connection.as_mut(), sender.send_request(message));
    let heading = async { sending.await.map_err(|error| Obstacle::in_head(&error)) };
    let (head, incoming) = deadline.during(Stage::AwaitingHead, heading).await?.into_parts();
    if limit == 0 {
        return Ok(Reply { head, body: Vec::new() });
    }
    let reading = driven(connection.as_mut(), body::read(incoming, limit));
    let raw = deadline.during(Stage::ReadingBody, reading).await?;
    let body = body::decoded(raw, &head.headers, limit)?;
    Ok(Reply { head, body })
}

/// What `work` comes to, while the connection moves the bytes for it. Whatever ends the connection is told to the work as well.
async fn driven<T>(connection: Pin<&mut impl FusedFuture>, work: impl Future<Output = T>) -> T {
    match select(pin!(work), connection).await {
        Either::Left((done, _)) => done,
        Either::Right((_, work)) => work.await,
    }
}
