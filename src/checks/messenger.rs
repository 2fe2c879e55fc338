//! The one thing that is ever sent to a server of the operator's own: a message, by POST.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::network::Reply;

/// One message: always POST, always JSON. Nothing in it is secret; what proves its sender is a signature among the headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it goes. The spec names the host, so that its address may be private.
    pub url: Url,
    /// Headers beside `Host`, `User-Agent`, `Content-Type` and `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON.
    pub body: String,
    /// A PEM file of trusted authorities; `None` for those that the platform knows.
    pub tls_ca_file: Option<PathBuf>,
    /// The longest that the exchange may take.
    pub limit: Duration,
}

impl Message {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Sends messages, each within its own time limit. A separate seam from [`super::network::Network`], which only ever asks.
pub trait Messenger: Send + Sync + fmt::Debug {
    /// Sends it once, and says with which status it was answered. A redirect is an answer, and not followed; of the answer's
    /// body nothing is kept.
    fn post<'a>(&'a self, message: &'a Message) -> Reply<'a, u16>;
}
