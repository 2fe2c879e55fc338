//! The request as it goes over the wire, and where it goes.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::Full;
use rustls::pki_types::ServerName;
use url::{Host, Position};

use crate::checks::network::HttpRequest;
use crate::network::obstacle::Obstacle;

/// Who asks, for those who read the server's log.
const WHO_ASKS: &str = concat!("bascule/", env!("CARGO_PKG_VERSION"));

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Nothing: it is a GET.
    Nothing,
    /// JSON: it is a POST.
    Json(&'a str),
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP in the clear.
    Http,
    /// HTTP within TLS.
    Https,
}

/// Where a request goes, and whom it expects there.
#[derive(Debug)]
pub struct Destination {
    /// What is spoken.
    pub protocol: Protocol,
    /// The host that is connected to, a name or an address.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// The name that a certificate must be for: the URL's host, wherever the connection goes.
    pub server_name: ServerName<'static>,
}

impl Destination {
    /// Where `request` goes.
    pub fn of(request: &HttpRequest) -> Result<Self, Obstacle> {
        let protocol = match request.url.scheme() {
            "http" => Protocol::Http,
            "https" => Protocol::Https,
            other => return Err(Obstacle::not_asked(format!("`{other}:` is neither `http:` nor `https:`"))),
        };
        let (Some(host), Some(port)) = (request.url.host(), request.url.port_or_known_default()) else {
            return Err(Obstacle::not_asked("the URL has no host".to_owned()));
        };
        let host = match host {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let server_name = ServerName::try_from(host.clone())
            .map_err(|_| Obstacle::not_asked(format!("`{host}` is neither a host name nor an address")))?;
        let (host, port) = request.connect_to.clone().unwrap_or((host, port));
        Ok(Self { protocol, host, port, server_name })
    }
}

/// The message of `request`. A coded body is not asked for: it could only hide what the page says.
pub fn of(request: &HttpRequest, content: Content<'_>) -> Result<Request<Full<Bytes>>, Obstacle> {
    let authority = HeaderValue::from_str(&request.url[Position::BeforeHost..Position::AfterPort]);
    let authority = authority.map_err(|_| Obstacle::not_asked("the URL's host cannot be sent in a header".to_owned()))?;
    let mut headers = HeaderMap::from_iter([
        (HOST, authority),
        (USER_AGENT, HeaderValue::from_static(WHO_ASKS)),
        (ACCEPT, HeaderValue::from_static("*/*")),
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        (CONNECTION, HeaderValue::from_static("close")),
    ]);
    for (name, value) in &request.headers {
        let (name, value) = header(name, value)?;
        headers.insert(name, value);
    }
    let path = &request.url[Position::BeforePath..Position::AfterQuery];
    let uri = path.parse::<Uri>();
    let (method, body) = match content {
        Content::Nothing => (Method::GET, Bytes::new()),
        Content::Json(text) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            (Method::POST, Bytes::copy_from_slice(text.as_bytes()))
        }
    };
    let mut message = Request::new(Full::new(body));
    *message.method_mut() = method;
    *message.uri_mut() = uri.map_err(|error| Obstacle::not_asked(format!("the URL's path and query cannot be sent: {error}")))?;
    *message.headers_mut() = headers;
    Ok(message)
}

/// A header of the request's own. What is wrong with a value is said without it, because it may be secret.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Obstacle> {
    let field = HeaderName::from_bytes(name.as_bytes());
    let field = field.map_err(|_| Obstacle::not_asked(format!("`{name}` cannot be the name of a header")))?;
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        Obstacle::not_asked(format!(
            "what was found as the value of the header `{name}` has a line's end or another control character in it, and \
             cannot be sent"
        ))
    })?;
    value.set_sensitive(true);
    Ok((field, value))
}
