//! One connection to one node of Redis or Valkey: commands one after the other, and as many answers.
//!
//! Never a cluster client: what such a client hides from an application, `MOVED` and `CROSSSLOT`, is what a check wants to see.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::future::{Either, select};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisConnectionInfo, RedisError, Value};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connect;
use super::deadline::{Deadline, Stage};
use super::obstacle::Obstacle;
use super::tls::{self, Within};
use crate::checks::network::{CacheAnswer, CacheBatch, Trouble};
use crate::checks::outcome::Code;
use crate::clock::Clock;

/// The most that is read over one connection: the slots of a cluster of 500 shards, AWS's largest, each in ten scattered ranges
/// with three nodes of long names. An answer of as many single bytes becomes some forty times larger in memory.
const LARGEST_BYTES: usize = 2 * 1024 * 1024;

/// Asks one node, within the batch's time limit. Every answer is one of the list, refusals too.
///
/// # Errors
/// If the node was not reached, did not accept the credentials, or did not answer every command. Credentials are in no error.
pub async fn command(clock: &Clock, batch: &CacheBatch) -> Result<Vec<CacheAnswer>, Trouble> {
    let attempted = format!("ask the cache at {}:{}", batch.host, batch.port);
    talk(clock, batch).await.map_err(|Obstacle { code, detail }| Trouble { attempted, detail, code })
}

async fn talk(clock: &Clock, batch: &CacheBatch) -> Result<Vec<CacheAnswer>, Obstacle> {
    let deadline = Deadline::after(clock, batch.limit);
    let addresses = deadline.during(Stage::Resolving, connect::resolve(&batch.host, batch.port)).await?;
    let (stream, _) = deadline.during(Stage::Connecting, connect::first(clock, &addresses, batch.limit)).await?;
    let stream: Box<dyn Stream> = match &batch.tls {
        None => Box::new(stream),
        Some(ca_file) => {
            let name = server_name(&batch.host)?;
            let agreeing = tls::agree(clock, stream, &name, ca_file.as_deref(), Within::Other);
            Box::new(deadline.during(Stage::AgreeingOnTls, agreeing).await?)
        }
    };
    deadline.during(Stage::AwaitingAnswers, converse(stream, batch)).await
}

fn server_name(host: &str) -> Result<ServerName<'static>, Obstacle> {
    ServerName::try_from(host.to_owned()).map_err(|_| Obstacle::not_asked(format!("no certificate can be for the name `{host}`")))
}

/// A connection, plain or encrypted.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn converse(stream: Box<dyn Stream>, batch: &CacheBatch) -> Result<Vec<CacheAnswer>, Obstacle> {
    let read = Arc::new(AtomicUsize::new(0));
    let stream = Counted { stream, read: Arc::clone(&read) };
    // Nothing is said but what the batch says: no `HELLO`, no `CLIENT SETINFO`. Time is limited from outside.
    let silent = RedisConnectionInfo::default().set_skip_set_lib_name();
    let patient = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    let (connection, driver) =
        MultiplexedConnection::new_with_config(&silent, stream, patient).await.map_err(|error| lost(&error))?;
    let answers = match select(pin!(ask_all(connection, batch)), pin!(driver)).await {
        Either::Left((answers, _)) => answers,
        // The connection is over; whoever waits for an answer is told why.
        Either::Right(((), asking)) => asking.await,
    };
    answers.map_err(|obstacle| {
        if read.load(Ordering::Relaxed) < LARGEST_BYTES {
            return obstacle;
        }
        Obstacle::new(
            Code::AnswerTooLarge,
            format!("more than {LARGEST_BYTES} bytes came, and no end; this is no cache's answer"),
        )
    })
}

async fn ask_all(mut connection: MultiplexedConnection, batch: &CacheBatch) -> Result<Vec<CacheAnswer>, Obstacle> {
    if let Some((user, password)) = &batch.credentials {
        authenticate(&mut connection, user, password).await?;
    }
    let mut answers = Vec::with_capacity(batch.commands.len());
    for words in &batch.commands {
        answers.push(ask(&mut connection, words.iter().map(String::as_str)).await?);
    }
    Ok(answers)
}

async fn ask<'a>(connection: &mut MultiplexedConnection, words: impl Iterator<Item = &'a str>) -> Result<CacheAnswer, Obstacle> {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word);
    }
    connection.send_packed_command(&command).await.map(understood).map_err(|error| lost(&error))
}

/// The rest of a refusal is never repeated: a server that does not know `AUTH` quotes what came with it.
async fn authenticate(connection: &mut MultiplexedConnection, user: &str, password: &str) -> Result<(), Obstacle> {
    let words: &[&str] = if user.is_empty() { &["AUTH", password] } else { &["AUTH", user, password] };
    match ask(connection, words.iter().copied()).await? {
        CacheAnswer::Refused { word, .. } if word == "LOADING" => {
            Err(Obstacle::new(Code::TimedOut, "the cache is loading its data and answers nothing yet".to_owned()))
        }
        CacheAnswer::Refused { word, .. } => {
            let found = match word.as_str() {
                "WRONGPASS" => "the cache does not accept this user and password (WRONGPASS)".to_owned(),
                "ERR" => "the cache refused AUTH (ERR): it may want no password, or know no users (before Redis 6)".to_owned(),
                other => format!("the cache refused AUTH ({other})"),
            };
            let advice = "see what `credentialsFrom` names, and the cache's users";
            Err(Obstacle::new(Code::CredentialsRefused, format!("{found}; {advice}")))
        }
        _ => Ok(()),
    }
}

fn understood(value: Value) -> CacheAnswer {
    match value {
        Value::Nil => CacheAnswer::Nil,
        Value::Okay => CacheAnswer::Status("OK".to_owned()),
        Value::SimpleString(text) => CacheAnswer::Status(text),
        Value::Int(number) => CacheAnswer::Number(number),
        Value::BulkString(bytes) => CacheAnswer::Text(String::from_utf8_lossy(&bytes).into_owned()),
        Value::Array(values) => CacheAnswer::List(values.into_iter().map(understood).collect()),
        Value::ServerError(refusal) => {
            CacheAnswer::Refused { word: refusal.code().to_owned(), rest: refusal.details().unwrap_or_default().to_owned() }
        }
        // The other kinds belong to RESP3, which was not asked for.
        other => CacheAnswer::Text(format!("{other:?}")),
    }
}

/// Why no answer came.
fn lost(error: &RedisError) -> Obstacle {
    match error.kind() {
        ErrorKind::Parse => {
            let advice = "see what listens on this port, and whether it wants TLS";
            Obstacle::new(Code::NotACache, format!("what came is no answer of a cache; {advice}"))
        }
        _ => {
            let advice = "see the server's log; one that wants TLS ends a plain connection like this";
            Obstacle::new(Code::ConnectionLost, format!("the connection broke off before the answer ({error}); {advice}"))
        }
    }
}

/// A connection that ends once too much has come over it.
struct Counted {
    stream: Box<dyn Stream>,
    read: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read.load(Ordering::Relaxed) >= LARGEST_BYTES {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.read.fetch_add(buffer.filled().len() - before, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
