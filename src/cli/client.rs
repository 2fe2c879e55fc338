//! A small reader of the daemon's own HTTP API, for every verb that asks a running bascule.

use std::time::Duration;

use http::StatusCode;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;

use super::screen::clean;

/// A status page of a migration has some ten kilobytes; a list of a hundred fits.
const LARGEST_BYTES: usize = 8 << 20;

/// A refusal of ours is a sentence in JSON; half a screen of anything else tells what it is.
const SHOWN_CHARACTERS: usize = 600;

/// The daemon is on this machine or near it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not `http://host:port`.
    #[error("`{0}` is not an address such as http://127.0.0.1:8080")]
    Address(String),
    /// Nobody listens, or the connection broke.
    #[error("no answer from {server}; is `bascule run` running there?")]
    Unreachable {
        /// Whom we asked.
        server: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("no answer from {server} within {} s", .patience.as_secs())]
    Slow {
        /// Whom we asked.
        server: String,
        /// How long we waited.
        patience: Duration,
    },
    /// The daemon refused.
    #[error("{server}{path} answered {status}: {body}")]
    Refused {
        /// Whom we asked.
        server: String,
        /// For what.
        path: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
}

/// A running bascule, and the token that it asks for, if it does.
pub struct Client {
    server: String,
    token: Option<String>,
}

impl Client {
    /// Whoever answers at `server`.
    pub const fn new(server: String, token: Option<String>) -> Self {
        Self { server, token }
    }

    /// GET `path`, as text.
    pub async fn get(&self, path: &str) -> Result<String, ClientError> {
        match self.reply(path, PATIENCE).await? {
            Some(body) => Ok(body),
            None => Err(self.refused(path, StatusCode::NOT_MODIFIED, "")),
        }
    }

    /// GET `path`, which may take up to `held` to answer; `None` when nothing has changed by then.
    pub async fn long_poll(&self, path: &str, held: Duration) -> Result<Option<String>, ClientError> {
        self.reply(path, held.saturating_add(PATIENCE)).await
    }

    async fn reply(&self, path: &str, patience: Duration) -> Result<Option<String>, ClientError> {
        let authority = self.server.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let authority = authority.filter(|authority| !authority.is_empty());
        let authority = authority.ok_or_else(|| ClientError::Address(self.server.clone()))?;
        let asked = tokio::time::timeout(patience, self.ask(authority, path)).await;
        asked.map_err(|_| ClientError::Slow { server: self.server.clone(), patience })?
    }

    /// What a stranger says is printed: a beginning of it, and nothing that a terminal would obey.
    fn refused(&self, path: &str, status: StatusCode, body: &str) -> ClientError {
        let body = clean(&body.chars().take(SHOWN_CHARACTERS).collect::<String>());
        ClientError::Refused { server: self.server.clone(), path: path.to_owned(), status: status.as_u16(), body }
    }

    async fn ask(&self, authority: &str, path: &str) -> Result<Option<String>, ClientError> {
        let unreachable =
            |source: Box<dyn std::error::Error + Send + Sync>| ClientError::Unreachable { server: self.server.clone(), source };
        let stream = tokio::net::TcpStream::connect(authority).await.map_err(|error| unreachable(error.into()))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(error.into()))?;
        let mut request = http::Request::get(path).header(http::header::HOST, authority);
        if let Some(token) = &self.token {
            request = request.header(http::header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::<bytes::Bytes>::new());
        let request = request.map_err(|error| unreachable(error.into()))?;
        let answer = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST_BYTES).collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, String::from_utf8_lossy(&body).into_owned()))
        };
        let (answer, _) = tokio::join!(answer, connection);
        let (status, body) = answer.map_err(unreachable)?;
        match status {
            StatusCode::NOT_MODIFIED => Ok(None),
            status if status.is_success() => Ok(Some(body)),
            status => Err(self.refused(path, status, &body)),
        }
    }
}
