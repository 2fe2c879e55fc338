//! What every request has to pass, and what every answer carries.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use hyper::body::Body as _;

use super::access::Access;
use super::answers::{Endpoint, Face};
use super::failure::{Failure, FailureReason};
use super::peers::WRONG_TOKEN;
use super::server::Asker;

/// Nothing here may be framed, sniffed, cached by the way, or run anything. The page has a policy of its own, which allows
/// exactly its own script and style.
const ANSWER_HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Refuses what is no plain read of this server, and dresses the answer.
pub(super) async fn guard(State(face): State<Arc<Face>>, request: Request, next: Next) -> Response {
    let has_body = !request.body().is_end_stream();
    let mut response = match check(&face, &request, has_body) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in ANSWER_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if has_body {
        // The body is not read, so the connection cannot be used again.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn check(face: &Face, request: &Request, has_body: bool) -> Result<(), Failure> {
    // Whoever guesses tokens behind the same address must not have the process taken for dead.
    let asker = request.extensions().get::<Asker>().filter(|_| !is_probe(request));
    if asker.is_some_and(|asker| !asker.pays(1)) {
        return Err(Failure::new(FailureReason::TooManyRequests, "too many requests from this address; ask more slowly"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let message = "this face only reads: change the spec file instead";
        return Err(Failure::new(FailureReason::MethodNotAllowed, message));
    }
    if has_body {
        return Err(Failure::new(FailureReason::RequestEntityTooLarge, "a request to read has no body"));
    }
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = match authority {
        Some(authority) => authority,
        None => the_host(request.headers())?.to_owned(),
    };
    if !is_ours(&face.limits.host_names, &host) {
        let message = format!("`{host}` is not a name of this server; add it with --host-name if it should be");
        return Err(Failure::new(FailureReason::MisdirectedRequest, message));
    }
    if is_of_another_site(request.headers()) {
        return Err(Failure::new(FailureReason::Forbidden, "a page of another site may lead here, and not read from here"));
    }
    if may_read(&face.limits.access, request) {
        return Ok(());
    }
    if let (Some(asker), true) = (asker, request.headers().contains_key(header::AUTHORIZATION)) {
        // Refused it is in any case.
        _ = asker.pays(WRONG_TOKEN);
    }
    let message = "show the token of this server: `Authorization: Bearer TOKEN`, or in a browser as the password of any user";
    Err(Failure::new(FailureReason::Unauthorized, message))
}

fn may_read(access: &Access, request: &Request) -> bool {
    is_probe(request) || access.admits(request.headers())
}

fn is_probe(request: &Request) -> bool {
    let path = request.uri().path();
    Endpoint::ALL.into_iter().any(|endpoint| endpoint.is_open_to_all() && endpoint.path() == path)
}

/// A foreign page could not read an answer, and could still hold streams open. Following a link is no harm. Browsers say where a
/// request comes from; whoever says nothing is none.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let says = |name: &str, value: &str| headers.get(name).is_some_and(|said| said == value);
    says("sec-fetch-site", "cross-site") && !says("sec-fetch-mode", "navigate")
}

fn the_host(headers: &HeaderMap) -> Result<&str, Failure> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) {
        (Some(host), None) => Ok(host),
        _ => Err(Failure::new(FailureReason::BadRequest, "exactly one Host header is needed")),
    }
}

/// DNS rebinding lets a web page reach this server under the page's own *name*, so names are listed; an address, or
/// `localhost`, cannot be rebound.
fn is_ours(host_names: &[String], host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok()
        || host_names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// An answer with a strong ETag of its bytes, or 304 when the asker has them.
pub(super) fn tagged(asked: &HeaderMap, content_type: &'static str, bytes: Vec<u8>) -> Response {
    let digest = crate::journal::sha256(&bytes);
    // Half of the digest is more than enough to tell versions of one page apart.
    let etag = format!("\"{}\"", &digest[..32]);
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    let is_known = known.any(|tag| tag == etag || tag == "*");
    let mut response = if is_known {
        http::StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type)], Body::from(bytes)).into_response()
    };
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
